//! Who has what to hear: every open hearing, given to somebody else one by one or all of one person's, with the reason; and what was
//! given before.

use std::collections::BTreeMap;

use super::{reviewers_of, scorer, with};
use crate::cdr::Word as _;
use crate::clock::Wall;
use crate::qa::draw::assign::{Handing, Reviewer};
use crate::store::StoreError;
use crate::store::qa::{Given, Task, Wanted};
use crate::web::page::{Asked, Page, Refusal, Reply, go};

/// Open hearings of a page, and hand-overs of the list below it.
const OPEN: usize = 500;
const GIVEN: usize = 50;

#[derive(askama::Template)]
#[template(path = "qa/hearings.html", config = "src/web/askama.toml")]
struct Hearings {
    p: Page,
    open: Vec<Open>,
    /// Everybody who has one, and how many.
    of: BTreeMap<String, usize>,
    /// Shown alone; empty: all.
    whose: String,
    reviewers: Vec<Reviewer>,
    given: Vec<Given>,
    /// How many went to others just now, and how many nobody else may hear.
    went: Option<(usize, usize)>,
}

struct Open {
    task: Task,
    due: Option<Wall>,
    overdue: bool,
    /// Those who have a hearing of this call.
    hearers: Vec<String>,
}

pub(in crate::web) async fn page(asked: Asked) -> Reply {
    show(&asked, None).await
}

async fn show(asked: &Asked, went: Option<(usize, usize)>) -> Reply {
    let plans = asked.desk().plans();
    let (open, given) = with(asked, move |store, by| {
        let due = store.due(&plans)?;
        let tasks = store.tasks(Wanted::AllOpen, OPEN)?.into_iter();
        let open = tasks.map(|task| {
            Ok(Open {
                due: due.at(&task.period, task.made.0),
                overdue: due.is_over(&task.period, task.made.0, by.at),
                hearers: store.hearers(&task)?,
                task,
            })
        });
        Ok((open.collect::<Result<Vec<_>, StoreError>>()?, store.given(GIVEN)?))
    })
    .await?;
    let mut of: BTreeMap<String, usize> = BTreeMap::new();
    open.iter().filter_map(|open| open.task.scorer.clone()).for_each(|name| *of.entry(name).or_default() += 1);
    let whose = asked.query().get("of").to_owned();
    let is_shown = |open: &Open| whose.is_empty() || open.task.scorer.as_deref() == Some(&whose);
    let open = open.into_iter().filter(is_shown).collect();
    let reviewers = reviewers_of(asked).await?;
    asked.show(&Hearings { p: asked.page(), open, of, whose, reviewers, given, went })
}

fn reason(asked: &Asked) -> Result<Handing, Refusal> {
    let wanted = asked.form().get("reason");
    Handing::ALL.iter().copied().find(|one| one.word() == wanted).ok_or(Refusal::Told("qa-give-why"))
}

/// Another person hears it: `review`, `scorer` and `reason` of the form.
pub(in crate::web) async fn give(asked: Asked) -> Reply {
    let id: i64 = asked.form().get("review").parse().map_err(|_| Refusal::NotFound)?;
    let reason = reason(&asked)?;
    let review = with(&asked, move |store, _| store.review(id)).await?.ok_or(Refusal::NotFound)?;
    let scorer = scorer(&asked, &review.agent).await?;
    with(&asked, move |store, by| store.give(id, &scorer, reason, by)).await?;
    Ok(go("/qa/hearings"))
}

/// Others hear everything that is open with one person: `from` and `reason` of the form.
pub(in crate::web) async fn give_all(asked: Asked) -> Reply {
    let (from, reason) = (asked.form().get("from").to_owned(), reason(&asked)?);
    let reviewers = reviewers_of(&asked).await?;
    let went = with(&asked, move |store, by| store.give_all(&from, &reviewers, reason, by)).await?;
    show(&asked, Some(went)).await
}

impl Hearings {
    /// Those who may hear it and do not.
    fn able(&self, open: &Open) -> Vec<&str> {
        let able =
            self.reviewers.iter().filter(|one| one.may_hear(&open.task.agent) && !open.hearers.contains(&one.name));
        able.map(|one| one.name.as_str()).collect()
    }

    fn reasons(&self) -> &'static [Handing] {
        Handing::ALL
    }
}
