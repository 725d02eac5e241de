//! The part `quality` of a record: figures, status and score of each leg, from what was measured.

use super::record::{Buffer, LegQuality, QualityStatus, SentQuality};
use crate::protocol::rtp::Received;
use crate::protocol::sip::voice_quality::Report;
use crate::quality::{Figures, Heard, Seen, Status, status};

/// What facts say of one leg's received stream.
#[derive(Debug, Clone, Default)]
pub(super) struct Leg {
    pub(super) received: Option<Received>,
    pub(super) heard: Option<Box<Heard>>,
    pub(super) one_way: OneWay,
    pub(super) reports: Vec<Report>,
}

/// For how long this person was not heard while the other one was.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct OneWay {
    since_ns: Option<u64>,
    total_ns: u64,
}

impl OneWay {
    /// `at_ns`: when it was told, `for_ms` after it began.
    pub(super) fn begin(&mut self, at_ns: u64, for_ms: u64) {
        self.since_ns.get_or_insert_with(|| at_ns.saturating_sub(for_ms.saturating_mul(1_000_000)));
    }

    pub(super) fn end(&mut self, at_ns: u64) {
        if let Some(since) = self.since_ns.take() {
            self.total_ns += at_ns.saturating_sub(since);
        }
    }

    /// All but a tenth of the time in which there was something to hear.
    fn is_most_of(self, ms: u64) -> bool {
        self.total_ns / 100_000 >= ms.saturating_mul(9) && self.total_ns > 0
    }
}

/// What a leg's status depends on beside the leg.
#[derive(Debug, Clone, Copy)]
pub(super) struct About {
    pub(super) connected: bool,
    pub(super) ended: bool,
    pub(super) interrupted: bool,
    /// Holds excluded: a held person may be silent.
    pub(super) talk_ms: Option<u64>,
    /// How long prompts were played.
    pub(super) played_ms: u64,
}

impl Leg {
    /// `other`: the leg it talked with.
    pub(super) fn quality(&self, other: &Leg, about: About) -> LegQuality {
        match &self.heard {
            Some(heard) => measured(self, heard, other, about),
            None => self.counted(about),
        }
    }

    /// Without a measurement there are the counts of RTCP, or nothing yet.
    fn counted(&self, about: About) -> LegQuality {
        let received = self.received;
        let status = match received {
            Some(Received { packets: 0, .. }) => QualityStatus::NoMedia,
            Some(_) => QualityStatus::Measured,
            None if !about.ended => QualityStatus::Pending,
            None if !about.connected => QualityStatus::Unanswered,
            None if about.interrupted => QualityStatus::Unmeasured,
            None => QualityStatus::Pending,
        };
        let expected = received.map(|r| r.packets + r.lost).filter(|&expected| expected > 0);
        let figures = Figures {
            packets: received.map(|r| r.packets),
            lost: received.map(|r| r.lost),
            loss_ratio: received.zip(expected).map(|(r, expected)| r.lost as f64 / expected as f64),
            jitter_ms: received.filter(|r| r.packets > 0).map(|r| r.jitter_us as f64 / 1_000.0),
            ..Figures::default()
        };
        LegQuality { figures, status, buffer: None, sent: None, reports: self.reports.clone() }
    }
}

fn measured(leg: &Leg, heard: &Heard, other: &Leg, about: About) -> LegQuality {
    let status = status(&Seen {
        answered: about.connected,
        lasted_ms: about.talk_ms.unwrap_or_default(),
        packets: heard.measured.packets,
        other: other.heard.as_ref().map(|other| other.measured.packets),
        packet_us: heard.measured.packet_us,
    });
    let heard_ms = about.talk_ms.unwrap_or_default().saturating_sub(about.played_ms);
    let status = match status {
        // Packets came, and there was nothing in them.
        Status::LowSample | Status::Rated if leg.one_way.is_most_of(heard_ms) => Status::OneWay,
        other => other,
    };
    let score = (status == Status::Rated).then(|| heard.score()).flatten();
    let figures = Figures::of(&heard.measured, Some(&heard.codec), score.as_ref());
    let buffer = heard.decoded.map(Buffer::of);
    let sent = heard.sent.as_ref().map(|sent| Box::new(SentQuality::of(sent)));
    LegQuality { figures, status: status.into(), buffer, sent, reports: leg.reports.clone() }
}
