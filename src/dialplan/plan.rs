//! The compiled plan: total, shared by reference, immutable. Nothing here can fail while a call is handled.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::after::After;
use super::notes::{self, Class};
use super::outbound::{NotAllowed, Outbound};
use super::reception::Reception;
use super::scripts::{By, Scripts};
use super::shifts::Shift;
use jiff::tz::TimeZone;

use crate::clock::Wall;
use crate::fault::Fault;
use crate::ids::{AgentNo, CallId, Callee, HotlineId, TargetName};
use crate::media::Clip;

/// Every hotline, found by the number dialled.
#[derive(Debug, Clone, Default)]
pub struct Plans {
    pub hotlines: Vec<Arc<Hotline>>,
    /// Number as written in `[hotline] numbers` → the hotline that owns it.
    pub by_number: BTreeMap<String, Arc<Hotline>>,
}

impl Plans {
    /// The first dialplan whose `[outbound]` allows this agent this number; else why the nearest one does not.
    pub fn outbound(
        &self,
        agent: &AgentNo,
        kept: &str,
        abroad: bool,
    ) -> Result<(&Arc<Hotline>, &Outbound), NotAllowed> {
        let mut why = NotAllowed::Agent;
        for plan in &self.hotlines {
            let Some(outbound) = &plan.after.outbound else { continue };
            match outbound.allows(agent, kept, abroad) {
                Ok(()) => return Ok((plan, outbound)),
                Err(NotAllowed::Agent) => {}
                Err(other) => why = other,
            }
        }
        Err(why)
    }

    /// Something depends on the calls of late: who has talked least today, or how long callers will wait.
    pub fn look_back(&self) -> bool {
        let estimates = |agents: &Agents| agents.queue.as_ref().is_some_and(|queue| !queue.estimate.is_empty());
        self.ring_by(Strategy::LeastTalk) || self.hotlines.iter().any(|hotline| estimates(&hotline.agents))
    }

    /// Some hotline rings by this strategy.
    pub fn ring_by(&self, strategy: Strategy) -> bool {
        let groups = |hotline: &Hotline| -> bool {
            let of_steps = hotline.steps.iter().filter_map(|step| match &step.does {
                Does::Ring(agents) => Some(agents),
                _ => None,
            });
            std::iter::once(&hotline.agents).chain(of_steps).any(|agents| agents.strategy == strategy)
        };
        self.hotlines.iter().any(|hotline| groups(hotline))
    }

    /// What is no fault and somebody should see to in time: keys at their old place; calendars that end, or guess, within sixty days.
    pub fn notes(&self, now: Wall) -> Vec<String> {
        const AHEAD: Duration = Duration::from_secs(60 * 24 * 3_600);
        let moved = self.hotlines.iter().flat_map(|hotline| &hotline.duty.moved);
        let mut notes: BTreeSet<String> = moved.map(ToString::to_string).collect();
        for hours in self.hotlines.iter().filter_map(|hotline| hotline.reception.hours.as_ref()) {
            for at in [now, now + AHEAD] {
                let year = hours.local(at).map_or(0, |(date, _)| date.year());
                if let Some(name) = hours.uncovered(at) {
                    notes.insert(format!(
                        "calendars/{name}.toml tells nothing of {year}: no day of it will be a holiday; add [year.{year}]"
                    ));
                } else if let Some(name) = hours.guessed(at) {
                    notes.insert(format!(
                        "calendars/{name}.toml only guesses {year}; see whether it has been published"
                    ));
                }
            }
        }
        notes.into_iter().collect()
    }
}

#[derive(Debug, Clone)]
pub struct Hotline {
    pub id: HotlineId,
    pub org: String,
    pub numbers: Vec<String>,
    /// BCP 47, as in `prompts/<language>/`.
    pub language: String,
    pub time_zone: String,
    /// First 16 hex digits of the SHA-256 of the file's bytes: calls pin it.
    pub version: String,
    pub answer: Answer,
    pub greeting: Greeting,
    pub agents: Agents,
    /// What comes before the first step.
    pub reception: Reception,
    pub duty: Duty,
    pub recording: Recording,
    /// What the gateway does in a talk by itself.
    pub scripts: Scripts,
    /// Where a call begins.
    pub start: Next,
    /// The file's `[step.NAME]`s, in its order.
    pub steps: Vec<Step>,
    /// What comes after a call.
    pub after: After,
}

