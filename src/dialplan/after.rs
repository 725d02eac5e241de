//! What comes after a call: whom the house owes a call, what callers are asked, of which class a call was, and how many are heard.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::hours::Week;
use super::outbound::Outbound;
use super::plan::Prompt;
use crate::clock::Wall;

#[derive(Debug, Clone, Default)]
pub struct After {
    /// `[callback]`; `None`: nobody is called back.
    pub callback: Option<Callback>,
    /// `[outbound]`; `None`: agents call nobody outside.
    pub outbound: Option<Outbound>,
    /// `[survey]`; `None`: nobody is asked.
    pub survey: Option<Survey>,
    /// `[classes]`: what the agent's `*8` and a digit make of a call.
    pub classes: BTreeMap<char, String>,
    /// `[qa]`: so many calls of each agent of this hotline are heard in a month, 1 to 5; `None`: as `hotline.toml` says.
    pub quota: Option<u32>,
}

/// Callers who reached nobody are called back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Callback {
    /// From the end of the call to the first attempt.
    pub within: Duration,
    /// Attempts after which a caller who was not reached is given up: 3 to 5.
    pub attempts: u32,
    /// When people are called: nobody is woken.
    pub hours: Week,
    /// Numbers of other countries too: whoever calls writes the number, and some cost money.
    pub abroad: bool,
}

impl Callback {
    /// Whether people may be called now, by the clock on the wall there.
    pub fn may_call(&self, wall: Wall, zone: &TimeZone) -> bool {
        let Ok(now) = Timestamp::from_microsecond(wall.as_micros()) else { return false };
        let there = now.to_zoned(zone.clone()).datetime();
        let minute = u16::try_from(i32::from(there.hour()) * 60 + i32::from(there.minute())).unwrap_or_default();
        self.hours.holds(there.date(), minute)
    }
}

/// The caller, whom the agent has left, is asked and answers by keys: 1 very satisfied, 2 satisfied, 3 average, 4 poor.
#[derive(Debug, Clone)]
pub struct Survey {
    /// One to four.
    pub questions: Vec<Prompt>,
    /// Said after the last answer.
    pub thanks: Option<Prompt>,
    /// How long a key is waited for after a question.
    pub wait: Duration,
    /// How often a question is said.
    pub tries: u32,
    /// The agent hands the caller over by `*` and this key; hanging up does the same.
    pub key: char,
}

/// The best and the worst grade, by their keys.
pub const GRADES: std::ops::RangeInclusive<u32> = 1..=4;

/// Questions that a survey has at most.
pub const QUESTIONS: usize = 4;
