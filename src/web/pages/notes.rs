//! Call notes (来电登记): the form for a call, the list with its clocks, one note and what becomes of it.

use axum::extract::Path;
use jiff::civil::{DateTime, Time as CivilTime};
use jiff::tz::TimeZone;

use crate::cdr::Record;
use crate::cdr::ladder::masked;
use crate::clock::Wall;
use crate::dialplan::notes::{Class, Limit};
use crate::dialplan::plan::Hotline;
use crate::ids::{AgentNo, CallId};
use crate::notes::{Lack, Note, Step, Words, day};
use crate::store::Filter;
use crate::store::notes::{Change, NewNote, Show, Stepped, WantedNotes, Whose};
use crate::store::people::{Person, Role, Roles};
use crate::web::page::{Asked, Page, Refusal, Reply, go};
use crate::web::routes::SEES_NUMBERS;

/// Notes of one page.
const NOTES: usize = 200;
/// Those who may see everybody's notes.
const SEES_ALL: Roles = Roles::of(&[Role::Lead, Role::Qa]);
const LEADS: Roles = Roles::of(&[Role::Lead]);

/// The form for a call, filled in as far as the call tells.
pub(super) struct Form {
    /// Empty: of no call.
    pub(super) call: String,
    pub(super) at: Option<Wall>,
    pub(super) hotlines: Vec<(String, String)>,
    pub(super) classes: Vec<Class>,
    pub(super) words: Words,
    /// For the field of a moment.
    pub(super) promised: String,
}

#[derive(askama::Template)]
#[template(path = "notes/new.html", config = "src/web/askama.toml")]
struct New {
    p: Page,
    form: Form,
}

#[derive(askama::Template)]
#[template(path = "notes/list.html", config = "src/web/askama.toml")]
struct List {
    p: Page,
    shown: &'static str,
    text: String,
    notes: Vec<Line>,
    /// All of that kind.
    count: usize,
    /// Left from the days before, and not looked at today.
    unseen: bool,
    /// Only notes of this agent and his or her hotlines.
    own: bool,
    writes: bool,
    older: Option<i64>,
}

/// A note in a list.
pub(super) struct Line {
    pub(super) note: Note,
    pub(super) org: String,
    pub(super) caller: String,
    pub(super) clock: Clock,
    pub(super) carried: bool,
}

/// How a note stands with its time.
pub(super) struct Clock {
    /// Of the closed list that the templates colour by.
    pub(super) class: &'static str,
    pub(super) text: String,
}

#[derive(askama::Template)]
#[template(path = "notes/one.html", config = "src/web/askama.toml")]
struct One {
    p: Page,
    line: Line,
    steps: Vec<Stepped>,
    form: Form,
    agents: Vec<AgentNo>,
    /// Whether whoever asks may do something with it.
    acts: bool,
    sees_call: bool,
}

fn agent_of(asked: &Asked) -> Result<Option<AgentNo>, Refusal> {
    Ok(asked.person()?.agent.clone().filter(|_| asked.may(Roles::of(&[Role::Agent]))))
}

/// `None`: everybody's.
fn whose(asked: &Asked) -> Result<Option<Whose>, Refusal> {
    if asked.may(SEES_ALL) {
        return Ok(None);
    }
    let agent = agent_of(asked)?.ok_or(Refusal::Told("agent-no-number"))?;
    Ok(Some(Whose { hotlines: hotlines_of(asked, &agent), agent }))
}

fn hotlines_of(asked: &Asked, agent: &AgentNo) -> Vec<String> {
    let plans = asked.desk().plans();
    let serves = |hotline: &&std::sync::Arc<Hotline>| hotline.everybody().contains(agent);
    plans.hotlines.iter().filter(serves).map(|hotline| hotline.id.to_string()).collect()
}

fn today(asked: &Asked) -> Wall {
    let (now, zone) = (asked.desk().now().wall, asked.desk().zone());
    let midnight = day(now, &zone).to_datetime(CivilTime::midnight()).to_zoned(zone);
    midnight.map_or(now, |midnight| Wall::from_micros(midnight.timestamp().as_microsecond()))
}

fn shown(word: &str) -> (Show, &'static str) {
    match word {
        "carried" => (Show::Carried, "carried"),
        "done" => (Show::Done, "done"),
        "all" => (Show::All, "all"),
        _ => (Show::Open, "open"),
    }
}

