//! A SIP phone without IO that follows a script: calls, rings, answers, hangs up. Many calls at once, each its own person.

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use consulting::{Consult, Consulting};

use super::tricks::Tricks;
use crate::clock::{Instant, Now};
use crate::ids::Random;
use crate::media::keying::{self, Policy};
use crate::media::negotiate::{self, Local};
use crate::media::{Codec, Remote};
use crate::protocol::sip::endpoint::{
    Endpoint, Event, EventKind, Flow, MAX_FORWARDS, OutgoingInvite, SessionId, Settings, Transmit, Transport,
};
use crate::protocol::sip::header::Name;
use crate::protocol::sip::uri::Uri;
use crate::schedule::Schedule;

pub mod consulting;

/// What these phones speak unless they are told otherwise.
const CODECS: &[Codec] = &[Codec::Pcma, Codec::Pcmu];

/// What a person does with a call that comes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Conduct {
    /// Whether the phone says 180 at once.
    pub rings: bool,
    pub then: Then,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    Answer {
        after: Duration,
        /// `None`: the other side hangs up.
        hang_up_after: Option<Duration>,
    },
    /// Answers, and some time later holds the caller for a while.
    Hold {
        after: Duration,
        hold_after: Duration,
        length: Duration,
        hang_up_after: Duration,
    },
    /// Answers, and some time later asks to have the caller handed on to one of the colleagues (REFER).
    HandOn {
        after: Duration,
        refer_after: Duration,
        /// Which of them, by their number in the list, or nobody at all.
        to: u8,
        hang_up_after: Duration,
    },
    /// Answers, and calls a colleague before handing the caller on.
    Consult(Consult),
    /// Final failure with this status.
    Refuse {
        after: Duration,
        status: u16,
    },
    Ignore,
    /// Answers nothing any more: the cable is pulled.
    Vanish {
        after: Duration,
    },
}

/// What a person does with a call that they make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// Gives up when nobody has answered by then.
    pub wait: Duration,
    /// Hangs up this long after the answer; `None`: the other side does.
    pub talk: Option<Duration>,
}

/// What a caller does beside waiting and talking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trick {
    None,
    /// Says and hears nothing any more.
    Vanish {
        after: Duration,
    },
    /// Never acknowledges our 200.
    NeverAck,
    /// Gives up with BYE in the early dialog instead of CANCEL.
    EarlyBye {
        after: Duration,
    },
    /// Holds the agent for a while, some time after the answer.
    Hold {
        after: Duration,
        length: Duration,
    },
}

#[derive(Debug, Clone, PartialEq)]
pub enum Happened {
    /// A call came in for this user part.
    CalledFor { user: String },
    /// The person with this user part makes a call of their own.
    Calls { user: String },
    /// Talking; media flows between these.
    Connected { local: SocketAddr, remote: Remote },
    /// The call was refused.
    Refused { status: Option<u16> },
    /// The cable is pulled.
    Gone,
    /// No more of this session.
    Over,
}

/// T1: how soon a re-INVITE is repeated.
const REPEAT: Duration = Duration::from_millis(500);

/// A phone that nobody answers stops by itself some time; what should have stopped it may have been lost.
const RINGS_AT_MOST: Duration = Duration::from_secs(200);

#[derive(Debug)]
struct Person {
    local: Local,
    side: Script,
    connected: bool,
}

#[derive(Debug, Clone, Copy)]
enum Script {
    Called(Conduct),
    Calling(Patience, Trick),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Decide,
    HangUp,
    Vanish,
    EarlyBye,
    Hold,
    Resume,
    /// Calls a colleague.
    Consult,
    Refer,
    /// A re-INVITE that was not answered yet is written again.
    Repeat,
}

impl Step {
    const ALL: [Step; 9] = [
        Step::Decide,
        Step::HangUp,
        Step::Vanish,
        Step::EarlyBye,
        Step::Hold,
        Step::Resume,
        Step::Consult,
        Step::Refer,
        Step::Repeat,
    ];
}

