//! Ringing and answering.

use super::super::case::Ring;
use super::super::judged::{Judged, On, Why};
use super::super::measure::About;
use super::words;
use crate::call::fact::{ClosedWhy, RingResult};
use crate::call::leg::Callee;
use crate::call::reason::Reason;
use crate::cdr::Outcome;
use crate::ids::AgentNo;

/// R-001 and its likes. A late answer is the agent's only if that agent's own phone rang too long: who waited in a queue,
/// or through other agents' rings, was kept waiting by the hotline.
pub(in super::super) fn within_rings(about: &About<'_>) -> Judged {
    let (record, seen, max) = (about.record, about.seen, about.max_rings());
    let Some(rings) = record.rings else { return Judged::unknown(Why::NoTime) };
    let late = rings > max;
    let judged = match record.outcome {
        Some(Outcome::Answered) => {
            let own = answering(about);
            let bound_ms = u64::from(max) * seen.answer.period_ms;
            let rang_ms = own.and_then(|ring| ring.answered?.at.millis_since(ring.invited.at));
            // Whoever took over a colleague's ring did not let it ring.
            let own_phone = |agent: &AgentNo| own.and_then(agent_of) == Some(agent);
            let agent =
                record.agent.clone().filter(|agent| own_phone(agent) && rang_ms.is_some_and(|ms| ms >= bound_ms));
            let judged = Judged::if_kept(!late, Judged::fail_of(agent));
            let answered = own.and_then(|ring| ring.answered);
            judged.seen(seen.ring.into_iter().chain(answered)).with_some("agent_rang_ms", rang_ms)
        }
        Some(Outcome::Abandoned | Outcome::ShortAbandoned) if !late => Judged::na(Why::CallerLeft),
        Some(Outcome::Abandoned | Outcome::ShortAbandoned) => {
            Judged::fail(On::Hotline).seen(seen.ring).seen([seen.end()])
        }
        Some(Outcome::Overflow) if !late => Judged::na(Why::NotAnswered),
        Some(Outcome::Overflow) => Judged::fail(On::Hotline).seen(seen.ring).seen([seen.end()]),
        Some(Outcome::Rejected | Outcome::Failed) | None => unreached(about).seen([seen.end()]),
    };
    let judged = judged.with("rings", rings.into()).with("max_rings", max.into());
    judged.with_some("ring_to_answer_ms", record.ring_to_answer_ms)
}

/// not before the second burst has ended. Information only (C1): the built-in pack asks nothing.
pub(in super::super) fn after_rings(about: &About<'_>) -> Judged {
    let min = about.number("min_rings");
    if min == 0 {
        return Judged::na(Why::NotAsked);
    }
    let Some(rang_ms) = about.record.ring_to_answer_ms else { return Judged::na(Why::NotAnswered) };
    let rule = &about.seen.answer;
    let bound_ms = (min - 1) * rule.period_ms + rule.burst_ms;
    let answered = answering(about).and_then(|ring| ring.answered);
    let judged = Judged::if_kept(rang_ms >= bound_ms, Judged::fail(On::Nobody));
    judged.seen(about.seen.ring).seen(answered).with("ring_to_answer_ms", rang_ms).with("bound_ms", bound_ms)
}

/// What the gateway says is in the facts; what a dialplan leaves to the agent is in the words.
pub(in super::super) fn late_apology(about: &About<'_>) -> Judged {
    let (record, max) = (about.record, about.max_rings());
    if record.outcome != Some(Outcome::Answered) {
        return Judged::na(Why::NotAnswered);
    }
    let Some(rings) = record.rings else { return Judged::unknown(Why::NoTime) };
    if rings <= max {
        return Judged::na(Why::InTime).with("rings", rings.into());
    }
    let within_ms = about.number("greeting_within_ms");
    let apologised = record.greeting.as_ref().filter(|greeting| greeting.late);
    let begun_ms = apologised.and_then(|greeting| greeting.started_after_connect_ms);
    let played = about.seen.plays.iter().filter(|played| played.late).map(|played| played.span.from);
    let judged = match begun_ms {
        Some(ms) => Judged::if_kept(ms <= within_ms, Judged::fail(On::Gateway)).with("began_ms", ms),
        None if record.talk_ms.is_some_and(|ms| ms <= within_ms) => Judged::na(Why::CutShort),
        None => match about.seen.apology_due {
            Some(due) => words::said(about).by_words().seen([due]),
            None => Judged::fail(On::Gateway).seen(about.seen.connected),
        },
    };
    judged.seen(played).with("rings", rings.into()).with("max_rings", max.into())
}