pub(in crate::web) async fn page(asked: Asked) -> Reply {
    let (show, shown) = shown(asked.query().get("show"));
    let text: String = asked.query().get("q").chars().take(100).collect();
    let whose = whose(&asked)?;
    let (own, today, zone) = (whose.is_some(), today(&asked), asked.desk().zone());
    let wanted = WantedNotes {
        show,
        whose: whose.clone(),
        text: text.clone(),
        by_number: own || asked.may(SEES_NUMBERS),
        today,
        before: asked.query().get("before").parse().ok(),
    };
    let (person, date) = (asked.person()?.id, day(asked.desk().now().wall, &zone));
    let carried = whose.map(|whose| carried(whose, today));
    let found = asked.desk().change(move |people, _| {
        let unseen = match &carried {
            Some(wanted) => people.notes(wanted, 1)?.1 > 0 && !people.has_seen_carried(person, date)?,
            None => false,
        };
        Ok((people.notes(&wanted, NOTES)?, unseen))
    });
    let ((notes, count), unseen) = found.await?;
    let is_newest_first = matches!(show, Show::Done | Show::All);
    let older = notes.last().map(|note| note.id).filter(|_| is_newest_first && notes.len() == NOTES);
    let p = asked.page();
    let notes = notes.into_iter().map(|note| line(&asked, &p, note)).collect::<Result<_, _>>()?;
    let writes = agent_of(&asked)?.is_some();
    asked.show(&List { p, shown, text, notes, count, unseen, own, writes, older })
}

fn carried(whose: Whose, today: Wall) -> WantedNotes {
    WantedNotes { show: Show::Carried, whose: Some(whose), text: String::new(), by_number: false, today, before: None }
}

/// Whether this agent has still to look at what was left over.
pub(super) async fn has_unseen(asked: &Asked) -> Result<bool, Refusal> {
    let Some(agent) = agent_of(asked)? else { return Ok(false) };
    let whose = Whose { hotlines: hotlines_of(asked, &agent), agent };
    let (wanted, person) = (carried(whose, today(asked)), asked.person()?.id);
    let date = day(asked.desk().now().wall, &asked.desk().zone());
    let unseen = asked
        .desk()
        .change(move |people, _| Ok(people.notes(&wanted, 1)?.1 > 0 && !people.has_seen_carried(person, date)?));
    unseen.await
}

pub(in crate::web) async fn seen(asked: Asked) -> Reply {
    let agent = agent_of(&asked)?.ok_or(Refusal::Told("agent-no-number"))?;
    let whose = Whose { hotlines: hotlines_of(&asked, &agent), agent };
    let wanted = carried(whose, today(&asked));
    let Person { id, name, .. } = asked.person()?.clone();
    let date = day(asked.desk().now().wall, &asked.desk().zone());
    let seen = asked.desk().change(move |people, at| {
        let (notes, _) = people.notes(&wanted, 1_000)?;
        people.see_carried(id, date, &notes, &name, at)
    });
    seen.await?;
    Ok(go("/notes?show=carried"))
}

/// A note as whoever asks may see it.
pub(super) fn line(asked: &Asked, p: &Page, note: Note) -> Result<Line, Refusal> {
    let (now, zone) = (asked.desk().now().wall, asked.desk().zone());
    let org = asked.desk().hotlines().into_iter().find(|(id, _)| *id == note.hotline).map(|(_, org)| org);
    // Whoever has to call back needs the number.
    let is_own = match agent_of(asked)? {
        Some(agent) => note.concerns(&agent, &hotlines_of(asked, &agent), now, &zone),
        None => false,
    };
    let caller = match &note.caller {
        Some(number) if is_own || asked.may(SEES_NUMBERS) => number.clone(),
        Some(number) => masked(number),
        None => "–".to_owned(),
    };
    let carried = note.is_carried(now, &zone);
    Ok(Line { org: org.unwrap_or_else(|| note.hotline.clone()), caller, clock: clock(p, &note, now), carried, note })
}

fn clock(p: &Page, note: &Note, now: Wall) -> Clock {
    const SOON_US: i64 = 3_600_000_000;
    let done = note.done.unwrap_or(now);
    let left_us = note.due.as_micros() - done.as_micros();
    let span = p.span(left_us.unsigned_abs() / 1_000);
    let (class, key) = match (note.done.is_some(), left_us) {
        (true, 0..) => ("good", "note-in-time"),
        (true, _) => ("bad", "note-was-late"),
        (false, SOON_US..) => ("", "note-left"),
        (false, 0..) => ("warn", "note-left"),
        (false, _) => ("bad", "note-late"),
    };
    Clock { class, text: p.with(key, "time", span) }
}

