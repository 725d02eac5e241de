//! What was done wrong most, and who needs training in what.

use super::{bounds_of, form_in_force, month, periods, with, zones};
use crate::cdr::Word as _;
use crate::ids::CallId;
use crate::qa::form::Form;
use crate::qa::scorecard::kept;
use crate::qa::summary::{Fault, Need, faults, needs, overruled};
use crate::rules::Pack;
use crate::web::page::{Asked, Page, Reply};

#[derive(askama::Template)]
#[template(path = "qa/training.html", config = "src/web/askama.toml")]
struct Training {
    p: Page,
    period: String,
    months: Vec<String>,
    form: Form,
    heard: usize,
    faults: Vec<Fault>,
    needs: Vec<Line>,
    overruled: Vec<(String, u64, u64)>,
}

struct Line {
    agent: String,
    what: String,
    why: String,
    calls: Vec<CallId>,
}

pub(in crate::web) async fn page(asked: Asked) -> Reply {
    let period = month(&asked);
    let of = period.clone();
    let (form, months, reviews) =
        with(&asked, move |store, _| Ok((form_in_force(store)?.0, periods(&store.months()?), store.heard(&of, &of)?)))
            .await?;
    let version = Some(form.version.as_str());
    let heard: Vec<_> =
        reviews.iter().filter(|review| review.form.as_deref() == version).filter_map(|review| review.heard()).collect();
    let bounds = bounds_of(&asked, &zones(&asked)?, &period)?;
    let records = asked.desk().read(move |reader| reader.records_between(None, bounds.from, bounds.to)).await?;
    let p = asked.page();
    let found = needs(&form, &heard, &kept(&records));
    let lines = found.iter().map(|need| line(&p, &form, need)).collect();
    let overruled = overruled(&heard).into_iter().map(|(item, ratio)| (item, ratio.count, ratio.n)).collect();
    let faults = faults(&form, &heard);
    let heard = heard.iter().filter(|heard| heard.pool.word() == "random").count();
    asked.show(&Training { p, period, months, faults, needs: lines, overruled, heard, form })
}

fn line(p: &Page, form: &Form, need: &Need) -> Line {
    match need {
        Need::Heard { agent, item, calls, of } => Line {
            agent: agent.to_string(),
            what: name(p, form, item),
            why: p.with("training-heard", "n", calls.len()) + &format!(" / {of}"),
            calls: calls.clone(),
        },
        Need::Measured { agent, rule, own, team } => {
            let text = Pack::built_in();
            let text = text.rule(rule).map_or("", |rule| if p.tag() == "en" { &rule.en } else { &rule.zh });
            let why = p.with("training-measured", "own", p.percent(own.count, own.n));
            let team = p.percent(team.count, team.n);
            Line {
                agent: agent.to_string(),
                what: format!("{rule} {text}"),
                why: format!("{why} ({}/{}) – {team}", own.count, own.n),
                calls: Vec::new(),
            }
        }
    }
}

/// An item or a flag of a form, as it is called.
pub(in crate::web::pages) fn name(p: &Page, form: &Form, item: &str) -> String {
    let flag = form.fatal.iter().find(|flag| flag.id == item).map(|flag| &flag.name);
    let name = form.item(item).map(|item| &item.name).or(flag);
    format!("{item} {}", name.map_or("", |name| name.in_language(p.tag() != "en")))
}

impl Training {
    fn item(&self, item: &str) -> String {
        name(&self.p, &self.form, item)
    }
}
