//! `/api/v1`: agents and live calls, for programs. JSON in and out; every request needs the token.
//!
//! ```text
//! GET  /api/v1/agents                 everybody
//! GET  /api/v1/agents/{no}            one
//! POST /api/v1/agents/{no}/ready      logs in too
//! POST /api/v1/agents/{no}/pause      body: nothing, or {"reason": "lunch"}
//! POST /api/v1/agents/{no}/wrap-up
//! POST /api/v1/agents/{no}/logout
//! GET  /api/v1/calls                  calls in progress, newest first
//! GET  /api/v1/callbacks              callers who are to be called back, the most urgent first
//! POST /api/v1/callbacks/{id}/take    the entry of this call; body: {"by": "8"}
//! POST /api/v1/callbacks/{id}/call    takes it and calls: the phone of agent "by" rings first
//! POST /api/v1/callbacks/{id}/result  body: {"by": "8", "code": "reached"}; with "later" an "until", and a "note" if there is one
//! POST /api/v1/calls/{id}/recording/pause    the recording is silence on both channels
//! POST /api/v1/calls/{id}/recording/resume   it goes on
//! POST /api/v1/calls/{id}/transcript         what a recogniser heard in a closed call; body: JSON lines (`rules::transcript`)
//! ```

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::auth::{Gate, Verdict};
use crate::call::presence::{Order, Refused, Shown};
use crate::call::privacy::NotPaused;
use crate::cdr::Time;
use crate::clock::Instant;
use crate::fault::Fault as Faulty;
use crate::gateway::NotCalled;
use crate::ids::{AgentNo, CallId};
use crate::limits::{API_BODY_BYTES, API_PATIENCE};
use crate::report::callbacks::{Code, Row};
use crate::rules::Transcript;
use crate::rules::transcript::MOST_BYTES;
use crate::store::{StoreError, callbacks};
use crate::written::text_of;

/// The switch's answer, once it has one.
pub type Answer<T> = oneshot::Receiver<T>;

/// What the API asks of the program around it.
pub trait Backend: Send + Sync + 'static {
    fn now(&self) -> Instant;
    /// `None`: too much is asked at the moment.
    fn agents(&self) -> Option<Answer<Vec<Shown>>>;
    fn order(&self, agent: AgentNo, order: Order) -> Option<Answer<Result<Shown, Refused>>>;
    fn pause_recording(&self, call: CallId, paused: bool) -> Option<Answer<Result<(), NotPaused>>>;
    /// Records of calls in progress. Blocks.
    fn calls(&self) -> Result<Vec<Value>, String>;
    /// Entries of the list of callbacks that are not closed. Blocks.
    fn callbacks(&self) -> Result<Vec<Row>, StoreError>;
    /// Takes an entry and has its caller called: first the agent's phone rings. Blocks for the entry, not for the call.
    fn dial(&self, entry: CallId, agent: AgentNo, by: &str) -> Result<Answer<Result<(), NotCalled>>, StoreError>;
    /// What `by` does about an entry. Blocks.
    fn call_back(&self, order: &callbacks::Order, by: &str) -> Result<Row, StoreError>;
    /// Takes a transcript, in place of an older one. Blocks.
    fn transcribe(
        &self,
        call: CallId,
        transcript: &Transcript,
        by: &str,
    ) -> Result<Result<(), Vec<Faulty>>, StoreError>;
}

#[derive(Clone)]
struct Api {
    gate: Arc<Gate>,
    backend: Arc<dyn Backend>,
}

/// Why a request is not done.
#[derive(Debug)]
struct Fault {
    status: StatusCode,
    code: &'static str,
    message: String,
}

impl Fault {
    fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Fault {
        Fault { status, code, message: message.into() }
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        let mut response = (self.status, json(&json!({ "error": { "code": self.code, "message": self.message } })));
        if self.status == StatusCode::UNAUTHORIZED {
            response
                .1
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"hotline\""));
        }
        response.into_response()
    }
}

/// What it brings, or why not.
type Outcome = Result<Response, Fault>;