/// The hotline of the call, or the one that was chosen.
fn hotline(asked: &Asked, id: &str) -> Result<std::sync::Arc<Hotline>, Refusal> {
    let plans = asked.desk().plans();
    plans.hotlines.iter().find(|hotline| hotline.id.as_str() == id).cloned().ok_or(Refusal::Told("note-no-hotline"))
}

/// The classes to choose from: those of the hotlines, each once.
fn classes(asked: &Asked, hotlines: &[(String, String)]) -> Vec<Class> {
    let plans = asked.desk().plans();
    let mut all: Vec<Class> = Vec::new();
    let of = plans.hotlines.iter().filter(|hotline| hotlines.iter().any(|(id, _)| *id == hotline.id.to_string()));
    for class in of.flat_map(|hotline| hotline.duty.note_classes()) {
        if !all.iter().any(|known| known.name == class.name) {
            all.push(class);
        }
    }
    all
}

/// A form for a call of this agent (or of none).
pub(super) fn form(asked: &Asked, agent: &AgentNo, record: Option<&Record>) -> Form {
    let own = hotlines_of(asked, agent);
    let is_offered = |id: &String| record.map_or_else(|| own.contains(id), |record| record.hotline.as_str() == id);
    let hotlines: Vec<_> = asked.desk().hotlines().into_iter().filter(|(id, _)| is_offered(id)).collect();
    let caller = record.and_then(|record| record.caller.clone());
    Form {
        call: record.map_or_else(String::new, |record| record.id.to_string()),
        at: record.map(|record| record.offered_at.0),
        words: Words {
            caller,
            class: record.and_then(|record| record.class.clone()).unwrap_or_default(),
            ..Words::default()
        },
        classes: classes(asked, &hotlines),
        hotlines,
        promised: String::new(),
    }
}

/// The call, if it is one that this agent had.
pub(super) async fn own_call(asked: &Asked, agent: &AgentNo, call: CallId) -> Result<Record, Refusal> {
    let call = asked.desk().read(move |reader| reader.call(call)).await?.ok_or(Refusal::NotFound)?;
    let had =
        call.record.agent.as_ref() == Some(agent) || call.record.segments.iter().any(|segment| segment.agent == *agent);
    if had { Ok(call.record) } else { Err(Refusal::Told("note-not-yours")) }
}

/// For the agent's own page: a form for the call in hand, or else for the last one of today that is not noted, and the others.
pub(super) async fn of_desk(
    asked: &Asked,
    agent: &AgentNo,
    live: Option<&Record>,
) -> Result<(Option<Form>, Vec<Record>), Refusal> {
    const LATEST: usize = 20;
    let filter = Filter { from: Some(today(asked)), agent: Some(agent.clone()), ..Filter::default() };
    let latest = asked.desk().read(move |reader| reader.page(&filter, None, LATEST)).await?.records;
    let calls: Vec<Record> = live.cloned().into_iter().chain(latest).collect();
    let (ids, own): (Vec<CallId>, _) = (calls.iter().map(|record| record.id).collect(), agent.clone());
    let noted = asked.desk().change(move |people, _| people.noted_by(&own, &ids)).await?;
    let mut open = calls.into_iter().filter(|record| !noted.contains(&record.id));
    let form = open.next().map(|record| form(asked, agent, Some(&record)));
    Ok((form, open.collect()))
}

fn call_id(text: &str) -> Result<Option<CallId>, Refusal> {
    if text.is_empty() { Ok(None) } else { text.parse().map(Some).map_err(|_| Refusal::NotFound) }
}

pub(in crate::web) async fn new(asked: Asked) -> Reply {
    let agent = agent_of(&asked)?.ok_or(Refusal::Told("agent-no-number"))?;
    let record = match call_id(asked.query().get("call"))? {
        Some(call) => {
            let there = asked.desk().change(move |people, _| people.notes_of_call(call)).await?;
            if let Some(note) = there.iter().find(|note| note.agent == agent) {
                return Ok(go(&format!("/notes/{}", note.id)));
            }
            Some(own_call(&asked, &agent, call).await?)
        }
        None => None,
    };
    asked.show(&New { form: form(&asked, &agent, record.as_ref()), p: asked.page() })
}

