//! Stretches of time, and what is left of one set of them without another.

use serde::{Deserialize, Serialize};

/// From an instant to a later one, in ms from the begin of the recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Span {
    pub from_ms: u64,
    pub to_ms: u64,
}

impl Span {
    pub fn new(from_ms: u64, to_ms: u64) -> Span {
        Span { from_ms, to_ms: to_ms.max(from_ms) }
    }

    pub fn ms(&self) -> u64 {
        self.to_ms - self.from_ms
    }

    pub fn holds(&self, ms: u64) -> bool {
        self.from_ms <= ms && ms < self.to_ms
    }

    /// What both have.
    pub fn shared(&self, other: &Span) -> Option<Span> {
        let (from_ms, to_ms) = (self.from_ms.max(other.from_ms), self.to_ms.min(other.to_ms));
        (from_ms < to_ms).then_some(Span { from_ms, to_ms })
    }
}

/// In order, those that touch made one.
pub(super) fn merged(mut spans: Vec<Span>, gap_ms: u64) -> Vec<Span> {
    spans.retain(|span| span.ms() > 0);
    spans.sort();
    let mut out: Vec<Span> = Vec::with_capacity(spans.len());
    for span in spans {
        match out.last_mut() {
            Some(last) if span.from_ms <= last.to_ms + gap_ms => last.to_ms = last.to_ms.max(span.to_ms),
            _ => out.push(span),
        }
    }
    out
}

/// `spans` without `holes`; both in order and without overlap.
pub(super) fn without(spans: &[Span], holes: &[Span]) -> Vec<Span> {
    let mut out = Vec::new();
    let mut first = 0;
    for span in spans {
        let mut from_ms = span.from_ms;
        while holes.get(first).is_some_and(|hole| hole.to_ms <= from_ms) {
            first += 1;
        }
        for hole in holes[first..].iter().take_while(|hole| hole.from_ms < span.to_ms) {
            if hole.from_ms > from_ms {
                out.push(Span::new(from_ms, hole.from_ms));
            }
            from_ms = from_ms.max(hole.to_ms);
        }
        if from_ms < span.to_ms {
            out.push(Span::new(from_ms, span.to_ms));
        }
    }
    out
}

/// What both have; both in order and without overlap.
pub(super) fn shared(one: &[Span], other: &[Span]) -> Vec<Span> {
    let mut out = Vec::new();
    let (mut i, mut j) = (0, 0);
    while let (Some(a), Some(b)) = (one.get(i), other.get(j)) {
        out.extend(a.shared(b));
        if a.to_ms <= b.to_ms {
            i += 1;
        } else {
            j += 1;
        }
    }
    out
}

pub(super) fn total_ms(spans: &[Span]) -> u64 {
    spans.iter().map(Span::ms).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spans(all: &[(u64, u64)]) -> Vec<Span> {
        all.iter().map(|(from, to)| Span::new(*from, *to)).collect()
    }

    #[test]
    fn sets_of_times() {
        let all = merged(spans(&[(50, 60), (0, 10), (5, 20), (23, 30), (40, 40)]), 4);
        assert_eq!(all, spans(&[(0, 30), (50, 60)]));
        assert_eq!(without(&all, &spans(&[(5, 8), (20, 55), (58, 90)])), spans(&[(0, 5), (8, 20), (55, 58)]));
        assert_eq!(without(&all, &[]), all);
        assert_eq!(without(&all, &spans(&[(0, 60)])), []);
        assert_eq!(shared(&all, &spans(&[(5, 8), (20, 55), (58, 90)])), spans(&[(5, 8), (20, 30), (50, 55), (58, 60)]));
        assert_eq!(total_ms(&all), 40);
    }
}
