use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use rusqlite::types::Value as SqlValue;

use super::*;
use crate::call::fact::{ClassedBy, Fact, What};
use crate::call::reason::{EndedBy, Reason};
use crate::cdr::Word as _;
use crate::ids::{AgentNo, HotlineId, Random};
use crate::ledger::Subject;
use crate::ledger::story::{Story, recording_ok};
use crate::qa::backlog::{Backlog, Decision, Deed, Hearing, Progress};
use crate::qa::draw::assign::{Handing, Reviewer};
use crate::qa::draw::frame::Bounds;
use crate::qa::draw::replace::Reason as Why;
use crate::qa::form::{Answer, Form};
use crate::qa::review::{Person, State, Step};
use crate::qa::summary::Pool;
use crate::store::{FILE, SubjectKey, Writer};

/// 2026-11-01T00:00 in Shanghai.
const FROM: i64 = 1_793_462_400_000_000;
const DAY: i64 = 86_400_000_000;

fn wall(day: f64) -> Wall {
    Wall::from_micros(FROM + (day * DAY as f64) as i64)
}

fn by(who: &str, day: f64) -> By<'_> {
    By { who, at: wall(day) }
}

fn bounds(day: f64) -> Bounds {
    let (from, to) = (wall(0.0), wall(30.0));
    Bounds { period: "2026-11".to_owned(), from, to, now: wall(day), cut: None, committed: from }
}

fn shanghai(_: &HotlineId) -> TimeZone {
    TimeZone::fixed(jiff::tz::offset(8))
}

/// A call of a minute that agent 8 or 9 answers; some come again from the same number.
fn call(n: u64, day: f64) -> (Vec<Fact>, Subject) {
    let agent = AgentNo::from(if n.is_multiple_of(2) { "8" } else { "9" });
    let story = Story::offered(n, wall(day), "property")
        .at(20, What::AgentInvited { attempt: 1, agent: agent.clone() })
        .at(1_000, What::Ring)
        .at(4_000, What::AgentAnswered { attempt: 1, agent })
        .at(4_001, What::Connected)
        .at(4_002, What::RecordingStarted { path: format!("recordings/{n}.wav") })
        .ended(64_000, Reason::CallerHungUp, EndedBy::Caller)
        .at(64_050, recording_ok(60_000));
    let facts = story.facts();
    let What::Offered(offered) = &facts[0].what else { panic!("no call") };
    let subject = Subject { id: offered.caller, number: format!("139{:08}", n % 70) };
    (facts, subject)
}

fn store(calls: u64) -> (tempfile::TempDir, Inspection) {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = Writer::open(dir.path(), SubjectKey::new([7; 32])).unwrap();
    for n in 0..calls {
        let (facts, subject) = call(n, 1.0 + n as f64 * 28.0 / calls as f64);
        writer.append(&facts, &[subject]).unwrap();
    }
    let mut store = Inspection::open(dir.path()).unwrap();
    let seed = Seed::new(Random::from_number(1).bytes());
    assert!(store.commit("2026-11", &seed, &Policy::default(), by("hotline", -3.0)).unwrap());
    (dir, store)
}

fn reviewers() -> Vec<Reviewer> {
    let reviewer = |name: &str| Reviewer { name: name.to_owned(), agent: None, not_of: Vec::new() };
    vec![reviewer("wang"), reviewer("li")]
}

fn person(name: &str, agent: Option<&str>) -> Person {
    Person { name: name.to_owned(), agent: agent.map(AgentNo::from), decides: name == "lead" }
}

fn form() -> (Form, String) {
    let found = crate::qa::form::read("f", SHIPPED.as_bytes(), |_| true);
    (found.0.unwrap(), SHIPPED.to_owned())
}

const SHIPPED: &str = include_str!("../../../dialplans/scorecards/appraisal.toml");

fn deeds(dir: &Path) -> Vec<(String, String)> {
    let db = Connection::open(dir.join(FILE)).unwrap();
    let mut query = db.prepare("SELECT what, who FROM audit ORDER BY n").unwrap();
    query.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().map(Result::unwrap).collect()
}

