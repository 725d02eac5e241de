//! Call notes (来电登记, R-152 to R-169): what a caller wanted, who has to settle it, and by when. Pure.
//!
//! ```text
//!  written ──► open ──── done ────► done
//!     │        │  ▲ ▲                │
//!     │        └──┘ └─── reopened ───┘
//!     │   handed on, called back
//!     └── settled in the call ──► done
//! ```
//!
//! What is open at the end of a day is carried over: the next day's people have to look at it (R-165, R-166).

use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::cdr::words;
use crate::clock::Wall;
use crate::dialplan::calendar::Calendar;
use crate::dialplan::notes::Limit;
use crate::ids::{AgentNo, CallId};
use crate::qa::deadline;

words! {
    /// What somebody does with a note.
    Step {
        Written "written",
        /// Its words; the old ones are kept.
        Changed "changed",
        /// To somebody else, or to whoever comes next.
        HandedOn "handed_on",
        /// The caller was called back, as promised.
        CalledBack "called_back",
        Done "done",
        Reopened "reopened",
    }
}

/// R-163: day, agent, serial of that day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Number {
    pub day: Date,
    pub agent: AgentNo,
    /// From 1.
    pub serial: u32,
}

impl std::fmt::Display for Number {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}-{:03}", self.day.strftime("%Y%m%d"), self.agent, self.serial)
    }
}

/// What an agent writes down.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Words {
    pub name: String,
    /// `None`: the number that the call came from.
    pub caller: Option<String>,
    pub class: String,
    pub content: String,
    /// Empty: nothing was promised.
    pub promise: String,
    pub promised_us: Option<i64>,
}

/// Longest texts, in characters.
pub const SHORT: usize = 100;
pub const LONG: usize = 4_000;

/// Why words are not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lack {
    Class,
    Content,
    /// A number has digits.
    Number,
    TooLong,
    /// A promise has a time that is to come, within a year.
    PromiseTime,
}

impl Words {
    /// `at`: now.
    pub fn check(&self, at: Wall) -> Result<(), Lack> {
        const YEAR_US: i64 = 366 * 86_400_000_000;
        let is_long = |text: &str, most| text.chars().count() > most;
        if self.class.is_empty() {
            return Err(Lack::Class);
        }
        if self.content.is_empty() {
            return Err(Lack::Content);
        }
        let dialled = |c: char| c.is_ascii_digit() || "+*#-() ".contains(c);
        if self.caller.as_ref().is_some_and(|number| {
            !number.contains(|c: char| c.is_ascii_digit()) || !number.chars().all(dialled) || is_long(number, 32)
        }) {
            return Err(Lack::Number);
        }
        if is_long(&self.name, SHORT) || is_long(&self.content, LONG) || is_long(&self.promise, LONG) {
            return Err(Lack::TooLong);
        }
        match self.promised_us {
            None if self.promise.is_empty() => Ok(()),
            Some(until) if (0..YEAR_US).contains(&(until - at.as_micros())) => Ok(()),
            _ => Err(Lack::PromiseTime),
        }
    }

    /// When it is to be settled: the promise, or the limit of its class, whichever comes first.
    pub fn due(&self, written: Wall, limit: Limit, calendar: Option<&Calendar>, zone: &TimeZone) -> Option<Wall> {
        let by_class = match limit {
            Limit::Hours(_) => limit.hours().map(|hours| written + hours),
            Limit::WorkingDays(days) => deadline::after(written, days, calendar, zone),
        };
        let promised = self.promised_us.map(Wall::from_micros);
        by_class.into_iter().chain(promised).min()
    }
}

/// One note as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    pub id: i64,
    /// As [`Number`] shows it.
    pub number: String,
    pub call: Option<CallId>,
    pub hotline: String,
    /// Who wrote it.
    pub agent: AgentNo,
    /// Who has to settle it; `None`: whoever serves the hotline next.
    pub holder: Option<AgentNo>,
    pub words: Words,
    /// The caller's number, the call's if no other was noted; `None`: withheld or erased.
    pub caller: Option<String>,
    pub written: Wall,
    pub due: Wall,
    pub called_back: Option<Wall>,
    pub done: Option<Wall>,
    /// The caller asked to be forgotten.
    pub erased: bool,
}

impl Note {
    pub fn is_open(&self) -> bool {
        self.done.is_none()
    }

    /// Open, and written on a day before this one.
    pub fn is_carried(&self, now: Wall, zone: &TimeZone) -> bool {
        self.is_open() && day(self.written, zone) < day(now, zone)
    }

    /// A callback was promised and nobody has called.
    pub fn owes_callback(&self) -> bool {
        self.is_open() && self.words.promised_us.is_some() && self.called_back.is_none()
    }

