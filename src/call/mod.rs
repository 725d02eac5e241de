//! One call: a back-to-back user agent without SIP. The one writer of a call's facts.
//!
//! Calling contract: after `new` and every `handle`/`handle_timeout`, drain [`Call::poll_action`], then sleep no longer than
//! [`Call::poll_timeout`]. `now` is the time of handling; `at` the instant of what happened (they differ by the queueing
//! that must not falsify an answer time).
//!
//! ```text
//! Opening ─► Hunting ◄─► Attending ◄─► Cascading
//!    │          │ │          │            │
//!    │          │ └► Talking ┴─► Closing ─┴► Sealed
//!    │          │    ▲ └► Surveying ─┘
//!    └──────────┴─ Rejecting ──────►
//! CallingBack ───────┘
//! ```
//!
//! `route` leads a call from step to step of its dialplan: `hunting` rings agents, with `waiting` where there is a queue;
//! `attending` is the gateway that speaks with the caller, `cascading` rings many in an emergency, `surveying` what it asks when the agent has left.
//! A callback, and a call that an agent makes to a number outside, begin with `calling_back` and go on with `talking`.

pub mod agent;
pub mod choice;
pub mod fact;
pub mod feature;
pub mod late;
pub mod leg;
pub mod presence;
pub mod privacy;
pub mod reason;

mod acting;
mod adding;
mod attending;
mod callee;
mod calling_back;
mod cascading;
mod closing;
mod conference;
mod courtesies;
mod handled;
mod holder;
mod hunting;
mod parking;
pub mod queue;
pub mod roster;
mod route;
pub mod script;
mod surveying;
mod talked;
mod talking;
mod transfer;
mod waiting;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use agent::Agents;
use attending::Attending;
use calling_back::CallingBack;
pub use calling_back::FIRST as OUTBOUND_AGENT;
use cascading::Cascading;
use closing::Closing;
pub(crate) use closing::heard;
use fact::{
    AgentsCall, AnswerRule, CallbackRule, CallsBack, ClassedBy, Fact, Offered, RingResult, RingSource, Signal, What,
};
use hunting::Hunting;
use leg::{Action, Callee, Input, Sent};
use privacy::Privacy;
use reason::{EndedBy, Reason};
use surveying::Surveying;
use talking::Talking;
use transfer::Transfers;

use crate::clock::{Instant, Now, RunId, Stamp};
use crate::dialplan::after::Callback;
use crate::dialplan::plan::{Hotline, Prompt, Ringback};
use crate::dialplan::reception::Standing;
use crate::ids::{AgentNo, CallId, Side, SubjectId, TrunkName};
use crate::limits;
use crate::media::Play;

/// Who calls, for what.
#[derive(Debug, Clone)]
pub struct Offer {
    pub trunk: TrunkName,
    pub called: String,
    /// As the trunk wrote it, if that differs.
    pub called_received: Option<String>,
    pub caller: SubjectId,
    pub caller_received: Option<SubjectId>,
    pub sip_call_id: String,
    /// The caller would hear media of ours before the answer: it made an offer and does not hold us.
    pub early_media: bool,
    pub standing: Standing,
    /// A call of its own kind; `None`: a caller calls, or an agent dials a code.
    pub made: Option<Made>,
}

/// What no caller has begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Made {
    /// For [`Call::calling_back`].
    CallsBack(CallsBack),
    /// For [`Call::among_agents`] or [`Call::outbound`].
    ByAgent(AgentsCall),
}

#[derive(Debug)]
pub struct Call {
    id: CallId,
    hotline: Arc<Hotline>,
    answer: AnswerRule,
    ledger: Ledger,
    offered: Now,
    state: State,
    actions: VecDeque<Action>,
    /// Messages on the ladder so far.
    signals: u32,
    /// Voice quality reports so far.
    reports: u32,
    /// Prompts that have not begun, in the order of their orders.
    ordered: VecDeque<Ordered>,
    transfers: Transfers,
    standing: Standing,
    privacy: Privacy,
    /// What kind of call it is, as far as somebody has told.
    class: Option<(String, ClassedBy)>,
    made: Option<Made>,
    /// A hotline's; false: a call among agents, or a code.
    of_hotline: bool,
}

