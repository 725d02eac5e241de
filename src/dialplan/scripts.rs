//! What the gateway does in a talk by itself: for callers who are not heard, or badly; for those who are kept waiting; for
//! agents who forget the time. All of it is off unless a dialplan says otherwise.

use std::time::Duration;

use super::courtesies::Courtesies;
use super::plan::{Next, Prompt};

#[derive(Debug, Clone, Default)]
pub struct Scripts {
    pub silent: Option<Silent>,
    pub noise: Option<Noise>,
    pub low: Option<Low>,
    pub hold: Option<Hold>,
    pub length: Option<Length>,
    /// It is measured how long both had been quiet when one hung up.
    pub closing: bool,
    pub desks: Desks,
    pub park: Park,
    pub courtesies: Courtesies,
}

/// Where agents send callers by `*` and a key.
#[derive(Debug, Clone, Default)]
pub struct Desks {
    pub nuisance: Option<Desk>,
    pub wrong_number: Option<Desk>,
    pub emergency: Option<Desk>,
    /// The step that takes a message.
    pub person_sought: Option<Desk>,
}

impl Desks {
    /// With the name of each one's section.
    pub fn named(&self) -> impl Iterator<Item = (&'static str, &Desk)> {
        let all = [
            ("nuisance", &self.nuisance),
            ("wrong_number", &self.wrong_number),
            ("emergency", &self.emergency),
            ("person_sought", &self.person_sought),
        ];
        all.into_iter().filter_map(|(name, desk)| Some((name, desk.as_ref()?)))
    }
}

/// Callers whom agents park.
#[derive(Debug, Clone)]
pub struct Park {
    /// Nobody picks the call up for so long: it rings back.
    pub after: Duration,
    /// What each slot is called, from the first; empty: the language has no such prompts, and slots are told by tones.
    pub slots: Vec<Prompt>,
}

impl Park {
    pub const AFTER_S: u32 = 60;
}

impl Default for Park {
    fn default() -> Park {
        Park { after: Duration::from_secs(Park::AFTER_S.into()), slots: Vec::new() }
    }
}

impl Scripts {
    /// Something of it depends on what is heard.
    pub fn listens(&self) -> bool {
        self.silent.is_some() || self.noise.is_some() || self.low.is_some() || self.closing
    }
}

/// Who speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum By {
    /// The gateway says the texts to the caller, and ends the call.
    #[default]
    Gateway,
    /// The agent, who hears a tone when it is time. The gateway ends nothing.
    Agent,
}

/// Nothing is heard of the caller since the greeting's end: ask, wait, ask, wait, farewell, wait, close.
#[derive(Debug, Clone)]
pub struct Silent {
    pub by: By,
    pub wait: Duration,
    pub asks: Vec<Prompt>,
    pub farewell: Prompt,
    /// Between the farewell and the end.
    pub last: Duration,
    /// Said if not one packet comes: our fault or the network's, never the caller's.
    pub no_media: Option<Prompt>,
}

/// The caller's line is loud with noise.
#[derive(Debug, Clone)]
pub struct Noise {
    pub by: By,
    /// It counts from this floor on, if nothing is heard this far above it.
    pub floor_dbov: f64,
    pub snr_db: f64,
    /// How long before anything is said.
    pub after: Duration,
    pub ask: Option<Prompt>,
    /// How long it may take to clear after that.
    pub patience: Duration,
    pub farewell: Prompt,
    pub last: Duration,
}

/// The caller speaks, and is hardly heard.
#[derive(Debug, Clone)]
pub struct Low {
    pub by: By,
    /// A voice below this level is too low.
    pub level_dbov: f64,
    pub asks: Vec<Prompt>,
    pub farewell: Prompt,
    pub last: Duration,
}

/// The agent keeps the caller waiting, by the phone's hold or by the keys that mute.
#[derive(Debug, Clone)]
pub struct Hold {
    pub comfort: Option<Prompt>,
    pub every: Duration,
    /// When the agent is told.
    pub cues: Vec<Duration>,
    /// After so long, and each time again, the phone that holds rings.
    pub ring: Option<Duration>,
    /// Said to the caller when the agent is back.
    pub back: Option<Prompt>,
    /// The agent hears a tone then: an apology is due.
    pub back_cue: bool,
}

/// Told to the agent alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Length {
    pub near: Duration,
    pub at: Duration,
}

/// Where the agent sends a caller by `*` and a key.
#[derive(Debug, Clone)]
pub struct Desk {
    pub key: char,
    pub then: Next,
}
