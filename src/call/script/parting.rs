//! How the talk was when somebody hung up: for how long each had been quiet. It is measured, and nobody is kept from
//! hanging up.

use crate::clock::Instant;
use crate::media::Stretch;

#[derive(Debug, Default)]
pub(in crate::call) struct Parting {
    measures: bool,
    /// The end of the last stretch that is known, and of the last with a word of caller and agent.
    known: Option<Instant>,
    words: [Option<Instant>; 2],
}

/// How long before the end the last word of each lay, in ms; `None`: not a word was heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::call) struct Quiet {
    pub(in crate::call) caller_ms: Option<u64>,
    pub(in crate::call) agent_ms: Option<u64>,
}

impl Parting {
    pub(super) fn new(measures: bool) -> Parting {
        Parting { measures, ..Parting::default() }
    }

    pub(super) fn hear(&mut self, at: Instant, caller: &Stretch, agent: &Stretch) {
        self.known = Some(at);
        for (word, stretch) in self.words.iter_mut().zip([caller, agent]) {
            if stretch.is_voice() {
                *word = Some(at);
            }
        }
    }

    /// At the end of the call; `None`: it was not measured.
    pub(in crate::call) fn quiet(&self, ended: Instant) -> Option<Quiet> {
        self.known.filter(|_| self.measures)?;
        let ms = |word: Option<Instant>| word.map(|at| ended.since(at).as_millis() as u64);
        Some(Quiet { caller_ms: ms(self.words[0]), agent_ms: ms(self.words[1]) })
    }
}