/// What was filled in. `known`: the number that is known anyway, `before`: what stood there.
fn words(asked: &Asked, known: Option<&str>, before: Option<&Words>) -> Result<Words, Refusal> {
    let sent = asked.form();
    let lines = |name| sent.get(name).replace("\r\n", "\n");
    let words = Words {
        name: sent.get("name").to_owned(),
        // What was not touched stays the call's, so that it goes with it.
        caller: Some(sent.get("caller").to_owned()).filter(|text| !text.is_empty() && known != Some(text.as_str())),
        class: sent.get("class").to_owned(),
        content: lines("content"),
        promise: lines("promise"),
        promised_us: promised(sent.get("promised"), &asked.desk().zone())?.map(Wall::as_micros),
    };
    // A promise that was there already may be over.
    let now = asked.desk().now().wall;
    let kept = before.and_then(|before| before.promised_us).filter(|us| words.promised_us == Some(*us));
    let at = kept.map_or(now, |us| now.min(Wall::from_micros(us)));
    words.check(at).map_err(|lack| {
        Refusal::Told(match lack {
            Lack::Class => "note-lacks-class",
            Lack::Content => "note-lacks-content",
            Lack::Number => "note-lacks-number",
            Lack::TooLong => "refusal-too-long",
            Lack::PromiseTime => "note-lacks-time",
        })
    })?;
    Ok(words)
}

/// As a browser writes the moment of a field: `2026-11-21T18:00`, in the hotline's zone.
fn promised(text: &str, zone: &TimeZone) -> Result<Option<Wall>, Refusal> {
    if text.is_empty() {
        return Ok(None);
    }
    let moment = text.parse::<DateTime>().ok().and_then(|moment| moment.to_zoned(zone.clone()).ok());
    let moment = moment.ok_or(Refusal::Told("note-lacks-time"))?;
    Ok(Some(Wall::from_micros(moment.timestamp().as_microsecond())))
}

fn due(hotline: &Hotline, words: &Words, written: Wall, zone: &TimeZone) -> Result<Wall, Refusal> {
    let limit =
        hotline.duty.note_classes().into_iter().find(|class| class.name == words.class).map(|class| class.limit);
    let limit = limit.ok_or(Refusal::Told("note-lacks-class"))?;
    let calendar = hotline.reception.hours.as_ref().and_then(|hours| hours.calendar.as_deref());
    words.due(written, limit, calendar, zone).ok_or(Refusal::Told("note-lacks-time"))
}

fn zone_of(asked: &Asked, hotline: &Hotline) -> TimeZone {
    TimeZone::get(&hotline.time_zone).unwrap_or_else(|_| asked.desk().zone())
}

pub(in crate::web) async fn write(asked: Asked) -> Reply {
    let agent = agent_of(&asked)?.ok_or(Refusal::Told("agent-no-number"))?;
    let call = call_id(asked.form().get("call"))?;
    let (hotline, known) = match call {
        Some(call) => {
            let record = own_call(&asked, &agent, call).await?;
            (hotline(&asked, record.hotline.as_str())?, record.caller)
        }
        None => (hotline(&asked, asked.form().get("hotline"))?, None),
    };
    let words = words(&asked, known.as_deref(), None)?;
    let settled = asked.form().get("settled") == "yes";
    if !settled && known.is_none() && words.caller.is_none() {
        // Nobody could be called back.
        return Err(Refusal::Told("note-lacks-number"));
    }
    let (now, zone) = (asked.desk().now().wall, zone_of(&asked, &hotline));
    let due = due(&hotline, &words, now, &zone)?;
    let day = day(now, &zone);
    let new = NewNote { day, agent, hotline: hotline.id.to_string(), call, words, due, settled };
    let by = asked.person()?.name.clone();
    let note = asked.desk().change(move |people, at| people.write_note(&new, &by, at)).await?;
    Ok(go(&format!("/notes/{}", note.id)))
}

/// The note, if it concerns whoever asks; and whether they may do something with it.
async fn found(asked: &Asked, id: &str) -> Result<(Note, bool), Refusal> {
    let id: i64 = id.parse().map_err(|_| Refusal::NotFound)?;
    let note = asked.desk().change(move |people, _| people.call_note(id)).await?.ok_or(Refusal::NotFound)?;
    let (now, zone) = (asked.desk().now().wall, asked.desk().zone());
    let concerned = match agent_of(asked)? {
        Some(agent) => note.concerns(&agent, &hotlines_of(asked, &agent), now, &zone),
        None => false,
    };
    let acts = asked.may(LEADS) || concerned;
    if acts || asked.may(SEES_ALL) { Ok((note, acts)) } else { Err(Refusal::Forbidden) }
}