/// What is to be said of a prompt when it begins.
#[derive(Debug)]
struct Ordered {
    play: Play,
    text: String,
    agent: Option<AgentNo>,
    late: bool,
}

/// Numbers and stamps the facts of one call.
#[derive(Debug)]
struct Ledger {
    call: CallId,
    run: RunId,
    n: u32,
    /// False: the call of a code, of which there are no facts.
    told: bool,
    /// Rings that have no end yet, by attempt.
    ringing: BTreeMap<u32, Callee>,
}

#[derive(Debug)]
enum State {
    /// The caller's ports are being opened.
    Opening,
    Hunting(Hunting),
    /// The gateway speaks with the caller.
    Attending(Box<Attending>),
    /// An emergency: many are rung, and one is to confirm.
    Cascading(Box<Cascading>),
    /// A number outside is called: for an agent whose phone is rung first, or has dialled it.
    CallingBack(CallingBack),
    /// A final failure is on its way to the caller.
    Rejecting {
        reason: Reason,
    },
    Talking(Box<Talking>),
    /// The agent has left, and the caller grades.
    Surveying(Box<Surveying>),
    Closing(Closing),
    Sealed,
}

impl Made {
    pub fn calls_back(&self) -> Option<&CallsBack> {
        match self {
            Made::CallsBack(back) => Some(back),
            Made::ByAgent(_) => None,
        }
    }

    pub fn by_agent(&self) -> Option<&AgentsCall> {
        match self {
            Made::ByAgent(call) => Some(call),
            Made::CallsBack(_) => None,
        }
    }
}

impl Ledger {
    fn next(&mut self, at: Now, what: What) -> Fact {
        let fact = Fact { call: self.call, n: self.n, at: Stamp::new(self.run, at), what };
        self.n += 1;
        fact
    }
}

impl Call {
    /// A call that was offered at `at`.
    pub fn new(id: CallId, run: RunId, at: Now, hotline: Arc<Hotline>, offer: Offer) -> Call {
        Call::begin((id, true), run, at, hotline, offer)
    }

    /// A call that an agent makes and that is no hotline's: to a colleague or a target, which has facts and is recorded as `plan` says; or
    /// to a code, of which nothing is told.
    pub fn among_agents(id: CallId, run: RunId, at: Now, plan: Arc<Hotline>, offer: Offer) -> Call {
        Call::begin((id, false), run, at, plan, offer)
    }

    /// A call that the gateway makes for an agent of this hotline, who is taken for it: a kind of its own, recorded and told in facts.
    pub fn calling_back(id: CallId, run: RunId, at: Now, hotline: Arc<Hotline>, offer: Offer) -> Call {
        let mut call = Call::begin((id, true), run, at, hotline, offer);
        call.actions.retain(|action| !matches!(action, Action::OpenCaller));
        call.ring_agent_first();
        call
    }

    /// A call of a hotline's agent to a number outside; the agent's phone has dialled in, as the attempt [`OUTBOUND_AGENT`].
    pub fn outbound(id: CallId, run: RunId, at: Now, hotline: Arc<Hotline>, offer: Offer) -> Call {
        let mut call = Call::begin((id, true), run, at, hotline, offer);
        call.actions.retain(|action| !matches!(action, Action::OpenCaller));
        call.await_phone();
        call
    }

    fn begin((id, of_hotline): (CallId, bool), run: RunId, at: Now, hotline: Arc<Hotline>, offer: Offer) -> Call {
        let answer = answer_rule(&hotline, offer.early_media);
        let mut call = Call {
            id,
            answer: answer.clone(),
            ledger: Ledger { call: id, run, n: 0, told: of_hotline || offer.made.is_some(), ringing: BTreeMap::new() },
            offered: at,
            state: State::Opening,
            actions: VecDeque::new(),
            signals: 0,
            reports: 0,
            ordered: VecDeque::new(),
            transfers: Transfers::default(),
            standing: offer.standing,
            privacy: Privacy::default(),
            class: None,
            made: offer.made,
            of_hotline,
            hotline,
        };
        let offered = Offered {
            hotline: call.hotline.id.clone(),
            trunk: offer.trunk,
            called: offer.called,
            called_received: offer.called_received,
            caller: offer.caller,
            caller_received: offer.caller_received,
            sip_call_id: offer.sip_call_id,
            dialplan: call.hotline.version.clone(),
            answer,
            // Whoever is not reached by a callback stays on the list as he stood.
            callback: call.hotline.after.callback.as_ref().filter(|_| call.made.is_none()).map(callback_rule),
            calls_back: call.made.as_ref().and_then(Made::calls_back).cloned(),
            internal: call.standing.internal,
            by_agent: call.made.as_ref().and_then(Made::by_agent).cloned(),
        };
        call.fact(at, What::Offered(Box::new(offered)));
        call.actions.push_back(Action::OpenCaller);
        call
    }