#[test]
fn a_month_is_committed_drawn_verified_and_revealed() {
    let (dir, mut store) = store(200);
    // The hash is told before, the seed only after; another seed cannot take its place.
    let told = store.month("2026-11").unwrap();
    assert_eq!((told.seed.clone(), told.closed_at), (None, None));
    assert!(!store.commit("2026-11", &Seed::new([1; 32]), &Policy::default(), by("x", 1.0)).unwrap());
    assert_eq!(store.month("2026-11").unwrap(), told);
    let (mid, some) = store.draw(&bounds(16.0), &shanghai, &reviewers(), by("hotline", 16.0)).unwrap();
    assert_eq!((mid.n, some.len()), (1, 4));
    assert_eq!(store.draw(&bounds(16.5), &shanghai, &reviewers(), by("hotline", 16.5)).unwrap().1, []);
    let (_, rest) = store.draw(&bounds(30.0), &shanghai, &reviewers(), by("hotline", 30.0)).unwrap();
    assert_eq!((rest.len(), store.picks("2026-11").unwrap().len()), (6, 10));
    let verified = store.verify(&bounds(40.0), &shanghai).unwrap();
    assert_eq!((verified.faults, verified.draws.len()), (Vec::<String>::new(), 2));
    assert!(matches!(store.close("2026-11", wall(30.0), by("lead", 29.9)), Err(StoreError::Refused(_))));
    let closed = store.close("2026-11", wall(30.0), by("lead", 31.0)).unwrap();
    let seed = closed.seed.unwrap().parse::<Seed>().unwrap();
    assert_eq!(told.policy.commitment(&told.policy_text, &seed), told.commitment);
    let late = store.draw(&bounds(32.0), &shanghai, &reviewers(), by("hotline", 32.0));
    assert!(matches!(late, Err(StoreError::Refused(_))));
    let expected = ["qa.committed", "qa.drawn", "qa.drawn", "qa.closed"];
    assert_eq!(deeds(dir.path()).iter().map(|(what, _)| what.as_str()).collect::<Vec<_>>(), expected);
}

/// A changed pick, a call that is gone, one that was slipped in: each is named.
#[test]
fn what_was_changed_behind_our_back_is_named() {
    let (dir, mut store) = store(120);
    store.draw(&bounds(30.0), &shanghai, &reviewers(), by("hotline", 30.0)).unwrap();
    let faults = |store: &Inspection| store.verify(&bounds(40.0), &shanghai).unwrap().faults.join("\n");
    assert_eq!(faults(&store), "");
    let picks = store.picks("2026-11").unwrap();
    let db = Connection::open(dir.path().join(FILE)).unwrap();
    assert!(db.execute("UPDATE qa_pick SET n = n", []).is_err());
    assert!(db.execute("UPDATE qa_period SET seed = zeroblob(32)", []).is_err());
    db.execute_batch("DROP TRIGGER qa_pick_is_never_changed").unwrap();
    let (first, other) = (&picks[0], sqlite::id(picks[1].call));
    db.execute("UPDATE qa_pick SET call = ?1 WHERE agent = ?2 AND n = ?3", (other, first.agent.as_str(), first.n))
        .unwrap();
    let told = faults(&store);
    assert!(told.contains(&format!("{} instead of {}", picks[1].call, first.call)), "{told}");
    let mut writer = Writer::open(dir.path(), SubjectKey::new([7; 32])).unwrap();
    let (facts, subject) = call(999, 10.0);
    writer.append(&facts, &[subject]).unwrap();
    assert!(faults(&store).contains("the frame is another one now: 120 calls then, 121 now"), "{}", faults(&store));
}

/// A recording that is deleted after the draw, as retention does, changes nothing of what was drawn.
#[test]
fn recordings_that_go_later_had_their_chance() {
    let (dir, mut store) = store(60);
    store.draw(&bounds(30.0), &shanghai, &reviewers(), by("hotline", 30.0)).unwrap();
    let db = Connection::open(dir.path().join(FILE)).unwrap();
    let call = sqlite::id(store.picks("2026-11").unwrap()[0].call);
    let sql = "INSERT INTO removal (call, cause, at_wall_us) VALUES (?1, 'retention', ?2)";
    db.execute(sql, (call, wall(31.0).as_micros())).unwrap();
    assert_eq!(store.verify(&bounds(40.0), &shanghai).unwrap().faults, Vec::<String>::new());
}

