//! The call record: what is said of one call, computed from its facts in order. Nothing else computes these figures.

mod added;
mod after;
mod attempts;
mod called_back;
mod fold;
mod kind;
pub mod ladder;
mod owed;
mod quality;
mod record;
mod scene;
mod supervised;
mod way;

pub use added::Added;
pub use after::Survey;
pub use attempts::{Attempt, RingEnd};
pub use called_back::{CallbackEnd, CalledBack};
pub use fold::{Fold, Phase};
pub use kind::{ByAgent, CallKind};
pub use owed::{Owed, Why as WhyOwed};
pub(crate) use record::words;
pub use record::{
    Blanked, Greeting, LegQuality, Outcome, Played, Quality, QualityStatus, Record, Recording, Segment, TargetSegment,
    Time, TimeError, Verdict, Word,
};
pub use scene::scene;
pub use supervised::Supervised;

#[cfg(test)]
mod added_tests;
#[cfg(test)]
mod bounds_tests;
#[cfg(test)]
mod callback_tests;
#[cfg(test)]
mod feature_tests;
#[cfg(test)]
mod holder_tests;
#[cfg(test)]
mod internal_tests;
#[cfg(test)]
mod machine_tests;
#[cfg(test)]
mod outbound_tests;
#[cfg(test)]
mod parked_tests;
#[cfg(test)]
mod privacy_tests;
#[cfg(test)]
mod replacing_tests;
#[cfg(test)]
mod supervised_tests;
#[cfg(test)]
mod transfer_tests;
