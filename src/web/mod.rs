//! HTTP: metrics and health; on another address the [`api`] for programs and the console for people.
//!
//! # How a page of the console is made
//!
//! 1. A line in [`routes::table`]: method, path, who may use it ([`routes::Who`]), the handler, and with `.nav("nav-…")` its place
//!    in the navigation. A test asks every route as every role.
//! 2. A handler in `pages/`: `async fn page(asked: Asked) -> Reply`. [`page::Asked`] says who asks, and has the query and the
//!    form; the [`door`] has checked the session, the roles, where a form comes from and its token. Further arguments are axum's
//!    (`Path<…>`). What cannot be done is a [`page::Refusal`] by `?`; the door makes a page of it.
//! 3. The database: `asked.desk().read(|reader| …).await?` on a thread that may wait; `asked.desk().change(|people, at| …)` for what
//!    people do. Whoever hears, takes away or changes something leaves a row in the audit log, in the same transaction where there
//!    is one.
//! 4. A struct with `#[derive(askama::Template)] #[template(path = "x.html", config = "src/web/askama.toml")]` and a field
//!    `p: Page` (`asked.page()`); the template lies in `templates/` and begins with `{% extends "base.html" %}`. Then
//!    `asked.show(&X { p: asked.page(), … })`. After a form: `Ok(go("/path"))`.
//! 5. Words: `p.say(key)`, `p.with(key, "n", n)` in double braces, each key written out, and in both files of `words/` (tests
//!    hold it).
//! 6. A form has `<input type="hidden" name="token" value="{{ p.token }}">`; a script sends it as the field `x-token` of the header.
//!    No inline script, no `style` attribute, no handler attribute: the policy forbids them. Scripts and styles lie in
//!    `assets/` and are named by `{{ p.asset("console.css") }}`.

pub mod api;
mod assets;
pub mod auth;
pub mod desk;
mod door;
mod negotiation;
pub mod page;
mod pages;
pub mod routes;
mod words;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;

use self::negotiation::Format;
use crate::metrics::Metrics;

/// Why the gateway should get no new calls at the moment; empty: it may.
pub type Readiness = Arc<dyn Fn() -> Vec<&'static str> + Send + Sync>;

#[derive(Clone)]
struct Health {
    metrics: Arc<Metrics>,
    readiness: Readiness,
    refresh: Arc<dyn Fn() + Send + Sync>,
}

/// `GET /metrics`, `/healthz`, `/readyz`. `refresh` brings gauges up to date before they are read.
pub fn operations(metrics: Arc<Metrics>, readiness: Readiness, refresh: Arc<dyn Fn() + Send + Sync>) -> Router {
    Router::new()
        .route("/metrics", get(exposition))
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .with_state(Health { metrics, readiness, refresh })
}

/// Serves until the runtime ends.
pub async fn serve(listener: tokio::net::TcpListener, router: Router) {
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    if let Err(error) = axum::serve(listener, service).await {
        tracing::error!(%error, "the HTTP server stopped");
    }
}

async fn exposition(State(health): State<Health>, asked: HeaderMap) -> impl IntoResponse {
    (health.refresh)();
    let accept = asked.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let format = Format::wanted(&accept.collect::<Vec<_>>().join(","));
    let text = match format {
        Format::Classic => health.metrics.encode(),
        Format::OpenMetrics => Ok(health.metrics.encode_open()),
    };
    match text {
        Ok(text) => (StatusCode::OK, [(header::CONTENT_TYPE, format.content_type())], text),
        Err(error) => {
            let text = format!("{error}\n");
            (StatusCode::INTERNAL_SERVER_ERROR, [(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text)
        }
    }
}

async fn ready(State(health): State<Health>) -> impl IntoResponse {
    let why = (health.readiness)();
    if why.is_empty() {
        (StatusCode::OK, "ready\n".to_owned())
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, why.join("\n") + "\n")
    }
}