/// An older database's narrow rows learn what a draw asks as it is written today: whose a call of several agents is, too.
#[test]
fn a_database_from_before_the_narrow_rows_gives_the_same_frame() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = Writer::open(dir.path(), SubjectKey::new([7; 32])).unwrap();
    let handed_on = |n: u64, again_ms| {
        let answers = |attempt, agent: &str| What::AgentAnswered { attempt, agent: AgentNo::from(agent) };
        let story = Story::offered(n, wall(n as f64), "property").at(1_000, What::Ring).answered(4_000);
        let story = story.at(4_002, What::RecordingStarted { path: format!("recordings/{n}.wav") });
        let story = story.at(20_000, answers(2, "9")).at(again_ms, answers(3, "7"));
        story.ended(64_000, Reason::CallerHungUp, EndedBy::Caller)
    };
    let lost = Story::offered(1, wall(1.0), "property").at(1_000, What::Ring);
    let stories = [
        lost.ended(9_000, Reason::CallerCancelled, EndedBy::Caller),
        handed_on(2, 60_000).at(64_050, recording_ok(60_000)),
        handed_on(3, 21_000).at(64_050, recording_ok(60_000)),
        // Nine and seven have talked as long.
        handed_on(4, 42_000).at(64_001, What::Classed { class: "投诉".to_owned(), by: ClassedBy::Agent }),
    ];
    for story in stories {
        writer.append(&story.facts(), &[]).unwrap();
    }
    let db = Connection::open(dir.path().join(FILE)).unwrap();
    let rows = || {
        let mut query = db.prepare("SELECT * FROM listed ORDER BY call").unwrap();
        let columns = query.column_count();
        let row = |row: &rusqlite::Row<'_>| (0..columns).map(|n| row.get(n)).collect::<Result<Vec<SqlValue>, _>>();
        query.query_map([], row).unwrap().map(Result::unwrap).collect::<Vec<_>>()
    };
    let written = rows();
    let mut query = db.prepare("SELECT whose FROM listed ORDER BY call").unwrap();
    let whose: Vec<Option<String>> = query.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    drop(query);
    assert_eq!(whose, [None, Some("9"), Some("7"), Some("9")].map(|agent| agent.map(str::to_owned)));
    for column in ["subject", "closed", "whose", "recording", "class"] {
        db.execute_batch(&format!("ALTER TABLE listed DROP COLUMN {column}")).unwrap();
    }
    db.execute_batch("CREATE INDEX call_to_draw ON call (id)").unwrap();
    db.execute_batch(include_str!("../migrations/0017_drawn.sql")).unwrap();
    assert_eq!(rows(), written);
}

#[test]
fn replacements_beyond_one_in_ten_wait_for_another_person() {
    let (_dir, mut store) = store(200);
    store.draw(&bounds(30.0), &shanghai, &reviewers(), by("hotline", 30.0)).unwrap();
    let agent = AgentNo::from("8");
    // Ten picks: the first replacement is free.
    let mut replace = |n: u32, who: &str| {
        let found = store.replace(&bounds(30.0), &shanghai, (&agent, n), Why::NoSpeech, by(who, 31.0));
        (found.map_err(|error| error.to_string()), store.picks("2026-11").unwrap()[0].call)
    };
    let first = replace(0, "wang").0.unwrap().unwrap();
    assert_eq!(replace(1, "wang").0, Ok(None));
    assert_eq!(replace(1, "wang").0, Err("another person's consent is waited for".to_owned()));
    assert!(replace(9, "wang").0.is_err());
    assert!(store.consent("2026-11", &agent, 1, by("wang", 31.0)).is_err());
    let second = store.consent("2026-11", &agent, 1, by("lead", 31.0)).unwrap();
    let heard: Vec<_> = store.tasks(Wanted::Period("2026-11"), 99).unwrap().iter().map(|task| task.call).collect();
    assert!(heard.contains(&first) && heard.contains(&second));
    assert_eq!(store.verify(&bounds(40.0), &shanghai).unwrap().faults, Vec::<String>::new());
}

