//! What is asked of a call before its first step: whether the hotline is out of order, and whether it is open.

use super::hours::{Hours, Opening};
use super::plan::Next;
use crate::clock::Wall;

/// By default a hotline takes calls day and night.
#[derive(Debug, Clone, Default)]
pub struct Reception {
    pub outage: Option<Outage>,
    pub hours: Option<Hours>,
}

/// `[outage]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outage {
    pub active: bool,
    pub then: Next,
}

/// Why a call does not begin where calls begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shut<'r> {
    Outage,
    Hours,
    /// Its name.
    Holiday(&'r str),
}

impl Reception {
    /// Why a call that is offered now is not taken, and where it goes on instead; `None`: it is taken.
    pub fn shut(&self, wall: Wall) -> Option<(Shut<'_>, &Next)> {
        if let Some(outage) = self.outage.as_ref().filter(|outage| outage.active) {
            return Some((Shut::Outage, &outage.then));
        }
        let hours = self.hours.as_ref()?;
        match hours.at(wall) {
            Opening::Open => None,
            Opening::Closed => Some((Shut::Hours, &hours.closed)),
            Opening::Holiday(name) => Some((Shut::Holiday(name), &hours.holiday)),
        }
    }

    /// The calendar that should tell whether this is a holiday, and does not.
    pub fn uncovered(&self, wall: Wall) -> Option<&str> {
        self.hours.as_ref()?.uncovered(wall)
    }

    /// Everywhere a call may go on instead of where calls begin.
    pub(super) fn leads_to(&self) -> impl Iterator<Item = &Next> {
        let outage = self.outage.iter().map(|outage| &outage.then);
        outage.chain(self.hours.iter().flat_map(|hours| [&hours.closed, &hours.holiday]))
    }
}
