//! Voice quality reports of phones and trunks: which call and leg each is of, also for a while after the call was sealed.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::{Gateway, Output};
use crate::call::late::Late;
use crate::call::leg::Input;
use crate::clock::{Instant, Now};
use crate::ids::{CallId, Side};
use crate::limits;
use crate::protocol::sip::endpoint::{Reported, SessionId};

/// How long after a call was sealed its peers may still report: a PUBLISH may be challenged and repeated on the way.
const KEPT: Duration = Duration::from_secs(32);

/// What is kept of the names in a report, in characters.
const LONGEST_NAME: usize = 64;

#[derive(Debug, Default)]
pub(super) struct Reports {
    /// The legs of calls by their Call-IDs.
    legs: BTreeMap<String, (CallId, Side)>,
    call_ids: BTreeMap<CallId, Vec<String>>,
    /// Sealed calls, the oldest first.
    late: BTreeMap<CallId, Late>,
    sealed: VecDeque<(Instant, CallId)>,
}

impl Reports {
    pub(super) fn note(&mut self, call_id: &str, call: CallId, side: Side) {
        if self.legs.insert(call_id.to_owned(), (call, side)).is_none() {
            self.call_ids.entry(call).or_default().push(call_id.to_owned());
        }
    }

    pub(super) fn seal(&mut self, now: Instant, call: CallId, late: Late) {
        if !self.call_ids.contains_key(&call) {
            return;
        }
        self.late.insert(call, late);
        self.sealed.push_back((now, call));
        self.expire(now);
    }

    fn expire(&mut self, now: Instant) {
        while let Some((sealed, call)) = self.sealed.front().copied() {
            if now.since(sealed) < KEPT && self.sealed.len() <= limits::LATE_CALLS {
                break;
            }
            self.sealed.pop_front();
            self.late.remove(&call);
            for call_id in self.call_ids.remove(&call).unwrap_or_default() {
                self.legs.remove(&call_id);
            }
        }
    }
}

impl Gateway {
    /// From now on reports on this session's Call-ID are this leg's.
    pub(super) fn note_reporter(&mut self, session: SessionId, call: CallId, side: Side) {
        if let Some(call_id) = self.endpoint.call_id_of(session) {
            self.reports.note(call_id, call, side);
        }
    }

    pub(super) fn handle_report(&mut self, now: Now, reported: Reported) {
        let Reported { at, session, mut report } = reported;
        self.reports.expire(now.mono);
        let named = report.call_id.take().and_then(|id| self.reports.legs.get(&id).copied());
        let linked = || session.and_then(|s| self.by_session.get(&s)).map(|link| (link.call, link.role.side()));
        let Some((call, leg)) = named.or_else(linked) else {
            return tracing::debug!("a voice quality report on no call of ours");
        };
        for metrics in [Some(&mut report.heard), report.sent.as_mut()].into_iter().flatten() {
            if let Some(codec) = &mut metrics.codec {
                *codec = codec.chars().take(LONGEST_NAME).collect();
            }
        }
        if self.calls.contains_key(&call) {
            self.inputs.push_back((call, at, Input::Reported { side: leg, report }));
        } else if let Some(fact) = self.reports.late.get_mut(&call).and_then(|late| late.report(at, leg, report)) {
            self.outputs.push_back(Output::Fact(fact));
        }
    }
}