#[test]
fn a_score_from_draft_to_decision() {
    let (dir, mut store) = store(200);
    store.draw(&bounds(30.0), &shanghai, &reviewers(), by("hotline", 30.0)).unwrap();
    let (form, text) = form();
    let task = store.tasks(Wanted::Open("wang"), 1).unwrap().remove(0);
    let id = task.id;
    let filled = BTreeMap::from([(
        "1.1".to_owned(),
        crate::qa::fill::Found { answer: Some(Answer::Pass), evidence: Vec::new() },
    )]);
    store.begin(id, &form, &text, &filled, by("wang", 31.0)).unwrap();
    let mut sheet = store.review(id).unwrap().unwrap().draft;
    assert_eq!(sheet.answers, [("1.1".to_owned(), Answer::Pass)].into());
    for item in form.items() {
        sheet.answers.insert(item.id.clone(), crate::qa::form::score::best(item));
    }
    sheet.answers.insert("2.1".to_owned(), Answer::Points(2));
    sheet.comments.insert("2.1".to_owned(), "打断两次".to_owned());
    sheet.pins.push(Pin { at_ms: 41_000, text: "interrupts".to_owned(), shown: true });
    store.save(id, &sheet, by("wang", 31.0)).unwrap();
    assert!(store.save(id, &sheet, by("li", 31.0)).is_err());
    // A draft that comes late, from another window: what is submitted is what was sent.
    store.save(id, &Sheet::default(), by("wang", 31.0)).unwrap();
    assert!(store.submit(id, (&form, &sheet), &person("li", None), wall(38.0), by("li", 31.0)).is_err());
    let score = store.submit(id, (&form, &sheet), &person("wang", None), wall(38.0), by("wang", 31.0)).unwrap();
    assert_eq!(score.total.unwrap().to_string(), "98");
    assert_eq!(store.review(id).unwrap().unwrap().last().unwrap().sheet, sheet);
    assert!(store.save(id, &sheet, by("wang", 32.0)).is_err(), "it is no draft any more");
    let (own, lead) = (person("agent", Some(task.agent.as_str())), person("lead", None));
    let mut take = |step, who: &Person, why: &str, changed: Option<(&Form, &Sheet)>| {
        let by = By { who: &who.name, at: wall(33.0) };
        store.take_step(id, step, Some(who), why, changed, by).map_err(|error| error.to_string())
    };
    assert!(take(Step::Dispute, &lead, "no", None).is_err());
    assert_eq!(take(Step::Dispute, &own, "一次而已", None), Ok(State::Disputed));
    sheet.answers.insert("2.1".to_owned(), Answer::Points(3));
    assert!(take(Step::Change, &person("wang", None), "x", Some((&form, &sheet))).is_err());
    assert_eq!(take(Step::Change, &lead, "once", Some((&form, &sheet))), Ok(State::Changed));
    let review = store.review(id).unwrap().unwrap();
    let totals: Vec<String> = review.revisions.iter().map(|r| r.score.total.unwrap().to_string()).collect();
    assert_eq!((totals, review.words.len()), (vec!["98".to_owned(), "99".to_owned()], 2));
    assert_eq!(review.heard().unwrap().score.total.unwrap().to_string(), "99");
    let db = Connection::open(dir.path().join(FILE)).unwrap();
    assert!(db.execute("UPDATE qa_revision SET why = 'x'", []).is_err());
    assert!(db.execute("DELETE FROM qa_form", []).is_err());
    let audited: Vec<_> = deeds(dir.path()).into_iter().skip(2).collect();
    let expected = [("qa.begun", "wang"), ("qa.submitted", "wang"), ("qa.disputed", "agent"), ("qa.changed", "lead")];
    assert_eq!(audited, expected.map(|(what, who)| (what.to_owned(), who.to_owned())));
}

