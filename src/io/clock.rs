//! The clock of a run: where [`Now`] comes from.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::clock::{Instant, Now, Wall};

/// Older receive stamps than this are a clock that was set, not a packet that waited.
const MAX_WAIT: Duration = Duration::from_secs(10);

/// Made once, at the start of the process, and copied to whoever reads the time.
#[derive(Debug, Clone, Copy)]
pub struct RunClock(std::time::Instant);

impl RunClock {
    /// The run begins now.
    #[expect(clippy::disallowed_methods, reason = "the clock that everybody else takes as an argument")]
    pub fn start() -> Self {
        RunClock(std::time::Instant::now())
    }

    #[expect(clippy::disallowed_methods, reason = "the clock that everybody else takes as an argument")]
    pub fn now(&self) -> Now {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let mono = u64::try_from(self.0.elapsed().as_nanos()).unwrap_or(u64::MAX);
        Now {
            mono: Instant::from_nanos(mono),
            wall: Wall::from_micros(i64::try_from(wall.as_micros()).unwrap_or(i64::MAX)),
        }
    }
}

/// When a packet came, by its kernel stamp on the wall clock. Stamps from the future or from long ago mean that the
/// wall clock was set meanwhile: then it came just now.
pub fn arrival(now: Now, stamp: Wall) -> Now {
    let ago = now.wall.as_micros().saturating_sub(stamp.as_micros());
    match u64::try_from(ago).map(Duration::from_micros) {
        Ok(ago) if ago <= MAX_WAIT && ago <= now.mono.since(Instant::START) => {
            Now { mono: now.mono - ago, wall: stamp }
        }
        _ => now,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_is_moved_to_the_monotonic_clock() {
        let now = Now { mono: Instant::from_millis(1_000), wall: Wall::from_micros(9_000_000) };
        let came = arrival(now, Wall::from_micros(8_999_250));
        assert_eq!(came, Now { mono: Instant::from_nanos(999_250_000), wall: Wall::from_micros(8_999_250) });
        for set in [9_000_001, -5_000_000, 7_999_999] {
            assert_eq!(arrival(now, Wall::from_micros(set)), now);
        }
    }
}