    /// A call that is refused as soon as it is offered.
    pub fn refused(id: CallId, run: RunId, at: Now, hotline: Arc<Hotline>, offer: Offer, why: Refusal) -> Call {
        let mut call = Call::new(id, run, at, hotline, offer);
        call.actions.retain(|a| !matches!(a, Action::OpenCaller));
        call.reject(why.reason, why.status, why.retry_after_s);
        call
    }

    pub fn id(&self) -> CallId {
        self.id
    }

    /// It is a hotline's, and what its dialplan says holds.
    pub fn is_hotlines(&self) -> bool {
        self.of_hotline
    }

    /// There are facts of it.
    fn is_told(&self) -> bool {
        self.ledger.told
    }

    /// Its hotline's dialplan wants a recording, the caller does not object, and there was room for it.
    pub fn is_recorded(&self) -> bool {
        self.is_wanted() && !self.privacy.opted_out && !self.privacy.no_room
    }

    fn is_wanted(&self) -> bool {
        self.is_told() && self.hotline.recording.wants(self.id)
    }

    pub fn hotline(&self) -> &Arc<Hotline> {
        &self.hotline
    }

    pub fn handle(&mut self, now: Instant, at: Now, input: Input, agents: &mut Agents) {
        match input {
            Input::Signal(signal) => return self.note_signal(at, signal),
            Input::Explained { side, reason, retry_after_s } => {
                if !matches!(self.state, State::Sealed) {
                    self.fact(at, What::Explained { leg: side, reason, retry_after_s });
                }
                return;
            }
            Input::Reported { side, report } => {
                if !matches!(self.state, State::Sealed) && self.reports < limits::QUALITY_REPORTS {
                    self.reports += 1;
                    self.fact(at, What::RemoteQuality { leg: side, report });
                }
                return;
            }
            Input::PauseRecording { paused, by } => return self.pause_recording(at, paused, by),
            Input::LedgerDelayed => return self.fact(at, What::LedgerDelayed),
            Input::TransferRefused { attempt, .. } if matches!(self.state, State::Closing(_) | State::Sealed) => {
                let answer = |attempt| Action::AnswerRefer { attempt, status: 403 };
                return self.actions.extend(attempt.map(answer));
            }
            Input::TransferRefused { attempt, why } => {
                let by = if attempt.is_some() { Side::Agent } else { Side::Caller };
                return self.refuse_transfer(at, attempt.unwrap_or_default(), (403, why), by);
            }
            Input::Transfer { attempt, .. } if !matches!(self.state, State::Talking(_)) => {
                return self.actions.push_back(Action::AnswerRefer { attempt, status: 481 });
            }
            Input::Supervise { attempt, .. } | Input::TakeParked { attempt, .. }
                if !matches!(self.state, State::Talking(_)) =>
            {
                return self.actions.push_back(Action::ReleaseAgent { attempt, parting: leg::Parting::HungUp });
            }
            Input::LegLeft { attempt, received, heard } => {
                if !matches!(self.state, State::Sealed) {
                    self.fact(at, What::MediaOfLeft { attempt, received, heard });
                }
                return;
            }
            _ => {}
        }
        let state = std::mem::replace(&mut self.state, State::Sealed);
        self.state = match state {
            State::Opening => self.handle_opening(now, at, input, agents),
            State::Hunting(hunting) => self.handle_hunting(hunting, now, at, input, agents),
            State::Attending(attending) => self.handle_attending(attending, now, at, input, agents),
            State::Cascading(cascading) => self.handle_cascading(cascading, now, at, input, agents),
            State::CallingBack(calling) => self.handle_calling_back(calling, now, at, input, agents),
            State::Rejecting { reason } => self.handle_rejecting(reason, now, at, &input),
            State::Talking(mut talking) => {
                talking.scripts.note(at.mono, &input);
                let state = self.handle_talk(talking, (now, at), input, agents);
                self.act(state, now, at)
            }
            State::Surveying(surveying) => self.handle_surveying(surveying, now, at, input),
            State::Closing(closing) => self.handle_closing(closing, at, input),
            State::Sealed => State::Sealed,
        };
        self.tell_queue(agents);
    }

