//! Who listened to a call, whispered or broke in, and when.

use serde::{Deserialize, Serialize};

use crate::call::fact::{Fact, Supervision, What};
use crate::clock::Stamp;
use crate::ids::AgentNo;

/// A stretch in which a supervisor did one thing; times from *connected*.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Supervised {
    pub by: AgentNo,
    pub mode: Supervision,
    pub from_ms: Option<u64>,
    /// Null while it lasts, and across a crash.
    pub to_ms: Option<u64>,
}

/// What is known of it so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Stretches(Vec<Stretch>);

#[derive(Debug, Clone)]
struct Stretch {
    attempt: u32,
    by: AgentNo,
    mode: Supervision,
    from: Stamp,
    to: Option<Stamp>,
}

impl Stretches {
    pub(super) fn push(&mut self, fact: &Fact) {
        match &fact.what {
            What::SupervisionStarted { attempt, by, mode } | What::SupervisionChanged { attempt, by, mode } => {
                self.end(*attempt, fact.at);
                let (attempt, by, mode) = (*attempt, by.clone(), *mode);
                self.0.push(Stretch { attempt, by, mode, from: fact.at, to: None });
            }
            What::SupervisionEnded { attempt, .. } => self.end(*attempt, fact.at),
            _ => {}
        }
    }

    pub(super) fn list(&self, connected: Option<Stamp>) -> Vec<Supervised> {
        let since = |at: Stamp| at.millis_since(connected?);
        let one = |stretch: &Stretch| Supervised {
            by: stretch.by.clone(),
            mode: stretch.mode,
            from_ms: since(stretch.from),
            to_ms: stretch.to.and_then(since),
        };
        self.0.iter().map(one).collect()
    }

    fn end(&mut self, attempt: u32, at: Stamp) {
        let open = self.0.iter_mut().find(|stretch| stretch.attempt == attempt && stretch.to.is_none());
        open.into_iter().for_each(|open| open.to = Some(at));
    }
}
