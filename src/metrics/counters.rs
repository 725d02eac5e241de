//! Direct counters: what is counted where it happens, through typed methods, so that no label is free text.

use std::time::Duration;

use super::registry::{Families, OTHER};
use super::table::{Id, RECORDINGS};
use crate::cdr::{Word, words};
use crate::clock::Wall;
use crate::ids::{HotlineId, TrunkName};
use crate::qa::backlog::{Backlog, Deed, Hearing, Waiting};
use crate::qa::summary::Pool;

/// A handle; clones count into the same series.
#[derive(Debug, Clone)]
pub struct Counters {
    families: Families,
}

words! {
    /// The method of a SIP request.
    Method {
        Invite "INVITE",
        Ack "ACK",
        Bye "BYE",
        Cancel "CANCEL",
        Options "OPTIONS",
        Register "REGISTER",
        Prack "PRACK",
        Update "UPDATE",
        Info "INFO",
        Refer "REFER",
        Other "other",
    }
}

impl Method {
    /// Methods whose responses are counted apart; those of all others count as `other`.
    pub(super) const ANSWERED: &[&str] = &["INVITE", "BYE", "CANCEL", "OPTIONS", "REGISTER", "other"];

    fn answered_label(self) -> &'static str {
        let word = self.word();
        if Method::ANSWERED.contains(&word) { word } else { Method::Other.word() }
    }
}

words! {
    /// Seen from the gateway.
    Direction {
        In "in",
        Out "out",
    }
}

words! {
    /// What became of a new configuration.
    Reload {
        Ok "ok",
        /// It had faults; the old one stays.
        Refused "refused",
    }
}

words! {
    /// Why a request was turned away before it became an offered call.
    SipRejection {
        /// From an address that is no trunk, agent or registered phone: answered with silence.
        Stranger "stranger",
        /// From a known trunk for a number that no dialplan owns.
        UnknownNumber "unknown_number",
        /// An agent's phone that calls by itself (403).
        FromPhone "from_phone",
        /// The switch did not keep up: its queue of messages was full. The peer repeats what it said.
        QueueFull "queue_full",
        /// REGISTER of an unknown user or with a wrong password (401).
        WrongPassword "wrong_password",
        /// REGISTER from a source that has guessed too often: answered with silence.
        LockedOut "locked_out",
        /// The code of a supervisor with a wrong PIN, or too many of them (403).
        WrongPin "wrong_pin",
        /// A connection beyond the bound of its source or of all sources together: it, or an older one that had said nothing.
        Connections "connections",
        /// A connection whose peer did not say anything, or did not complete what it had begun, in time.
        Slow "slow",
        /// A TLS handshake that failed: no common version, no certificate or a wrong one, or none in time.
        Handshake "handshake",
        /// Beyond the budget of messages that its source has.
        SourceRate "source_rate",
        /// Beyond the budget of messages that all trunks, or all other sources, have together.
        TotalRate "total_rate",
        /// A method or extension that we do not take (405, 420, 501).
        Unsupported "unsupported",
        /// Breaks the grammar or a rule of RFC 3261 (400).
        Malformed "malformed",
        /// To no dialog or transaction that is known (481).
        NoDialog "no_dialog",
        /// A bound of the gateway was reached before the call could be recorded (503).
        Overloaded "overloaded",
    }
}

impl SipRejection {
    /// What the sender gets.
    pub fn answer(self) -> &'static str {
        match self {
            SipRejection::Stranger
            | SipRejection::QueueFull
            | SipRejection::SourceRate
            | SipRejection::TotalRate
            | SipRejection::LockedOut => "silence",
            SipRejection::Connections | SipRejection::Slow | SipRejection::Handshake => "closed",
            SipRejection::UnknownNumber => "404",
            SipRejection::WrongPassword => "401",
            SipRejection::FromPhone | SipRejection::WrongPin => "403",
            SipRejection::Unsupported => "405 ...",
            SipRejection::Malformed => "400 ...",
            SipRejection::NoDialog => "481",
            SipRejection::Overloaded => "503",
        }
    }

    /// One sentence for people.
    pub fn text(self) -> &'static str {
        match self {
            SipRejection::Stranger => "From an address that is no trunk's, no phone's and of no live call.",
            SipRejection::UnknownNumber => "From a known trunk, for a number that no dialplan owns.",
            SipRejection::FromPhone => "An agent's phone that calls by itself.",
            SipRejection::QueueFull => {
                "The switch did not keep up, and its queue was full; the peer repeats the message."
            }
            SipRejection::Connections => "A connection beyond the bound of its source or of all sources together.",
            SipRejection::WrongPassword => "REGISTER of an unknown user or with a wrong password.",
            SipRejection::WrongPin => "The code of a supervisor with a wrong PIN, or after too many of them.",
            SipRejection::LockedOut => "REGISTER from a source that has guessed too often.",
            SipRejection::Slow => "A connection on which nothing was said, or nothing completed, in time.",
            SipRejection::Handshake => {
                "A TLS handshake that failed: no common version, no certificate or a wrong one, or none in time."
            }
            SipRejection::SourceRate => "Beyond the budget of messages that one source has.",
            SipRejection::TotalRate => {
                "Beyond the budget that all trunks, or all other sources, have together; the peer repeats the message."
            }
            SipRejection::Unsupported => {
                "A method, extension, scheme or body that we do not take (405, 406, 415, 416, 420, 501)."
            }
            SipRejection::Malformed => "Breaks the grammar or a rule of RFC 3261.",
            SipRejection::NoDialog => {
                "Belongs to no dialog or transaction that is known (a late answer or ACK gets silence)."
            }
            SipRejection::Overloaded => "A bound of the gateway was reached before the call could be recorded.",
        }
    }
}

