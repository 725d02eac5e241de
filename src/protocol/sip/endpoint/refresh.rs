//! Session timers (RFC 4028) of the sessions: who refreshes when, and the end when nobody does.

use super::change::{Change, What};
use super::responses::Heard;
use super::session::{Phase, Session};
use super::{Endpoint, EventKind, Machine, SessionId, Wake};
use crate::clock::{Instant, Now};
use crate::protocol::sip::header::{Headers, Name};
use crate::protocol::sip::message::{Request, Response};
use crate::protocol::sip::reason::Reason;
use crate::protocol::sip::session_timer::{self, Refresher, Terms, min_se, refresh_after};
use crate::protocol::sip::timers::T2;

/// INVITEs sent for one call before a 422 counts as a failure.
const INVITES: u32 = 3;

/// How long a session lives without a refresh.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lease {
    pub(super) interval_s: u32,
    /// When we refresh; `None`: the peer does.
    refresh_at: Option<Instant>,
    ends_at: Instant,
    /// The peer knows no session timers. We refresh all the same: of two phones that vanished while one held the other nothing
    /// else would tell, and the call would never end.
    alone: bool,
}

impl Lease {
    fn next(&self) -> Instant {
        self.refresh_at.map_or(self.ends_at, |at| at.min(self.ends_at))
    }

    /// The peer takes part, so requests state the terms.
    pub(super) fn is_agreed(&self) -> bool {
        !self.alone
    }
}

