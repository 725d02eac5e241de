//! Another configuration, taken over as a whole while calls go on.
//!
//! A call keeps the plan that it began with, and an agent the call that he or she is in. Whoever is dropped is rung no more and
//! heard to the end of the calls that lead there. Listeners, ports and addresses stay: they need a restart.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{AgentsCalls, CallTarget, Gateway, NamedPhone, Phone, Supervisor, Trunk};
use crate::clock::Now;
use crate::dialplan::plan::Plans;
use crate::ids::AgentNo;
use crate::peer::registrar;

/// What may change while the switch runs; checked before it comes here.
#[derive(Debug, Clone)]
pub struct Reload {
    pub trunks: Vec<Trunk>,
    pub phones: Vec<Phone>,
    pub named_phones: Vec<NamedPhone>,
    pub targets: Vec<CallTarget>,
    /// Who may register.
    pub accounts: registrar::Settings,
    /// Supervisors and their PINs.
    pub supervisors: BTreeMap<AgentNo, Supervisor>,
    pub agents_calls: AgentsCalls,
    pub plans: Arc<Plans>,
}

impl Gateway {
    pub(super) fn reload(&mut self, now: Now, reload: Reload) {
        let Reload { trunks, phones, named_phones, targets, accounts, supervisors, agents_calls, plans } = reload;
        let named = named_phones.iter().map(|p| &p.agent);
        let registering = accounts.accounts.keys();
        let numbers: BTreeSet<_> = phones.iter().map(|p| &p.agent).chain(named).chain(registering).cloned().collect();
        self.agents.renew(&numbers, &plans, now);
        self.renew_accounts(now, accounts);
        self.use_supervisors(supervisors);
        self.use_agents_calls(agents_calls);
        self.renew_reaching(now.mono);
        self.phones = phones.iter().map(|p| (p.agent.clone(), p.clone())).collect();
        let old = std::mem::replace(&mut self.settings.trunks, trunks);
        self.settings.phones = phones;
        self.settings.named_phones = named_phones;
        self.settings.targets = targets;
        self.settings.find_ways();
        let forgotten = self.trunks.replace(now.mono, &old, &self.settings);
        forgotten.into_iter().for_each(|id| self.endpoint.forget(id));
        self.plans = plans;
        // Guests are judged again there too.
        self.renew(now.mono);
    }
}
