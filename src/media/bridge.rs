//! The media of one call: its legs, the relay between two of them, prompts, and the tap.
//!
//! Sans-IO: packets, orders and wake-ups come in with the time; packets, events and recorded blocks are fetched after
//! each of them until there are none. Until [`Command::Bridge`] the legs receive and count, and nothing is passed on.

use std::collections::VecDeque;
use std::net::SocketAddr;

use super::blanking::Blanking;
use super::conference::Conference;
use super::crossing::Crossing;
use super::hold::Hold;
use super::one_way::OneWay;
use super::playout::Playout;
use super::ringback::Ringback;
use super::session::{Kind, Session};
use super::tap::{self, Tap};
use super::transmit::{Outbox, Transmit};
use super::watchdog::sooner;
use super::{Block, Clip, Command, Event, Hears, Play};
use crate::clock::{Instant, Now, Wall};
use crate::ids::{CallId, LegId, Random};
use crate::protocol::rtp::event::Pressed;

mod conferring;
mod hearing;
mod joined;
mod orders;

use orders::tell_blanked;

#[derive(Debug)]
pub struct Bridge {
    call: CallId,
    random: Random,
    /// Never more than a handful: the caller's and one for each agent who is being rung.
    sessions: Vec<Session>,
    state: State,
    scratch: Scratch,
    events: VecDeque<Event>,
    recorded: VecDeque<Recorded>,
    counters: Counters,
    /// Something but a packet on its way from one to the other has happened.
    stirred: bool,
}

/// Room to work in, empty between two packets: one for all bridges of a thread is in its cache, one of each's own is not.
#[derive(Debug, Default)]
pub struct Scratch {
    outbox: Outbox,
    /// Where secured packets are opened.
    clear: Vec<u8>,
}

#[derive(Debug)]
enum State {
    /// Legs wait for each other.
    Apart,
    /// They still do, and the caller hears our ringing tone.
    Ringing(Box<Ringback>),
    Joined(Box<Joined>),
    Ended,
}

#[derive(Debug)]
struct Joined {
    caller: LegId,
    agent: LegId,
    sound: Sound,
    /// Toward the caller, and toward the agent, where packets cannot be passed on as they are.
    crossings: [Option<Box<Crossing>>; 2],
    /// One of the two holds the other.
    hold: Option<Hold>,
    /// The agent's voice is for the recording alone.
    muted: bool,
    /// The caller is with nobody, and hears this.
    parked: Option<Hears>,
    ringback: Option<Box<Ringback>>,
    /// `None`: this call is neither recorded nor listened to.
    tap: Option<Tap>,
    recorded: bool,
    /// What the two are is told every second.
    listened: bool,
    one_way: OneWay,
    connected: Instant,
    blanking: Blanking,
    /// Somebody takes part beside the two.
    conference: Option<Box<Conference>>,
}

#[derive(Debug)]
enum Sound {
    /// Each hears the other, packet by packet as they come.
    Relay,
    /// Both hear what the 20 ms clock sends them.
    Playing(Playout),
    /// The agent does, with a cue in it; the caller hears the agent as in `Relay`.
    Cueing(Playout),
    /// Both hear a tone with the other one's voice: what goes to the agent, and to the caller.
    Warning(Box<[Playout; 2]>),
}

/// For the recorder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recorded {
    Block(Block),
    End {
        call: CallId,
        total_frames: u64,
    },
    /// Nothing of this call is to be kept.
    Forget {
        call: CallId,
    },
}

/// What happened to a call's media beside its statistics; sums over legs and prompts that are over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counters {
    /// Packets received twice.
    pub duplicates: u64,
    /// Packets that came before the peer was known.
    pub early: u64,
    /// Packets beside the stream that was heard: of another SSRC, or far from its numbers.
    pub strays: u64,
    /// RTCP from addresses that may not send it.
    pub foreign_rtcp: u64,
    /// Samples of callers' voices dropped behind a prompt's clock.
    pub fifo_overflow: u64,
    /// Frames by which late wake-ups moved prompts back.
    pub slipped_frames: u64,
    /// Units (1/8000 s) that came too late for the recording.
    pub tap_missed: u64,
    /// Where legs differ: packets that came after their sound was due, packets or 10 ms of sound left out, 10 ms put in.
    pub late: u64,
    pub discarded: u64,
    pub expanded: u64,
    /// Units of recordings that were lost on the way and made up.
    pub concealed: u64,
}

