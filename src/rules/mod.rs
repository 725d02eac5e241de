//! The rule book: what the seed documents ask of a call, as data, and what a call's facts say to each of it.
//!
//! [`Pack`] is the book: all 496 rules, each with its clause, its wording, how it is decided and, where it is not, why.
//! [`measure::MEASURES`] is the closed vocabulary of conditions; there is no other language for them. A [`Case`] is one
//! call as the rules read it; once the call is sealed, [`Case::record`] is its record with a verdict for each rule that
//! the pack decides. [`Watch`] tells in time what is about to be broken. Pure: facts in, verdicts out.
//!
//! What was said is in no fact: a [`Transcript`] of a recogniser outside the process tells it, and [`Case::hear`] takes one.
//!
//! Who is to blame is part of the evidence ([`On`]): a person only for what that person did or left undone. What a
//! crash cut is `unknown`, never `fail`.

mod case;
mod judged;
pub mod measure;
mod measures;
mod pack;
mod parameter;
mod phrase;
mod scores;
pub mod transcript;
mod watch;
mod words;

pub use case::Case;
pub use judged::{Finding, Judged, On, Why};
pub use pack::{Decided, Pack, Phrase, Rule, Severity, Slot, State};
pub use parameter::{KEYS, Key};
pub use scores::{Change, Line, Scores, Tally};
pub use transcript::Transcript;
pub use watch::{Cue, Watch, Watches};

#[cfg(test)]
mod golden_tests;
#[cfg(test)]
mod pack_tests;
#[cfg(test)]
mod property_tests;
