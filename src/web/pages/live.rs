//! What happens now: callers who wait, calls, agents, trunks, today. A part of the page comes anew every second.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::response::IntoResponse as _;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::stream::unfold;
use tokio::sync::OwnedSemaphorePermit;

use crate::web::live::{self, Now};
use crate::web::page::{Asked, Page, Refusal, Reply};

const EVERY: Duration = Duration::from_secs(1);

/// How often a page that is left open is asked whether its session is still good.
const SESSION: u32 = 30;

#[derive(askama::Template)]
#[template(path = "live.html", config = "src/web/askama.toml")]
struct Live {
    p: Page,
    now: Arc<Now>,
}

#[derive(askama::Template)]
#[template(path = "board.html", config = "src/web/askama.toml")]
struct BoardOnly {
    p: Page,
    now: Arc<Now>,
}

pub(in crate::web) async fn page(asked: Asked) -> Reply {
    let now = live::now(asked.desk()).await?;
    asked.show(&Live { p: asked.page(), now })
}

struct Watcher {
    asked: Asked,
    seconds: u32,
    /// Its place among the watchers.
    _place: OwnedSemaphorePermit,
}

pub(in crate::web) async fn events(asked: Asked) -> Reply {
    let place = Arc::clone(asked.desk().watchers()).try_acquire_owned().map_err(|_| Refusal::Busy)?;
    let watcher = Watcher { asked, seconds: 0, _place: place };
    let stream = unfold(watcher, |watcher| async move { Some((event(&watcher).await?, next(watcher))) });
    Ok(Sse::new(stream).keep_alive(KeepAlive::default()).into_response())
}

fn next(watcher: Watcher) -> Watcher {
    Watcher { seconds: watcher.seconds.wrapping_add(1), ..watcher }
}

/// `None`: the session is over, and so is the stream.
async fn event(watcher: &Watcher) -> Option<Result<Event, Infallible>> {
    if watcher.seconds > 0 {
        tokio::time::sleep(EVERY).await;
    }
    let asked = &watcher.asked;
    if watcher.seconds % SESSION == SESSION - 1 {
        let secret = asked.visitor()?.secret.clone();
        asked.desk().change(move |people, at| people.session(&secret, at)).await.ok()??;
    }
    let event = match live::now(asked.desk()).await {
        Ok(now) => {
            let html = askama::Template::render(&BoardOnly { p: asked.page(), now }).unwrap_or_default();
            Event::default().event("board").data(html)
        }
        // The page says that it is no longer fresh.
        Err(_) => Event::default().event("fault").data(""),
    };
    Some(Ok(event))
}
