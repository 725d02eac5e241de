//! Voice quality reports (RFC 6035): the body `application/vq-rtcpxr` that phones PUBLISH at the end of a call.
//!
//! Read with tolerance: phones differ in case, line ends, colons and in how they write an SSRC. What a phone says is kept
//! as it says it, beside our own figures; 127 and 65,535 mean that it does not know.

use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};

/// A report has some twenty short lines.
const LONGEST: usize = 16_384;
const LINES: usize = 200;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Session,
    Interval,
    Alert,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    pub kind: Kind,
    /// Of the call that is reported on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call_id: Option<String>,
    /// Where the reporter heard and was heard from.
    pub local: Option<End>,
    pub remote: Option<End>,
    /// Of the stream that the reporter received.
    pub heard: Metrics,
    /// Of the stream that it sent, as its peer told it.
    pub sent: Option<Metrics>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    pub address: Option<SocketAddr>,
    pub ssrc: Option<u32>,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Metrics {
    /// The encoding name of `SessionDesc`.
    pub codec: Option<String>,
    /// Percent of packets lost by the network, discarded by the jitter buffer.
    pub loss_percent: Option<f64>,
    pub discard_percent: Option<f64>,
    /// Percent lost within bursts and gaps, and their lengths.
    pub burst_loss_percent: Option<f64>,
    pub burst_ms: Option<f64>,
    pub gap_loss_percent: Option<f64>,
    pub gap_ms: Option<f64>,
    pub round_trip_ms: Option<f64>,
    pub end_system_ms: Option<f64>,
    pub one_way_ms: Option<f64>,
    /// RFC 3550.
    pub jitter_ms: Option<f64>,
    pub buffer_nominal_ms: Option<f64>,
    pub signal_dbm0: Option<f64>,
    pub noise_dbm0: Option<f64>,
    pub rerl_db: Option<f64>,
    pub r_lq: Option<f64>,
    pub r_cq: Option<f64>,
    pub mos_lq: Option<f64>,
    pub mos_cq: Option<f64>,
}

/// Whether a Content-Type names such a report.
pub fn is_report(content_type: &str) -> bool {
    content_type.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/vq-rtcpxr"))
}

/// `None` if the body is no report.
pub fn parse(body: &[u8]) -> Option<Report> {
    let text = String::from_utf8_lossy(&body[..body.len().min(LONGEST)]);
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty()).take(LINES);
    let kind = kind(lines.next()?)?;
    let (mut report, mut of_sent) =
        (Report { kind, call_id: None, local: None, remote: None, heard: Metrics::default(), sent: None }, false);
    for line in lines {
        let (name, value) = line.split_once(':').map_or((line, ""), |(name, value)| (name.trim(), value.trim()));
        match name.to_ascii_lowercase().as_str() {
            "localmetrics" => of_sent = false,
            "remotemetrics" => of_sent = true,
            "callid" => report.call_id = Some(value.to_owned()),
            "localaddr" => report.local = Some(end(value)),
            "remoteaddr" => report.remote = Some(end(value)),
            name => {
                let metrics = if of_sent { report.sent.get_or_insert_default() } else { &mut report.heard };
                metrics.read(name, value);
            }
        }
    }
    Some(report)
}

fn kind(line: &str) -> Option<Kind> {
    let word = line.split([':', ' ']).next()?.to_ascii_lowercase();
    Some(match word.as_str() {
        "vqsessionreport" => Kind::Session,
        "vqintervalreport" => Kind::Interval,
        "vqalertreport" => Kind::Alert,
        _ => return None,
    })
}

/// `NAME=value` pairs; a value in quotes may hold spaces, which no value that we read does.
fn pairs(line: &str) -> impl Iterator<Item = (String, &str)> {
    let split = |pair: &'_ str| pair.split_once('=').map(|(n, v)| (n.to_ascii_uppercase(), v.len()));
    line.split_ascii_whitespace()
        .filter_map(move |pair| split(pair).map(|(name, length)| (name, pair[pair.len() - length..].trim_matches('"'))))
}

fn end(line: &str) -> End {
    let (mut ip, mut port, mut ssrc) = (None, None, None);
    for (name, value) in pairs(line) {
        match name.as_str() {
            "IP" => ip = value.trim_matches(['[', ']']).parse::<IpAddr>().ok(),
            "PORT" => port = value.parse::<u16>().ok(),
            "SSRC" => ssrc = parse_ssrc(value),
            _ => {}
        }
    }
    End { address: ip.zip(port).map(|(ip, port)| SocketAddr::new(ip, port)), ssrc }
}

/// Decimal, or hexadecimal with or without `0x`. Ten digits that fit are decimal; eight are what `%08x` prints.
fn parse_ssrc(text: &str) -> Option<u32> {
    if let Some(hex) = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        return u32::from_str_radix(hex, 16).ok();
    }
    if text.len() != 8 && text.bytes().all(|b| b.is_ascii_digit()) {
        return text.parse().ok();
    }
    u32::from_str_radix(text, 16).ok().or_else(|| text.parse().ok())
}

