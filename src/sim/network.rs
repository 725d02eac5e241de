//! The virtual network: every datagram takes its time, and bad weather loses, delays, reorders and doubles it, by seed.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::Instant;
use crate::ids::Random;

/// What may happen to a datagram on its way, whichever way it goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Weather {
    pub delay: Duration,
    /// Up to so much is added to the delay, by lot: whoever gets less overtakes.
    pub jitter: Duration,
    /// Of 1,000 datagrams so many are lost.
    pub loss_permille: u32,
    /// Of 1,000 datagrams that arrive so many arrive twice.
    pub doubled_permille: u32,
}

impl Weather {
    /// One millisecond, nothing lost.
    pub const FINE: Weather =
        Weather { delay: Duration::from_millis(1), jitter: Duration::ZERO, loss_permille: 0, doubled_permille: 0 };
}

/// Whether a datagram is lost: who sends it, its text.
pub type Loss = Box<dyn FnMut(SocketAddr, &str) -> bool>;

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Datagram {
    due: Instant,
    /// Of two that are due at once the one that was sent first arrives first.
    serial: u64,
    pub(super) from: SocketAddr,
    pub(super) to: SocketAddr,
    pub(super) bytes: Arc<[u8]>,
}

pub struct Network {
    pub weather: Weather,
    /// Loss by intent, beside that by lot.
    pub loss: Option<Loss>,
    random: Random,
    wire: BinaryHeap<Reverse<Datagram>>,
    serial: u64,
}

impl Network {
    pub(super) fn new(random: Random) -> Network {
        Network { weather: Weather::FINE, loss: None, random, wire: BinaryHeap::new(), serial: 0 }
    }

    pub(super) fn send(&mut self, now: Instant, from: SocketAddr, to: SocketAddr, bytes: &Arc<[u8]>) {
        let meant = self.loss.as_mut().is_some_and(|loss| loss(from, &String::from_utf8_lossy(bytes)));
        if meant || self.hits(self.weather.loss_permille) {
            return;
        }
        let copies = if self.hits(self.weather.doubled_permille) { 2 } else { 1 };
        for _ in 0..copies {
            let jitter_us = u32::try_from(self.weather.jitter.as_micros()).unwrap_or(u32::MAX);
            let jitter = if jitter_us == 0 { 0 } else { self.random.below(jitter_us) };
            let due = now + self.weather.delay + Duration::from_micros(jitter.into());
            self.serial += 1;
            self.wire.push(Reverse(Datagram { due, serial: self.serial, from, to, bytes: Arc::clone(bytes) }));
        }
    }

    pub(super) fn next_at(&self) -> Option<Instant> {
        self.wire.peek().map(|Reverse(datagram)| datagram.due)
    }

    pub(super) fn pop_due(&mut self, now: Instant) -> Option<Datagram> {
        self.next_at().filter(|due| *due <= now)?;
        self.wire.pop().map(|Reverse(datagram)| datagram)
    }

    fn hits(&mut self, permille: u32) -> bool {
        permille > 0 && self.random.below(1_000) < permille
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrivals(weather: Weather) -> Vec<(u64, usize)> {
        let mut network = Network::new(Random::from_number(3));
        network.weather = weather;
        let address = SocketAddr::from(([10, 0, 0, 1], 5060));
        for i in 0..1_000_u64 {
            let bytes = vec![0; usize::try_from(i).unwrap()].into();
            network.send(Instant::from_millis(i), address, address, &bytes);
        }
        let end = Instant::from_millis(10_000);
        std::iter::from_fn(|| network.pop_due(end)).map(|d| (d.due.as_nanos() / 1_000_000, d.bytes.len())).collect()
    }

    #[test]
    fn fine_weather_changes_nothing() {
        let all: Vec<(u64, usize)> = (0..1_000).map(|i| (i + 1, i as usize)).collect();
        assert_eq!(arrivals(Weather::FINE), all);
    }

    #[test]
    fn rough_weather_loses_doubles_and_reorders_by_seed() {
        let ms = Duration::from_millis;
        let rough = Weather { delay: ms(20), jitter: ms(10), loss_permille: 100, doubled_permille: 50 };
        let arrived = arrivals(rough);
        assert_eq!(arrived, arrivals(rough), "the same seed, the same weather");
        assert!((900..980).contains(&arrived.len()), "{}", arrived.len());
        assert!(arrived.windows(2).any(|two| two[0].1 > two[1].1), "nobody overtook");
        assert!(arrived.windows(2).all(|two| two[0].0 <= two[1].0));
        assert!(arrived.iter().all(|(at, sent)| (*sent as u64 + 20..*sent as u64 + 31).contains(at)));
    }
}