/// Status codes with a series of their own.
const CODES: &[u16] = &[
    100, 180, 183, 200, 202, 301, 302, 400, 401, 403, 404, 405, 407, 408, 415, 420, 480, 481, 482, 483, 484, 486, 487,
    488, 491, 500, 501, 503, 504, 600, 603, 604,
];

/// Of those, the ones that other requests than INVITE have a series for.
const COMMON_CODES: &[u16] = &[200, 401, 403, 404, 407, 408, 480, 481, 500, 501, 503];

/// Whether the answers to a method have a series of their own for this code; all others are `other`.
pub(super) fn has_response(method: &str, code: &str) -> bool {
    let codes = if method == Method::Invite.word() { CODES } else { COMMON_CODES };
    code == OTHER || code.parse().is_ok_and(|code: u16| codes.contains(&code))
}

pub(super) fn response_codes() -> Vec<String> {
    CODES.iter().map(ToString::to_string).chain([OTHER.to_owned()]).collect()
}

impl Counters {
    pub(super) fn new(families: Families) -> Counters {
        Counters { families }
    }

    pub fn sip_request(&self, method: Method, direction: Direction) {
        self.families.add(Id::SipRequests, &[method.word(), direction.word()], 1);
    }

    pub fn sip_response(&self, method: Method, code: u16, direction: Direction) {
        let (method, code) = (method.answered_label(), code.to_string());
        let code = if has_response(method, &code) { &code } else { OTHER };
        let labels = [method, code, direction.word()];
        self.families.add(Id::SipResponses, &labels, 1);
    }

    pub fn sip_retransmission(&self, direction: Direction) {
        self.families.add(Id::SipRetransmissions, &[direction.word()], 1);
    }

    pub fn sip_parse_error(&self) {
        self.families.add(Id::SipParseErrors, &[], 1);
    }

    pub fn sip_foreign_contact(&self) {
        self.families.add(Id::SipForeignContacts, &[], 1);
    }

    pub fn sip_rejected(&self, reason: SipRejection, messages: u64) {
        if messages > 0 {
            self.families.add(Id::SipRejected, &[reason.word()], messages);
        }
    }

    /// Phones that are registered.
    pub fn registrations(&self, phones: usize) {
        self.families.set(Id::Registrations, &[], i64::try_from(phones).unwrap_or(i64::MAX));
    }

    pub fn config_reload(&self, result: Reload) {
        self.families.add(Id::ConfigReloads, &[result.word()], 1);
    }

    /// The configuration that is in force was read at this time.
    pub fn config_in_force(&self, since: Wall) {
        self.families.set(Id::ConfigReloaded, &[], since.as_micros() / 1_000_000);
    }

    /// What is alive in the switch.
    pub fn occupancy(&self, transactions: usize, sessions: usize, ports: usize) {
        let gauges = [(Id::SipTransactions, transactions), (Id::SipSessions, sessions), (Id::RtpPorts, ports)];
        for (id, count) in gauges {
            self.families.set(id, &[], i64::try_from(count).unwrap_or(i64::MAX));
        }
    }

    /// What is known of a trunk: whether it answers OPTIONS (`None`: it is not asked), and until when we are registered there
    /// (the outer `None`: we do not register).
    pub fn trunk(&self, trunk: &TrunkName, up: Option<bool>, registered: Option<Option<Wall>>) {
        let labels = [trunk.as_str()];
        if let Some(up) = up {
            self.families.set(Id::TrunkUp, &labels, i64::from(up));
        }
        if let Some(until) = registered {
            let seconds = until.map_or(0, |until| until.as_micros() / 1_000_000);
            self.families.set(Id::TrunkRegistered, &labels, i64::from(until.is_some()));
            self.families.set(Id::TrunkRegistrationExpires, &labels, seconds);
        }
    }

