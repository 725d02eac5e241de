//! What happens to a call: dialplans as written (`schema`), checked and compiled ([`compile`]) into plans that cannot
//! fail while a call is handled ([`plan`]). Pure: files come in as bytes, prompts through a [`prompt::Folder`].

pub mod after;
pub mod calendar;
pub mod compile;
pub mod courtesies;
mod cut;
pub mod hours;
mod join;
pub mod notes;
pub mod outbound;
pub mod plan;
pub mod prompt;
pub mod reception;
mod schema;
pub mod scripts;
pub mod shifts;
mod spoken;

pub use schema::{AGENT_NUMBER_HINT, HIGHEST_SKILL, is_agent_number};