impl Hotline {
    /// Everybody whom a call of this hotline can ring, each once: the agents of `[agents]`, then those of the steps.
    pub fn everybody(&self) -> Vec<AgentNo> {
        let mut all: Vec<AgentNo> = Vec::new();
        let of_steps = self.steps.iter().flat_map(|step| step.does.agents());
        for number in self.agents.numbers.iter().chain(of_steps) {
            if !all.contains(number) {
                all.push(number.clone());
            }
        }
        all
    }
}

/// Which calls are recorded, and what of them is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recording {
    /// 100: all; 0: none.
    pub percent: u8,
    /// What the caller keys to an agent is blanked until so long after the last key, and in no fact.
    pub blank_digits: Option<Duration>,
    /// By this key the caller, who is with somebody, says that nothing is to be kept.
    pub opt_out_key: Option<char>,
    /// How often both hear a tone that says that they are recorded; `None`: never.
    pub beep: Option<Duration>,
}

impl Recording {
    pub const ALL: Recording = Recording { percent: 100, ..Recording::NONE };
    pub const NONE: Recording = Recording { percent: 0, blank_digits: None, opt_out_key: None, beep: None };

    /// Drawn by the last bits of the call's id, which are random: the same for the same call whoever asks.
    pub fn wants(self, call: CallId) -> bool {
        let drawn = u16::from_be_bytes([call.0.as_bytes()[14], call.0.as_bytes()[15]]);
        u32::from(drawn) * 100 < u32::from(self.percent) * 65_536
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub max_rings: u32,
    /// Agents' phones are silent until this ring of the caller's begins, so that no answer is earlier; 0 and 1: from the start.
    pub min_rings: u32,
    pub cadence: Cadence,
    pub ringback: Ringback,
    pub short_abandon: Duration,
}

/// Ringing tone, ITU-T E.180: `burst` on, then silence up to `period`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cadence {
    pub name: String,
    pub burst: Duration,
    pub period: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ringback {
    Network,
    Gateway,
}

#[derive(Debug, Clone, Default)]
pub struct Greeting {
    /// For each agent who can answer; in the morning, if it is another one at other times.
    pub by_agent: BTreeMap<AgentNo, AgentGreeting>,
    /// What is said instead.
    pub variants: BTreeMap<Variant, BTreeMap<AgentNo, AgentGreeting>>,
    /// Where the time of day is read, if it matters.
    pub clock: Option<TimeZone>,
    pub notice: Option<Notice>,
    /// Said instead of a late greeting if the line was busy in truth (C17).
    pub late_busy: BTreeMap<AgentNo, Prompt>,
    /// Who says sorry after a late answer. The agent hears two tones, and the caller the usual greeting first.
    pub late_by: By,
    /// Said behind any of them to a caller who cannot be recorded, because the disk is full.
    pub unrecorded: Option<Prompt>,
}

/// To whom, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Variant {
    pub internal: bool,
    /// `None`: the same all day.
    pub time: Option<TimeOfDay>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TimeOfDay {
    /// From five to noon.
    Morning,
    /// To six in the evening.
    Afternoon,
    Evening,
}

impl TimeOfDay {
    pub const ALL: [TimeOfDay; 3] = [TimeOfDay::Morning, TimeOfDay::Afternoon, TimeOfDay::Evening];

