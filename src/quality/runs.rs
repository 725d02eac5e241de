//! Runs of losses in one sequence of packets: bursts and gaps (RFC 3611 section 4.7.2 and appendix A.2), BurstR (G.107),
//! outages.
//!
//! A *burst* begins and ends with a loss, has at least two, and fewer than [`GMIN`] packets received between any two
//! neighbours. Everything else is *gap*, an isolated loss included. The counts are those of appendix A.2 (c11, c14, c13,
//! c22 + c23, c13 + c23 + c33), but the group that is still open is judged too, and a start without loss is a gap.

use serde::{Deserialize, Serialize};

/// Packets received in a row that end a burst (RFC 3611: the recommended value).
pub const GMIN: u32 = 16;

/// A run of losses is an outage from this length on: two syllables are gone, and no concealment hides that.
pub const OUTAGE_MS: u32 = 200;

/// Counts of one stream; they only grow, so the difference of two is an interval's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Losses {
    /// Packets that were judged: received and lost.
    pub packets: u64,
    pub lost: u64,
    /// Runs of losses.
    pub events: u64,
    /// The longest run, in packets.
    pub longest: u64,
    pub bursts: u64,
    pub burst_lost: u64,
    pub burst_received: u64,
    /// Isolated losses.
    pub gap_lost: u64,
    pub gap_received: u64,
    /// Runs of at least [`OUTAGE_MS`], and their packets.
    pub outages: u64,
    pub outage_lost: u64,
}

impl Losses {
    /// Share lost, 0 to 1.
    pub fn ratio(&self) -> Option<f64> {
        share(self.lost, self.packets)
    }

    /// Mean run of losses over that of random loss of the same rate (G.107); at least 1, and 1 without loss.
    pub fn burst_r(&self) -> f64 {
        let mean = share(self.lost, self.events).unwrap_or(1.0);
        (mean * (1.0 - self.ratio().unwrap_or(0.0))).max(1.0)
    }

    /// Share lost within bursts and within gaps, 0 to 1; RFC 3611 writes 256ths.
    pub fn burst_density(&self) -> f64 {
        share(self.burst_lost, self.burst_lost + self.burst_received).unwrap_or(0.0)
    }

    pub fn gap_density(&self) -> f64 {
        share(self.gap_lost, self.gap_lost + self.gap_received).unwrap_or(0.0)
    }

    /// Mean length of a burst, in packets; 0 without one.
    pub fn burst_packets(&self) -> f64 {
        share(self.burst_lost + self.burst_received, self.bursts).unwrap_or(0.0)
    }

    /// Mean length of a gap, in packets; the loss that ends it counts (appendix A.2). Without a burst the whole stream is one.
    pub fn gap_packets(&self) -> f64 {
        let all = self.gap_lost + self.gap_received;
        share(all + self.bursts, self.bursts).unwrap_or(all as f64)
    }

    /// What came since `earlier`; `longest` is that of the whole.
    #[must_use]
    pub fn since(&self, earlier: &Losses) -> Losses {
        Losses {
            packets: self.packets.saturating_sub(earlier.packets),
            lost: self.lost.saturating_sub(earlier.lost),
            events: self.events.saturating_sub(earlier.events),
            longest: self.longest,
            bursts: self.bursts.saturating_sub(earlier.bursts),
            burst_lost: self.burst_lost.saturating_sub(earlier.burst_lost),
            burst_received: self.burst_received.saturating_sub(earlier.burst_received),
            gap_lost: self.gap_lost.saturating_sub(earlier.gap_lost),
            gap_received: self.gap_received.saturating_sub(earlier.gap_received),
            outages: self.outages.saturating_sub(earlier.outages),
            outage_lost: self.outage_lost.saturating_sub(earlier.outage_lost),
        }
    }
}

fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

/// The machine: told of each packet in the order of sequence numbers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Runs {
    counts: Losses,
    /// Received since the last loss.
    received: u64,
    /// The group of losses that no gap has ended yet, and what was received between them.
    group_lost: u64,
    group_received: u64,
    /// Losses in a row until now.
    run: u64,
    /// From how many on a run is an outage.
    outage_from: u64,
}

impl Runs {
    pub(super) fn new() -> Runs {
        let mut runs =
            Runs { counts: Losses::default(), received: 0, group_lost: 0, group_received: 0, run: 0, outage_from: 0 };
        runs.set_packet_us(20_000);
        runs
    }

    /// How long a packet is.
    pub(super) fn set_packet_us(&mut self, packet_us: u32) {
        self.outage_from = u64::from((OUTAGE_MS * 1_000).div_ceil(packet_us.max(1))).max(2);
    }

    pub(super) fn receive(&mut self) {
        self.end_run();
        self.counts.packets += 1;
        self.received += 1;
    }

    pub(super) fn lose(&mut self) {
        self.counts.packets += 1;
        self.counts.lost += 1;
        self.run += 1;
        if self.group_lost == 0 || self.received >= u64::from(GMIN) {
            self.end_group();
            self.counts.gap_received += self.received;
            (self.group_lost, self.group_received) = (1, 0);
        } else {
            self.group_lost += 1;
            self.group_received += self.received;
        }
        self.received = 0;
    }

    /// The sequence is cut here: what follows has nothing to do with what was before.
    pub(super) fn cut(&mut self) {
        self.end_run();
        self.end_group();
        self.counts.gap_received += std::mem::take(&mut self.received);
    }

    /// The counts, if nothing more came.
    pub(super) fn counts(&self) -> Losses {
        let mut ended = *self;
        ended.cut();
        ended.counts
    }

