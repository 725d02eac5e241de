//! What the dialplan has the gateway do in a talk: machines that are told what is heard, who holds whom and what time it is,
//! and that yield [`Act`]s. Each machine is a file; this one holds them together, so that only one speaks at a time.

mod holding;
mod length;
mod low;
mod noisy;
mod parting;
mod silent;
mod warning;

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use holding::{Holding, Wait};
use length::Length;
use low::Low;
use noisy::Noisy;
use parting::Parting;
use serde::{Deserialize, Serialize};
use silent::Silent;
use warning::Warning;

use super::leg::{Input, Media};
use super::reason::Reason;
use crate::clock::Instant;
use crate::dialplan::plan::Prompt;
use crate::dialplan::scripts::{By, Scripts as Plan};
use crate::ids::Side;
use crate::media::{Play, Stretch};
use crate::quality::Line;

/// How much later than it was said what was heard is known: the recording's hold-back, and the rest of a word. Nobody's
/// call is closed before that is in.
const ON_THE_WAY: Duration = Duration::from_millis(700);

/// Lost packets of a hundred from which on noise may be the network's doing.
const LOSSY_PERCENT: u64 = 3;

/// Which script.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Script {
    /// Nothing is heard of the caller.
    Silent,
    /// No packet comes from the caller's side.
    NoMedia,
    Noise,
    LowVolume,
    /// The caller is kept waiting.
    Hold,
}

/// What was done, or what ended the script.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Deed {
    Ask,
    Farewell,
    /// The gateway ends the call; `ended` follows.
    Close,
    /// The caller is heard: the script is over.
    Heard,
    /// It took too long and nothing changed: the agent goes on alone.
    LeftToAgent,
    /// Said to a caller who waits.
    Comfort,
    /// Said to a caller who has waited.
    Apology,
}

/// Whose part it is: the gateway said it, or the agent heard a tone and is to say it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Speaker {
    Gateway,
    Agent,
}

impl From<By> for Speaker {
    fn from(by: By) -> Speaker {
        match by {
            By::Gateway => Speaker::Gateway,
            By::Agent => Speaker::Agent,
        }
    }
}

/// What the agent is told by a tone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cue {
    /// A script's next text is due.
    Say,
    /// `length.cue_s` of talk, `length.mark_s` of it.
    TalkNearItsLength,
    TalkAtItsLength,
    /// The caller has waited for `hold.cue_s`, for `hold.cue_again_s`.
    HoldLong,
    HoldVeryLong,
    /// The caller is back and has waited.
    Apologise,
    /// The answer was late, and the dialplan leaves the apology to the agent (`greeting.late_by`).
    LateAnswer,
}

/// Who takes part in the talk beside caller and agent, as the caller sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Company {
    #[default]
    Nobody,
    /// The agent calls somebody in.
    Called,
    /// Whom the agent called in: the caller is not alone while the agent holds.
    There,
}

/// What is to be done.
#[derive(Debug, Clone)]
pub(super) enum Act {
    Note {
        script: Script,
        deed: Deed,
        by: Speaker,
    },
    Say(Prompt),
    /// What a script says is not to be said to its end.
    Hush,
    Cue(Cue),
    /// The phone that holds the caller is to ring.
    RingHolder,
    /// Both are to hear that they are recorded.
    Warn,
    Close(Reason),
}

#[derive(Debug, Default)]
pub(super) struct Acts {
    queue: VecDeque<Act>,
    /// Whose prompts were ordered and have not ended.
    speaking: VecDeque<Script>,
}

impl Acts {
    /// The next text of a script, by whoever speaks.
    fn tell(&mut self, script: Script, deed: Deed, by: By, prompt: &Prompt) {
        self.note(script, deed, by);
        match by {
            By::Gateway => {
                self.speaking.push_back(script);
                self.queue.push_back(Act::Say(prompt.clone()));
            }
            By::Agent => self.queue.push_back(Act::Cue(Cue::Say)),
        }
    }

    fn note(&mut self, script: Script, deed: Deed, by: By) {
        self.queue.push_back(Act::Note { script, deed, by: by.into() });
    }

