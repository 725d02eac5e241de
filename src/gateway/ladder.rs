//! What is kept of each SIP message of a call: the facts behind its ladder.
//!
//! A first transmission is noted with the instant at which it was written, everything else with that of its handling. A number
//! that may be the caller's stands as a placeholder: facts cannot be erased.

use std::net::SocketAddr;

use super::Gateway;
use super::book::{Link, Role};
use crate::call::fact::{CALLER, Signal};
use crate::call::leg::Input;
use crate::clock::Now;
use crate::ids::CallId;
use crate::protocol::sip::endpoint::{Label, Seen, SessionId, Transmit};

/// Messages of one session that io has yet to write, beyond which the ladder does without the details.
const UNWRITTEN: usize = 32;

/// So many digits in the user part of a URI may be somebody's number.
const DIGITS: usize = 5;

impl Gateway {
    pub(super) fn note_received(&mut self, id: CallId, role: &Role, at: Now, label: &Label, seen: Option<Box<Seen>>) {
        let signal = signal(role, false, label, seen.map(|seen| *seen));
        self.inputs.push_back((id, at, Input::Signal(Box::new(signal))));
    }

    /// A message of a session is on its way to io.
    pub(super) fn note_transmit(&mut self, now: Now, transmit: &Transmit) {
        let Some(link) = transmit.session.and_then(|session| self.by_session.get_mut(&session)) else { return };
        if !self.calls.contains_key(&link.call) {
            return;
        }
        let seen = Seen { again: transmit.again, ..Seen::of_ours(&transmit.bytes, transmit.flow.remote) };
        if transmit.mark.is_some() {
            if link.unwritten.len() < UNWRITTEN {
                link.unwritten.push_back((transmit.label.clone(), seen));
            }
            return;
        }
        let signal = signal(&link.role, true, &transmit.label, Some(seen));
        self.inputs.push_back((link.call, now, Input::Signal(Box::new(signal))));
    }

    /// io has written a message for the first time.
    pub(super) fn note_written(&mut self, session: SessionId, label: &Label, at: Now) {
        let Some(Link { call, role, unwritten, .. }) = self.by_session.get_mut(&session) else { return };
        let place = unwritten.iter().position(|(other, _)| other == label);
        let seen = place.and_then(|place| unwritten.remove(place)).map(|(_, seen)| seen);
        let signal = signal(role, true, label, seen);
        self.inputs.push_back((*call, at, Input::Signal(Box::new(signal))));
    }
}

fn signal(role: &Role, sent: bool, label: &Label, seen: Option<Seen>) -> Signal {
    let attempt = match role {
        Role::Caller => None,
        Role::Agent { attempt, .. } => Some(*attempt),
    };
    let (message, body, peer, again) = match seen {
        Some(Seen { line, body, peer, again }) => (line, body, Some(peer), again),
        None => (label.to_string(), None, None::<SocketAddr>, false),
    };
    // The Contact that the trunk gave us is where our requests go, and often it names the caller.
    let message = if sent { message } else { without_code(message) };
    // So does what an agent's phone dials.
    let is_of_caller = sent == (*role == Role::Caller);
    let message = if is_of_caller { without_number(message) } else { message };
    Signal { leg: role.side(), sent, message, attempt, again, peer, body }
}

/// `BYE sip:13900000001@192.0.2.1` as `BYE sip:{caller}@192.0.2.1`.
fn without_number(line: String) -> String {
    let Some((method, uri)) = line.split_once(' ') else { return line };
    let Some((scheme @ ("sip" | "sips" | "tel"), rest)) = uri.split_once(':') else { return line };
    let (user, host) = match rest.rfind('@') {
        Some(at) => rest.split_at(at),
        None if scheme == "tel" => (rest, ""),
        None => return line,
    };
    if user.chars().filter(char::is_ascii_digit).count() < DIGITS {
        return line;
    }
    format!("{method} {scheme}:{CALLER}{host}")
}

/// A request to a code that an agent dialled: a PIN may follow it.
fn without_code(line: String) -> String {
    let Some((method, (scheme, rest))) = line.split_once(' ').and_then(|(m, uri)| Some((m, uri.split_once(':')?)))
    else {
        return line;
    };
    let (user, host) = rest.rfind('@').map_or(("", rest), |at| rest.split_at(at));
    if !user.contains('*') && !user.contains("%2A") && !user.contains("%2a") {
        return line;
    }
    format!("{method} {scheme}:{{code}}{host}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pin_is_not_kept() {
        for (line, kept) in [
            ("BYE sip:*918*4711@192.0.2.1", "BYE sip:{code}@192.0.2.1"),
            ("ACK sip:%2A918%234711@h;x=y", "ACK sip:{code}@h;x=y"),
            ("BYE sip:9@192.0.2.1", "BYE sip:9@192.0.2.1"),
            ("200 OK (INVITE)", "200 OK (INVITE)"),
        ] {
            assert_eq!(without_code(line.to_owned()), kept);
        }
    }

    #[test]
    fn a_number_is_not_kept() {
        for (line, kept) in [
            ("BYE sip:13900000001@192.0.2.1:5060;x=y", "BYE sip:{caller}@192.0.2.1:5060;x=y"),
            ("ACK sip:+86-139-0000@h", "ACK sip:{caller}@h"),
            ("BYE tel:+8613900000001;phone-context=x", "BYE tel:{caller}"),
            ("BYE sip:trunk7@192.0.2.1", "BYE sip:trunk7@192.0.2.1"),
            ("BYE sip:192.0.2.123:50600", "BYE sip:192.0.2.123:50600"),
            ("200 OK (INVITE)", "200 OK (INVITE)"),
        ] {
            assert_eq!(without_number(line.to_owned()), kept);
        }
    }
}