fn json(value: &impl Serialize) -> Response {
    match serde_json::to_vec(value) {
        Ok(text) => {
            let headers = [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")];
            (headers, text).into_response()
        }
        Err(error) => {
            tracing::error!(%error, "an answer of the API cannot be written");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// Stands below `/api`.
pub fn router(gate: Gate, backend: Arc<dyn Backend>) -> Router {
    let api = Api { gate: Arc::new(gate), backend };
    let nothing = || async { Fault::new(StatusCode::NOT_FOUND, "no_such_path", "there is nothing at this path") };
    let other =
        || async { Fault::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "this path takes another method") };
    Router::new()
        .route("/v1/agents", get(agents))
        .route("/v1/agents/{no}", get(agent))
        .route("/v1/agents/{no}/{order}", post(ordered))
        .route("/v1/calls", get(calls))
        .route("/v1/callbacks", get(owed))
        .route("/v1/callbacks/{id}/{order}", post(call_back))
        .route("/v1/calls/{id}/recording/{order}", post(recording))
        .route("/v1/calls/{id}/transcript", post(transcript).layer(DefaultBodyLimit::max(MOST_BYTES)))
        .fallback(nothing)
        .method_not_allowed_fallback(other)
        .layer(DefaultBodyLimit::max(API_BODY_BYTES))
        .layer(from_fn_with_state(api.clone(), admit))
        .with_state(api)
}

/// Before anything else is looked at.
async fn admit(State(api): State<Api>, request: Request, next: Next) -> Response {
    let authorization = request.headers().get(header::AUTHORIZATION).and_then(|field| field.to_str().ok());
    match api.gate.judge(api.backend.now(), authorization) {
        Verdict::Welcome => next.run(request).await,
        Verdict::Unknown => {
            Fault::new(StatusCode::UNAUTHORIZED, "unauthorized", "send Authorization: Bearer with the token")
                .into_response()
        }
        Verdict::TooMany => {
            let fault = Fault::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", "come back in a second");
            let mut response = fault.into_response();
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
            response
        }
    }
}

async fn agents(State(api): State<Api>) -> Outcome {
    let agents = wait(api.backend.agents()).await?;
    Ok(json(&json!({ "agents": agents })))
}

async fn agent(State(api): State<Api>, Path(no): Path<String>) -> Outcome {
    let agents = wait(api.backend.agents()).await?;
    let one = agents.iter().find(|shown| shown.agent.as_str() == no);
    one.map(json).ok_or_else(|| refused(Refused::NoAgent))
}

async fn ordered(State(api): State<Api>, Path((no, order)): Path<(String, String)>, body: Bytes) -> Outcome {
    let order = match order.as_str() {
        "ready" => Order::Ready,
        "pause" => Order::Pause(reason(&body)?),
        "wrap-up" => Order::WrapUp,
        "logout" if is_forced(&body)? => Order::LogOutAnyway,
        "logout" => Order::LogOut,
        _ => {
            return Err(Fault::new(
                StatusCode::NOT_FOUND,
                "no_such_path",
                "orders are ready, pause, wrap-up and logout",
            ));
        }
    };
    let shown = wait(api.backend.order(AgentNo::from(no), order)).await?.map_err(refused)?;
    Ok(json(&shown))
}

async fn calls(State(api): State<Api>) -> Outcome {
    let backend = Arc::clone(&api.backend);
    let read = tokio::task::spawn_blocking(move || backend.calls()).await;
    match read {
        Ok(Ok(calls)) => Ok(json(&json!({ "calls": calls }))),
        Ok(Err(why)) => Err(Fault::new(StatusCode::SERVICE_UNAVAILABLE, "store", why)),
        Err(error) => Err(Fault::new(StatusCode::INTERNAL_SERVER_ERROR, "fault", error.to_string())),
    }
}

async fn owed(State(api): State<Api>) -> Outcome {
    let rows = blocking(move || api.backend.callbacks()).await?;
    Ok(json(&json!({ "callbacks": rows })))
}

/// Who does it, and what came of it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Deed {
    by: String,
    code: Option<Code>,
    until: Option<Time>,
    #[serde(default)]
    note: String,
}

async fn call_back(State(api): State<Api>, Path((id, order)): Path<(String, String)>, body: Bytes) -> Outcome {
    let malformed = |why: &str| Fault::new(StatusCode::UNPROCESSABLE_ENTITY, "body", why);
    let Deed { by, code, until, note } =
        serde_json::from_slice(&body).map_err(|error| malformed(&error.to_string()))?;
    if by.is_empty() || by.len() > 64 {
        return Err(malformed("\"by\" names who does it, in at most 64 octets"));
    }
    let call: CallId = id.parse().map_err(|_| not_paused(NotPaused::NoCall))?;
    if order == "call" {
        let (agent, by) = (AgentNo::from(by.as_str()), format!("api:{by}"));
        let (backend, who) = (Arc::clone(&api.backend), by.clone());
        let answer = blocking(move || backend.dial(call, agent, &who)).await?;
        let Err(why) = wait(Some(answer)).await? else { return Ok(json(&json!({ "id": call, "calling": true }))) };
        blocking(move || give_back(&*api.backend, call, why, &by)).await?;
        return Err(Fault::new(StatusCode::CONFLICT, "not_called", why.to_string()));
    }
    let order = match (order.as_str(), code) {
        ("take", None) => callbacks::Order::Take { call },
        ("result", Some(code)) => callbacks::Order::Tried { call, code, until, note },
        ("result", None) => return Err(malformed("a result needs its \"code\"")),
        ("take", Some(_)) => return Err(malformed("a \"code\" belongs to a result")),
        _ => return Err(Fault::new(StatusCode::NOT_FOUND, "no_such_path", "orders are take, call and result")),
    };
    // Told apart from people, who log in by a name without a colon.
    let row = blocking(move || api.backend.call_back(&order, &format!("api:{by}"))).await?;
    Ok(json(&row))
}

/// Nobody could be called for `by`: others need not wait until the entry is free again. Blocks.
pub(super) fn give_back(backend: &dyn Backend, call: CallId, why: NotCalled, by: &str) -> Result<Row, StoreError> {
    backend.call_back(&callbacks::Order::GiveBack { call, why: why.to_string() }, by)
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, Fault> {
    match tokio::task::spawn_blocking(work).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(why @ (StoreError::Refused(_) | StoreError::Told(_)))) => {
            Err(Fault::new(StatusCode::CONFLICT, "refused", why.to_string()))
        }
        Ok(Err(why)) => Err(Fault::new(StatusCode::SERVICE_UNAVAILABLE, "store", why.to_string())),
        Err(error) => Err(Fault::new(StatusCode::INTERNAL_SERVER_ERROR, "fault", error.to_string())),
    }
}

async fn recording(State(api): State<Api>, Path((id, order)): Path<(String, String)>) -> Outcome {
    let paused = match order.as_str() {
        "pause" => true,
        "resume" => false,
        _ => return Err(Fault::new(StatusCode::NOT_FOUND, "no_such_path", "orders are pause and resume")),
    };
    let call: CallId = id.parse().map_err(|_| not_paused(NotPaused::NoCall))?;
    wait(api.backend.pause_recording(call, paused)).await?.map_err(not_paused)?;
    Ok(json(&json!({ "id": call, "paused": paused })))
}

async fn transcript(State(api): State<Api>, Path(id): Path<String>, body: Bytes) -> Outcome {
    let malformed = |faults: Vec<Faulty>| {
        let told: Vec<String> = faults.iter().map(ToString::to_string).collect();
        Fault::new(StatusCode::UNPROCESSABLE_ENTITY, "transcript", told.join("\n"))
    };
    let call: CallId = id.parse().map_err(|_| not_paused(NotPaused::NoCall))?;
    let text = text_of("body", &body).map_err(|fault| malformed(vec![fault]))?;
    let read = Transcript::read("body", text).map_err(malformed)?;
    let (by, count) = (format!("api:{}", read.by.recogniser), read.utterances.len());
    blocking(move || api.backend.transcribe(call, &read, &by)).await?.map_err(malformed)?;
    Ok(json(&json!({ "id": call, "utterances": count })))
}

async fn wait<T>(answer: Option<Answer<T>>) -> Result<T, Fault> {
    let busy = || Fault::new(StatusCode::SERVICE_UNAVAILABLE, "busy", "too much is asked at once");
    let answer = answer.ok_or_else(busy)?;
    match tokio::time::timeout(API_PATIENCE, answer).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(_)) => Err(busy()),
        Err(_) => Err(Fault::new(StatusCode::GATEWAY_TIMEOUT, "timeout", "the switch does not answer")),
    }
}

