//! What is to be heard: one button leads to the next, without a list.

use super::{ROWS, with};
use crate::store::qa::{Task, Wanted};
use crate::web::page::{Asked, Page, Reply, go};

#[derive(askama::Template)]
#[template(path = "qa/tasks.html", config = "src/web/askama.toml")]
struct Tasks {
    p: Page,
    open: Vec<Task>,
    disputed: usize,
    done: bool,
}

pub(in crate::web) async fn page(asked: Asked) -> Reply {
    let name = asked.person()?.name.clone();
    let (open, disputed) = with(&asked, move |store, _| {
        Ok((store.tasks(Wanted::Open(&name), ROWS)?, store.tasks(Wanted::Disputed, ROWS)?.len()))
    })
    .await?;
    let done = !asked.query().get("done").is_empty();
    asked.show(&Tasks { p: asked.page(), open, disputed, done })
}

/// To the next one; to the list if there is none.
pub(in crate::web) async fn next(asked: Asked) -> Reply {
    let name = asked.person()?.name.clone();
    let next = with(&asked, move |store, _| store.tasks(Wanted::Open(&name), 1)).await?;
    Ok(go(&next.first().map_or_else(|| "/qa/tasks?done=1".to_owned(), |task| format!("/qa/review/{}", task.id))))
}

impl Tasks {
    fn begun(&self) -> usize {
        self.open.iter().filter(|task| task.begun).count()
    }
}
