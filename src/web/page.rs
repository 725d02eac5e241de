//! What every page of the console has: who asks and for what, the words of a language, times as people write them; and what is
//! said instead of a page.

use std::fmt::Display;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use jiff::tz::TimeZone;

use super::assets;
use super::desk::Desk;
use super::words::{LANGUAGES, Words};
use crate::cdr::Time;
use crate::clock::Wall;
use crate::store::people::{Person, Roles};
use crate::store::session::Secret;
use crate::store::{StoreError, Told};

/// A page, or why there is none.
pub type Reply = Result<Response, Refusal>;

/// How long a person is told that the password was replaced by a link.
const TOLD: Duration = Duration::from_secs(30 * 24 * 3_600);

/// One request, after the door has let it in. Handlers take it as an argument.
#[derive(Clone)]
pub struct Asked(pub(super) Arc<Request>);

pub(super) struct Request {
    pub(super) desk: Desk,
    pub(super) who: Option<Visitor>,
    pub(super) words: &'static Words,
    pub(super) path: String,
    pub(super) query: Fields,
    /// Of the form, if one was sent.
    pub(super) form: Fields,
    /// The file, if one was sent instead.
    pub(super) file: Bytes,
    pub(super) is_htmx: bool,
    pub(super) source: IpAddr,
    /// What inline style of ours carries; another one for each answer.
    pub(super) nonce: String,
}

/// Somebody who is logged in.
#[derive(Debug, Clone)]
pub struct Visitor {
    pub person: Person,
    pub(super) secret: Secret,
}

/// Fields of a query or a form. Of two with the same name the first counts, but for `all`.
#[derive(Debug, Clone, Default)]
pub struct Fields(Vec<(String, String)>);

/// Fields of one form: a review has some dozens.
const FIELDS: usize = 2_000;

impl Fields {
    pub fn parse(text: &[u8]) -> Fields {
        Fields(form_urlencoded::parse(text).take(FIELDS).map(|(k, v)| (k.into_owned(), v.into_owned())).collect())
    }

    /// Empty if it is not there.
    pub fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value.trim())
    }

    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }
}

impl<S: Sync> FromRequestParts<S> for Asked {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Asked, Refusal> {
        // Every route of the table is behind the door, which puts it there.
        parts.extensions.get::<Asked>().cloned().ok_or(Refusal::Forbidden)
    }
}

impl Asked {
    pub fn desk(&self) -> &Desk {
        &self.0.desk
    }

    pub fn visitor(&self) -> Option<&Visitor> {
        self.0.who.as_ref()
    }

    /// Who asks; nobody gets to a page for people who are logged in without being one.
    pub fn person(&self) -> Result<&Person, Refusal> {
        self.visitor().map(|visitor| &visitor.person).ok_or(Refusal::Forbidden)
    }

    pub fn may(&self, roles: Roles) -> bool {
        self.visitor().is_some_and(|visitor| visitor.person.roles.meets(roles))
    }

    pub fn words(&self) -> &'static Words {
        self.0.words
    }

    pub fn query(&self) -> &Fields {
        &self.0.query
    }

    pub fn form(&self) -> &Fields {
        &self.0.form
    }

    /// What was sent to a route that takes a file.
    pub fn file(&self) -> &Bytes {
        &self.0.file
    }

    /// Asked for by htmx: a part of a page will do.
    pub fn is_htmx(&self) -> bool {
        self.0.is_htmx
    }

    pub fn page(&self) -> Page {
        let person = self.visitor().map(|visitor| visitor.person.clone());
        let roles = person.as_ref().map_or(Roles::NONE, |person| person.roles);
        let now = self.0.desk.now().wall;
        Page {
            nav: super::routes::nav(roles, &self.0.path),
            words: self.0.words,
            token: self.visitor().map_or_else(String::new, |visitor| visitor.secret.form_token()),
            nonce: self.0.nonce.clone(),
            zone: self.0.desk.zone(),
            path: self.0.path.clone(),
            by_link: person.as_ref().and_then(|person| person.by_link.clone()).filter(|(_, at)| now < *at + TOLD),
            is_kiosk: self.0.query.iter().any(|(key, _)| key == "kiosk"),
            person,
        }
    }

    /// The page as an answer.
    pub fn show(&self, template: &impl askama::Template) -> Reply {
        let html = template.render().map_err(|error| Refusal::Fault(error.to_string()))?;
        Ok(([(header::CONTENT_TYPE, "text/html; charset=utf-8")], html).into_response())
    }
}

/// See other (303): what comes after a form was taken.
pub fn go(path: &str) -> Response {
    let to = HeaderValue::from_str(path).unwrap_or_else(|_| HeaderValue::from_static("/"));
    (StatusCode::SEE_OTHER, [(header::LOCATION, to)]).into_response()
}

