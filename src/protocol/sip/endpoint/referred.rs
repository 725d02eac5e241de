//! REFER within a session (RFC 3515): one at a time, answered by the owner, and reported on by NOTIFY.

use std::net::SocketAddr;

use super::incoming::{Asked, reply_flow};
use super::session::Phase;
use super::{Endpoint, EventKind, Label, Machine, SessionId, TxId};
use crate::clock::Instant;
use crate::protocol::sip::dialog::DialogId;
use crate::protocol::sip::header::Name;
use crate::protocol::sip::message::Request;
use crate::protocol::sip::refer::{Refer, SIPFRAG, sipfrag};
use crate::protocol::sip::transaction::{Action, Server};
use crate::protocol::sip::vocabulary::Method;

/// How long the subscription may last that a REFER makes: longer than any phone is rung.
const EXPIRES_S: u32 = 300;

/// A REFER of the peer's.
#[derive(Debug)]
pub(super) struct Referred {
    stage: Stage,
    reports: bool,
    /// CSeq of the REFER; `None`: the first one of the session, whose reports need no `id` (section 2.4.6).
    id: Option<u32>,
}

#[derive(Debug)]
enum Stage {
    /// The owner has not answered yet.
    Asked { tx: TxId, request: Box<Request> },
    /// Reports are to follow.
    Accepted,
    /// The last report is out.
    Over,
}

impl Endpoint {
    /// The session of this dialog.
    pub fn session_of(&self, dialog: &DialogId) -> Option<SessionId> {
        self.dialogs.get(dialog).copied()
    }

    /// Our address that a session's messages leave from.
    pub fn local_of(&self, id: SessionId) -> Option<SocketAddr> {
        self.sessions.get(&id).map(|session| session.flow.local)
    }

    /// Our BYE is out, or nothing is left of this session.
    pub fn is_ending(&self, id: SessionId) -> bool {
        self.sessions.get(&id).is_none_or(|session| matches!(session.phase, Phase::Ending))
    }

    pub(super) fn handle_refer(&mut self, asked: Asked<'_>, id: SessionId) {
        let Some(session) = self.sessions.get(&id) else { return };
        let refer = Refer::of(asked.request);
        let refusal = match (&session.phase, session.referred.as_ref().map(|r| &r.stage)) {
            (Phase::Ending, _) => Some(481),
            (Phase::Incoming { .. } | Phase::Outgoing { .. }, _) => Some(403),
            // One transfer at a time.
            (_, Some(Stage::Asked { .. } | Stage::Accepted)) => Some(491),
            _ => refer.is_err().then_some(400),
        };
        let (None, Ok(refer)) = (refusal, refer) else {
            return self.answer_in(asked, refusal.unwrap_or(400), id);
        };
        let Asked { at, flow, key, request, .. } = asked;
        let again = session.referred.is_some();
        let machine = Machine::Server(Server::new(flow.transport.reliable()));
        let tx = self.add_tx(key, reply_flow(flow, request), Some(id), machine);
        let stage = Stage::Asked { tx, request: Box::new(request.clone()) };
        let number = if again { request.cseq() } else { None };
        if let Some(session) = self.sessions.get_mut(&id) {
            session.referred = Some(Referred { stage, reports: refer.reports, id: number });
        }
        self.event(id, at, EventKind::Refer(Box::new(refer)));
    }

    /// The final response to their REFER: 202, or a failure.
    pub fn answer_refer(&mut self, now: Instant, id: SessionId, status: u16) {
        let Some(referred) = self.sessions.get_mut(&id).and_then(|s| s.referred.as_mut()) else { return };
        let Stage::Asked { tx, request } = &referred.stage else { return };
        let (tx, request, reports) = (*tx, request.clone(), referred.reports);
        let accepted = status < 300;
        referred.stage = if accepted { Stage::Accepted } else { Stage::Over };
        let Some(flow) = self.transactions.get(&tx).map(|tx| tx.flow) else { return };
        let mut response = request.response(status, None, None);
        if accepted {
            response.headers.push(Name::CONTACT, self.contact(&flow, request.asks_for_sips()));
            if !reports {
                response.headers.push(Name::REFER_SUB, "false");
            }
        }
        response.headers.push(Name::SERVER, self.settings.product.clone());
        let action = match self.transactions.get_mut(&tx).map(|tx| &mut tx.machine) {
            Some(Machine::Server(machine)) => machine.respond(now, response.to_bytes().into()),
            _ => Action::Nothing,
        };
        if let Action::Transmit(bytes) = action {
            self.transmit(flow, bytes, Label::Response(status, Method::REFER), Some(id));
        }
        self.settle(tx);
    }

    /// Reports on the call that their REFER asked for; a final status ends the subscription.
    pub fn notify(&mut self, now: Instant, id: SessionId, status: u16) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let Some(referred) = &mut session.referred else { return };
        let Stage::Accepted = referred.stage else { return };
        let over = status >= 200;
        if over {
            referred.stage = Stage::Over;
        }
        let (reports, number) = (referred.reports, referred.id);
        let up = matches!(session.phase, Phase::Established | Phase::Reoffered { .. });
        let Some(dialog) = session.dialog.as_mut().filter(|_| reports && up) else { return };
        let mut request = dialog.request(&Method::NOTIFY);
        let h = &mut request.headers;
        h.push(Name::EVENT, number.map_or_else(|| "refer".to_owned(), |id| format!("refer;id={id}")));
        let active = || format!("active;expires={EXPIRES_S}");
        h.push(Name::SUBSCRIPTION_STATE, if over { "terminated;reason=noresource".to_owned() } else { active() });
        h.push(Name::CONTENT_TYPE, SIPFRAG);
        request.body = sipfrag(status);
        let dialog = dialog.clone();
        let Some(session) = self.sessions.get(&id) else { return };
        let flow = self.way_within(id, &dialog, session.flow, session.flow);
        self.send_request(now, request, flow, Some(id));
    }
}
