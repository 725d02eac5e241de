//! The one writer of a data directory's database.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use hmac::{Hmac, KeyInit as _, Mac as _};
use rusqlite::{Connection, TransactionBehavior, params, params_from_iter};
use sha2::Sha256;

use super::{StoreError, SubjectKey, callbacks, listing, recordings, sqlite, transcripts};
use crate::call::fact::Fact;
use crate::call::presence::AgentFact;
use crate::cdr::{CallKind, Fold, Record, Word as _};
use crate::clock::{RunId, Wall};
use crate::ids::CallId;
use crate::ledger::Subject;
use crate::rules::{Case, Pack};

/// Ended calls whose recording is not in yet stay in memory up to this many calls in all; beyond it they are read back
/// from the ledger when their last facts come. About 2 kB each.
const CALLS_IN_MEMORY: usize = 20_000;

/// The version of the database that first had every table that is computed from facts.
const COMPUTED_SINCE: usize = 4;

#[derive(Debug)]
pub struct Writer {
    db: Connection,
    key: SubjectKey,
    /// Calls that are not closed, as far as they are written.
    open: BTreeMap<CallId, Case>,
    /// Judges sealed calls.
    pack: Arc<Pack>,
}

/// What became of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Appended {
    pub written: usize,
    /// Facts that were there already: a batch was retried after its commit had in truth succeeded.
    pub repeated: usize,
}

impl Writer {
    /// Opens or creates the database of a data directory and brings it up to date.
    pub fn open(dir: &Path, key: SubjectKey) -> Result<Writer, StoreError> {
        let (db, found) = sqlite::open_writer(dir)?;
        let mut writer = Writer { db, key, open: BTreeMap::new(), pack: Pack::built_in() };
        if (1..COMPUTED_SINCE).contains(&found) {
            writer.rebuild()?;
        }
        Ok(writer)
    }

    /// A new start of the gateway; runs count from 1.
    pub fn begin_run(&mut self, now: Wall) -> Result<RunId, StoreError> {
        self.db.execute("INSERT INTO run (began_wall_us) VALUES (?1)", [now.as_micros()])?;
        let id = self.db.last_insert_rowid();
        u32::try_from(id).map(RunId).map_err(|_| StoreError::Run(RunId(u32::MAX)))
    }

    /// Writes facts, numbers and the rows of the calls touched, all or nothing. After an error the same batch may be
    /// given again: what is there already is left as it is.
    pub fn append(&mut self, facts: &[Fact], subjects: &[Subject]) -> Result<Appended, StoreError> {
        let touched: BTreeSet<CallId> = facts.iter().map(|fact| fact.call).collect();
        let result = self.append_in_one(facts, subjects, &touched);
        match &result {
            Ok(_) => self.forget_closed(&touched),
            // The folds are ahead of the disk now; they are read back from it when needed.
            Err(_) => self.open.retain(|call, _| !touched.contains(call)),
        }
        result
    }

    /// Writes facts of agents, all or nothing. After an error the same facts may be given again.
    pub fn append_agents(&mut self, facts: &[AgentFact]) -> Result<(), StoreError> {
        let work = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for fact in facts {
            sqlite::insert_agent_fact(&work, fact)?;
        }
        Ok(work.commit()?)
    }

    /// How earlier runs left the agents: of each the newest fact that tells a presence.
    pub fn presences(&self) -> Result<Vec<AgentFact>, StoreError> {
        sqlite::last_agent_facts(&self.db, &super::NO_PRESENCE, true)
    }

    /// Calls that an earlier run left open (or whose recording it did), with their facts: what recovery closes.
    pub fn unfinished(&self) -> Result<Vec<(CallId, Vec<Fact>)>, StoreError> {
        let mut query = self.db.prepare("SELECT id FROM any_call WHERE closed = 0 ORDER BY id")?;
        let calls = query.query_map([], |row| row.get(0).map(sqlite::call_id))?.collect::<Result<Vec<_>, _>>()?;
        calls.into_iter().map(|call| Ok((call, sqlite::facts_of(&self.db, call)?))).collect()
    }

    /// Computes every row of `call` again from the facts. Returns how many there are.
    pub fn rebuild(&mut self) -> Result<usize, StoreError> {
        let work = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        work.execute("DELETE FROM call", [])?;
        work.execute("DELETE FROM call_apart", [])?;
        work.execute("DELETE FROM recording", [])?;
        work.execute("DELETE FROM listed", [])?;
        work.execute("DELETE FROM owed", [])?;
        let calls = {
            let mut query = work.prepare("SELECT DISTINCT call FROM fact ORDER BY call")?;
            query.query_map([], |row| row.get(0).map(sqlite::call_id))?.collect::<Result<Vec<_>, _>>()?
        };
        for &call in &calls {
            let case = case_of(&work, call)?.ok_or(StoreError::NoBeginning(call))?;
            write_call(&work, call, &case, &self.pack)?;
        }
        work.commit()?;
        self.open.clear();
        Ok(calls.len())
    }

