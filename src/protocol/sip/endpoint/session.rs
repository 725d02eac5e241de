//! The INVITE usage (RFC 3261 sections 13 to 15): what a session is waiting for.

use std::sync::Arc;
use std::time::Duration;

use super::change::{Change, OwedAck, TheirOffer};
use super::referred::Referred;
use super::refresh::Lease;
use super::reliable::{Early, Reliable};
use super::{Flow, TxId};
use crate::clock::Instant;
use crate::protocol::sip::dialog::Dialog;
use crate::protocol::sip::header::{Headers, Name};
use crate::protocol::sip::message::Request;
use crate::protocol::sip::reason::Reason;
use crate::protocol::sip::session_timer::TIMER;
use crate::protocol::sip::timers::{GIVE_UP, T1, T2};
use crate::protocol::sip::vocabulary::Method;

#[derive(Debug)]
pub(super) struct Session {
    pub(super) flow: Flow,
    /// `None` until our INVITE has its 2xx.
    pub(super) dialog: Option<Dialog>,
    pub(super) phase: Phase,
    pub(super) unacked: Option<Unacked>,
    /// We made the Call-ID: after glare we are the one who waits longer (section 14.1).
    pub(super) ours: bool,
    pub(super) peer: Capabilities,
    /// The dialogs that provisional responses to our INVITE have begun.
    pub(super) early: Vec<Early>,
    /// Our provisional responses, if the peer acknowledges them.
    pub(super) reliable: Reliable,
    /// `None`: the session has no timer.
    pub(super) lease: Option<Lease>,
    /// Min-SE of a 422 to a request of ours, in seconds.
    pub(super) min_se_s: u32,
    /// Our change of the session that is not through yet.
    pub(super) change: Option<Change>,
    /// An offer in their UPDATE or PRACK that waits for our answer.
    pub(super) their_offer: Option<TheirOffer>,
    /// A 2xx made an offer: its ACK waits for our answer.
    pub(super) owed_ack: Option<OwedAck>,
    /// Our description as the peer last had it.
    pub(super) local_sdp: Vec<u8>,
    /// Completed offers and answers: whether what we wanted to offer is still of today.
    pub(super) exchanges: u32,
    /// Their REFER, until it has been reported on for the last time.
    pub(super) referred: Option<Referred>,
    /// What our BYE or CANCEL says of its cause.
    pub(super) why: Option<Reason>,
    /// Our BYE was challenged: the next one, as long as nobody has said whether it goes out.
    pub(super) next_bye: Option<Request>,
    /// BYEs that were proved.
    pub(super) proved: u32,
}

impl Session {
    pub(super) fn new(flow: Flow, dialog: Option<Dialog>, phase: Phase) -> Self {
        let ours = matches!(phase, Phase::Outgoing { .. });
        Session {
            flow,
            dialog,
            phase,
            unacked: None,
            ours,
            peer: Capabilities::default(),
            early: Vec::new(),
            reliable: Reliable::default(),
            lease: None,
            min_se_s: 0,
            change: None,
            their_offer: None,
            owed_ack: None,
            local_sdp: Vec::new(),
            exchanges: 0,
            referred: None,
            why: None,
            next_bye: None,
            proved: 0,
        }
    }

    /// A change of ours is under way.
    pub(super) fn is_changing(&self) -> bool {
        self.owed_ack.is_some() || self.change.as_ref().is_some_and(Change::blocks)
    }

    /// The next BYE of ours; `None`: there is no dialog to end.
    pub(super) fn bye(&mut self) -> Option<Request> {
        let mut bye = self.dialog.as_mut()?.request(&Method::BYE);
        if let Some(why) = &self.why {
            bye.headers.push(Name::REASON, why.to_string());
        }
        Some(bye)
    }

    /// The dialog that a request with this tag of the peer's belongs to.
    pub(super) fn dialog_mut(&mut self, remote_tag: &str) -> Option<&mut Dialog> {
        let early = self.early.iter_mut().map(|early| &mut early.dialog);
        self.dialog.as_mut().into_iter().chain(early).find(|dialog| dialog.id.remote_tag == remote_tag)
    }
}

/// What the peer has said it can do, in its last message that says anything.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Capabilities {
    pub(super) update: bool,
    pub(super) timer: bool,
}

impl Capabilities {
    pub(super) fn note(&mut self, headers: &Headers) {
        if headers.first(&Name::ALLOW).is_some() {
            self.update = headers.list(&Name::ALLOW).any(|method| method == b"UPDATE");
        }
        if headers.first(&Name::SUPPORTED).is_some() {
            self.timer = headers.has_token(&Name::SUPPORTED, TIMER);
        }
    }
}

#[derive(Debug)]
pub(super) enum Phase {
    /// Their INVITE, no final response yet.
    Incoming { tx: TxId },
    /// Our INVITE, no final response yet.
    Outgoing { tx: TxId, cancel: Cancel },
    /// A 2xx was sent or received.
    Established,
    /// As `Established`; their re-INVITE waits for our answer.
    Reoffered { tx: TxId },
    /// Our BYE is on its way.
    Ending,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cancel {
    No,
    /// Wanted before a provisional response came: CANCEL must wait for one (section 9.1).
    Wanted,
    Sent,
}

/// Our 2xx, repeated by the core until its ACK comes (section 13.3.1.4).
#[derive(Debug)]
pub(super) struct Unacked {
    pub(super) response: Arc<[u8]>,
    pub(super) flow: Flow,
    pub(super) seq: u32,
    interval: Duration,
    next: Instant,
    give_up: Instant,
    /// A BYE of ours must wait for the ACK (section 15).
    pub(super) bye_waits: bool,
    /// The 2xx makes an offer: no other before the ACK brings the answer.
    pub(super) offers: bool,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Repeat {
    Again,
    GiveUp,
}

impl Unacked {
    pub(super) fn new(now: Instant, response: Arc<[u8]>, flow: Flow, seq: u32, offers: bool) -> Self {
        let (next, give_up) = (now + T1, now + GIVE_UP);
        Unacked { response, flow, seq, interval: T1, next, give_up, bye_waits: false, offers }
    }

    pub(super) fn next_timeout(&self) -> Instant {
        self.next.min(self.give_up)
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) -> Repeat {
        if now >= self.give_up {
            return Repeat::GiveUp;
        }
        self.interval = (self.interval * 2).min(T2);
        self.next = now + self.interval;
        Repeat::Again
    }
}

#[cfg(test)]
mod tests {
    use super::super::Transport;
    use super::*;

    #[test]
    fn a_2xx_is_repeated_on_the_schedule_of_section_13() {
        let address = "127.0.0.1:5060".parse().unwrap();
        let flow = Flow { transport: Transport::Udp, local: address, remote: address, connection: None };
        let mut unacked = Unacked::new(Instant::START, b"200".as_slice().into(), flow, 1, false);
        let mut sent = Vec::new();
        loop {
            let at = unacked.next_timeout();
            if unacked.handle_timeout(at) == Repeat::GiveUp {
                assert_eq!(at, Instant::from_millis(32_000));
                break;
            }
            sent.push(at.as_nanos() / 1_000_000);
        }
        assert_eq!(sent, [500, 1_500, 3_500, 7_500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500]);
    }
}
