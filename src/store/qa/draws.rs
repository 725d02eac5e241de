//! The draws of a month: what was taken, what took its place, and whether computing it again gives the same.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::tz::TimeZone;
use rusqlite::{Connection, TransactionBehavior};
use serde::Serialize;
use serde_json::json;

use super::super::told::Told;
use super::super::{StoreError, sqlite};
use super::{By, Inspection, Month, note, refused, rows};
use crate::cdr::{Time, Word as _};
use crate::clock::Wall;
use crate::ids::{AgentNo, CallId, HotlineId};
use crate::qa::draw::assign::{Load, Reviewer, assign};
use crate::qa::draw::frame::{Bounds, Frame, Row};
use crate::qa::draw::lot::{Drawn, Pick, Reached, draw};
use crate::qa::draw::policy::Policy;
use crate::qa::draw::replace::{self, Reason};
use crate::qa::draw::seed::{Seed, Ticket};

/// The zone of a hotline.
pub(super) type ZoneOf<'z> = &'z dyn Fn(&HotlineId) -> TimeZone;

/// A draw as it was made.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Drawing {
    pub n: u32,
    pub at: Time,
    /// Calls offered before this were looked at.
    pub cut: Time,
    /// SHA-256 of the frame.
    pub frame: String,
    pub candidates: u64,
    pub excluded: BTreeMap<String, u64>,
    pub lacking: BTreeMap<AgentNo, u32>,
}

/// A pick as it was stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Picked {
    pub agent: AgentNo,
    pub n: u32,
    pub draw: u32,
    pub call: CallId,
    pub stratum: String,
    pub weight: u32,
    pub of: u64,
    #[serde(skip)]
    pub second: bool,
}

/// What stands in the place of a pick.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Replaced {
    pub agent: AgentNo,
    pub n: u32,
    pub k: u32,
    pub replaced: CallId,
    pub call: CallId,
    pub reason: String,
    pub asked_by: String,
    pub asked_at: Time,
    pub needs_consent: bool,
    pub consent_by: Option<String>,
}

impl Replaced {
    pub fn stands(&self) -> bool {
        !self.needs_consent || self.consent_by.is_some()
    }
}

/// What computing a month's draws again came to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Verified {
    pub month: Month,
    pub draws: Vec<Drawing>,
    pub picks: Vec<Picked>,
    pub replaced: Vec<Replaced>,
    /// What is not as it should be; empty: everything is.
    pub faults: Vec<String>,
    #[serde(skip)]
    pub parts: Vec<Drawn>,
}

/// A month, and its seed.
struct Secret {
    month: Month,
    seed: Seed,
}

impl Inspection {
    /// Draws what is due, and gives it to those who score. `bounds`: of the month; its `committed` and `cut` are filled in here.
    pub fn draw(
        &mut self,
        bounds: &Bounds,
        zones: ZoneOf<'_>,
        reviewers: &[Reviewer],
        by: By<'_>,
    ) -> Result<(Drawing, Vec<Pick>), StoreError> {
        let secret = self.open_month(&bounds.period)?;
        if secret.month.closed_at.is_some() {
            return Err(refused(format!("{} is closed: nothing is drawn any more", bounds.period)));
        }
        let policy = &secret.month.policy;
        let before = self.drawings(&bounds.period)?;
        let reached = reached(&self.db, &bounds.period, bounds.from)?;
        let frame = frame_of(&secret.month, bounds, None, &rows_of(&self.db, &secret.month, bounds)?, zones);
        let drawn = draw(policy, &secret.seed, &frame, &reached);
        let drawing = Drawing {
            n: before.last().map_or(1, |last| last.n + 1),
            at: Time(by.at),
            cut: Time(frame.cut),
            frame: frame.digest(),
            candidates: frame.candidates.len() as u64,
            excluded: frame.exclusions().iter().map(|(why, n)| (why.word().to_owned(), *n)).collect(),
            lacking: drawn.lacking.clone(),
        };
        let lacked = before.last().map(|last| last.lacking.clone()).unwrap_or_default();
        if drawn.picks.is_empty() && lacked == drawing.lacking {
            // Nothing was due: nothing was done.
            return Ok((drawing, Vec::new()));
        }
        let work = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        write(&work, &bounds.period, &drawing, &drawn.picks)?;
        let mut load = load(&work, &bounds.period)?;
        for given in assign(&drawn.picks, reviewers, &mut load) {
            let pick = drawn.picks.iter().find(|pick| pick.call == given.call && pick.agent == given.agent);
            let Some(pick) = pick else { continue };
            make_review(&work, &bounds.period, pick, given.reviewer.as_deref(), given.second, by.at)?;
        }
        let details = json!({
            "draw": drawing.n, "cut": drawing.cut, "frame": drawing.frame, "candidates": drawing.candidates,
            "excluded": drawing.excluded, "picks": drawn.picks.len(), "lacking": drawing.lacking,
        });
        note(&work, by, "qa.drawn", &bounds.period, &details)?;
        work.commit()?;
        Ok((drawing, drawn.picks))
    }

