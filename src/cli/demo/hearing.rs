//! Scores of the demo's two months: seeds committed before, draws each week, sheets, a few objections and what became of them.

use std::time::Duration;

use anyhow::{Context as _, Result};

use super::month::{Demo, back};
use crate::cdr::Record;
use crate::clock::Wall;
use crate::ids::Random;
use crate::io::scorecards::{self, Written};
use crate::qa::deadline;
use crate::qa::draw::assign::Reviewer;
use crate::qa::draw::places::bounds;
use crate::qa::draw::policy::Policy;
use crate::qa::draw::seed::Seed;
use crate::qa::fill::{self, fill};
use crate::qa::form::score::gaps;
use crate::qa::form::{Answer, Form, Gap, Item, Kind};
use crate::qa::review::{Person, State, Step};
use crate::store::Reader;
use crate::store::qa::{By, Inspection, Pin, Sheet, Task, Wanted};

const DAY: Duration = Duration::from_secs(86_400);
const HEARINGS: usize = 10_000;

/// How many were submitted.
pub(super) fn hear(demo: &mut Demo<'_>) -> Result<usize> {
    let months = demo.months()?;
    let mut store = Inspection::open(demo.data)?;
    let written = scorecards::forms(None).0.into_iter().next().context("a form is built in")?;
    let publisher = By { who: "demo", at: demo.begin()? };
    store.publish(&written.form, &written.text, publisher)?;
    let mut heard = 0;
    for month in &months {
        let of = bounds(&demo.zones, month, demo.now)?;
        let before = By { who: "demo", at: back(of.from, DAY) };
        store.commit(month, &Seed::new(demo.random.bytes()), &Policy::default(), before)?;
        let is_over = of.to <= demo.now;
        let mut at = of.from + 7 * DAY;
        while at < of.to.min(demo.now) {
            heard += week(demo, &mut store, &written, month, at)?;
            at = at + 7 * DAY;
        }
        if is_over {
            heard += week(demo, &mut store, &written, month, of.to)?;
            let closer = By { who: "demo-zhao", at: of.to + DAY };
            store.close_due(closer)?;
            store.close(month, of.to, closer)?;
        }
    }
    Ok(heard)
}

/// Draws what is due at this moment and lets the two score it in the days after.
fn week(demo: &mut Demo<'_>, store: &mut Inspection, form: &Written, month: &str, at: Wall) -> Result<usize> {
    // The visitor has only what was drawn of late.
    let is_late = at + 8 * DAY > demo.now;
    let mut names = vec!["demo-wang", "demo-li"];
    names.extend(is_late.then_some("demo"));
    let reviewer = |name: &&str| Reviewer {
        name: (*name).to_owned(),
        agent: (*name == "demo").then(|| demo.agents[0].into()),
        not_of: Vec::new(),
    };
    let reviewers: Vec<Reviewer> = names.iter().map(reviewer).collect();
    let period = bounds(&demo.zones, month, at)?;
    let zones = demo.zones.clone();
    store.draw(&period, &|hotline| zones.of(hotline).clone(), &reviewers, By { who: "demo", at })?;
    let open: Vec<Task> =
        store.tasks(Wanted::Period(month), HEARINGS)?.into_iter().filter(|task| task.state == State::Draft).collect();
    let mut heard = 0;
    for task in open {
        let at = at + Duration::from_secs(3_600 + u64::from(demo.random.below(3 * 86_400)));
        let Some(scorer) = task.scorer.clone().filter(|scorer| scorer != "demo" && at < demo.now) else { continue };
        heard += usize::from(score(demo, store, form, &task, &scorer, at)?);
    }
    Ok(heard)
}

