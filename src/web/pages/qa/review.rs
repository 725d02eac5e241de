//! One call on one screen: the player and the form. The draft is saved as it is filled; what was submitted is read here, by the
//! agent too, and decided on if the agent objects.

use axum::extract::Path;
use axum::http::header;
use axum::response::IntoResponse as _;
use serde_json::json;

use super::sheet::{Choice, choices, read as read_sheet};
use super::{ROWS, bounds_of, form_in_force, parse, reviewing, with, zones};
use crate::cdr::{Record, Time, Verdict, Word as _};
use crate::clock::Wall;
use crate::qa::deadline;
use crate::qa::draw::replace::Reason;
use crate::qa::fill::{self, Found, fill};
use crate::qa::form::score::{gaps, score};
use crate::qa::form::{Form, Gap, Item, Score};
use crate::qa::review::{State, Step};
use crate::store::people::Role;
use crate::store::qa::{Review, Sheet, Wanted};
use crate::web::page::{Asked, Page, Refusal, Reply, go};
use crate::web::routes::HEARS;

/// Working days in which an agent may object.
const DISPUTE_DAYS: u32 = 5;

#[derive(askama::Template)]
#[template(path = "qa/review.html", config = "src/web/askama.toml")]
struct Shown {
    p: Page,
    review: Review,
    record: Option<Record>,
    form: Form,
    sheet: Sheet,
    score: Score,
    /// Fills it in, or scores it anew on an objection.
    fills: bool,
    decides: bool,
    own: bool,
    hears: bool,
    /// How many are open after this one.
    left: usize,
    lacking: Vec<String>,
    /// From *offered* to *connected*, where the recording begins.
    offset_ms: u64,
}

/// An item as the page shows it.
struct Row<'r> {
    item: &'r Item,
    choices: Vec<Choice>,
    comment: &'r str,
    found: Option<&'r Found>,
    overruled: bool,
}

struct Proof {
    rule: String,
    word: String,
    at: Vec<u64>,
}

pub(in crate::web) async fn page(asked: Asked, Path(id): Path<i64>) -> Reply {
    let (review, record) = allowed(&asked, id).await?;
    show(&asked, review, record, Vec::new()).await
}

/// Whose page it is: whoever scores it, those who decide, auditors; of what was submitted the agent.
async fn allowed(asked: &Asked, id: i64) -> Result<(Review, Option<Record>), Refusal> {
    let review = with(asked, move |store, _| store.review(id)).await?.ok_or(Refusal::NotFound)?;
    let person = asked.person()?;
    let scores = review.scorer.as_deref() == Some(&person.name);
    let is_agent = person.agent.as_ref() == Some(&review.agent);
    let leads = person.roles.has(Role::Lead) || person.roles.has(Role::Auditor);
    let submitted = review.state != State::Draft;
    let may = (scores && !is_agent) || (submitted && ((is_agent && !review.second) || (leads && !is_agent)));
    if !may {
        return Err(Refusal::NotFound);
    }
    let call = review.call;
    let record = asked.desk().read(move |reader| Ok(reader.call(call)?.map(|call| call.record))).await?;
    Ok((review, record))
}

async fn show(asked: &Asked, mut review: Review, record: Option<Record>, lacking: Vec<String>) -> Reply {
    let person = asked.person()?.clone();
    let scores = review.scorer.as_deref() == Some(&person.name);
    let own = person.agent.as_ref() == Some(&review.agent);
    if review.state == State::Draft && review.form.is_none() {
        review = begin(asked, &review, record.clone()).await?;
    }
    let version = review.form.clone().ok_or(Refusal::NotFound)?;
    let name = person.name.clone();
    let (form, open) = with(asked, move |store, _| {
        let text = store.form(&version)?.unwrap_or_default();
        Ok((parse(&text)?, store.tasks(Wanted::Open(&name), ROWS)?.len()))
    })
    .await?;
    let sheet =
        review.last().filter(|_| review.state != State::Draft).map_or(&review.draft, |last| &last.sheet).clone();
    let sheet = Sheet { pins: sheet.pins.iter().filter(|pin| pin.shown || !own).cloned().collect(), ..sheet };
    let decides = review.state == State::Disputed && person.roles.has(Role::Lead) && !scores && !own;
    let offset_ms = record.as_ref().and_then(|record| {
        let connected = record.connected_at?.0.as_micros() - record.offered_at.0.as_micros();
        u64::try_from(connected / 1_000).ok()
    });
    let shown = Shown {
        p: asked.page(),
        score: score(&form, &sheet.answers),
        fills: (review.state == State::Draft && scores) || decides,
        decides,
        own,
        hears: (asked.may(HEARS) || own && asked.desk().agents_hear())
            && record.as_ref().is_some_and(|record| record.recording.path.is_some()),
        left: open.saturating_sub(1),
        offset_ms: offset_ms.unwrap_or(0),
        review,
        record,
        form,
        sheet,
        lacking,
    };
    asked.show(&shown)
}

