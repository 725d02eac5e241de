//! The facts as the call machine itself writes them, through the fold: the two sides of the ledger meet here.

use std::time::Duration;

use super::{Outcome, QualityStatus, Record};
use crate::call::agent::Agents;
use crate::call::fact::{Fact, RecordingStatus, RingResult};
use crate::call::leg::{Action, Input, Media, Sent};
use crate::call::reason::Reason;
use crate::call::{Call, Offer};
use crate::clock::{Instant, Now, RunId};
use crate::dialplan::plan::Plans;
use crate::ids::{CallId, Random, Side, SubjectId, TrunkName};
use crate::ledger::replay;
use crate::ledger::story::{self, MORNING};
use crate::media::Play;
use crate::protocol::rtp::Received;

struct Machine {
    call: Call,
    agents: Agents,
    facts: Vec<Fact>,
}

impl Machine {
    /// A call whose phone of agent 8 is being invited, 20 ms after *offered*.
    fn inviting() -> Machine {
        let hotline = story::plans().hotlines.remove(0);
        let mut random = Random::from_number(1);
        let id = CallId::new(MORNING, &mut random);
        let offer = Offer {
            trunk: TrunkName::from("carrier"),
            called: "4008001234".to_owned(),
            called_received: None,
            caller: SubjectId::new(&mut random),
            caller_received: None,
            sip_call_id: "1@carrier".to_owned(),
            early_media: true,
            standing: crate::dialplan::reception::Standing::default(),
            made: None,
        };
        let agents = Agents::new(hotline.agents.numbers.clone(), &Plans::default(), Random::from_number(1));
        let call = Call::new(id, RunId(1), moment(0), hotline, offer);
        Machine { call, agents, facts: Vec::new() }
            .told(10, Input::CallerReady)
            .told(15, Input::AgentReady { attempt: 1 })
            .told(20, Input::Sent(Sent::Invite { attempt: 1 }))
    }

    fn ringing() -> Machine {
        Machine::inviting().told(900, Input::AgentRinging { attempt: 1 }).told(1_000, Input::Sent(Sent::Ring))
    }

    /// `ms` is the stamp of what happened, in milliseconds since *offered*.
    fn told(mut self, ms: u64, input: Input) -> Machine {
        let at = moment(ms);
        self.call.handle(at.mono, at, input, &mut self.agents);
        while let Some(action) = self.call.poll_action() {
            if let Action::Fact(fact) = action {
                self.facts.push(fact);
            }
        }
        self
    }

    fn record(self) -> Record {
        assert_eq!(replay::check(&self.facts), Ok(()));
        Record::from_facts(&self.facts).unwrap()
    }
}

fn moment(ms: u64) -> Now {
    Now { mono: Instant::from_millis(5_000), wall: MORNING }.after(Duration::from_millis(ms))
}

#[test]
fn an_answered_call_of_the_machine() {
    let received = Received { packets: 10, ..Received::default() };
    let closed = |side| Input::Media(Media::Closed { side, received });
    let record = Machine::ringing()
        .told(8_000, Input::AgentAnswered { attempt: 1 })
        .told(8_001, Input::Sent(Sent::Answer))
        .told(8_010, Input::CallerAcknowledged)
        .told(8_051, Input::Media(Media::PlayStarted { play: Play::Greeting }))
        .told(11_000, Input::Media(Media::PlayEnded { play: Play::Greeting, to_end: true }))
        .told(20_000, Input::Held { by: Side::Agent, held: true })
        .told(26_000, Input::Held { by: Side::Agent, held: false })
        .told(38_000, Input::HungUp { side: Side::Caller })
        .told(38_001, closed(Side::Caller))
        .told(38_002, closed(Side::Agent))
        .told(38_100, recorded())
        .record();
    assert_eq!((record.outcome, record.reason), (Some(Outcome::Answered), Some(Reason::CallerHungUp)));
    assert_eq!((record.ring_to_answer_ms, record.rings, record.wait_ms), (Some(7_000), Some(2), Some(8_000)));
    assert_eq!((record.talk_ms, record.hold_ms, record.duration_ms), (Some(24_000), Some(6_000), Some(38_000)));
    assert_eq!(record.greeting.unwrap().started_after_connect_ms, Some(50));
    assert_eq!(record.recording.status, RecordingStatus::Ok);
    assert_eq!(record.quality.agent.status, QualityStatus::Measured);
}

#[test]
fn an_abandoned_call_of_the_machine() {
    let record = Machine::ringing().told(5_000, Input::CallerLeft).record();
    assert_eq!((record.outcome, record.wait_ms, record.rings), (Some(Outcome::Abandoned), Some(5_000), Some(1)));
    let record = Machine::ringing().told(4_999, Input::CallerLeft).record();
    assert_eq!(record.outcome, Some(Outcome::ShortAbandoned));
}

/// Our 200 was written at 8,002 ms, and only then the CANCEL was read that had come at 8,001 ms.
#[test]
fn a_crossing_of_the_machine() {
    let answered = || Machine::ringing().told(8_000, Input::AgentAnswered { attempt: 1 });
    let record = answered().told(8_002, Input::Sent(Sent::Answer)).told(8_001, Input::CallerLeft).record();
    assert_eq!((record.outcome, record.agent), (Some(Outcome::Abandoned), None));
    let record = answered().told(8_001, Input::CallerLeft).record();
    assert_eq!((record.outcome, record.wait_ms), (Some(Outcome::Abandoned), Some(8_001)));
}

#[test]
fn nobody_could_take_it() {
    let busy = |attempt| Input::AgentFailed { attempt, result: RingResult::Busy, status: Some(486) };
    let record = Machine::inviting()
        .told(100, busy(1))
        .told(110, Input::AgentReady { attempt: 2 })
        .told(120, Input::Sent(Sent::Invite { attempt: 2 }))
        .told(200, busy(2))
        .told(210, Input::Sent(Sent::Rejection))
        .record();
    assert_eq!((record.outcome, record.reason), (Some(Outcome::Failed), Some(Reason::AgentsBusy)));
    assert_eq!((record.rings, record.ring_at, record.talk_ms), (Some(0), None, Some(0)));
}

fn recorded() -> Input {
    Input::RecordingClosed {
        status: RecordingStatus::Ok,
        reason: None,
        duration_ms: 29_999,
        sha256: Some("5f".repeat(32)),
        parts: Vec::new(),
    }
}
