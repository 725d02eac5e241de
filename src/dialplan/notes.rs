//! What calls are about, and by when what a caller was promised is to be settled: `[classes]` of a dialplan.

use std::time::Duration;

/// By when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// On the clock, whatever the day.
    Hours(u32),
    /// To the end of that working day after the day of the call, by the hotline's calendar.
    WorkingDays(u32),
}

/// Longest limits: 90 days, and a year's working days.
const LONGEST_HOURS: u32 = 90 * 24;
const LONGEST_DAYS: u32 = 250;

impl Limit {
    /// `"24h"`, `"2wd"`.
    pub fn parse(text: &str) -> Option<Limit> {
        let number = |digits: &str, longest: u32| {
            let is_plain = !digits.is_empty() && digits.bytes().all(|octet| octet.is_ascii_digit());
            digits.parse().ok().filter(|n| is_plain && (1..=longest).contains(n))
        };
        match text.strip_suffix("wd") {
            Some(days) => number(days, LONGEST_DAYS).map(Limit::WorkingDays),
            None => number(text.strip_suffix('h')?, LONGEST_HOURS).map(Limit::Hours),
        }
    }

    pub fn hours(self) -> Option<Duration> {
        match self {
            Limit::Hours(hours) => Some(Duration::from_secs(u64::from(hours) * 3_600)),
            Limit::WorkingDays(_) => None,
        }
    }
}

impl std::fmt::Display for Limit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Limit::Hours(hours) => write!(f, "{hours}h"),
            Limit::WorkingDays(days) => write!(f, "{days}wd"),
        }
    }
}

/// A class of calls. Those of [`usual`] are words of ours, any other is as the dialplan writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Class {
    pub name: String,
    pub limit: Limit,
}

/// Where a dialplan names none: inquiries in two working days, services and sales too, complaints in a
/// day.
pub fn usual() -> Vec<Class> {
    let class = |(name, limit): (&str, Limit)| Class { name: name.to_owned(), limit };
    let two_days = Limit::WorkingDays(2);
    [
        ("inquiry", two_days),
        ("service", two_days),
        ("complaint", Limit::Hours(24)),
        ("sales", two_days),
        ("suggestion", Limit::WorkingDays(5)),
        ("other", two_days),
    ]
    .map(class)
    .into()
}

/// The classes of a hotline as one list: those with a limit, then those that only a key makes of a call. Empty: the hotline names
/// none, and has the [`usual`] ones.
pub fn one_list<'k>(limited: Vec<Class>, keyed: impl Iterator<Item = &'k str>) -> Vec<Class> {
    let usual = usual();
    let mut all = limited;
    for name in keyed {
        if !all.iter().any(|known| known.name == name) {
            let limit =
                usual.iter().find(|class| class.name == name).map_or(Limit::WorkingDays(2), |class| class.limit);
            all.push(Class { name: name.to_owned(), limit });
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_keys_make_of_calls_is_in_the_list_too() {
        let class = |name: &str, limit| Class { name: name.to_owned(), limit };
        let limited = vec![class("报修", Limit::Hours(4))];
        let all = one_list(limited, ["报修", "complaint", "技术质量", "报修"].into_iter());
        let expected = [
            class("报修", Limit::Hours(4)),
            class("complaint", Limit::Hours(24)),
            class("技术质量", Limit::WorkingDays(2)),
        ];
        assert_eq!(all, expected);
        assert_eq!(one_list(Vec::new(), std::iter::empty()), Vec::new());
    }

    #[test]
    fn limits_are_hours_or_working_days() {
        for text in ["1h", "24h", "2160h", "2wd", "250wd"] {
            assert_eq!(Limit::parse(text).map(|limit| limit.to_string()).as_deref(), Some(text));
        }
        for text in ["", "h", "wd", "0h", "2161h", "251wd", "+2h", "2 h", "2d", "24", "２h"] {
            assert_eq!(Limit::parse(text), None, "{text}");
        }
    }
}