/// the line is open.
pub(in super::super) fn got_through(about: &About<'_>) -> Judged {
    let (record, seen) = (about.record, about.seen);
    let judged = match record.outcome {
        Some(Outcome::Answered | Outcome::Overflow) => Judged::pass(),
        Some(Outcome::Abandoned | Outcome::ShortAbandoned) => {
            let queued_ms = record.queue.as_ref().and_then(|queue| queue.waited_ms);
            let bound_ms = u64::from(about.max_rings()) * seen.answer.period_ms;
            let waited = record.rings.is_some_and(|rings| rings > about.max_rings());
            if waited || queued_ms.is_some_and(|ms| ms >= bound_ms) {
                Judged::fail(On::Hotline).seen(seen.ring).seen(seen.queued)
            } else {
                Judged::na(Why::CallerLeft)
            }
        }
        Some(Outcome::Rejected | Outcome::Failed) | None => unreached(about),
    };
    judged.seen([seen.end()]).with_some("wait_ms", record.wait_ms)
}

/// Whose doing it is that the call reached nobody. A hotline in its hours off need not answer; one that is out of order should.
fn unreached(about: &About<'_>) -> Judged {
    if about.seen.closed.is_some_and(|(_, why)| why != ClosedWhy::Outage) {
        return Judged::na(Why::Closed);
    }
    match about.record.reason {
        Some(Reason::NoCodec | Reason::TrunkFault | Reason::NoAck | Reason::SessionLost | Reason::MediaTimeout) => {
            Judged::na(Why::TrunkAtFault)
        }
        Some(Reason::MenuUnanswered) => Judged::na(Why::CallerChoseNothing),
        Some(Reason::CallerHungUp | Reason::CallerCancelled | Reason::CrossedCancel) => Judged::na(Why::CallerLeft),
        Some(Reason::Draining | Reason::Overloaded | Reason::Fault | Reason::Shutdown) => Judged::fail(On::Gateway),
        _ => Judged::fail(On::Hotline),
    }
}

/// and the like. A ring shorter than `post_ms` says nothing, and a phone that cannot be reached is no
/// agent's fault.
pub(in super::super) fn agents_at_post(about: &About<'_>) -> Judged {
    let bound_ms = about.number("post_ms");
    let long = |ring: &Ring| {
        ring.released.and_then(|(at, _)| at.at.millis_since(ring.invited.at)).is_some_and(|ms| ms >= bound_ms)
    };
    let agents = || about.seen.rings.iter().filter_map(|ring| Some((agent_of(ring)?, ring)));
    let ended = |wanted: RingResult| {
        agents().filter(move |(_, ring)| ring.released.is_some_and(|(_, result)| result == wanted))
    };
    let silent: Vec<_> = ended(RingResult::NoAnswer).filter(|(_, ring)| long(ring)).collect();
    if !silent.is_empty() {
        let marks: Vec<_> = silent.iter().filter_map(|(_, ring)| Some(ring.released?.0)).collect();
        return Judged::fail_of(silent.iter().map(|(agent, _)| (*agent).clone())).seen(marks).with("post_ms", bound_ms);
    }
    let unreachable: Vec<_> = ended(RingResult::Unreachable).filter_map(|(_, ring)| Some(ring.released?.0)).collect();
    if !unreachable.is_empty() {
        return Judged::fail(On::Hotline).with("unreachable", unreachable.len() as u64).seen(unreachable);
    }
    let there = |ring: &Ring| match ring.released {
        Some((at, RingResult::Busy | RingResult::Declined)) => Some(at),
        _ => ring.answered,
    };
    match agents().find_map(|(_, ring)| there(ring)) {
        Some(at) => Judged::pass().seen([at]),
        None => Judged::na(Why::NobodyRung),
    }
}

/// the duty phone is on.
pub(in super::super) fn target_reached(about: &About<'_>) -> Judged {
    let targets = || about.seen.rings.iter().filter(|ring| agent_of(ring).is_none());
    let result = |wanted: &[RingResult]| {
        let ended = targets().filter_map(|ring| ring.released).filter(|(_, result)| wanted.contains(result));
        ended.map(|(at, _)| at).collect::<Vec<_>>()
    };
    let failed = result(&[RingResult::Unreachable, RingResult::NoAnswer]);
    if !failed.is_empty() {
        return Judged::fail(On::Hotline).seen(failed);
    }
    let reached = result(&[RingResult::Busy, RingResult::Declined]).into_iter();
    let reached: Vec<_> = reached.chain(targets().filter_map(|ring| ring.answered)).collect();
    if reached.is_empty() { Judged::na(Why::NoTarget) } else { Judged::pass().seen(reached) }
}

/// The ring that the first agent answered.
fn answering<'a>(about: &'a About<'_>) -> Option<&'a Ring> {
    let answered = about.seen.rings.iter().filter(|ring| ring.answered.is_some() && agent_of(ring).is_some());
    answered.min_by_key(|ring| ring.answered.map(|mark| mark.at.mono_ns))
}

fn agent_of(ring: &Ring) -> Option<&AgentNo> {
    match &ring.who {
        Callee::Agent(agent) => Some(agent),
        Callee::Target(_) => None,
    }
}