    pub fn drawings(&self, period: &str) -> Result<Vec<Drawing>, StoreError> {
        let mut query = self.db.prepare_cached(
            "SELECT n, at_wall_us, cut_wall_us, frame, candidates, excluded, lacking FROM qa_draw WHERE period = ?1 ORDER BY n",
        )?;
        let mut rows = query.query([period])?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            found.push(Drawing {
                n: row.get(0)?,
                at: Time(Wall::from_micros(row.get(1)?)),
                cut: Time(Wall::from_micros(row.get(2)?)),
                frame: row.get(3)?,
                candidates: row.get::<_, i64>(4)?.unsigned_abs(),
                excluded: serde_json::from_str(&row.get::<_, String>(5)?)?,
                lacking: serde_json::from_str(&row.get::<_, String>(6)?)?,
            });
        }
        Ok(found)
    }

    pub fn picks(&self, period: &str) -> Result<Vec<Picked>, StoreError> {
        let mut query = self.db.prepare_cached(
            "SELECT agent, n, draw, call, stratum, weight, of_weight, second FROM qa_pick WHERE period = ?1
             ORDER BY draw, agent, n",
        )?;
        let picked = query.query_map([period], |row| {
            Ok(Picked {
                agent: AgentNo::from(row.get::<_, String>(0)?),
                n: row.get(1)?,
                draw: row.get(2)?,
                call: sqlite::call_id(row.get(3)?),
                stratum: row.get(4)?,
                weight: row.get(5)?,
                of: row.get::<_, i64>(6)?.unsigned_abs(),
                second: row.get(7)?,
            })
        })?;
        Ok(picked.collect::<Result<_, _>>()?)
    }

    pub fn replacements(&self, period: &str) -> Result<Vec<Replaced>, StoreError> {
        let mut query = self.db.prepare_cached(
            "SELECT agent, n, k, replaced, call, reason, asked_by, asked_wall_us, needs_consent, consent_by
             FROM qa_replacement WHERE period = ?1 ORDER BY agent, n, k",
        )?;
        let found = query.query_map([period], |row| {
            Ok(Replaced {
                agent: AgentNo::from(row.get::<_, String>(0)?),
                n: row.get(1)?,
                k: row.get(2)?,
                replaced: sqlite::call_id(row.get(3)?),
                call: sqlite::call_id(row.get(4)?),
                reason: row.get(5)?,
                asked_by: row.get(6)?,
                asked_at: Time(Wall::from_micros(row.get(7)?)),
                needs_consent: row.get(8)?,
                consent_by: row.get(9)?,
            })
        })?;
        Ok(found.collect::<Result<_, _>>()?)
    }

    /// Computes every draw of the month again, from the ledger and the seed, and holds it against what was stored.
    pub fn verify(&self, bounds: &Bounds, zones: ZoneOf<'_>) -> Result<Verified, StoreError> {
        let secret = self.open_month(&bounds.period)?;
        let (draws, picks) = (self.drawings(&bounds.period)?, self.picks(&bounds.period)?);
        let replaced = self.replacements(&bounds.period)?;
        let mut faults = Vec::new();
        let Month { policy, policy_text, commitment, .. } = &secret.month;
        if policy.commitment(policy_text, &secret.seed) != *commitment {
            faults.push("seed and policy are not those that were committed to".to_owned());
        }
        let rows = rows_of(&self.db, &secret.month, bounds)?;
        let (mut parts, mut reached) = (Vec::new(), BTreeMap::new());
        for drawing in &draws {
            let then = Bounds { now: drawing.at.0, ..bounds.clone() };
            let frame = frame_of(&secret.month, &then, Some(drawing.cut.0), &rows, zones);
            let drawn = draw(&secret.month.policy, &secret.seed, &frame, &reached);
            reached.clone_from(&drawn.reached);
            compare(drawing, &frame, &drawn, &picks, &mut faults);
            parts.push(drawn);
        }
        check_replacements(&secret.seed, &parts, &replaced, &mut faults);
        Ok(Verified { month: secret.month, draws, picks, replaced, faults, parts })
    }

    /// Takes another call in the place of a pick that cannot be scored. The call that takes its place, or `None` while another
    /// person's consent is waited for.
    pub fn replace(
        &mut self,
        bounds: &Bounds,
        zones: ZoneOf<'_>,
        (agent, n): (&AgentNo, u32),
        reason: Reason,
        by: By<'_>,
    ) -> Result<Option<CallId>, StoreError> {
        let verified = self.verify(bounds, zones)?;
        let seed = self.open_month(&bounds.period)?.seed;
        let part =
            verified.parts.iter().flat_map(|drawn| &drawn.parts).find(|part| part.agent == *agent && part.n == n);
        let pick = verified.picks.iter().find(|pick| pick.agent == *agent && pick.n == n);
        let (Some(part), Some(pick)) = (part, pick) else {
            return Err(Told::NoPick { period: bounds.period.clone(), n, agent: agent.clone() }.into());
        };
        let own: Vec<&Replaced> =
            verified.replaced.iter().filter(|found| found.agent == *agent && found.n == n).collect();
        if own.iter().any(|found| !found.stands()) {
            return Err(Told::ConsentIsWaitedFor.into());
        }
        let used: BTreeSet<CallId> = own.iter().map(|found| found.call).chain([pick.call]).collect();
        let current = own.last().map_or(pick.call, |found| found.call);
        let next = replace::next(&seed, &part.calls, &pick.stratum, &used).ok_or(Told::NoOtherCall)?;
        let needs = replace::needs_consent(verified.replaced.len() as u64, verified.picks.len() as u64);
        let work = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        work.execute(
            "INSERT INTO qa_replacement (period, agent, n, k, replaced, call, reason, asked_by, asked_wall_us, needs_consent)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
            rusqlite::params![
                bounds.period,
                agent.as_str(),
                n,
                u32::try_from(own.len()).unwrap_or(u32::MAX).saturating_add(1),
                sqlite::id(current),
                sqlite::id(next.call),
                reason.word(),
                by.who,
                by.at.as_micros(),
                needs,
            ],
        )?;
        if !needs {
            swap(&work, current, next.call, agent, by.at)?;
        }
        let details = json!({ "agent": agent, "n": n, "replaced": current, "reason": reason, "needs_consent": needs });
        note(&work, by, "qa.replaced", &next.call.to_string(), &details)?;
        work.commit()?;
        Ok((!needs).then_some(next.call))
    }

    /// Another person's consent to a replacement that waits for it.
    pub fn consent(&mut self, period: &str, agent: &AgentNo, n: u32, by: By<'_>) -> Result<CallId, StoreError> {
        let waiting = self.replacements(period)?.into_iter().find(|r| r.agent == *agent && r.n == n && !r.stands());
        let waiting = waiting.ok_or(Told::NothingWaits)?;
        if waiting.asked_by == by.who {
            return Err(Told::OwnConsent { who: by.who.to_owned() }.into());
        }
        let work = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        work.execute(
            "UPDATE qa_replacement SET consent_by = ?5, consent_wall_us = ?6
             WHERE period = ?1 AND agent = ?2 AND n = ?3 AND k = ?4",
            (period, agent.as_str(), n, waiting.k, by.who, by.at.as_micros()),
        )?;
        swap(&work, waiting.replaced, waiting.call, agent, by.at)?;
        let details = json!({ "agent": agent, "n": n, "replaced": waiting.replaced });
        note(&work, by, "qa.consented", &waiting.call.to_string(), &details)?;
        work.commit()?;
        Ok(waiting.call)
    }

    fn open_month(&self, period: &str) -> Result<Secret, StoreError> {
        let (month, seed) = self.secret(period)?;
        Ok(Secret { month, seed })
    }
}