impl Bridge {
    /// `random` gives SSRCs and first numbers of the legs.
    pub fn new(call: CallId, random: Random) -> Self {
        Bridge {
            call,
            random,
            sessions: Vec::new(),
            state: State::Apart,
            scratch: Scratch::default(),
            events: VecDeque::new(),
            recorded: VecDeque::new(),
            counters: Counters::default(),
            stirred: true,
        }
    }

    /// Works from now on in the room that is given, until it is given back in the same way: with every packet in it fetched.
    pub fn swap_scratch(&mut self, scratch: &mut Scratch) {
        std::mem::swap(&mut self.scratch, scratch);
    }

    /// An order of this call. [`Command::Open`] is to be given once the leg's sockets are bound.
    pub fn handle(&mut self, now: Now, command: Command) {
        self.stirred = true;
        self.run_clock(now);
        match command {
            Command::Open { leg, .. } => {
                self.sessions.push(Session::new(leg, &mut self.random));
                self.events.push_back(Event::Bound { call: self.call, leg });
            }
            Command::Remote { leg, remote } => {
                if let (false, Some(other)) = (remote.receive, self.across(leg)) {
                    other.pause();
                }
                if let Some(session) = find(&mut self.sessions, leg) {
                    session.set_remote(now.mono, remote);
                }
                self.end_crossings();
                self.watch(now.mono);
                self.note_hold(now);
            }
            Command::Ringback { leg, burst, period } => {
                if let State::Apart = self.state {
                    self.state = State::Ringing(Box::new(Ringback::new(leg, burst, period, now.mono)));
                    self.run_clock(now);
                }
            }
            Command::Bridge { call, caller, agent, connected, record } => {
                let again = matches!(self.state, State::Joined(_));
                self.join(now, connected, caller, agent, record.then_some(call));
                self.watch(if again { now.mono } else { connected.mono });
                self.note_hold(now);
            }
            Command::Attend { call, caller, connected, record } => {
                self.join(now, connected, caller, LegId::NOBODY, record.then_some(call));
                self.park(now, Hears::Notes);
                self.watch(connected.mono);
            }
            Command::Park { hears, .. } => self.park(now, hears),
            Command::Mute { muted, .. } => self.mute(now, muted),
            Command::Pause { .. } | Command::GuardKeys { .. } | Command::Keyed { .. } | Command::Unrecord { .. } => {
                self.privacy(now, &command)
            }
            Command::Play { play, audio, .. } => self.play(now, play, audio),
            Command::Cue { audio, .. } => self.cue(now, audio),
            Command::Warn { .. } => self.warn(now),
            Command::Press { leg, strokes } => {
                if let Some(session) = find(&mut self.sessions, leg) {
                    session.press(now.mono, &strokes, &mut self.scratch.outbox);
                }
            }
            Command::Hush { .. } => self.end_play(now, false),
            Command::Listen { .. } => self.listen(now),
            Command::Admit { leg, audible, .. } => self.admit(now, leg, audible),
            Command::Tell { leg, audio, .. } => self.tell(leg, audio),
            Command::CloseLeg { leg } => self.close_leg(now, leg),
            Command::CloseCall { ended, .. } => self.close_call(now, ended),
        }
        self.flush(now);
    }