    /// The script is over because the caller is heard.
    fn heard(&mut self, script: Script, by: By) {
        self.note(script, Deed::Heard, by);
        self.hush(script);
    }

    fn hush(&mut self, script: Script) {
        if self.speaking.contains(&script) {
            self.queue.push_back(Act::Hush);
        }
    }

    /// Ends the call, unless that is the agent's part.
    fn close(&mut self, script: Script, by: By, reason: Reason) {
        if by == By::Gateway {
            self.note(script, Deed::Close, by);
            self.queue.push_back(Act::Close(reason));
        }
    }
}

/// The scripts of one talk.
#[derive(Debug, Default)]
pub(super) struct Scripts {
    silent: Option<Silent>,
    noisy: Option<Noisy>,
    low: Option<Low>,
    holding: Option<Holding>,
    length: Option<Length>,
    warning: Option<Warning>,
    pub(super) parting: Parting,
    acts: Acts,
    /// The greeting is played.
    greeting: bool,
    /// The two are joined, and nobody is handed on.
    joined: bool,
    held: BTreeSet<Side>,
    muted: bool,
    company: Company,
}

impl Scripts {
    pub(super) fn new(plan: &Plan) -> Scripts {
        Scripts {
            silent: plan.silent.clone().map(Silent::new),
            noisy: plan.noise.clone().map(Noisy::new),
            low: plan.low.clone().map(Low::new),
            holding: plan.hold.clone().map(Holding::new),
            length: plan.length.map(Length::new),
            parting: Parting::new(plan.closing),
            ..Scripts::default()
        }
    }

    /// The two are joined, for the first time or after a transfer. `greeted`: a greeting was ordered.
    pub(super) fn join(&mut self, now: Instant, greeted: bool) {
        self.joined = true;
        self.greeting |= greeted;
        if !greeted && let Some(silent) = &mut self.silent {
            silent.open(now);
        }
        self.turn(now);
    }

    /// The two are recorded, and are to know it.
    pub(super) fn warn(&mut self, now: Instant, every: Option<Duration>) {
        self.warning = every.map(|every| Warning::new(now, every));
    }

    /// Somebody has the caller after a transfer. Whom no agent has any more is left alone.
    pub(super) fn take_over(&mut self, now: Instant, agent: bool) {
        if agent {
            self.joined = true;
            self.turn(now);
        } else {
            *self = Scripts { warning: self.warning.take(), joined: true, ..Scripts::default() };
        }
    }

    /// Nobody has the caller.
    pub(super) fn part(&mut self, now: Instant) {
        self.joined = false;
        self.muted = false;
        self.stop();
        self.turn(now);
    }

    /// The agent's phone holds nobody any more.
    pub(super) fn unhold(&mut self, now: Instant) {
        self.held.remove(&Side::Agent);
        self.turn(now);
    }

    pub(super) fn mute(&mut self, now: Instant, muted: bool) {
        self.muted = muted;
        self.turn(now);
    }

    /// To be called after whatever the talk was told.
    pub(super) fn accompany(&mut self, now: Instant, company: Company) {
        if std::mem::replace(&mut self.company, company) != company {
            self.turn(now);
        }
    }

    /// What happened at `at`.
    pub(super) fn note(&mut self, at: Instant, input: &Input) {
        match input {
            Input::Held { by, held } => {
                if *held {
                    self.held.insert(*by);
                    self.stop();
                } else {
                    self.held.remove(by);
                }
                self.turn(at);
            }
            Input::Media(Media::PlayEnded { play: Play::Greeting, .. }) => {
                self.greeting = false;
                if let Some(silent) = &mut self.silent {
                    silent.open(at);
                }
            }
            Input::Media(Media::PlayEnded { play: Play::Script, .. }) => self.said(at),
            Input::Media(Media::Heard { caller, agent }) => self.hear(at, caller, agent),
            Input::Media(Media::Interval { side: Side::Caller, line }) => {
                if let Some(noisy) = &mut self.noisy {
                    noisy.network(is_lossy(line));
                }
            }
            _ => {}
        }
    }