/// The month's calls, and those before it that tell who called again.
fn rows_of(db: &Connection, month: &Month, bounds: &Bounds) -> Result<Vec<Row>, StoreError> {
    let Policy { repeat_days, .. } = month.policy;
    let before = Duration::from_secs(u64::from(repeat_days) * 86_400);
    let since = Wall::from_micros(bounds.from.as_micros() - i64::try_from(before.as_micros()).unwrap_or(0));
    rows::calls(db, since, bounds.to)
}

fn frame_of(month: &Month, bounds: &Bounds, cut: Option<Wall>, rows: &[Row], zones: ZoneOf<'_>) -> Frame {
    let bounds = Bounds { committed: month.committed_at.0, cut, ..bounds.clone() };
    Frame::of(&month.policy, &bounds, rows, zones)
}

/// What earlier draws reached with each agent: the cut of the last one that gave the agent a pick.
fn reached(db: &Connection, period: &str, from: Wall) -> Result<BTreeMap<AgentNo, Reached>, StoreError> {
    let mut query = db.prepare_cached(
        "SELECT p.agent, count(*), max(d.cut_wall_us) FROM qa_pick p JOIN qa_draw d ON d.period = p.period AND d.n = p.draw
         WHERE p.period = ?1 GROUP BY p.agent",
    )?;
    let found = query.query_map([period], |row| {
        let until = row.get::<_, Option<i64>>(2)?.map_or(from, Wall::from_micros);
        Ok((AgentNo::from(row.get::<_, String>(0)?), Reached { picks: row.get(1)?, until }))
    })?;
    Ok(found.collect::<Result<_, _>>()?)
}

