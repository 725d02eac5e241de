//! Who works with the console: names, roles, passwords; sessions. Every change is a row of the audit log, in the same transaction.
//!
//! A connection of its own beside the ledger's writer: its transactions are short, and it touches no fact.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension as _, Row as SqlRow, Transaction, TransactionBehavior};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::audit::{self, Deed};
use super::told::Told;
use super::{StoreError, sqlite};
use crate::cdr::words;
use crate::clock::Wall;
use crate::ids::AgentNo;

words! {
    /// What somebody is in the house; a person may be several things.
    Role {
        /// Answers calls; sees his or her own.
        Agent "agent",
        /// Draws, hears and scores recordings.
        Qa "qa",
        /// Leads a team: sees and hears its calls, numbers included.
        Lead "lead",
        /// Watches the gateway at work.
        Operator "operator",
        /// Reads everything that was written down, hears nothing.
        Auditor "auditor",
        /// Says who may do what; hears nothing.
        Admin "admin",
    }
}

/// A set of roles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Roles(u8);

impl Roles {
    pub const NONE: Roles = Roles(0);

    pub const fn of(roles: &[Role]) -> Roles {
        let (mut bits, mut i) = (0, 0);
        while i < roles.len() {
            bits |= 1 << roles[i] as u8;
            i += 1;
        }
        Roles(bits)
    }

    pub const fn meets(self, other: Roles) -> bool {
        self.0 & other.0 != 0
    }

    pub fn has(self, role: Role) -> bool {
        self.meets(Roles::of(&[role]))
    }

    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub fn iter(self) -> impl Iterator<Item = Role> {
        use crate::cdr::Word as _;
        Role::ALL.iter().copied().filter(move |role| self.has(*role))
    }

    /// `"qa lead"` or `"qa,lead"`; the word that is no role.
    pub fn parse(text: &str) -> Result<Roles, String> {
        use crate::cdr::Word as _;
        let named =
            |word: &str| Role::ALL.iter().copied().find(|role| role.word() == word).ok_or_else(|| word.to_owned());
        let words = text.split([' ', ',']).filter(|word| !word.is_empty());
        words.map(named).try_fold(Roles::NONE, |all, role| Ok(Roles(all.0 | Roles::of(&[role?]).0)))
    }
}

impl std::fmt::Display for Roles {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        use crate::cdr::Word as _;
        let words: Vec<&str> = self.iter().map(Role::word).collect();
        f.write_str(&words.join(" "))
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    pub id: i64,
    /// What is typed to log in.
    pub name: String,
    pub shown: String,
    pub roles: Roles,
    /// Of whoever is an agent too.
    pub agent: Option<AgentNo>,
    /// `None`: what the browser asks for.
    pub language: Option<String>,
    pub disabled: bool,
    pub since: Wall,
    /// Whose link last replaced a password that this person had, and when.
    pub by_link: Option<(String, Wall)>,
}

/// Somebody new.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewPerson {
    pub name: String,
    pub shown: String,
    /// As [`Roles::parse`] reads them.
    pub roles: String,
    pub agent: Option<String>,
    /// As [`super::password::hash`] gives it; `None`: there is no way in but a link.
    pub password: Option<String>,
}

/// What a command asks for. Passwords come as their hashes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    Add(NewPerson),
    List,
    Disable { name: String },
    Enable { name: String },
    Password { name: String, password: String },
}

#[derive(Debug)]
pub struct People {
    pub(super) db: Connection,
}

/// Longest name to log in by, and longest name to be shown.
const NAME: usize = 64;

const COLUMNS: &str = "SELECT id, name, shown, roles, agent, language, disabled, since_wall_us, link_by, link_wall_us
    FROM person";

impl People {
    /// The database must be there and of this version.
    pub fn open(dir: &Path) -> Result<People, StoreError> {
        Ok(People { db: sqlite::open_beside(dir)? })
    }

    /// Whether anybody was ever added.
    pub fn is_empty(&self) -> Result<bool, StoreError> {
        Ok(self.db.query_row("SELECT NOT EXISTS (SELECT 1 FROM person)", [], |row| row.get(0))?)
    }

