//! A registrar by hand, in virtual time.

use super::*;
use crate::protocol::sip::endpoint::Transport;
use crate::protocol::sip::header::Headers;

const REALM: &str = r#"Digest realm="carrier", nonce="n", qop="auth", algorithm=MD5"#;

struct Line {
    registration: Registration,
    random: Random,
    now: Instant,
    targets: Vec<(Target, String)>,
}

fn target(last: u8) -> (Target, String) {
    let address = SocketAddr::from(([192, 0, 2, last], 5060));
    (Target { transport: Transport::Udp, address }, "<sip:1000@203.0.113.1:5060>".to_owned())
}

impl Line {
    fn new(targets: &[u8]) -> Line {
        let mut random = Random::from_number(1);
        let account = Account { username: "1000".into(), password: "secret".into(), realm: None };
        let server = Uri::parse("sip:carrier.example").unwrap();
        let settings = Settings { server, account, expires_s: 3_600 };
        let registration = Registration::new(settings, Instant::START, &mut random);
        Line { registration, random, now: Instant::START, targets: targets.iter().copied().map(target).collect() }
    }

    /// Lets time pass to the next thing that happens.
    fn next(&mut self) -> Option<Ask> {
        self.now = self.now.max(self.registration.poll_timeout().unwrap());
        self.registration.handle_timeout(self.now, || self.targets.clone(), &mut self.random)
    }

    fn answer(&mut self, status: u16, fields: &[(&str, &str)]) -> Option<Ask> {
        self.answer_from(1, status, fields)
    }

    fn answer_from(&mut self, last: u8, status: u16, fields: &[(&str, &str)]) -> Option<Ask> {
        let mut headers = Headers::default();
        fields.iter().for_each(|(name, value)| headers.push(Name::parse(name.as_bytes()).unwrap(), *value));
        let response = Response { status, reason: String::new(), headers, body: Vec::new() };
        let source = target(last).0.address;
        self.registration.handle_answer(self.now, Some((source, &response)), &mut self.random)
    }

    fn waits_s(&self) -> u64 {
        self.registration.poll_timeout().unwrap().since(self.now).as_secs()
    }
}

fn header(ask: &Ask, name: &Name) -> Option<String> {
    ask.headers.iter().find(|(n, _)| n == name).map(|(_, v)| v.clone())
}

#[test]
fn registers_answers_the_challenge_and_comes_again_in_time() {
    let mut line = Line::new(&[1]);
    let first = line.next().unwrap();
    assert_eq!((first.uri.as_str(), first.seq), ("sip:carrier.example", 1));
    assert_eq!(first.to, "<sip:1000@carrier.example>");
    assert_eq!(header(&first, &Name::AUTHORIZATION), None);
    let second = line.answer(401, &[("WWW-Authenticate", REALM)]).unwrap();
    assert_eq!((second.seq, &second.call_id), (2, &first.call_id));
    assert!(header(&second, &Name::AUTHORIZATION).unwrap().contains("username=\"1000\""));
    let contact = ("Contact", "<sip:other@h>;expires=30, <sip:1000@203.0.113.1:5060>;expires=600");
    assert!(line.answer(200, &[contact, ("Service-Route", "<sip:p1;lr>, <sip:p2;lr>")]).is_none());
    let binding = line.registration.binding().unwrap();
    assert_eq!(binding.until, line.now + Duration::from_secs(600));
    assert_eq!(binding.service_route, ["<sip:p1;lr>", "<sip:p2;lr>"]);
    assert!((450..=510).contains(&line.waits_s()), "{} s of 600", line.waits_s());
    let again = line.next().unwrap();
    assert_eq!((again.seq, &again.call_id), (3, &first.call_id));
    assert!(line.registration.binding().is_some(), "it stands while it is renewed");
}

#[test]
fn a_wrong_password_is_not_tried_again_and_again() {
    let mut line = Line::new(&[1]);
    line.next().unwrap();
    line.answer(401, &[("WWW-Authenticate", REALM)]).unwrap();
    assert!(line.answer(401, &[("WWW-Authenticate", REALM)]).is_none());
    assert!((300..=600).contains(&line.waits_s()), "{}", line.waits_s());
    line.next().unwrap();
    assert!(line.answer(403, &[]).is_none());
    assert!((600..=1_200).contains(&line.waits_s()), "{}", line.waits_s());
    line.next().unwrap();
    line.answer(403, &[("Retry-After", "3000 (later)")]);
    assert_eq!(line.waits_s(), 3_000);
}

#[test]
fn stale_nonces_are_replaced_and_strangers_get_no_answer() {
    let mut line = Line::new(&[1]);
    line.next().unwrap();
    line.answer(407, &[("Proxy-Authenticate", REALM)]).unwrap();
    let stale = r#"Digest realm="carrier", nonce="m", qop="auth", stale=true"#;
    let again = line.answer(407, &[("Proxy-Authenticate", stale)]).unwrap();
    assert!(header(&again, &Name::PROXY_AUTHORIZATION).unwrap().contains("nonce=\"m\""));
    let mut line = Line::new(&[1]);
    line.next().unwrap();
    assert!(line.answer_from(66, 401, &[("WWW-Authenticate", REALM)]).is_none(), "another address asks");
    let mut line = Line::new(&[1]);
    line.next().unwrap();
    line.answer(401, &[("WWW-Authenticate", REALM)]).unwrap();
    line.answer(200, &[("Expires", "60")]);
    line.next().unwrap();
    let other = r#"Digest realm="elsewhere", nonce="x", qop="auth""#;
    assert!(line.answer(401, &[("WWW-Authenticate", other)]).is_none(), "another realm than the first");
}

