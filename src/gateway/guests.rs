//! Addresses that live calls lead to beside trunks and phones: another machine of the carrier that a Contact or Record-Route
//! names, or that a phone's answer names. io hears them as long as the call lives.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use super::Gateway;
use crate::ids::CallId;
use crate::peer::known::Standing;
use crate::protocol::sip::address::Address;
use crate::protocol::sip::endpoint::SessionId;
use crate::protocol::sip::header::Name;
use crate::protocol::sip::message::Request;

/// Of one call: its two targets and a few proxies.
const MOST_OF_A_CALL: usize = 8;

#[derive(Debug, Default)]
pub(super) struct Guests {
    by_call: BTreeMap<CallId, BTreeSet<IpAddr>>,
    /// Every address that a call leads to, known ones too: a trunk or phone that the configuration drops is heard to the
    /// end of its calls.
    led_to: BTreeMap<CallId, BTreeSet<SocketAddr>>,
    version: u64,
}

impl Guests {
    pub(super) fn version(&self) -> u64 {
        self.version
    }

    pub(super) fn addresses(&self) -> impl Iterator<Item = IpAddr> + '_ {
        self.by_call.values().flatten().copied()
    }

    fn welcome(&mut self, call: CallId, address: IpAddr) {
        let of_call = self.by_call.entry(call).or_default();
        if of_call.len() < MOST_OF_A_CALL && of_call.insert(address) {
            self.version += 1;
        }
    }

    /// Those who are no longer known become guests of their calls; whoever is known now is none.
    fn judge_again(&mut self, is_stranger: impl Fn(SocketAddr) -> bool) {
        self.by_call.clear();
        for (call, addresses) in &self.led_to {
            let guests: BTreeSet<IpAddr> = addresses.iter().filter(|a| is_stranger(**a)).map(SocketAddr::ip).collect();
            if !guests.is_empty() {
                self.by_call.insert(*call, guests);
            }
        }
        self.version += 1;
    }

    pub(super) fn leave(&mut self, call: CallId) {
        self.led_to.remove(&call);
        if self.by_call.remove(&call).is_some() {
            self.version += 1;
        }
    }
}

impl Gateway {
    /// Requests within the dialog of this INVITE may come from its Contact or from the proxies that recorded themselves.
    pub(super) fn invited_from(&mut self, call: CallId, request: &Request) {
        let h = &request.headers;
        let named = h.list(&Name::CONTACT).take(1).chain(h.list(&Name::RECORD_ROUTE));
        let addresses: Vec<SocketAddr> =
            named.take(MOST_OF_A_CALL).filter_map(Address::parse).filter_map(|a| a.uri.socket_addr()).collect();
        for address in addresses {
            self.welcome(call, address);
        }
    }

    /// A message of this session goes there.
    pub(super) fn lead_to(&mut self, session: SessionId, remote: SocketAddr) {
        let call = self.by_session.get(&session).map(|link| link.call);
        if let Some(call) = call.filter(|call| self.calls.contains_key(call)) {
            self.welcome(call, remote);
        }
    }

    /// The configuration has changed.
    pub(super) fn judge_guests_again(&mut self) {
        let Gateway { guests, known, .. } = self;
        guests.judge_again(|address| known.standing(address) == Standing::Stranger);
    }

    fn welcome(&mut self, call: CallId, address: SocketAddr) {
        let led_to = self.guests.led_to.entry(call).or_default();
        if led_to.len() < MOST_OF_A_CALL {
            led_to.insert(address);
        }
        // A trunk that is known by one port is a guest at its other ports: only within its dialogs.
        if self.known.standing(address) == Standing::Stranger {
            self.guests.welcome(call, address.ip());
        }
    }
}
