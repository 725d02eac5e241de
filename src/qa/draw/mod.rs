//! The draw: which calls of each agent are heard, so that nobody can choose them and anybody can check it.
//!
//! A period's seed is made and its SHA-256 told to the audit log before the period begins. [`frame`] says which calls may be drawn
//! and counts the others by reason. [`lot`] takes from each agent's calls: the quota falls due evenly over the period; at every
//! draw the calls since the agent's last one are cut, in the order of time, into as many parts as picks are due, and each part gives
//! one call. Within a part a stratum is found by a point that walks evenly through the agent's picks from a start drawn by the
//! seed, and in it the call with the lowest HMAC-SHA256(seed, call id) is taken. So each call's probability is known beforehand: its
//! weight divided by the sum of the weights of its part.
//!
//! [`replace`] finds another call of the same part; [`assign`] says who hears what; [`target`] lists why a call is heard without
//! having been drawn. [`export`] writes what a third party needs to compute it all again.

pub mod assign;
pub mod export;
pub mod frame;
pub mod lot;
pub mod places;
pub mod policy;
pub mod replace;
pub mod seed;
pub mod target;

#[cfg(test)]
mod tests;