/// A line of the navigation.
#[derive(Debug, Clone)]
pub struct Nav {
    pub path: &'static str,
    pub word: &'static str,
    pub here: bool,
}

/// What templates call `p`.
pub struct Page {
    pub person: Option<Person>,
    pub nav: Vec<Nav>,
    /// What every form carries in its field `token`.
    pub token: String,
    pub nonce: String,
    pub path: String,
    pub is_kiosk: bool,
    /// Whose link replaced this person's password of late.
    pub by_link: Option<(String, Wall)>,
    words: &'static Words,
    zone: TimeZone,
}

impl Page {
    pub fn tag(&self) -> &'static str {
        self.words.tag
    }

    /// What the page can be read in instead: tag and name.
    pub fn other_language(&self) -> (&'static str, &'static str) {
        LANGUAGES.into_iter().find(|(tag, _)| *tag != self.tag()).unwrap_or(LANGUAGES[0])
    }

    pub fn say(&self, key: &str) -> String {
        self.words.say(key)
    }

    pub fn with(&self, key: &str, name: &str, value: impl Display) -> String {
        self.words.with(key, name, value)
    }

    /// A word of a closed list: `outcome` and `short_abandoned` are `outcome-short-abandoned`.
    pub fn word(&self, list: &str, word: impl Display) -> String {
        let key = key(list, &word.to_string());
        if self.words.knows(&key) { self.words.say(&key) } else { word.to_string() }
    }

    pub fn asset(&self, name: &str) -> String {
        assets::address(name)
    }

    /// `2026-11-21 10:00:05`, in the hotline's zone.
    pub fn time(&self, time: &Time) -> String {
        self.local(time.0, "%Y-%m-%d %H:%M:%S")
    }

    /// The last whole day before this moment, as deadlines are told: `2026-12-07`.
    pub fn last_day(&self, until: &Wall) -> String {
        self.local(Wall::from_micros(until.as_micros() - 1), "%Y-%m-%d")
    }

    /// `10:00:05`.
    pub fn clock(&self, time: &Time) -> String {
        self.local(time.0, "%H:%M:%S")
    }

    /// As [`Page::time`], to the minute.
    pub fn moment(&self, at: &Wall) -> String {
        self.local(*at, "%Y-%m-%d %H:%M")
    }

    /// As the field of a moment takes it.
    pub fn field(&self, at: Wall) -> String {
        self.local(at, "%Y-%m-%dT%H:%M")
    }

    /// Days and hours, hours and minutes, or minutes.
    pub fn span(&self, ms: impl Amount) -> String {
        let minutes = ms.amount() / 60_000;
        match (minutes / 1_440, minutes / 60 % 24, minutes % 60) {
            (0, 0, minutes) => self.with("span-minutes", "n", minutes),
            (0, hours, minutes) => self.of("span-hours", hours, minutes),
            (days, hours, _) => self.of("span-days", days, hours),
        }
    }

    fn local(&self, wall: Wall, format: &str) -> String {
        let there = jiff::Timestamp::from_microsecond(wall.as_micros()).unwrap_or_default().to_zoned(self.zone.clone());
        there.strftime(format).to_string()
    }

    /// `6.2 s`.
    pub fn seconds(&self, ms: impl Amount) -> String {
        let ms = ms.amount();
        self.words.with("seconds", "s", format!("{}.{}", ms / 1_000, ms % 1_000 / 100))
    }

    /// The same of what may not be known.
    pub fn maybe_seconds(&self, ms: &Option<u64>) -> String {
        ms.as_ref().map_or_else(|| "–".to_owned(), |ms| self.seconds(ms))
    }

    /// `2:54`, or `1:02:54`.
    pub fn minutes(&self, ms: impl Amount) -> String {
        let s = ms.amount() / 1_000;
        if s < 3_600 { format!("{}:{:02}", s / 60, s % 60) } else { hours(s) }
    }

    pub fn maybe_minutes(&self, ms: &Option<u64>) -> String {
        ms.as_ref().map_or_else(|| "–".to_owned(), |ms| self.minutes(ms))
    }

    /// A word with two numbers, `a` and `b`.
    pub fn of(&self, key: &str, a: impl Display, b: impl Display) -> String {
        self.words.with_all(key, &[("a", a.to_string()), ("b", b.to_string())])
    }

    /// `92.3 %`, never of nothing.
    pub fn percent(&self, count: impl Amount, n: impl Amount) -> String {
        let (count, n) = (count.amount(), n.amount());
        if n == 0 { "–".to_owned() } else { format!("{:.1} %", count as f64 * 100.0 / n as f64) }
    }

    pub fn or_dash<T: Display>(&self, value: &Option<T>) -> String {
        value.as_ref().map_or_else(|| "–".to_owned(), ToString::to_string)
    }
}

/// A number as templates hand it over: itself, or behind as many references as loops have put before it.
pub trait Amount {
    fn amount(&self) -> u64;
}

