//! HTTP: metrics and health, and the API. (The console will stand beside them.)

pub mod api;
pub mod auth;
mod negotiation;

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
