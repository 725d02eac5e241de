//! Changes of a session: re-INVITE (RFC 3261 section 14) and UPDATE (RFC 3311), ours and theirs, one at a time.
//!
//! ```text
//! reoffer, refresh ─► Sent ── 2xx ──────────────► done
//!                      ▲  └── 491, 500 ► Waiting ─┐
//!                      └──────────────────────────┘
//! ```

use std::sync::Arc;
use std::time::Duration;

use super::incoming::{ALLOW, SUPPORTED};
use super::incoming::{Asked, reply_flow, sdp_of};
use super::orders::client_key;
use super::refresh::Lease;
use super::responses::Heard;
use super::session::{Phase, Session};
use super::{Endpoint, EventKind, Flow, Label, Machine, SentAck, SessionId, TxId, Wake};
use crate::clock::{Instant, Now};
use crate::protocol::sip::header::Name;
use crate::protocol::sip::message::Request;
use crate::protocol::sip::reason::{Reason, retry_after_s};
use crate::protocol::sip::session_timer::Terms;
use crate::protocol::sip::transaction::{Action, Client, InviteClient, Server};
use crate::protocol::sip::vocabulary::Method;

/// How often one change is asked for before it counts as refused.
const TRIES: u8 = 5;

/// The longest Retry-After that a change waits for; the people have other things to do.
const LONGEST_RETRY_S: u32 = 32;

/// A change of ours that is not through yet.
#[derive(Debug)]
pub(super) struct Change {
    what: What,
    stage: Stage,
    tries: u8,
    /// The session's when it was asked for.
    exchanges: u32,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum What {
    /// This description; an empty one asks the peer for its own.
    Offer(Vec<u8>),
    /// Nothing changes; the session's timer begins anew.
    Refresh,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// `blocks`: no INVITE of theirs meanwhile. A refresh by UPDATE harms none.
    Sent {
        tx: TxId,
        offers: bool,
        blocks: bool,
    },
    Waiting,
}

impl Change {
    pub(super) fn new(what: What) -> Change {
        Change { what, stage: Stage::Waiting, tries: 0, exchanges: 0 }
    }

    pub(super) fn blocks(&self) -> bool {
        matches!(self.stage, Stage::Sent { blocks: true, .. })
    }

    pub(super) fn tx(&self) -> Option<TxId> {
        match self.stage {
            Stage::Sent { tx, .. } => Some(tx),
            _ => None,
        }
    }

    fn is(&self, wanted: TxId) -> bool {
        matches!(self.stage, Stage::Sent { tx, .. } if tx == wanted)
    }
}

/// Why a change cannot be begun now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the session is being changed already, is not up yet, or is over")]
pub struct NotNow;

/// An offer in their UPDATE or PRACK.
#[derive(Debug)]
pub(super) struct TheirOffer {
    tx: TxId,
    request: Box<Request>,
}

/// The ACK of a 2xx that made an offer.
#[derive(Debug)]
pub(super) struct OwedAck {
    tx: TxId,
    seq: u32,
    flow: Flow,
    to_tag: Option<String>,
}

impl Endpoint {
    /// Offers this description within the session: by re-INVITE, or in an early dialog by UPDATE. An empty one asks the
    /// peer to make the offer (re-INVITE only). Ends with [`EventKind::Reanswered`], [`EventKind::Offered`] or
    /// [`EventKind::ReofferFailed`]; glare is waited out (section 14.1).
    pub fn reoffer(&mut self, now: Instant, id: SessionId, offer: Vec<u8>) -> Result<(), NotNow> {
        let confirmed = |s: &Session| matches!(s.phase, Phase::Established);
        let early = self.sessions.get(&id).is_some_and(|s| !confirmed(s));
        let possible = match early {
            false => self.may_change(id),
            true => !offer.is_empty() && self.may_update_early(id),
        };
        if !possible {
            return Err(NotNow);
        }
        self.send_change(now, id, Change::new(What::Offer(offer)));
        Ok(())
    }

