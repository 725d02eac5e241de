//! Shifts: who is to be there when, held against who is. That somebody is missing is told so long before a shift begins as the
//! dialplan says; and nobody logs out before a successor is there.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::agent::{Agent, Agents};
use super::presence::{Presence, What};
use crate::clock::{Instant, Now, Wall};
use crate::dialplan::plan::{Hotline, Plans};
use crate::ids::{AgentNo, HotlineId};

/// Why the gateway wakes up for this.
pub const WAKE: &str = "a shift may begin";

const MINUTE: Duration = Duration::from_secs(60);

#[derive(Debug, Clone, Default)]
pub(super) struct Roster {
    hotlines: Vec<Arc<Hotline>>,
    /// When it is looked at next; `None`: no hotline has shifts.
    look: Option<Instant>,
    /// Until which minute it was looked at.
    looked: Option<Wall>,
    /// Who was on a shift then, and whose.
    on: BTreeMap<AgentNo, HotlineId>,
}

impl Roster {
    pub(super) fn new(plans: &Plans) -> Roster {
        let of_duty = |hotline: &&Arc<Hotline>| hotline.duty.successor || !hotline.duty.shifts.is_empty();
        let hotlines: Vec<Arc<Hotline>> = plans.hotlines.iter().filter(of_duty).cloned().collect();
        let has_shifts = hotlines.iter().any(|hotline| !hotline.duty.shifts.is_empty());
        Roster { hotlines, look: has_shifts.then_some(Instant::START), looked: None, on: BTreeMap::new() }
    }

    /// In the place of another after a reload: what was told is not told again.
    pub(super) fn going_on(self, before: &Roster, now: Instant) -> Roster {
        // With the last shift gone from the plans somebody must still say that it is over.
        let look = self.look.or(before.look).map(|_| now);
        Roster { look, looked: before.looked, on: before.on.clone(), ..self }
    }

    pub(super) fn poll_timeout(&self) -> Option<(Instant, &'static str)> {
        self.look.map(|at| (at, WAKE))
    }

    /// Whose shifts begin so soon that they should have logged in, by the whole minutes since it was looked at last. After a stall
    /// only the last hour counts.
    fn due(&mut self, now: Now) -> BTreeMap<AgentNo, (HotlineId, Wall)> {
        let mut due = BTreeMap::new();
        let minute = i64::try_from(MINUTE.as_micros()).unwrap_or(i64::MAX);
        let this = now.wall.as_micros().div_euclid(minute) * minute;
        let first = self.looked.map_or(this, |looked| looked.as_micros() + minute).max(this - 60 * minute);
        for at in (first..=this).step_by(usize::try_from(minute).unwrap_or(usize::MAX)).map(Wall::from_micros) {
            for hotline in &self.hotlines {
                let begins = at + hotline.duty.login_before;
                for agent in hotline.beginning(begins) {
                    due.entry(agent.clone()).or_insert_with(|| (hotline.id.clone(), begins));
                }
            }
        }
        self.looked = Some(Wall::from_micros(this));
        let rest = u64::try_from(this + minute - now.wall.as_micros()).unwrap_or(1);
        self.look = Some(now.mono + Duration::from_micros(rest));
        due
    }

    /// Whose shifts began, and whose are over, since this was asked last; of a shift at the minute that was looked at.
    fn turns(&mut self) -> Vec<(AgentNo, What)> {
        let Some(at) = self.looked else { return Vec::new() };
        let mut now = BTreeMap::new();
        for hotline in &self.hotlines {
            for agent in hotline.on_shift(at) {
                now.entry(agent.clone()).or_insert_with(|| hotline.id.clone());
            }
        }
        let before = std::mem::replace(&mut self.on, now);
        let over = before.iter().filter(|(agent, _)| !self.on.contains_key(*agent));
        let over = over.map(|(agent, hotline)| (agent.clone(), What::ShiftOver { hotline: hotline.clone() }));
        let began = self.on.iter().filter(|(agent, _)| !before.contains_key(*agent));
        let began = began.map(|(agent, hotline)| (agent.clone(), What::ShiftBegan { hotline: hotline.clone() }));
        over.chain(began).collect()
    }
}

impl Agent {
    /// Takes callers, or will as soon as the present one is done with.
    pub(super) fn is_on_duty(&self) -> bool {
        !self.leaving && matches!(self.presence, Presence::Ready | Presence::WrapUp { .. })
    }
}

impl Agents {
    /// Whoever should have logged in by now, and has not, is told of.
    pub(super) fn look_at_roster(&mut self, now: Now) {
        if self.roster.look.is_none_or(|look| look > now.mono) {
            return;
        }
        for (agent, (hotline, begins)) in self.roster.due(now) {
            let missing = self.agents.get_mut(&agent).filter(|agent| agent.presence.misses_shifts());
            if let Some(missing) = missing {
                missing.missed = Some(begins);
                self.tell(&agent, What::MissesShift { hotline, begins_us: begins.as_micros() }, now);
            }
        }
        for (agent, what) in self.roster.turns() {
            self.tell(&agent, what, now);
        }
    }

    /// A hotline that is open, and that nobody would be there for if this agent left.
    pub(super) fn needs(&self, agent: &AgentNo, now: Wall) -> Option<&HotlineId> {
        let needs = |hotline: &&Arc<Hotline>| {
            let duty = &hotline.duty;
            let stays = |number: &AgentNo| number != agent && self.agents.get(number).is_some_and(Agent::is_on_duty);
            let takes_over = |number: &AgentNo| {
                stays(number) && (duty.shifts.is_empty() || hotline.is_on_shift(number, now, duty.login_before))
            };
            let everybody = hotline.everybody();
            let open = hotline.reception.shut(now).is_none();
            duty.successor && open && everybody.contains(agent) && !everybody.iter().any(takes_over)
        };
        self.roster.hotlines.iter().find(needs).map(|hotline| &hotline.id)
    }
}
