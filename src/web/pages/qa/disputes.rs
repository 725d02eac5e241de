//! Objections that wait for another person, the oldest first.

use super::{ROWS, with};
use crate::store::qa::{Review, Wanted};
use crate::web::page::{Asked, Page, Reply};

#[derive(askama::Template)]
#[template(path = "qa/disputes.html", config = "src/web/askama.toml")]
struct Disputes {
    p: Page,
    rows: Vec<Review>,
    name: String,
}

pub(in crate::web) async fn page(asked: Asked) -> Reply {
    let name = asked.person()?.name.clone();
    let rows = with(&asked, |store, _| {
        let tasks = store.tasks(Wanted::Disputed, ROWS)?;
        let reviews = tasks.iter().map(|task| store.review(task.id)).collect::<Result<Vec<_>, _>>()?;
        Ok(reviews.into_iter().flatten().collect::<Vec<_>>())
    })
    .await?;
    asked.show(&Disputes { p: asked.page(), rows, name })
}

impl Disputes {
    fn why(&self, review: &Review) -> String {
        review.words.last().map_or_else(String::new, |word| word.why.clone())
    }

    fn total(&self, review: &Review) -> String {
        let total = review.last().and_then(|last| last.score.total);
        total.map_or_else(|| "–".to_owned(), |total| total.to_string())
    }

    /// Whoever scored it does not decide.
    fn decides(&self, review: &Review) -> bool {
        review.scorer.as_deref() != Some(&self.name)
    }
}
