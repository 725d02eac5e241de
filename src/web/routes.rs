//! The one table of the console: every address, who may use it, and where it stands in the navigation.

use axum::Router;
use axum::handler::Handler;
use axum::http::Method;
use axum::middleware::from_fn_with_state;
use axum::routing::{MethodFilter, MethodRouter, get as get_method, on};

use super::desk::Desk;
use super::door;
use super::page::{Nav, Refusal};
use super::pages::{
    account, admin, agent, callbacks, calls, calls_apart, home, live, login, notes, one_call, qa, reports, sound,
};
use crate::store::people::Role::{Admin, Agent, Auditor, Lead, Operator, Qa};
use crate::store::people::Roles;

/// Who may use a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    Anybody,
    LoggedIn,
    /// Whoever has one of these roles.
    Only(Roles),
}

pub struct Route {
    pub method: Method,
    /// As axum writes it: `/calls/{id}`.
    pub path: &'static str,
    pub who: Who,
    /// Its word in the navigation, where it has a place there.
    pub nav: Option<&'static str>,
    run: MethodRouter<Desk>,
}

impl Route {
    pub(super) fn nav(self, word: &'static str) -> Route {
        Route { nav: Some(word), ..self }
    }
}

pub(super) fn get<H: Handler<T, Desk>, T: 'static>(path: &'static str, who: Who, run: H) -> Route {
    Route { method: Method::GET, path, who, nav: None, run: get_method(run) }
}

pub(super) fn post<H: Handler<T, Desk>, T: 'static>(path: &'static str, who: Who, run: H) -> Route {
    Route { method: Method::POST, path, who, nav: None, run: on(MethodFilter::POST, run) }
}

/// Sees calls, without hearing them.
pub const SEES_CALLS: Roles = Roles::of(&[Qa, Lead, Operator, Auditor]);
/// Hears recordings.
pub const HEARS: Roles = Roles::of(&[Qa, Lead]);
/// Takes recordings away as files: a right of its own.
pub const DOWNLOADS: Roles = Roles::of(&[Lead]);
/// Sees callers' numbers in full.
pub const SEES_NUMBERS: Roles = Roles::of(&[Lead, Operator]);
/// Sees what happens now.
pub const WATCHES: Roles = Roles::of(&[Lead, Operator]);
/// Calls people back; an agent sees the number of whoever he has taken.
const CALLS_BACK: Roles = Roles::of(&[Agent, Lead, Operator]);
/// Scores calls that are drawn for them.
const SCORES: Roles = Roles::of(&[Qa]);
/// Sees which calls deserve to be heard.
const SCORERS: Roles = Roles::of(&[Qa, Lead]);
const LEADS: Roles = Roles::of(&[Lead]);
/// May look at how calls were drawn.
const CHECKS: Roles = Roles::of(&[Qa, Lead, Auditor]);
/// May open some review: whose, the page asks.
const REVIEWS: Roles = Roles::of(&[Qa, Lead, Auditor, Agent]);
const CARDS: Roles = Roles::of(&[Lead, Auditor, Agent]);
/// Reads call notes: agents those that concern them, the others all.
pub const READS_NOTES: Roles = Roles::of(&[Agent, Lead, Qa]);
/// May do something with a note: which, the page asks.
const SETTLES: Roles = Roles::of(&[Agent, Lead]);
/// Reads reports of all calls; closing one is for leads.
const REPORTS: Roles = Roles::of(&[Lead, Operator, Qa, Auditor]);
const AUDITS: Roles = Roles::of(&[Auditor, Admin]);
const TENDS: Roles = Roles::of(&[Admin, Operator]);

/// Every route of the console, in the order of the navigation.
pub fn table() -> Vec<Route> {
    [doors(), calls_and_agents(), inspection(), reports_and_administration()].into_iter().flatten().collect()
}

