//! Loss and jitter over the time of a stream, in a bounded number of columns.

use std::time::Duration;

use crate::clock::Instant;
use crate::quality::StreamMeter;

/// Columns at most; then two become one.
const COLUMNS: usize = 60;
const FIRST_WIDTH: Duration = Duration::from_millis(500);

#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Column {
    pub received: u64,
    pub lost: u64,
    /// The highest estimate in it.
    pub jitter_ns: f64,
}

#[derive(Debug, Clone)]
pub struct Plot {
    pub width: Duration,
    pub columns: Vec<Column>,
    from: Instant,
    /// Received and lost when the last column was closed.
    told: (u64, u64),
}

impl Plot {
    pub(super) fn new(from: Instant) -> Plot {
        Plot { width: FIRST_WIDTH, columns: vec![Column::default()], from, told: (0, 0) }
    }

    /// To be told after each packet.
    pub(super) fn note(&mut self, at: Instant, meter: &StreamMeter) {
        while at.since(self.from).as_nanos() >= self.width.as_nanos() * COLUMNS as u128 {
            self.fold();
        }
        let number = at.since(self.from).as_nanos() / self.width.as_nanos();
        let now = (meter.received().packets(), meter.received().lost());
        while self.columns.len() <= number as usize {
            self.columns.push(Column::default());
        }
        if let Some(column) = self.columns.last_mut() {
            column.received += now.0.saturating_sub(self.told.0);
            // A late packet takes back a loss that an earlier column may have shown.
            column.lost += now.1.saturating_sub(self.told.1);
            column.jitter_ns = column.jitter_ns.max(meter.jitter_ns());
        }
        self.told = now;
    }

    fn fold(&mut self) {
        let pair = |pair: &[Column]| Column {
            received: pair.iter().map(|c| c.received).sum(),
            lost: pair.iter().map(|c| c.lost).sum(),
            jitter_ns: pair.iter().map(|c| c.jitter_ns).fold(0.0, f64::max),
        };
        self.columns = self.columns.chunks(2).map(pair).collect();
        self.width *= 2;
    }
}
