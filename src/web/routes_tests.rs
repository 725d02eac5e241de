//! The door, asked from outside: every route as every role, forms from elsewhere, sessions that somebody else chose.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use http_body_util::BodyExt as _;
use tempfile::TempDir;
use tower::ServiceExt as _;

use super::{Who, router, table};
use crate::call::fact::{AgentsCall, CALLER, CallbackRule, Fact, Signal, What};
use crate::call::leg::Callee;
use crate::call::presence::{Order, Refused, Shown};
use crate::call::privacy::NotPaused;
use crate::call::reason::{EndedBy, Reason};
use crate::cdr::Word as _;
use crate::clock::{Instant, Now, Wall};
use crate::fault::Fault;
use crate::gateway::NotCalled;
use crate::ids::{AgentNo, CallId, Random, Side};
use crate::io::prompts::Prompts;
use crate::io::vault::Vault;
use crate::ledger::Subject;
use crate::ledger::story::{self, Story};
use crate::report::Figures;
use crate::report::callbacks::Row;
use crate::rules::Transcript;
use crate::store::people::{NewPerson, Role, Roles};
use crate::store::session::Secret;
use crate::store::{People, Reader, StoreError, SubjectKey, Writer, callbacks, password};
use crate::web::api::{Answer, Backend};
use crate::web::desk::{Desk, Opens, Settings, Surroundings};

#[path = "work_tests.rs"]
mod work;

/// A switch that answers nothing.
struct Silent;

impl Backend for Silent {
    fn now(&self) -> Instant {
        now().mono
    }

    fn agents(&self) -> Option<Answer<Vec<Shown>>> {
        None
    }

    fn order(&self, _: AgentNo, _: Order) -> Option<Answer<Result<Shown, Refused>>> {
        None
    }

    fn pause_recording(&self, _: CallId, _: bool) -> Option<Answer<Result<(), NotPaused>>> {
        None
    }

    fn calls(&self) -> Result<Vec<serde_json::Value>, String> {
        Ok(Vec::new())
    }

    fn callbacks(&self) -> Result<Vec<Row>, StoreError> {
        Ok(Vec::new())
    }

    fn dial(&self, _: CallId, _: AgentNo, _: &str) -> Result<Answer<Result<(), NotCalled>>, StoreError> {
        Err(StoreError::Refused("a switch that answers nothing".to_owned()))
    }

    fn call_back(&self, _: &callbacks::Order, _: &str) -> Result<Row, StoreError> {
        Err(StoreError::Refused("a switch that answers nothing".to_owned()))
    }

    fn transcribe(&self, _: CallId, _: &Transcript, _: &str) -> Result<Result<(), Vec<Fault>>, StoreError> {
        Err(StoreError::Refused("a switch that answers nothing".to_owned()))
    }
}

fn now() -> Now {
    Now { mono: Instant::from_millis(1_000), wall: story::MORNING }
}

struct House {
    directory: TempDir,
    desk: Desk,
    router: Router,
}

const PASSWORD: &str = "a long password of hers";

fn house(behind_tls: bool) -> House {
    let directory = tempfile::tempdir().unwrap();
    drop(Writer::open(directory.path(), SubjectKey::new([7; 32])).unwrap());
    let surroundings = Surroundings {
        now: Arc::new(now),
        readiness: Arc::new(Vec::new),
        trunks: Arc::new(|| vec![("carrier".to_owned(), true)]),
        disk: Arc::new(|| Some((1, 2, "fine"))),
    };
    let (settings, plans) = (
        Settings {
            behind_tls,
            vault: Vault::new(directory.path(), &[]),
            agents_hear: true,
            prompts: Prompts::new(Some(&directory.path().join("dialplans")), directory.path()),
        },
        Arc::new(story::plans()),
    );
    let random = Random::from_number(1);
    let desk = Desk::new(directory.path(), settings, surroundings, Arc::new(Silent), plans, random).unwrap();
    House { router: router(&desk), directory, desk }
}

