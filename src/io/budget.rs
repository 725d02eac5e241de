//! How many messages are taken: token buckets for each source and for all, so that no one's flood costs the others their turn.
//!
//! A bucket is one instant: when it will be full again. A message moves it by the share of a second that it costs; one that
//! would move it further ahead than the burst allows is refused. Trunks draw on a share of their own. Strangers get
//! here only with REGISTER, where agents have passwords, and have a small share and a table of their own.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::mailbox::Lane;
use crate::clock::Instant;
use crate::limits::{self, Rate};
use crate::metrics::SipRejection;

#[derive(Debug, Default)]
pub(super) struct Budgets {
    shares: Mutex<Shares>,
}

#[derive(Debug, Default)]
struct Shares {
    trunks: Share,
    others: Share,
    strangers: Share,
}

/// A bucket for all sources of a kind and one for each of them.
#[derive(Debug, Default)]
struct Share {
    all: Bucket,
    by_source: BTreeMap<IpAddr, Bucket>,
    /// For sources that the table has no room for.
    rest: Bucket,
    swept: Instant,
}

/// When it is full again.
#[derive(Debug, Default, Clone, Copy)]
struct Bucket(Instant);

impl Budgets {
    /// Whether one more message of this source is to be taken; if not, why.
    pub(super) fn take(&self, now: Instant, source: IpAddr, lane: Lane) -> Result<(), SipRejection> {
        let mut shares = self.shares.lock().unwrap_or_else(PoisonError::into_inner);
        match lane {
            Lane::Trunk => shares.trunks.take(now, source, limits::TRUNK_RATE, limits::TRUNKS_RATE),
            Lane::Other => shares.others.take(now, source, limits::SOURCE_RATE, limits::OTHERS_RATE),
            Lane::Register => shares.strangers.take(now, source, limits::REGISTER_RATE, limits::REGISTERS_RATE),
        }
    }
}

impl Share {
    fn take(&mut self, now: Instant, source: IpAddr, each: Rate, all: Rate) -> Result<(), SipRejection> {
        let own = *self.bucket(now, source);
        let Some(own) = own.after(now, each) else { return Err(SipRejection::SourceRate) };
        let Some(whole) = self.all.after(now, all) else { return Err(SipRejection::TotalRate) };
        (*self.bucket(now, source), self.all) = (own, whole);
        Ok(())
    }

    fn bucket(&mut self, now: Instant, source: IpAddr) -> &mut Bucket {
        let key = source_of(source);
        if !self.by_source.contains_key(&key) && self.by_source.len() >= limits::BUDGETED_SOURCES {
            // A full bucket says nothing; looking for them is work, so not for each message.
            if now.since(self.swept) >= Duration::from_secs(1) {
                self.swept = now;
                self.by_source.retain(|_, bucket| bucket.0 > now);
            }
            if self.by_source.len() >= limits::BUDGETED_SOURCES {
                return &mut self.rest;
            }
        }
        self.by_source.entry(key).or_default()
    }
}

impl Bucket {
    /// The bucket with one message taken out of it; `None` if there is none in it.
    fn after(self, now: Instant, rate: Rate) -> Option<Bucket> {
        let full_at = self.0.max(now) + Duration::from_secs(1) / rate.per_second;
        (full_at.since(now) <= Duration::from_secs(1) / rate.per_second * rate.burst).then_some(Bucket(full_at))
    }
}

/// Whom an address stands for: an IPv4 address, or a network of 64 bits, which one host may have all to itself.
pub(super) fn source_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.into(),
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(budgets: &Budgets, now: Instant, source: &str, lane: Lane, tries: u32) -> (u32, Option<SipRejection>) {
        let source = source.parse().unwrap();
        let refused = (0..tries).map(|_| budgets.take(now, source, lane)).filter_map(Result::err).collect::<Vec<_>>();
        (tries - u32::try_from(refused.len()).unwrap(), refused.first().copied())
    }

    #[test]
    fn a_source_spends_its_own_budget_and_trunks_have_theirs() {
        let budgets = Budgets::default();
        let (burst, rate) = (limits::SOURCE_RATE.burst, limits::SOURCE_RATE.per_second);
        let spent = taken(&budgets, Instant::START, "192.0.2.1", Lane::Other, burst + 50);
        assert_eq!(spent, (burst, Some(SipRejection::SourceRate)));
        assert_eq!(taken(&budgets, Instant::START, "192.0.2.2", Lane::Other, 50), (50, None));
        assert_eq!(taken(&budgets, Instant::START, "192.0.2.1", Lane::Trunk, 50), (50, None));
        // Half a second later half a second's worth is there again, after a long rest no more than the burst.
        let half = Instant::from_millis(500);
        assert_eq!(taken(&budgets, half, "192.0.2.1", Lane::Other, rate).0, rate / 2);
        assert_eq!(taken(&budgets, Instant::from_millis(3_600_000), "192.0.2.1", Lane::Other, burst + 9).0, burst);
    }

    #[test]
    fn many_sources_together_spend_the_budget_of_all_and_leave_the_trunks_theirs() {
        let budgets = Budgets::default();
        let (mut sum, mut reasons) = (0, Vec::new());
        for n in 0..40_u8 {
            let (taken, why) = taken(&budgets, Instant::START, &format!("198.51.100.{n}"), Lane::Other, 1_000);
            sum += taken;
            reasons.extend(why);
        }
        assert_eq!(sum, limits::OTHERS_RATE.burst);
        assert!(reasons.iter().all(|why| *why == SipRejection::TotalRate) && !reasons.is_empty());
        assert_eq!(taken(&budgets, Instant::START, "192.0.2.9", Lane::Trunk, 1_000), (1_000, None));
    }

    #[test]
    fn the_table_is_bounded() {
        let mut share = Share::default();
        let each = Rate { per_second: 1, burst: 1_000 };
        let all = Rate { per_second: 1_000_000, burst: 1_000_000 };
        let sources = u32::try_from(limits::BUDGETED_SOURCES).unwrap();
        for n in 0..sources + 500 {
            assert_eq!(share.take(Instant::START, IpAddr::from(n.to_be_bytes()), each, all), Ok(()));
        }
        assert_eq!(share.by_source.len(), limits::BUDGETED_SOURCES);
        // The 500 share one bucket, and those after them too until an entry is of no more use.
        let next = IpAddr::from((sources + 900).to_be_bytes());
        let left = (0..1_000).filter(|_| share.take(Instant::START, next, each, all).is_ok()).count();
        assert_eq!(left, 500);
        assert_eq!(share.take(Instant::from_millis(2_000), next, each, all), Ok(()));
        assert_eq!(share.by_source.len(), 1);
    }

    #[test]
    fn a_network_of_64_bits_is_one_source() {
        let of = |text: &str| source_of(text.parse().unwrap());
        assert_eq!(of("2001:db8::1"), of("2001:db8::ffff:1"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
        assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
    }
}
