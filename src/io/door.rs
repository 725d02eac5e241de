//! The door: whether a source is heard, and in which queue, before a byte of its message is read.
//!
//! Trunks and phones are those of the configuration, where their names lead now. A dialog may lead to other addresses (a Contact or Record-Route that names
//! another machine of the carrier): these guests are heard while a live call has them, and for as long after it as a peer
//! repeats its last request. The switch's thread writes the set, and only when it changes; receive threads look into it only
//! when there is a guest at all. What a flood of strangers costs is one shared lock, which nobody writes but a reload and a name
//! that leads elsewhere. Who is heard has a budget of messages.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use super::budget::Budgets;
use super::mailbox::Lane;
use crate::clock::Instant;
use crate::metrics::SipRejection;
use crate::peer::known::{Known, Standing};

/// 64 × T1: how long a peer repeats a request (RFC 3261 section 17.1.2.2).
const LINGER: Duration = Duration::from_secs(32);

/// Who sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    Trunk,
    Phone,
    /// No trunk or phone, but a live call leads there.
    Guest,
    Stranger,
}

impl Class {
    /// The queue of such a sender's messages; `None`: they are not heard.
    pub fn lane(self) -> Option<Lane> {
        match self {
            Class::Trunk => Some(Lane::Trunk),
            Class::Phone | Class::Guest => Some(Lane::Other),
            Class::Stranger => None,
        }
    }
}

#[derive(Debug)]
pub struct Door {
    known: RwLock<Known>,
    /// Each with the end of its welcome; `None` while a live call has it.
    guests: RwLock<BTreeMap<IpAddr, Option<Instant>>>,
    any: AtomicBool,
    budgets: Budgets,
    /// Agents may register, so strangers may send REGISTER.
    registers: AtomicBool,
}

impl Door {
    pub fn new(known: Known) -> Door {
        let (known, guests) = (RwLock::new(known), RwLock::default());
        Door {
            known,
            guests,
            any: AtomicBool::new(false),
            budgets: Budgets::default(),
            registers: AtomicBool::new(false),
        }
    }

    /// Whether strangers may send REGISTER from now on.
    pub fn open_to_strangers(&self, open: bool) {
        self.registers.store(open, Ordering::Release);
    }

    /// Whether a stranger's connection may be taken, to see whether REGISTER comes over it.
    pub fn is_open_to_strangers(&self) -> bool {
        self.registers.load(Ordering::Acquire)
    }

    /// The queue for a stranger's message, by its first bytes, or why it has none.
    pub fn knock(&self, now: Instant, source: SocketAddr, message: &[u8]) -> Result<Lane, SipRejection> {
        if !self.is_open_to_strangers() || !message.starts_with(b"REGISTER ") {
            return Err(SipRejection::Stranger);
        }
        self.budgets.take(now, source.ip(), Lane::Register).map(|()| Lane::Register)
    }

    /// What becomes of a message that is not heard for this reason: a stranger's may be a REGISTER.
    pub fn instead(
        &self,
        why: SipRejection,
        now: Instant,
        source: SocketAddr,
        message: &[u8],
    ) -> Result<Lane, SipRejection> {
        if why == SipRejection::Stranger { self.knock(now, source, message) } else { Err(why) }
    }

    /// Another configuration. Guests of live calls are to be published first, or those it drops are cut off meanwhile.
    pub fn renew(&self, known: Known) {
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = known;
    }

    /// Who has sent a datagram.
    pub fn class(&self, now: Instant, source: SocketAddr) -> Class {
        self.classify(now, source, self.known().standing(source))
    }

    /// Who is at the far end of a connection.
    pub fn class_of_connection(&self, now: Instant, source: SocketAddr) -> Class {
        self.classify(now, source, self.known().standing_of_connection(source))
    }

    /// The queue for a datagram of this source, or why it has none. A stranger gets silence.
    pub fn datagram(&self, now: Instant, source: SocketAddr) -> Result<Lane, SipRejection> {
        self.admit(now, source, self.class(now, source))
    }

    /// The queue for a message over a connection from there, or why it has none.
    pub fn message(&self, now: Instant, source: SocketAddr) -> Result<Lane, SipRejection> {
        self.admit(now, source, self.class_of_connection(now, source))
    }