    pub(super) fn timeout(&mut self, now: Instant) {
        let talk = self.joined && !self.greeting && !self.muted && self.held.is_empty();
        let Scripts { acts, .. } = self;
        if let Some(silent) = &mut self.silent {
            silent.timeout(now, acts);
        }
        if let Some(noisy) = &mut self.noisy {
            noisy.timeout(now, acts);
        }
        if let Some(low) = &mut self.low {
            low.timeout(now, acts);
        }
        if let Some(holding) = &mut self.holding {
            holding.timeout(now, acts);
        }
        if let Some(length) = &mut self.length {
            length.timeout(now, acts);
        }
        if let Some(warning) = &mut self.warning {
            warning.timeout(now, talk && acts.speaking.is_empty(), acts);
        }
    }

    pub(super) fn poll_timeout(&self) -> Option<(Instant, &'static str)> {
        let silent = self.silent.as_ref().and_then(Silent::poll_timeout);
        let noisy = self.noisy.as_ref().and_then(Noisy::poll_timeout);
        let low = self.low.as_ref().and_then(Low::poll_timeout);
        let holding = self.holding.as_ref().and_then(Holding::poll_timeout);
        let length = self.length.as_ref().and_then(Length::poll_timeout);
        let warning = self.warning.as_ref().map(Warning::poll_timeout);
        [silent, noisy, low, holding, length, warning].into_iter().flatten().min()
    }

    pub(super) fn poll(&mut self) -> Option<Act> {
        self.acts.queue.pop_front()
    }

    /// A script deals with a caller from whom no packet comes: nobody else ends the call for that.
    pub(super) fn deals_with_no_media(&self) -> bool {
        self.silent.as_ref().is_some_and(Silent::has_no_media)
    }

    fn hear(&mut self, at: Instant, caller: &Stretch, agent: &Stretch) {
        self.parting.hear(at, caller, agent);
        let Scripts { acts, .. } = self;
        if let Some(silent) = &mut self.silent {
            silent.hear(at, caller, acts);
        }
        let still = !self.joined || self.greeting || !self.held.is_empty();
        let mut busy = still || self.silent.as_ref().is_some_and(Silent::is_active);
        if let Some(noisy) = &mut self.noisy {
            let low = self.low.as_ref().is_some_and(Low::is_speaking);
            noisy.hear(at, caller, busy || low, acts);
            busy |= noisy.is_active();
        }
        if let Some(low) = &mut self.low {
            low.hear(at, caller, busy, acts);
        }
    }

    fn said(&mut self, at: Instant) {
        let Scripts { acts, .. } = self;
        match acts.speaking.pop_front() {
            Some(Script::Silent | Script::NoMedia) => self.silent.iter_mut().for_each(|silent| silent.said(at)),
            Some(Script::Noise) => self.noisy.iter_mut().for_each(|noisy| noisy.said(at)),
            Some(Script::LowVolume) => self.low.iter_mut().for_each(|low| low.said(at)),
            Some(Script::Hold) | None => {}
        }
    }

    /// The agent has something else to do with the caller: no script goes on.
    fn stop(&mut self) {
        let Scripts { acts, .. } = self;
        self.silent.iter_mut().for_each(|silent| silent.stop(acts));
        self.noisy.iter_mut().for_each(|noisy| noisy.stop(acts));
        self.low.iter_mut().for_each(|low| low.stop(acts));
    }

    /// Who waits, and who talks, now.
    fn turn(&mut self, now: Instant) {
        let kept = self.joined && (self.held.contains(&Side::Agent) || self.muted);
        let wait = match (kept, self.company) {
            (false, _) | (true, Company::There) => Wait::No,
            (true, Company::Called) => Wait::Excused,
            (true, Company::Nobody) => Wait::Kept,
        };
        let alone = |side: &Side| *side == Side::Caller || self.company != Company::There;
        let talks = self.joined && !self.held.iter().any(alone);
        let Scripts { acts, .. } = self;
        if let Some(holding) = &mut self.holding {
            holding.turn(now, wait, self.joined, acts);
        }
        if let Some(length) = &mut self.length {
            length.turn(now, talks);
        }
    }
}

fn is_lossy(line: &Line) -> bool {
    line.lost > 0 && line.lost * 100 >= (line.packets + line.lost) * LOSSY_PERCENT
}