impl House {
    fn add(&self, name: &str, roles: &str, password: Option<String>) {
        let new = NewPerson {
            name: name.to_owned(),
            shown: String::new(),
            roles: roles.to_owned(),
            agent: Some("8".to_owned()),
            password,
        };
        People::open(self.directory.path()).unwrap().add(&new, "test", now().wall).unwrap();
    }

    fn session(&self, name: &str) -> Secret {
        let mut people = People::open(self.directory.path()).unwrap();
        let person = people.named(name).unwrap().unwrap();
        let secret = self.desk.secret();
        people.begin_session(&person, &secret, "test", now().wall).unwrap();
        secret
    }

    async fn ask(&self, request: Request<Body>) -> (StatusCode, HeaderMap, String) {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, mut body) = response.into_parts();
        // The stream of the live page never ends; its first frame will do.
        let endless = parts.headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind == "text/event-stream");
        let bytes = match endless {
            true => {
                body.frame().await.and_then(Result::ok).and_then(|frame| frame.into_data().ok()).unwrap_or_default()
            }
            false => body.collect().await.unwrap().to_bytes(),
        };
        (parts.status, parts.headers, String::from_utf8_lossy(&bytes).into_owned())
    }
}

fn request(method: &Method, path: &str, secret: Option<&Secret>, form: &str) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(path);
    if let Some(secret) = secret {
        request = request.header(header::COOKIE, format!("sid={}", secret.hex()));
    }
    if *method == Method::GET {
        return request.body(Body::empty()).unwrap();
    }
    let token = secret.map(Secret::form_token).unwrap_or_default();
    request.header("sec-fetch-site", "same-origin").body(Body::from(format!("token={token}&{form}"))).unwrap()
}

fn location(headers: &HeaderMap) -> &str {
    headers.get(header::LOCATION).map_or("", |value| value.to_str().unwrap())
}

#[tokio::test]
async fn every_route_as_every_role() {
    let house = house(false);
    for role in Role::ALL {
        house.add(role.word(), role.word(), None);
    }
    let routes = table();
    assert!(routes.len() >= 20);
    for route in &routes {
        let path = route.path.replace("{id}", "01900000-0000-7000-8000-000000000000").replace("{name}", "nobody");
        let path = path.replace("{hash}", "0").replace("{*name}", "x").replace("{order}", "ready");
        let path = path.replace("{span}", "day").replace("{date}", "2026-11-20").replace("{kind}", "csv");
        assert!(!path.contains('{'), "{path}: say what stands there in this test");
        let (method, who) = (&route.method, route.who);
        let (status, headers, _) = house.ask(request(method, &path, None, "")).await;
        assert!(headers.contains_key("content-security-policy"), "{path}");
        let to_login = location(&headers).starts_with("/login?next=");
        assert_eq!(to_login, who != Who::Anybody, "{method} {path} as nobody: {status}");
        for role in Role::ALL {
            // A session for each: logging out ends one.
            let secret = house.session(role.word());
            let (status, headers, body) = house.ask(request(method, &path, Some(&secret), "")).await;
            let may = match who {
                Who::Anybody | Who::LoggedIn => true,
                Who::Only(roles) => roles.has(*role),
            };
            assert_eq!(status != StatusCode::FORBIDDEN, may, "{method} {path} as {role}: {status}");
            assert!(!location(&headers).starts_with("/login?next="), "{method} {path} as {role}");
            assert!(status != StatusCode::INTERNAL_SERVER_ERROR, "{method} {path} as {role}: {body}");
            assert!(headers.contains_key("content-security-policy"), "{method} {path} as {role}");
        }
    }
    let (status, ..) = house.ask(request(&Method::GET, "/no/such/page", None, "")).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}

#[test]
fn an_admin_hears_nothing_and_whoever_hears_sees() {
    for roles in [super::HEARS, super::DOWNLOADS, super::SEES_NUMBERS] {
        assert!(!roles.has(Role::Admin) && !roles.has(Role::Auditor) && !roles.has(Role::Agent));
    }
    assert!(super::DOWNLOADS.iter().all(|role| super::HEARS.has(role)));
    assert!(super::HEARS.iter().all(|role| super::SEES_CALLS.has(role)));
}

