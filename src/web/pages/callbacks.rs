//! Callers whom the house owes a call: who takes which, and what came of it.

use std::sync::Arc;

use axum::extract::Path;

use crate::cdr::ladder::masked;
use crate::cdr::{Time, Word as _};
use crate::clock::Wall;
use crate::gateway::NotCalled;
use crate::ids::CallId;
use crate::limits::API_PATIENCE;
use crate::report::callbacks::{Code, Row};
use crate::store::callbacks::{CallbackList, Order};
use crate::store::qa::By;
use crate::web::api::give_back;
use crate::web::page::{Asked, Page, Refusal, Reply, go};
use crate::web::routes::SEES_NUMBERS;

#[derive(askama::Template)]
#[template(path = "callbacks.html", config = "src/web/askama.toml")]
struct List {
    p: Page,
    rows: Vec<Line>,
    codes: Vec<Code>,
}

struct Line {
    row: Row,
    org: String,
    caller: String,
    is_overdue: bool,
    /// Whoever asks has it.
    is_own: bool,
}

/// The most urgent first; only what is to be done.
pub(in crate::web) async fn page(asked: Asked) -> Reply {
    let (desk, now) = (asked.desk(), asked.desk().now().wall);
    let rows = desk.read(move |reader| reader.callbacks_to_make(now)).await?;
    let (who, all, hotlines) = (asked.person()?.name.clone(), asked.may(SEES_NUMBERS), desk.hotlines());
    let line = |row: Row| {
        let is_own = row.taken_by.as_ref() == Some(&who);
        let caller = match &row.caller {
            Some(number) if all || is_own => number.clone(),
            Some(number) => masked(number),
            None => "–".to_owned(),
        };
        let org = hotlines.iter().find(|(id, _)| id == row.hotline.as_str());
        let org = org.map_or_else(|| row.hotline.to_string(), |(_, org)| org.clone());
        let is_overdue = row.first_tried.is_none() && row.due.0 < now;
        Line { row, org, caller, is_overdue, is_own }
    };
    let rows = rows.into_iter().map(line).collect();
    // Another time is typed at the shell: the page asks for no date.
    let codes = Code::ALL.iter().copied().filter(|code| *code != Code::Later).collect();
    asked.show(&List { p: asked.page(), rows, codes })
}

pub(in crate::web) async fn change(asked: Asked, Path(id): Path<String>) -> Reply {
    let call: CallId = id.parse().map_err(|_| Refusal::NotFound)?;
    let form = asked.form();
    if form.get("do") == "call" {
        return dial(&asked, call).await;
    }
    let order = match form.get("do") {
        "take" => Order::Take { call },
        word => {
            let code = Code::ALL.iter().copied().find(|code| code.word() == word).ok_or(Refusal::NotFound)?;
            Order::Tried { call, code, until: until(form.get("until"))?, note: form.get("note").to_owned() }
        }
    };
    let (directory, who) = (asked.desk().directory().to_owned(), asked.person()?.name.clone());
    asked.desk().change(move |_, at| CallbackList::open(&directory)?.carry_out(&order, By { who: &who, at })).await?;
    Ok(go("/callbacks"))
}

/// The agent's own phone rings first.
async fn dial(asked: &Asked, call: CallId) -> Reply {
    let person = asked.person()?;
    let (agent, by) = (person.agent.clone().ok_or(Refusal::Told("agent-no-number"))?, person.name.clone());
    let backend = Arc::clone(asked.desk().backend());
    let (asking, who) = (Arc::clone(&backend), by.clone());
    let work = tokio::task::spawn_blocking(move || asking.dial(call, agent, &who));
    let answer = work.await.map_err(|_| Refusal::Busy)??;
    let answer = tokio::time::timeout(API_PATIENCE, answer).await.map_err(|_| Refusal::Busy)?;
    let Err(why) = answer.map_err(|_| Refusal::Busy)? else { return Ok(go("/callbacks")) };
    let work = tokio::task::spawn_blocking(move || give_back(&*backend, call, why, &by));
    work.await.map_err(|_| Refusal::Busy)??;
    Err(Refusal::Told(told(why)))
}

fn told(why: NotCalled) -> &'static str {
    match why {
        NotCalled::NoCallbacks => "not-called-no-callbacks",
        NotCalled::RestHours => "not-called-rest-hours",
        NotCalled::NoAgent => "not-called-no-agent",
        NotCalled::AgentBusy => "not-called-agent-busy",
        NotCalled::NoPhone => "not-called-no-phone",
        NotCalled::NoTrunk => "not-called-no-trunk",
        NotCalled::NoNumber => "not-called-no-number",
        NotCalled::Abroad => "not-called-abroad",
        NotCalled::Overloaded => "not-called-overloaded",
    }
}

fn until(text: &str) -> Result<Option<Time>, Refusal> {
    if text.is_empty() {
        return Ok(None);
    }
    let at: jiff::Timestamp = text.parse().map_err(|_| Refusal::Told("callback-no-time"))?;
    Ok(Some(Time(Wall::from_micros(at.as_microsecond()))))
}