/// The first look at a call: the verdicts fill in what is clear.
async fn begin(asked: &Asked, review: &Review, record: Option<Record>) -> Result<Review, Refusal> {
    let (id, agent) = (review.id, review.agent.clone());
    let record = record.ok_or(Refusal::NotFound)?;
    let begun = with(asked, move |store, by| {
        let (form, text) = form_in_force(store)?;
        store.begin(id, &form, &text, &fill(&form, &record, &agent), by)?;
        store.review(id)
    });
    begun.await?.ok_or(Refusal::NotFound)
}

/// What is filled in so far: saved, unless somebody only looks, and scored.
pub(in crate::web) async fn save(asked: Asked, Path(id): Path<i64>) -> Reply {
    let (review, _) = allowed(&asked, id).await?;
    let (form, sheet) = sent(&asked, &review).await?;
    let filled = fill::answers(&review.filled);
    let missing: Vec<String> =
        gaps(&form, &sheet.answers, &sheet.comments, &filled).iter().map(|gap| item_of(gap).to_owned()).collect();
    let found = score(&form, &sheet.answers);
    let answered = form.items().filter(|item| sheet.answers.contains_key(&item.id)).count();
    if review.state == State::Draft && asked.form().get("look").is_empty() {
        with(&asked, move |store, by| store.save(id, &sheet, by)).await?;
    }
    let text =
        |value: Option<crate::qa::form::score::Hundredths>| value.map_or_else(|| "–".to_owned(), |v| v.to_string());
    let sections: serde_json::Map<String, serde_json::Value> =
        found.sections.iter().map(|(id, value)| (id.clone(), text(*value).into())).collect();
    let told = json!({
        "total": text(found.total), "sections": sections, "fatal": found.fatal.len(), "missing": missing,
        "answered": answered, "items": form.items().count(),
    });
    Ok(([(header::CONTENT_TYPE, "application/json")], told.to_string()).into_response())
}

async fn sent(asked: &Asked, review: &Review) -> Result<(Form, Sheet), Refusal> {
    let version = review.form.clone().ok_or(Refusal::NotFound)?;
    let form = with(asked, move |store, _| parse(&store.form(&version)?.unwrap_or_default())).await?;
    let sheet = read_sheet(&form, asked.form());
    Ok((form, sheet))
}

pub(in crate::web) async fn submit(asked: Asked, Path(id): Path<i64>) -> Reply {
    let (mut review, record) = allowed(&asked, id).await?;
    if review.state != State::Draft {
        return Err(Refusal::Told("qa-not-a-draft"));
    }
    let (form, sheet) = sent(&asked, &review).await?;
    let lacking = gaps(&form, &sheet.answers, &sheet.comments, &fill::answers(&review.filled));
    if !lacking.is_empty() {
        let told = lacking.iter().map(|gap| told(&asked.page(), &form, gap)).collect();
        review.draft = sheet.clone();
        with(&asked, move |store, by| store.save(id, &sheet, by)).await?;
        return show(&asked, review, record, told).await;
    }
    let until = until(&asked, record.as_ref())?;
    let person = reviewing(asked.person()?);
    with(&asked, move |store, by| store.submit(id, (&form, &sheet), &person, until, by)).await?;
    Ok(go("/qa/next"))
}

/// The end of the last working day on which the agent may object, by the hotline's calendar.
fn until(asked: &Asked, record: Option<&Record>) -> Result<Wall, Refusal> {
    let plans = asked.desk().plans();
    let hotline = plans.hotlines.iter().find(|hotline| record.is_some_and(|record| record.hotline == hotline.id));
    let calendar = hotline.and_then(|hotline| hotline.reception.hours.as_ref()?.calendar.as_deref());
    let zones = zones(asked)?;
    let zone = record.map_or(&zones.otherwise, |record| zones.of(&record.hotline));
    let now = asked.desk().now().wall;
    deadline::after(now, DISPUTE_DAYS, calendar, zone).ok_or(Refusal::Told("refusal-fault"))
}

fn item_of(gap: &Gap) -> &str {
    match gap {
        Gap::Unanswered(id) | Gap::Unfit(id) | Gap::CommentMissing(id) | Gap::Unknown(id) => id,
    }
}

fn told(p: &Page, form: &Form, gap: &Gap) -> String {
    let key = match gap {
        Gap::Unanswered(_) => "qa-gap-unanswered",
        Gap::Unfit(_) | Gap::Unknown(_) => "qa-gap-unfit",
        Gap::CommentMissing(_) => "qa-gap-comment",
    };
    let id = item_of(gap);
    let flag = form.fatal.iter().find(|flag| flag.id == id).map(|flag| &flag.name);
    let name = form.item(id).map(|item| &item.name).or(flag);
    let name = name.map_or("", |name| name.in_language(p.tag() != "en"));
    p.with(key, "item", format!("{id} {name}"))
}

