//! Whether the house owes a caller a call, and why.

use serde::{Deserialize, Serialize};

use super::record::{Outcome, Time, words};
use crate::call::fact::ClosedWhy;
use crate::call::reason::Reason;

words! {
    /// Why a caller is to be called back.
    Why {
        /// The caller left before an agent answered, and not at once.
        Abandoned "abandoned",
        /// Nobody took the call.
        Missed "missed",
        /// The caller left a message.
        Message "message",
        /// The caller called while the hotline was out of order.
        Outage "outage",
        /// An agent promised it.
        Promised "promised",
    }
}

/// What a call leaves to be done. When it was done is no fact of that call: see the list of callbacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owed {
    pub why: Why,
    /// *ended* and `within_s` of the dialplan's `[callback]`.
    pub due_at: Time,
    /// After so many attempts in vain the caller is given up.
    pub attempts: u32,
}

/// `None`: the caller was served, refused, or left at once.
pub(super) fn why(outcome: Outcome, reason: Reason, closed: Option<ClosedWhy>, left_message: bool) -> Option<Why> {
    match outcome {
        Outcome::Answered | Outcome::ShortAbandoned => None,
        _ if closed == Some(ClosedWhy::Outage) => Some(Why::Outage),
        Outcome::Abandoned => Some(Why::Abandoned),
        Outcome::Failed => Some(Why::Missed),
        Outcome::Overflow if left_message => Some(Why::Message),
        // Asked for a message in opening hours, the caller hung up instead of leaving one.
        Outcome::Overflow if reason == Reason::MessageLeft && closed.is_none() => Some(Why::Abandoned),
        Outcome::Overflow | Outcome::Rejected => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::fact::{CallbackRule, StepKind, What};
    use crate::call::reason::EndedBy;
    use crate::cdr::Record;
    use crate::ledger::story::{MORNING, Story};

    fn record(story: Story) -> Record {
        let mut facts = story.facts();
        if let What::Offered(offered) = &mut facts[0].what {
            offered.callback = Some(CallbackRule { within_ms: 1_800_000, attempts: 5 });
        }
        Record::from_facts(&facts).expect("a call")
    }

    fn why_of(story: Story) -> Option<Why> {
        record(story).callback.map(|owed| owed.why)
    }

    fn asked(story: Story) -> Story {
        let message = What::Step { step: "leave".to_owned(), does: StepKind::Message, takes: true };
        story.at(20, message).at(30, What::Connected)
    }

    #[test]
    fn whoever_reached_nobody_is_owed_a_call() {
        let left = |ms| Story::new(1).at(1_000, What::Ring).ended(ms, Reason::CallerCancelled, EndedBy::Caller);
        assert_eq!(why_of(left(4_000)), None, "a short abandon");
        let abandoned = record(left(20_000)).callback.expect("owed");
        let due = MORNING + std::time::Duration::from_millis(20_000 + 1_800_000);
        assert_eq!((abandoned.why, abandoned.due_at.0, abandoned.attempts), (Why::Abandoned, due, 5));
        let answered = Story::talking(1).ended(20_000, Reason::CallerHungUp, EndedBy::Caller);
        assert_eq!(why_of(answered), None);
        let nobody = Story::new(1).ended(20_000, Reason::AgentsBusy, EndedBy::Gateway);
        assert_eq!(why_of(nobody), Some(Why::Missed));
        let message = asked(Story::new(1)).at(9_000, What::MessageStarted);
        assert_eq!(why_of(message.ended(20_000, Reason::MessageLeft, EndedBy::Caller)), Some(Why::Message));
        let silent = asked(Story::new(1)).ended(6_000, Reason::MessageLeft, EndedBy::Caller);
        assert_eq!(why_of(silent.clone()), Some(Why::Abandoned));
        let closed = |why| asked(Story::new(1).at(1, What::Closed { why, holiday: None }));
        let night = closed(ClosedWhy::Hours).ended(6_000, Reason::MessageLeft, EndedBy::Caller);
        assert_eq!(why_of(night), None, "the caller was told the hours");
        let outage = closed(ClosedWhy::Outage).ended(6_000, Reason::MessageLeft, EndedBy::Caller);
        assert_eq!(why_of(outage), Some(Why::Outage));
        let full = Story::new(1).ended(1, Reason::Overloaded, EndedBy::Gateway);
        assert_eq!(why_of(full), None);
        assert_eq!(Record::from_facts(&silent.facts()).expect("a call").callback, None, "without [callback]");
    }
}
