//! Inspection by people in a running gateway: seeds are committed before their month, what is due is drawn, what nobody objected to
//! in time is closed, what deserves to be heard is; and what commands ask for.

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
use crate::ids::CallId;
use crate::io::clock::RunClock;
use crate::io::scorecards::{self, Written};
use crate::qa::draw::places::{Places, bounds};
use crate::qa::draw::policy::Policy;
use crate::qa::draw::seed::Seed;
use crate::qa::draw::target::{Beside, deserving};
use crate::report::Zones;
use crate::store::Reader;
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
    (places, policy): (&Places, &Policy),
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
    carry_out(data, (places, &config.inspection.policy), order, By { who, at: RunClock::start().now().wall })
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
pub(super) fn tend_from_now_on(config: &Config, plans: &Plans, clock: RunClock) {
    let (data, places, policy) = (config.data_directory.clone(), Places::of(plans), config.inspection.policy.clone());
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
    target(data, &mut store, &zones, by)?;
    Ok(())
}

/// Calls that are heard for what is known of them, without anybody picking them. How many.
pub fn target(data: &Path, store: &mut Inspection, zones: &Zones, by: By<'_>) -> Result<usize> {
    let Some((from, to)) = store.to_be_aimed_at(by.at)? else { return Ok(0) };
    let reader = Reader::open(data)?;
    let records = reader.records_between(None, from, to)?;
    let calls: Vec<CallId> = records.iter().map(|record| record.id).collect();
    let beside = Beside { noted: reader.noted(&calls)?, again: store.called_again(from, to)? };
    let found = deserving(records, &beside, &store.targeting()?.targeting);
    let month_of = |at: Wall| {
        let at = jiff::Timestamp::from_microsecond(at.as_micros()).unwrap_or_default();
        at.to_zoned(zones.otherwise.clone()).strftime("%Y-%m").to_string()
    };
    Ok(store.target_by_itself(&found, to, &month_of, &reviewers(data)?, by)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::fact::What;
    use crate::call::reason::{EndedBy, Reason};
    use crate::ledger::story::{self, MORNING, Story};
    use crate::qa::draw::target::{Targeting, Why};
    use crate::qa::summary::Pool;
    use crate::store::people::NewPerson;
    use crate::store::qa::Wanted;
    use crate::store::{People, SubjectKey, Writer};

    const BY: By<'_> = By { who: "shell:0", at: MORNING };

    /// Calls that agents ended come by themselves once that was asked for, each once, no more than are wanted, and into their own pool.
    #[test]
    fn what_deserves_to_be_heard_comes_by_itself() {
        let dir = tempfile::tempdir().unwrap();
        let mut writer = Writer::open(dir.path(), SubjectKey::new([7; 32])).unwrap();
        let at = |minutes: u64| MORNING + Duration::from_secs(60 * minutes);
        let mut call = |n: u64, ends: bool| {
            let agent = story::agent(if n.is_multiple_of(2) { "8" } else { "9" });
            let story = Story::offered(n, at(n), "property")
                .at(20, What::AgentInvited { attempt: 1, agent: agent.clone() })
                .at(1_000, What::Ring)
                .at(4_000, What::AgentAnswered { attempt: 1, agent })
                .at(4_001, What::Connected);
            let by_agent = n != 3;
            let (why, who) =
                if by_agent { (Reason::AgentHungUp, EndedBy::Agent) } else { (Reason::CallerHungUp, EndedBy::Caller) };
            let story =
                if ends { story.ended(34_000, why, who).at(34_050, story::recording_ok(29_999)) } else { story };
            writer.append(&story.facts(), &[]).unwrap();
        };
        call(1, true);
        for name in ["wang", "li"] {
            let (shown, roles) = (String::new(), "qa".to_owned());
            let new = NewPerson { name: name.to_owned(), shown, roles, agent: None, password: None };
            People::open(dir.path()).unwrap().add(&new, "shell:0", MORNING).unwrap();
        }
        let zones = Places::of(&story::plans()).zones().unwrap();
        let mut store = Inspection::open(dir.path()).unwrap();
        let due = |store: &mut Inspection, minutes| {
            target(dir.path(), store, &zones, By { who: "hotline", at: at(minutes) }).unwrap()
        };
        assert_eq!(due(&mut store, 2), 0, "nothing comes before it is asked for");
        let on = [Why::HungUpFirst].into();
        store.aim(&Targeting { on, most: 2, ..Targeting::default() }, By { who: "lead", at: at(2) }).unwrap();
        (3..9).for_each(|n| call(n, true));
        call(10, false);
        call(11, true);
        // Calls 4 to 8 are ended by agents, two of agent 9; the open one keeps the last one waiting.
        assert_eq!(due(&mut store, 60), 4);
        assert_eq!(due(&mut store, 61), 0);
        let tasks = store.tasks(Wanted::Period("2026-11"), 99).unwrap();
        let of = |name: &str| tasks.iter().filter(|task| task.scorer.as_deref() == Some(name)).count();
        assert_eq!((of("wang"), of("li")), (2, 2));
        assert!(tasks.iter().all(|task| task.pool == Pool::Targeted), "{tasks:?}");
        let whys = store.review(tasks[0].id).unwrap().unwrap().why;
        assert_eq!(whys, [Why::HungUpFirst]);
        assert_eq!(store.backlog("2026-11", &store.due(&story::plans()).unwrap(), at(61)).unwrap().month.drawn, 0);
        store.aim(&Targeting::default(), By { who: "lead", at: at(70) }).unwrap();
        assert_eq!(store.to_be_aimed_at(at(71)).unwrap(), None);
        assert!(!store.aim(&Targeting::default(), By { who: "lead", at: at(72) }).unwrap());
    }

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
        let ask = |order: &Order| carry_out(dir.path(), (&places, &Policy::default()), order, BY);
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
