//! The part `quality` of a record: figures, status and score of each leg, from what was measured.

use super::record::{LegQuality, QualityStatus};
use crate::protocol::rtp::Received;
use crate::quality::{Figures, Heard, Seen, Status, status};

/// What facts say of one leg's received stream.
#[derive(Debug, Clone, Default)]
pub(super) struct Leg {
    pub(super) received: Option<Received>,
    pub(super) heard: Option<Box<Heard>>,
}

/// What a leg's status depends on beside the leg.
#[derive(Debug, Clone, Copy)]
pub(super) struct About {
    pub(super) connected: bool,
    pub(super) ended: bool,
    pub(super) interrupted: bool,
    /// Holds excluded: a held person may be silent.
    pub(super) talk_ms: Option<u64>,
}

impl Leg {
    /// `other`: the leg it talked with.
    pub(super) fn quality(&self, other: &Leg, about: About) -> LegQuality {
        match &self.heard {
            Some(heard) => measured(heard, other, about),
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
        LegQuality { figures, status }
    }
}

fn measured(heard: &Heard, other: &Leg, about: About) -> LegQuality {
    let status = status(&Seen {
        answered: about.connected,
        lasted_ms: about.talk_ms.unwrap_or_default(),
        packets: heard.measured.packets,
        other: other.heard.as_ref().map(|other| other.measured.packets),
        packet_us: heard.measured.packet_us,
    });
    let score = (status == Status::Rated).then(|| heard.score()).flatten();
    let figures = Figures::of(&heard.measured, Some(&heard.codec), score.as_ref());
    LegQuality { figures, status: status.into() }
}
