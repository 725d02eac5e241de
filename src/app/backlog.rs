//! What people have still to score, shown by the metrics: read from the database every now and then, never by a scrape.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;

use super::{InForce, inspecting, now_in_force};
use crate::clock::Wall;
use crate::dialplan::plan::Plans;
use crate::io::clock::RunClock;
use crate::metrics::{Counters, Metrics};
use crate::report::Zones;
use crate::store::qa::Inspection;

const EVERY: Duration = Duration::from_secs(10);

/// At once and then every ten seconds, until the runtime ends. What was done before counts in no counter: they begin with the process.
pub(super) fn show_from_now_on(data: &Path, plans: &InForce, metrics: &Metrics, clock: RunClock) {
    let (data, plans, counters) = (data.to_owned(), Arc::clone(plans), metrics.counters());
    tokio::runtime::Handle::current().spawn(async move {
        let (mut beats, mut seen, mut failing) = (tokio::time::interval(EVERY), None, false);
        beats.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            beats.tick().await;
            let (data, plans, counters) = (data.clone(), now_in_force(&plans), counters.clone());
            let look = move || look(&data, &plans, &counters, seen, clock.now().wall);
            match tokio::task::spawn_blocking(look).await {
                Ok(Ok(last)) => (seen, failing) = (Some(last), false),
                // Once: it goes on until the database can be read again.
                Ok(Err(error)) if !failing => {
                    failing = true;
                    tracing::error!(%error, "inspection: what waits to be scored cannot be read");
                }
                _ => {}
            }
        }
    });
}

/// `seen`: the last row of the audit log that was looked at; `None`: none of this run was. The last one now.
fn look(data: &Path, plans: &Plans, counters: &Counters, seen: Option<i64>, now: Wall) -> Result<i64> {
    let store = Inspection::open_to_read(data)?;
    let last = match seen {
        None => store.last_deed()?,
        Some(seen) => {
            let (last, deeds) = store.deeds_after(seen)?;
            deeds.iter().for_each(|deed| counters.qa_deed(deed));
            last
        }
    };
    let [_, month, _] = inspecting::months(&Zones::from_plans(plans)?, now)?;
    counters.qa_backlog(&store.backlog(&month, &store.due(plans)?, now)?);
    Ok(last)
}