pub(in crate::web) async fn one(asked: Asked, Path(id): Path<String>) -> Reply {
    let (note, acts) = found(&asked, &id).await?;
    let id = note.id;
    let steps = asked.desk().change(move |people, _| people.note_steps(id)).await?;
    let p = asked.page();
    let hotlines: Vec<_> = asked.desk().hotlines().into_iter().filter(|(id, _)| *id == note.hotline).collect();
    let promised = note.words.promised_us.map(|us| p.field(Wall::from_micros(us)));
    let line = line(&asked, &p, note)?;
    let shown_caller = line.note.caller.as_ref().map(|_| line.caller.clone());
    let form = Form {
        call: String::new(),
        at: None,
        classes: classes(&asked, &hotlines),
        hotlines,
        words: Words { caller: shown_caller, ..line.note.words.clone() },
        promised: promised.unwrap_or_default(),
    };
    let agents = hotline(&asked, &line.note.hotline).map(|hotline| hotline.everybody()).unwrap_or_default();
    let agents = agents.into_iter().filter(|agent| line.note.holder.as_ref() != Some(agent)).collect();
    let sees_call = asked.may(crate::web::routes::SEES_CALLS);
    asked.show(&One { p, line, steps, form, agents, acts, sees_call })
}

pub(in crate::web) async fn step(asked: Asked, Path((id, order)): Path<(String, String)>) -> Reply {
    let (note, acts) = found(&asked, &id).await?;
    if !acts {
        return Err(Refusal::Forbidden);
    }
    let text: String = asked.form().get("text").chars().take(crate::notes::SHORT * 10).collect();
    let hotline = hotline(&asked, &note.hotline)?;
    let change = match order.as_str() {
        "change" => {
            let words = words(&asked, note.caller.as_deref(), Some(&note.words))?;
            let words = Words { caller: words.caller.or_else(|| note.words.caller.clone()), ..words };
            let due = due(&hotline, &words, note.written, &zone_of(&asked, &hotline))?;
            Change::Words { words, due }
        }
        "hand-on" => match asked.form().get("to") {
            "" => Change::HandOn(None),
            to => {
                let to = AgentNo::from(to);
                if !hotline.everybody().contains(&to) {
                    return Err(Refusal::Told("agent-unknown"));
                }
                Change::HandOn(Some(to))
            }
        },
        "called-back" => Change::CallBack(None),
        "done" => Change::Settle,
        "reopen" => Change::Reopen,
        _ => return Err(Refusal::NotFound),
    };
    let by = asked.person()?.name.clone();
    let id = note.id;
    asked.desk().change(move |people, at| people.change_note(id, &change, &text, &by, at)).await?;
    Ok(go(&format!("/notes/{id}")))
}

impl Form {
    pub(super) fn is_class(&self, class: &Class) -> bool {
        self.words.class == class.name
    }

    pub(super) fn caller(&self) -> &str {
        self.words.caller.as_deref().unwrap_or_default()
    }

    pub(super) fn is_of_call(&self) -> bool {
        !self.call.is_empty()
    }

    pub(super) fn is_new(&self) -> bool {
        self.words.content.is_empty()
    }

    pub(super) fn limit(&self, p: &Page, class: &Class) -> String {
        match class.limit {
            Limit::Hours(hours) => p.with("note-hours", "n", hours),
            Limit::WorkingDays(days) => p.with("note-days", "n", days),
        }
    }
}

impl Line {
    fn promised(&self) -> Option<Wall> {
        self.note.words.promised_us.map(Wall::from_micros)
    }

    /// The beginning of what was wanted.
    pub(super) fn about(&self) -> String {
        const SHOWN: usize = 60;
        let text: String = self.note.words.content.chars().take(SHOWN).collect();
        if text.len() < self.note.words.content.len() { text + "…" } else { text }
    }
}

impl One {
    /// The words of a change are those of before; they are not repeated.
    fn said<'a>(&self, step: &'a Stepped) -> &'a str {
        if step.step == Step::Changed { "" } else { &step.text }
    }

    fn call(&self) -> Option<String> {
        self.line.note.call.map(|call| call.to_string())
    }
}