    /// A datagram on `leg`'s RTP port; `arrival` is its kernel stamp.
    pub fn handle_rtp(&mut self, now: Now, leg: LegId, source: SocketAddr, arrival: Now, bytes: &[u8]) {
        if !self.is_steady() {
            self.stirred = true;
            self.run_clock(now);
        }
        let Some(session) = find(&mut self.sessions, leg) else { return };
        let known = session.latched().is_some();
        let Some(accepted) = session.accept(source, arrival.mono, bytes, &mut self.scratch.clear) else { return };
        let heard_again = session.watchdog.hear(arrival.mono);
        self.stirred |= !known || accepted.first || accepted.rested.is_some() || heard_again || session.is_upset();
        if heard_again {
            self.events.push_back(Event::Resumed { call: self.call, leg, at: arrival });
        }
        if accepted.first {
            self.events.push_back(Event::FirstPacket { call: self.call, leg, at: arrival });
        }
        if let Some(lasted) = accepted.rested {
            self.events.push_back(Event::Rested { call: self.call, leg, lasted, at: arrival });
        }
        let event = accepted.kind == Kind::Event;
        self.stirred |= event;
        if event
            && let State::Joined(joined) = &mut self.state
            && joined.caller == leg
        {
            let told = joined.blanking.key(arrival.mono);
            tell_blanked(told, now, self.call, &mut self.events);
        }
        if event
            && let Some(session) = find(&mut self.sessions, leg)
            && let Some(pressed) = session.key(&accepted, arrival.mono)
        {
            self.events.push_back(key(self.call, leg, arrival, pressed));
        }
        if let State::Joined(joined) = &mut self.state
            && accepted.heard
        {
            joined.hear(now.mono, leg, arrival.mono, &accepted, &mut self.sessions, &mut self.scratch.outbox);
            self.stirred |= !joined.is_steady();
        }
        self.flush(now);
    }

    /// A datagram on `leg`'s RTCP port; `arrival` is its kernel stamp.
    pub fn handle_rtcp(&mut self, now: Now, leg: LegId, source: SocketAddr, arrival: Now, bytes: &[u8]) {
        self.stirred = true;
        self.run_clock(now);
        if let Some(session) = find(&mut self.sessions, leg) {
            let there = session.accept_rtcp(source, arrival.mono, bytes);
            if let (true, State::Joined(joined)) = (there, &mut self.state)
                && joined.across(leg).is_some()
            {
                joined.one_way.report(usize::from(leg == joined.agent), arrival.mono, session.missing());
            }
            if there && session.watchdog.hear(arrival.mono) {
                self.events.push_back(Event::Resumed { call: self.call, leg, at: arrival });
            }
        }
        self.flush(now);
    }

    pub fn handle_timeout(&mut self, now: Now) {
        self.stirred = true;
        self.run_clock(now);
        if let State::Joined(joined) = &mut self.state {
            let told = joined.blanking.due(now.mono);
            tell_blanked(told, now, self.call, &mut self.events);
        }
        for session in &mut self.sessions {
            session.report_due(now, &mut self.scratch.outbox);
            session.press_due(now.mono, &mut self.scratch.outbox);
            if let Some(pressed) = session.key_due(now.mono) {
                self.events.push_back(key(self.call, session.leg, now, pressed));
            }
            if let Some((ended, line)) = session.interval(now.mono) {
                let at = moment(now, ended);
                self.events.push_back(Event::Interval { call: self.call, leg: session.leg, at, line });
            }
            if let Some((at, upset)) = session.take_upset() {
                let at = moment(now, at);
                self.events.push_back(Event::Upset { call: self.call, leg: session.leg, upset, at });
            }
            if let Some(since) = session.watchdog.bark(now.mono) {
                self.events.push_back(Event::Silent { call: self.call, leg: session.leg, at: moment(now, since) });
            }
        }
        self.flush(now);
    }

    /// Whether peers may have changed, or a deadline come nearer, since this was last asked. Packets on their way between two who only
    /// talk change neither, and there are fifty of them a second and leg: the many places that deadlines are in are cold by then.
    pub fn take_stirred(&mut self) -> bool {
        std::mem::take(&mut self.stirred)
    }

    /// When to call [`Bridge::handle_timeout`], and why.
    pub fn poll_timeout(&self) -> Option<(Instant, &'static str)> {
        let (play, tap) = match &self.state {
            State::Apart | State::Ended => (None, None),
            State::Ringing(ringback) => (Some((ringback.deadline(), "ringback")), None),
            State::Joined(joined) => (joined.deadline(), joined.tap.as_ref().map(|tap| (tap.deadline(), "tap"))),
        };
        self.sessions.iter().fold(sooner(play, tap), |first, session| sooner(first, session.deadline()))
    }

    /// The address that a leg's packets come from and go to for good, unless another offer or answer changes it.
    pub fn peer(&self, leg: LegId) -> Option<SocketAddr> {
        self.sessions.iter().find(|session| session.leg == leg)?.latched()
    }

