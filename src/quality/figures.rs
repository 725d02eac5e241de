//! The figures of one direction as people and programs read them: the same names in the call record and in `analyze`.

use serde::{Deserialize, Serialize};

use super::codec::Basis;
use super::measured::Measured;
use super::score::{Delay, Score};

/// Ratios are 0 to 1, times milliseconds. `null`: unknown, or nothing to rate.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Figures {
    /// Received, duplicates excluded.
    pub packets: Option<u64>,
    /// Expected by sequence number and never received.
    pub lost: Option<u64>,
    /// lost / (packets + lost).
    pub loss_ratio: Option<f64>,
    /// RFC 3550 A.8: the estimate at the end.
    pub jitter_ms: Option<f64>,
    /// Mean run of losses over that of random loss (network loss alone).
    pub burst_r: Option<f64>,
    /// Listening quality: rating and mean opinion on `scale`.
    pub r: Option<f64>,
    pub mos: Option<f64>,
    /// `nb`, `wb` or `fb`.
    pub scale: Option<String>,
    #[serde(flatten)]
    pub more: Option<More>,
}

/// What only a full measurement has.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct More {
    /// RFC 3550 A.3, negative after many duplicates.
    pub cumulative_lost: i64,
    pub duplicates: u64,
    pub reordered: u64,
    pub restarts: u64,
    #[serde(default)]
    pub ssrc_changes: u64,
    #[serde(default)]
    pub timestamp_jumps: u64,
    /// Positive: the sender's clock is faster than ours; null: not known well enough.
    #[serde(default)]
    pub drift_ppm: Option<f64>,
    pub packet_ms: Option<f64>,
    pub jitter_mean_ms: f64,
    pub jitter_max_ms: f64,
    /// RFC 3611 with Gmin 16: network loss and what the adaptive buffer would have discarded.
    pub bursts: u64,
    pub burst_density: f64,
    pub burst_ms: f64,
    pub gap_density: f64,
    pub gap_ms: f64,
    /// Runs of network loss of at least 200 ms.
    pub outages: u64,
    pub outage_ms: f64,
    /// The longest run of network loss, outage or not.
    pub longest_loss_ms: f64,
    pub longest_wait_ms: f64,
    /// Packets that came too late for a buffer of fixed 50 ms, fixed 200 ms, adaptive up to 500 ms.
    pub discarded_fixed_50: u64,
    pub discarded_fixed_200: u64,
    pub discarded_adaptive_500: u64,
    /// Conversational quality, with delay.
    pub r_cq: Option<f64>,
    pub mos_cq: Option<f64>,
    pub delay_ms: Option<f64>,
    pub delay: Option<Delay>,
    /// What the score takes the codec to be, and where its figures are from.
    pub codec: Option<String>,
    pub plc_assumed: Option<bool>,
    pub basis: Option<Basis>,
}

impl Figures {
    pub fn of(measured: &Measured, codec: Option<&str>, score: Option<&Score>) -> Figures {
        let heard_something = measured.packets > 0;
        Figures {
            packets: Some(measured.packets),
            lost: Some(measured.lost),
            loss_ratio: measured.loss_ratio(),
            jitter_ms: heard_something.then(|| ms(measured.jitter.last)),
            burst_r: heard_something.then(|| measured.losses.burst_r()),
            r: score.map(|score| score.r_lq),
            mos: score.map(|score| score.mos_lq),
            scale: score.map(|score| score.scale.as_str().to_owned()),
            more: heard_something.then(|| More::of(measured, codec, score)),
        }
    }
}

impl More {
    fn of(measured: &Measured, codec: Option<&str>, score: Option<&Score>) -> More {
        let heard = &measured.heard;
        More {
            cumulative_lost: measured.cumulative_lost,
            duplicates: measured.duplicates,
            reordered: measured.reordered,
            restarts: measured.restarts,
            ssrc_changes: measured.ssrc_changes,
            timestamp_jumps: measured.time_jumps,
            drift_ppm: measured.drift.map(|drift| (drift.ppm * 10.0).round() / 10.0),
            packet_ms: (measured.packet_us > 0).then(|| f64::from(measured.packet_us) / 1_000.0),
            jitter_mean_ms: ms(measured.jitter.mean),
            jitter_max_ms: ms(measured.jitter.max),
            bursts: heard.bursts,
            burst_density: heard.burst_density(),
            burst_ms: measured.millis(heard.burst_packets()),
            gap_density: heard.gap_density(),
            gap_ms: measured.millis(heard.gap_packets()),
            outages: measured.losses.outages,
            outage_ms: measured.millis(measured.losses.outage_lost as f64),
            longest_loss_ms: measured.millis(measured.losses.longest as f64),
            longest_wait_ms: measured.longest_wait_us as f64 / 1_000.0,
            discarded_fixed_50: measured.fixed_short.discarded,
            discarded_fixed_200: measured.fixed_long.discarded,
            discarded_adaptive_500: measured.adaptive.discarded,
            r_cq: score.map(|score| score.r_cq),
            mos_cq: score.map(|score| score.mos_cq),
            delay_ms: score.map(|score| score.delay_ms),
            delay: score.map(|score| score.delay),
            codec: codec.map(str::to_owned),
            plc_assumed: score.map(|score| score.plc),
            basis: score.map(|score| score.basis),
        }
    }
}

fn ms(ns: u64) -> f64 {
    ns as f64 / 1e6
}
