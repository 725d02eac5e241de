//! What is to be heard: one button leads to the next, without a list.

use super::{ROWS, with};
use crate::clock::Wall;
use crate::store::qa::{Task, Wanted};
use crate::web::page::{Asked, Page, Reply, go};

#[derive(askama::Template)]
#[template(path = "qa/tasks.html", config = "src/web/askama.toml")]
struct Tasks {
    p: Page,
    open: Vec<Open>,
    disputed: usize,
    done: bool,
}

/// A call that is to be heard, and by when.
struct Open {
    task: Task,
    due: Option<Wall>,
    overdue: bool,
}

pub(in crate::web) async fn page(asked: Asked) -> Reply {
    let name = asked.person()?.name.clone();
    let plans = asked.desk().plans();
    let (open, disputed) = with(&asked, move |store, by| {
        let due = store.due(&plans)?;
        let open = store.tasks(Wanted::Open(&name), ROWS)?.into_iter().map(|task| Open {
            due: due.at(&task.period, task.made.0),
            overdue: due.is_over(&task.period, task.made.0, by.at),
            task,
        });
        Ok((open.collect::<Vec<_>>(), store.tasks(Wanted::Disputed, ROWS)?.len()))
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
        self.open.iter().filter(|open| open.task.begun).count()
    }

    fn overdue(&self) -> usize {
        self.open.iter().filter(|open| open.overdue).count()
    }
}
