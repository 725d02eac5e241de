//! Inspection by people in a running gateway: seeds are committed before their month, what is due is drawn, what nobody objected to
//! in time is closed; and what commands ask for.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use jiff::ToSpan as _;
use jiff::civil::Date;
use serde_json::json;

use super::{ledger_writer, lock_data, os_seed};
use crate::clock::Wall;
use crate::config::Config;
use crate::dialplan::plan::Plans;
use crate::io::clock::RunClock;
use crate::io::scorecards::{self, Written};
use crate::qa::draw::places::{Places, bounds};
use crate::qa::draw::policy::Policy;
use crate::qa::draw::seed::Seed;
use crate::report::Zones;
use crate::store::qa::{By, Inspection, Order, reviewers};

/// How often a running gateway looks whether something is due.
const EVERY: Duration = Duration::from_secs(3_600);

/// The last month, this one and the next: their seeds are to be known by their hashes.
pub(super) fn months(zones: &Zones, now: Wall) -> Result<[String; 3]> {
    let today = jiff::Timestamp::from_microsecond(now.as_micros())?.to_zoned(zones.otherwise.clone()).date();
    let name = |date: Date| date.strftime("%Y-%m").to_string();
    let first = today.first_of_month();
    Ok([name(first.checked_sub(1.month())?), name(first), name(first.checked_add(1.month())?)])
}

fn commit(store: &mut Inspection, month: &str, policy: &Policy, by: By<'_>) -> Result<bool> {
    Ok(store.commit(month, &Seed::new(os_seed()?), policy, by)?)
}

fn draw(data: &Path, store: &mut Inspection, zones: &Zones, month: &str, by: By<'_>) -> Result<Vec<String>> {
    let reviewers = reviewers(data)?;
    let bounds = bounds(zones, month, by.at)?;
    let (drawing, picks) = store.draw(&bounds, &|hotline| zones.of(hotline).clone(), &reviewers, by)?;
    let mut lines = vec![serde_json::to_string(&json!({ "period": month, "drawn": picks.len(), "draw": drawing }))?];
    for pick in &picks {
        // Not whether it is heard twice: whoever hears it must not know.
        let line = json!({
            "agent": pick.agent, "n": pick.n, "call": pick.call, "stratum": pick.stratum,
            "weight": pick.weight, "of": pick.of,
        });
        lines.push(line.to_string());
    }
    Ok(lines)
}

/// Does what a command asks for; lines of JSON.
pub(super) fn carry_out(
    data: &Path,
    places: &Places,
    policy: &Policy,
    order: &Order,
    by: By<'_>,
) -> Result<Vec<String>> {
    let (zones, mut store) = (places.zones()?, Inspection::open(data)?);
    let [_, this, next] = months(&zones, by.at)?;
    for month in [&this, &next] {
        commit(&mut store, month, policy, by)?;
    }
    match order {
        Order::Commit { period } => {
            bounds(&zones, period, by.at)?;
            let made = commit(&mut store, period, policy, by)?;
            Ok(vec![serde_json::to_string(&json!({ "new": made, "month": store.month(period)? }))?])
        }
        Order::Draw { period } => draw(data, &mut store, &zones, period, by),
        Order::Close { period } => {
            let month = store.close(period, bounds(&zones, period, by.at)?.to, by)?;
            Ok(vec![serde_json::to_string(&month)?])
        }
    }
}

/// The same while no server runs: the directory's lock is ours meanwhile.
pub fn inspect_alone(config: &Config, places: &Places, order: &Order, who: &str) -> Result<Vec<String>> {
    let data = &config.data_directory;
    let _lock = lock_data(data)?;
    drop(ledger_writer(data)?);
    carry_out(data, places, &config.inspection.policy, order, By { who, at: RunClock::start().now().wall })
}

/// The forms that sheets are filled by from now on.
pub(super) fn publish(config: &Config, now: Wall) -> Result<()> {
    let mut store = Inspection::open(&config.data_directory)?;
    for Written { form, text } in scorecards::forms(config.dialplans.directory()).0 {
        store.publish(&form, &text, By { who: "hotline", at: now })?;
    }
    Ok(())
}

/// At once and then every hour, until the runtime ends. The zones are those of the start.
pub(super) fn tend_from_now_on(data: &Path, plans: &Plans, policy: &Policy, clock: RunClock) {
    let (data, places, policy) = (data.to_owned(), Places::of(plans), policy.clone());
    tokio::runtime::Handle::current().spawn(async move {
        let mut hours = tokio::time::interval(EVERY);
        loop {
            hours.tick().await;
            let (data, places, policy) = (data.clone(), places.clone(), policy.clone());
            let done = tokio::task::spawn_blocking(move || tend(&data, &places, &policy, clock.now().wall)).await;
            if let Ok(Err(error)) = done {
                tracing::error!(%error, "inspection: what fell due could not be done");
            }
        }
    });
}

/// What falls due by itself. Nothing is drawn while nobody scores.
fn tend(data: &Path, places: &Places, policy: &Policy, now: Wall) -> Result<()> {
    let (zones, mut store) = (places.zones()?, Inspection::open(data)?);
    let by = By { who: "hotline", at: now };
    let [last, this, next] = months(&zones, now)?;
    for month in [&this, &next] {
        commit(&mut store, month, policy, by)?;
    }
    if !reviewers(data)?.is_empty() {
        let known: Vec<String> =
            store.months()?.into_iter().filter(|m| m.closed_at.is_none()).map(|m| m.period).collect();
        for month in [&last, &this].into_iter().filter(|month| known.contains(month)) {
            draw(data, &mut store, &zones, month, by)?;
        }
    }
    store.close_due(by)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::story::{self, MORNING};
    use crate::store::people::NewPerson;
    use crate::store::{People, SubjectKey, Writer};

    const BY: By<'_> = By { who: "shell:0", at: MORNING };

    #[test]
    fn seeds_are_made_ahead_and_orders_are_answered_in_json() {
        let dir = tempfile::tempdir().unwrap();
        drop(Writer::open(dir.path(), SubjectKey::new([7; 32])).unwrap());
        let places = Places::of(&story::plans());
        tend(dir.path(), &places, &Policy::default(), MORNING).unwrap();
        let store = Inspection::open(dir.path()).unwrap();
        let months: Vec<String> = store.months().unwrap().into_iter().map(|month| month.period).collect();
        assert_eq!(months, ["2026-12", "2026-11"]);
        let new = NewPerson {
            name: "wang".to_owned(),
            shown: String::new(),
            roles: "qa".to_owned(),
            agent: None,
            password: None,
        };
        People::open(dir.path()).unwrap().add(&new, "shell:0", MORNING).unwrap();
        assert_eq!(reviewers(dir.path()).unwrap().len(), 1);
        let ask = |order: &Order| carry_out(dir.path(), &places, &Policy::default(), order, BY);
        let period = || "2026-11".to_owned();
        let drawn = ask(&Order::Draw { period: period() }).unwrap();
        assert_eq!(drawn.len(), 1);
        assert!(drawn[0].contains("\"candidates\":0"), "{}", drawn[0]);
        let told = ask(&Order::Commit { period: period() }).unwrap();
        assert!(
            told[0].starts_with("{\"month\":{\"closed_at\":null") && told[0].ends_with("\"new\":false}"),
            "{}",
            told[0]
        );
        assert!(ask(&Order::Close { period: period() }).unwrap_err().to_string().contains("not over"));
        assert!(ask(&Order::Draw { period: "2026-10".to_owned() }).is_err(), "nothing was committed for it");
        assert!(ask(&Order::Commit { period: "soon".to_owned() }).is_err());
    }
}
