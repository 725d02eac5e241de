//! Everything that is turned away, told in two ways: each in the counter of its reason, and at most one line of the log for a
//! reason in [`BETWEEN_LINES`], with the number of those that had none.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::clock::Instant;
use crate::metrics::{Counters, SipRejection};

const BETWEEN_LINES: Duration = Duration::from_secs(10);

/// A handle; clones tell the same log.
#[derive(Debug, Clone)]
pub struct Refusals {
    counters: Counters,
    told: Arc<Mutex<BTreeMap<SipRejection, Told>>>,
}

#[derive(Debug, Default)]
struct Told {
    last: Option<Instant>,
    /// Since the last line.
    untold: u64,
    /// One of them, so that the operator has something to look for.
    from: Option<SocketAddr>,
}

impl Refusals {
    pub fn new(counters: Counters) -> Refusals {
        Refusals { counters, told: Arc::default() }
    }

    /// `from`: the source of one of these messages, if it is known.
    pub fn refuse(&self, now: Instant, reason: SipRejection, messages: u64, from: Option<SocketAddr>) {
        if messages == 0 {
            return;
        }
        self.counters.sip_rejected(reason, messages);
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let told = told.entry(reason).or_default();
        told.untold += messages;
        told.from = from.or(told.from);
        if let Some(line) = told.due(now) {
            say(reason, line);
        }
    }

    /// The lines that have become due since: what a flood did until its end is told too.
    pub fn flush(&self, now: Instant) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        for (reason, told) in told.iter_mut() {
            if let Some(line) = told.due(now) {
                say(*reason, line);
            }
        }
    }
}

/// How many, and from where one of them came.
#[derive(Debug, PartialEq, Eq)]
struct Line {
    messages: u64,
    from: Option<SocketAddr>,
}

impl Told {
    fn due(&mut self, now: Instant) -> Option<Line> {
        if self.untold == 0 || self.last.is_some_and(|last| now.since(last) < BETWEEN_LINES) {
            return None;
        }
        self.last = Some(now);
        Some(Line { messages: std::mem::take(&mut self.untold), from: self.from.take() })
    }
}

fn say(reason: SipRejection, line: Line) {
    let (messages, from) = (line.messages, line.from.map_or_else(|| "-".to_owned(), |from| from.to_string()));
    match reason {
        // Ours to mend, or somebody we know floods us.
        SipRejection::QueueFull
        | SipRejection::Overloaded
        | SipRejection::SourceRate
        | SipRejection::TotalRate
        | SipRejection::Connections => tracing::warn!(%reason, messages, %from, "SIP turned away"),
        _ => tracing::info!(%reason, messages, %from, "SIP turned away"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_is_told_at_once_and_the_others_together() {
        let mut told = Told { untold: 1, ..Told::default() };
        let (start, from) = (Instant::START, "192.0.2.1:5060".parse().unwrap());
        assert_eq!(told.due(start), Some(Line { messages: 1, from: None }));
        told.untold += 70_000;
        told.from = Some(from);
        assert_eq!(told.due(start + BETWEEN_LINES / 2), None);
        assert_eq!(told.due(start + BETWEEN_LINES), Some(Line { messages: 70_000, from: Some(from) }));
        assert_eq!(told.due(start + BETWEEN_LINES * 2), None, "nothing came since");
    }
}