fn score(
    demo: &mut Demo<'_>,
    store: &mut Inspection,
    written: &Written,
    task: &Task,
    scorer: &str,
    at: Wall,
) -> Result<bool> {
    let Some(call) = Reader::open(demo.data)?.call(task.call)? else { return Ok(false) };
    let (form, by) = (&written.form, By { who: scorer, at });
    let filled = fill(form, &call.record, &task.agent);
    store.begin(task.id, form, &written.text, &filled, by)?;
    let sheet = sheet(form, &call.record, &fill::answers(&filled), &mut demo.random);
    let until = deadline::after(at, 5, None, demo.zone()).context("a date")?;
    let person = Person { name: scorer.to_owned(), agent: None, decides: false };
    store.submit(task.id, (form, &sheet), &person, until, by)?;
    if !task.second {
        answer(demo, store, task, form, &sheet, at)?;
    }
    Ok(true)
}

/// What the agent says to it, and what is decided.
fn answer(
    demo: &mut Demo<'_>,
    store: &mut Inspection,
    task: &Task,
    form: &Form,
    sheet: &Sheet,
    scored: Wall,
) -> Result<()> {
    let (said, decided) = (scored + DAY, scored + 2 * DAY);
    let name = format!("demo-agent{}", task.agent);
    let agent = Person { name: name.clone(), agent: Some(task.agent.clone()), decides: false };
    let draw = demo.random.below(10);
    // Those of the visitor wait for the visitor.
    if said >= demo.now || task.agent.as_str() == demo.agents[0] || draw > 7 {
        return Ok(());
    }
    let by = By { who: &name, at: said };
    if draw > 0 {
        store.take_step(task.id, Step::Acknowledge, Some(&agent), "", None, by)?;
        return Ok(());
    }
    store.take_step(task.id, Step::Dispute, Some(&agent), "来电人当时已经确认过，我没有漏问", None, by)?;
    if decided >= demo.now || decided + 10 * DAY > demo.now {
        return Ok(());
    }
    let lead = Person { name: "demo-zhao".to_owned(), agent: None, decides: true };
    let by = By { who: "demo-zhao", at: decided };
    if demo.random.below(2) == 0 {
        store.take_step(task.id, Step::Uphold, Some(&lead), "录音 0:14 处没有复述", None, by)?;
        return Ok(());
    }
    let mut better = sheet.clone();
    for item in form.items() {
        better.answers.insert(item.id.clone(), best(item));
    }
    store.take_step(task.id, Step::Change, Some(&lead), "重听后同意坐席的说法", Some((form, &better)), by)?;
    Ok(())
}

/// All points of an item.
fn best(item: &Item) -> Answer {
    match item.kind {
        Kind::Pass => Answer::Pass,
        Kind::Scale => Answer::Points(item.points),
        Kind::Deduct => Answer::Times(0),
    }
}

/// Mostly good; whoever has a high number a little less so. What the verdicts filled in stays.
fn sheet(form: &Form, record: &Record, filled: &crate::qa::form::Answers, random: &mut Random) -> Sheet {
    let slow = record.agent.as_ref().and_then(|agent| agent.as_str().parse::<u32>().ok()).unwrap_or(1).min(8);
    let mut sheet = Sheet::default();
    for item in form.items() {
        let loses = random.below(100) < 4 + 2 * slow;
        let answer = match (filled.get(&item.id), loses, item.kind) {
            (Some(answer), ..) => *answer,
            (None, false, _) => best(item),
            (None, true, Kind::Pass) => Answer::Fail,
            (None, true, Kind::Scale) => {
                Answer::Points(item.points.saturating_sub(1 + random.below(2)).max(1).min(item.points))
            }
            (None, true, Kind::Deduct) => Answer::Times(1),
        };
        sheet.answers.insert(item.id.clone(), answer);
    }
    // Whatever needs a comment has one.
    for gap in gaps(form, &sheet.answers, &sheet.comments, filled) {
        if let Gap::CommentMissing(id) = gap {
            sheet.comments.insert(id, "请对照录音改进".to_owned());
        }
    }
    if random.below(3) == 0 {
        let at_ms = 6_000 + u64::from(random.below(20_000));
        sheet.pins.push(Pin { at_ms, text: "这里可以先安抚再询问".to_owned(), shown: true });
    }
    sheet
}
