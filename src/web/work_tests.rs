//! What people do at the console, asked from outside: notes, reports, links, recordings of one's own.

use super::*;

/// Fields of a note's form, the call's number untouched.
fn note_form(call: &str, text: &str) -> String {
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.append_pair("call", call).append_pair("hotline", "property").append_pair("class", "complaint");
    form.append_pair("name", text).append_pair("content", text).append_pair("promise", text);
    form.append_pair("promised", "2026-11-21T18:00").append_pair("caller", "13900000001").finish()
}

#[tokio::test]
async fn a_note_goes_from_the_agents_desk_to_whoever_settles_it() {
    let house = house(false);
    for role in ["agent", "lead", "qa", "operator"] {
        house.add(role, role, None);
    }
    let id = house.call("13900000001", CALLER).to_string();
    let evil = "\"><script>alert(1)</script><img src=x onerror=alert(2)>";
    let agent = house.session("agent");
    let (_, _, desk) = house.ask(request(&Method::GET, "/agent", Some(&agent), "")).await;
    assert!(
        desk.contains(&format!("name=\"call\" value=\"{id}\"")) && desk.contains("value=\"13900000001\""),
        "{desk}"
    );
    let post = |path: &str, secret: &Secret, form: &str| request(&Method::POST, path, Some(secret), form);
    let (status, headers, body) = house.ask(post("/notes", &agent, &note_form(&id, evil))).await;
    assert_eq!((status, location(&headers)), (StatusCode::SEE_OTHER, "/notes/1"), "{body}");
    let twice = house.ask(post("/notes", &agent, &note_form(&id, evil))).await;
    assert_eq!(twice.0, StatusCode::UNPROCESSABLE_ENTITY);
    let (_, headers, _) = house.ask(request(&Method::GET, &format!("/notes/new?call={id}"), Some(&agent), "")).await;
    assert_eq!(location(&headers), "/notes/1", "a call is noted once");
    for (name, sees) in [("agent", true), ("lead", true), ("qa", false)] {
        let secret = house.session(name);
        let mut paths = vec!["/notes".to_owned(), "/notes?show=all&q=%3Cscript%3E".into(), "/notes/1".into()];
        if name != "agent" {
            paths.extend([format!("/calls/{id}"), "/calls?note=%3Cscript%3E".into()]);
        }
        for path in paths {
            let (status, _, body) = house.ask(request(&Method::GET, &path, Some(&secret), "")).await;
            assert_eq!(status, StatusCode::OK, "{path} as {name}: {body}");
            assert!(!body.contains("<script>alert") && !body.contains("<img src=x"), "{path} as {name}: {body}");
            assert!(!path.starts_with("/notes") || body.contains("13900000001") == sees, "{path} as {name}: {body}");
            assert!(path.starts_with("/calls?") || body.contains("20261121-8-001"), "{path} as {name}: {body}");
        }
        let (status, ..) = house.ask(post("/notes/1/step/hand-on", &secret, "to=9&text=x")).await;
        assert_eq!(status != StatusCode::FORBIDDEN, name != "qa", "{name}");
    }
    let lead = house.session("lead");
    assert_eq!(house.ask(post("/notes/1/step/hand-on", &lead, "to=77")).await.0, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(house.ask(post("/notes/1/step/change", &lead, &note_form("", "x"))).await.0, StatusCode::SEE_OTHER);
    assert_eq!(house.ask(post("/notes/1/step/done", &lead, "text=%E5%A5%BD")).await.0, StatusCode::SEE_OTHER);
    let people = People::open(house.directory.path()).unwrap();
    let note = people.call_note(1).unwrap().unwrap();
    assert_eq!((note.words.content.as_str(), note.words.caller, note.holder), ("x", None, Some("9".into())));
    assert_eq!(note.done, Some(now().wall));
    // Six in the evening in Shanghai comes before the end of the day's 24 hours.
    assert_eq!(note.due.to_string(), "2026-11-21T10:00:00.000Z");
}

#[tokio::test]
async fn what_cannot_be_noted_is_told() {
    let house = house(false);
    house.add("agent", "agent", None);
    let agent = house.session("agent");
    let theirs = {
        let story =
            Story::new(9).at(20, What::AgentInvited { attempt: 1, agent: story::agent("9") }).at(1_000, What::Ring);
        let story =
            story.at(4_000, What::AgentAnswered { attempt: 1, agent: story::agent("9") }).at(4_001, What::Connected);
        let facts = story.ended(9_000, Reason::CallerHungUp, EndedBy::Caller).facts();
        house.write(&facts);
        facts[0].call.to_string()
    };
    let good = "hotline=property&class=inquiry&content=x&caller=139";
    for (form, status) in [
        (good.to_owned(), StatusCode::SEE_OTHER),
        (good.replace("class=inquiry", "class=nonsense"), StatusCode::UNPROCESSABLE_ENTITY),
        (good.replace("content=x", "content=+"), StatusCode::UNPROCESSABLE_ENTITY),
        (good.replace("caller=139", "caller=abc"), StatusCode::UNPROCESSABLE_ENTITY),
        (good.replace("caller=139", ""), StatusCode::UNPROCESSABLE_ENTITY),
        (good.replace("caller=139", "settled=yes"), StatusCode::SEE_OTHER),
        (good.replace("property", "nowhere"), StatusCode::UNPROCESSABLE_ENTITY),
        (format!("{good}&promised=2026-11-21T09:00"), StatusCode::UNPROCESSABLE_ENTITY),
        (format!("{good}&promised=soon"), StatusCode::UNPROCESSABLE_ENTITY),
        (format!("{good}&promise=x"), StatusCode::UNPROCESSABLE_ENTITY),
        (format!("{good}&call={theirs}"), StatusCode::UNPROCESSABLE_ENTITY),
        (format!("{good}&call=x"), StatusCode::NOT_FOUND),
    ] {
        let (found, _, body) = house.ask(request(&Method::POST, "/notes", Some(&agent), &form)).await;
        assert_eq!(found, status, "{form}: {body}");
    }
}

#[tokio::test]
async fn what_was_left_over_is_looked_at_first() {
    let house = house(false);
    house.add("agent", "agent", None);
    let agent = house.session("agent");
    let home = || request(&Method::GET, "/", Some(&agent), "");
    assert_eq!(location(&house.ask(home()).await.1), "/agent");
    let yesterday = Wall::from_micros(now().wall.as_micros() - 86_400_000_000);
    let words = crate::notes::Words { class: "inquiry".into(), content: "电梯".into(), ..Default::default() };
    let new = crate::store::notes::NewNote {
        day: jiff::civil::date(2026, 11, 20),
        agent: "9".into(),
        hotline: "property".into(),
        call: None,
        words,
        due: now().wall,
        settled: false,
    };
    People::open(house.directory.path()).unwrap().write_note(&new, "li", yesterday).unwrap();
    let (_, headers, _) = house.ask(home()).await;
    assert_eq!(location(&headers), "/notes?show=carried");
    let list = || request(&Method::GET, "/notes?show=carried", Some(&agent), "");
    let (_, _, body) = house.ask(list()).await;
    assert!(body.contains("id=\"unseen\"") && body.contains("20261120-9-001"), "{body}");
    assert_eq!(house.ask(request(&Method::POST, "/notes/seen", Some(&agent), "")).await.0, StatusCode::SEE_OTHER);
    let (_, _, body) = house.ask(list()).await;
    assert!(!body.contains("id=\"unseen\"") && body.contains("20261120-9-001"), "{body}");
    assert_eq!(location(&house.ask(home()).await.1), "/agent");
}

#[tokio::test]
async fn a_report_is_shown_closed_and_computed_again() {
    let house = house(false);
    house.add("lead", "lead", None);
    house.add("qa", "qa", None);
    for seed in 0..3 {
        let facts = Story::offered(seed, Wall::from_micros(now().wall.as_micros() - 86_400_000_000), "property");
        let facts = facts.at(20, What::AgentInvited { attempt: 1, agent: story::agent("8") }).at(1_000, What::Ring);
        let facts = facts.answered(4_000).ended(64_000, Reason::CallerHungUp, EndedBy::Caller).facts();
        house.write(&facts);
    }
    let text = include_str!("../../dialplans/scorecards/appraisal.toml");
    let form = crate::qa::form::read("form", text.as_bytes(), |_| true).0.unwrap();
    let by = crate::store::qa::By { who: "test", at: now().wall };
    crate::store::qa::Inspection::open(house.directory.path()).unwrap().publish(&form, text, by).unwrap();
    let lead = house.session("lead");
    let get = |path: &str, secret: &Secret| request(&Method::GET, path, Some(secret), "");
    for (path, status) in [
        ("/reports", StatusCode::OK),
        ("/reports/day/2026-11-20", StatusCode::OK),
        ("/reports/week/2026-11-20", StatusCode::OK),
        ("/reports/month/2026-11", StatusCode::OK),
        ("/reports/year/2026-11-20", StatusCode::NOT_FOUND),
        ("/reports/day/2026-02-30", StatusCode::NOT_FOUND),
        ("/reports/day/2026-11-20/xls", StatusCode::NOT_FOUND),
    ] {
        let (found, _, body) = house.ask(get(path, &lead)).await;
        assert_eq!(found, status, "{path}: {body}");
        assert!(!body.contains(" style="), "{path}");
    }
    let (_, headers, _) = house.ask(get("/reports?span=month&date=2026-11-20", &lead)).await;
    assert_eq!(location(&headers), "/reports/month/2026-11");
    let close = |path: &str, secret: &Secret| request(&Method::POST, path, Some(secret), "");
    let today = house.ask(close("/reports/day/2026-11-21/close", &lead)).await;
    assert_eq!(today.0, StatusCode::UNPROCESSABLE_ENTITY);
    let (status, headers, body) = house.ask(close("/reports/day/2026-11-20/close", &lead)).await;
    assert_eq!((status, location(&headers)), (StatusCode::SEE_OTHER, "/reports/day/2026-11-20"), "{body}");
    let qa = house.session("qa");
    let (_, _, page) = house.ask(get("/reports/day/2026-11-20?again", &qa)).await;
    assert!(page.contains("完全一致") && page.contains("100.0 % (3/3)") && page.contains("下"), "{page}");
    let (_, headers, json) = house.ask(get("/reports/day/2026-11-20/json", &qa)).await;
    assert!(headers[header::CONTENT_DISPOSITION].to_str().unwrap().contains("report-day-2026-11-20.json"));
    let kept = Reader::open(house.directory.path()).unwrap().all_frozen(9).unwrap();
    assert_eq!((kept.len(), json.as_str()), (1, kept[0].content.as_str()));
    let (_, _, csv) = house.ask(get("/reports/day/2026-11-20/csv", &qa)).await;
    assert!(
        csv.contains("\r\ncalls.total.offered,3\r\n") && csv.contains("calls.total.service_level.count,3"),
        "{csv}"
    );
}

#[tokio::test]
async fn who_was_there_of_rostered_time_stands_in_the_report_and_a_refusal_in_the_readers_language() {
    let house = house(false);
    house.add("lead", "lead", None);
    let lead = house.session("lead");
    let content = serde_json::json!({ "calls": { "agents": {
        "8": { "duty": { "rostered_ms": 7_200_000, "rostered_there_ms": 5_400_000 } },
        "9": { "duty": { "ready_ms": 7_200_000 } },
    } } });
    let day = crate::report::Period::holding(crate::report::Span::Day, "2026-11-19".parse().unwrap()).unwrap();
    let over = Wall::from_micros(now().wall.as_micros() - 1);
    let mut people = People::open(house.directory.path()).unwrap();
    people.close_report(day, over, content.to_string(), "lead", now().wall).unwrap();
    let asked = |method: &Method, language: &str| {
        let path = if *method == Method::POST { "/reports/day/2026-11-19/close" } else { "/reports/day/2026-11-19" };
        let mut asked = request(method, path, Some(&lead), "");
        asked.headers_mut().insert(header::ACCEPT_LANGUAGE, language.parse().unwrap());
        asked
    };
    for (language, head, again) in [
        ("zh-CN", "出勤率", "2026-11-19 的报表已经封存"),
        ("en", "Attendance", "The report of 2026-11-19 is closed already"),
    ] {
        let (_, _, page) = house.ask(asked(&Method::GET, language)).await;
        assert!(page.contains(head) && page.matches("75.0 % (2:00:00)").count() == 1, "{page}");
        let (status, _, page) = house.ask(asked(&Method::POST, language)).await;
        assert!(status == StatusCode::UNPROCESSABLE_ENTITY && page.contains(again), "{status} {page}");
    }
}

fn key_of(page: &str) -> String {
    page.split("/link?key=").nth(1).and_then(|rest| rest.get(..64)).expect("a link").to_owned()
}

#[tokio::test]
async fn a_link_sets_a_password_logs_nobody_in_and_is_told_to_its_owner() {
    let house = house(false);
    house.add("root", "admin", None);
    house.add("wang", "qa", Some(password::hash(PASSWORD).unwrap()));
    let (root, wang) = (house.session("root"), house.session("wang"));
    let (_, _, page) = house.ask(request(&Method::POST, "/admin/people/wang", Some(&root), "do=link")).await;
    let key = key_of(&page);
    let (_, _, form) = house.ask(request(&Method::GET, &format!("/link?key={key}"), None, "")).await;
    assert!(form.contains("name=\"again\""), "{form}");
    let follow = |password: &str, again: &str| {
        request(&Method::POST, "/link", None, &format!("key={key}&password={password}&again={again}"))
    };
    assert_eq!(house.ask(follow("another-password", "x")).await.0, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(house.ask(follow("short", "short")).await.0, StatusCode::UNPROCESSABLE_ENTITY);
    let (status, headers, body) = house.ask(follow("another-password", "another-password")).await;
    assert_eq!((status, location(&headers)), (StatusCode::SEE_OTHER, "/login"), "{body}");
    assert!(!headers.contains_key(header::SET_COOKIE), "nobody is logged in by it");
    assert_eq!(house.ask(follow("another-password", "another-password")).await.0, StatusCode::UNPROCESSABLE_ENTITY);
    let home = |secret: &Secret| request(&Method::GET, "/account", Some(secret), "");
    assert_eq!(house.ask(home(&wang)).await.0, StatusCode::SEE_OTHER, "the old session is over");
    let (_, _, account) = house.ask(home(&house.session("wang"))).await;
    assert!(account.contains("id=\"by-link\"") && account.contains("root"), "{account}");
    let rows = Reader::open(house.directory.path()).unwrap().audit(Some("wang"), None, 9).unwrap();
    let used = rows.iter().find(|row| row.what == "person.password_by_link").unwrap();
    assert_eq!((used.who.as_str(), used.details.as_str()), ("wang", "{\"link_of\":\"root\"}"));
    assert!(rows.iter().any(|row| row.what == "person.link" && row.who == "root"));
    // Who is new had no password that could have been replaced.
    house.add("li", "qa", None);
    let (_, _, page) = house.ask(request(&Method::POST, "/admin/people/li", Some(&root), "do=link")).await;
    let body = format!("key={}&password=a-good-password&again=a-good-password", key_of(&page));
    assert_eq!(house.ask(request(&Method::POST, "/link", None, &body)).await.0, StatusCode::SEE_OTHER);
    let (_, _, account) = house.ask(home(&house.session("li"))).await;
    assert!(!account.contains("id=\"by-link\""), "{account}");
}

#[tokio::test]
async fn an_agent_hears_calls_of_his_own_and_no_others() {
    let house = house(false);
    house.add("agent", "agent", None);
    let agent = house.session("agent");
    let id = house.call("13900000001", CALLER);
    let folder = house.directory.path().join("recordings/2026/11/21/02");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("5.wav"), [7; 100]).unwrap();
    let sound = |id: &str| request(&Method::GET, &format!("/agent/calls/{id}/sound"), Some(&agent), "");
    let (status, headers, body) = house.ask(sound(&id.to_string())).await;
    assert_eq!(
        (status, body.len(), headers[header::ACCEPT_RANGES].to_str().ok()),
        (StatusCode::OK, 100, Some("bytes"))
    );
    let rows = Reader::open(house.directory.path()).unwrap().audit(Some(&id.to_string()), None, 9).unwrap();
    let heard = rows.iter().any(|row| row.what == "recording.listened" && row.who == "agent");
    assert!(heard, "each listen is noted: {rows:?}");
    let facts =
        Story::new(9).at(1_000, What::Ring).at(4_000, What::AgentAnswered { attempt: 1, agent: story::agent("9") });
    let facts = facts.at(4_001, What::Connected).ended(9_000, Reason::CallerHungUp, EndedBy::Caller).facts();
    house.write(&facts);
    assert_eq!(house.ask(sound(&facts[0].call.to_string())).await.0, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn a_prompt_is_replaced_by_an_admin_and_the_deed_is_noted() {
    let house = house(false);
    house.add("root", "admin", None);
    let root = house.session("root");
    let path = "/admin/prompts/sound?language=zh-CN&file=greet/property/8.wav";
    let sound =
        |n: u32| crate::io::dialplans::BuiltIn::get(&format!("prompts/zh-CN/greet/property/{n}.wav")).unwrap().data;
    let send = |bytes: Vec<u8>, token: &str| {
        let request = Request::builder().method(Method::POST).uri(path).header("sec-fetch-site", "same-origin");
        let request = request.header(header::COOKIE, format!("sid={}", root.hex())).header("x-token", token);
        request.header(header::CONTENT_TYPE, "audio/wav").body(Body::from(bytes)).unwrap()
    };
    let token = root.form_token();
    assert_eq!(house.ask(send(sound(9).into_owned(), "")).await.0, StatusCode::UNPROCESSABLE_ENTITY);
    let (status, _, body) = house.ask(send(b"nonsense".to_vec(), &token)).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{body}");
    let too_long = house.ask(send(vec![0; crate::limits::UPLOAD_BYTES + 1], &token)).await;
    assert_eq!(too_long.0, StatusCode::UNPROCESSABLE_ENTITY);
    let (status, _, body) = house.ask(send(sound(9).into_owned(), &token)).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    let own = house.directory.path().join("dialplans/prompts/zh-CN/greet/property/8.wav");
    assert_eq!(std::fs::read(own).unwrap(), sound(9).into_owned());
    let (_, _, page) = house.ask(request(&Method::GET, "/admin/prompts?q=property/8.wav", Some(&root), "")).await;
    assert!(page.contains("data-upload") && page.contains("自有"), "{page}");
    let rows =
        Reader::open(house.directory.path()).unwrap().audit(Some("zh-CN/greet/property/8.wav"), None, 9).unwrap();
    assert_eq!(rows.iter().map(|row| row.what.as_str()).collect::<Vec<_>>(), ["prompt.replaced"]);
}

#[tokio::test]
async fn a_call_with_a_reason_is_heard_by_somebody_and_given_to_another() {
    let house = house(false);
    house.add("lead", "lead", None);
    for name in ["li", "wang", "zhao"] {
        let new = NewPerson {
            name: name.to_owned(),
            shown: String::new(),
            roles: "qa".to_owned(),
            agent: (name == "li").then(|| "8".to_owned()),
            password: None,
        };
        People::open(house.directory.path()).unwrap().add(&new, "test", now().wall).unwrap();
    }
    let story = Story::talking(3).ended(90_000, Reason::AgentHungUp, EndedBy::Agent);
    let facts = story.at(90_050, story::recording_ok(85_999)).facts();
    house.write(&facts);
    let (id, lead) = (facts[0].call, house.session("lead"));
    let list = || request(&Method::GET, "/qa/targeted?m=2026-11", Some(&lead), "");
    let (_, _, page) = house.ask(list()).await;
    assert!(page.contains(&format!("/calls/{id}")) && page.contains("接待员先挂机"), "{page}");
    let pick = |call: &CallId, scorer: &str| {
        request(&Method::POST, "/qa/targeted", Some(&lead), &format!("call={call}&scorer={scorer}"))
    };
    assert_eq!(house.ask(pick(&id, "li")).await.0, StatusCode::UNPROCESSABLE_ENTITY, "nobody hears his own call");
    assert_eq!(house.ask(pick(&id, "lead")).await.0, StatusCode::UNPROCESSABLE_ENTITY);
    let (status, headers, body) = house.ask(pick(&id, "wang")).await;
    assert_eq!((status, location(&headers)), (StatusCode::SEE_OTHER, "/qa/targeted?m=2026-11"), "{body}");
    let (_, _, page) = house.ask(list()).await;
    assert!(page.contains("已安排"), "{page}");
    let hearings = || request(&Method::GET, "/qa/hearings?of=wang", Some(&lead), "");
    let (_, _, page) = house.ask(hearings()).await;
    assert!(page.contains("name=\"review\" value=\"1\"") && page.contains("<option>zhao</option>"), "{page}");
    let give = |form: &str| request(&Method::POST, "/qa/give", Some(&lead), form);
    for refused in ["review=1&scorer=li&reason=absent", "review=1&scorer=wang&reason=absent", "review=1&scorer=zhao"] {
        assert_eq!(house.ask(give(refused)).await.0, StatusCode::UNPROCESSABLE_ENTITY, "{refused}");
    }
    assert_eq!(house.ask(give("review=1&scorer=zhao&reason=workload")).await.0, StatusCode::SEE_OTHER);
    let (_, _, page) = house.ask(hearings()).await;
    assert!(page.contains("任务过多") && !page.contains("name=\"review\""), "{page}");
    let all = request(&Method::POST, "/qa/give-all", Some(&lead), "from=zhao&reason=absent");
    let (status, _, page) = house.ask(all).await;
    assert!(status == StatusCode::OK && page.contains("已转出 1 通"), "{page}");
    let store = crate::store::qa::Inspection::open_to_read(house.directory.path()).unwrap();
    let review = store.review(1).unwrap().unwrap();
    assert_eq!((review.pool.to_string().as_str(), review.scorer.as_deref()), ("targeted", Some("wang")));
    let given = store.given(9).unwrap();
    assert_eq!(given.iter().map(|one| one.reason.as_str()).collect::<Vec<_>>(), ["absent", "workload"]);
}
