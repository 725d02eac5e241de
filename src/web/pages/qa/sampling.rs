//! The draw of a month, open to everybody whom it concerns: the committed hash, the frame, who was left out and why, and a button
//! that computes all of it again.

use std::collections::BTreeMap;

use super::{bounds_of, month, periods, with, zones};
use crate::cdr::Time;
use crate::clock::Wall;
use crate::ids::AgentNo;
use crate::qa::draw::export;
use crate::qa::draw::policy::digest;
use crate::qa::due::Due;
use crate::store::people::Role;
use crate::store::qa::{Drawing, Inspection, Month, Picked, Replaced, Task, Verified, Wanted};
use crate::store::{People, StoreError};
use crate::web::page::{Asked, Page, Refusal, Reply, file, go};

/// Hearings of a month: five of each of thousands of agents.
const HEARINGS: usize = 100_000;

#[derive(askama::Template)]
#[template(path = "qa/sampling.html", config = "src/web/askama.toml")]
struct Sampling {
    p: Page,
    period: String,
    months: Vec<String>,
    month: Option<Month>,
    draws: Vec<Drawing>,
    picks: Vec<Picked>,
    replaced: Vec<Replaced>,
    tasks: Vec<Task>,
    /// Of the check, if it was asked for.
    faults: Option<Vec<String>>,
    leads: bool,
    over: bool,
    /// The end of the last day on which the month's calls are scored in time.
    due: Option<Wall>,
    overdue: usize,
}

/// One agent's line: picks, heard ones, what lacks.
struct Line {
    agent: AgentNo,
    picks: usize,
    heard: usize,
    lacking: u32,
    met: bool,
}

pub(in crate::web) async fn page(asked: Asked) -> Reply {
    show(&asked, None).await
}

async fn show(asked: &Asked, verified: Option<Verified>) -> Reply {
    let period = month(asked);
    let zones = zones(asked)?;
    let bounds = bounds_of(asked, &zones, &period)?;
    let of = period.clone();
    let plans = asked.desk().plans();
    type Found = (Vec<Month>, Vec<Drawing>, Vec<Picked>, Vec<Replaced>, Vec<Task>, Due);
    let read = move |store: &mut Inspection| -> Result<Found, StoreError> {
        let tasks = store.tasks(Wanted::Period(&of), HEARINGS)?;
        Ok((
            store.months()?,
            store.drawings(&of)?,
            store.picks(&of)?,
            store.replacements(&of)?,
            tasks,
            store.due(&plans)?,
        ))
    };
    let (all, draws, picks, replaced, tasks, due) = with(asked, move |store, _| read(store)).await?;
    let late = |task: &&Task| !task.state.counts() && due.is_over(&task.period, task.made.0, bounds.now);
    let shown = Sampling {
        due: due.at(&period, bounds.from),
        overdue: tasks.iter().filter(late).count(),
        p: asked.page(),
        months: periods(&all),
        month: all.into_iter().find(|month| month.period == period),
        draws,
        picks,
        replaced,
        tasks,
        faults: verified.map(|verified| verified.faults),
        leads: asked.person()?.roles.has(Role::Lead),
        over: bounds.now >= bounds.to,
        period,
    };
    asked.show(&shown)
}

async fn verified(asked: &Asked, period: &str) -> Result<Verified, Refusal> {
    let zones = zones(asked)?;
    let bounds = bounds_of(asked, &zones, period)?;
    with(asked, move |store, _| store.verify(&bounds, &|hotline| zones.of(hotline).clone())).await
}

pub(in crate::web) async fn verify(asked: Asked) -> Reply {
    let found = verified(&asked, &month(&asked)).await?;
    let (who, about) = (asked.person()?.name.clone(), found.month.period.clone());
    let details = serde_json::json!({ "faults": found.faults.len() });
    let note = move |people: &mut People, at| {
        people.note(crate::store::audit::Deed { at, who: &who, what: "qa.verified", about: &about, details: &details })
    };
    asked.desk().change(note).await?;
    show(&asked, Some(found)).await
}

/// Draws what is due by now.
pub(in crate::web) async fn draw(asked: Asked) -> Reply {
    let period = month(&asked);
    let zones = zones(&asked)?;
    let bounds = bounds_of(&asked, &zones, &period)?;
    let directory = asked.desk().directory().to_owned();
    with(&asked, move |store, by| {
        let reviewers = crate::store::qa::reviewers(&directory)?;
        store.draw(&bounds, &|hotline| zones.of(hotline).clone(), &reviewers, by)
    })
    .await?;
    Ok(go(&format!("/qa/sampling?m={period}")))
}

