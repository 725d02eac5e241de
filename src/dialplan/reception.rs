//! What is asked of a call before its first step: whether the hotline is out of order, and whether it is open.

use std::collections::BTreeSet;

use super::hours::{Hours, Opening};
use super::plan::Next;
use crate::clock::Wall;

/// By default a hotline takes calls day and night.
#[derive(Debug, Clone, Default)]
pub struct Reception {
    pub outage: Option<Outage>,
    pub hours: Option<Hours>,
    pub callers: Callers,
}

/// Callers whom the dialplan knows by their numbers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Callers {
    /// What the numbers of colleagues begin with.
    pub internal: Vec<String>,
    /// Who is before others in the queue.
    pub first: BTreeSet<String>,
}

/// What a call's dialplan makes of its caller.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Standing {
    pub internal: bool,
    /// Higher is sooner served: 1 for `[priority]`, 0 for everybody else.
    pub priority: u32,
    /// By which the same caller is known again for a minute; `None`: the number is withheld.
    pub number: Option<String>,
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

    /// `forms`: the number as it is kept, and as the trunk wrote it; none if the caller withholds it.
    pub fn standing(&self, forms: &[&str]) -> Standing {
        let callers = &self.callers;
        let any = |good: &dyn Fn(&str) -> bool| forms.iter().any(|form| good(form));
        Standing {
            internal: any(&|form| callers.internal.iter().any(|prefix| form.starts_with(prefix.as_str()))),
            priority: any(&|form| callers.first.contains(form)).into(),
            number: forms.first().map(|form| (*form).to_owned()),
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
