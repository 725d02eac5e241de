//! Rounds, their medians, and the table. The only reader of a clock in `benches`.

use std::time::{Duration, Instant};

pub(crate) struct Report {
    /// False: each step once, to see that it runs.
    measuring: bool,
    /// Nanoseconds an item of the table's first row, by median.
    baseline_ns: Option<f64>,
}

impl Report {
    pub(crate) fn new(measuring: bool) -> Report {
        Report { measuring, baseline_ns: None }
    }

    #[expect(clippy::print_stdout, reason = "the table is for people")]
    pub(crate) fn title(&mut self, title: &str) {
        self.baseline_ns = None;
        println!("\n{title}");
        println!(
            "  {:<44} {:>10} {:>10} {:>10} {:>12} {:>9} {:>7}",
            "an item", "min", "median", "max", "items/s", "x first", "rounds"
        );
    }

    /// How many times [`Report::row`] calls its `round` when asked for `rounds`: a tenth goes first and is not counted.
    pub(crate) fn all_rounds(&self, rounds: usize) -> usize {
        if self.measuring { rounds + rounds.div_ceil(10) } else { 1 }
    }

    /// False: only that it runs is to be shown.
    pub(crate) fn is_measuring(&self) -> bool {
        self.measuring
    }

    /// A line below a row.
    #[expect(clippy::print_stdout, reason = "the table is for people")]
    pub(crate) fn note(&self, text: &str) {
        println!("    {text}");
    }

    /// One row: `round` does `items` of a thing, and is told its number. What it needs was made ready before.
    pub(crate) fn row(&mut self, item: &str, items: usize, rounds: usize, mut round: impl FnMut(usize)) {
        let took: Vec<Duration> = (0..self.all_rounds(rounds)).map(|number| timed(|| round(number))).collect();
        let counted = if self.measuring { &took[rounds.div_ceil(10)..] } else { &took[..] };
        self.costs(item, counted.iter().map(|took| took.as_nanos() as f64 / items as f64).collect());
    }

    /// One row of costs in nanoseconds that were measured otherwise; at least one.
    #[expect(clippy::print_stdout, reason = "the table is for people")]
    pub(crate) fn costs(&mut self, item: &str, mut each_ns: Vec<f64>) {
        each_ns.sort_by(f64::total_cmp);
        let (min, max) = (each_ns[0], each_ns[each_ns.len() - 1]);
        let median = f64::midpoint(each_ns[(each_ns.len() - 1) / 2], each_ns[each_ns.len() / 2]);
        let first = *self.baseline_ns.get_or_insert(median);
        println!(
            "  {item:<44} {:>10} {:>10} {:>10} {:>12.0} {:>9.1} {:>7}",
            time(min),
            time(median),
            time(max),
            1e9 / median,
            median / first,
            each_ns.len(),
        );
    }
}

#[expect(clippy::disallowed_methods, reason = "measures the machine")]
pub(crate) fn timed(work: impl FnOnce()) -> Duration {
    let began = Instant::now();
    work();
    began.elapsed()
}

fn time(ns: f64) -> String {
    match ns {
        ns if ns < 10_000.0 => format!("{ns:.1} ns"),
        ns if ns < 10_000_000.0 => format!("{:.1} us", ns / 1e3),
        ns => format!("{:.1} ms", ns / 1e6),
    }
}