impl Endpoint {
    /// A 2xx with these terms was sent or received: the time counts anew. `ours`: the request was ours. Without terms the
    /// session is refreshed by us alone, unless the configuration wants no timers.
    pub(super) fn renew(&mut self, now: Instant, id: SessionId, terms: Option<Terms>, ours: bool) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let alone = terms.is_none();
        let own = |s: u32| (s.max(session_timer::SMALLEST_S), true);
        let terms = terms.map(|terms| (terms.interval_s, (terms.refresher == Refresher::Uac) == ours));
        session.lease =
            terms.or_else(|| self.settings.session_expires_s.map(own)).map(|(interval_s, refreshes)| Lease {
                interval_s,
                refresh_at: refreshes.then(|| now + refresh_after(interval_s)),
                ends_at: now + session_timer::give_up_after(interval_s),
                alone,
            });
        self.set_lease(id);
    }

    /// A refresh was refused. Who knows no session timers has shown that it is alive.
    pub(super) fn refresh_refused(&mut self, now: Instant, id: SessionId) {
        let lease = self.sessions.get(&id).and_then(|s| s.lease.as_ref());
        match lease.is_some_and(|lease| lease.alone) {
            true => self.renew(now, id, None, true),
            false => self.refresh_later(now, id),
        }
    }

    fn set_lease(&mut self, id: SessionId) {
        let lease = self.sessions.get(&id).and_then(|s| s.lease.as_ref());
        self.wakes.set(Wake::Lease(id), lease.map(Lease::next));
    }

    pub(super) fn handle_lease_timeout(&mut self, now: Now, id: SessionId) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let Some(lease) = &mut session.lease else { return };
        if now.mono >= lease.ends_at {
            session.lease = None;
            self.event(id, now, EventKind::Lost);
            return self.hang_up_because(now, id, Some(&Reason::timer_expired()));
        }
        // Until the refresh is through, it is tried again now and then.
        lease.refresh_at = Some(now.mono + T2);
        self.set_lease(id);
        self.refresh(now.mono, id);
    }

    /// A refresh failed for a reason that may pass: half of what is left is waited.
    fn refresh_later(&mut self, now: Instant, id: SessionId) {
        let Some(lease) = self.sessions.get_mut(&id).and_then(|s| s.lease.as_mut()) else { return };
        lease.refresh_at = Some(now + (lease.ends_at.since(now) / 2).max(T2));
        self.set_lease(id);
    }

    /// UPDATE without a description where the peer takes it, else a re-INVITE that says what is said already.
    fn refresh(&mut self, now: Instant, id: SessionId) {
        if self.may_change(id) {
            self.send_change(now, id, Change::new(What::Refresh));
        }
    }

    /// Session-Expires and Min-SE of a request of ours.
    pub(super) fn wish(&self, session: Option<&Session>, h: &mut Headers) {
        let lease = session.and_then(|s| s.lease.as_ref());
        let min_se_s = session.map_or(0, |s| s.min_se_s);
        let value = match (lease, self.settings.session_expires_s) {
            (Some(lease), _) => {
                let refresher = if lease.refresh_at.is_some() { Refresher::Uac } else { Refresher::Uas };
                Some(Terms { interval_s: lease.interval_s.max(min_se_s), refresher }.value())
            }
            (None, ours) => ours.map(|s| s.max(min_se_s).to_string()),
        };
        if let Some(value) = value {
            h.push(Name::SESSION_EXPIRES, value);
            if min_se_s > 0 {
                h.push(Name::MIN_SE, min_se_s.to_string());
            }
        }
    }

    /// The terms that a 2xx to this request states, with its header fields.
    pub(super) fn terms_of(&self, request: &Request, h: &mut Headers) -> Option<Terms> {
        let terms = Terms::answer(&request.headers, self.settings.session_expires_s).ok().flatten()?;
        h.push(Name::SESSION_EXPIRES, terms.value());
        if terms.refresher == Refresher::Uac {
            h.push(Name::REQUIRE, session_timer::TIMER);
        }
        Some(terms)
    }

    /// 422: the least that the peer, or a proxy on the way, bears. False if that is no news.
    pub(super) fn note_too_small(&mut self, id: SessionId, response: &Response) -> bool {
        let Some(session) = self.sessions.get_mut(&id) else { return false };
        let least = min_se(&response.headers);
        let asked = session.lease.map(|l| l.interval_s).or(self.settings.session_expires_s).unwrap_or_default();
        let news = least > session.min_se_s.max(asked);
        session.min_se_s = session.min_se_s.max(least);
        news
    }

    /// 422 to the INVITE of a call of ours: the same call again, with a longer interval (section 7.3). True if it was sent.
    pub(super) fn invite_again(&mut self, heard: &Heard<'_>, id: SessionId) -> bool {
        let now = heard.now;
        if !self.note_too_small(id, heard.response) {
            return false;
        }
        let Some(session) = self.sessions.get(&id) else { return false };
        let Phase::Outgoing { tx, cancel: super::session::Cancel::No } = session.phase else { return false };
        let Some(Machine::InviteClient { request, .. }) = self.transactions.get(&tx).map(|tx| &tx.machine) else {
            return false;
        };
        let seq = request.cseq().unwrap_or_default() + 1;
        if seq > INVITES {
            return false;
        }
        let mut request = (**request).clone();
        for name in [Name::VIA, Name::CONTACT, Name::ALLOW, Name::SUPPORTED, Name::USER_AGENT, Name::CONTENT_TYPE] {
            request.headers.remove(&name);
        }
        for name in [Name::SESSION_EXPIRES, Name::MIN_SE] {
            request.headers.remove(&name);
        }
        request.headers.replace_first(&Name::CSEQ, format!("{seq} INVITE").into_bytes());
        self.wish(Some(session), &mut request.headers);
        let flow = session.flow;
        self.forget_early(id);
        let tx = self.start_invite(now, request, flow, id);
        if let Some(session) = self.sessions.get_mut(&id) {
            session.phase = Phase::Outgoing { tx, cancel: super::session::Cancel::No };
        }
        true
    }

    /// The early dialogs of an INVITE that has failed.
    pub(super) fn forget_early(&mut self, id: SessionId) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        for early in session.early.drain(..) {
            self.dialogs.remove(&early.dialog.id);
        }
    }
}