    pub fn poll_transmit(&mut self) -> Option<Transmit<'_>> {
        self.scratch.outbox.pop()
    }

    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    pub fn poll_recorded(&mut self) -> Option<Recorded> {
        self.recorded.pop_front()
    }

    /// Nothing is left to do for this call.
    pub fn is_over(&self) -> bool {
        match &self.state {
            State::Apart | State::Ringing(_) => self.sessions.is_empty(),
            State::Joined(_) => false,
            State::Ended => true,
        }
    }

    pub fn counters(&self) -> Counters {
        self.counters
    }

    fn mute(&mut self, now: Now, muted: bool) {
        self.end_warning(now);
        self.end_crossings();
        let State::Joined(joined) = &mut self.state else { return };
        if joined.parked.is_none() && joined.muted != muted {
            joined.muted = muted;
            find(&mut self.sessions, joined.caller).into_iter().for_each(Session::pause);
        }
        self.note_hold(now);
    }

    fn park(&mut self, now: Now, hears: Hears) {
        self.end_play(now, false);
        self.end_crossings();
        if let State::Joined(joined) = &mut self.state {
            let told = joined.blanking.guard(now.mono, None);
            tell_blanked(told, now, self.call, &mut self.events);
            (joined.parked, joined.muted) = (Some(hears), false);
            (joined.hold, joined.sound) = (None, Sound::Relay);
            joined.ringback = match hears {
                Hears::Ringing { burst, period } => {
                    Some(Box::new(Ringback::new(joined.caller, burst, period, now.mono)))
                }
                Hears::Nothing | Hears::Notes => None,
            };
        }
        self.note_hold(now);
        self.run_clock(now);
    }

    /// `record`: the call to record under, if it is to be.
    fn join(&mut self, now: Now, connected: Now, caller: LegId, agent: LegId, record: Option<CallId>) {
        self.end_play(now, false);
        self.end_crossings();
        if let State::Joined(joined) = &mut self.state {
            joined.settle(&mut self.sessions);
            joined.one_way.replace_agent(now.mono);
            joined.tell_one_way(now, &mut self.events, self.call);
            (joined.agent, joined.parked, joined.hold, joined.ringback) = (agent, None, None, None);
            joined.muted = false;
            if let Some(over) = joined.seat([caller, agent]) {
                self.counters.add_buffered(over.counts());
            }
            // Another stream goes to each of the two from now on.
            for leg in [caller, agent] {
                if let Some(session) = find(&mut self.sessions, leg) {
                    session.pause();
                }
            }
            return;
        }
        let wide = [caller, agent].iter().any(|leg| find(&mut self.sessions, *leg).is_some_and(|s| s.is_wideband()));
        let tap = record.map(|call| Tap::new(call, connected.mono, wide));
        let (sound, crossings, hold, parked, ringback) = (Sound::Relay, [None, None], None, None, None);
        let one_way = OneWay::default();
        self.state = State::Joined(Box::new(Joined {
            caller,
            agent,
            sound,
            crossings,
            hold,
            parked,
            muted: false,
            ringback,
            recorded: tap.is_some(),
            listened: false,
            tap,
            one_way,
            connected: connected.mono,
            blanking: Blanking::default(),
            conference: None,
        }));
    }

    fn play(&mut self, now: Now, play: Play, audio: Clip) {
        self.end_play(now, false);
        self.end_crossings();
        let State::Joined(joined) = &mut self.state else {
            // Next is there to hear it; who ordered it shall not wait for the end.
            self.events.push_back(Event::PlayEnded { call: self.call, play, at: now, to_end: false });
            return;
        };
        joined.sound = Sound::Playing(Playout::new(play, audio, now.mono));
        self.events.push_back(Event::PlayStarted { call: self.call, play, at: now });
        self.run_clock(now);
    }

    /// Legs that changed may differ no longer, or only now.
    fn end_crossings(&mut self) {
        let State::Joined(joined) = &mut self.state else { return };
        let counts = joined.end_crossings(&mut self.sessions);
        self.counters.add_buffered(counts);
    }

    /// Two who only talk: nothing runs by the clock.
    fn is_steady(&self) -> bool {
        matches!(&self.state, State::Joined(joined) if joined.is_steady())
    }

    /// Sends what the clock of a prompt, of the ringing tone or of a crossing is due.
    fn run_clock(&mut self, now: Now) {
        match self.state {
            State::Ringing(_) => self.run_ringback(now),
            State::Joined(_) => {
                self.run_playout(now);
                self.run_crossings(now);
                self.run_conference(now);
                self.run_hold(now);
                self.run_parked_ringback(now);
            }
            State::Apart | State::Ended => {}
        }
    }

    fn run_ringback(&mut self, now: Now) {
        let State::Ringing(ringback) = &mut self.state else { return };
        let leg = ringback.leg;
        let Some(session) = find(&mut self.sessions, leg) else {
            self.state = State::Apart;
            return;
        };
        while let Some((at, samples)) = ringback.frame(now.mono) {
            let sent = session.play(at, &samples, &mut self.scratch.outbox);
            if sent && ringback.begins() {
                self.events.push_back(Event::RingbackStarted { call: self.call, leg, at: now });
            }
        }
    }

    /// The ringing tone of a caller who is connected already; a prompt goes before.
    fn run_parked_ringback(&mut self, now: Now) {
        let State::Joined(joined) = &mut self.state else { return };
        let Joined { caller, sound: Sound::Relay, ringback: Some(ringback), tap, .. } = &mut **joined else { return };
        while let Some((at, samples)) = ringback.frame(now.mono) {
            let sent =
                find(&mut self.sessions, *caller).is_some_and(|s| s.play(at, &samples, &mut self.scratch.outbox));
            if let (true, Some(tap)) = (sent, tap.as_mut()) {
                tap.played(at, &samples);
            }
            if sent && ringback.begins() {
                self.events.push_back(Event::RingbackStarted { call: self.call, leg: *caller, at: now });
            }
        }
    }

    fn run_crossings(&mut self, now: Now) {
        let State::Joined(joined) = &mut self.state else { return };
        let hearers = [joined.caller, joined.agent];
        for (crossing, hearer) in joined.crossings.iter_mut().zip(hearers) {
            if let Some(crossing) = crossing.as_mut().filter(|c| c.deadline().is_some_and(|at| at <= now.mono))
                && let Some(session) = find(&mut self.sessions, hearer)
            {
                crossing.run(now.mono, session, &mut self.scratch.outbox);
            }
        }
    }

    fn run_playout(&mut self, now: Now) {
        let State::Joined(joined) = &mut self.state else { return };
        let (playout, cue) = match &mut joined.sound {
            Sound::Relay => return,
            Sound::Playing(playout) => (playout, false),
            Sound::Cueing(playout) => (playout, true),
            Sound::Warning(_) => return self.run_warning(now),
        };
        playout.wake(now.mono);
        while let Some(frame) = playout.frame(now.mono) {
            let prompted = playout.wide(&frame).filter(|_| !cue);
            let to_caller = find(&mut self.sessions, joined.caller).filter(|_| !cue);
            if let Some(caller) = to_caller {
                let wide = prompted.filter(|_| caller.is_wideband());
                let heard = match &wide {
                    Some(wide) => caller.send_sound(frame.at, wide, &mut self.scratch.outbox),
                    None => caller.play(frame.at, &frame.caller, &mut self.scratch.outbox),
                };
                match (&mut joined.tap, wide) {
                    (Some(tap), Some(wide)) if heard && tap.is_wide() => tap.played_wide(frame.at, &wide),
                    (Some(tap), _) if heard => tap.played(frame.at, &frame.caller),
                    _ => {}
                }
            }
            if let Some(conference) = joined.conference.as_mut().filter(|_| !cue) {
                conference.prompted(&frame.caller, prompted.as_ref());
            }
            if let Some(to_agent) = find(&mut self.sessions, joined.agent) {
                let wide = if to_agent.is_wideband() { playout.agent_wide(&frame) } else { None };
                match wide {
                    Some(wide) => to_agent.send_sound(frame.at, &wide, &mut self.scratch.outbox),
                    None => to_agent.play(frame.at, &playout.agent(&frame), &mut self.scratch.outbox),
                };
            }
        }
        if playout.is_over(now.mono) {
            let at = moment(now, playout.deadline());
            self.end_play(at, true);
        }
    }

    /// Whether one of the two holds the other. If both do, nobody would hear anything.
    fn note_hold(&mut self, now: Now) {
        let State::Joined(joined) = &mut self.state else { return };
        let holds = |leg: LegId| self.sessions.iter().any(|s| s.leg == leg && s.holds());
        let by = match (holds(joined.caller), holds(joined.agent)) {
            (false, _) if joined.parked == Some(Hears::Notes) => Some(joined.agent),
            _ if joined.parked.is_some() => None,
            (true, false) => Some(joined.caller),
            (false, true) => Some(joined.agent),
            (false, false) if joined.muted => Some(joined.agent),
            (true, true) | (false, false) => None,
        };
        // Whoever still hears somebody else is not left alone with notes.
        let by = by.filter(|by| joined.parked.is_some() || !joined.hears_a_mix(*by == joined.agent));
        if joined.hold.as_ref().map(|hold| hold.by) != by {
            joined.hold = by.map(|by| Hold::new(by, now.mono));
        }
        self.run_hold(now);
    }

    fn run_hold(&mut self, now: Now) {
        let State::Joined(joined) = &mut self.state else { return };
        let Joined { caller, agent, sound, hold: Some(hold), tap, .. } = &mut **joined else { return };
        let held = if hold.by == *caller { *agent } else { *caller };
        while let Some((at, samples)) = hold.frame(now.mono) {
            // A prompt goes on for whoever can hear it.
            let hears = match sound {
                Sound::Relay => true,
                Sound::Playing(_) => false,
                Sound::Cueing(_) => held == *caller,
                Sound::Warning(_) => false,
            };
            let Some(samples) = samples.filter(|_| hears) else { continue };
            let heard = find(&mut self.sessions, held).is_some_and(|s| s.play(at, &samples, &mut self.scratch.outbox));
            if let (true, true, Some(tap)) = (heard, held == *caller, tap.as_mut()) {
                tap.played(at, &samples);
            }
        }
    }

    /// Back to relaying, if a prompt is being played.
    fn end_play(&mut self, at: Now, to_end: bool) {
        let State::Joined(joined) = &mut self.state else { return };
        let (caller, agent) = (joined.caller, joined.agent);
        match std::mem::replace(&mut joined.sound, Sound::Relay) {
            Sound::Relay => {}
            Sound::Playing(playout) => {
                let play = playout.play;
                self.end_playout(at, playout, agent);
                self.events.push_back(Event::PlayEnded { call: self.call, play, at, to_end });
            }
            Sound::Cueing(playout) => self.end_playout(at, playout, agent),
            Sound::Warning(both) => {
                both.into_iter().zip([agent, caller]).for_each(|(playout, leg)| self.end_playout(at, playout, leg));
            }
        }
    }

    /// The words that still waited for the clock are not lost to who hears them.
    fn end_playout(&mut self, at: Now, mut playout: Playout, hearer: LegId) {
        if let Some(session) = find(&mut self.sessions, hearer) {
            for frame in playout.rest() {
                session.play(at.mono, &frame, &mut self.scratch.outbox);
            }
        }
        self.counters.fifo_overflow += playout.overflowed();
        self.counters.slipped_frames += playout.slipped();
    }

    fn flush(&mut self, now: Now) {
        let State::Joined(joined) = &mut self.state else { return };
        if self.stirred {
            joined.expect(now.mono, &self.sessions);
        }
        while let Some(tap) = &mut joined.tap
            && let Some(mut block) = tap.flush(now.mono)
        {
            tell_blanked(joined.blanking.apply(joined.connected, &mut block), now, self.call, &mut self.events);
            let ((end, sounded), stretches) = (tap.sounded(), tap.stretches());
            if joined.recorded {
                self.recorded.push_back(Recorded::Block(block));
            }
            if let Some([caller, agent]) = stretches {
                self.events.push_back(Event::Heard { call: self.call, caller, agent, at: moment(now, end) });
            }
            joined.one_way.sound(end, tap::BLOCK, sounded);
            for (leg, sound) in [joined.caller, joined.agent].into_iter().zip(sounded) {
                if let Some(live) = sound.change {
                    self.events.push_back(Event::Voice { call: self.call, leg, live, at: moment(now, end) });
                }
            }
        }
        joined.tell_one_way(now, &mut self.events, self.call);
    }

    fn close_leg(&mut self, now: Now, leg: LegId) {
        if self.across(leg).is_some() {
            self.end_crossings();
        }
        if let State::Joined(joined) = &mut self.state
            && joined.across(leg).is_some()
        {
            joined.settle(&mut self.sessions);
        }
        self.dismiss(now, leg);
        let Some(at) = self.sessions.iter().position(|s| s.leg == leg) else { return };
        let mut session = self.sessions.remove(at);
        session.say_bye(now, &mut self.scratch.outbox);
        if let Some(pressed) = session.last_key() {
            self.events.push_back(key(self.call, leg, now, pressed));
        }
        if let Some(lasted) = session.last_rest(now.mono) {
            self.events.push_back(Event::Rested { call: self.call, leg, lasted, at: now });
        }
        self.counters.strays += session.strays();
        self.counters.foreign_rtcp += session.foreign_rtcp();
        self.counters.duplicates += session.duplicates();
        self.counters.early += session.early();
        if let Some(heard) = session.heard() {
            self.events.push_back(Event::Measured { call: self.call, leg, heard: Box::new(heard) });
        }
        self.events.push_back(Event::Closed { call: self.call, leg, received: session.received() });
    }

    fn close_call(&mut self, now: Now, ended: Now) {
        let ended = if ended.mono < now.mono { ended } else { now };
        self.end_play(ended, false);
        self.end_crossings();
        let mut joined = match std::mem::replace(&mut self.state, State::Ended) {
            State::Joined(joined) => Some(joined),
            State::Apart | State::Ringing(_) | State::Ended => None,
        };
        if let Some(Joined { tap: Some(tap), connected, blanking, .. }) =
            joined.as_deref_mut().filter(|joined| joined.recorded)
        {
            let total = tap.total(ended.mono);
            while let Some(mut block) = tap.finish(total) {
                let told = blanking.apply(*connected, &mut block);
                tell_blanked(told, now, self.call, &mut self.events);
                self.recorded.push_back(Recorded::Block(block));
            }
            self.counters.tap_missed += tap.missed();
            self.counters.concealed += tap.concealed();
            let total_frames = tap.frames(total);
            self.recorded.push_back(Recorded::End { call: self.call, total_frames });
        }
        if let Some(joined) = &mut joined {
            joined.settle(&mut self.sessions);
            if let Some(conference) = joined.conference.take() {
                self.counters.add_buffered(conference.counts());
            }
        }
        while let Some(leg) = self.sessions.first().map(|s| s.leg) {
            self.close_leg(now, leg);
        }
    }

    /// The legs that are joined are to be heard.
    fn watch(&mut self, from: Instant) {
        let State::Joined(joined) = &self.state else { return };
        for session in self.sessions.iter_mut().filter(|s| joined.across(s.leg).is_some()) {
            session.watch(from);
        }
    }

    /// The session of the leg that `leg` is joined to.
    fn across(&mut self, leg: LegId) -> Option<&mut Session> {
        let State::Joined(joined) = &self.state else { return None };
        find(&mut self.sessions, joined.across(leg)?)
    }
}

/// `now` is not before the key's begin.
fn key(call: CallId, leg: LegId, now: Now, pressed: Pressed) -> Event {
    Event::Key { call, leg, key: pressed.key, duration: pressed.duration, at: moment(now, pressed.at) }
}

fn find(sessions: &mut [Session], leg: LegId) -> Option<&mut Session> {
    sessions.iter_mut().find(|s| s.leg == leg)
}

/// Both clocks at `mono`, which is not later than `now`.
fn moment(now: Now, mono: Instant) -> Now {
    let ago = i64::try_from(now.mono.since(mono).as_micros()).unwrap_or(i64::MAX);
    Now { mono, wall: Wall::from_micros(now.wall.as_micros().saturating_sub(ago)) }
}
