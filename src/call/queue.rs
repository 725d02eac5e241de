//! Who waits for an agent: those whom the dialplan puts first, then in the order in which they came. Whoever hangs up and calls
//! again within a minute is where he or she was.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::clock::Instant;
use crate::dialplan::reception::Standing;
use crate::ids::{AgentNo, CallId, HotlineId};
use crate::limits;

/// Smaller is sooner served: by priority, then by when the caller came.
type Place = (Reverse<u32>, Instant, CallId);

#[derive(Debug, Clone, Default)]
pub struct Queue {
    waiting: BTreeMap<Place, Waiting>,
    places: BTreeMap<CallId, Place>,
    /// Who waits for whom and has nobody's phone ringing now.
    wanting: BTreeMap<AgentNo, BTreeSet<Place>>,
    /// Who has left, by hotline and number: since when they had waited, and how long that counts.
    left: BTreeMap<(HotlineId, String), Left>,
}

#[derive(Debug, Clone, Copy)]
struct Left {
    since: Instant,
    until: Instant,
}

/// Who joins, for whom.
#[derive(Debug, Clone, Copy)]
pub(super) struct Joining<'j> {
    pub(super) call: CallId,
    pub(super) offered: Instant,
    pub(super) hotline: &'j HotlineId,
    pub(super) numbers: &'j [AgentNo],
    pub(super) caller: &'j Standing,
}

/// Where a caller stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Joined {
    /// Counted from 1 within the hotline.
    pub(super) position: u32,
    /// How long ago the place was first taken, if this caller had it before.
    pub(super) waited: Option<Duration>,
}

#[derive(Debug, Clone)]
struct Waiting {
    hotline: HotlineId,
    numbers: Vec<AgentNo>,
    caller: Option<String>,
    wants: bool,
}

impl Queue {
    /// A call joins at its place and wants any of these agents.
    pub(super) fn join(&mut self, now: Instant, joining: Joining<'_>) -> Joined {
        let Joining { call, offered, hotline, numbers, caller } = joining;
        let key = caller.number.clone().map(|number| (hotline.clone(), number));
        let left = key.as_ref().and_then(|key| self.left.remove(key)).filter(|left| now <= left.until);
        let since = left.map_or(offered, |left| left.since);
        let place = (Reverse(caller.priority), since, call);
        let (hotline, numbers, caller) = (hotline.clone(), numbers.to_vec(), caller.number.clone());
        self.waiting.insert(place, Waiting { hotline, numbers, caller, wants: false });
        self.places.insert(call, place);
        self.update(call, Some(true));
        Joined { position: self.position(call), waited: left.map(|left| now.since(left.since)) }
    }

    /// The caller hangs up: whoever calls again soon is where this one was.
    pub(super) fn abandon(&mut self, call: CallId, now: Instant) {
        let Some(place) = self.places.get(&call) else { return };
        let Some(Waiting { hotline, caller: Some(number), .. }) = self.waiting.get(place) else { return };
        self.left.retain(|_, left| now <= left.until);
        if self.left.len() < limits::REMEMBERED_PLACES {
            let left = Left { since: place.1, until: now + limits::PLACE_KEPT };
            self.left.insert((hotline.clone(), number.clone()), left);
        }
    }

    /// The call, if it waits, keeps its place and wants any of these agents.
    pub(super) fn want_any_of(&mut self, call: CallId, numbers: &[AgentNo]) {
        let Some(place) = self.places.get(&call).copied() else { return };
        let wants = self.waiting.get(&place).is_some_and(|waiting| waiting.wants);
        self.update(call, Some(false));
        if let Some(waiting) = self.waiting.get_mut(&place) {
            waiting.numbers = numbers.to_vec();
        }
        self.update(call, Some(wants));
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
        .map(|(.., call)| *call)
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
        let nobody = Standing::default();
        assert_eq!(join(&mut queue, 1, 10, "h", &["7", "8"], &nobody).position, 1);
        assert_eq!(join(&mut queue, 2, 20, "h", &["8"], &nobody).position, 2);
        assert_eq!(join(&mut queue, 3, 15, "other", &["8"], &nobody).position, 1);
        queue
    }

    fn join(queue: &mut Queue, n: u64, at: u64, hotline: &str, numbers: &[&str], caller: &Standing) -> Joined {
        let numbers: Vec<AgentNo> = numbers.iter().map(|n| AgentNo::from(*n)).collect();
        let at = Instant::from_millis(at);
        let hotline = &hotline.into();
        queue.join(at, Joining { call: call(n), offered: at, hotline, numbers: &numbers, caller })
    }

    fn caller(number: &str, priority: u32) -> Standing {
        Standing { number: Some(number.to_owned()), priority, internal: false }
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

    #[test]
    fn those_whom_the_dialplan_puts_first_are_before_others_and_behind_one_another() {
        let mut queue = queue();
        assert_eq!(join(&mut queue, 4, 30, "h", &["8"], &caller("a", 1)).position, 1);
        assert_eq!(join(&mut queue, 5, 40, "h", &["8"], &caller("b", 1)).position, 2);
        assert_eq!(queue.first_for(&"8".into(), None), Some(call(4)));
        assert_eq!((queue.position(call(1)), queue.position(call(2))), (3, 4));
    }

    #[test]
    fn whoever_calls_again_within_a_minute_is_where_they_were() {
        let mut queue = Queue::default();
        let first = caller("a", 0);
        join(&mut queue, 1, 0, "h", &["8"], &first);
        join(&mut queue, 2, 5_000, "h", &["8"], &caller("b", 0));
        queue.abandon(call(1), Instant::from_millis(10_000));
        queue.update(call(1), None);
        let again = join(&mut queue, 3, 70_000, "h", &["8"], &first);
        assert_eq!(again, Joined { position: 1, waited: Some(Duration::from_secs(70)) });
        queue.abandon(call(3), Instant::from_millis(80_000));
        queue.update(call(3), None);
        assert_eq!(join(&mut queue, 4, 90_000, "other", &["8"], &first).waited, None, "of that hotline only");
        assert_eq!(join(&mut queue, 5, 140_001, "h", &["8"], &first), Joined { position: 2, waited: None }, "too late");
        queue.abandon(call(2), Instant::from_millis(141_000));
        assert_eq!(queue.left.len(), 1, "what is too old is forgotten");
    }
}
