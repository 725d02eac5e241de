//! Sources that guess: a leaky bucket for each address, and a pause for whoever fills his.
//!
//! Five wrong passwords within a minute fill it, or two hundred requests that leave our challenge unanswered; a right
//! answer takes back the challenge that it answers, so a room of phones behind one address may start at once.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use crate::clock::Instant;

/// How long a source is not heard.
pub const PAUSE: Duration = Duration::from_secs(600);

/// Sources that are remembered. Beyond it the emptiest bucket makes room: a flood of new addresses cannot wash out the
/// fullest ones.
const SOURCES: usize = 4_096;

const FULL: u32 = 200;
const WRONG: u32 = 40;
const CHALLENGED: u32 = 1;
/// What leaks out in a minute: a bucket that was filled to the brim is empty after it.
const LEAK_PER_MINUTE: u64 = FULL as u64;

/// What a source did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    /// It was challenged, as everybody is at first.
    Challenged,
    Wrong,
    Right,
}

#[derive(Debug, Clone, Default)]
pub struct Lockout {
    sources: BTreeMap<IpAddr, Bucket>,
}

#[derive(Debug, Clone, Copy)]
enum Bucket {
    Filling { level: u32, at: Instant },
    Locked { until: Instant },
}

impl Bucket {
    fn level(self, now: Instant) -> u32 {
        match self {
            Bucket::Filling { level, at } => level.saturating_sub(leaked(at, now)),
            Bucket::Locked { until } if now < until => u32::MAX,
            Bucket::Locked { .. } => 0,
        }
    }
}

fn leaked(at: Instant, now: Instant) -> u32 {
    let millis = u64::try_from(now.since(at).as_millis()).unwrap_or(u64::MAX);
    u32::try_from(millis.saturating_mul(LEAK_PER_MINUTE) / 60_000).unwrap_or(u32::MAX)
}

impl Lockout {
    /// Whether nothing that this source says is to be heard now.
    pub fn is_locked(&self, now: Instant, source: IpAddr) -> bool {
        matches!(self.sources.get(&network(source)), Some(Bucket::Locked { until }) if now < *until)
    }

    /// True if this deed locks its source out.
    pub fn note(&mut self, now: Instant, source: IpAddr, deed: Deed) -> bool {
        let source = network(source);
        let level = self.sources.get(&source).map_or(0, |bucket| bucket.level(now));
        let level = match deed {
            Deed::Challenged => level.saturating_add(CHALLENGED),
            Deed::Wrong => level.saturating_add(WRONG),
            Deed::Right => level.saturating_sub(CHALLENGED),
        };
        if level == 0 {
            self.sources.remove(&source);
            return false;
        }
        let locks = level >= FULL;
        let bucket = if locks { Bucket::Locked { until: now + PAUSE } } else { Bucket::Filling { level, at: now } };
        if !self.sources.contains_key(&source) && self.sources.len() >= SOURCES {
            self.make_room(now);
        }
        self.sources.insert(source, bucket);
        locks
    }

    /// Sources that are remembered.
    pub fn len(&self) -> usize {
        self.sources.len()
    }

    pub fn is_empty(&self) -> bool {
        self.sources.is_empty()
    }

    /// Drops a quarter of the table, emptiest first, so that the work is shared by a thousand newcomers.
    fn make_room(&mut self, now: Instant) {
        let mut levels: Vec<(u32, IpAddr)> =
            self.sources.iter().map(|(source, bucket)| (bucket.level(now), *source)).collect();
        levels.sort_unstable();
        for (_, source) in &levels[..SOURCES / 4] {
            self.sources.remove(source);
        }
    }
}

/// Whoever has one IPv6 address has the /64 around it (RFC 4291 section 2.5.4).
fn network(source: IpAddr) -> IpAddr {
    match source.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64)),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Instant {
        Instant::from_millis(ms)
    }

    fn source(n: u32) -> IpAddr {
        IpAddr::V4(n.into())
    }

    #[test]
    fn five_wrong_answers_in_a_minute_lock_for_ten_minutes() {
        let mut lockout = Lockout::default();
        for n in 0..4 {
            assert!(!lockout.note(at(n), source(1), Deed::Wrong));
        }
        assert!(lockout.note(at(4), source(1), Deed::Wrong));
        assert!(lockout.is_locked(at(600_003), source(1)) && !lockout.is_locked(at(4), source(2)));
        assert!(!lockout.is_locked(at(600_004), source(1)));
        assert!(!lockout.note(at(600_004), source(1), Deed::Wrong), "it begins anew");
    }

    #[test]
    fn a_phone_with_an_old_password_that_tries_every_half_minute_is_not_locked_out() {
        let mut lockout = Lockout::default();
        for n in 0..1_000 {
            assert!(!lockout.note(at(n * 30_000), source(1), Deed::Challenged));
            assert!(!lockout.note(at(n * 30_000 + 10), source(1), Deed::Wrong));
        }
    }

    #[test]
    fn a_room_of_phones_may_start_at_once_but_not_ask_for_ever() {
        let mut lockout = Lockout::default();
        for _ in 0..10 {
            for _ in 0..150 {
                assert!(!lockout.note(at(0), source(1), Deed::Challenged));
            }
            for _ in 0..150 {
                assert!(!lockout.note(at(0), source(1), Deed::Right));
            }
        }
        assert!(lockout.is_empty());
        assert!((0..200).any(|_| lockout.note(at(0), source(1), Deed::Challenged)));
    }

    #[test]
    fn the_table_is_bounded_and_keeps_those_who_are_locked() {
        let mut lockout = Lockout::default();
        (0..5).for_each(|_| {
            lockout.note(at(0), source(7), Deed::Wrong);
        });
        for n in 0..50_000 {
            lockout.note(at(1), source(1_000 + n), Deed::Challenged);
            assert!(lockout.len() <= SOURCES);
        }
        assert!(lockout.is_locked(at(2), source(7)));
    }

    #[test]
    fn a_network_of_ipv6_is_one_source() {
        let mut lockout = Lockout::default();
        let v6 = |text: &str| text.parse::<IpAddr>().unwrap();
        (0..5).for_each(|n| {
            lockout.note(at(0), v6(&format!("2001:db8::{n}")), Deed::Wrong);
        });
        assert!(lockout.is_locked(at(1), v6("2001:db8::ffff:1")));
        assert!(!lockout.is_locked(at(1), v6("2001:db8:0:1::1")));
        (0..5).for_each(|_| {
            lockout.note(at(0), v6("::ffff:192.0.2.1"), Deed::Wrong);
        });
        assert!(lockout.is_locked(at(1), v6("192.0.2.1")));
    }
}