    /// Whether this agent has to do with it: wrote it, has to settle it, or it lies there for whoever serves these hotlines.
    pub fn concerns(&self, agent: &AgentNo, hotlines: &[String], now: Wall, zone: &TimeZone) -> bool {
        let is_own = self.agent == *agent || self.holder.as_ref() == Some(agent);
        let is_left = self.is_open() && (self.holder.is_none() || self.is_carried(now, zone));
        is_own || is_left && hotlines.contains(&self.hotline)
    }
}

/// The day in the hotline's zone.
pub fn day(at: Wall, zone: &TimeZone) -> Date {
    jiff::Timestamp::from_microsecond(at.as_micros()).unwrap_or_default().to_zoned(zone.clone()).date()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::ledger::story::MORNING;

    fn words() -> Words {
        Words { class: "complaint".into(), content: "漏水".into(), ..Words::default() }
    }

    fn zone() -> TimeZone {
        TimeZone::get("Asia/Shanghai").unwrap()
    }

    fn hours(n: u64) -> Duration {
        Duration::from_secs(n * 3_600)
    }

    #[test]
    fn a_number_is_day_agent_and_serial() {
        let number = Number { day: day(MORNING, &zone()), agent: "08".into(), serial: 7 };
        assert_eq!(number.to_string(), "20261121-08-007");
        assert_eq!(Number { serial: 1_234, ..number }.to_string(), "20261121-08-1234");
    }

    #[test]
    fn what_lacks_is_told() {
        let check = |words: Words| words.check(MORNING);
        assert_eq!(check(words()), Ok(()));
        assert_eq!(check(Words { class: String::new(), ..words() }), Err(Lack::Class));
        assert_eq!(check(Words { content: String::new(), ..words() }), Err(Lack::Content));
        for number in ["<script>", "", "----", "12345678901234567890123456789012345"] {
            assert_eq!(check(Words { caller: Some(number.into()), ..words() }), Err(Lack::Number), "{number}");
        }
        assert_eq!(check(Words { name: "x".repeat(101), ..words() }), Err(Lack::TooLong));
        let promised = |us| Words { promise: "回电".into(), promised_us: us, ..words() };
        let after = |s: i64| Some(MORNING.as_micros() + s * 1_000_000);
        assert_eq!(check(promised(after(60))), Ok(()));
        for us in [None, after(-1), after(367 * 86_400)] {
            assert_eq!(check(promised(us)), Err(Lack::PromiseTime), "{us:?}");
        }
    }

    #[test]
    fn it_is_due_by_its_class_or_by_the_promise_if_that_is_sooner() {
        // A Saturday morning in Shanghai: the second working day after it is Tuesday.
        let due = |words: &Words, limit| words.due(MORNING, limit, None, &zone()).unwrap();
        assert_eq!(due(&words(), Limit::Hours(24)), MORNING + hours(24));
        assert_eq!(due(&words(), Limit::WorkingDays(2)).to_string(), "2026-11-24T16:00:00.000Z");
        let promised = |h: u64| Words { promised_us: Some((MORNING + hours(h)).as_micros()), ..words() };
        assert_eq!(due(&promised(2), Limit::Hours(24)), MORNING + hours(2));
        assert_eq!(due(&promised(30), Limit::Hours(24)), MORNING + hours(24));
    }

    #[test]
    fn what_is_open_overnight_is_everybodys_of_the_hotline() {
        let note = Note {
            id: 1,
            number: "20261121-8-001".into(),
            call: None,
            hotline: "property".into(),
            agent: "8".into(),
            holder: Some("8".into()),
            words: words(),
            caller: None,
            written: MORNING,
            due: MORNING + hours(24),
            called_back: None,
            done: None,
            erased: false,
        };
        let (evening, midnight) = (MORNING + hours(13), MORNING + hours(14));
        assert!(!note.is_carried(evening, &zone()) && note.is_carried(midnight, &zone()));
        let concerns = |note: &Note, agent: &str, hotline: &str, now| {
            note.concerns(&agent.into(), &[hotline.to_owned()], now, &zone())
        };
        assert!(concerns(&note, "8", "other", evening) && !concerns(&note, "9", "property", evening));
        assert!(concerns(&note, "9", "property", midnight) && !concerns(&note, "9", "other", midnight));
        let left = Note { holder: None, ..note };
        assert!(concerns(&left, "9", "property", evening));
        let done = Note { done: Some(midnight), ..left };
        assert!(!concerns(&done, "9", "property", midnight) && !done.is_carried(midnight, &zone()));
    }
}
