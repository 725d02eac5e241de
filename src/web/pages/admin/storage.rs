//! What lies on the disk.

use crate::store::Kept;
use crate::web::page::{Asked, Page, Reply};

#[derive(askama::Template)]
#[template(path = "storage.html", config = "src/web/askama.toml")]
struct Storage {
    p: Page,
    /// Used, all, level.
    disk: Option<(u64, u64, &'static str)>,
    database: u64,
    kept: Sum,
}

/// Recordings of the last thirty days.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Sum {
    calls: u64,
    files: u64,
    without: u64,
    removed: u64,
    held: u64,
    ms: u64,
}

impl Sum {
    fn add(mut self, row: &Kept) -> Sum {
        self.calls += 1;
        self.files += u64::from(row.has_file());
        self.removed += u64::from(row.removed.is_some());
        self.without += u64::from(!row.has_file() && row.removed.is_none());
        self.held += u64::from(row.held);
        self.ms += if row.has_file() { row.duration_ms } else { 0 };
        self
    }
}

const SPAN_US: i64 = 30 * 24 * 3_600 * 1_000_000;
const PAGE: usize = 1_000;

pub(in crate::web) async fn page(asked: Asked) -> Reply {
    let desk = asked.desk();
    let since = crate::clock::Wall::from_micros(desk.now().wall.as_micros() - SPAN_US);
    let kept = desk.read(move |reader| {
        let (mut sum, mut after) = (Sum::default(), None);
        loop {
            let rows = reader.recordings(since, after.as_ref(), PAGE)?;
            sum = rows.iter().fold(sum, Sum::add);
            if rows.len() < PAGE {
                return Ok(sum);
            }
            after = rows.into_iter().next_back();
        }
    });
    let kept = kept.await?;
    let surroundings = desk.surroundings().clone();
    let file = desk.directory().join(crate::store::FILE);
    let work = move || ((surroundings.disk)(), std::fs::metadata(file).map_or(0, |meta| meta.len()));
    let (disk, database) = tokio::task::spawn_blocking(work).await.map_err(|_| crate::web::page::Refusal::Busy)?;
    asked.show(&Storage { p: asked.page(), disk, database, kept })
}

impl Storage {
    fn bytes(&self, n: &u64) -> String {
        const STEPS: [(&str, f64); 4] = [("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)];
        let n = *n as f64;
        let step = STEPS.iter().find(|(_, size)| n >= *size);
        step.map_or_else(|| format!("{n} B"), |(unit, size)| format!("{:.1} {unit}", n / size))
    }

    fn hours(&self) -> String {
        format!("{:.1}", self.kept.ms as f64 / 3_600_000.0)
    }
}