#[derive(Debug)]
pub struct Phone {
    endpoint: Endpoint,
    random: Random,
    address: SocketAddr,
    /// For calls that come in; the first one whose turn it is.
    conducts: VecDeque<Conduct>,
    default: Conduct,
    /// What the person with this user part does with every call.
    habits: BTreeMap<String, Conduct>,
    tricks: Tricks,
    consulting: Consulting,
    /// Whom callers are handed on to.
    pub colleagues: Vec<String>,
    people: BTreeMap<SessionId, Person>,
    /// Offers that came in with an INVITE, until they are answered.
    offers: BTreeMap<SessionId, Vec<u8>>,
    steps: Schedule<(SessionId, Step)>,
    happened: VecDeque<(SessionId, Now, Happened)>,
    /// Media addresses to hand out; with none left they are made up (nobody listens there).
    rtp_pool: VecDeque<SocketAddr>,
    lent: bool,
    /// What it can speak, the best first.
    codecs: Vec<Codec>,
    next_port: u16,
}

impl Phone {
    pub fn new(address: SocketAddr, default: Conduct, mut random: Random) -> Phone {
        let settings = Settings {
            listen: vec![(Transport::Udp, address)],
            advertise: None,
            product: "hotline-phone".to_owned(),
            session_expires_s: None,
        };
        Phone {
            endpoint: Endpoint::new(settings, Random::from_seed(random.bytes())),
            random,
            address,
            conducts: VecDeque::new(),
            default,
            habits: BTreeMap::new(),
            tricks: Tricks::default(),
            consulting: Consulting::default(),
            colleagues: Vec::new(),
            people: BTreeMap::new(),
            offers: BTreeMap::new(),
            steps: Schedule::default(),
            happened: VecDeque::new(),
            rtp_pool: VecDeque::new(),
            lent: false,
            codecs: CODECS.to_vec(),
            next_port: 40_000,
        }
    }

    /// The next calls that come in are met so, in order; after them the default holds.
    pub fn expect(&mut self, conducts: impl IntoIterator<Item = Conduct>) {
        self.conducts.extend(conducts);
    }

    /// How many of the expected calls are still to come.
    pub fn expected(&self) -> usize {
        self.conducts.len()
    }

    /// This person meets every call so, whatever is expected.
    pub fn habit(&mut self, user: &str, conduct: Conduct) {
        self.habits.insert(user.to_owned(), conduct);
    }

    /// Where the people's media lives.
    pub fn lend_rtp(&mut self, addresses: impl IntoIterator<Item = SocketAddr>) {
        self.lent = true;
        self.rtp_pool.extend(addresses);
    }

