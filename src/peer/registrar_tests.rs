use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use super::registrar::*;
use crate::clock::{Instant, Now, Wall};
use crate::ids::AgentNo;
use crate::protocol::sip::digest::Secrets;
use crate::protocol::sip::endpoint::{ConnectionId, Flow, Transport};
use crate::protocol::sip::header::Name;
use crate::protocol::sip::message::Request;
use crate::protocol::sip::vocabulary::Method;

const LOCAL: &str = "192.0.2.1:5060";

fn at(seconds: u64) -> Instant {
    Instant::from_millis(seconds * 1_000)
}

fn flow(remote: &str) -> Flow {
    let (local, remote) = (LOCAL.parse().unwrap(), remote.parse().unwrap());
    Flow { transport: Transport::Udp, local, remote, connection: None }
}

fn register(contacts: &[&str], expires: Option<&str>, call_id: &str, cseq: u32) -> Request {
    let mut request = Request::new(Method::REGISTER, "sip:192.0.2.1");
    request.headers.push(Name::CALL_ID, call_id);
    request.headers.push(Name::CSEQ, format!("{cseq} REGISTER"));
    contacts.iter().for_each(|contact| request.headers.push(Name::CONTACT, *contact));
    expires.into_iter().for_each(|expires| request.headers.push(Name::EXPIRES, expires));
    request
}

/// One agent, 8, and whoever registers as 8.
#[derive(Default)]
struct Table {
    registrar: Registrar,
}

impl Table {
    fn take(&mut self, now: u64, contacts: &[&str], expires: Option<&str>, id: (&str, u32)) -> Result<(), Refusal> {
        let request = register(contacts, expires, id.0, id.1);
        self.registrar.register(at(now), &"8".into(), &request, flow("203.0.113.8:40000"))
    }

    /// User and rest of life of each binding.
    fn of(&self, now: u64) -> Vec<(String, u64)> {
        let show = |b: &Binding| (b.contact.host.clone(), b.expires.since(at(now)).as_secs());
        self.registrar.of(at(now), &"8".into()).into_iter().map(show).collect()
    }
}

fn hosts(found: &[(String, u64)]) -> Vec<&str> {
    found.iter().map(|(host, _)| host.as_str()).collect()
}

#[test]
fn how_long_a_binding_lasts() {
    let mut table = Table::default();
    table.take(0, &["<sip:8@h1>;expires=120"], Some("600"), ("a", 1)).unwrap();
    table.take(0, &["<sip:8@h2>"], Some("600"), ("b", 1)).unwrap();
    table.take(0, &["<sip:8@h3>", "<sip:8@h4>;expires=99999999999999"], None, ("c", 1)).unwrap();
    let found = table.of(0);
    assert_eq!(found.iter().map(|(_, s)| *s).collect::<Vec<_>>(), [120, 600, 3_600, 3_600]);
    assert_eq!(table.registrar.poll_timeout().map(|(at, _)| at), Some(at(25)), "keep-alives come first");
    assert_eq!(hosts(&table.of(120)), ["h2", "h3", "h4"], "exactly at its end it is over");
    table.registrar.handle_timeout(at(600));
    assert_eq!((table.registrar.len(), table.registrar.agents()), (2, 1));
    table.registrar.handle_timeout(at(3_600));
    assert!(table.registrar.is_empty() && table.registrar.poll_timeout().is_none());
    assert!(!table.registrar.is_bound("203.0.113.8:40000".parse().unwrap()));
}

#[test]
fn too_brief_is_refused_whole_and_unreadable_is_an_hour() {
    let mut table = Table::default();
    let brief = table.take(0, &["<sip:8@h1>", "<sip:8@h2>;expires=59"], None, ("a", 1));
    assert_eq!((brief, brief.unwrap_err().status()), (Err(Refusal::TooBrief), 423));
    assert!(table.registrar.is_empty());
    table.take(0, &["<sip:8@h1>;expires=soon"], Some("60"), ("a", 1)).unwrap();
    assert_eq!(table.of(0), [("h1".to_owned(), 3_600)]);
}

#[test]
fn refreshing_ending_and_ending_all() {
    let mut table = Table::default();
    table.take(0, &["<sip:8@h1>"], Some("100"), ("a", 1)).unwrap();
    table.take(50, &["<sip:8@H1:5060;transport=UDP>"], Some("100"), ("a", 2)).unwrap();
    assert_eq!(table.of(50), [("H1".to_owned(), 100)]);
    table.take(50, &["<sip:8@h2>"], Some("100"), ("b", 1)).unwrap();
    table.take(60, &["<sip:8@h1>;expires=0"], None, ("a", 3)).unwrap();
    assert_eq!(hosts(&table.of(60)), ["h2"]);
    for (contacts, expires) in [(&["*"][..], None), (&["*"], Some("60")), (&["*", "<sip:8@h>"], Some("0"))] {
        assert_eq!(table.take(60, contacts, expires, ("x", 1)), Err(Refusal::BadContact));
    }
    table.take(60, &["*"], Some("0"), ("x", 2)).unwrap();
    assert!(table.registrar.is_empty());
    table.take(60, &[], None, ("x", 3)).unwrap();
}