#[test]
fn what_nobody_objects_to_is_closed_in_time() {
    let (_dir, mut store) = store(100);
    store.draw(&bounds(30.0), &shanghai, &reviewers(), by("hotline", 30.0)).unwrap();
    let (form, text) = form();
    let ids: Vec<i64> = store.tasks(Wanted::Open("li"), 99).unwrap().iter().map(|task| task.id).collect();
    for (n, id) in ids.iter().enumerate() {
        store.begin(*id, &form, &text, &BTreeMap::new(), by("li", 31.0)).unwrap();
        let until = wall(33.0 + n as f64);
        store.submit(*id, (&form, &Sheet::default()), &person("li", None), until, by("li", 31.0)).unwrap();
    }
    let firsts = ids.iter().filter(|id| !store.review(**id).unwrap().unwrap().second).count();
    assert_eq!(store.close_due(by("hotline", 32.9)).unwrap(), 0);
    assert_eq!(store.close_due(by("hotline", 99.0)).unwrap(), firsts);
    let state = store.review(ids[0]).unwrap().unwrap().state;
    assert_eq!(state.word(), "closed");
    // What was given away again starts anew; what was submitted stays.
    let other = store.tasks(Wanted::Open("wang"), 1).unwrap()[0].id;
    assert!(store.give(ids[0], "wang", Handing::Other, by("lead", 99.0)).is_err());
    store.give(other, "zhao", Handing::Absent, by("lead", 99.0)).unwrap();
    assert_eq!(store.tasks(Wanted::Open("zhao"), 9).unwrap().len(), 1);
}

#[test]
fn all_of_one_persons_hearings_go_to_those_who_may_hear_them() {
    let (_dir, mut store) = store(100);
    store.draw(&bounds(30.0), &shanghai, &reviewers(), by("hotline", 30.0)).unwrap();
    let own = |name: &str, agent: &str| Reviewer {
        name: name.to_owned(),
        agent: Some(AgentNo::from(agent)),
        not_of: Vec::new(),
    };
    // Nobody but wang, who is away, and chen, who is agent 8.
    let both = [reviewers().remove(0), own("chen", "8")];
    let open: Vec<Task> = store.tasks(Wanted::Open("wang"), 99).unwrap();
    let of_nine = open.iter().filter(|task| task.agent.as_str() == "9").count();
    let went = store.give_all("wang", &both, Handing::Absent, by("lead", 31.0)).unwrap();
    assert_eq!(went, (of_nine, open.len() - of_nine));
    assert_eq!(store.tasks(Wanted::Open("chen"), 99).unwrap().len(), of_nine);
    let given = store.given(99).unwrap();
    assert!(given.iter().all(|one| (one.from.as_deref(), one.to.as_str()) == (Some("wang"), "chen")), "{given:?}");
}

/// What is changed in the console stays when the gateway starts again with the file that it had; another file is put in force.
#[test]
fn a_form_is_changed_by_a_new_version_and_sheets_keep_theirs() {
    let (dir, mut store) = store(60);
    let (form, text) = form();
    let read = |text: &str| crate::qa::form::read("f", text.as_bytes(), |_| true).0.unwrap();
    assert!(store.publish(&form, &text, by("hotline", 0.0)).unwrap());
    store.draw(&bounds(30.0), &shanghai, &reviewers(), by("hotline", 30.0)).unwrap();
    let id = store.tasks(Wanted::Open("wang"), 1).unwrap()[0].id;
    store.begin(id, &form, &text, &BTreeMap::new(), by("wang", 30.0)).unwrap();
    let heavier = text.replacen("weight = 20", "weight = 30", 1);
    let changed = read(&heavier);
    assert!(store.change_form(&changed, &heavier, "as agreed", by("lead", 30.5)).unwrap());
    assert!(!store.change_form(&changed, &heavier, "again", by("lead", 30.6)).unwrap());
    assert!(!store.publish(&form, &text, by("hotline", 31.0)).unwrap(), "the file is what it was");
    assert_eq!(store.form_in_force().unwrap().as_ref(), Some(&heavier));
    assert_eq!(store.review(id).unwrap().unwrap().form.as_ref(), Some(&form.version));
    let other = text.replacen("weight = 20", "weight = 40", 1);
    assert!(store.publish(&read(&other), &other, by("hotline", 32.0)).unwrap());
    assert_eq!(store.form_in_force().unwrap(), Some(other));
    let used: Vec<u64> = store.forms().unwrap().iter().map(|version| version.reviews).collect();
    assert_eq!(used, [0, 0, 1], "the newest first");
    let told = deeds(dir.path()).into_iter().filter(|(what, _)| what == "qa.form_in_force");
    assert_eq!(told.map(|(_, who)| who).collect::<Vec<_>>(), ["hotline", "lead", "hotline"]);
}