    /// A trunk's target has answered OPTIONS.
    pub fn trunk_round_trip(&self, trunk: &TrunkName, took: Duration) {
        self.families.observe(Id::TrunkOptionsRtt, &[trunk.as_str()], took.as_secs_f64());
    }

    pub fn recording_bytes(&self, bytes: u64) {
        self.families.add(Id::RecordingBytes, &[], bytes);
    }

    /// Samples that may have been cut off, left and right.
    pub fn recording_clipped(&self, [caller, agent]: [u32; 2]) {
        self.families.add(Id::RecordingClipped, &["caller"], caller.into());
        self.families.add(Id::RecordingClipped, &["agent"], agent.into());
    }

    pub fn recording_blocks_dropped(&self, blocks: u64) {
        self.families.add(Id::RecordingDropped, &[], blocks);
    }

    /// How full the recordings' disk is: 0 to 3, as the catalogue says.
    pub fn disk_level(&self, level: i64) {
        self.families.set(Id::DiskLevel, &[], level);
    }

    /// Bytes that are left and that there are on the file system of the recordings.
    pub fn storage(&self, free: u64, size: u64) {
        for (id, bytes) in [(Id::StorageFree, free), (Id::StorageSize, size)] {
            self.families.set(id, &[RECORDINGS], i64::try_from(bytes).unwrap_or(i64::MAX));
        }
    }

    /// How far those who score have come.
    pub fn qa_backlog(&self, backlog: &Backlog) {
        let Backlog { unassigned, assigned, overdue, disputed, month } = *backlog;
        for (id, labels, count) in [
            (Id::QaBacklog, &[Waiting::Unassigned.word()][..], unassigned),
            (Id::QaBacklog, &[Waiting::Assigned.word()], assigned),
            (Id::QaBacklog, &[Waiting::Overdue.word()], overdue),
            (Id::QaDisputed, &[], disputed),
            (Id::QaMonth, &["drawn"], month.drawn),
            (Id::QaMonth, &["scored"], month.scored),
            (Id::QaQuotaAgents, &[], month.agents),
            (Id::QaQuotaMet, &[], month.met),
        ] {
            self.families.set(id, labels, i64::try_from(count).unwrap_or(i64::MAX));
        }
    }

    /// What somebody who scores, or decides, did.
    pub fn qa_deed(&self, deed: &Deed) {
        match *deed {
            Deed::Decided(decision) => self.families.add(Id::QaDisputes, &[decision.word()], 1),
            Deed::Scored { pool, hearing, score, fatal, after } => {
                self.families.add(Id::QaReviews, &[pool.word(), hearing.word()], 1);
                if (pool, hearing) != (Pool::Random, Hearing::First) {
                    return;
                }
                self.families.add(Id::QaFatal, &[], fatal.into());
                self.families.observe(Id::QaTurnaround, &[], after.as_secs_f64());
                if let Some(score) = score {
                    self.families.observe(Id::QaScore, &[], score);
                }
            }
        }
    }

    /// Whether a hotline takes calls at the moment.
    pub fn open(&self, hotline: &HotlineId, open: bool) {
        self.families.set(Id::Open, &[hotline.as_str()], i64::from(open));
    }

    /// What waits for the switch.
    pub fn event_queue(&self, waiting: usize) {
        self.families.set(Id::EventQueue, &[], i64::try_from(waiting).unwrap_or(i64::MAX));
    }

    /// The switch came so late to a timer that was due.
    pub fn loop_lag(&self, late: Duration) {
        self.families.observe(Id::LoopLag, &[], late.as_secs_f64());
    }

    pub fn ledger_committed(&self, facts: u64, took: Duration) {
        self.families.add(Id::LedgerFacts, &[], facts);
        self.families.observe(Id::LedgerCommit, &[], took.as_secs_f64());
    }

    pub fn ledger_commit_failed(&self) {
        self.families.add(Id::LedgerFailures, &[], 1);
    }

    pub fn ledger_refused(&self, facts: u64) {
        self.families.add(Id::LedgerRefused, &[], facts);
    }

    pub fn ledger_backlog(&self, facts: u64) {
        self.families.set(Id::LedgerBacklog, &[], i64::try_from(facts).unwrap_or(i64::MAX));
    }
}