    pub fn all(&self) -> Result<Vec<Person>, StoreError> {
        let mut query = self.db.prepare_cached(&format!("{COLUMNS} ORDER BY name"))?;
        let rows = query.query_map([], person)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    pub fn named(&self, name: &str) -> Result<Option<Person>, StoreError> {
        let mut find = self.db.prepare_cached(&format!("{COLUMNS} WHERE name = ?1"))?;
        Ok(find.query_row([plain(name)], person).optional()?)
    }

    pub(super) fn by_id(&self, id: i64) -> Result<Option<Person>, StoreError> {
        let mut find = self.db.prepare_cached(&format!("{COLUMNS} WHERE id = ?1"))?;
        Ok(find.query_row([id], person).optional()?)
    }

    /// The hash of the password of somebody who may log in.
    pub fn password_of(&self, name: &str) -> Result<Option<String>, StoreError> {
        let mut find = self.db.prepare_cached("SELECT password FROM person WHERE name = ?1 AND disabled = 0")?;
        Ok(find.query_row([plain(name)], |row| row.get(0)).optional()?.flatten())
    }

    pub fn add(&mut self, new: &NewPerson, by: &str, at: Wall) -> Result<Person, StoreError> {
        let name = plain(&new.name);
        let odd = |c: char| c.is_control() || c.is_whitespace();
        if name.is_empty() || name.chars().count() > NAME || name.contains(odd) || name.contains(':') {
            return Err(Told::NoName { name, most: NAME }.into());
        }
        let roles = roles_of(&new.roles)?;
        let shown = if new.shown.trim().is_empty() { name.as_str() } else { new.shown.trim() };
        let shown: String = shown.chars().filter(|c| !c.is_control()).take(NAME).collect();
        let agent = new.agent.as_deref().map(str::trim).filter(|agent| !agent.is_empty());
        let work = begin(&mut self.db)?;
        let there: bool = work.query_row("SELECT EXISTS (SELECT 1 FROM person WHERE name = ?1)", [&name], get)?;
        if there {
            return Err(Told::NameTaken { name }.into());
        }
        let sql = "INSERT INTO person (name, shown, roles, agent, password, since_wall_us)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        work.execute(sql, (&name, &shown, roles.to_string(), agent, new.password.as_deref(), at.as_micros()))?;
        let id = work.last_insert_rowid();
        let details = json!({ "roles": roles.to_string(), "agent": agent });
        audit::append(&work, Deed { at, who: by, what: "person.added", about: &name, details: &details })?;
        work.commit()?;
        self.by_id(id)?.ok_or_else(|| refused("the person is gone again".to_owned()))
    }

    pub fn set_roles(&mut self, name: &str, roles: &str, by: &str, at: Wall) -> Result<(), StoreError> {
        let roles = roles_of(roles)?;
        let details = json!({ "roles": roles.to_string() });
        let work = begin(&mut self.db)?;
        let is_last = !roles.has(Role::Admin) && is_last_admin(&work, &plain(name))?;
        expect(!is_last, Told::LastAdmin)?;
        let changed = work.execute("UPDATE person SET roles = ?2 WHERE name = ?1", (plain(name), roles.to_string()))?;
        finish(work, changed, Deed { at, who: by, what: "person.roles", about: &plain(name), details: &details })
    }

    /// What the person has from now on; every session of theirs ends.
    pub fn set_password(&mut self, name: &str, password: &str, by: &str, at: Wall) -> Result<(), StoreError> {
        let work = begin(&mut self.db)?;
        let changed = work.execute("UPDATE person SET password = ?2 WHERE name = ?1", (plain(name), password))?;
        end_sessions(&work, &plain(name))?;
        finish(work, changed, Deed { at, who: by, what: "person.password", about: &plain(name), details: &Value::Null })
    }

    /// The same by a link that `made_by` had made: whoever had a password is shown that, since it may have been somebody else who
    /// followed the link.
    pub fn set_password_by_link(
        &mut self,
        name: &str,
        password: &str,
        made_by: &str,
        at: Wall,
    ) -> Result<(), StoreError> {
        let name = plain(name);
        let work = begin(&mut self.db)?;
        work.execute(
            "UPDATE person SET link_by = ?2, link_wall_us = ?3 WHERE name = ?1 AND password IS NOT NULL",
            (&name, made_by, at.as_micros()),
        )?;
        let changed =
            work.execute("UPDATE person SET password = ?2 WHERE name = ?1 AND disabled = 0", (&name, password))?;
        end_sessions(&work, &name)?;
        let details = json!({ "link_of": made_by });
        finish(work, changed, Deed { at, who: &name, what: "person.password_by_link", about: &name, details: &details })
    }

    /// Somebody disabled cannot log in, and is logged out.
    pub fn set_disabled(&mut self, name: &str, disabled: bool, by: &str, at: Wall) -> Result<(), StoreError> {
        let what = if disabled { "person.disabled" } else { "person.enabled" };
        let work = begin(&mut self.db)?;
        let is_last = disabled && is_last_admin(&work, &plain(name))?;
        expect(!is_last, Told::LastAdmin)?;
        let changed = work.execute("UPDATE person SET disabled = ?2 WHERE name = ?1", (plain(name), disabled))?;
        if disabled {
            end_sessions(&work, &plain(name))?;
        }
        finish(work, changed, Deed { at, who: by, what, about: &plain(name), details: &Value::Null })
    }

    /// The person's own choice; no audit row.
    pub fn set_language(&mut self, id: i64, language: &str) -> Result<(), StoreError> {
        self.db.execute("UPDATE person SET language = ?2 WHERE id = ?1", (id, language))?;
        Ok(())
    }

    /// Notes a deed that is no change of a person: a listen, a download, an export.
    pub fn note(&mut self, deed: Deed<'_>) -> Result<i64, StoreError> {
        let work = begin(&mut self.db)?;
        let n = audit::append(&work, deed)?;
        work.commit()?;
        Ok(n)
    }

    /// Carries out what a command asks for; a line each.
    pub fn carry_out(&mut self, order: &Order, by: &str, at: Wall) -> Result<Vec<String>, StoreError> {
        match order {
            Order::Add(new) => self.add(new, by, at).map(|added| vec![line(&added)]),
            Order::List => Ok(self.all()?.iter().map(line).collect()),
            Order::Disable { name } => {
                self.set_disabled(name, true, by, at).map(|()| vec![format!("{name}: disabled")])
            }
            Order::Enable { name } => self.set_disabled(name, false, by, at).map(|()| vec![format!("{name}: enabled")]),
            Order::Password { name, password } => {
                let changed = self.set_password(name, password, by, at);
                changed.map(|()| {
                    vec![format!("{name}: the new password is in force, and nobody is logged in by the old one")]
                })
            }
        }
    }

    pub fn views(&self, person: i64) -> Result<Vec<(String, String)>, StoreError> {
        let mut query = self.db.prepare_cached("SELECT name, query FROM saved_view WHERE person = ?1 ORDER BY name")?;
        let rows = query.query_map([person], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// An empty query forgets the view.
    pub fn save_view(&mut self, person: i64, name: &str, query: &str) -> Result<(), StoreError> {
        const MOST: i64 = 50;
        if query.is_empty() {
            self.db.execute("DELETE FROM saved_view WHERE person = ?1 AND name = ?2", (person, name))?;
            return Ok(());
        }
        let count = "SELECT count(*) FROM saved_view WHERE person = ?1 AND name <> ?2";
        let there: i64 = self.db.query_row(count, (person, name), get)?;
        expect(there < MOST, Told::NoMoreViews)?;
        let sql = "INSERT OR REPLACE INTO saved_view (person, name, query) VALUES (?1, ?2, ?3)";
        self.db.execute(sql, (person, name, query))?;
        Ok(())
    }
}

fn line(person: &Person) -> String {
    let agent = person.agent.as_ref().map_or_else(String::new, |agent| format!("  agent {agent}"));
    let disabled = if person.disabled { "  disabled" } else { "" };
    format!("{:<20} {:<24} {}{agent}{disabled}", person.name, person.roles.to_string(), person.shown)
}

/// Names are compared without regard to case and blanks around them.
fn plain(name: &str) -> String {
    name.trim().to_lowercase()
}

fn roles_of(text: &str) -> Result<Roles, StoreError> {
    use crate::cdr::Word as _;
    let known = || Role::ALL.iter().map(|role| role.word()).collect::<Vec<_>>().join(", ");
    let roles = Roles::parse(text).map_err(|word| refused(format!("`{word}` is no role: {}", known())))?;
    expect(!roles.is_empty(), Told::NoRole)?;
    Ok(roles)
}

fn expect(it: bool, otherwise: Told) -> Result<(), Told> {
    if it { Ok(()) } else { Err(otherwise) }
}

fn refused(why: String) -> StoreError {
    StoreError::Refused(why)
}

fn begin(db: &mut Connection) -> Result<Transaction<'_>, StoreError> {
    Ok(db.transaction_with_behavior(TransactionBehavior::Immediate)?)
}

/// Notes the deed if it changed somebody.
fn finish(work: Transaction<'_>, changed: usize, deed: Deed<'_>) -> Result<(), StoreError> {
    expect(changed > 0, Told::Nobody)?;
    audit::append(&work, deed)?;
    Ok(work.commit()?)
}

fn is_last_admin(db: &Connection, name: &str) -> Result<bool, StoreError> {
    let mut query = db.prepare("SELECT name, roles FROM person WHERE disabled = 0")?;
    let rows = query.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))?;
    let rows: Vec<(String, String)> = rows.collect::<Result<_, _>>()?;
    let mut admins =
        rows.iter().filter(|(_, roles)| Roles::parse(roles).is_ok_and(|roles| roles.has(Role::Admin))).peekable();
    Ok(admins.peek().is_some() && admins.all(|(other, _)| other == name))
}

fn end_sessions(db: &Connection, name: &str) -> Result<(), StoreError> {
    db.execute("DELETE FROM session WHERE person = (SELECT id FROM person WHERE name = ?1)", [name])?;
    Ok(())
}

fn get<T: rusqlite::types::FromSql>(row: &SqlRow<'_>) -> rusqlite::Result<T> {
    row.get(0)
}

fn person(row: &SqlRow<'_>) -> rusqlite::Result<Person> {
    let roles: String = row.get(3)?;
    Ok(Person {
        id: row.get(0)?,
        name: row.get(1)?,
        shown: row.get(2)?,
        // A word of a newer program gives no right.
        roles: roles.split(' ').filter_map(|word| Roles::parse(word).ok()).fold(Roles::NONE, |a, b| Roles(a.0 | b.0)),
        agent: row.get::<_, Option<String>>(4)?.map(AgentNo::from),
        language: row.get(5)?,
        disabled: row.get(6)?,
        since: Wall::from_micros(row.get(7)?),
        by_link: row.get::<_, Option<String>>(8)?.zip(row.get::<_, Option<i64>>(9)?.map(Wall::from_micros)),
    })
}

#[cfg(test)]
#[path = "people_tests.rs"]
mod tests;