impl Metrics {
    fn read(&mut self, line: &str, value: &str) {
        for (name, text) in pairs(value) {
            let number = text.parse::<f64>().ok().filter(|n| n.is_finite() && *n != 127.0 && *n != 65_535.0);
            let slot = match (line, name.as_str()) {
                ("sessiondesc", "PD") => {
                    self.codec = Some(text.to_owned());
                    continue;
                }
                ("packetloss", "NLR") => &mut self.loss_percent,
                ("packetloss", "JDR") => &mut self.discard_percent,
                ("burstgaploss", "BLD") => &mut self.burst_loss_percent,
                ("burstgaploss", "BD") => &mut self.burst_ms,
                ("burstgaploss", "GLD") => &mut self.gap_loss_percent,
                ("burstgaploss", "GD") => &mut self.gap_ms,
                ("delay", "RTD") => &mut self.round_trip_ms,
                ("delay", "ESD") => &mut self.end_system_ms,
                ("delay", "OWD" | "SOWD") => &mut self.one_way_ms,
                ("delay", "IAJ") => &mut self.jitter_ms,
                ("jitterbuffer", "JBN") => &mut self.buffer_nominal_ms,
                ("signal", "SL") => &mut self.signal_dbm0,
                ("signal", "NL") => &mut self.noise_dbm0,
                ("signal", "RERL") => &mut self.rerl_db,
                ("qualityest", "RLQ") => &mut self.r_lq,
                ("qualityest", "RCQ") => &mut self.r_cq,
                ("qualityest", "MOSLQ") => &mut self.mos_lq,
                ("qualityest", "MOSCQ") => &mut self.mos_cq,
                _ => continue,
            };
            *slot = number.or(*slot);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// In the manner of RFC 6035 section 4.8.
    const SESSION: &str = "VQSessionReport: CallTerm\r\nCallID: 12345@example.com\r\nLocalID: <sip:1@example.com>\r\n\
        RemoteID: <sip:2@example.com>\r\nOrigID: <sip:1@example.com>\r\nLocalGroup: a\r\n\
        LocalAddr: IP=192.0.2.1 PORT=5000 SSRC=2468\r\nRemoteAddr: IP=[2001:db8::1] PORT=5002 SSRC=0xCAFE0001\r\n\
        LocalMetrics:\r\nTimestamps: START=2026-11-21T18:23:43Z STOP=2026-11-21T18:26:02Z\r\n\
        SessionDesc: PT=18 PD=G729 SR=8000 FD=20 FO=20 FPP=2 PPS=50 FMTP=\"annexb=no\" PLC=3 SSUP=on\r\n\
        JitterBuffer: JBA=3 JBR=2 JBN=40 JBM=80 JBX=120\r\nPacketLoss: NLR=5.0 JDR=2.0\r\n\
        BurstGapLoss: BLD=0 BD=0 GLD=2.0 GD=500 GMIN=16\r\nDelay: RTD=200 ESD=140 SOWD=200 IAJ=2 MAJ=10\r\n\
        Signal: SL=-18 NL=-50 RERL=55\r\nQualityEst: RLQ=90 RCQ=85 EXTRI=90 MOSLQ=4.2 MOSCQ=4.3 QoEEstAlg=P.564\r\n\
        RemoteMetrics:\r\nPacketLoss: NLR=1.5 JDR=0\r\nDialogID: 1@x;to-tag=a;from-tag=b\r\n";

    #[test]
    fn a_session_report() {
        let report = parse(SESSION.as_bytes()).unwrap();
        assert_eq!((report.kind, report.call_id.as_deref()), (Kind::Session, Some("12345@example.com")));
        let local = End { address: "192.0.2.1:5000".parse().ok(), ssrc: Some(2_468) };
        assert_eq!(report.local, Some(local));
        assert_eq!(report.remote.unwrap().ssrc, Some(0xcafe_0001));
        let heard = &report.heard;
        assert_eq!(
            (heard.codec.as_deref(), heard.loss_percent, heard.discard_percent),
            (Some("G729"), Some(5.0), Some(2.0))
        );
        assert_eq!((heard.gap_ms, heard.round_trip_ms, heard.jitter_ms), (Some(500.0), Some(200.0), Some(2.0)));
        assert_eq!((heard.signal_dbm0, heard.r_lq, heard.mos_cq), (Some(-18.0), Some(90.0), Some(4.3)));
        assert_eq!(report.sent.unwrap().loss_percent, Some(1.5));
    }

    #[test]
    fn what_phones_write_instead() {
        let text = "VQSessionReport\nTimeStamps:START=x\nCallId: 1\nLOCALADDR:IP=10.0.0.1 PORT=4000 SSRC=1a2b3c4d\n\
            BurstGapLoss:BLD=0 BD=0 GLD=0 GD=65535 GMIN=16\nSignal:SL=127 NL=127 RERL=127\nQualityEst:MOSLQ=4.1 MOSCQ=127\n";
        let report = parse(text.as_bytes()).unwrap();
        assert_eq!((report.call_id.as_deref(), report.local.unwrap().ssrc), (Some("1"), Some(0x1a2b_3c4d)));
        let Metrics { gap_ms, rerl_db, mos_lq, mos_cq, .. } = report.heard;
        assert_eq!((gap_ms, rerl_db, mos_lq, mos_cq), (None, None, Some(4.1), None));
        assert_eq!(["2468", "0X10", "cafe0001", "3405643777", "x"].map(parse_ssrc), {
            [Some(2_468), Some(16), Some(0xcafe_0001), Some(3_405_643_777), None]
        });
        assert_eq!((parse(b"v=0\r\n"), parse(b"")), (None, None));
        assert!(is_report("Application/vq-rtcpxr; charset=utf-8") && !is_report("application/sdp"));
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "VQSessionReport\n(([A-Za-z]{2,8}:)?([A-Z]{1,4}=?[0-9.\"=é-]{0,6} ?){0,4}\n){0,8}") {
            prop_assert!(parse(text.as_bytes()).is_some());
        }
    }
}
