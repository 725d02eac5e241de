//! Reliable provisional responses (RFC 3262): ours until their PRACK comes, theirs answered with PRACK.

use std::collections::VecDeque;
use std::time::Duration;

use super::incoming::{Asked, sdp_of};
use super::responses::Heard;
use super::session::{Phase, Session};
use super::{Endpoint, EventKind, Label, Machine, SessionId, TxId, Wake};
use crate::clock::{Instant, Now};
use crate::protocol::sip::dialog::Dialog;
use crate::protocol::sip::header::Name;
use crate::protocol::sip::message::Request;
use crate::protocol::sip::timers::{GIVE_UP, T1};
use crate::protocol::sip::transaction::Action;
use crate::protocol::sip::vocabulary::{Method, is_number};

/// The option tag in Supported and Require.
pub(super) const TAG: &str = "100rel";

/// Provisional responses of ours that wait for the PRACK of an earlier one: a call has one or two in all.
const QUEUE: usize = 4;

/// Early dialogs of one INVITE of ours: nobody has more phones on one number.
const EARLY_DIALOGS: usize = 16;

/// As the one who was called: our provisional responses.
#[derive(Debug, Default)]
pub(super) struct Reliable {
    /// Of the last one sent; 0 before the first.
    rseq: u32,
    unacknowledged: Option<Unacknowledged>,
    queue: VecDeque<(u16, Vec<u8>)>,
    /// A 2xx that must wait for the PRACK of a description (RFC 3262 section 3).
    accept: Option<Vec<u8>>,
    /// Offer and answer are through before the 2xx, which says them no more.
    settled: bool,
}

#[derive(Debug)]
struct Unacknowledged {
    interval: Duration,
    next: Instant,
    give_up: Instant,
    carries: Carries,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Carries {
    Nothing,
    Answer,
    Offer,
}

impl Reliable {
    /// An offer of ours has no answer yet.
    pub(super) fn offers(&self) -> bool {
        self.unacknowledged.as_ref().is_some_and(|u| u.carries == Carries::Offer)
    }

    pub(super) fn settled(&self) -> bool {
        self.settled
    }
}

/// As the caller: a dialog that a provisional response has begun.
#[derive(Debug)]
pub(super) struct Early {
    pub(super) dialog: Dialog,
    /// RSeq of the last reliable response.
    rseq: Option<u32>,
    /// Their description from reliable responses and UPDATEs: what a 2xx without one stands for.
    pub(super) sdp: Vec<u8>,
}

/// RAck (RFC 3262 section 7.2): which response a PRACK acknowledges.
fn rack(request: &Request) -> Option<(u32, u32)> {
    let mut words = request.headers.text(&Name::RACK)?.split_ascii_whitespace();
    let (rseq, seq, method) = (words.next()?, words.next()?, words.next()?);
    let number = |word: &str| is_number(word).then(|| word.parse::<u32>().ok()).flatten();
    (method == "INVITE" && words.next().is_none()).then_some((number(rseq)?, number(seq)?))
}

impl Endpoint {
    /// Sends a provisional response (180, 183) to their INVITE, with our answer (or, if they made no offer, our offer) or
    /// without.
    ///
    /// It is sent reliably if the peer requires that; if it merely supports it, only with a description: the tone that the
    /// caller is to hear depends on that one, while a peer whose PRACK is broken shall not lose a call for the sake of a
    /// bare 180.
    pub fn ring(&mut self, now: Instant, session: SessionId, status: u16, body: Vec<u8>) {
        let Some(tx) = self.pending_invite(session) else { return };
        if !self.is_reliable(tx, !body.is_empty()) {
            return self.respond(now, session, tx, status, &[], body);
        }
        let Some(state) = self.sessions.get_mut(&session) else { return };
        let queue = &mut state.reliable.queue;
        if queue.len() < QUEUE {
            queue.push_back((status, body));
        }
        self.go_on_ringing(now, session);
    }