    fn at(wall: Wall, zone: &TimeZone) -> TimeOfDay {
        let there = jiff::Timestamp::from_microsecond(wall.as_micros()).unwrap_or_default().to_zoned(zone.clone());
        match there.hour() {
            5..12 => TimeOfDay::Morning,
            12..18 => TimeOfDay::Afternoon,
            _ => TimeOfDay::Evening,
        }
    }
}

/// What says that the call is recorded; a part of every greeting.
#[derive(Debug, Clone)]
pub struct Notice {
    /// First 16 hex digits of the SHA-256 of its text and its samples.
    pub version: String,
    /// It alone: for a call without greeting.
    pub prompt: Prompt,
}

impl Greeting {
    /// What this agent's caller hears now.
    pub fn of(&self, agent: &AgentNo, internal: bool, now: Wall) -> Option<&AgentGreeting> {
        let time = self.clock.as_ref().map(|zone| TimeOfDay::at(now, zone));
        let said = |time| self.variants.get(&Variant { internal, time });
        said(time).or_else(|| said(None)).unwrap_or(&self.by_agent).get(agent)
    }
}

#[derive(Debug, Clone)]
pub struct AgentGreeting {
    pub normal: Prompt,
    /// Said when the answer came after `max_rings`.
    pub late: Prompt,
}

/// A spoken text, ready to play.
#[derive(Debug, Clone)]
pub struct Prompt {
    /// The text with its placeholders filled in.
    pub text: String,
    /// The files it was joined from, in order: `greet/property/8.wav`.
    pub files: Vec<String>,
    pub audio: Clip,
}

impl Prompt {
    /// This one and then the other, as one.
    pub fn followed_by(&self, other: &Prompt) -> Prompt {
        Prompt {
            text: format!("{}{}", self.text, other.text),
            files: [&self.files[..], &other.files].concat(),
            audio: self.audio.followed_by(&other.audio),
        }
    }
}

#[derive(Debug, Clone)]
pub struct Agents {
    /// In the order of the file; each is known to the configuration.
    pub numbers: Vec<AgentNo>,
    pub strategy: Strategy,
    /// How long one agent's phone rings before the next one is tried.
    pub ring: Duration,
    /// Where a caller waits while everybody is busy; `None`: nobody waits.
    pub queue: Option<Arc<Queue>>,
    /// What is asked of them; `None`: nothing.
    pub skill: Option<Skill>,
    /// Where a call goes whom nobody takes.
    pub nobody: Next,
}

/// Of a group's agents only those who can do this well enough are rung.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skill {
    pub name: String,
    pub level: u32,
    /// After so long anybody of the group will do; `None`: never.
    pub relax: Option<Duration>,
    /// Who can.
    pub able: BTreeSet<AgentNo>,
}

/// What is asked of those who answer, beside answering. By default nothing: they are always there, and free as soon as a call is over.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Duty {
    /// Only who has logged in is rung.
    pub login: bool,
    /// How long an agent is left in peace after a call; zero: not at all.
    pub wrap_up: Duration,
    /// What a pause may be for; empty: a pause has no reason.
    pub pause_reasons: Vec<String>,
    /// After so long whoever pauses counts as away.
    pub longest_pause: Option<Duration>,
    /// How often agents' phones are asked whether they are there.
    pub probe: Option<Duration>,
    /// Who is to be there when.
    pub shifts: Vec<Shift>,
    /// So long before a shift its agents have logged in.
    pub login_before: Duration,
    /// While the hotline is open nobody logs out before somebody else is there.
    pub successor: bool,
    /// What calls are about, for their notes; empty: the usual classes.
    pub classes: Vec<Class>,
    /// Keys that stand where they stood once, and have a new place.
    pub moved: Vec<Fault>,
}

impl Duty {
    /// Of call notes; never empty.
    pub fn note_classes(&self) -> Vec<Class> {
        if self.classes.is_empty() { notes::usual() } else { self.classes.clone() }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strategy {
    /// Always from the first of the list.
    InOrder,
    /// From the one after the agent who was rung last.
    RoundRobin,
    /// All at once; the first who answers has the call.
    RingAll,
    /// Whose last call ended first; before their first call, since the gateway began.
    LongestIdle,
    /// Who answered the fewest calls since the gateway began.
    FewestCalls,
    Random,
    /// Who has talked least today, by the clock of the hotline, since the gateway began: from each answer to the end of that call.
    LeastTalk,
}

impl Strategy {
    /// As `agents.strategy` says it.
    pub const WORDS: &'static [(&'static str, Strategy)] = &[
        ("round_robin", Strategy::RoundRobin),
        ("in_order", Strategy::InOrder),
        ("longest_idle", Strategy::LongestIdle),
        ("ring_all", Strategy::RingAll),
        ("fewest_calls", Strategy::FewestCalls),
        ("random", Strategy::Random),
        ("least_talk", Strategy::LeastTalk),
    ];

    pub fn word(self) -> &'static str {
        Strategy::WORDS.iter().find(|(_, strategy)| *strategy == self).map_or("", |(word, _)| word)
    }
}