    fn append_in_one(
        &mut self,
        facts: &[Fact],
        subjects: &[Subject],
        touched: &BTreeSet<CallId>,
    ) -> Result<Appended, StoreError> {
        let work = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for subject in subjects {
            write_subject(&work, &self.key, subject)?;
        }
        let mut appended = Appended::default();
        for fact in facts {
            let is_new = sqlite::insert_fact(&work, fact)?;
            fold_fact(&work, &mut self.open, fact, is_new)?;
            match is_new {
                true => appended.written += 1,
                false => appended.repeated += 1,
            }
        }
        for call in touched {
            let case = self.open.get(call).ok_or(StoreError::NoBeginning(*call))?;
            // The row of a call in progress says only that it is there.
            if case.fold().ended_at().is_some() || !has_row(&work, *call)? {
                write_call(&work, *call, case, &self.pack)?;
            }
        }
        work.commit()?;
        Ok(appended)
    }

    fn forget_closed(&mut self, touched: &BTreeSet<CallId>) {
        for call in touched {
            if self.open.get(call).is_some_and(|case| case.fold().is_closed()) {
                self.open.remove(call);
            }
        }
        if self.open.len() > CALLS_IN_MEMORY {
            self.open.retain(|_, case| case.fold().ended_at().is_none());
        }
    }
}

/// Brings the fact's call up to this fact, which is on the disk by now; from there, if the call is not in memory.
fn fold_fact(db: &Connection, open: &mut BTreeMap<CallId, Case>, fact: &Fact, is_new: bool) -> Result<(), StoreError> {
    if let Some(case) = open.get_mut(&fact.call) {
        case.push(fact);
        return Ok(());
    }
    // Nothing can be there beside a first fact that was not.
    let case = if is_new && fact.n == 0 { Case::begin(fact) } else { case_of(db, fact.call)? };
    open.insert(fact.call, case.ok_or(StoreError::NoBeginning(fact.call))?);
    Ok(())
}

pub(super) fn case_of(db: &Connection, call: CallId) -> Result<Option<Case>, StoreError> {
    let Some(case) = Case::of(&sqlite::facts_of(db, call)?) else { return Ok(None) };
    Ok(Some(case.hear(transcripts::of(db, call)?)))
}

fn has_row(db: &Connection, call: CallId) -> Result<bool, StoreError> {
    Ok(db.prepare_cached("SELECT 1 FROM any_call WHERE id = ?1")?.exists([sqlite::id(call)])?)
}

pub(super) fn write_call(db: &Connection, call: CallId, case: &Case, pack: &Pack) -> Result<(), StoreError> {
    let (fold, record) = (case.fold(), case.record(pack));
    write_row(db, call, fold, &record)?;
    if record.kind == CallKind::Offered {
        listing::write(db, fold, &record)?;
        callbacks::write(db, fold, &record)?;
    }
    recordings::write(db, fold, &record)
}

/// Offered calls stand in `call`, those of other kinds in `call_apart`, with what they are beside.
fn write_row(db: &Connection, call: CallId, fold: &Fold, record: &Record) -> Result<(), StoreError> {
    const COLUMNS: &str = "id, hotline, subject, offered_wall_us, ended_wall_us, outcome, closed, record";
    let sql = match record.kind {
        CallKind::Offered => format!("INSERT OR REPLACE INTO call ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)"),
        CallKind::Callback | CallKind::Internal | CallKind::Outbound => format!(
            "INSERT OR REPLACE INTO call_apart ({COLUMNS}, kind, entry) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)"
        ),
    };
    let subject = fold.subject();
    let common = params![
        sqlite::id(call),
        record.hotline.as_str(),
        subject.0.as_bytes(),
        fold.offered_at().wall_us,
        fold.ended_at().map(|at| at.wall_us),
        record.outcome.map(|outcome| outcome.word()),
        fold.is_closed(),
        written(fold, record)?,
    ];
    let entry = record.called_back.as_ref().map(|back| sqlite::id(back.entry));
    let beside = params![record.kind.word(), entry];
    let beside = if record.kind == CallKind::Offered { &[] } else { beside };
    db.prepare_cached(&sql)?.execute(params_from_iter(common.iter().chain(beside)))?;
    Ok(())
}

/// The record of a call that has ended. One in progress is read from its facts: only what an erasure looks for stands in its row.
fn written(fold: &Fold, record: &Record) -> Result<String, StoreError> {
    Ok(match fold.ended_at() {
        Some(_) => serde_json::to_string(record)?,
        None => serde_json::json!({ "caller_received": record.caller_received }).to_string(),
    })
}

fn write_subject(db: &Connection, key: &SubjectKey, subject: &Subject) -> Result<(), StoreError> {
    let mut insert = db.prepare_cached(
        "INSERT INTO subject (id, number, keyed_hash) VALUES (?1, ?2, ?3) ON CONFLICT (id) DO NOTHING",
    )?;
    insert.execute((subject.id.0.as_bytes(), &subject.number, keyed_hash(key, &subject.number)))?;
    Ok(())
}

/// HMAC-SHA256 (RFC 2104) of the number.
pub(super) fn keyed_hash(key: &SubjectKey, number: &str) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new(&block_of(key));
    mac.update(number.as_bytes());
    mac.finalize().into_bytes().into()
}

/// The key padded with zeros to SHA-256's block, as RFC 2104 section 2 does with shorter keys.
fn block_of(key: &SubjectKey) -> hmac::digest::Key<Hmac<Sha256>> {
    let mut block = hmac::digest::Key::<Hmac<Sha256>>::default();
    block[..key.0.len()].copy_from_slice(&key.0);
    block
}
