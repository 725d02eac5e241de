//! How long an agent has talked today, by the clock of the hotlines that the agent serves.

use std::time::Duration;

use jiff::tz::TimeZone;

use crate::clock::{Now, Wall};

#[derive(Debug, Clone, Default)]
pub(super) struct Talked {
    /// When the day of `talked` ends.
    until: Option<Wall>,
    talked: Duration,
    /// The answer of the call that is talked in.
    since: Option<Now>,
}

impl Talked {
    pub(super) fn begin(&mut self, at: Now) {
        self.since.get_or_insert(at);
    }

    /// The talk is over; what of it lies in the day of its end counts. How long it was.
    pub(super) fn end(&mut self, now: Now, zone: Option<&TimeZone>) -> Option<Duration> {
        let since = self.since.take()?;
        let (begin, end) = day(now.wall, zone);
        let of_today = now.wall.as_micros().saturating_sub(begin.as_micros());
        let of_today = Duration::from_micros(u64::try_from(of_today).unwrap_or(0));
        let talk = now.mono.since(since.mono);
        self.talked = self.by(now.wall) + talk.min(of_today);
        self.until = Some(end);
        Some(talk)
    }

    /// Of an earlier run: somebody was talked with from the one moment to the other.
    pub(super) fn add(&mut self, (from, to): (Wall, Wall), now: Wall, zone: Option<&TimeZone>) {
        let (begin, end) = day(now, zone);
        let of_today = to.as_micros().saturating_sub(from.max(begin).as_micros());
        self.talked = self.by(now) + Duration::from_micros(u64::try_from(of_today).unwrap_or(0));
        self.until = Some(end);
    }

    /// What counts at this moment: a call that is talked in does when it is over.
    pub(super) fn by(&self, now: Wall) -> Duration {
        if self.until.is_some_and(|until| now < until) { self.talked } else { Duration::ZERO }
    }
}

/// Begin and end of the day around `now`; without a zone that of UTC.
fn day(now: Wall, zone: Option<&TimeZone>) -> (Wall, Wall) {
    let zone = zone.cloned().unwrap_or(TimeZone::UTC);
    let there = jiff::Timestamp::from_microsecond(now.as_micros()).unwrap_or_default().to_zoned(zone);
    let wall = |zoned: jiff::Zoned| Wall::from_micros(zoned.timestamp().as_microsecond());
    let begin = there.start_of_day().map_or(now, wall);
    let end = there.tomorrow().and_then(|next| next.start_of_day()).map_or(now, wall);
    (begin, end)
}