    /// Answers the offer of a 2xx ([`EventKind::Offered`]) in its ACK.
    pub fn acknowledge(&mut self, id: SessionId, answer: Vec<u8>) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let Some(OwedAck { tx, seq, flow, to_tag }) = session.owed_ack.take() else { return };
        let Some(mut ack) = session.dialog.as_ref().map(|d| d.ack(seq)) else { return };
        session.exchanges += 1;
        if !answer.is_empty() {
            session.local_sdp.clone_from(&answer);
        }
        ack.body = answer;
        let (flow, bytes) = self.ack_of(ack, &flow, Some((id, tx)));
        if let Some(Machine::InviteClient { acks, .. }) = self.transactions.get_mut(&tx).map(|tx| &mut tx.machine)
            && let Some(owed) = acks.iter_mut().find(|ack| ack.to_tag == to_tag)
        {
            (owed.flow, owed.bytes) = (flow, Some(Arc::clone(&bytes)));
        }
        self.transmit(flow, bytes, Label::Request(Method::ACK), Some(id));
    }

    /// No INVITE is under way in either direction, and no offer is open (section 14.1).
    pub(super) fn may_change(&self, id: SessionId) -> bool {
        self.sessions.get(&id).is_some_and(|s| {
            let idle = s.change.is_none() && s.their_offer.is_none() && s.owed_ack.is_none();
            matches!(s.phase, Phase::Established) && s.unacked.is_none() && idle
        })
    }

    /// RFC 3311 section 5.1: the peer takes UPDATE, and the first offer has been answered reliably.
    fn may_update_early(&self, id: SessionId) -> bool {
        self.sessions.get(&id).is_some_and(|s| {
            let settled = match s.phase {
                Phase::Incoming { .. } => s.reliable.settled() && !s.reliable.offers(),
                Phase::Outgoing { .. } => s.early.first().is_some_and(|early| !early.sdp.is_empty()),
                Phase::Established | Phase::Reoffered { .. } | Phase::Ending => false,
            };
            s.peer.update && settled && s.change.is_none() && s.their_offer.is_none()
        })
    }

    pub(super) fn send_change(&mut self, now: Instant, id: SessionId, mut change: Change) {
        let branch = self.new_branch();
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let early = session.early.first_mut().map(|early| &mut early.dialog);
        let Some(dialog) = session.dialog.as_mut().or(early) else { return };
        let confirmed = matches!(session.phase, Phase::Established);
        let (method, body) = match &change.what {
            What::Refresh if session.peer.update => (Method::UPDATE, Vec::new()),
            What::Refresh => (Method::INVITE, session.local_sdp.clone()),
            What::Offer(offer) if confirmed => (Method::INVITE, offer.clone()),
            What::Offer(offer) => (Method::UPDATE, offer.clone()),
        };
        let mut request = dialog.request(&method);
        request.body = body;
        let dialog = dialog.clone();
        let Some(session) = self.sessions.get(&id) else { return };
        if session.lease.as_ref().is_some_and(Lease::is_agreed) {
            self.wish(Some(session), &mut request.headers);
        }
        let exchanges = session.exchanges;
        let udp = self.way_within(id, &dialog, session.flow, session.flow);
        let offers = !request.body.is_empty();
        let blocks = offers || method == Method::INVITE;
        let bare = request.clone();
        let flow = self.complete_for(&mut request, &udp, &branch);
        let bytes: Arc<[u8]> = request.to_bytes().into();
        let reliable = flow.transport.reliable();
        let machine = if method == Method::INVITE {
            let tx = InviteClient::new(now, Arc::clone(&bytes), reliable);
            Machine::InviteClient { tx, request: Box::new(request), acks: Vec::new() }
        } else {
            Machine::Client { tx: Client::new(now, Arc::clone(&bytes), reliable), method: method.clone() }
        };
        let tx = self.add_tx(client_key(&branch, &method), flow, Some(id), machine);
        if flow != udp {
            self.note_moved(tx, bare, udp);
        }
        change.exchanges = exchanges;
        change.tries += 1;
        change.stage = Stage::Sent { tx, offers, blocks };
        if let Some(session) = self.sessions.get_mut(&id) {
            session.change = Some(change);
        }
        self.transmit(flow, bytes, Label::Request(method), Some(id));
    }