/// Where a call goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// 486 Busy Here: the caller's own network plays the busy tone. Whoever is connected hears nothing more.
    BusyTone,
    /// 480 Temporarily Unavailable.
    Unavailable,
    /// The gateway ends the call; 480 before it is connected.
    HangUp,
    /// This target is called in an agent's place; 480 if it does not answer either.
    Target(TargetName),
    /// The agents of `[agents]`.
    Agents,
    Step(StepNo),
}

impl Next {
    /// Nothing comes after it.
    pub fn is_end(&self) -> bool {
        matches!(self, Next::BusyTone | Next::Unavailable | Next::HangUp)
    }
}

/// A step's place in [`Hotline::steps`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct StepNo(pub(super) usize);

impl StepNo {
    /// The step that so many stand before. For plans that no file describes; one that is not there ends a call.
    pub fn after(steps: usize) -> StepNo {
        StepNo(steps)
    }

    pub fn of(self, hotline: &Hotline) -> Option<&Step> {
        hotline.steps.get(self.0)
    }
}

/// `[step.NAME]`.
#[derive(Debug, Clone)]
pub struct Step {
    pub name: String,
    pub does: Does,
}

#[derive(Debug, Clone)]
pub enum Does {
    /// Rings these agents as `[agents]` rings its own.
    Ring(Agents),
    /// Calls a target in an agent's place.
    Call(Call),
    Say(Say),
    Menu(Menu),
    Message(Message),
    Cascade(Cascade),
}

impl Does {
    /// The agents whom it can ring.
    fn agents(&self) -> Vec<&AgentNo> {
        match self {
            Does::Ring(agents) => agents.numbers.iter().collect(),
            Does::Cascade(cascade) => cascade.agents().collect(),
            Does::Call(_) | Does::Say(_) | Does::Menu(_) | Does::Message(_) => Vec::new(),
        }
    }
}

#[derive(Debug, Clone)]
pub struct Call {
    pub target: TargetName,
    pub ring: Duration,
    pub otherwise: Next,
}

/// An announcement.
#[derive(Debug, Clone)]
pub struct Say {
    pub prompt: Prompt,
    pub then: Next,
}

/// The caller chooses by a key.
#[derive(Debug, Clone)]
pub struct Menu {
    pub prompt: Prompt,
    pub keys: BTreeMap<char, Next>,
    /// The class that a key makes of the call.
    pub classes: BTreeMap<char, String>,
    /// How long a key is waited for after the prompt.
    pub wait: Duration,
    /// How often the prompt is said.
    pub tries: u32,
    /// No key of these, so often.
    pub otherwise: Next,
}

/// The caller leaves a message: a stretch of the call's recording.
#[derive(Debug, Clone)]
pub struct Message {
    pub prompt: Prompt,
    pub longest: Duration,
    /// Said after the message, if the caller ended it by a key or took too long.
    pub thanks: Option<Prompt>,
}

/// An emergency: everybody is rung at once, and whoever confirms by a key has the caller.
#[derive(Debug, Clone)]
pub struct Cascade {
    pub callees: Vec<Callee>,
    /// Said to whoever picks up, and to nobody else.
    pub text: Option<Prompt>,
    pub ring: Duration,
    /// How long whoever has picked up has to confirm.
    pub confirm: Duration,
    /// Nobody did.
    pub otherwise: Next,
}

impl Cascade {
    fn agents(&self) -> impl Iterator<Item = &AgentNo> {
        self.callees.iter().filter_map(|callee| match callee {
            Callee::Agent(agent) => Some(agent),
            Callee::Target(_) => None,
        })
    }
}

/// Callers wait in the order in which they came.
#[derive(Debug, Clone)]
pub struct Queue {
    /// Said at once.
    pub busy: Option<Prompt>,
    /// What is said to a caller with one caller ahead, with two and so on; beyond the last, nothing.
    pub ahead: Vec<Prompt>,
    /// What is said of a wait of one minute, of two and so on; beyond the last, nothing.
    pub estimate: Vec<Prompt>,
    /// How often all of it is said again.
    pub every: Option<Duration>,
    pub longest: Duration,
    /// Where a key takes a caller who would rather not wait on.
    pub keys: BTreeMap<char, Next>,
    /// Where a call goes after the longest wait.
    pub otherwise: Next,
}
