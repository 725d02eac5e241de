//! What the tests share: the real binary on ports of its own, SIPp around it, voices, a capture of the wire.
//!
//! Every figure here is taken outside of the gateway: by SIPp, by the kernel's stamps, by `tshark`, by `sox`.
#![allow(dead_code, reason = "each test file uses its own part of this")]
#![allow(clippy::disallowed_methods, reason = "the tests stand outside the gateway and have clocks of their own")]
#![allow(clippy::print_stderr, clippy::print_stdout, reason = "the test runner shows it when a test fails")]

pub(crate) mod api;
pub(crate) mod bench;
pub(crate) mod browser;
pub(crate) mod capture;
pub(crate) mod carrier;
pub(crate) mod child;
pub(crate) mod impaired;
pub(crate) mod phone;
pub(crate) mod ports;
pub(crate) mod prometheus;
pub(crate) mod relay;
pub(crate) mod s3;
pub(crate) mod sipp;
pub(crate) mod softphone;
pub(crate) mod sound;
pub(crate) mod stream;
pub(crate) mod voice;

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

#[allow(unused_imports, reason = "each test file uses its own part of this")]
pub(crate) use bench::{Bench, Gateway, HOTLINE_NUMBER, RecordExt};
#[allow(unused_imports, reason = "the demo needs none")]
pub(crate) use sipp::Sipp;

/// Microseconds since 1970.
pub(crate) fn wall_us() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970");
    i64::try_from(since.as_micros()).expect("a clock before the year 294000")
}

/// The beat of every polling loop here.
pub(crate) fn beat() {
    std::thread::sleep(Duration::from_millis(10));
}

/// Polls until `probe` gives something; panics after `limit` with what was waited for.
pub(crate) fn until<T>(what: &str, limit: Duration, mut probe: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(found) = probe() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited {limit:?} for {what}");
        beat();
    }
}

/// A line for whoever reads the test's output.
pub(crate) fn say(line: &str) {
    println!("{line}");
}

pub(crate) fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// `value` lies in `range`, or a message that says what it should have been.
#[track_caller]
pub(crate) fn within(what: &str, value: i64, range: std::ops::RangeInclusive<i64>) {
    assert!(range.contains(&value), "{what} = {value}, expected {} to {}", range.start(), range.end());
}