#[test]
fn an_older_request_that_comes_late_changes_nothing() {
    let mut table = Table::default();
    table.take(0, &["<sip:8@h1>"], Some("100"), ("a", 7)).unwrap();
    for (contacts, expires, cseq) in
        [(&["<sip:8@h1>"][..], "600", 7), (&["<sip:8@h9>", "<sip:8@h1>"], "600", 6), (&["*"], "0", 7)]
    {
        assert_eq!(table.take(1, contacts, Some(expires), ("a", cseq)), Err(Refusal::OutOfOrder));
    }
    assert_eq!(table.of(0), [("h1".to_owned(), 100)]);
    table.take(1, &["<sip:8@h1>"], Some("200"), ("restarted", 1)).unwrap();
    assert_eq!(table.of(1), [("h1".to_owned(), 200)]);
}

#[test]
fn the_phone_heard_longest_ago_makes_room_and_a_device_has_one_place() {
    let mut table = Table::default();
    for n in 0..8 {
        table.take(n, &[&format!("<sip:8@h{n}>")], None, ("a", u32::try_from(n).unwrap() + 1)).unwrap();
    }
    assert_eq!(hosts(&table.of(8)), ["h3", "h4", "h5", "h6", "h7"]);
    let many: Vec<String> = (0..6).map(|n| format!("<sip:8@m{n}>")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert_eq!(table.take(8, &many, None, ("b", 1)), Err(Refusal::BadContact));
    table.take(9, &["*"], Some("0"), ("c", 1)).unwrap();
    table.take(9, &["<sip:8@old:1>;+sip.instance=\"<urn:uuid:1>\""], None, ("d", 1)).unwrap();
    table.take(9, &["<sip:8@new:2>;+sip.instance=\"<urn:uuid:1>\""], None, ("e", 1)).unwrap();
    assert_eq!(hosts(&table.of(9)), ["new"]);
}

#[test]
fn preference_orders_and_nonsense_is_refused() {
    let mut table = Table::default();
    let contacts = ["<sip:8@h1>;q=0.2", "<sip:8@h2>;q=1.0", "<sip:8@h3>;q=0.25", "<sip:8@h4>;q=7"];
    table.take(0, &contacts, None, ("a", 1)).unwrap();
    assert_eq!(hosts(&table.of(0)), ["h2", "h4", "h3", "h1"]);
    for bad in ["<tel:8>", "<mailto:a@h>", "8", "<sip:8@h", "\"*\""] {
        assert_eq!(table.take(0, &[bad], None, ("b", 1)), Err(Refusal::BadContact), "{bad}");
    }
}

#[test]
fn phones_behind_nat_are_kept_awake_and_others_are_not() {
    let mut table = Table::default();
    table.take(0, &["<sip:8@203.0.113.8:40000>"], None, ("a", 1)).unwrap();
    assert!(table.registrar.handle_timeout(at(25)).is_empty());
    table.take(30, &["<sip:8@10.0.0.8:5060>"], None, ("b", 1)).unwrap();
    for beat in 1..4 {
        let due = table.registrar.handle_timeout(at(30 + 25 * beat));
        assert_eq!(due.iter().map(|b| b.contact.host.as_str()).collect::<Vec<_>>(), ["10.0.0.8"]);
        assert_eq!(due[0].flow.remote, "203.0.113.8:40000".parse::<SocketAddr>().unwrap());
    }
    assert!(table.registrar.is_bound("203.0.113.8:40000".parse().unwrap()));
    assert!(!table.registrar.is_bound("203.0.113.8:40001".parse().unwrap()));
}

#[test]
fn what_fits_outlives_a_restart() {
    let mut table = Table::default();
    let agent = AgentNo::from("8");
    table.take(0, &["<sip:8@10.0.0.8>;q=0.5"], Some("100"), ("a", 4)).unwrap();
    table.take(0, &["<sip:8@10.0.0.9>"], Some("60"), ("b", 1)).unwrap();
    let tcp = Flow { transport: Transport::Tcp, connection: Some(ConnectionId(1)), ..flow("203.0.113.8:2") };
    let other = register(&["<sip:8@10.0.0.7;transport=tcp>"], None, "c", 1);
    table.registrar.register(at(0), &agent, &other, tcp).unwrap();
    let wall = |s: i64| Wall::from_micros(1_795_000_000_000_000 + s * 1_000_000);
    let saved = table.registrar.saved(Now { mono: at(10), wall: wall(10) });
    let text = serde_json::to_string(&saved).unwrap();
    let saved: Vec<Saved> = serde_json::from_str(&text).unwrap();
    assert_eq!(saved.len(), 2, "a connection does not outlive the process");
    let settings = Settings {
        realm: "r".into(),
        algorithms: Vec::new(),
        accounts: BTreeMap::from([(agent.clone(), Secrets::default())]),
    };
    let listen = [(Transport::Udp, LOCAL.parse().unwrap())];
    let restored = |wall_s, settings: &Settings, listen: &[(Transport, SocketAddr)]| {
        let mut registrar = Registrar::default();
        registrar.restore(Now { mono: at(1), wall: wall(wall_s) }, saved.clone(), settings, listen);
        registrar
    };
    let mut again = restored(70, &settings, &listen);
    let found = again.of(at(1), &agent);
    assert_eq!(
        found.iter().map(|b| (b.q, b.expires.since(at(1)))).collect::<Vec<_>>(),
        [(500, Duration::from_secs(30))]
    );
    let late = register(&["<sip:8@10.0.0.8>"], None, "a", 4);
    assert_eq!(again.register(at(2), &agent, &late, flow("203.0.113.8:40000")), Err(Refusal::OutOfOrder));
    assert!(restored(70, &Settings::default(), &listen).is_empty(), "an agent who is gone");
    assert!(restored(70, &settings, &[]).is_empty(), "a socket that is gone");
    assert!(restored(-9_999, &settings, &listen).is_empty(), "a clock that went back");
}