    fn is_reliable(&self, tx: TxId, with_body: bool) -> bool {
        let Some(Machine::InviteServer { request, .. }) = self.transactions.get(&tx).map(|tx| &tx.machine) else {
            return false;
        };
        let h = &request.headers;
        h.has_token(&Name::REQUIRE, TAG) || (with_body && h.has_token(&Name::SUPPORTED, TAG))
    }

    /// Whether the caller's INVITE demands that 18x be acknowledged: then the first of them must make the offer if the
    /// INVITE made none (RFC 3261 section 13.2.1).
    pub fn rings_reliably(&self, session: SessionId) -> bool {
        self.pending_invite(session).is_some_and(|tx| self.is_reliable(tx, false))
    }

    /// The next provisional response, or the 2xx, that waited for a PRACK.
    fn go_on_ringing(&mut self, now: Instant, id: SessionId) {
        let Some(tx) = self.pending_invite(id) else { return };
        let offered = self.invite_offers(tx);
        let first = self.random.below(1 << 30) + 1;
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let reliable = &mut session.reliable;
        if reliable.unacknowledged.is_some() || session.their_offer.is_some() {
            return;
        }
        if let Some((status, body)) = reliable.queue.pop_front() {
            reliable.rseq = if reliable.rseq == 0 { first } else { reliable.rseq + 1 };
            let carries = match (body.is_empty(), offered) {
                (true, _) => Carries::Nothing,
                (false, true) => Carries::Answer,
                (false, false) => Carries::Offer,
            };
            let (next, give_up) = (now + T1, now + GIVE_UP);
            reliable.unacknowledged = Some(Unacknowledged { interval: T1, next, give_up, carries });
            let extra = [(Name::REQUIRE, TAG.to_owned()), (Name::RSEQ, reliable.rseq.to_string())];
            self.wakes.set(Wake::Reliable(id), Some(next));
            self.respond(now, id, tx, status, &extra, body);
        } else if let Some(body) = reliable.accept.take() {
            self.accept(now, id, body);
        }
    }

    /// Whether the 2xx must wait; then it is kept. `None`: the body that it goes out with now.
    pub(super) fn hold_back(&mut self, id: SessionId, body: Vec<u8>) -> Option<Vec<u8>> {
        let reliable = &mut self.sessions.get_mut(&id)?.reliable;
        if reliable.unacknowledged.as_ref().is_some_and(|u| u.carries != Carries::Nothing) {
            reliable.accept = Some(body);
            return None;
        }
        Some(if reliable.settled { Vec::new() } else { body })
    }

    pub(super) fn invite_offers(&self, tx: TxId) -> bool {
        let machine = self.transactions.get(&tx).map(|tx| &tx.machine);
        matches!(machine, Some(Machine::InviteServer { request, .. }) if !request.body.is_empty())
    }

    /// A final response: nothing provisional is repeated any more.
    pub(super) fn stop_ringing(&mut self, id: SessionId) {
        if let Some(session) = self.sessions.get_mut(&id) {
            let settled = session.reliable.settled;
            session.reliable = Reliable { rseq: session.reliable.rseq, settled, ..Reliable::default() };
        }
        self.wakes.set(Wake::Reliable(id), None);
    }

    pub(super) fn handle_reliable_timeout(&mut self, now: Now, id: SessionId) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let Phase::Incoming { tx } = session.phase else { return };
        let Some(unacknowledged) = &mut session.reliable.unacknowledged else { return };
        if now.mono >= unacknowledged.give_up {
            // RFC 3262 section 3: the INVITE is refused.
            self.respond(now.mono, id, tx, 504, &[], Vec::new());
            self.event(id, now, EventKind::Lost);
            return self.terminate_session(id, now);
        }
        unacknowledged.interval *= 2;
        unacknowledged.next = now.mono + unacknowledged.interval;
        let next = unacknowledged.next.min(unacknowledged.give_up);
        self.wakes.set(Wake::Reliable(id), Some(next));
        let Some(tx) = self.transactions.get(&tx) else { return };
        if let Machine::InviteServer { tx: machine, .. } = &tx.machine
            && let Action::Transmit(bytes) = machine.handle_retransmission()
        {
            let flow = tx.flow;
            self.transmit_again(flow, bytes, Label::Response(0, Method::INVITE), tx.session);
        }
    }