impl Amount for u64 {
    fn amount(&self) -> u64 {
        *self
    }
}

impl<T: Amount> Amount for &T {
    fn amount(&self) -> u64 {
        (**self).amount()
    }
}

fn hours(s: u64) -> String {
    format!("{}:{:02}:{:02}", s / 3_600, s / 60 % 60, s % 60)
}

pub(super) fn key(list: &str, word: &str) -> String {
    format!("{list}-{}", word.replace('_', "-").to_lowercase())
}

/// Why there is no page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    NotFound,
    Forbidden,
    /// What was sent cannot be: a word of ours that says why.
    Told(&'static str),
    /// The same, with what is filled in.
    Store(Told),
    /// What has no word of ours.
    Refused(String),
    /// Too much is asked at once.
    Busy,
    /// Passwords were guessed from there.
    LockedOut,
    /// Ours. It stands in the log, not on the page.
    Fault(String),
}

impl Refusal {
    pub fn status(&self) -> StatusCode {
        match self {
            Refusal::NotFound => StatusCode::NOT_FOUND,
            Refusal::Forbidden => StatusCode::FORBIDDEN,
            Refusal::Told(_) | Refusal::Store(_) | Refusal::Refused(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Refusal::Busy => StatusCode::SERVICE_UNAVAILABLE,
            Refusal::LockedOut => StatusCode::TOO_MANY_REQUESTS,
            Refusal::Fault(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    pub(super) fn text(&self, words: &Words) -> String {
        match self {
            Refusal::NotFound => words.say("refusal-not-found"),
            Refusal::Forbidden => words.say("refusal-forbidden"),
            Refusal::Told(key) => words.say(key),
            Refusal::Store(told) => words.with_all(told.word(), &told.values()),
            Refusal::Refused(why) => why.clone(),
            Refusal::Busy => words.say("refusal-busy"),
            Refusal::LockedOut => words.say("refusal-locked-out"),
            Refusal::Fault(_) => words.say("refusal-fault"),
        }
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Refusal {
        match error {
            StoreError::Told(told) => Refusal::Store(told),
            StoreError::Refused(why) => Refusal::Refused(why),
            other => Refusal::Fault(other.to_string()),
        }
    }
}

/// The door makes a page of it, in the visitor's language.
impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        if let Refusal::Fault(error) = &self {
            tracing::error!(%error, "a page of the console could not be made");
        }
        let mut response = self.status().into_response();
        response.extensions_mut().insert(self);
        response
    }
}

#[derive(askama::Template)]
#[template(path = "refusal.html", config = "src/web/askama.toml")]
struct Refused {
    p: Page,
    text: String,
}

/// What is shown instead of a page.
pub(super) fn refused(asked: &Asked, refusal: &Refusal) -> Response {
    let text = refusal.text(asked.words());
    if asked.is_htmx() {
        // htmx puts it where the answer was to go.
        return (refusal.status(), text).into_response();
    }
    let shown = asked.show(&Refused { p: asked.page(), text });
    let mut response = shown.unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response());
    *response.status_mut() = refusal.status();
    response
}

/// Cells of a table for programs (RFC 4180). A cell that a spreadsheet would take for a formula begins with an apostrophe.
pub fn csv(rows: impl Iterator<Item = Vec<String>>) -> String {
    let cell = |text: String| {
        let text = if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}") } else { text };
        let quoted = text.contains([',', '"', '\n', '\r']);
        if quoted { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
    };
    rows.fold(String::from("\u{feff}"), |all, row| {
        all + &row.into_iter().map(cell).collect::<Vec<_>>().join(",") + "\r\n"
    })
}

/// A file to keep.
pub fn file(name: &str, kind: &'static str, text: String) -> Response {
    let plain: String = name.chars().filter(|c| c.is_ascii_alphanumeric() || "-_.".contains(*c)).collect();
    let disposition = HeaderValue::from_str(&format!("attachment; filename=\"{plain}\""));
    let disposition = disposition.unwrap_or_else(|_| HeaderValue::from_static("attachment"));
    let headers = [(header::CONTENT_TYPE, HeaderValue::from_static(kind)), (header::CONTENT_DISPOSITION, disposition)];
    (headers, text).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spreadsheet_computes_nothing_that_a_caller_sent() {
        let rows = [vec!["=HYPERLINK(\"x\")".to_owned(), "+1".into(), "-2".into(), "@a".into(), "\t=1".into()]];
        let text = csv(rows.into_iter());
        assert_eq!(text, "\u{feff}\"'=HYPERLINK(\"\"x\"\")\",'+1,'-2,'@a,'\t=1\r\n");
        assert_eq!(
            csv([vec!["a,b".to_owned(), "c\nd".into(), "e".into()]].into_iter()),
            "\u{feff}\"a,b\",\"c\nd\",e\r\n"
        );
    }
}