    pub fn speak(&mut self, codecs: &[Codec]) {
        self.codecs = codecs.to_vec();
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Calls `number` at `server` as `caller`.
    pub fn call(
        &mut self,
        now: Instant,
        server: SocketAddr,
        number: &str,
        caller: &str,
        patience: Patience,
    ) -> Option<SessionId> {
        self.call_with(now, server, number, caller, patience, Trick::None)
    }

    /// [`Phone::call`] by a caller with a trick.
    pub fn call_with(
        &mut self,
        now: Instant,
        server: SocketAddr,
        number: &str,
        caller: &str,
        patience: Patience,
        trick: Trick,
    ) -> Option<SessionId> {
        let local = self.local();
        let target = Uri::parse(&format!("sip:{number}@{server}"))?;
        let offer = negotiate::offer(&local, &self.codecs, Some(101));
        let (transport, caller) = (Transport::Udp, Some(caller.to_owned()));
        let (destination, flow, max_forwards) = (server, None, MAX_FORWARDS);
        let call = OutgoingInvite { target, transport, destination, flow, caller, offer, max_forwards };
        let session = self.endpoint.invite(now, call)?;
        self.people.insert(session, Person { local, side: Script::Calling(patience, trick), connected: false });
        self.steps.set((session, Step::HangUp), Some(now + patience.wait));
        match trick {
            Trick::Vanish { after } => self.steps.set((session, Step::Vanish), Some(now + after)),
            Trick::EarlyBye { after } => self.steps.set((session, Step::EarlyBye), Some(now + after)),
            Trick::None | Trick::NeverAck | Trick::Hold { .. } => {}
        }
        if trick != Trick::None {
            self.tricks.watch(session);
        }
        Some(session)
    }

    pub fn hang_up(&mut self, now: Now, session: SessionId) {
        self.endpoint.hang_up(now, session);
        self.work(now);
    }

    /// Whoever talks with this phone is held, or not any more (re-INVITE, as a person's phone does it).
    pub fn hold(&mut self, now: Now, held: bool) {
        for (session, person) in self.people.iter_mut().filter(|(_, person)| person.connected) {
            let local = Local { version: person.local.version + 1, ..person.local };
            let offer = String::from_utf8_lossy(&negotiate::offer(&local, &self.codecs, Some(101))).into_owned();
            let offer = if held { offer.replace("sendrecv", "sendonly") } else { offer };
            if self.endpoint.reoffer(now.mono, *session, offer.into_bytes()).is_ok() {
                person.local = local;
            }
        }
        self.work(now);
    }

    pub fn handle_datagram(&mut self, now: Now, source: SocketAddr, bytes: &[u8]) {
        let flow = Flow { transport: Transport::Udp, local: self.address, remote: source, connection: None };
        if !self.tricks.hear(bytes) {
            return;
        }
        self.endpoint.handle_datagram(now.mono, flow, now, true, bytes);
        self.work(now);
    }

    pub fn handle_timeout(&mut self, now: Now) {
        self.endpoint.handle_timeout(now);
        while let Some((session, step)) = self.steps.pop_due(now.mono) {
            self.take_step(now, session, step);
        }
        self.work(now);
    }

    pub fn poll_timeout(&self) -> Option<Instant> {
        let endpoint = self.endpoint.poll_timeout().map(|(at, _)| at);
        [endpoint, self.steps.next().map(|(at, _)| at)].into_iter().flatten().min()
    }

    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        if let Some(transmit) = self.tricks.poll_transmit() {
            return Some(transmit);
        }
        loop {
            let transmit = self.endpoint.poll_transmit()?;
            let trick = transmit.mark.and_then(|s| self.people.get(&s)).map(|p| p.side);
            let mute = matches!(trick, Some(Script::Calling(_, Trick::NeverAck)));
            if let Some(transmit) = self.tricks.say(transmit, mute) {
                return Some(transmit);
            }
        }
    }

    pub fn poll_happened(&mut self) -> Option<(SessionId, Now, Happened)> {
        self.happened.pop_front()
    }

    pub fn is_idle(&self) -> bool {
        self.people.is_empty() && self.endpoint.is_idle()
    }

    fn local(&mut self) -> Local {
        let rtp = self.rtp_pool.pop_front().unwrap_or_else(|| {
            self.next_port = if self.next_port >= 60_000 { 40_000 } else { self.next_port + 2 };
            SocketAddr::new(self.address.ip(), self.next_port)
        });
        let (srtp, master) = (Policy::Off, keying::fresh(&mut self.random));
        Local { rtp, advertise: None, session: u64::from(self.random.u32()), version: 1, srtp, master }
    }

    fn work(&mut self, now: Now) {
        while let Some(Event { session, at, kind, .. }) = self.endpoint.poll_event() {
            self.handle(now, session, at, kind);
        }
        while self.endpoint.poll_count().is_some() {}
    }

