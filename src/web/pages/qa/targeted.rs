//! Calls that deserve to be heard for what is known of them: for coaching, never in a score. What comes by itself, and what a lead
//! picks.

use std::collections::BTreeSet;
use std::time::Duration;

use super::{bounds_of, month, reviewers_of, scorer, with, zones};
use crate::cdr::Word as _;
use crate::ids::{AgentNo, CallId};
use crate::qa::draw::assign::Reviewer;
use crate::qa::draw::target::{Beside, Deserving, Targeting, Why, deserving};
use crate::store::people::{Role, Roles};
use crate::store::qa::{Aimed, Wanted};
use crate::web::page::{Asked, Page, Refusal, Reply, go};

/// Rows of the list: those with the most reasons.
const SHOWN: usize = 100;
/// Hearings of a month that are looked at.
const HEARINGS: usize = 100_000;
/// The shortest stretch of time: one call's.
const MOMENT: Duration = Duration::from_micros(1);
/// What can be asked of holds (s), of MOS (hundredths), and how many calls of an agent and month may come.
const HOLD_S: std::ops::RangeInclusive<u64> = 10..=3_600;
const MOS_100: std::ops::RangeInclusive<u32> = 100..=450;
const MOST: std::ops::RangeInclusive<u32> = 1..=100;

#[derive(askama::Template)]
#[template(path = "qa/targeted.html", config = "src/web/askama.toml")]
struct Targeted {
    p: Page,
    period: String,
    rows: Vec<Row>,
    /// All calls with a reason.
    count: usize,
    aimed: Aimed,
    reviewers: Vec<Reviewer>,
    leads: bool,
}

struct Row {
    call: Deserving,
    /// It is in the pool already.
    taken: bool,
}

pub(in crate::web) async fn page(asked: Asked) -> Reply {
    let period = month(&asked);
    let of = period.clone();
    let (tasks, aimed) =
        with(&asked, move |store, _| Ok((store.tasks(Wanted::Period(&of), HEARINGS)?, store.targeting()?))).await?;
    let of_pool = tasks.iter().filter(|task| task.pool.word() == "targeted");
    let taken: BTreeSet<(CallId, &AgentNo)> = of_pool.map(|task| (task.call, &task.agent)).collect();
    let found = found(&asked, &period, &aimed.targeting).await?;
    let count = found.len();
    let row = |call: Deserving| Row { taken: taken.contains(&(call.record.id, &call.agent)), call };
    let rows = found.into_iter().take(SHOWN).map(row).collect();
    let (reviewers, leads) = (reviewers_of(&asked).await?, asked.may(Roles::of(&[Role::Lead])));
    asked.show(&Targeted { p: asked.page(), period, rows, count, aimed, reviewers, leads })
}

/// The calls of a month that have a reason.
async fn found(asked: &Asked, period: &str, targeting: &Targeting) -> Result<Vec<Deserving>, Refusal> {
    let bounds = bounds_of(asked, &zones(asked)?, period)?;
    let again = with(asked, move |store, _| store.called_again(bounds.from, bounds.to)).await?;
    let read = asked.desk().read(move |reader| {
        let records = reader.records_between(None, bounds.from, bounds.to)?;
        let noted = reader.noted(&records.iter().map(|record| record.id).collect::<Vec<_>>())?;
        Ok((records, noted))
    });
    let (records, noted) = read.await?;
    Ok(deserving(records, &Beside { noted, again }, targeting))
}

/// Somebody is to hear this call: `call` and `scorer` of the form.
pub(in crate::web) async fn pick(asked: Asked) -> Reply {
    let id: CallId = asked.form().get("call").parse().map_err(|_| Refusal::NotFound)?;
    let read = asked.desk().read(move |reader| Ok((reader.call(id)?, reader.noted(&[id])?)));
    let (call, noted) = read.await?;
    let record = call.ok_or(Refusal::NotFound)?.record;
    let offered = record.offered_at.0;
    let (targeting, again) = with(&asked, move |store, _| {
        Ok((store.targeting()?.targeting, store.called_again(offered, offered + MOMENT)?))
    })
    .await?;
    let mut found = deserving(vec![record], &Beside { noted, again }, &targeting);
    let found = found.pop().ok_or(Refusal::Told("qa-no-reason"))?;
    let scorer = scorer(&asked, &found.agent).await?;
    let period = super::month_of(&asked, found.record.offered_at.0);
    let of = period.clone();
    with(&asked, move |store, by| store.target(&of, (id, &found.agent), &found.why, &scorer, by)).await?;
    Ok(go(&format!("/qa/targeted?m={period}")))
}

/// What comes by itself from now on: `on` (each reason), `hold_s`, `mos`, `most` of the form.
pub(in crate::web) async fn aim(asked: Asked) -> Reply {
    let form = asked.form();
    let on = Why::ALL.iter().copied().filter(|why| form.all("on").any(|word| word == why.word())).collect();
    let hold_s = form.get("hold_s").parse().ok().filter(|s| HOLD_S.contains(s));
    let most = form.get("most").parse().ok().filter(|most| MOST.contains(most));
    let (Some(hold_s), Some(mos_100), Some(most)) = (hold_s, hundredths(form.get("mos")), most) else {
        return Err(Refusal::Told("qa-aim-bounds"));
    };
    let targeting = Targeting { on, hold_ms: hold_s * 1_000, mos_100, most };
    with(&asked, move |store, by| store.aim(&targeting, by)).await?;
    Ok(go(&format!("/qa/targeted?m={}", month(&asked))))
}

/// `3`, `3.2` or `3.25`.
fn hundredths(text: &str) -> Option<u32> {
    let (whole, rest) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|octet| octet.is_ascii_digit());
    if whole.is_empty() || rest.len() > 2 || !digits(whole) || !digits(rest) {
        return None;
    }
    let found = format!("{whole}{rest:0<2}").parse().ok()?;
    MOS_100.contains(&found).then_some(found)
}

impl Targeted {
    /// Those who may hear a call of this agent.
    fn able(&self, agent: &AgentNo) -> Vec<&str> {
        let able = self.reviewers.iter().filter(|one| one.may_hear(agent));
        able.map(|one| one.name.as_str()).collect()
    }

    /// Each reason, and whether it puts calls into the pool by itself.
    fn whys(&self) -> Vec<(Why, bool)> {
        Why::ALL.iter().map(|why| (*why, self.aimed.targeting.on.contains(why))).collect()
    }

    fn mos(&self) -> String {
        let mos = self.aimed.targeting.mos_100;
        format!("{}.{:02}", mos / 100, mos % 100)
    }

    fn hold_s(&self) -> u64 {
        self.aimed.targeting.hold_ms / 1_000
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mos_as_people_write_it() {
        for (text, found) in [("3", Some(300)), ("3.2", Some(320)), ("3.05", Some(305)), ("4.50", Some(450))] {
            assert_eq!(hundredths(text), found, "{text}");
        }
        for text in ["", ".5", "0.9", "5", "3.255", "+3", "three", "3,5"] {
            assert_eq!(hundredths(text), None, "{text}");
        }
    }
}