#[tokio::test]
async fn a_form_from_elsewhere_does_nothing() {
    let house = house(false);
    house.add("a", "admin", None);
    let secret = house.session("a");
    let cookie = format!("sid={}", secret.hex());
    let form = |token: &str| format!("token={token}&name=x&role=admin&password=");
    let post = || Request::builder().method(Method::POST).uri("/admin/people").header(header::COOKIE, &cookie);
    let good = secret.form_token();
    let other = house.session("a").form_token();
    for (request, status) in [
        (post().header("sec-fetch-site", "cross-site").body(form(&good)), StatusCode::FORBIDDEN),
        (post().header("sec-fetch-site", "same-site").body(form(&good)), StatusCode::FORBIDDEN),
        (post().header("sec-fetch-site", "none").body(form(&good)), StatusCode::FORBIDDEN),
        (post().body(form(&good)), StatusCode::FORBIDDEN),
        (
            post().header("origin", "http://evil.example").header("host", "a.example").body(form(&good)),
            StatusCode::FORBIDDEN,
        ),
        (post().header("sec-fetch-site", "same-origin").body(form("")), StatusCode::UNPROCESSABLE_ENTITY),
        (post().header("sec-fetch-site", "same-origin").body(form(&other)), StatusCode::UNPROCESSABLE_ENTITY),
    ] {
        let (found, ..) = house.ask(request.unwrap().map(Body::from)).await;
        assert_eq!(found, status);
    }
    let people = People::open(house.directory.path()).unwrap();
    assert_eq!(people.named("x").unwrap(), None);
    let good = post().header("origin", "http://a.example").header("host", "a.example").body(form(&good)).unwrap();
    assert_eq!(house.ask(good.map(Body::from)).await.0, StatusCode::OK);
    assert_eq!(people.named("x").unwrap().unwrap().roles, Roles::of(&[Role::Admin]));
}