    fn end_run(&mut self) {
        if self.run == 0 {
            return;
        }
        self.counts.events += 1;
        self.counts.longest = self.counts.longest.max(self.run);
        if self.run >= self.outage_from {
            self.counts.outages += 1;
            self.counts.outage_lost += self.run;
        }
        self.run = 0;
    }

    fn end_group(&mut self) {
        match std::mem::take(&mut self.group_lost) {
            0 => {}
            1 => self.counts.gap_lost += 1,
            lost => {
                self.counts.bursts += 1;
                self.counts.burst_lost += lost;
                self.counts.burst_received += self.group_received;
            }
        }
        self.group_received = 0;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// `x`: lost, a number: so many received.
    fn told(story: &str) -> Losses {
        let mut runs = Runs::new();
        for word in story.split_whitespace() {
            match word.parse::<u64>() {
                Ok(received) => (0..received).for_each(|_| runs.receive()),
                Err(_) => word.chars().for_each(|_| runs.lose()),
            }
        }
        runs.counts()
    }

    #[test]
    fn one_loss_is_a_gap_and_two_near_ones_are_a_burst() {
        let alone = told("100 x 100");
        assert_eq!((alone.bursts, alone.gap_lost, alone.gap_received, alone.events), (0, 1, 200, 1));
        assert_eq!(alone.gap_packets(), 201.0);
        let near = told("100 x 15 x 100");
        assert_eq!((near.bursts, near.burst_lost, near.burst_received, near.gap_received), (1, 2, 15, 200));
        let far = told("100 x 16 x 100");
        assert_eq!((far.bursts, far.gap_lost, far.gap_received), (0, 2, 216));
    }

    /// Counted by hand: 40 received, a burst of 3 lost in 10, 60 received with one loss in them, a burst of 2.
    #[test]
    fn densities_and_lengths() {
        let losses = told("40 xx 7 x 30 x 30 xx 20");
        assert_eq!((losses.packets, losses.lost, losses.events, losses.longest), (133, 6, 4, 2));
        assert_eq!((losses.bursts, losses.burst_lost, losses.burst_received), (2, 5, 7));
        assert_eq!((losses.gap_lost, losses.gap_received), (1, 120));
        assert_eq!(losses.burst_density(), 5.0 / 12.0);
        assert_eq!(losses.gap_density(), 1.0 / 121.0);
        assert_eq!(losses.burst_packets(), 6.0);
        assert_eq!(losses.gap_packets(), 61.5);
    }

    #[test]
    fn a_second_without_packets_is_an_outage() {
        let losses = told(&format!("500 {} 450 xxxxxxxxx 20", "x".repeat(50)));
        assert_eq!((losses.outages, losses.outage_lost, losses.longest), (1, 50, 50));
        assert!(losses.burst_r() > 20.0, "{}", losses.burst_r());
        assert_eq!(told("9 xxxxxxxxxx 9").outages, 1, "200 ms");
    }

    #[test]
    fn burst_r_of_random_loss_is_one() {
        assert_eq!(told("1000").burst_r(), 1.0);
        // Every second packet lost: runs are shorter than random ones.
        assert_eq!(told(&"1 x ".repeat(100)).burst_r(), 1.0);
        assert!((told("10 xxxx 10 xxxx 72").burst_r() - 4.0 * 0.92).abs() < 1e-12);
    }

    /// The density of appendix A.2, from its Markov counters.
    fn density_of_the_appendix(lost: &[bool]) -> Option<f64> {
        let (mut pkt, mut group, mut c22, mut c23, mut c33, mut exits) = (u64::MAX / 2, 0_u64, 0, 0, 0, 0);
        for lost in lost {
            if !lost {
                pkt += 1;
                continue;
            }
            if pkt >= u64::from(GMIN) {
                exits += u64::from(group > 1);
                group = 1;
            } else {
                group += 1;
                match pkt {
                    0 => c33 += 1,
                    _ => (c23, c22) = (c23 + 1, c22 + pkt - 1),
                }
            }
            pkt = 0;
        }
        exits += u64::from(group > 1);
        let lost_in_bursts = (exits + c23 + c33) as f64;
        let p32 = c23 as f64 / lost_in_bursts;
        let p23 = if c22 + c23 == 0 { 1.0 } else { 1.0 - c22 as f64 / (c22 + c23) as f64 };
        (exits > 0).then(|| p23 / (p23 + p32))
    }

    proptest! {
        #[test]
        fn the_parts_add_up_and_the_density_is_that_of_the_appendix(
            lost in proptest::collection::vec(prop_oneof![4 => Just(false), 1 => Just(true)], 0..600), cut in 0..600_usize,
        ) {
            let mut runs = Runs::new();
            let mut then = Losses::default();
            for (n, lost) in lost.iter().enumerate() {
                if n == cut {
                    then = runs.counts();
                }
                if *lost { runs.lose() } else { runs.receive() }
            }
            let all = runs.counts();
            prop_assert_eq!(all.packets, lost.len() as u64);
            prop_assert_eq!(all.lost, lost.iter().filter(|lost| **lost).count() as u64);
            prop_assert_eq!(all.lost, all.burst_lost + all.gap_lost);
            prop_assert_eq!(all.packets - all.lost, all.burst_received + all.gap_received);
            prop_assert!(all.events <= all.lost && all.longest <= all.lost);
            prop_assert_eq!(all.since(&then).lost, all.lost - then.lost);
            if let Some(density) = density_of_the_appendix(&lost) {
                prop_assert!((density - all.burst_density()).abs() < 1e-9, "{} {}", density, all.burst_density());
            }
        }
    }
}