    /// Whether this transaction is the session's change.
    pub(super) fn is_change(&self, id: SessionId, tx: TxId) -> bool {
        self.sessions.get(&id).and_then(|s| s.change.as_ref()).is_some_and(|change| change.is(tx))
    }

    /// The final response to our change.
    pub(super) fn handle_change_response(&mut self, heard: &Heard<'_>, id: SessionId) {
        let (now, at, response) = (heard.now, heard.at, heard.response);
        let Some(change) = self.sessions.get_mut(&id).and_then(|s| s.change.take()) else { return };
        let retry_s = retry_after_s(&response.headers).filter(|s| *s <= LONGEST_RETRY_S);
        match response.status {
            200..=299 => self.change_accepted(heard, id, change),
            408 | 481 => self.lose(at, id),
            422 if self.note_too_small(id, response) && change.tries < TRIES => self.send_change(now, id, change),
            491 => {
                let wait = self.glare(id);
                self.change_later(now, at, id, change, wait);
            }
            500..=599 if let Some(s) = retry_s => {
                self.change_later(now, at, id, change, Duration::from_secs(u64::from(s)));
            }
            405 | 501 if change.what == What::Refresh && heard.method == Method::UPDATE => {
                if let Some(session) = self.sessions.get_mut(&id) {
                    session.peer.update = false;
                }
                self.send_change(now, id, change);
            }
            status => self.change_refused(now, at, id, &change, status),
        }
    }

    fn change_accepted(&mut self, heard: &Heard<'_>, id: SessionId, change: Change) {
        let (now, at, response) = (heard.now, heard.at, heard.response);
        let Some(session) = self.sessions.get_mut(&id) else { return };
        if let Some(dialog) = &mut session.dialog {
            dialog.refresh_target(response.headers.list(&Name::CONTACT).next());
        }
        session.peer.note(&response.headers);
        let Stage::Sent { offers, .. } = change.stage else { return };
        if offers {
            session.exchanges += 1;
        }
        if let (true, What::Offer(offer)) = (offers, change.what) {
            session.local_sdp = offer;
        }
        let confirmed = session.dialog.is_some() && !matches!(session.phase, Phase::Incoming { .. });
        if confirmed {
            self.renew(now, id, Terms::agreed(&response.headers), true);
        }
        let body = response.body.clone();
        if offers {
            self.event(id, at, EventKind::Reanswered { body });
        }
    }

    fn change_refused(&mut self, now: Instant, at: Now, id: SessionId, change: &Change, status: u16) {
        match change.what {
            What::Refresh => self.refresh_refused(now, id),
            What::Offer(_) => self.event(id, at, EventKind::ReofferFailed { status }),
        }
    }

    fn change_later(&mut self, now: Instant, at: Now, id: SessionId, mut change: Change, wait: Duration) {
        if change.tries >= TRIES {
            return self.change_refused(now, at, id, &change, 491);
        }
        change.stage = Stage::Waiting;
        if let Some(session) = self.sessions.get_mut(&id) {
            session.change = Some(change);
            self.wakes.set(Wake::Change(id), Some(now + wait));
        }
    }

    /// Section 14.1, in units of 10 ms: the owner of the Call-ID waits 2.1 to 4 s, the other 0 to 2 s.
    fn glare(&mut self, id: SessionId) -> Duration {
        let ours = self.sessions.get(&id).is_some_and(|s| s.ours);
        let units = if ours { 210 + self.random.below(191) } else { self.random.below(201) };
        Duration::from_millis(u64::from(units) * 10)
    }