    fn admit(&self, now: Instant, source: SocketAddr, class: Class) -> Result<Lane, SipRejection> {
        let lane = class.lane().ok_or(SipRejection::Stranger)?;
        self.budgets.take(now, source.ip(), lane).map(|()| lane)
    }

    /// All guests of the live calls; those that were here until now may linger.
    pub fn publish(&self, now: Instant, live: impl IntoIterator<Item = IpAddr>) {
        let mut guests = self.guests.write().unwrap_or_else(PoisonError::into_inner);
        guests.values_mut().for_each(|until| *until = until.or(Some(now + LINGER)));
        guests.retain(|_, until| until.is_some_and(|until| until > now));
        guests.extend(live.into_iter().map(|address| (address.to_canonical(), None)));
        self.any.store(!guests.is_empty(), Ordering::Release);
    }

    fn classify(&self, now: Instant, source: SocketAddr, standing: Standing) -> Class {
        match standing {
            Standing::Trunk => Class::Trunk,
            Standing::Phone => Class::Phone,
            Standing::Stranger if self.is_guest(now, source.ip()) => Class::Guest,
            Standing::Stranger => Class::Stranger,
        }
    }

    fn known(&self) -> RwLockReadGuard<'_, Known> {
        self.known.read().unwrap_or_else(PoisonError::into_inner)
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
        let stranger = Err(SipRejection::Stranger);
        let (guest, start) = (at("203.0.113.5:5060"), Instant::START);
        assert_eq!(door.datagram(start, at("192.0.2.1:5060")), Ok(Lane::Trunk));
        assert_eq!(door.datagram(start, at("192.0.2.8:1")), Ok(Lane::Other));
        assert_eq!(door.datagram(start, guest), stranger);
        door.publish(start, [guest.ip()]);
        assert_eq!(door.datagram(start, guest), Ok(Lane::Other));
        assert_eq!(door.datagram(start, at("203.0.113.6:5060")), stranger);
        let end = start + Duration::from_secs(600);
        assert_eq!(door.message(end, guest), Ok(Lane::Other), "as long as the call");
        assert_eq!(door.class(end, guest), Class::Guest);
        assert_eq!(door.class_of_connection(end, at("192.0.2.1:40000")), Class::Trunk);
        door.publish(end, []);
        assert_eq!(door.datagram(end + LINGER / 2, guest), Ok(Lane::Other), "its BYE may come again");
        assert_eq!(door.datagram(end + LINGER, guest), stranger);
        door.publish(end + LINGER, []);
        assert!(!door.any.load(Ordering::Acquire));
        door.renew(Known::new(["203.0.113.5".parse().unwrap()], []));
        assert_eq!(door.datagram(end + LINGER, guest), Ok(Lane::Trunk));
        assert_eq!(door.datagram(end + LINGER, at("192.0.2.1:5060")), Err(SipRejection::Stranger));
    }

    #[test]
    fn a_stranger_may_register_if_anybody_may_and_not_without_end() {
        let at = |text: &str| text.parse::<SocketAddr>().unwrap();
        let (source, start, silence) = (at("203.0.113.5:5060"), Instant::START, Err(SipRejection::Stranger));
        let door = Door::new(Known::new(["192.0.2.1".parse().unwrap()], []));
        assert_eq!(door.knock(start, source, b"REGISTER sip:h SIP/2.0"), silence);
        door.open_to_strangers(true);
        for other in [&b"INVITE sip:h SIP/2.0"[..], b"register sip:h SIP/2.0", b"REGISTER", b"", b"\r\nREGISTER "] {
            assert_eq!(door.knock(start, source, other), silence);
        }
        let granted = (0..1_000).filter(|_| door.knock(start, source, b"REGISTER sip:h").is_ok()).count();
        assert_eq!(granted, crate::limits::REGISTER_RATE.burst as usize);
        assert_eq!(door.knock(start, source, b"REGISTER sip:h"), Err(SipRejection::SourceRate));
        assert_eq!(door.knock(start, at("203.0.113.6:1"), b"REGISTER sip:h"), Ok(Lane::Register));
    }
}