    pub(super) fn handle_prack(&mut self, asked: Asked<'_>, id: SessionId) {
        let (now, at, request) = (asked.now, asked.at, asked.request);
        let Some(carries) = self.acknowledged_by(request, id) else { return self.answer_in(asked, 481, id) };
        self.wakes.set(Wake::Reliable(id), None);
        let body = sdp_of(request);
        if let Some(session) = self.sessions.get_mut(&id) {
            session.reliable.unacknowledged = None;
            session.reliable.settled |= carries != Carries::Nothing;
            session.exchanges += u32::from(carries != Carries::Nothing);
        }
        if carries != Carries::Offer && !body.is_empty() {
            return self.take_offer(asked, id, body);
        }
        self.answer_in(asked, 200, id);
        if carries == Carries::Offer {
            self.event(id, at, EventKind::EarlyAnswer { body });
        }
        self.go_on_ringing(now, id);
    }

    /// Their offer in a PRACK has been answered.
    pub(super) fn after_their_offer(&mut self, now: Instant, id: SessionId) {
        self.go_on_ringing(now, id);
    }

    /// What the response that this PRACK acknowledges carried; `None` if there is none.
    fn acknowledged_by(&self, request: &Request, id: SessionId) -> Option<Carries> {
        let session = self.sessions.get(&id)?;
        let Phase::Incoming { tx } = session.phase else { return None };
        let Machine::InviteServer { request: invite, .. } = &self.transactions.get(&tx)?.machine else { return None };
        let unacknowledged = session.reliable.unacknowledged.as_ref()?;
        (rack(request)? == (session.reliable.rseq, invite.cseq()?)).then_some(unacknowledged.carries)
    }

    /// 1xx with a To tag to our INVITE: an early dialog; a reliable one gets its PRACK. False if it is to be ignored, as it
    /// came again or out of order (RFC 3262 section 4).
    pub(super) fn note_early(&mut self, heard: &Heard<'_>, id: SessionId) -> bool {
        let response = heard.response;
        let Some(tag) = response.to_tag() else { return true };
        let Some(tx) = self.transactions.get(&heard.tx) else { return true };
        let Machine::InviteClient { request, .. } = &tx.machine else { return true };
        let (tx_flow, seq) = (tx.flow, request.cseq().unwrap_or_default());
        let (dialog, flow) = (Dialog::from_response(request, response), tx_flow);
        let Some(session) = self.sessions.get_mut(&id) else { return true };
        let known = session.early.iter().position(|early| early.dialog.id.remote_tag == tag);
        let at = match (known, dialog) {
            (Some(at), _) => at,
            (None, Some(dialog)) if session.early.len() < EARLY_DIALOGS => {
                self.dialogs.insert(dialog.id.clone(), id);
                session.early.push(Early { dialog, rseq: None, sdp: Vec::new() });
                session.early.len() - 1
            }
            (None, _) => return false,
        };
        let Some(rseq) = reliable_number(heard) else { return true };
        let Session { early, exchanges, .. } = session;
        let early = &mut early[at];
        if early.rseq.is_some_and(|last| rseq != last.wrapping_add(1)) {
            return false;
        }
        early.rseq = Some(rseq);
        if early.sdp.is_empty() && !response.body.is_empty() {
            early.sdp.clone_from(&response.body);
            *exchanges += 1;
        }
        let mut prack = early.dialog.request(&Method::PRACK);
        prack.headers.push(Name::RACK, format!("{rseq} {seq} INVITE"));
        let dialog = early.dialog.clone();
        let way = self.way_within(id, &dialog, flow, heard.flow);
        self.send_request(heard.now, prack, way, Some(id));
        true
    }
}

fn reliable_number(heard: &Heard<'_>) -> Option<u32> {
    let h = &heard.response.headers;
    let number = h.text(&Name::RSEQ).filter(|n| h.has_token(&Name::REQUIRE, TAG) && is_number(n))?;
    number.parse().ok().filter(|n| *n > 0)
}
