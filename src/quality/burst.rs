//! What losses in runs cost: Ie,eff of G.107, held so that it never falls when one more packet is lost.
//!
//! The formula by itself does: where much is lost in long runs, one more isolated loss makes the mean run shorter (and beyond a
//! half, any loss lowers 1 − Ppl in BurstR), and BurstR falls faster than Ppl rises. So a stream is never rated better than the
//! same stream without some of its isolated losses, nor than one with fewer packets lost in as many runs. Where that changes
//! nothing (all streams that lose less than Bpl percent) the figure is the formula's.

use super::emodel::{BURST_R_MAX, ie_eff};
use super::runs::Losses;

/// Ie,eff of these losses.
pub(super) fn impairment(ie: f64, bpl: f64, losses: &Losses) -> f64 {
    let packets = losses.packets.max(1) as f64;
    (0..losses.events.max(1)).fold(0.0, |worst: f64, fewer| {
        let (lost, events) = (losses.lost.saturating_sub(fewer) as f64, losses.events.saturating_sub(fewer) as f64);
        worst.max(most_up_to(ie, bpl, lost / packets, events / packets))
    })
}

/// The most that any share up to `lost`, lost in `events` runs a packet, costs.
fn most_up_to(ie: f64, bpl: f64, lost: f64, events: f64) -> f64 {
    let of = |share: f64| {
        let burst_r = if events > 0.0 { share * (1.0 - share) / events } else { 1.0 };
        ie_eff(ie, bpl, share * 100.0, burst_r)
    };
    // Between BurstR 1 and its bound the cost rises to one maximum and falls again; at both it only rises.
    let runs = events * 100.0;
    let turn = (bpl + runs - ((bpl + runs) * runs).sqrt()) / bpl;
    let bound = (1.0 + (1.0 - 4.0 * BURST_R_MAX * events).max(0.0).sqrt()) / 2.0;
    [lost, turn.min(lost), bound.min(lost)].into_iter().map(of).fold(0.0, f64::max)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::clock::Instant;
    use crate::protocol::rtp::Header;
    use crate::quality::{Kind, StreamMeter, score};

    fn losses(packets: u64, lost: u64, events: u64) -> Losses {
        Losses { packets, lost, events, ..Losses::default() }
    }

    #[test]
    fn it_is_the_formula_where_that_never_falls() {
        for (lost, events) in [(0, 0), (1, 1), (20, 20), (20, 10), (100, 40), (200, 30)] {
            let losses = losses(1_000, lost, events);
            let plain = ie_eff(0.0, 25.1, lost as f64 / 10.0, losses.burst_r());
            assert!((impairment(0.0, 25.1, &losses) - plain).abs() < 1e-9, "{lost} in {events}");
        }
    }

    #[test]
    fn no_count_of_losses_is_rated_better_than_a_smaller_one() {
        for bpl in [4.3, 10.0, 25.1] {
            for packets in [10, 60] {
                for lost in 0..packets {
                    for events in u64::from(lost > 0)..=lost.min(packets - lost + 1) {
                        let now = impairment(0.0, bpl, &losses(packets, lost, events));
                        for more in [events.saturating_sub(1).max(1), events.max(1), events + 1] {
                            let then = impairment(0.0, bpl, &losses(packets, lost + 1, more));
                            assert!(then >= now - 1e-9, "{lost} in {events}, then in {more} of {packets}, Bpl {bpl}");
                        }
                    }
                }
            }
        }
    }

    /// R and MOS of a stream of which these packets never come.
    fn rated(lost: &[bool]) -> Option<(f64, f64)> {
        let mut meter = StreamMeter::new(8_000);
        for n in (0..lost.len()).filter(|n| !lost[*n]) {
            let (sequence, timestamp) = (n as u16, n as u32 * 160);
            let header = Header { payload_type: 8, marker: false, sequence, timestamp, ssrc: 1 };
            meter.handle(Instant::from_millis(n as u64 * 20), &header, Kind::Audio, 160);
        }
        score(&meter.result(), "PCMA", true, None).map(|score| (score.r_lq, score.mos_lq))
    }

    proptest! {
        #[test]
        fn one_more_lost_packet_never_makes_a_stream_better(
            runs in proptest::collection::vec((1..40_usize, 0..25_usize), 1..20), which: prop::sample::Index,
        ) {
            let mut lost = vec![false];
            for (received, gone) in runs {
                lost.extend(vec![false; received]);
                lost.extend(vec![true; gone]);
            }
            lost.push(false);
            let before = rated(&lost);
            let inner: Vec<usize> = (1..lost.len() - 1).filter(|n| !lost[*n]).collect();
            lost[inner[which.index(inner.len())]] = true;
            let ((r, mos), (r_after, mos_after)) = (before.unwrap(), rated(&lost).unwrap());
            prop_assert!(r_after <= r + 1e-9 && mos_after <= mos + 1e-9, "{r} {r_after}, {mos} {mos_after}");
        }
    }
}
