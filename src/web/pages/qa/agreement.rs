//! Second hearings against the first ones: item by item, and as totals.

use std::collections::BTreeMap;

use super::{form_in_force, month, periods, with};
use crate::ids::{AgentNo, CallId, Random};
use crate::qa::agreement::{Agreement, Interval, Scale, Unit, agreement};
use crate::qa::form::score::share;
use crate::qa::form::{Form, Kind};
use crate::store::qa::Review;
use crate::web::page::{Asked, Page, Reply};

#[derive(askama::Template)]
#[template(path = "qa/agreement.html", config = "src/web/askama.toml")]
struct Shown {
    p: Page,
    period: String,
    months: Vec<String>,
    pairs: usize,
    items: Vec<(String, String, Agreement)>,
    all: Option<Agreement>,
    /// Calls whose two totals are furthest apart: call, agent, the two totals.
    apart: Vec<(CallId, AgentNo, f64, f64)>,
}

type Pair = (Review, Review);

pub(in crate::web) async fn page(asked: Asked) -> Reply {
    let period = month(&asked);
    let of = period.clone();
    let (form, months, heard) =
        with(&asked, move |store, _| Ok((form_in_force(store)?.0, periods(&store.months()?), store.heard(&of, &of)?)))
            .await?;
    let pairs = paired(heard);
    let chinese = asked.page().tag() != "en";
    // The same month always gives the same intervals.
    let mut random = Random::from_number(1);
    let mut everything: Vec<Unit> = Vec::new();
    let mut items = Vec::new();
    for item in form.items() {
        let units: Vec<Unit> = pairs.iter().map(|pair| unit(&form, pair, &item.id)).collect();
        everything.extend(units.iter().map(|unit| unit.iter().map(|n| n.map(|n| u32::from(n > 0))).collect()));
        let scale = if item.kind == Kind::Pass { Scale::Nominal } else { Scale::Interval };
        let name = format!("{} {}", item.id, item.name.in_language(chinese));
        items.push((item.id.clone(), name, agreement(&units, scale, &mut random)));
    }
    let all = (!pairs.is_empty()).then(|| agreement(&everything, Scale::Nominal, &mut random));
    let total = |review: &Review| review.last().and_then(|last| last.score.total).map(|total| total.points());
    let mut apart: Vec<(CallId, AgentNo, f64, f64)> =
        pairs.iter().filter_map(|(a, b)| Some((a.call, a.agent.clone(), total(a)?, total(b)?))).collect();
    apart.sort_by(|a, b| (b.2 - b.3).abs().total_cmp(&(a.2 - a.3).abs()));
    apart.truncate(10);
    asked.show(&Shown { p: asked.page(), period, months, pairs: pairs.len(), items, all, apart })
}

/// First and second hearing of a call, by the same form.
fn paired(heard: Vec<Review>) -> Vec<Pair> {
    let mut seconds: BTreeMap<(CallId, AgentNo), Review> = BTreeMap::new();
    let mut firsts = Vec::new();
    for review in heard.into_iter().filter(|review| review.pick.is_some()) {
        if review.second {
            seconds.insert((review.call, review.agent.clone()), review);
        } else {
            firsts.push(review);
        }
    }
    let pair = |first: Review| {
        let second = seconds.remove(&(first.call, first.agent.clone()))?;
        (first.form == second.form).then_some((first, second))
    };
    firsts.into_iter().filter_map(pair).collect()
}

/// What the two gave; of what both first said, before anybody objected. `None`: it did not apply.
fn unit(form: &Form, (a, b): &Pair, item: &str) -> Unit {
    let given = |review: &Review| {
        let answer = review.revisions.first()?.sheet.answers.get(item).copied()?;
        share(form.item(item)?, answer).map(|(given, _)| given)
    };
    vec![given(a), given(b)]
}

impl Shown {
    /// `0.93 (0.81–0.97)`.
    fn figure(&self, figure: &Option<Interval>) -> String {
        let Some(Interval { value, low, high }) = figure else { return "–".to_owned() };
        match (low, high) {
            (Some(low), Some(high)) => format!("{value:.2} ({low:.2}–{high:.2})"),
            _ => format!("{value:.2}"),
        }
    }
}