#[rustfmt::skip]
fn doors() -> Vec<Route> {
    use Who::{Anybody, LoggedIn};
    vec![
        get("/", LoggedIn, home::go_home),
        get("/assets/{hash}/{*name}", Anybody, super::assets::serve),
        get("/setup", Anybody, login::setup),
        post("/setup", Anybody, login::set_up),
        get("/login", Anybody, login::form),
        post("/login", Anybody, login::log_in),
        get("/link", Anybody, login::link),
        post("/link", Anybody, login::follow),
        post("/logout", LoggedIn, login::log_out),
        post("/language", Anybody, account::language),
        get("/account", LoggedIn, account::page),
        post("/account/password", LoggedIn, account::password),
    ]
}

#[rustfmt::skip]
fn calls_and_agents() -> Vec<Route> {
    use Who::Only;
    vec![
        get("/live", Only(WATCHES), live::page).nav("nav-live"),
        get("/live/events", Only(WATCHES), live::events),
        get("/calls", Only(SEES_CALLS), calls::page).nav("nav-calls"),
        get("/calls.csv", Only(SEES_CALLS), calls::csv),
        post("/calls/views", Only(SEES_CALLS), calls::save),
        get("/calls/apart", Only(SEES_CALLS), calls_apart::page),
        get("/calls/{id}", Only(SEES_CALLS), one_call::page),
        get("/calls/{id}/curves", Only(SEES_CALLS), one_call::curves),
        get("/calls/{id}/peaks", Only(HEARS), sound::peaks),
        get("/calls/{id}/sound", Only(HEARS), sound::sound),
        get("/calls/{id}/file", Only(DOWNLOADS), sound::file),
        get("/callbacks", Only(CALLS_BACK), callbacks::page).nav("nav-callbacks"),
        post("/callbacks/{id}", Only(CALLS_BACK), callbacks::change),
        get("/agent", Only(Roles::of(&[Agent])), agent::page).nav("nav-agent"),
        get("/agent/calls/{id}/sound", Only(Roles::of(&[Agent])), sound::own),
        get("/agent/calls/{id}/peaks", Only(Roles::of(&[Agent])), sound::own_peaks),
        get("/agent/state", Only(Roles::of(&[Agent])), agent::state),
        post("/agent/{order}", Only(Roles::of(&[Agent])), agent::order),
        get("/notes", Only(READS_NOTES), notes::page).nav("nav-notes"),
        post("/notes", Only(Roles::of(&[Agent])), notes::write),
        get("/notes/new", Only(Roles::of(&[Agent])), notes::new),
        post("/notes/seen", Only(Roles::of(&[Agent])), notes::seen),
        get("/notes/{id}", Only(READS_NOTES), notes::one),
        post("/notes/{id}/step/{order}", Only(SETTLES), notes::step),
    ]
}

#[rustfmt::skip]
fn inspection() -> Vec<Route> {
    use Who::Only;
    vec![
        get("/qa/tasks", Only(SCORES), qa::tasks::page).nav("nav-qa-tasks"),
        get("/qa/next", Only(SCORES), qa::tasks::next),
        get("/qa/review/{id}", Only(REVIEWS), qa::review::page),
        post("/qa/review/{id}/save", Only(REVIEWS), qa::review::save),
        post("/qa/review/{id}/submit", Only(SCORES), qa::review::submit),
        post("/qa/review/{id}/replace", Only(SCORES), qa::review::replace),
        post("/qa/review/{id}/step/{order}", Only(REVIEWS), qa::review::take_step),
        get("/qa/sampling", Only(CHECKS), qa::sampling::page).nav("nav-qa-sampling"),
        post("/qa/sampling/verify", Only(CHECKS), qa::sampling::verify),
        post("/qa/sampling/draw", Only(LEADS), qa::sampling::draw),
        post("/qa/sampling/close", Only(LEADS), qa::sampling::close),
        post("/qa/sampling/consent", Only(LEADS), qa::sampling::consent),
        get("/qa/sampling/export", Only(CHECKS), qa::sampling::exported),
        get("/qa/targeted", Only(SCORERS), qa::targeted::page).nav("nav-qa-targeted"),
        post("/qa/targeted", Only(LEADS), qa::targeted::pick),
        post("/qa/targeting", Only(LEADS), qa::targeted::aim),
        get("/qa/hearings", Only(LEADS), qa::hearings::page).nav("nav-qa-hearings"),
        post("/qa/give", Only(LEADS), qa::hearings::give),
        post("/qa/give-all", Only(LEADS), qa::hearings::give_all),
        get("/qa/disputes", Only(LEADS), qa::disputes::page).nav("nav-qa-disputes"),
        get("/qa/agreement", Only(CHECKS), qa::agreement::page).nav("nav-qa-agreement"),
        get("/qa/forms", Only(CHECKS), qa::forms::page).nav("nav-qa-forms"),
        get("/qa/forms/edit", Only(LEADS), qa::forms::edit),
        post("/qa/forms/edit", Only(LEADS), qa::forms::check),
        post("/qa/forms/publish", Only(LEADS), qa::forms::publish),
        get("/scorecards", Only(CARDS), qa::scorecard::team).nav("nav-scorecards"),
        get("/scorecards/{name}", Only(CARDS), qa::scorecard::page),
        post("/scorecards/{name}/seen", Only(Roles::of(&[Agent])), qa::scorecard::seen),
        get("/training", Only(LEADS), qa::training::page).nav("nav-training"),
    ]
}

