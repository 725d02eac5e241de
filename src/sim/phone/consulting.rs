//! An agent asks a colleague before handing the caller on: holds the caller, calls the colleague, and then has the two joined
//! (REFER with Replaces), whether the colleague has answered by then or not.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use super::{Happened, Patience, Person, Phone, Script, Step, Trick};
use crate::clock::Now;
use crate::media::negotiate::{self, Local};
use crate::protocol::sip::endpoint::{MAX_FORWARDS, OutgoingInvite, SessionId, Transport};
use crate::protocol::sip::uri::Uri;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Consult {
    /// Answers the caller.
    pub after: Duration,
    /// Calls the colleague, so long after that.
    pub call_after: Duration,
    /// Which of them, by their number in the list, or nobody at all.
    pub to: u8,
    /// Hands the caller on, so long after calling the colleague.
    pub refer_after: Duration,
    /// Hangs up, so long after the answer, if the caller is still there.
    pub hang_up_after: Duration,
}

#[derive(Debug, Default)]
pub(super) struct Consulting {
    /// Who has a call that came in, and where from.
    desks: BTreeMap<SessionId, (String, SocketAddr)>,
    /// The call to the colleague.
    own: BTreeMap<SessionId, SessionId>,
}

impl Consulting {
    pub(super) fn note_desk(&mut self, session: SessionId, user: &str, server: SocketAddr) {
        self.desks.insert(session, (user.to_owned(), server));
    }

    pub(super) fn forget(&mut self, session: SessionId) {
        self.desks.remove(&session);
        self.own.remove(&session);
        self.own.retain(|_, own| *own != session);
    }
}

impl Phone {
    pub(super) fn consult(&mut self, now: Now, session: SessionId, consult: Consult) {
        let Some((user, server)) = self.consulting.desks.get(&session).cloned() else { return };
        let colleague = self.colleague(consult.to);
        let local = self.local();
        let Some(target) = Uri::parse(&format!("sip:{colleague}@{server}")) else { return };
        let call = OutgoingInvite {
            target,
            transport: Transport::Udp,
            destination: server,
            flow: None,
            caller: Some(user.clone()),
            offer: negotiate::offer(&local, &self.codecs, Some(101)),
            max_forwards: MAX_FORWARDS,
        };
        let Some(own) = self.endpoint.invite(now.mono, call) else { return };
        // Nobody hangs up in the very moment of handing on.
        let longest = consult.refer_after + Duration::from_secs(20);
        let patience = Patience { wait: longest, talk: Some(longest) };
        self.people.insert(own, Person { local, side: Script::Calling(patience, Trick::None), connected: false });
        self.steps.set((own, Step::HangUp), Some(now.mono + longest));
        self.steps.set((session, Step::Refer), Some(now.mono + consult.refer_after));
        self.tricks.watch(own);
        self.consulting.own.insert(session, own);
        self.happened.push_back((own, now, Happened::Calls { user }));
    }

    /// With the colleague busy or gone, the agent goes on with the caller.
    pub(super) fn refer_consulted(&mut self, now: Now, session: SessionId) {
        let own = self.consulting.own.get(&session).copied();
        let Some((of, dialog)) = own.and_then(|own| self.tricks.dialog_of(own)) else {
            return self.take_step(now, session, Step::Resume);
        };
        let to = format!("{of}?Replaces={dialog}");
        self.tricks.refer(session, self.address, &self.random.token(), &to);
    }

    pub(super) fn colleague(&self, number: u8) -> String {
        self.colleagues.get(usize::from(number)).map_or("0085212345678", String::as_str).to_owned()
    }

    /// The other side goes on elsewhere (re-INVITE). A phone now and then cannot.
    pub(super) fn move_over(&mut self, now: Now, session: SessionId, offer: &[u8]) {
        let peer = negotiate::read(offer).ok().filter(|_| self.random.below(8) > 0);
        let agreed = peer.and_then(|p| Some((p.codecs.iter().find(|(c, _)| self.codecs.contains(c))?.0, p)));
        let (Some((codec, peer)), Some(person)) = (agreed, self.people.get_mut(&session)) else {
            return self.endpoint.reject_reoffer(now.mono, session, 488);
        };
        person.local = Local { version: person.local.version + 1, ..person.local };
        let local = person.local;
        self.endpoint.accept_reoffer(now.mono, session, negotiate::answer(&local, &peer, codec));
        let remote = peer.remote(codec, None);
        self.happened.push_back((session, now, Happened::Connected { local: local.rtp, remote }));
    }
}
