//! The door: whether a source is heard, and in which queue, before a byte of its message is read.
//!
//! Trunks and phones are fixed at the start. A dialog may lead to other addresses (a Contact or Record-Route that names
//! another machine of the carrier): these guests are heard while a live call has them, and for as long after it as a peer
//! repeats its last request. The switch's thread writes the set, and only when it changes; receive threads look into it only
//! when there is a guest at all, so a flood of strangers takes no lock.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError, RwLock};
use std::time::Duration;

use super::budget::Budget;
use super::mailbox::Lane;
use crate::clock::Instant;
use crate::peer::known::{Known, Standing};

/// 64 × T1: how long a peer repeats a request (RFC 3261 section 17.1.2.2).
const LINGER: Duration = Duration::from_secs(32);

#[derive(Debug)]
pub struct Door {
    known: Known,
    /// Each with the end of its welcome; `None` while a live call has it.
    guests: RwLock<BTreeMap<IpAddr, Option<Instant>>>,
    any: AtomicBool,
    /// What strangers may spend on REGISTER; `None`: no agent registers.
    registers: Option<Mutex<Budget>>,
}

/// A stranger, judged by the first bytes of his message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Knock {
    Silence,
    /// REGISTER, beyond what its source or all strangers together may ask.
    TooMany,
    Register,
}

impl Door {
    pub fn new(known: Known) -> Door {
        Door { known, guests: RwLock::default(), any: AtomicBool::new(false), registers: None }
    }

    /// From now on strangers may send REGISTER.
    pub fn with_registration(self) -> Door {
        Door { registers: Some(Mutex::default()), ..self }
    }

    /// Whether a stranger's connection may be taken, to see whether REGISTER comes over it.
    pub fn opens_to_strangers(&self) -> bool {
        self.registers.is_some()
    }

    /// What becomes of a stranger's message.
    pub fn knock(&self, now: Instant, source: IpAddr, message: &[u8]) -> Knock {
        let Some(budget) = self.registers.as_ref().filter(|_| message.starts_with(b"REGISTER ")) else {
            return Knock::Silence;
        };
        let granted = budget.lock().unwrap_or_else(PoisonError::into_inner).spend(now, source);
        if granted { Knock::Register } else { Knock::TooMany }
    }

    /// The queue for a datagram of this source; `None`: a stranger, who gets silence.
    pub fn datagram(&self, now: Instant, source: SocketAddr) -> Option<Lane> {
        self.lane(now, source, self.known.standing(source))
    }

    /// The queue for what comes over a connection from there; `None`: it is not to be taken.
    pub fn connection(&self, now: Instant, source: SocketAddr) -> Option<Lane> {
        self.lane(now, source, self.known.standing_of_connection(source))
    }

    /// All guests of the live calls; those that were here until now may linger.
    pub fn publish(&self, now: Instant, live: impl IntoIterator<Item = IpAddr>) {
        let mut guests = self.guests.write().unwrap_or_else(PoisonError::into_inner);
        guests.values_mut().for_each(|until| *until = until.or(Some(now + LINGER)));
        guests.retain(|_, until| until.is_some_and(|until| until > now));
        guests.extend(live.into_iter().map(|address| (address.to_canonical(), None)));
        self.any.store(!guests.is_empty(), Ordering::Release);
    }

    fn lane(&self, now: Instant, source: SocketAddr, standing: Standing) -> Option<Lane> {
        match standing {
            Standing::Trunk => Some(Lane::Trunk),
            Standing::Phone => Some(Lane::Other),
            Standing::Stranger => self.is_guest(now, source.ip()).then_some(Lane::Other),
        }
    }

    fn is_guest(&self, now: Instant, address: IpAddr) -> bool {
        self.any.load(Ordering::Acquire)
            && self
                .guests
                .read()
                .unwrap_or_else(PoisonError::into_inner)
                .get(&address.to_canonical())
                .is_some_and(|until| until.is_none_or(|until| until > now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guest_is_heard_while_its_call_lives_and_a_little_longer() {
        let at = |text: &str| text.parse::<SocketAddr>().unwrap();
        let door = Door::new(Known::new(["192.0.2.1".parse().unwrap()], [at("192.0.2.8:5060")]));
        let (guest, start) = (at("203.0.113.5:5060"), Instant::START);
        assert_eq!(door.datagram(start, at("192.0.2.1:5060")), Some(Lane::Trunk));
        assert_eq!(door.datagram(start, at("192.0.2.8:1")), Some(Lane::Other));
        assert_eq!(door.datagram(start, guest), None);
        door.publish(start, [guest.ip()]);
        assert_eq!(door.datagram(start, guest), Some(Lane::Other));
        assert_eq!(door.datagram(start, at("203.0.113.6:5060")), None);
        let end = start + Duration::from_secs(600);
        assert_eq!(door.connection(end, guest), Some(Lane::Other), "as long as the call");
        door.publish(end, []);
        assert_eq!(door.datagram(end + LINGER / 2, guest), Some(Lane::Other), "its BYE may come again");
        assert_eq!(door.datagram(end + LINGER, guest), None);
        door.publish(end + LINGER, []);
        assert!(!door.any.load(Ordering::Acquire));
    }
    #[test]
    fn a_stranger_may_register_if_anybody_may_and_not_without_end() {
        let known = || Known::new(["192.0.2.1".parse().unwrap()], []);
        let (source, start) = ("203.0.113.5".parse::<IpAddr>().unwrap(), Instant::START);
        assert_eq!(Door::new(known()).knock(start, source, b"REGISTER sip:h SIP/2.0"), Knock::Silence);
        let door = Door::new(known()).with_registration();
        for other in [&b"INVITE sip:h SIP/2.0"[..], b"register sip:h SIP/2.0", b"REGISTER", b"", b"\r\nREGISTER "] {
            assert_eq!(door.knock(start, source, other), Knock::Silence);
        }
        let granted = (0..1_000).filter(|_| door.knock(start, source, b"REGISTER sip:h") == Knock::Register).count();
        assert_eq!(granted, crate::limits::REGISTERS_AT_ONCE_OF_SOURCE as usize);
        assert_eq!(door.knock(start, "203.0.113.6".parse().unwrap(), b"REGISTER sip:h"), Knock::Register);
    }
}
