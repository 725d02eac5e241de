//! Another call in the place of one that cannot be scored: for a reason of a closed list, of the same part, in the order of the lot.

use std::collections::BTreeSet;

use super::frame::Candidate;
use super::seed::Seed;
use crate::cdr::words;
use crate::ids::CallId;

words! {
    /// Why a drawn call cannot be scored.
    Reason {
        /// Nobody says anything.
        NoSpeech "no_speech",
        TestCall "test_call",
        /// It is not the agent's whose call the record says it is.
        WrongAgent "wrong_agent",
        /// Whoever scores knows the caller, or is in the call.
        Conflict "conflict_of_interest",
        Unusable "unusable_audio",
    }
}

/// The call that comes next, if `used` (the first one and earlier replacements) cannot be scored: of the first one's stratum by
/// ticket, then of the rest of its part by ticket. `None`: the part has no other call.
pub fn next(seed: &Seed, part: &[Candidate], stratum: &str, used: &BTreeSet<CallId>) -> Option<Candidate> {
    let free = part.iter().filter(|found| !used.contains(&found.call));
    free.min_by_key(|found| (found.stratum != stratum, seed.ticket(found.call))).cloned()
}

/// Replacements beyond one pick in ten need another person's consent.
pub const FREE_ONE_IN: u64 = 10;

/// Whether one more replacement, when `replaced` of a period's `picks` are already, needs the consent of another person.
pub fn needs_consent(replaced: u64, picks: u64) -> bool {
    (replaced + 1) * FREE_ONE_IN > picks
}