/// What operations see: open, late, done, by the due date that the month's policy sets; and each deed once.
#[test]
fn the_backlog_is_what_waits_and_deeds_are_told_once() {
    let (_dir, mut store) = store(200);
    let plans = crate::ledger::story::plans();
    let looked =
        |store: &Inspection, day: f64| store.backlog("2026-11", &store.due(&plans).unwrap(), wall(day)).unwrap();
    assert_eq!(looked(&store, 1.0), Backlog::default());
    store.draw(&bounds(30.0), &shanghai, &reviewers(), by("hotline", 30.0)).unwrap();
    let all = store.tasks(Wanted::Period("2026-11"), 99).unwrap();
    let before = looked(&store, 30.0);
    assert_eq!((before.assigned, before.overdue, before.unassigned), (all.len() as u64, 0, 0));
    assert_eq!(before.month, Progress { drawn: 10, scored: 0, agents: 2, met: 0 });
    // Five working days after the month: until the end of the seventh of December.
    assert_eq!(looked(&store, 36.99).overdue, 0);
    let late = looked(&store, 37.0);
    assert_eq!((late.assigned, late.overdue), (0, all.len() as u64));
    let seen = store.last_deed().unwrap();
    let (form, text) = form();
    let task = all.iter().find(|task| !task.second).unwrap();
    let scorer = task.scorer.clone().unwrap();
    store.begin(task.id, &form, &text, &BTreeMap::new(), by(&scorer, 31.0)).unwrap();
    let mut sheet = store.review(task.id).unwrap().unwrap().draft;
    sheet.answers.extend(form.items().map(|item| (item.id.clone(), crate::qa::form::score::best(item))));
    store.save(task.id, &sheet, by(&scorer, 31.0)).unwrap();
    store.submit(task.id, (&form, &sheet), &person(&scorer, None), wall(38.0), by(&scorer, 31.0)).unwrap();
    let after = looked(&store, 37.0);
    assert_eq!((after.overdue, after.month.scored, after.month.met), (late.overdue - 1, 1, 1));
    let own = person("agent", Some(task.agent.as_str()));
    store.take_step(task.id, Step::Dispute, Some(&own), "no", None, by("agent", 32.0)).unwrap();
    assert_eq!(looked(&store, 37.0).disputed, 1);
    store.take_step(task.id, Step::Uphold, Some(&person("lead", None)), "yes", None, by("lead", 33.0)).unwrap();
    let (last, deeds) = store.deeds_after(seen).unwrap();
    let [Deed::Scored { pool: Pool::Random, hearing: Hearing::First, score, fatal: false, after }, decided] = deeds[..]
    else {
        panic!("{deeds:?}")
    };
    assert_eq!((score, decided), (Some(1.0), Deed::Decided(Decision::Upheld)));
    let offered_ms = u64::try_from(wall(31.0).as_micros() / 1_000).unwrap() - u64::try_from(after.as_millis()).unwrap();
    assert!((0.0..31.0).contains(&((offered_ms as f64 * 1_000.0 - FROM as f64) / DAY as f64)), "{after:?}");
    assert_eq!(store.deeds_after(last).unwrap(), (last, Vec::new()));
}

/// Not a limit, a measurement: `cargo test --release --lib -- --ignored measure_a_months_draw --nocapture`.
#[test]
#[ignore = "measures the machine"]
#[expect(clippy::disallowed_methods, clippy::print_stdout, reason = "measures the machine")]
fn measure_a_months_draw() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = Writer::open(dir.path(), SubjectKey::new([7; 32])).unwrap();
    const CALLS: u64 = 100_000;
    for group in 0..CALLS / 1_000 {
        let made = (0..1_000).map(|n| group * 1_000 + n).map(|n| call(n, n as f64 * 30.0 / CALLS as f64));
        let (facts, subjects): (Vec<Vec<Fact>>, Vec<Subject>) = made.unzip();
        writer.append(&facts.concat(), &subjects).unwrap();
    }
    let mut store = Inspection::open(dir.path()).unwrap();
    store.commit("2026-11", &Seed::new([3; 32]), &Policy::default(), by("hotline", -1.0)).unwrap();
    let began = std::time::Instant::now();
    let (drawing, picks) = store.draw(&bounds(30.0), &shanghai, &reviewers(), by("hotline", 30.0)).unwrap();
    let took = began.elapsed();
    println!("{} picks from {} calls in {took:?}", picks.len(), drawing.candidates);
}
