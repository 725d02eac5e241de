//! Codes that park a caller and pick a parked one up. Slots are the numbers 1 to 9, the lowest free one first; which are taken
//! follows from the calls.
//!
//! ```text
//! 480  the agent has no caller; nobody is parked there
//! 403  the agent does not serve that hotline
//! 486  every slot is taken; the agent's own phone is not free; somebody else was quicker
//! 488  no media that we can carry
//! ```

use super::Gateway;
use super::features::tones;
use crate::call::agent::State;
use crate::call::leg::Input;
use crate::clock::Now;
use crate::dialplan::plan::Prompt;
use crate::ids::{AgentNo, CallId};
use crate::protocol::sip::endpoint::{Flow, SessionId};
use crate::protocol::sip::message::Request;

const SLOTS: std::ops::RangeInclusive<u8> = 1..=9;

impl Gateway {
    /// What is said to the agent: the slot, or as many tones.
    pub(super) fn park(&mut self, at: Now, by: &AgentNo) -> Result<Prompt, u16> {
        let id = self.talk_of(by).map_err(|_| 480u16)?;
        let call = self.calls.get(&id).map(|entry| &entry.call).filter(|call| call.may_park(by)).ok_or(486u16)?;
        let slot = SLOTS.into_iter().find(|slot| self.parked_at(*slot).is_none()).ok_or(486u16)?;
        let spoken = call.hotline().scripts.park.slots.get(usize::from(slot) - 1).cloned();
        self.inputs.push_back((id, at, Input::Park { slot }));
        tracing::info!(call = %id, %by, slot, "a caller is parked");
        Ok(spoken.unwrap_or_else(|| tones(usize::from(slot))))
    }

    pub(super) fn pick_up_parked(
        &mut self,
        now: Now,
        at: Now,
        (session, flow): (SessionId, Flow),
        request: &Request,
        (agent, slot): (&AgentNo, u8),
    ) -> Result<(), u16> {
        let id = self.parked_at(slot).ok_or(480u16)?;
        let entry = self.calls.get_mut(&id).ok_or(480u16)?;
        if !entry.call.hotline().everybody().contains(agent) {
            return Err(403);
        }
        if self.agents.state(agent) != Some(&State::Available) {
            return Err(486);
        }
        let attempt = entry.call.seat_for_parked().ok_or(486u16)?;
        self.seat(now, (id, attempt, agent), request, (session, &flow), true)?;
        self.agents.take(agent, id);
        self.inputs.push_back((id, at, Input::TakeParked { attempt, agent: agent.clone() }));
        tracing::info!(call = %id, %agent, slot, "a parked caller is picked up");
        Ok(())
    }

    fn parked_at(&self, slot: u8) -> Option<CallId> {
        let mut all = self.calls.iter();
        all.find(|(_, entry)| entry.call.parked_slot() == Some(slot)).map(|(id, _)| *id)
    }
}
