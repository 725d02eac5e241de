//! A sealed call to which one thing may still be added: what its peers report of its quality, after their BYE.

use super::fact::{Fact, What};
use super::{Call, Ledger};
use crate::clock::Now;
use crate::ids::Side;
use crate::limits;
use crate::protocol::sip::voice_quality::Report;

/// Goes on numbering the call's facts.
#[derive(Debug)]
pub struct Late {
    ledger: Ledger,
    reports: u32,
}

impl Call {
    /// What is left of a sealed call.
    pub fn into_late(self) -> Late {
        Late { ledger: self.ledger, reports: self.reports }
    }
}

impl Late {
    /// `None`: there are enough of them, or the call leaves no facts.
    pub fn report(&mut self, at: Now, leg: Side, report: Box<Report>) -> Option<Fact> {
        if self.reports >= limits::QUALITY_REPORTS || !self.ledger.told {
            return None;
        }
        self.reports += 1;
        Some(self.ledger.next(at, What::RemoteQuality { leg, report }))
    }
}