#[tokio::test]
async fn a_session_is_never_one_that_somebody_else_chose() {
    let house = house(false);
    house.add("qa", "qa", Some(password::hash(PASSWORD).unwrap()));
    let planted = "ab".repeat(32);
    let log_in = |password: &str, cookie: &str| {
        let body = form_urlencoded::Serializer::new(String::new())
            .append_pair("name", "QA")
            .append_pair("password", password)
            .finish();
        let request = Request::builder().method(Method::POST).uri("/login").header("sec-fetch-site", "same-origin");
        request.header(header::COOKIE, format!("sid={cookie}")).body(Body::from(body)).unwrap()
    };
    let (status, headers, _) = house.ask(log_in("wrong password here", &planted)).await;
    assert_eq!((status, headers.get(header::SET_COOKIE)), (StatusCode::UNPROCESSABLE_ENTITY, None));
    let (status, headers, _) = house.ask(log_in(PASSWORD, &planted)).await;
    assert_eq!(status, StatusCode::SEE_OTHER);
    let set = headers[header::SET_COOKIE].to_str().unwrap().to_owned();
    assert!(set.starts_with("sid=") && set.contains("HttpOnly") && set.contains("SameSite=Lax"), "{set}");
    let sid = set.trim_start_matches("sid=").split(';').next().unwrap().to_owned();
    assert_ne!(sid, planted);
    let as_of = |sid: &str| request(&Method::GET, "/account", Secret::parse(sid).as_ref(), "");
    assert_eq!(house.ask(as_of(&planted)).await.0, StatusCode::SEE_OTHER);
    assert_eq!(house.ask(as_of(&sid)).await.0, StatusCode::OK);
    // Logging in again ends the session that the browser came with.
    let token = Secret::parse(&sid).unwrap().form_token();
    let mut again = log_in(PASSWORD, &sid);
    again.headers_mut().insert("x-token", token.parse().unwrap());
    assert_eq!(house.ask(again).await.0, StatusCode::SEE_OTHER);
    assert_eq!(house.ask(as_of(&sid)).await.0, StatusCode::SEE_OTHER);
    // Two cookies of the name: somebody else may have set one of them.
    let two = Request::builder().uri("/account").header(header::COOKIE, format!("sid={planted}; sid={sid}"));
    assert_eq!(house.ask(two.body(Body::empty()).unwrap()).await.0, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn five_wrong_passwords_end_the_guessing_and_a_link_is_good_once() {
    let house = house(true);
    house.add("qa", "qa", Some(password::hash(PASSWORD).unwrap()));
    let post = |path: &str, source: &str, body: String| {
        let request = Request::builder().method(Method::POST).uri(path).header("sec-fetch-site", "same-origin");
        request.header("x-forwarded-for", format!("203.0.113.1, {source}")).body(Body::from(body)).unwrap()
    };
    let log_in = |source: &str, password: &str| post("/login", source, format!("name=qa&password={password}"));
    for _ in 0..5 {
        assert_eq!(house.ask(log_in("198.51.100.1", "wrong")).await.0, StatusCode::UNPROCESSABLE_ENTITY);
    }
    let right = PASSWORD.replace(' ', "+");
    assert_eq!(house.ask(log_in("198.51.100.1", &right)).await.0, StatusCode::TOO_MANY_REQUESTS);
    let (status, headers, _) = house.ask(log_in("198.51.100.2", &right)).await;
    assert_eq!(status, StatusCode::SEE_OTHER);
    let set = headers[header::SET_COOKIE].to_str().unwrap();
    assert!(set.starts_with("__Host-sid=") && set.contains("; Secure"), "{set}");
    assert!(headers.contains_key("strict-transport-security"));
    let link = house.desk.link(Opens::Login { name: "qa".to_owned() });
    let key = link.split_once("key=").unwrap().1.to_owned();
    let look = Request::builder().uri(&link).body(Body::empty()).unwrap();
    assert_eq!(house.ask(look).await.0, StatusCode::OK, "to look at it does not use it up");
    let follow = || post("/link", "198.51.100.3", format!("key={key}"));
    assert_eq!(house.ask(follow()).await.0, StatusCode::SEE_OTHER);
    assert_eq!(house.ask(follow()).await.0, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn the_first_admin_is_made_by_the_link_and_only_once() {
    let house = house(false);
    let link = house.desk.link(Opens::Setup);
    let key = link.split_once("key=").unwrap().1.to_owned();
    let password = "correct horse battery";
    let form = |key: &str, name: &str| format!("key={key}&name={name}&password={password}&again={password}");
    let post = |body: String| request(&Method::POST, "/setup", None, &body);
    let wrong = house.ask(post(form(&"0".repeat(64), "mallory"))).await;
    assert_eq!(wrong.0, StatusCode::UNPROCESSABLE_ENTITY);
    let (status, headers, _) = house.ask(post(form(&key, "root"))).await;
    assert_eq!((status, location(&headers)), (StatusCode::SEE_OTHER, "/admin/people"));
    assert_eq!(house.ask(post(form(&key, "second"))).await.0, StatusCode::UNPROCESSABLE_ENTITY);
    // Another link would not help: there is somebody now.
    let other = house.desk.link(Opens::Setup);
    let other = other.split_once("key=").unwrap().1.to_owned();
    assert_eq!(house.ask(post(form(&other, "third"))).await.0, StatusCode::UNPROCESSABLE_ENTITY);
    let people = People::open(house.directory.path()).unwrap().all().unwrap();
    assert_eq!(people.iter().map(|person| person.name.as_str()).collect::<Vec<_>>(), ["root"]);
}

impl House {
    /// A call from this number, whose phone writes this into a message.
    fn call(&self, number: &str, text: &str) -> CallId {
        let signal = Signal {
            leg: Side::Caller,
            sent: false,
            message: format!("INVITE sip:{text}@127.0.0.1"),
            attempt: None,
            again: false,
            peer: None,
            body: Some(text.to_owned()),
        };
        let story = Story::talking(5).at(4_100, What::Signal(Box::new(signal)));
        let facts =
            story.ended(9_000, Reason::CallerHungUp, EndedBy::Caller).at(9_050, story::recording_ok(4_999)).facts();
        let What::Offered(offered) = &facts[0].what else { panic!("no call") };
        let subject = Subject { id: offered.caller, number: number.to_owned() };
        let mut writer = Writer::open(self.directory.path(), SubjectKey::new([7; 32])).unwrap();
        writer.append(&facts, &[subject]).unwrap();
        facts[0].call
    }

    fn write(&self, facts: &[Fact]) {
        let mut writer = Writer::open(self.directory.path(), SubjectKey::new([7; 32])).unwrap();
        writer.append(facts, &[]).unwrap();
    }
}

#[tokio::test]
async fn what_a_caller_sends_is_text_and_nothing_else() {
    let house = house(false);
    house.add("lead", "lead operator", None);
    let secret = house.session("lead");
    let evil = "\"><script>alert(1)</script><img src=x onerror=alert(2)>";
    let id = house.call(evil, evil);
    for path in [
        "/calls".to_owned(),
        format!("/calls/{id}"),
        "/live".to_owned(),
        format!("/admin/audit?about={}", "%3Cscript%3E"),
    ] {
        let (_, _, body) = house.ask(request(&Method::GET, &path, Some(&secret), "")).await;
        assert!(!body.contains("<script>alert") && !body.contains("<img src=x"), "{path}: {body}");
        assert!(!body.contains(" style=") && !body.contains(" onclick="), "{path}");
    }
    let (_, _, page) = house.ask(request(&Method::GET, &format!("/calls/{id}"), Some(&secret), "")).await;
    assert!(page.contains("&#60;script&#62;alert(1)"), "{page}");
}

/// Agent 8's calls stand in their own list, by kind, a page at a time, and not in that of callers' calls.
#[tokio::test]
async fn calls_that_no_caller_began_have_a_list_of_their_own() {
    let house = house(false);
    house.add("lead", "lead", None);
    house.add("qa", "qa", None);
    let agents_call = |seed: u64, by: AgentsCall| {
        let mut facts = Story::talking(seed).ended(9_000, Reason::CallerHungUp, EndedBy::Caller).facts();
        let What::Offered(offered) = &mut facts[0].what else { panic!("no call") };
        offered.by_agent = Some(by);
        let subject = Subject { id: offered.caller, number: "13912345678".to_owned() };
        let mut writer = Writer::open(house.directory.path(), SubjectKey::new([7; 32])).unwrap();
        writer.append(&facts, &[subject]).unwrap();
        facts[0].call
    };
    let to_colleague = agents_call(1, AgentsCall::Internal { agent: "8".into(), to: Callee::Agent("9".into()) });
    let outside: Vec<CallId> =
        (2..=52).map(|seed| agents_call(seed, AgentsCall::Outbound { agent: "8".into(), quota_ms: None })).collect();
    let (lead, qa) = (house.session("lead"), house.session("qa"));
    let get = async |path: &str, secret| house.ask(request(&Method::GET, path, Some(secret), "")).await.2;
    let internal = get("/calls/apart?kind=internal", &lead).await;
    assert!(internal.contains(&to_colleague.to_string()) && internal.contains(">9</td>"), "{internal}");
    assert!(!outside.iter().any(|call| internal.contains(&call.to_string())), "{internal}");

    let one = get(&format!("/calls/{to_colleague}"), &lead).await;
    assert!(one.contains("8 → 9"), "{one}");

    let first = get("/calls/apart", &lead).await;
    assert!(first.contains("13912345678") && !get("/calls/apart", &qa).await.contains("13912345678"), "{first}");
    let listed = |page: &str| outside.iter().filter(|call| page.contains(&format!("\"/calls/{call}\""))).count();
    assert_eq!(listed(&first), 50);
    let next = first.split("href=\"").find_map(|rest| rest.split('"').next().filter(|to| to.contains("after=")));
    let next = next.expect("another page").replace("&#38;", "&");
    let second = get(&next, &lead).await;
    assert_eq!(listed(&second), 1, "{second}");
    assert!(!second.contains("after="), "{second}");
    let callers = get("/calls", &lead).await;
    assert!(callers.contains("/calls/apart") && listed(&callers) == 0, "{callers}");
}

#[tokio::test]
async fn numbers_are_masked_but_for_those_who_may_see_them_and_exports_are_noted() {
    let house = house(false);
    house.add("lead", "lead", None);
    house.add("qa", "qa", None);
    let id = house.call("=13900000001", CALLER);
    for (name, sees) in [("lead", true), ("qa", false)] {
        let secret = house.session(name);
        for path in ["/calls".to_owned(), format!("/calls/{id}")] {
            let (status, _, body) = house.ask(request(&Method::GET, &path, Some(&secret), "")).await;
            assert_eq!(status, StatusCode::OK, "{body}");
            assert_eq!(body.contains("13900000001"), sees, "{path} as {name}: {body}");
        }
        let (_, headers, csv) =
            house.ask(request(&Method::GET, "/calls.csv?outcome=answered", Some(&secret), "")).await;
        assert!(headers[header::CONTENT_DISPOSITION].to_str().unwrap().starts_with("attachment"));
        let row = csv.lines().nth(1).unwrap();
        assert_eq!(row.contains(",'=13900000001,"), sees, "{row}");
        assert_eq!(row.contains(",'=13****0001,"), !sees, "{row}");
    }
    let rows = Reader::open(house.directory.path()).unwrap().audit(None, None, 10).unwrap();
    let exports: Vec<&str> =
        rows.iter().filter(|row| row.what == "calls.exported").map(|row| row.who.as_str()).collect();
    assert_eq!(exports, ["qa", "lead"]);
}

#[tokio::test]
async fn todays_level_on_the_board_is_the_reports() {
    let house = house(false);
    house.add("lead", "lead", None);
    for seed in 0..3 {
        let story = Story::talking(seed).ended(9_000, Reason::CallerHungUp, EndedBy::Caller);
        house.write(&story.at(9_050, story::recording_ok(4_999)).facts());
    }
    house.write(&Story::new(8).at(1_000, What::Ring).ended(8_000, Reason::CallerCancelled, EndedBy::Caller).facts());
    house.write(&Story::talking(9).facts());
    let records = Reader::open(house.directory.path())
        .unwrap()
        .records_between(None, Wall::from_micros(0), Wall::from_micros(i64::MAX))
        .unwrap();
    let figures = Figures::of(&records.iter().collect::<Vec<_>>());
    assert_eq!((figures.service_level.count, figures.service_level.n), (4, 5));
    let secret = house.session("lead");
    let (_, _, body) = house.ask(request(&Method::GET, "/live", Some(&secret), "")).await;
    assert!(body.contains(">80.0 %<") && body.contains(">4 / 5<"), "{body}");
}

#[tokio::test]
async fn whoever_takes_a_callback_sees_the_number() {
    let house = house(false);
    house.add("wang", "agent", None);
    house.add("li", "agent", None);
    let mut facts = Story::new(5).ended(20_000, Reason::CallerCancelled, EndedBy::Caller).facts();
    let What::Offered(offered) = &mut facts[0].what else { panic!("no call") };
    offered.callback = Some(CallbackRule { within_ms: 1, attempts: 3 });
    let subject = Subject { id: offered.caller, number: "13900001234".to_owned() };
    let mut writer = Writer::open(house.directory.path(), SubjectKey::new([7; 32])).unwrap();
    writer.append(&facts, &[subject]).unwrap();
    let (wang, li, id) = (house.session("wang"), house.session("li"), facts[0].call);
    let page = async |who: &Secret| house.ask(request(&Method::GET, "/callbacks", Some(who), "")).await.2;
    let post = async |who: &Secret, form: &str| {
        house.ask(request(&Method::POST, &format!("/callbacks/{id}"), Some(who), form)).await.0
    };
    assert!(!page(&wang).await.contains("13900001234"));
    assert_eq!(post(&wang, "do=take").await, StatusCode::SEE_OTHER);
    assert!(page(&wang).await.contains("13900001234"));
    assert!(!page(&li).await.contains("13900001234"));
    assert_eq!(post(&li, "do=reached").await, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(post(&wang, "do=reached&note=all+well").await, StatusCode::SEE_OTHER);
    assert!(!page(&wang).await.contains(&id.to_string()), "it is done");
}
