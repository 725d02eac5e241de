//! Who waits for an agent, in the order in which they came.

use std::collections::{BTreeMap, BTreeSet};

use crate::clock::Instant;
use crate::ids::{AgentNo, CallId, HotlineId};

/// Earlier is sooner served.
type Place = (Instant, CallId);

#[derive(Debug, Clone, Default)]
pub struct Queue {
    waiting: BTreeMap<Place, Waiting>,
    places: BTreeMap<CallId, Place>,
    /// Who waits for whom and has nobody's phone ringing now.
    wanting: BTreeMap<AgentNo, BTreeSet<Place>>,
}

#[derive(Debug, Clone)]
struct Waiting {
    hotline: HotlineId,
    numbers: Vec<AgentNo>,
    wants: bool,
}

impl Queue {
    /// A call joins at its place and wants any of these agents. The place, counted from 1 within the hotline.
    pub(super) fn join(&mut self, call: CallId, since: Instant, hotline: &HotlineId, numbers: &[AgentNo]) -> u32 {
        let place = (since, call);
        let waiting = Waiting { hotline: hotline.clone(), numbers: numbers.to_vec(), wants: false };
        self.waiting.insert(place, waiting);
        self.places.insert(call, place);
        self.update(call, Some(true));
        self.position(call)
    }

    /// Whether a call still waits (`Some`), and wants an agent now. Nothing changes for one that does not wait.
    pub(super) fn update(&mut self, call: CallId, wants: Option<bool>) {
        let Some(place) = self.places.get(&call).copied() else { return };
        let Some(waiting) = self.waiting.get_mut(&place) else { return };
        let now = wants.unwrap_or(false);
        if waiting.wants != now {
            waiting.wants = now;
            for number in &waiting.numbers {
                let wanting = self.wanting.entry(number.clone()).or_default();
                if now {
                    wanting.insert(place)
                } else {
                    wanting.remove(&place)
                };
                if wanting.is_empty() {
                    self.wanting.remove(number);
                }
            }
        }
        if wants.is_none() {
            self.waiting.remove(&place);
            self.places.remove(&call);
        }
    }

    /// How many of the same hotline would be served before this call, and itself; 0: it does not wait.
    pub(super) fn position(&self, call: CallId) -> u32 {
        let Some(place) = self.places.get(&call) else { return 0 };
        let Some(own) = self.waiting.get(place) else { return 0 };
        let ahead = self.waiting.range(..*place).filter(|(_, waiting)| waiting.hotline == own.hotline).count();
        u32::try_from(ahead).unwrap_or(u32::MAX).saturating_add(1)
    }

    /// The first who wants this agent, of those after `after`.
    pub fn first_for(&self, agent: &AgentNo, after: Option<CallId>) -> Option<CallId> {
        let wanting = self.wanting.get(agent)?;
        let after = after.and_then(|call| self.places.get(&call));
        match after {
            Some(place) => wanting.range((std::ops::Bound::Excluded(*place), std::ops::Bound::Unbounded)).next(),
            None => wanting.first(),
        }
        .map(|(_, call)| *call)
    }

    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Wall;
    use crate::ids::Random;

    fn call(n: u64) -> CallId {
        CallId::new(Wall::from_micros(0), &mut Random::from_number(n))
    }

    fn queue() -> Queue {
        let mut queue = Queue::default();
        let agents = |numbers: &[&str]| numbers.iter().map(|n| AgentNo::from(*n)).collect::<Vec<_>>();
        assert_eq!(queue.join(call(1), Instant::from_millis(10), &"h".into(), &agents(&["7", "8"])), 1);
        assert_eq!(queue.join(call(2), Instant::from_millis(20), &"h".into(), &agents(&["8"])), 2);
        assert_eq!(queue.join(call(3), Instant::from_millis(15), &"other".into(), &agents(&["8"])), 1);
        queue
    }

    #[test]
    fn whoever_came_first_is_first_for_an_agent_who_is_wanted() {
        let queue = queue();
        assert_eq!(queue.first_for(&"7".into(), None), Some(call(1)));
        assert_eq!(queue.first_for(&"8".into(), None), Some(call(1)));
        assert_eq!(queue.first_for(&"8".into(), Some(call(1))), Some(call(3)));
        assert_eq!(queue.first_for(&"8".into(), Some(call(2))), None);
        assert_eq!(queue.first_for(&"9".into(), None), None);
        assert_eq!(queue.position(call(2)), 2);
    }

    #[test]
    fn one_whose_ring_sounds_is_passed_over_and_keeps_the_place() {
        let mut queue = queue();
        queue.update(call(1), Some(false));
        assert_eq!(queue.first_for(&"8".into(), None), Some(call(3)));
        assert_eq!(queue.position(call(2)), 2);
        queue.update(call(1), Some(true));
        assert_eq!(queue.first_for(&"8".into(), None), Some(call(1)));
    }

    #[test]
    fn whoever_leaves_is_gone() {
        let mut queue = queue();
        for n in 1..=3 {
            queue.update(call(n), None);
        }
        assert!(queue.is_empty() && queue.places.is_empty() && queue.wanting.is_empty());
    }
}
