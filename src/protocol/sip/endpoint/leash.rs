//! Where requests to a phone may go. RFC 3261 (section 12.2.1.1) sends those within a dialog where Contact and Record-Route say;
//! but then a phone, or whoever has taken one over, could have us write to any host. A trunk is trusted in that, a phone is not.

use super::{Count, Endpoint, Flow, SessionId};
use crate::protocol::sip::dialog::Dialog;
use crate::protocol::sip::uri::Uri;

/// How far the requests of a session may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leash {
    /// By the phone's own flow: it has registered, and its Contact may be an address behind a NAT.
    Flow,
    /// To any port of the host that is configured.
    Host,
}

impl Endpoint {
    /// From now on the requests of this session go no farther. A Contact of its INVITE that would lead elsewhere is counted.
    pub fn leash(&mut self, id: SessionId, leash: Leash) {
        let Some(session) = self.sessions.get(&id) else { return };
        let foreign = session.dialog.as_ref().is_some_and(|dialog| leads_elsewhere(dialog, &session.flow));
        if foreign && leash == Leash::Host {
            self.counts.push_back(Count::ForeignContact);
        }
        self.leashes.insert(id, leash);
    }

    pub fn is_leashed(&self, id: SessionId) -> bool {
        self.leashes.contains_key(&id)
    }

    /// The answer to an INVITE of ours has begun this dialog.
    pub(super) fn note_contact(&mut self, id: SessionId, dialog: &Dialog, flow: &Flow, target: Option<&Uri>) {
        // Behind a NAT it answers with the Contact that it has registered with, which is what we have called.
        let called = |next: &Uri| target.is_some_and(|target| target.host == next.host);
        let expected = dialog.next_hop().as_ref().is_some_and(called);
        if self.leashes.contains_key(&id) && !expected && leads_elsewhere(dialog, flow) {
            self.counts.push_back(Count::ForeignContact);
        }
    }

    /// The way of a request within the dialog of a session.
    pub(super) fn way_within(&self, id: SessionId, dialog: &Dialog, flow: Flow, heard_from: Flow) -> Flow {
        match self.leashes.get(&id) {
            None => self.flow_of(dialog, flow, heard_from),
            Some(Leash::Flow) => flow,
            Some(Leash::Host) => {
                let way = self.flow_of(dialog, flow, heard_from);
                let near = way.remote.ip().to_canonical() == flow.remote.ip().to_canonical();
                if near { way } else { flow }
            }
        }
    }
}

/// The next hop is an address of another host than this way's.
fn leads_elsewhere(dialog: &Dialog, flow: &Flow) -> bool {
    let next = dialog.next_hop().and_then(|uri| uri.socket_addr());
    next.is_some_and(|next| next.ip().to_canonical() != flow.remote.ip().to_canonical())
}
