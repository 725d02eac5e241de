//! Time as an argument.
//!
//! Nothing below `io` reads a clock. A [`Now`] is one reading of both clocks taken together; durations are computed
//! from `mono`, dates from `wall`. A [`Stamp`] is what a fact keeps of it.

use std::fmt;
use std::ops::{Add, Sub};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A point on the monotonic clock of one run of the process: nanoseconds since the run began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Instant(u64);

impl Instant {
    /// The beginning of the run.
    pub const START: Instant = Instant(0);

    pub const fn from_nanos(nanos: u64) -> Self {
        Instant(nanos)
    }

    pub const fn from_millis(millis: u64) -> Self {
        Instant(millis * 1_000_000)
    }

    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// The time from `earlier` to `self`; zero if `earlier` is later.
    pub const fn since(self, earlier: Instant) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// The first multiple of `grid` (not zero) since the run began that is not before `self`.
    pub const fn round_up(self, grid: Duration) -> Instant {
        Instant(self.0.next_multiple_of(grid.as_nanos() as u64))
    }
}

impl Add<Duration> for Instant {
    type Output = Instant;
    fn add(self, d: Duration) -> Instant {
        Instant(self.0.saturating_add(u64::try_from(d.as_nanos()).unwrap_or(u64::MAX)))
    }
}

impl Sub<Duration> for Instant {
    type Output = Instant;
    fn sub(self, d: Duration) -> Instant {
        Instant(self.0.saturating_sub(u64::try_from(d.as_nanos()).unwrap_or(u64::MAX)))
    }
}

/// A point on the wall clock: microseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Wall(i64);

impl Wall {
    pub const fn from_micros(micros: i64) -> Self {
        Wall(micros)
    }

    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// Milliseconds since the epoch, rounded down; negative times count as 0 (UUIDv7 cannot hold them).
    pub const fn as_unix_millis(self) -> u64 {
        let millis = self.0.div_euclid(1000);
        if millis < 0 { 0 } else { millis as u64 }
    }
}

impl Add<Duration> for Wall {
    type Output = Wall;
    fn add(self, d: Duration) -> Wall {
        Wall(self.0.saturating_add(i64::try_from(d.as_micros()).unwrap_or(i64::MAX)))
    }
}

/// RFC 3339 in UTC with milliseconds: `2026-11-21T23:17:24.123Z`.
impl fmt::Display for Wall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_microsecond(self.0) {
            Ok(t) => write!(f, "{t:.3}"),
            Err(_) => f.write_str("out of range"),
        }
    }
}

/// Both clocks, read together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Now {
    pub mono: Instant,
    pub wall: Wall,
}

impl Now {
    /// The same moment moved forward on both clocks (for virtual time and for deadlines).
    pub fn after(self, d: Duration) -> Now {
        Now { mono: self.mono + d, wall: self.wall + d }
    }
}

/// Which start of the gateway on this data directory; counts from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunId(pub u32);

/// When a fact happened. No duration is ever computed across two runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    pub run: RunId,
    /// Nanoseconds since the run began.
    pub mono_ns: u64,
    /// Microseconds since the epoch.
    pub wall_us: i64,
}

impl Stamp {
    pub fn new(run: RunId, now: Now) -> Self {
        Stamp { run, mono_ns: now.mono.as_nanos(), wall_us: now.wall.as_micros() }
    }

    pub fn wall(self) -> Wall {
        Wall(self.wall_us)
    }

    /// Nanoseconds from `earlier` to `self` within one run (0 if it is later); `None` across runs.
    pub fn nanos_since(self, earlier: Stamp) -> Option<u64> {
        (self.run == earlier.run).then(|| self.mono_ns.saturating_sub(earlier.mono_ns))
    }

    /// [`Stamp::nanos_since`] in whole milliseconds, rounded down.
    pub fn millis_since(self, earlier: Stamp) -> Option<u64> {
        self.nanos_since(earlier).map(|ns| ns / 1_000_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wall_prints_rfc3339_with_milliseconds() {
        assert_eq!(Wall::from_micros(1_795_303_044_123_456).to_string(), "2026-11-21T23:17:24.123Z");
        assert_eq!(Wall::from_micros(0).to_string(), "1970-01-01T00:00:00.000Z");
    }

    #[test]
    fn a_grid_is_never_early() {
        let grid = Duration::from_millis(1);
        let up = |nanos| Instant::from_nanos(nanos).round_up(grid).as_nanos();
        assert_eq!(
            [up(0), up(1), up(999_999), up(1_000_000), up(1_000_001)],
            [0, 1_000_000, 1_000_000, 1_000_000, 2_000_000]
        );
    }

    #[test]
    fn no_duration_across_runs() {
        let a = Stamp { run: RunId(1), mono_ns: 5, wall_us: 0 };
        let b = Stamp { run: RunId(2), mono_ns: 9_000_000, wall_us: 0 };
        assert_eq!(b.millis_since(a), None);
        assert_eq!(a.millis_since(Stamp { mono_ns: 9, ..a }), Some(0));
    }
}