    /// The wait is over.
    pub(super) fn handle_change_timeout(&mut self, now: Now, id: SessionId) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let Some(change) = session.change.take() else { return };
        let stale = change.exchanges != session.exchanges && matches!(change.what, What::Offer(_));
        if stale {
            // The other side's change came first: what we meant to say is of yesterday.
            return self.change_refused(now.mono, now, id, &change, 491);
        }
        if self.may_change(id) || self.may_update_early(id) {
            return self.send_change(now.mono, id, change);
        }
        let tries = change.tries + 1;
        self.change_later(now.mono, now, id, Change { tries, ..change }, Duration::from_secs(1));
    }

    /// The peer does not know the session, or does not answer: it is told so, in case it hears (section 12.2.1.2).
    pub(super) fn lose(&mut self, at: Now, id: SessionId) {
        match self.sessions.get_mut(&id).map(|s| (&s.phase, &mut s.why)) {
            Some((Phase::Established | Phase::Reoffered { .. }, why)) => {
                *why = Some(Reason::timer_expired());
                self.event(id, at, EventKind::Lost);
                self.send_bye(at.mono, id);
            }
            // In an early dialog the INVITE decides what becomes of the session.
            Some((Phase::Incoming { .. } | Phase::Outgoing { .. }, _)) => {
                self.event(id, at, EventKind::ReofferFailed { status: 408 });
            }
            Some((Phase::Ending, _)) | None => {}
        }
    }

    /// The 2xx to our re-INVITE, the first time.
    pub(super) fn handle_reinvite_2xx(&mut self, heard: &Heard<'_>, id: SessionId) {
        let Heard { at, tx: tx_id, response, .. } = *heard;
        self.event(id, at, EventKind::Received { label: heard.label() });
        let Some(session) = self.sessions.get_mut(&id) else { return };
        if let Some(dialog) = &mut session.dialog {
            dialog.refresh_target(response.headers.list(&Name::CONTACT).next());
        }
        let Some(dialog) = session.dialog.clone() else { return };
        let Some(tx) = self.transactions.get(&tx_id) else { return };
        let Machine::InviteClient { request, .. } = &tx.machine else { return };
        let (seq, asked) = (request.cseq().unwrap_or_default(), request.body.is_empty());
        let own = self.own_flow(tx_id, tx.flow);
        let flow = self.way_within(id, &dialog, own, heard.flow);
        let to_tag = response.to_tag();
        if let Some(Machine::InviteClient { acks, .. }) = self.transactions.get_mut(&tx_id).map(|tx| &mut tx.machine) {
            acks.push(SentAck { to_tag: to_tag.clone(), flow, bytes: None });
        }
        let ending = self.owe_ack(id, OwedAck { tx: tx_id, seq, flow, to_tag });
        let offered = asked && !response.body.is_empty() && !ending;
        if !offered {
            self.acknowledge(id, Vec::new());
        }
        if self.is_change(id, tx_id) {
            self.handle_change_response(heard, id);
        }
        if offered {
            self.event(id, at, EventKind::Offered { body: response.body.clone() });
        }
    }

    /// True if the session is at its end, so that nobody will answer an offer.
    fn owe_ack(&mut self, id: SessionId, owed: OwedAck) -> bool {
        let Some(session) = self.sessions.get_mut(&id) else { return true };
        session.owed_ack = Some(owed);
        !matches!(session.phase, Phase::Established)
    }

    /// The 2xx to our INVITE without an offer made one: its ACK waits for [`Endpoint::acknowledge`].
    pub(super) fn await_answer(&mut self, id: SessionId, tx: TxId, seq: u32, flow: Flow, to_tag: Option<String>) {
        self.owe_ack(id, OwedAck { tx, seq, flow, to_tag });
    }

    pub(super) fn handle_update(&mut self, asked: Asked<'_>, id: SessionId) {
        let (now, request) = (asked.now, asked.request);
        let body = sdp_of(request);
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let conflict = if body.is_empty() { None } else { offer_conflict(session) };
        let ending = matches!(session.phase, Phase::Ending).then_some(481);
        if let Some(status) = ending.or(conflict) {
            return self.answer_in(asked, status, id);
        }
        session.peer.note(&request.headers);
        let tag = super::incoming::from_tag(request).unwrap_or_default();
        if let Some(dialog) = session.dialog_mut(&tag) {
            dialog.refresh_target(request.headers.list(&Name::CONTACT).next());
        }
        if !body.is_empty() {
            return self.take_offer(asked, id, body);
        }
        let tx = self.add_server(&asked, id);
        self.answer_update(now, id, tx, request, 200, Vec::new());
    }

    /// An offer in an UPDATE or PRACK, for the owner to answer.
    pub(super) fn take_offer(&mut self, asked: Asked<'_>, id: SessionId, body: Vec<u8>) {
        let tx = self.add_server(&asked, id);
        if let Some(session) = self.sessions.get_mut(&id) {
            session.their_offer = Some(TheirOffer { tx, request: Box::new(asked.request.clone()) });
        }
        self.event(id, asked.at, EventKind::Reoffer { body });
    }

    fn add_server(&mut self, asked: &Asked<'_>, id: SessionId) -> TxId {
        let machine = Machine::Server(Server::new(asked.flow.transport.reliable()));
        self.add_tx(asked.key.clone(), reply_flow(asked.flow, asked.request), Some(id), machine)
    }

    /// Answers the offer of their UPDATE or PRACK, if one waits. True if so.
    pub(super) fn answer_their_offer(&mut self, now: Instant, id: SessionId, status: u16, body: Vec<u8>) -> bool {
        let Some(session) = self.sessions.get_mut(&id) else { return false };
        let Some(TheirOffer { tx, request }) = session.their_offer.take() else { return false };
        if status < 300 {
            session.exchanges += 1;
            session.local_sdp.clone_from(&body);
            let offer = sdp_of(&request);
            let tag = super::incoming::from_tag(&request).unwrap_or_default();
            if let Some(early) = session.early.iter_mut().find(|early| early.dialog.id.remote_tag == tag) {
                early.sdp = offer;
            }
        }
        self.answer_update(now, id, tx, &request, status, body);
        self.after_their_offer(now, id);
        true
    }

    /// The response to a request within the dialog that has a server transaction waiting.
    fn answer_update(&mut self, now: Instant, id: SessionId, tx: TxId, request: &Request, status: u16, body: Vec<u8>) {
        let Some(flow) = self.transactions.get(&tx).map(|tx| tx.flow) else { return };
        let mut response = request.response(status, None, None);
        let h = &mut response.headers;
        let confirmed = self.sessions.get(&id).is_some_and(|s| matches!(s.phase, Phase::Established));
        let update = request.method == Method::UPDATE;
        if update && status < 300 {
            h.push(Name::CONTACT, self.contact(&flow, request.asks_for_sips()));
            h.push(Name::ALLOW, ALLOW);
            h.push(Name::SUPPORTED, SUPPORTED);
        }
        let terms = (update && status < 300 && confirmed).then(|| self.terms_of(request, h));
        h.push(Name::SERVER, self.settings.product.clone());
        if !body.is_empty() {
            h.push(Name::CONTENT_TYPE, "application/sdp");
            response.body = body;
        }
        let bytes: Arc<[u8]> = response.to_bytes().into();
        let action = match self.transactions.get_mut(&tx).map(|tx| &mut tx.machine) {
            Some(Machine::Server(machine)) => machine.respond(now, bytes),
            _ => Action::Nothing,
        };
        if let Action::Transmit(bytes) = action {
            self.transmit(flow, bytes, Label::Response(status, request.method.clone()), Some(id));
        }
        self.settle(tx);
        if let Some(terms) = terms {
            self.renew(now, id, terms, false);
        }
    }
}

/// RFC 3311 section 5.2: 491 if an offer of ours is open, 500 if one of theirs is.
fn offer_conflict(session: &Session) -> Option<u16> {
    let sent = session.change.as_ref().is_some_and(|c| matches!(c.stage, Stage::Sent { offers: true, .. }));
    let unanswered = matches!(session.phase, Phase::Outgoing { .. }) && session.early.iter().all(|e| e.sdp.is_empty());
    let offers = session.unacked.as_ref().is_some_and(|u| u.offers) || session.reliable.offers();
    if sent || unanswered || offers || session.owed_ack.is_some() {
        return Some(491);
    }
    let theirs = match session.phase {
        Phase::Incoming { .. } => !session.reliable.settled(),
        Phase::Reoffered { .. } => true,
        Phase::Outgoing { .. } | Phase::Established | Phase::Ending => false,
    };
    (theirs || session.their_offer.is_some()).then_some(500)
}