fn write(work: &Connection, period: &str, drawing: &Drawing, picks: &[Pick]) -> Result<(), StoreError> {
    work.execute(
        "INSERT INTO qa_draw (period, n, at_wall_us, cut_wall_us, frame, candidates, excluded, lacking)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        (
            period,
            drawing.n,
            drawing.at.0.as_micros(),
            drawing.cut.0.as_micros(),
            &drawing.frame,
            i64::try_from(drawing.candidates).unwrap_or(i64::MAX),
            serde_json::to_string(&drawing.excluded)?,
            serde_json::to_string(&drawing.lacking)?,
        ),
    )?;
    let mut insert = work.prepare_cached(
        "INSERT INTO qa_pick (period, agent, n, draw, call, stratum, weight, of_weight, second)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )?;
    for pick in picks {
        let of = i64::try_from(pick.of).unwrap_or(i64::MAX);
        insert.execute((
            period,
            pick.agent.as_str(),
            pick.n,
            drawing.n,
            sqlite::id(pick.call),
            &pick.stratum,
            pick.weight,
            of,
            pick.second,
        ))?;
    }
    Ok(())
}

fn make_review(
    work: &Connection,
    period: &str,
    pick: &Pick,
    scorer: Option<&str>,
    second: bool,
    at: Wall,
) -> Result<(), StoreError> {
    let mut insert = work.prepare_cached(
        "INSERT INTO qa_review (period, call, agent, pool, pick, second, weight, scorer, state, made_wall_us, changed_wall_us)
         VALUES (?1, ?2, ?3, 'random', ?4, ?5, ?6, ?7, 'draft', ?8, ?8) ON CONFLICT DO NOTHING",
    )?;
    let (call, weight) = (sqlite::id(pick.call), pick.inverse_probability());
    insert.execute((period, call, pick.agent.as_str(), pick.n, second, weight, scorer, at.as_micros()))?;
    Ok(())
}

/// Both hearings of the call go to the other one, from the beginning.
fn swap(work: &Connection, replaced: CallId, call: CallId, agent: &AgentNo, at: Wall) -> Result<(), StoreError> {
    let submitted: i64 = work.query_row(
        "SELECT count(*) FROM qa_review WHERE call = ?1 AND agent = ?2 AND pool = 'random' AND state <> 'draft'",
        (sqlite::id(replaced), agent.as_str()),
        |row| row.get(0),
    )?;
    if submitted > 0 {
        return Err(Told::Scored.into());
    }
    work.execute(
        "UPDATE qa_review SET call = ?3, draft = NULL, filled = NULL, changed_wall_us = ?4
         WHERE call = ?1 AND agent = ?2 AND pool = 'random'",
        (sqlite::id(replaced), agent.as_str(), sqlite::id(call), at.as_micros()),
    )?;
    Ok(())
}

/// What those who score have got: in this month, and of each agent in this month and the two before.
fn load(db: &Connection, period: &str) -> Result<Load, StoreError> {
    let mut load = Load::default();
    let first = quarter(period);
    let mut query = db.prepare_cached(
        "SELECT scorer, agent, period, count(*) FROM qa_review WHERE scorer IS NOT NULL AND pool = 'random'
         AND period >= ?1 AND period <= ?2 GROUP BY scorer, agent, period",
    )?;
    let mut rows = query.query((first, period))?;
    while let Some(row) = rows.next()? {
        let (scorer, agent): (String, String) = (row.get(0)?, row.get(1)?);
        let n = row.get::<_, i64>(3)?.unsigned_abs();
        if row.get::<_, String>(2)? == period {
            *load.of.entry(scorer.clone()).or_default() += n;
        }
        *load.on.entry((scorer, AgentNo::from(agent))).or_default() += n;
    }
    Ok(load)
}

