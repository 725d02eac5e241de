//! Which session and which media leg belongs to which call.

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, SocketAddr};

use super::forks::Forks;
use crate::call::Call;
use crate::call::leg::Callee;
use crate::ids::{CallId, LegId, Side};
use crate::media::Codec;
use crate::media::negotiate::{Local, Peer};
use crate::protocol::sip::endpoint::{Flow, Label, MAX_FORWARDS, Seen, SessionId};
use crate::quality::Heard;

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) call: Call,
    pub(super) caller: CallerLeg,
    pub(super) attempts: BTreeMap<u32, Attempt>,
    /// What is logged about the call stands in it: made once, since a call acts fifty times and more.
    pub(super) span: tracing::Span,
}

#[derive(Debug)]
pub(super) struct CallerLeg {
    /// `None`: a caller who is called back, and is not called yet.
    pub(super) session: Option<SessionId>,
    pub(super) flow: Flow,
    /// What the phones are shown; `None`: the caller withholds it.
    pub(super) shown_number: Option<String>,
    /// The offer; `None` until the ACK brings the answer to ours.
    pub(super) peer: Option<Peer>,
    /// What is spoken on this leg, once it is agreed.
    pub(super) codec: Option<Codec>,
    pub(super) media: Option<LegMedia>,
    pub(super) held: bool,
    /// For the INVITEs that this call leads to.
    pub(super) max_forwards: u8,
    /// The ACK of the call's own 2xx has come; later ones belong to re-INVITEs.
    pub(super) acknowledged: bool,
}

/// One ring of one agent, on one phone or on several at once, or of a target.
#[derive(Debug)]
pub(super) struct Attempt {
    pub(super) agent: Callee,
    pub(super) forks: Forks,
    pub(super) media: Option<LegMedia>,
    pub(super) peer: Option<Peer>,
    pub(super) codec: Option<Codec>,
    /// Where the phone's SIP came from.
    pub(super) source: Option<SocketAddr>,
    pub(super) held: bool,
    /// The call has no more to do with this phone, though its session may have something left to say.
    pub(super) released: bool,
    /// It has been joined to the caller: what its leg has received is the agent's, to the end.
    pub(super) bridged: bool,
    /// Its phone is coming over from a consultation.
    pub(super) moves: bool,
    /// It takes part beside caller and agent, or did.
    pub(super) beside: bool,
}

/// The ports and the description of one leg.
#[derive(Debug, Clone)]
pub(super) struct LegMedia {
    pub(super) leg: LegId,
    pub(super) local: Local,
    /// Ports that could not be bound before this one.
    pub(super) failed_binds: u32,
    pub(super) closing: bool,
    /// Our 2xx made the offer: its ACK brings the answer.
    pub(super) awaits_answer: bool,
    /// Holds that this leg's peer has begun.
    pub(super) holds: u32,
}

/// A session's place. It outlives the session (its last message is written after it has ended) and, while its phone still
/// has something to say, the call.
#[derive(Debug, Clone)]
pub(super) struct Link {
    pub(super) call: CallId,
    pub(super) role: Role,
    pub(super) terminated: bool,
    /// Messages that io has not written yet.
    pub(super) unwritten: VecDeque<(Label, Seen)>,
}

/// A leg's place and its port, which goes to quarantine when the leg is closed, whether its call still lives or not.
#[derive(Debug, Clone)]
pub(super) struct PortLink {
    pub(super) role: Role,
    pub(super) port: u16,
    /// Its call goes on without it; and its measurement, once that is known.
    pub(super) left: Option<Option<Box<Heard>>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Role {
    Caller,
    /// The phone of an agent, or of a target in an agent's place.
    Agent {
        attempt: u32,
        agent: Callee,
    },
}

impl Attempt {
    pub(super) fn new(agent: Callee, media: Option<LegMedia>) -> Attempt {
        let (forks, peer, codec, source) = (Forks::default(), None, None, None);
        let (held, released, bridged, moves, beside) = (false, false, false, false, false);
        Attempt { agent, forks, media, peer, codec, source, held, released, bridged, moves, beside }
    }
}

impl Role {
    pub(super) fn side(&self) -> Side {
        match self {
            Role::Caller => Side::Caller,
            Role::Agent { .. } => Side::Agent,
        }
    }
}

/// The media of a leg as its peer sees it.
pub(super) struct Said<'a> {
    pub(super) peer: &'a mut Option<Peer>,
    pub(super) codec: &'a mut Option<Codec>,
    /// It holds us.
    pub(super) held: &'a mut bool,
}

impl CallerLeg {
    /// Of whoever is called by us and stands as the caller; the agent sees the number.
    pub(super) fn called(flow: Flow, number: String) -> CallerLeg {
        CallerLeg {
            session: None,
            flow,
            shown_number: Some(number),
            peer: None,
            codec: None,
            media: None,
            held: false,
            max_forwards: MAX_FORWARDS,
            acknowledged: true,
        }
    }
}

impl Entry {
    pub(super) fn new(id: CallId, call: Call, caller: CallerLeg) -> Entry {
        Entry { call, caller, attempts: BTreeMap::new(), span: tracing::info_span!("switch", call = %id) }
    }

    /// Where the SIP of a leg comes from.
    pub(super) fn signalling(&self, role: &Role) -> Option<IpAddr> {
        match role {
            Role::Caller => Some(self.caller.flow.remote.ip()),
            Role::Agent { attempt, .. } => self.attempts.get(attempt)?.source.map(|source| source.ip()),
        }
    }

    /// What the peer of a leg has said about its media.
    pub(super) fn said_mut(&mut self, role: &Role) -> Option<Said<'_>> {
        match role {
            Role::Caller => {
                let CallerLeg { peer, codec, held, .. } = &mut self.caller;
                Some(Said { peer, codec, held })
            }
            Role::Agent { attempt, .. } => {
                let Attempt { peer, codec, held, .. } = self.attempts.get_mut(attempt)?;
                Some(Said { peer, codec, held })
            }
        }
    }

    pub(super) fn media_mut(&mut self, role: &Role) -> Option<&mut LegMedia> {
        match role {
            Role::Caller => self.caller.media.as_mut(),
            Role::Agent { attempt, .. } => self.attempts.get_mut(attempt)?.media.as_mut(),
        }
    }
}
