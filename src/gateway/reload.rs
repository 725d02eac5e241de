//! Another configuration, taken over as a whole while calls go on.
//!
//! A call keeps the plan that it began with, and an agent the call that he or she is in. Whoever is dropped is rung no more and
//! heard to the end of the calls that lead there. Listeners, ports and addresses stay: they need a restart.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{Gateway, Phone, Trunk};
use crate::clock::Now;
use crate::dialplan::plan::Plans;
use crate::peer::known::Known;

/// What may change while the switch runs; checked before it comes here.
#[derive(Debug, Clone)]
pub struct Reload {
    pub trunks: Vec<Trunk>,
    pub phones: Vec<Phone>,
    pub plans: Arc<Plans>,
}

impl Reload {
    /// Everybody whom this configuration names.
    pub fn known(&self) -> Known {
        Known::new(self.trunks.iter().flat_map(|t| t.peers.iter().copied()), self.phones.iter().map(|p| p.address))
    }
}

impl Gateway {
    pub(super) fn reload(&mut self, now: Now, reload: Reload) {
        self.known = reload.known();
        let Reload { trunks, phones, plans } = reload;
        // Who may register stays as it was: passwords are read at the start.
        let registering = self.registering.iter().flat_map(|r| r.agents());
        let numbers: BTreeSet<_> = phones.iter().map(|p| &p.agent).chain(registering).cloned().collect();
        let hotlines: BTreeSet<_> = plans.hotlines.iter().map(|h| h.id.clone()).collect();
        self.agents.renew(&numbers, &hotlines, now.mono);
        self.phones = phones.iter().map(|p| (p.agent.clone(), p.clone())).collect();
        self.settings.trunks = trunks;
        self.settings.phones = phones;
        self.plans = plans;
        self.judge_guests_again();
    }
}