    pub fn handle_timeout(&mut self, now: Now, agents: &mut Agents) {
        let state = std::mem::replace(&mut self.state, State::Sealed);
        self.state = match state {
            State::Hunting(hunting) => self.handle_hunting_timeout(hunting, now, agents),
            State::Attending(attending) => self.handle_attending_timeout(attending, now, agents),
            State::Cascading(cascading) => self.handle_cascading_timeout(cascading, now, agents),
            State::CallingBack(calling) => self.handle_calling_back_timeout(calling, now),
            State::Surveying(surveying) => self.handle_surveying_timeout(surveying, now),
            State::Closing(closing) => self.handle_closing_timeout(closing, now),
            State::Talking(mut talking) => {
                talking.scripts.timeout(now.mono);
                let state = self.handle_talking_timeout(talking, now, agents);
                self.act(state, now.mono, now)
            }
            State::Opening | State::Rejecting { .. } | State::Sealed => state,
        };
        self.tell_queue(agents);
    }

    /// The place in the queue follows from the state, and from nothing else.
    fn tell_queue(&self, agents: &mut Agents) {
        let wants = match &self.state {
            State::Hunting(hunting) => hunting.wants(),
            _ => None,
        };
        agents.queue.update(self.id, wants);
    }

    pub fn poll_timeout(&self) -> Option<(Instant, &'static str)> {
        match &self.state {
            State::Hunting(hunting) => hunting.poll_timeout(),
            State::Attending(attending) => attending.poll_timeout(),
            State::Cascading(cascading) => cascading.poll_timeout(),
            State::CallingBack(calling) => calling.poll_timeout(),
            State::Closing(closing) => Some(closing.poll_timeout()),
            State::Talking(talking) => talking.poll_timeout(),
            State::Surveying(surveying) => surveying.poll_timeout(),
            State::Opening | State::Rejecting { .. } | State::Sealed => None,
        }
    }

    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    pub fn is_sealed(&self) -> bool {
        matches!(self.state, State::Sealed)
    }

    /// The machine broke (a bug): the call ends here, as far as it got.
    pub fn fail(&mut self, now: Now, agents: &mut Agents) {
        // Facts are numbered already: without them the call would have a gap.
        self.actions.retain(|action| matches!(action, Action::Fact(_)));
        for (attempt, callee) in std::mem::take(&mut self.ledger.ringing) {
            self.fact(now, callee.released(attempt, RingResult::Fault, None));
        }
        self.state = self.end(now.mono, now, Reason::Fault, EndedBy::Gateway);
        self.tell_queue(agents);
    }

    fn handle_opening(&mut self, now: Instant, at: Now, input: Input, agents: &mut Agents) -> State {
        match input {
            Input::CallerReady => self.enter(now, at, agents),
            Input::CallerNotReady => self.reject(Reason::Overloaded, 503, Some(10)),
            Input::CallerLeft => self.end(now, at, Reason::CallerCancelled, EndedBy::Caller),
            Input::Lost { .. } => self.end(now, at, Reason::TrunkFault, EndedBy::Trunk),
            Input::Shutdown => self.reject(Reason::Shutdown, 503, None),
            _ => State::Opening,
        }
    }

    fn handle_rejecting(&mut self, reason: Reason, now: Instant, at: Now, input: &Input) -> State {
        match input {
            Input::Sent(Sent::Rejection) => self.end(now, at, reason, EndedBy::Gateway),
            // CANCEL cannot undo a failure that is decided; if the write failed, the session is gone.
            Input::CallerLeft | Input::Lost { .. } => self.end(now, at, reason, EndedBy::Gateway),
            _ => State::Rejecting { reason },
        }
    }

