//! The E-model's rating of what was measured. Every score names its scale, its codec's row and whether its delay was
//! measured; what cannot be rated has none.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::burst;
use super::codec::{self, Basis};
use super::emodel::{Connection, Scale, fullband, wideband};
use super::measured::Measured;
use super::runs::Losses;

/// One way through the network where no round trip is known, in milliseconds: a national network's.
pub const ASSUMED_NETWORK_MS: f64 = 50.0;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Delay {
    /// The network's part is half of a round trip that RTCP told.
    Measured,
    /// The network's part is [`ASSUMED_NETWORK_MS`].
    Assumed,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Score {
    pub scale: Scale,
    /// Listening: loss, discards and codec, no delay.
    pub r_lq: f64,
    pub mos_lq: f64,
    /// Conversation: with delay and (narrowband) the echo of default telephones.
    pub r_cq: f64,
    pub mos_cq: f64,
    pub ie_eff: f64,
    /// Lost and discarded, in percent, and their BurstR, both as they were rated.
    pub loss_percent: f64,
    pub burst_r: f64,
    /// Mouth to ear, one way: network, buffer, packet.
    pub delay_ms: f64,
    pub delay: Delay,
    /// Whether the listener's phone is taken to conceal losses.
    pub plc: bool,
    pub basis: Basis,
    pub source: &'static str,
}

/// Rates a direction whose sound is `codec` (its encoding name). `None`: the codec has no figures, or none under loss,
/// or nothing arrived.
pub fn score(measured: &Measured, codec: &str, plc: bool, round_trip: Option<Duration>) -> Option<Score> {
    rate(&measured.heard, measured.packet_us, measured.adaptive.delay_us, codec, plc, round_trip)
}

fn rate(
    heard: &Losses,
    packet_us: u32,
    buffer_us: u64,
    codec: &str,
    plc: bool,
    round_trip: Option<Duration>,
) -> Option<Score> {
    let row = codec::impairment(codec, plc)?;
    let ratio = heard.ratio()?;
    if heard.lost == heard.packets {
        return None;
    }
    let (loss_percent, burst_r) = (ratio * 100.0, heard.burst_r());
    let ie_eff = match row.bpl {
        Some(bpl) => burst::impairment(row.ie, bpl, heard),
        None if heard.lost == 0 => row.ie,
        None => return None,
    };
    let (network_ms, delay) = match round_trip {
        Some(round_trip) => (round_trip.as_secs_f64() * 500.0, Delay::Measured),
        None => (ASSUMED_NETWORK_MS, Delay::Assumed),
    };
    let delay_ms = network_ms + buffer_us as f64 / 1_000.0 + f64::from(packet_us) / 1_000.0;
    let r = |ta_ms: f64| match row.scale {
        Scale::Nb => Connection { ie_eff, ..Connection::delayed(ta_ms) }.rating().r,
        Scale::Wb => wideband(ta_ms, ie_eff),
        Scale::Fb => fullband(ta_ms, ie_eff),
    };
    let (r_lq, r_cq) = (r(0.0).max(0.0), r(delay_ms).max(0.0));
    Some(Score {
        scale: row.scale,
        r_lq,
        mos_lq: row.scale.mos(r_lq),
        r_cq,
        mos_cq: row.scale.mos(r_cq),
        ie_eff,
        loss_percent,
        burst_r,
        delay_ms,
        delay,
        plc: row.plc,
        basis: row.basis,
        source: row.source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(lost: u64, events: u64) -> Measured {
        let heard = Losses { packets: 1_000, lost, events, ..Losses::default() };
        Measured { heard, packet_us: 20_000, ..Measured::default() }
    }

    #[test]
    fn five_percent_of_random_loss() {
        let score = score(&measured(50, 50), "pcma", true, Some(Duration::from_millis(160))).unwrap();
        assert!((score.r_lq - 77.425).abs() < 0.001 && (score.mos_lq - 3.923).abs() < 0.001, "{score:?}");
        assert_eq!((score.delay_ms, score.delay), (100.0, Delay::Measured));
        let cost = Connection::default().rating().r - Connection::delayed(100.0).rating().r;
        assert!((score.r_lq - score.r_cq - cost).abs() < 1e-9);
    }

    #[test]
    fn no_score_where_nothing_is_known() {
        assert_eq!(score(&measured(0, 0), "opus", true, None), None, "no row");
        assert_eq!(score(&Measured::default(), "PCMA", true, None), None, "no packet");
        assert_eq!(score(&measured(1_000, 1), "PCMA", true, None), None, "nothing was heard");
        let clean = score(&measured(0, 0), "G722", true, None).unwrap();
        assert_eq!((clean.scale, clean.delay, clean.basis), (Scale::Wb, Delay::Assumed, Basis::Provisional));
        assert_eq!(score(&measured(1, 1), "G722", true, None), None, "no Bpl");
    }
}
