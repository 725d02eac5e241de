//! Whether the gateway is well, and what its metrics mean.

use crate::metrics::METRICS;
use crate::web::page::{Asked, Page, Refusal, Reply};

#[derive(askama::Template)]
#[template(path = "health.html", config = "src/web/askama.toml")]
struct Health {
    p: Page,
    /// Why it should get no new calls.
    troubles: Vec<&'static str>,
    trunks: Vec<(String, bool)>,
    disk: Option<&'static str>,
    version: &'static str,
}

pub(in crate::web) async fn page(asked: Asked) -> Reply {
    let surroundings = asked.desk().surroundings().clone();
    let look = move || {
        let disk = (surroundings.disk)().map(|(_, _, level)| level);
        ((surroundings.readiness)(), (surroundings.trunks)(), disk)
    };
    let (troubles, trunks, disk) = tokio::task::spawn_blocking(look).await.map_err(|_| Refusal::Busy)?;
    let version = env!("CARGO_PKG_VERSION");
    asked.show(&Health { p: asked.page(), troubles, trunks, disk, version })
}

#[derive(askama::Template)]
#[template(path = "metrics.html", config = "src/web/askama.toml")]
struct Catalogue {
    p: Page,
    rows: Vec<Row>,
}

struct Row {
    name: &'static str,
    kind: &'static str,
    labels: String,
    help: &'static str,
}

pub(in crate::web) async fn metrics(asked: Asked) -> Reply {
    let row = |metric: &crate::metrics::Metric| Row {
        name: metric.name,
        kind: metric.kind.as_str(),
        labels: metric.labels.iter().map(|label| label.name).collect::<Vec<_>>().join(", "),
        help: metric.help,
    };
    asked.show(&Catalogue { p: asked.page(), rows: METRICS.iter().map(row).collect() })
}