/// Reveals the seed of a month that is over.
pub(in crate::web) async fn close(asked: Asked) -> Reply {
    let period = month(&asked);
    let bounds = bounds_of(&asked, &zones(&asked)?, &period)?;
    let of = period.clone();
    with(&asked, move |store, by| store.close(&of, bounds.to, by)).await?;
    Ok(go(&format!("/qa/sampling?m={period}")))
}

/// Another person's consent to a replacement: `agent` and `n` of the form.
pub(in crate::web) async fn consent(asked: Asked) -> Reply {
    let period = month(&asked);
    let (agent, n) = (AgentNo::from(asked.form().get("agent")), asked.form().get("n").parse::<u32>());
    let (of, n) = (period.clone(), n.map_err(|_| Refusal::NotFound)?);
    with(&asked, move |store, by| store.consent(&of, &agent, n, by)).await?;
    Ok(go(&format!("/qa/sampling?m={period}")))
}

/// `frame.csv`, `draw.csv`, `policy.json`, `seed.txt`: what the script in `docs` needs.
pub(in crate::web) async fn exported(asked: Asked) -> Reply {
    let found = verified(&asked, &month(&asked)).await?;
    let period = found.month.period.clone();
    let of = period.clone();
    let seed = with(&asked, move |store, _| store.seed_for_export(&of)).await?;
    let revealed = found.month.closed_at.is_some();
    let name = asked.query().get("file");
    let text = match name {
        "frame.csv" => export::frame(&period, &found.month.policy, &found.parts),
        "draw.csv" => {
            let picks: Vec<_> = found.picks.iter().map(|pick| pick.as_pick(&seed)).collect();
            export::draw(&picks, revealed)
        }
        "policy.json" => found.month.policy_text,
        "seed.txt" => export::seed(&found.month.policy, &found.month.policy_text, &seed, revealed),
        _ => return Err(Refusal::NotFound),
    };
    Ok(file(name, "text/plain; charset=utf-8", text))
}

impl Sampling {
    fn lines(&self) -> Vec<Line> {
        let mut lines: BTreeMap<&AgentNo, (usize, usize)> = BTreeMap::new();
        for pick in &self.picks {
            lines.entry(&pick.agent).or_default().0 += 1;
        }
        for task in self.tasks.iter().filter(|task| !task.second && task.pool.to_string() == "random") {
            if task.state.counts() {
                lines.entry(&task.agent).or_default().1 += 1;
            }
        }
        let lacking = self.draws.last().map(|draw| &draw.lacking);
        for agent in lacking.into_iter().flat_map(BTreeMap::keys) {
            lines.entry(agent).or_default();
        }
        let minimum = |agent: &AgentNo| self.month.as_ref().map_or(1, |month| month.policy.minimum_of(agent)) as usize;
        let line = |(agent, (picks, heard)): (&AgentNo, (usize, usize))| Line {
            agent: agent.clone(),
            picks,
            heard,
            lacking: lacking.and_then(|lacking| lacking.get(agent)).copied().unwrap_or(0),
            met: heard >= minimum(agent),
        };
        lines.into_iter().map(line).collect()
    }

    /// Heard by nobody: nobody may, or nobody was there.
    fn unassigned(&self) -> usize {
        self.tasks.iter().filter(|task| task.scorer.is_none()).count()
    }

    fn talk_s(&self, month: &Month) -> u64 {
        month.policy.min_talk_ms / 1_000
    }

    fn shifts(&self, month: &Month) -> String {
        let shift = |(name, begins): &(String, u16)| format!("{name} {:02}:{:02}", begins / 60, begins % 60);
        month.policy.shifts.iter().map(shift).collect::<Vec<_>>().join(", ")
    }

    fn policy_hash(&self, month: &Month) -> String {
        digest(&month.policy_text).iter().map(|octet| format!("{octet:02x}")).collect()
    }

    fn heard(&self) -> usize {
        self.tasks.iter().filter(|task| task.state.counts() && !task.second).count()
    }

    fn left_out(&self) -> Vec<(String, u64)> {
        let last = self.draws.last().map(|draw| &draw.excluded);
        last.into_iter().flatten().filter(|(_, n)| **n > 0).map(|(why, n)| (self.p.word("excluded", why), *n)).collect()
    }

    fn time(&self, at: &Time) -> String {
        self.p.time(at)
    }
}
