//! The list of ended calls that no caller began: agents' calls to numbers outside and to each other, and callbacks. They stand in no
//! figure of a hotline.

use crate::cdr::{CallKind, Record, Word as _};
use crate::limits::CALLS_PER_PAGE;
use crate::web::page::{Asked, Page, Reply};
use crate::web::routes::SEES_NUMBERS;

use super::calls::{caller, place};

/// In the order of the page.
const KINDS: [CallKind; 3] = [CallKind::Outbound, CallKind::Internal, CallKind::Callback];

#[derive(askama::Template)]
#[template(path = "calls_apart.html", config = "src/web/askama.toml")]
struct CallsApart {
    p: Page,
    shown: CallKind,
    kinds: [CallKind; 3],
    rows: Vec<Row>,
    /// The address of the next page.
    next: Option<String>,
}

struct Row {
    record: Record,
    org: String,
    /// Whose phone it was.
    agent: String,
    /// Who was called.
    called: String,
    /// What came of it, in the words of the page.
    end: String,
}

pub(in crate::web) async fn page(asked: Asked) -> Reply {
    let named = |kind: &&CallKind| kind.word() == asked.query().get("kind");
    let shown = KINDS.iter().find(named).copied().unwrap_or(KINDS[0]);
    let after = place(asked.query().get("after"));
    let desk = asked.desk();
    let found = desk.read(move |reader| reader.apart_page(shown, after, CALLS_PER_PAGE)).await?;
    let (p, orgs, sees_numbers) = (asked.page(), desk.hotlines(), asked.may(SEES_NUMBERS));
    let org = |record: &Record| {
        let of = orgs.iter().find(|(id, _)| id == record.hotline.as_str());
        of.map_or_else(|| record.hotline.to_string(), |(_, org)| org.clone())
    };
    let rows = found.records.into_iter().map(|record| row(&p, org(&record), record, sees_numbers)).collect();
    let next = found
        .next
        .map(|place| format!("/calls/apart?kind={}&after={}_{}", shown.word(), place.offered.as_micros(), place.call));
    asked.show(&CallsApart { p, shown, kinds: KINDS, rows, next })
}

fn row(p: &Page, org: String, record: Record, sees_numbers: bool) -> Row {
    let (agent, called) = who(&record, caller(&record, sees_numbers));
    let end = record.by_agent.as_ref().map_or_else(|| record.called_back.as_ref()?.end, |by| by.end);
    let end = match (end, record.outcome) {
        (Some(end), _) => p.word("callback-end", end.word()),
        (None, Some(outcome)) => p.word("outcome", outcome.word()),
        (None, None) => String::new(),
    };
    Row { org, agent, called, end, record }
}

/// Whose phone it was, and who was called by it; `number`: as it is shown.
fn who(record: &Record, number: String) -> (String, String) {
    let (agent, to) = match (&record.by_agent, &record.called_back) {
        (Some(by), _) => (Some(&by.agent), by.to.as_ref()),
        (None, Some(back)) => (Some(&back.agent), None),
        (None, None) => (record.agent.as_ref(), None),
    };
    (agent.map_or_else(String::new, ToString::to_string), to.map_or(number, ToString::to_string))
}

/// What kind of call it was and between whom; `None`: a caller's.
pub(super) fn told(p: &Page, record: &Record, number: &str) -> Option<String> {
    let (agent, called) = who(record, number.to_owned());
    (record.kind != CallKind::Offered).then(|| format!("{} {agent} → {called}", p.word("kind", record.kind.word())))
}

impl CallsApart {
    fn is(&self, kind: &CallKind) -> bool {
        self.shown == *kind
    }
}
