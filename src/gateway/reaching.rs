//! Whether agents' phones can be reached: OPTIONS where a dialplan asks for it (`probe_s`), registrations anyway.
//!
//! Nothing is decided by it. An agent is rung even if a probe failed; that no phone of hers can be reached is a fact, and the
//! metrics and the API say it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use super::Gateway;
use crate::call::presence::What;
use crate::clock::{Instant, Now};
use crate::ids::AgentNo;
use crate::peer::health::{Health, Order};
use crate::protocol::sip::endpoint::{Ask, AskId, Transport};
use crate::protocol::sip::uri::Uri;
use crate::protocol::sip::vocabulary::Method;

#[derive(Debug, Default)]
pub(super) struct Reaching {
    agents: BTreeMap<AgentNo, Phones>,
    asked: BTreeMap<AskId, (AgentNo, SocketAddr)>,
}

#[derive(Debug)]
struct Phones {
    every: Duration,
    /// When it is looked again which phones there are.
    look: Instant,
    /// By where they are. Phones over a connection are there as long as it is: it says so itself.
    probed: BTreeMap<SocketAddr, Health>,
    /// What was said last.
    unreachable: bool,
}

impl Phones {
    fn next(&self) -> Instant {
        self.probed.values().map(Health::poll_timeout).fold(self.look, Instant::min)
    }
}

impl Reaching {
    pub(super) fn poll_timeout(&self) -> Option<(Instant, &'static str)> {
        self.agents.values().map(Phones::next).min().map(|at| (at, "is the phone there"))
    }
}

impl Gateway {
    /// Who is to be probed, as the dialplans say now. Whoever was probed before goes on so.
    pub(super) fn renew_reaching(&mut self, now: Instant) {
        let wanted: BTreeMap<AgentNo, Duration> = self.agents.probed().collect();
        self.reaching.agents.retain(|agent, phones| wanted.get(agent) == Some(&phones.every));
        for (agent, every) in wanted {
            let fresh = || Phones { every, look: now, probed: BTreeMap::new(), unreachable: false };
            self.reaching.agents.entry(agent).or_insert_with(fresh);
        }
        let agents = &self.reaching.agents;
        self.reaching.asked.retain(|_, (agent, _)| agents.contains_key(agent));
    }

    pub(super) fn handle_reaching_timeout(&mut self, now: Now) {
        let due = |(agent, phones): (&AgentNo, &Phones)| (phones.next() <= now.mono).then(|| agent.clone());
        let due: Vec<AgentNo> = self.reaching.agents.iter().filter_map(due).collect();
        for agent in due {
            self.look_for_phones(now, &agent);
            self.probe_phones(now, &agent);
            self.judge_phones(now, &agent);
        }
    }

    /// New phones are asked, those that have gone are forgotten.
    fn look_for_phones(&mut self, now: Now, agent: &AgentNo) {
        let there: BTreeSet<SocketAddr> = self
            .ways(now, agent)
            .iter()
            .filter(|way| way.transport == Transport::Udp)
            .map(|way| way.destination)
            .collect();
        let Some(phones) = self.reaching.agents.get_mut(agent) else { return };
        phones.probed.retain(|address, _| there.contains(address));
        for address in there {
            phones.probed.entry(address).or_insert_with(|| Health::new(phones.every, now.mono));
        }
        if phones.look <= now.mono {
            phones.look = now.mono + phones.every;
        }
    }

    fn probe_phones(&mut self, now: Now, agent: &AgentNo) {
        let ways = self.ways(now, agent);
        for way in ways.into_iter().filter(|way| way.transport == Transport::Udp) {
            let address = way.destination;
            let health = |gateway: &'_ mut Gateway| -> Option<Order> {
                Some(gateway.reaching.agents.get_mut(agent)?.probed.get_mut(&address)?.handle_timeout(now.mono))
            };
            match health(self) {
                Some(Order::Ask) => {
                    let ask = self.phone_options(&way.target, address, way.local);
                    match self.endpoint.ask(now.mono, ask) {
                        Some(id) => drop(self.reaching.asked.insert(id, (agent.clone(), address))),
                        None => self.phone_answers(now, agent, address, None),
                    }
                }
                Some(Order::GiveUp) => {
                    let of_it = |(_, (a, at)): &(&AskId, &(AgentNo, SocketAddr))| a == agent && *at == address;
                    let late: Vec<AskId> = self.reaching.asked.iter().filter(of_it).map(|(id, _)| *id).collect();
                    for id in late {
                        self.reaching.asked.remove(&id);
                        self.endpoint.forget(id);
                    }
                }
                Some(Order::Nothing) | None => {}
            }
        }
    }

    fn phone_options(&mut self, target: &Uri, destination: SocketAddr, local: SocketAddr) -> Ask {
        let own = SocketAddr::new(self.settings.sip.advertise.unwrap_or_else(|| local.ip()), local.port());
        Ask {
            method: Method::OPTIONS,
            uri: target.as_str().to_owned(),
            transport: Transport::Udp,
            destination,
            from: format!("<sip:{own}>;tag={}", self.random.token()),
            to: format!("<{target}>"),
            call_id: self.random.token(),
            seq: 1,
            headers: Vec::new(),
        }
    }

    /// The final response to an OPTIONS of ours to a phone. False: it was no such.
    pub(super) fn is_phones_answer(&mut self, now: Now, id: AskId, status: Option<u16>) -> bool {
        let Some((agent, address)) = self.reaching.asked.remove(&id) else { return false };
        self.phone_answers(now, &agent, address, status);
        self.judge_phones(now, &agent);
        true
    }

    fn phone_answers(&mut self, now: Now, agent: &AgentNo, address: SocketAddr, status: Option<u16>) {
        let health = self.reaching.agents.get_mut(agent).and_then(|phones| phones.probed.get_mut(&address));
        health.into_iter().for_each(|health| health.handle_answer(now.mono, status));
    }

    /// Says it when the last phone has gone, and when one is back.
    fn judge_phones(&mut self, now: Now, agent: &AgentNo) {
        let Some(unreachable) = self.is_reachable(now, agent).map(|reachable| !reachable) else { return };
        let Some(phones) = self.reaching.agents.get_mut(agent) else { return };
        if std::mem::replace(&mut phones.unreachable, unreachable) != unreachable {
            let what = if unreachable { What::Unreachable } else { What::Reachable };
            self.agents.tell(agent, what, now);
        }
    }

    /// `None`: nobody has asked the phone, or it has not answered yet and may still.
    pub(super) fn is_reachable(&self, now: Now, agent: &AgentNo) -> Option<bool> {
        let ways = self.ways(now, agent);
        if ways.is_empty() {
            return Some(false);
        }
        let phones = self.reaching.agents.get(agent)?;
        if ways.iter().any(|way| way.transport != Transport::Udp && way.flow.is_some()) {
            return Some(true);
        }
        let of = |is: fn(&Health) -> bool| ways.iter().filter_map(|way| phones.probed.get(&way.destination)).any(is);
        match (of(Health::is_up), of(|health| !health.is_down())) {
            (true, _) => Some(true),
            (false, true) => None,
            (false, false) => Some(phones.probed.is_empty()),
        }
    }
}