    fn handle(&mut self, now: Now, session: SessionId, at: Now, kind: EventKind) {
        match kind {
            EventKind::Invite { request, flow } => {
                let user = request.uri.as_ref().and_then(|u| u.user.clone()).unwrap_or_default();
                let habit = self.habits.get(&user).copied();
                let conduct = habit.or_else(|| self.conducts.pop_front()).unwrap_or(self.default);
                if let Then::Consult(_) = conduct.then {
                    self.consulting.note_desk(session, &user, flow.remote);
                }
                if let Then::Vanish { .. } | Then::HandOn { .. } | Then::Hold { .. } | Then::Consult(_) = conduct.then {
                    self.tricks.know(session, request.headers.text(&Name::CALL_ID).unwrap_or_default());
                }
                self.offers.insert(session, request.body);
                self.happened.push_back((session, at, Happened::CalledFor { user }));
                self.ring(now, session, conduct);
            }
            EventKind::Answered { body, source } => self.connected(now, session, &body, source.ip()),
            EventKind::Acknowledged { .. }
            | EventKind::Progress { .. }
            | EventKind::Received { .. }
            | EventKind::Reanswered { .. }
            | EventKind::Offered { .. }
            | EventKind::ReofferFailed { .. }
            | EventKind::EarlyAnswer { .. }
            | EventKind::Explained { .. } => {}
            EventKind::Failed { status } => self.happened.push_back((session, at, Happened::Refused { status })),
            EventKind::Refer(_) => self.endpoint.answer_refer(now.mono, session, 603),
            EventKind::Reoffer { body } => self.move_over(now, session, &body),
            EventKind::ByeChallenged(_) => self.endpoint.bye_again(at, session, None),
            EventKind::Cancelled
            | EventKind::NotAcknowledged
            | EventKind::CrossedAnswer
            | EventKind::Challenged { .. }
            | EventKind::Bye
            | EventKind::Key(_)
            | EventKind::Lost => {}
            EventKind::Terminated => {
                if let Some(person) = self.people.remove(&session).filter(|_| self.lent) {
                    self.rtp_pool.push_back(person.local.rtp);
                }
                self.offers.remove(&session);
                self.tricks.forget(session);
                self.consulting.forget(session);
                for step in Step::ALL {
                    self.steps.set((session, step), None);
                }
                self.happened.push_back((session, at, Happened::Over));
            }
        }
    }

    fn ring(&mut self, now: Now, session: SessionId, conduct: Conduct) {
        let local = self.local();
        self.people.insert(session, Person { local, side: Script::Called(conduct), connected: false });
        if conduct.rings {
            self.endpoint.ring(now.mono, session, 180, Vec::new());
        }
        match conduct.then {
            Then::Answer { after, .. }
            | Then::Hold { after, .. }
            | Then::HandOn { after, .. }
            | Then::Consult(Consult { after, .. })
            | Then::Refuse { after, .. } => {
                self.steps.set((session, Step::Decide), Some(now.mono + after));
            }
            Then::Vanish { after } => self.steps.set((session, Step::Vanish), Some(now.mono + after)),
            Then::Ignore => self.steps.set((session, Step::Decide), Some(now.mono + RINGS_AT_MOST)),
        }
    }

