//! Days of a hotline: calls by the hour, and agents who are there or not for a while.
//!
//! The first day begins with the simulation; each following one 24 h later. The night is not waited for.

use std::ops::Range;
use std::time::Duration;

use crate::clock::Instant;
use crate::ids::Random;

const HOUR_S: u64 = 3_600;
const DAY_S: u64 = 24 * HOUR_S;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Day {
    /// The hour of the day at which calls begin to come.
    pub from_hour: u32,
    /// Mean number of calls in each hour from then on.
    pub calls: Vec<u32>,
    pub days: u32,
    pub changes: Vec<Change>,
}

/// So many agents more or (below 0) fewer between two minutes of each day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    pub minutes: Range<u32>,
    pub agents: i32,
}

/// An agent's presence is to change.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Turn {
    pub at: Instant,
    pub agent: String,
    pub there: bool,
}

impl Change {
    /// `10:00=-1`: one fewer for the hour from ten; `10:00-12:30=2`: two more until half past twelve.
    pub fn parse(text: &str) -> Option<Change> {
        let (when, agents) = text.split_once('=')?;
        let (from, to) = when.split_once('-').unzip();
        let from = minute(from.unwrap_or(when))?;
        let to = to.map_or(Some(from + 60), minute)?;
        let agents: i32 = agents.trim().parse().ok()?;
        (from < to && agents != 0 && agents.abs() <= 100).then_some(Change { minutes: from..to, agents })
    }
}

fn minute(text: &str) -> Option<u32> {
    let (hour, minute) = text.trim().split_once(':')?;
    let (hour, minute): (u32, u32) = (hour.parse().ok()?, minute.parse().ok()?);
    (hour < 24 && minute < 60).then_some(hour * 60 + minute)
}

impl Day {
    /// When the next call comes after this moment: a Poisson stream with the rate of each hour. `None`: the last day is over.
    pub fn next_call(&self, after: Instant, random: &mut Random) -> Option<Instant> {
        let mut at_s = after.as_nanos() as f64 / 1e9;
        loop {
            let day = (at_s / DAY_S as f64) as u64;
            if day >= u64::from(self.days) {
                return None;
            }
            let place = ((at_s - (day * DAY_S) as f64) / HOUR_S as f64) as usize;
            let Some(&calls) = self.calls.get(place) else {
                at_s = ((day + 1) * DAY_S) as f64;
                continue;
            };
            let hour_ends_s = (day * DAY_S + (place as u64 + 1) * HOUR_S) as f64;
            // Never 0, so that its logarithm is finite.
            let lot = (f64::from(random.u32()) + 1.0) / (f64::from(u32::MAX) + 1.0);
            let gap_s = -lot.ln() * HOUR_S as f64 / f64::from(calls.max(1));
            if calls > 0 && at_s + gap_s < hour_ends_s {
                return Some(Instant::from_nanos(((at_s + gap_s) * 1e9) as u64));
            }
            at_s = hour_ends_s;
        }
    }

    /// The hour of the day of a moment.
    pub fn hour(&self, at: Instant) -> u32 {
        let hours = (at.as_nanos() / 1_000_000_000 % DAY_S) / HOUR_S;
        (self.from_hour + u32::try_from(hours).unwrap_or(0)) % 24
    }

    /// More agents at once than usually.
    pub fn spare(&self) -> usize {
        self.changes.iter().map(|change| usize::try_from(change.agents).unwrap_or(0)).sum()
    }

    /// Who comes and goes when, in order of time. `agents`: those who are usually there; `spare`: those who are not.
    pub fn turns(&self, agents: &[String], spare: &[String]) -> Vec<Turn> {
        let mut turns = Vec::new();
        let off = |agent: &String| Turn { at: Instant::START, agent: agent.clone(), there: false };
        turns.extend(spare.iter().map(off));
        for day in 0..u64::from(self.days) {
            for change in &self.changes {
                let fewer = change.agents < 0;
                let who = if fewer { agents } else { spare };
                let minute = |minute: u32| {
                    let since = (minute + 24 * 60 - self.from_hour * 60) % (24 * 60);
                    Instant::START + Duration::from_secs(day * DAY_S + u64::from(since) * 60)
                };
                for agent in who.iter().rev().take(change.agents.unsigned_abs() as usize) {
                    let turn = |at, there| Turn { at, agent: agent.clone(), there };
                    turns.push(turn(minute(change.minutes.start), !fewer));
                    turns.push(turn(minute(change.minutes.end), fewer));
                }
            }
        }
        turns.sort();
        turns
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(calls: &[u32]) -> Day {
        Day { from_hour: 9, calls: calls.to_vec(), days: 200, changes: Vec::new() }
    }

    #[test]
    fn each_hour_has_its_share_of_calls_and_the_night_has_none() {
        let day = day(&[60, 0, 30]);
        let (mut at, mut random, mut hours) = (Instant::START, Random::from_number(1), [0_u32; 24]);
        while let Some(next) = day.next_call(at, &mut random) {
            assert!(next >= at);
            (at, hours[day.hour(next) as usize]) = (next, hours[day.hour(next) as usize] + 1);
        }
        // Within four standard deviations of 12,000 and 6,000.
        assert!((11_560..12_440).contains(&hours[9]) && (5_690..6_310).contains(&hours[11]), "{hours:?}");
        assert_eq!(hours.iter().sum::<u32>(), hours[9] + hours[11]);
    }

    #[test]
    fn one_fewer_at_ten_leaves_at_ten_and_is_back_at_eleven_on_each_day() {
        let changes = vec![Change::parse("10:00=-1").unwrap(), Change::parse("9:30-12:00=1").unwrap()];
        let day = Day { changes, days: 2, ..day(&[1, 1, 1]) };
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let told: Vec<(u64, String, bool)> = day
            .turns(&names(&["1", "2"]), &names(&["3"]))
            .into_iter()
            .map(|turn| (turn.at.as_nanos() / 60_000_000_000, turn.agent, turn.there))
            .collect();
        let of = |at, agent: &str, there| (at, agent.to_owned(), there);
        let first = [of(0, "3", false), of(30, "3", true), of(60, "2", false), of(120, "2", true), of(180, "3", false)];
        assert_eq!(told[..5], first);
        assert_eq!(told.len(), 9);
        assert_eq!(told[5], of(1_470, "3", true));
    }

    #[test]
    fn what_is_no_change_is_refused() {
        for text in ["10:00", "10:00=0", "25:00=1", "10:60=1", "12:00-11:00=1", "10=1", "10:00=x", "10:00=-101"] {
            assert_eq!(Change::parse(text), None, "{text}");
        }
    }
}