#[rustfmt::skip]
fn reports_and_administration() -> Vec<Route> {
    use Who::Only;
    vec![
        get("/reports", Only(REPORTS), reports::index).nav("nav-reports"),
        get("/reports/{span}/{date}", Only(REPORTS), reports::page),
        get("/reports/{span}/{date}/{kind}", Only(REPORTS), reports::file),
        post("/reports/{span}/{date}/close", Only(LEADS), reports::close),
        get("/admin/people", Only(Roles::of(&[Admin])), admin::people::page).nav("nav-people"),
        post("/admin/people", Only(Roles::of(&[Admin])), admin::people::add),
        post("/admin/people/{name}", Only(Roles::of(&[Admin])), admin::people::change),
        get("/admin/audit", Only(AUDITS), admin::audit::page).nav("nav-audit"),
        post("/admin/audit/verify", Only(AUDITS), admin::audit::verify),
        get("/admin/prompts", Only(Roles::of(&[Admin])), admin::prompts::page).nav("nav-prompts"),
        get("/admin/prompts/sound", Only(Roles::of(&[Admin])), admin::prompts::sound),
        post("/admin/prompts/sound", Only(Roles::of(&[Admin])), admin::prompts::replace),
        get("/admin/storage", Only(TENDS), admin::storage::page).nav("nav-storage"),
        get("/admin/health", Only(TENDS), admin::health::page).nav("nav-health"),
        get("/admin/metrics", Only(TENDS), admin::health::metrics).nav("nav-metrics"),
    ]
}

/// The console. What is not in the table is not there.
pub fn router(desk: &Desk) -> Router {
    let mut router = Router::new();
    for route in table() {
        let door = from_fn_with_state((desk.clone(), route.who), door::admit);
        router = router.route(route.path, route.run.route_layer(door));
    }
    let nothing = get_method(|| async { Refusal::NotFound });
    let door = from_fn_with_state((desk.clone(), Who::Anybody), door::admit);
    router.fallback_service(nothing.layer(door).with_state(())).with_state(desk.clone())
}

/// What these roles find in the navigation; `path` is where they are.
pub(super) fn nav(roles: Roles, path: &str) -> Vec<Nav> {
    let open = |who: Who| matches!(who, Who::Only(only) if only.meets(roles));
    let of = |route: &Route| {
        let word = route.nav.filter(|_| open(route.who))?;
        let here = path == route.path || path.strip_prefix(route.path).is_some_and(|rest| rest.starts_with('/'));
        Some(Nav { path: route.path, word, here })
    };
    table().iter().filter_map(of).collect()
}

#[cfg(test)]
#[path = "routes_tests.rs"]
mod tests;
