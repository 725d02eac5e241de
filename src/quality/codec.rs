//! What codecs cost on the E-model's scales: impairment, robustness against loss, and where each figure is from.

use super::emodel::Scale;

/// How far a row of the table may be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// A recommendation's figure, held against a second source.
    Standard,
    /// As many implementations have it; the recommendation's own table was not at hand.
    Provisional,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Impairment {
    /// The encoding name of SDP, for a codec of several rates with `/` and the rate in kbit/s.
    pub codec: &'static str,
    /// Whether the receiver conceals lost packets in the manner of G.711 appendix I; codecs that conceal by themselves
    /// have only this row.
    pub plc: bool,
    pub scale: Scale,
    /// Ie.
    pub ie: f64,
    /// Bpl; `None`: not published, so with loss there is no score.
    pub bpl: Option<f64>,
    pub basis: Basis,
    pub source: &'static str,
}

const APP_I: &str = "G.113 appendix I";
const TABLE_I_2: &str = "G.113 table I.2";
const APP_IV: &str = "G.113 (09/2024) tables IV.3 and IV.4";
const APP_V: &str = "G.113 appendix V";
const COMMON: &str = "common practice";

/// Codecs that are not here get no score: a guess would look like a measurement.
pub const TABLE: &[Impairment] = &[
    nb("PCMU", true, 0.0, Some(25.1), Basis::Provisional, APP_I),
    nb("PCMA", true, 0.0, Some(25.1), Basis::Provisional, APP_I),
    nb("PCMU", false, 0.0, Some(4.3), Basis::Provisional, APP_I),
    nb("PCMA", false, 0.0, Some(4.3), Basis::Provisional, APP_I),
    // G.729A with VAD; plain G.729 (Ie 10) has no Bpl of its own and does not differ in SDP.
    nb("G729", true, 11.0, Some(19.0), Basis::Standard, TABLE_I_2),
    nb("G723", true, 15.0, Some(16.1), Basis::Standard, TABLE_I_2),
    nb("GSM-EFR", true, 5.0, Some(10.0), Basis::Provisional, COMMON),
    wb("G722", 13.0, None, Basis::Provisional, COMMON),
    wb("AMR-WB/6.6", 56.0, None, Basis::Standard, APP_IV),
    wb("AMR-WB/8.85", 41.0, None, Basis::Standard, APP_IV),
    wb("AMR-WB/12.65", 20.0, Some(4.3), Basis::Standard, APP_IV),
    wb("AMR-WB/15.85", 17.0, None, Basis::Standard, APP_IV),
    wb("AMR-WB/23.05", 8.0, Some(4.6), Basis::Standard, APP_IV),
    wb("AMR-WB/23.85", 10.0, Some(4.9), Basis::Standard, APP_IV),
    fb("EVS/9.6", 22.7, Some(13.0), Basis::Standard, APP_V),
    fb("EVS/13.2", 17.1, Some(11.7), Basis::Standard, APP_V),
    fb("EVS/16.4", 10.8, Some(10.3), Basis::Standard, APP_V),
    fb("EVS/24.4", 7.2, Some(11.4), Basis::Standard, APP_V),
    fb("EVS/32", 8.7, Some(9.3), Basis::Standard, APP_V),
    fb("EVS/48", 10.2, Some(9.6), Basis::Standard, APP_V),
];

const fn nb(
    codec: &'static str,
    plc: bool,
    ie: f64,
    bpl: Option<f64>,
    basis: Basis,
    source: &'static str,
) -> Impairment {
    Impairment { codec, plc, scale: Scale::Nb, ie, bpl, basis, source }
}

const fn wb(codec: &'static str, ie: f64, bpl: Option<f64>, basis: Basis, source: &'static str) -> Impairment {
    Impairment { codec, plc: true, scale: Scale::Wb, ie, bpl, basis, source }
}

const fn fb(codec: &'static str, ie: f64, bpl: Option<f64>, basis: Basis, source: &'static str) -> Impairment {
    Impairment { codec, plc: true, scale: Scale::Fb, ie, bpl, basis, source }
}

/// The row of an encoding name, any case. `plc` chooses where there are both.
pub fn impairment(codec: &str, plc: bool) -> Option<&'static Impairment> {
    let rows = || TABLE.iter().filter(|row| row.codec.eq_ignore_ascii_case(codec));
    rows().find(|row| row.plc == plc).or_else(|| rows().next())
}

/// Encoding name and clock rate of a static payload type (RFC 3551 tables 4 and 5); audio only.
pub fn of_payload_type(payload_type: u8) -> Option<(&'static str, u32)> {
    Some(match payload_type {
        0 => ("PCMU", 8_000),
        3 => ("GSM", 8_000),
        4 => ("G723", 8_000),
        5 => ("DVI4", 8_000),
        6 => ("DVI4", 16_000),
        7 => ("LPC", 8_000),
        8 => ("PCMA", 8_000),
        // The clock is 8,000 Hz although the sampling rate is 16,000 (RFC 3551 section 4.5.2).
        9 => ("G722", 8_000),
        10 | 11 => ("L16", 44_100),
        12 => ("QCELP", 8_000),
        13 | 19 => ("CN", 8_000),
        15 => ("G728", 8_000),
        16 => ("DVI4", 11_025),
        17 => ("DVI4", 22_050),
        18 => ("G729", 8_000),
        _ => return None,
    })
}