/// `{"reason": "…"}`, or nothing.
fn reason(body: &[u8]) -> Result<Option<String>, Fault> {
    #[derive(Deserialize, Default)]
    #[serde(deny_unknown_fields)]
    struct Pause {
        reason: Option<String>,
    }
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(None);
    }
    let pause: Result<Pause, _> = serde_json::from_slice(body);
    pause.map(|pause| pause.reason).map_err(|error| Fault::new(StatusCode::BAD_REQUEST, "bad_body", error.to_string()))
}

/// `{"force": true}`: somebody who may say so lets the agent go without a successor.
fn is_forced(body: &[u8]) -> Result<bool, Fault> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct LogOut {
        force: bool,
    }
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(false);
    }
    let order: Result<LogOut, _> = serde_json::from_slice(body);
    order.map(|order| order.force).map_err(|error| Fault::new(StatusCode::BAD_REQUEST, "bad_body", error.to_string()))
}

fn not_paused(why: NotPaused) -> Fault {
    let (status, code) = match why {
        NotPaused::NoCall => (StatusCode::NOT_FOUND, "no_call"),
        NotPaused::NotRecorded => (StatusCode::CONFLICT, "not_recorded"),
        NotPaused::NotTalking => (StatusCode::CONFLICT, "not_talking"),
        NotPaused::TooOften => (StatusCode::CONFLICT, "too_often"),
    };
    Fault::new(status, code, why.to_string())
}

fn refused(why: Refused) -> Fault {
    let (status, code) = match why {
        Refused::NoAgent => (StatusCode::NOT_FOUND, "no_agent"),
        Refused::Reason => (StatusCode::UNPROCESSABLE_ENTITY, "reason"),
        Refused::LoggedOut => (StatusCode::CONFLICT, "logged_out"),
        Refused::NoLogin => (StatusCode::CONFLICT, "no_login"),
        Refused::NoWrapUp => (StatusCode::CONFLICT, "no_wrap_up"),
        Refused::NotInWrapUp => (StatusCode::CONFLICT, "not_in_wrap_up"),
        Refused::NoSuccessor => (StatusCode::CONFLICT, "no_successor"),
    };
    Fault::new(status, code, why.to_string())
}