    fn take_step(&mut self, now: Now, session: SessionId, step: Step) {
        let Some(person) = self.people.get(&session) else { return };
        match (step, person.side) {
            (Step::HangUp, _) => {
                for step in [Step::Hold, Step::Resume, Step::Consult, Step::Refer, Step::Repeat] {
                    self.steps.set((session, step), None);
                }
                self.endpoint.hang_up(now, session);
            }
            (Step::Vanish, _) => {
                self.tricks.gag(session);
                self.happened.push_back((session, now, Happened::Gone));
                // Unheard; it only lets the session come to its end here.
                self.endpoint.hang_up(now, session);
            }
            (Step::EarlyBye, _) if person.connected => {}
            (Step::EarlyBye, _) => self.tricks.bye(session, self.address, &self.random.token()),
            (Step::Refer, Script::Called(Conduct { then: Then::HandOn { to, .. }, .. })) => {
                let to = self.colleague(to);
                self.tricks.refer(session, self.address, &self.random.token(), &to);
            }
            (Step::Consult, Script::Called(Conduct { then: Then::Consult(consult), .. })) => {
                self.take_step(now, session, Step::Hold);
                self.consult(now, session, consult);
            }
            (Step::Refer, Script::Called(Conduct { then: Then::Consult(_), .. })) => self.refer_consulted(now, session),
            (Step::Consult | Step::Refer, _) => {}
            (Step::Hold | Step::Resume, side) => {
                let local = Local { version: person.local.version + 1, ..person.local };
                let offer = String::from_utf8_lossy(&negotiate::offer(&local, CODECS, Some(101))).into_owned();
                let offer = if step == Step::Hold { offer.replace("sendrecv", "sendonly") } else { offer };
                self.tricks.reinvite(session, self.address, &self.random.token(), &offer);
                self.steps.set((session, Step::Repeat), Some(now.mono + REPEAT));
                let length = match side {
                    Script::Calling(_, Trick::Hold { length, .. })
                    | Script::Called(Conduct { then: Then::Hold { length, .. }, .. }) => Some(length),
                    _ => None,
                };
                if let Some(length) = length.filter(|_| step == Step::Hold) {
                    self.steps.set((session, Step::Resume), Some(now.mono + length));
                }
                if let Some(person) = self.people.get_mut(&session) {
                    person.local = local;
                }
            }
            (Step::Repeat, _) => {
                if self.tricks.repeat(session) {
                    self.steps.set((session, Step::Repeat), Some(now.mono + REPEAT));
                }
            }
            (Step::Decide, Script::Called(Conduct { then: Then::Refuse { status, .. }, .. })) => {
                self.endpoint.reject(now, session, status, None);
            }
            (Step::Decide, Script::Called(Conduct { then: Then::Ignore, .. })) => {
                self.endpoint.reject(now, session, 480, None);
            }
            (Step::Decide, _) => self.answer(now, session),
        }
    }

    fn answer(&mut self, now: Now, session: SessionId) {
        let Some(person) = self.people.get(&session) else { return };
        let local = person.local;
        let offer = self.offers.remove(&session).unwrap_or_default();
        let peer = negotiate::read(&offer).ok();
        let agreed = peer.and_then(|p| Some((p.codecs.iter().find(|(c, _)| self.codecs.contains(c))?.0, p)));
        match agreed {
            Some((codec, peer)) => {
                let answer = negotiate::answer(&local, &peer, codec);
                self.endpoint.accept(now.mono, session, answer);
                self.talk(now, session, peer.remote(codec, None));
            }
            None => self.endpoint.reject(now, session, 488, None),
        }
    }

    fn connected(&mut self, now: Now, session: SessionId, body: &[u8], source: IpAddr) {
        if let Ok(peer) = negotiate::read(body) {
            let codec = peer.codecs[0].0;
            self.talk(now, session, peer.remote(codec, Some(source)));
        }
    }

    fn talk(&mut self, now: Now, session: SessionId, remote: Remote) {
        let Some(person) = self.people.get_mut(&session) else { return };
        person.connected = true;
        let local = person.local.rtp;
        let hang_up_after = match person.side {
            Script::Calling(patience, trick) => {
                if let Trick::Hold { after, .. } = trick {
                    self.steps.set((session, Step::Hold), Some(now.mono + after));
                }
                patience.talk
            }
            Script::Called(Conduct { then: Then::Answer { hang_up_after, .. }, .. }) => hang_up_after,
            Script::Called(Conduct { then: Then::Hold { hold_after, hang_up_after, .. }, .. }) => {
                self.steps.set((session, Step::Hold), Some(now.mono + hold_after));
                Some(hang_up_after)
            }
            Script::Called(Conduct { then: Then::HandOn { refer_after, hang_up_after, .. }, .. }) => {
                self.steps.set((session, Step::Refer), Some(now.mono + refer_after));
                Some(hang_up_after)
            }
            Script::Called(Conduct { then: Then::Consult(consult), .. }) => {
                self.steps.set((session, Step::Consult), Some(now.mono + consult.call_after));
                Some(consult.hang_up_after)
            }
            Script::Called(_) => None,
        };
        self.steps.set((session, Step::HangUp), hang_up_after.map(|d| now.mono + d));
        self.happened.push_back((session, now, Happened::Connected { local, remote }));
    }
}