#[test]
fn a_registrar_that_wants_it_longer_gets_it_once() {
    let mut line = Line::new(&[1]);
    line.registration.expires_s = 60;
    line.next().unwrap();
    let longer = line.answer(423, &[("Min-Expires", "300")]).unwrap();
    assert_eq!(header(&longer, &Name::EXPIRES).as_deref(), Some("300"));
    assert!(line.answer(423, &[("Min-Expires", "300")]).is_none(), "it is that long already");
}

#[test]
fn silence_and_503_lead_to_the_next_target_and_then_to_a_back_off_that_grows() {
    let mut line = Line::new(&[1, 2, 3]);
    let address = |ask: Option<Ask>| ask.unwrap().destination.ip().to_string();
    assert_eq!(address(line.next()), "192.0.2.1");
    assert_eq!(address(line.answer(503, &[])), "192.0.2.2");
    let before = line.now;
    assert_eq!(address(line.next()), "192.0.2.3");
    assert_eq!(line.now.since(before), FAILOVER);
    assert_eq!(line.registration.poll_timeout(), Some(line.now + PATIENCE), "nobody is left to ask");
    assert!(line.registration.handle_answer(line.now, None, &mut line.random).is_none());
    let mut waits = Vec::new();
    for _ in 0..8 {
        waits.push(line.waits_s());
        line.next().unwrap();
        line.answer(500, &[]);
        line.next();
        line.next();
    }
    for (nth, wait) in waits.iter().enumerate() {
        let most = (60 << nth).min(1_800);
        assert!((most / 2..=most).contains(wait), "{waits:?}");
    }
}

#[test]
fn a_registration_that_cannot_be_renewed_ends() {
    let mut line = Line::new(&[1]);
    line.next().unwrap();
    line.answer(200, &[("Expires", "100")]);
    line.next().unwrap();
    while line.registration.binding().is_some() {
        assert!(line.now <= Instant::from_millis(100_000));
        line.next();
    }
    assert_eq!(line.now, Instant::from_millis(100_000));
}

#[test]
fn without_a_target_it_waits_for_the_name_and_a_broken_way_is_left_at_once() {
    let mut line = Line::new(&[]);
    assert!(line.next().is_none());
    line.targets = vec![target(1)];
    assert!(line.next().is_some());
    assert!(line.now <= Instant::from_millis(500));
    line.answer(200, &[("Expires", "3600")]);
    line.registration.hurry(line.now);
    assert_eq!(line.registration.poll_timeout(), Some(line.now));
}

fn registered(line: &mut Line) {
    line.next().unwrap();
    line.answer(401, &[("WWW-Authenticate", REALM)]).unwrap();
    assert!(line.answer(200, &[("Expires", "600")]).is_none());
}

#[test]
fn a_refresh_proves_itself_unasked_to_the_one_who_has_asked_before() {
    let mut line = Line::new(&[1, 2]);
    registered(&mut line);
    for nc in ["nc=00000002", "nc=00000003"] {
        let refresh = line.next().unwrap();
        let proof = header(&refresh, &Name::AUTHORIZATION).unwrap();
        assert!(proof.contains(nc) && proof.contains("nonce=\"n\""), "{proof}");
        assert!(line.answer(200, &[("Expires", "600")]).is_none(), "one round trip");
    }
    // A nonce that is over is challenged, and the new one is used from then on.
    line.next().unwrap();
    let fresh = r#"Digest realm="carrier", nonce="m", qop="auth", stale=true"#;
    let again = line.answer(401, &[("WWW-Authenticate", fresh)]).unwrap();
    assert!(header(&again, &Name::AUTHORIZATION).unwrap().contains("nonce=\"m\""));
    line.answer(200, &[("Expires", "600")]);
    assert!(header(&line.next().unwrap(), &Name::AUTHORIZATION).unwrap().contains("nc=00000002"));
    // Another machine has not asked.
    let other = line.answer(503, &[]).unwrap();
    assert_eq!(other.destination.ip().to_string(), "192.0.2.2");
    assert_eq!(header(&other, &Name::AUTHORIZATION), None);
}

#[test]
fn a_farewell_takes_the_binding_back_and_is_not_waited_for_long() {
    let mut line = Line::new(&[1]);
    registered(&mut line);
    let farewell = line.registration.leave(line.now, &mut line.random).unwrap();
    assert_eq!(header(&farewell, &Name::EXPIRES).as_deref(), Some("0"));
    assert_eq!(header(&farewell, &Name::CONTACT).as_deref(), Some("<sip:1000@203.0.113.1:5060>"));
    assert!(header(&farewell, &Name::AUTHORIZATION).unwrap().contains("nc=00000002"));
    assert!(line.registration.binding().is_none() && line.registration.is_leaving());
    // The nonce was over.
    let fresh = r#"Digest realm="carrier", nonce="m", qop="auth""#;
    let again = line.answer(401, &[("WWW-Authenticate", fresh)]).unwrap();
    assert_eq!((header(&again, &Name::EXPIRES).as_deref(), again.seq), (Some("0"), farewell.seq + 1));
    assert!(line.answer(200, &[]).is_none());
    assert!(line.registration.has_left() && line.registration.poll_timeout().is_none());
    // One who says nothing.
    let mut line = Line::new(&[1]);
    registered(&mut line);
    let began = line.now;
    line.registration.leave(line.now, &mut line.random).unwrap();
    assert!(line.next().is_none());
    assert_eq!((line.now.since(began), line.registration.is_leaving()), (FAREWELL, false));
    // And one where nothing is registered.
    let mut line = Line::new(&[1]);
    line.next().unwrap();
    assert!(line.registration.leave(line.now, &mut line.random).is_none());
    assert!(line.registration.has_left() && !line.registration.is_leaving());
}