    fn reject(&mut self, reason: Reason, status: u16, retry_after_s: Option<u32>) -> State {
        self.actions.push_back(Action::RejectCaller { status, retry_after_s });
        let state = State::Rejecting { reason };
        self.state = State::Rejecting { reason };
        state
    }

    /// Writes *ended* and begins to collect what is still to come.
    fn end(&mut self, now: Instant, at: Now, reason: Reason, by: EndedBy) -> State {
        if self.transfers.untold > 0 {
            self.fact(at, What::MoreTransfersRefused { count: self.transfers.untold });
        }
        self.fact(at, What::Ended { reason, by });
        self.actions.push_back(Action::CloseMedia { ended: at });
        State::Closing(Closing::new(now))
    }

    fn order_play(&mut self, play: Play, prompt: &Prompt, agent: Option<AgentNo>, late: bool) {
        self.ordered.push_back(Ordered { play, text: prompt.text.clone(), agent, late });
        self.actions.push_back(Action::Play { play, audio: prompt.audio.clone() });
    }

    /// The first sample of a prompt went to the caller. Those ordered before it never began.
    fn play_started(&mut self, at: Now, play: Play) {
        while let Some(Ordered { play: ordered, text, agent, late }) = self.ordered.pop_front() {
            if ordered == play {
                self.fact(at, What::PlayStarted { play, prompt: text, agent, late });
                let notice = self.hotline.greeting.notice.as_ref().filter(|_| play == Play::Greeting);
                if let Some(version) = notice.map(|notice| notice.version.clone()) {
                    self.fact(at, What::Noticed { version });
                }
                return;
            }
        }
    }

    /// One step of the ladder, as long as it is not too long.
    fn note_signal(&mut self, at: Now, mut signal: Box<Signal>) {
        if matches!(self.state, State::Sealed) || self.signals > limits::LADDER_MESSAGES {
            return;
        }
        if self.signals == limits::LADDER_MESSAGES {
            (signal.message, signal.body) = (fact::NO_MORE_SIGNALS.to_owned(), None);
        }
        self.signals += 1;
        self.fact(at, What::Signal(signal));
    }

    fn fact(&mut self, at: Now, what: What) {
        let fact = self.ledger.next(at, what);
        match &fact.what {
            What::Classed { class, by } => self.note_class(class, *by),
            What::AgentInvited { attempt, agent } => {
                self.ledger.ringing.insert(*attempt, Callee::Agent(agent.clone()));
            }
            What::TargetInvited { attempt, target } => {
                self.ledger.ringing.insert(*attempt, Callee::Target(target.clone()));
            }
            What::AgentAnswered { attempt, .. }
            | What::AgentReleased { attempt, .. }
            | What::AgentWaits { attempt, .. }
            | What::TargetAnswered { attempt, .. }
            | What::TargetReleased { attempt, .. } => {
                self.ledger.ringing.remove(attempt);
            }
            _ => {}
        }
        if self.is_told() {
            self.actions.push_back(Action::Fact(fact));
        }
    }
}

/// Why a call is refused before anything is tried.
#[derive(Debug, Clone, Copy)]
pub struct Refusal {
    pub reason: Reason,
    pub status: u16,
    pub retry_after_s: Option<u32>,
}

fn callback_rule(callback: &Callback) -> CallbackRule {
    let within_ms = u64::try_from(callback.within.as_millis()).unwrap_or(u64::MAX);
    CallbackRule { within_ms, attempts: callback.attempts }
}

fn answer_rule(hotline: &Hotline, early_media: bool) -> AnswerRule {
    let millis = |d: std::time::Duration| u64::try_from(d.as_millis()).unwrap_or(u64::MAX);
    AnswerRule {
        max_rings: hotline.answer.max_rings,
        period_ms: millis(hotline.answer.cadence.period),
        burst_ms: millis(hotline.answer.cadence.burst),
        short_abandon_ms: millis(hotline.answer.short_abandon),
        ringback: match hotline.answer.ringback {
            Ringback::Gateway if early_media => RingSource::Gateway,
            // Without an offer there is no way for a tone of ours.
            Ringback::Network | Ringback::Gateway => RingSource::Network,
        },
    }
}
