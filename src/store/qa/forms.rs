//! Score forms: every version that a sheet was filled by or that was in force, and the one that is.

use rusqlite::{Connection, OptionalExtension as _, TransactionBehavior};
use serde_json::json;

use super::super::StoreError;
use super::{By, Inspection, note};
use crate::cdr::Time;
use crate::clock::Wall;
use crate::qa::form::Form;

/// A version of a form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// SHA-256 of its text.
    pub version: String,
    pub form: String,
    pub since: Time,
    /// Reviews that were filled by it.
    pub reviews: u64,
}

impl Inspection {
    /// Puts a form from a file in force, at a start and at a reload. A file that is what it was does not undo what was changed in the
    /// console since. False: nothing changed.
    pub fn publish(&mut self, form: &Form, text: &str, by: By<'_>) -> Result<bool, StoreError> {
        let seen: Option<Option<String>> = self
            .db
            .query_row("SELECT file_version FROM qa_form_in_force WHERE id = ?1", [&form.id], |row| row.get(0))
            .optional()?;
        if seen.flatten().as_ref() == Some(&form.version) {
            return Ok(false);
        }
        self.put_in_force((form, text), Some(&form.version), "", by)
    }

    /// A form as somebody changed it in the console. Reviews that were begun keep the version that they have.
    pub fn change_form(&mut self, form: &Form, text: &str, why: &str, by: By<'_>) -> Result<bool, StoreError> {
        self.put_in_force((form, text), None, why, by)
    }

    fn put_in_force(
        &mut self,
        (form, text): (&Form, &str),
        file: Option<&str>,
        why: &str,
        by: By<'_>,
    ) -> Result<bool, StoreError> {
        let work = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let before: Option<String> = work
            .query_row("SELECT version FROM qa_form_in_force WHERE id = ?1", [&form.id], |row| row.get(0))
            .optional()?;
        keep(&work, form, text, by)?;
        work.execute(
            "INSERT INTO qa_form_in_force (id, version, file_version) VALUES (?1, ?2, ?3)
             ON CONFLICT (id) DO UPDATE SET version = ?2, file_version = coalesce(?3, file_version)",
            (&form.id, &form.version, file),
        )?;
        let is_new = before.as_ref() != Some(&form.version);
        if is_new {
            let details = json!({ "before": before, "version": form.version, "why": why });
            note(&work, by, "qa.form_in_force", &form.id, &details)?;
        }
        work.commit()?;
        Ok(is_new)
    }

    /// The text of the form in force, the first by its id; `None`: none was published yet.
    pub fn form_in_force(&self) -> Result<Option<String>, StoreError> {
        let mut find = self.db.prepare_cached(
            "SELECT f.text FROM qa_form_in_force i JOIN qa_form f ON f.version = i.version ORDER BY i.id LIMIT 1",
        )?;
        Ok(find.query_row([], |row| row.get(0)).optional()?)
    }

    /// The text of a version that was kept.
    pub fn form(&self, version: &str) -> Result<Option<String>, StoreError> {
        let mut find = self.db.prepare_cached("SELECT text FROM qa_form WHERE version = ?1")?;
        Ok(find.query_row([version], |row| row.get(0)).optional()?)
    }

    /// Every version that was kept, the newest first.
    pub fn forms(&self) -> Result<Vec<Version>, StoreError> {
        let mut query = self.db.prepare_cached(
            "SELECT f.version, f.id, f.since_wall_us, (SELECT count(*) FROM qa_review r WHERE r.form = f.version)
             FROM qa_form f ORDER BY f.since_wall_us DESC",
        )?;
        let rows = query.query_map([], |row| {
            let since = Time(Wall::from_micros(row.get(2)?));
            let reviews = row.get::<_, i64>(3)?.unsigned_abs();
            Ok(Version { version: row.get(0)?, form: row.get(1)?, since, reviews })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

/// Never changed once it is there: the table's triggers see to it.
pub(super) fn keep(work: &Connection, form: &Form, text: &str, by: By<'_>) -> Result<(), StoreError> {
    work.execute(
        "INSERT INTO qa_form (version, id, text, since_wall_us) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING",
        (&form.version, &form.id, text, by.at.as_micros()),
    )?;
    Ok(())
}