/// Two months before `2026-11` it was `2026-09`.
fn quarter(period: &str) -> String {
    let number = |text: &str| text.parse::<i32>().ok();
    let parsed = period.split_once('-').and_then(|(year, month)| Some((number(year)?, number(month)?)));
    let Some((year, month)) = parsed else { return period.to_owned() };
    let months = year.saturating_mul(12).saturating_add(month).saturating_sub(3);
    format!("{:04}-{:02}", months.div_euclid(12), months.rem_euclid(12) + 1)
}

/// The stored draw against the computed one.
fn compare(drawing: &Drawing, frame: &Frame, drawn: &Drawn, picks: &[Picked], faults: &mut Vec<String>) {
    let n = drawing.n;
    if frame.digest() != drawing.frame {
        let (then, now) = (drawing.candidates, frame.candidates.len());
        faults.push(format!("draw {n}: the frame is another one now: {then} calls then, {now} now"));
    }
    let excluded: BTreeMap<String, u64> =
        frame.exclusions().iter().map(|(why, count)| (why.word().to_owned(), *count)).collect();
    if excluded != drawing.excluded {
        faults.push(format!("draw {n}: other calls are left out now: {:?} then, {excluded:?} now", drawing.excluded));
    }
    let stored: BTreeMap<(&AgentNo, u32), &Picked> =
        picks.iter().filter(|pick| pick.draw == n).map(|pick| ((&pick.agent, pick.n), pick)).collect();
    let computed: BTreeMap<(&AgentNo, u32), &Pick> =
        drawn.picks.iter().map(|pick| ((&pick.agent, pick.n), pick)).collect();
    for (key @ (agent, k), pick) in &computed {
        match stored.get(key) {
            None => faults.push(format!("draw {n}, agent {agent}, pick {k}: {} is missing", pick.call)),
            Some(found) if found.call != pick.call => {
                faults.push(format!("draw {n}, agent {agent}, pick {k}: {} instead of {}", found.call, pick.call))
            }
            Some(found)
                if (found.weight, found.of, &found.stratum, found.second)
                    != (pick.weight, pick.of, &pick.stratum, pick.second) =>
            {
                faults.push(format!("draw {n}, agent {agent}, pick {k}: another stratum or probability"))
            }
            Some(_) => {}
        }
    }
    for ((agent, k), pick) in stored.iter().filter(|(key, _)| !computed.contains_key(key)) {
        faults.push(format!("draw {n}, agent {agent}, pick {k}: {} was not drawn", pick.call));
    }
}

/// Replacements follow the order of the lot, and have their consent.
fn check_replacements(seed: &Seed, parts: &[Drawn], replaced: &[Replaced], faults: &mut Vec<String>) {
    let mut used: BTreeMap<(&AgentNo, u32), BTreeSet<CallId>> = BTreeMap::new();
    for found in replaced {
        let Replaced { agent, n, k, call, .. } = found;
        let of = |drawn: &Drawn| {
            let part = drawn.parts.iter().find(|part| part.agent == *agent && part.n == *n)?.calls.clone();
            let pick = drawn.picks.iter().find(|pick| pick.agent == *agent && pick.n == *n)?.clone();
            Some((part, pick))
        };
        let Some((part, pick)) = parts.iter().find_map(of) else {
            faults.push(format!("agent {agent}, pick {n}: a replacement of what was not drawn"));
            continue;
        };
        let used = used.entry((agent, *n)).or_insert_with(|| [pick.call].into());
        let next = replace::next(seed, &part, &pick.stratum, used).map(|next| next.call);
        if next != Some(*call) {
            faults.push(format!("agent {agent}, pick {n}, replacement {k}: {call} was not next"));
        }
        used.insert(*call);
        if found.consent_by.as_ref() == Some(&found.asked_by) {
            faults.push(format!("agent {agent}, pick {n}, replacement {k}: no other person consented"));
        }
    }
}

/// Of the stored pick, as [`crate::qa::draw::export`] writes it.
impl Picked {
    pub fn as_pick(&self, seed: &Seed) -> Pick {
        let ticket: Ticket = seed.ticket(self.call);
        let Picked { agent, n, call, stratum, weight, of, second, .. } = self.clone();
        Pick { agent, n, call, stratum, ticket, weight, of, second }
    }
}
