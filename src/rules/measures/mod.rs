//! The conditions themselves, a file for each part of a call.

pub(super) mod answer;
pub(super) mod ending;
pub(super) mod greeting;
pub(super) mod hold;
pub(super) mod hours;
pub(super) mod script;
pub(super) mod silence;
pub(super) mod sound;
pub(super) mod speech;
pub(super) mod transfer;
pub(super) mod way;
pub(super) mod words;
