//! Exemplars: for each bucket of a histogram of calls the last call that fell into it, so that a dot in a panel leads to the
//! call. Bounded by the series there are.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::registry::LabelSets;
use super::table::{Id, METRICS};
use crate::ids::CallId;

/// Which call an observation is of, and when it was made (microseconds since 1970).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) call: CallId,
    pub(super) wall_us: i64,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Exemplar {
    pub(super) value: f64,
    pub(super) of: Seen,
}

/// One place for each bucket, the one without an upper bound last.
type Places = Vec<Option<Exemplar>>;

#[derive(Debug, Clone)]
pub(super) struct Exemplars {
    /// Upper bounds by metric, as registered.
    bounds: Arc<[Vec<f64>]>,
    /// By metric and the value of its one label.
    kept: Arc<Mutex<BTreeMap<(usize, String), Places>>>,
}

impl Exemplars {
    pub(super) fn new(sets: &LabelSets) -> Exemplars {
        Exemplars { bounds: METRICS.iter().map(|metric| metric.buckets.bounds(sets)).collect(), kept: Arc::default() }
    }

    pub(super) fn keep(&self, id: Id, label: &str, value: f64, of: Seen) {
        let bounds = &self.bounds[id as usize];
        // A bucket holds its upper bound.
        let bucket = bounds.partition_point(|bound| *bound < value);
        let mut kept = self.kept();
        let places = kept.entry((id as usize, label.to_owned())).or_insert_with(|| vec![None; bounds.len() + 1]);
        if let Some(place) = places.get_mut(bucket) {
            *place = Some(Exemplar { value, of });
        }
    }

    /// Those of one series, a place for each bucket; empty if there are none.
    pub(super) fn of(&self, name: &str, label: &str) -> Places {
        let Some(index) = METRICS.iter().position(|metric| metric.name == name) else { return Vec::new() };
        self.kept().get(&(index, label.to_owned())).cloned().unwrap_or_default()
    }

    fn kept(&self) -> MutexGuard<'_, BTreeMap<(usize, String), Places>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