/// Acknowledge, dispute, uphold, change.
pub(in crate::web) async fn take_step(asked: Asked, Path((id, wanted)): Path<(i64, String)>) -> Reply {
    let step = [Step::Acknowledge, Step::Dispute, Step::Uphold, Step::Change].into_iter();
    let step = step.into_iter().find(|step| step.word() == wanted).ok_or(Refusal::NotFound)?;
    let (review, _) = allowed(&asked, id).await?;
    let person = reviewing(asked.person()?);
    let why = asked.form().get("why").to_owned();
    let changed = if step == Step::Change { Some(sent(&asked, &review).await?) } else { None };
    with(&asked, move |store, by| {
        let changed = changed.as_ref().map(|(form, sheet)| (form, sheet));
        store.take_step(id, step, Some(&person), &why, changed, by)
    })
    .await?;
    Ok(go(&format!("/qa/review/{id}")))
}

/// Another call in the place of one that cannot be scored.
pub(in crate::web) async fn replace(asked: Asked, Path(id): Path<i64>) -> Reply {
    let (review, _) = allowed(&asked, id).await?;
    let wanted = asked.form().get("reason");
    let reason = Reason::ALL.iter().copied().find(|reason| reason.word() == wanted);
    let (Some(reason), Some(n)) = (reason, review.pick) else { return Err(Refusal::NotFound) };
    let zones = zones(&asked)?;
    let bounds = bounds_of(&asked, &zones, &review.period)?;
    let replaced = with(&asked, move |store, by| {
        store.replace(&bounds, &|hotline| zones.of(hotline).clone(), (&review.agent, n), reason, by)
    });
    Ok(go(&match replaced.await? {
        Some(_) => format!("/qa/review/{id}"),
        None => "/qa/tasks?waits=1".to_owned(),
    }))
}

impl Shown {
    /// Where the recording is heard; whoever may not hear all calls has an address of his or her own.
    fn source(&self) -> String {
        let whose = if self.own { "/agent" } else { "" };
        format!("{whose}/calls/{}", self.review.call)
    }

    fn chinese(&self) -> bool {
        self.p.tag() != "en"
    }

    fn sections(&self) -> Vec<(&str, &str, String, Vec<Row<'_>>)> {
        let section = |section: &'_ crate::qa::form::Section| {
            let points = self.score.sections.get(&section.id).copied().flatten();
            points.map_or_else(|| "–".to_owned(), |points| points.to_string())
        };
        let found = self.form.sections.iter();
        found
            .map(|of| {
                let rows = of.items.iter().map(|item| self.row(item)).collect();
                (of.id.as_str(), of.name.in_language(self.chinese()), section(of), rows)
            })
            .collect()
    }

    fn row<'r>(&'r self, item: &'r Item) -> Row<'r> {
        let answer = self.sheet.answers.get(&item.id).copied();
        let found = self.review.filled.get(&item.id);
        let filled = found.and_then(|found| found.answer);
        Row {
            item,
            choices: choices(item, answer),
            comment: self.sheet.comments.get(&item.id).map_or("", String::as_str),
            found,
            overruled: filled.is_some() && filled != answer,
        }
    }

    /// Flag, name, whether it stands, comment, evidence.
    fn flags(&self) -> Vec<(&str, &str, bool, &str, Option<&Found>)> {
        let flag = |flag: &'_ crate::qa::form::Fatal| self.sheet.answers.contains_key(&flag.id);
        self.form
            .fatal
            .iter()
            .map(|of| {
                let comment = self.sheet.comments.get(&of.id).map_or("", String::as_str);
                (of.id.as_str(), of.name.in_language(self.chinese()), flag(of), comment, self.review.filled.get(&of.id))
            })
            .collect()
    }

    /// The verdicts behind an item, with their moments in the recording.
    fn proofs(&self, found: &Found) -> Vec<Proof> {
        let at = |verdict: &Verdict| {
            let moments = verdict.evidence["at_ms"].as_array().into_iter().flatten().filter_map(|ms| ms.as_u64());
            let mut moments: Vec<u64> = moments.filter_map(|ms| ms.checked_sub(self.offset_ms)).collect();
            moments.dedup();
            moments
        };
        let proof = |verdict: &Verdict| Proof {
            rule: verdict.rule.clone(),
            word: self.p.word("qa-verdict", &verdict.verdict),
            at: at(verdict),
        };
        found.evidence.iter().map(proof).collect()
    }

    fn total(&self) -> String {
        self.score.total.map_or_else(|| "–".to_owned(), |total| total.to_string())
    }

    fn name<'t>(&self, text: &'t crate::qa::form::Text) -> &'t str {
        text.in_language(self.chinese())
    }

    fn pin_field(&self, pin: &crate::store::qa::Pin) -> String {
        serde_json::to_string(pin).unwrap_or_default()
    }

    fn reasons(&self) -> &'static [Reason] {
        Reason::ALL
    }

    fn until(&self) -> Option<String> {
        let until = self.review.until.filter(|_| self.review.state == State::Submitted)?;
        Some(self.p.time(&Time(until)))
    }

    fn is(&self, state: &str) -> bool {
        self.review.state.word() == state
    }

    /// The blind second hearing looks like any other to whoever does it; only once it is closed does it say so.
    fn is_random(&self) -> bool {
        self.review.pool.word() == "random"
    }
}
