use std::net::IpAddr;
use std::time::Duration;

use super::*;
use crate::clock::Instant;
use crate::ids::Random;
use crate::protocol::sip::header::{Headers, Name};
use crate::protocol::sip::message::Request;
use crate::protocol::sip::vocabulary::Method;

const REALM: &str = "hotline";

fn answer_to(challenge: &str, username: &str, password: &str, covered: &Covered<'_>, cnonce: &str) -> String {
    let challenge = Challenge::parse(challenge.as_bytes()).unwrap();
    let ha1 = Ha1::new(challenge.algorithm, username, &challenge.realm, password);
    challenge.answer(username, &ha1, covered, cnonce, 1).unwrap()
}

fn response_of(authorization: &str) -> String {
    Params::parse(authorization.as_bytes()).unwrap().get("response").unwrap().to_owned()
}

const PAGE: Covered<'_> = Covered { method: "GET", uri: "/dir/index.html", body: b"" };

#[test]
fn rfc_2617_section_3_5() {
    let challenge = r#"Digest realm="testrealm@host.com", qop="auth,auth-int",
        nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", opaque="5ccc069c403ebaf9f0171e9517f40e41""#;
    let answer = answer_to(challenge, "Mufasa", "Circle Of Life", &PAGE, "0a4f113b");
    assert_eq!(response_of(&answer), "6629fae49393a05397450978507c4ef1");
    assert!(answer.ends_with(r#"qop=auth, nc=00000001, opaque="5ccc069c403ebaf9f0171e9517f40e41""#), "{answer}");
}

#[test]
fn rfc_7616_section_3_9_1() {
    let shared = r#"Digest realm="http-auth@example.org", qop="auth, auth-int",
        nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS", "#;
    let cnonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ";
    for (algorithm, response) in [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ] {
        let answer = answer_to(&format!("{shared}algorithm={algorithm}"), "Mufasa", "Circle of Life", &PAGE, cnonce);
        assert_eq!(response_of(&answer), response);
    }
}

#[test]
fn without_qop_as_rfc_2069_by_its_erratum() {
    let challenge = r#"Digest realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093""#;
    let answer = answer_to(challenge, "Mufasa", "CircleOfLife", &PAGE, "unused");
    assert_eq!(response_of(&answer), "1949323746fe6a43ef61f9606e7febea");
    assert!(!answer.contains("cnonce") && !answer.contains("nc="), "{answer}");
}

/// Computed by hand with md5sum and sha256sum from the formulas of RFC 7616 section 3.4.
#[test]
fn integrity_of_the_body_and_session_keys() {
    let covered = Covered { method: "INVITE", uri: "sip:8@h", body: b"v=0\r\n" };
    let answer = |rest: &str| {
        let challenge = format!(r#"Digest realm="r", nonce="n", {rest}"#);
        response_of(&answer_to(&challenge, "u", "p", &covered, "c"))
    };
    assert_eq!(answer(r#"qop="auth-int""#), "7c4d2ba6ef671661898b4238dabf51b8");
    assert_eq!(answer(r#"qop="auth", algorithm=MD5-sess"#), "5b8cdb5caec350792337f4d903f8a32a");
    assert_eq!(
        answer(r#"qop="auth", algorithm=sha-256-SESS"#),
        "52658e80edff4193139059eee6f35b0aff61b339a6183744253001b652ce54ec"
    );
}

#[test]
fn the_strongest_challenge_that_is_understood_is_answered() {
    let mut headers = Headers::default();
    for field in [
        r#"Basic realm="a""#,
        r#"Digest realm="a", nonce="1", algorithm=MD5, qop="auth""#,
        r#"Digest realm="a", nonce="2", algorithm=SHA-512-256, qop="auth""#,
        r#"Digest realm="a", nonce="3", algorithm=SHA-256, qop="auth,auth-int", stale=TRUE"#,
        r#"Digest realm="b", nonce="4", algorithm=SHA-256, qop="auth-conf""#,
        r#"Digest realm="b", nonce="5", qop="auth-int""#,
        r#"Digest realm="b", nonce="6", nonce="7""#,
    ] {
        headers.push(Name::WWW_AUTHENTICATE, field);
    }
    let best = |realm| Challenge::strongest(&headers, &Name::WWW_AUTHENTICATE, realm);
    let found = best(None).unwrap();
    assert_eq!((found.nonce.as_str(), found.qop, found.stale), ("3", Some(Qop::Auth), true));
    let found = best(Some("b")).unwrap();
    assert_eq!((found.nonce.as_str(), found.qop, found.stale), ("5", Some(Qop::AuthInt), false));
    assert_eq!(best(Some("c")), None);
    assert_eq!(Challenge::strongest(&headers, &Name::PROXY_AUTHENTICATE, None), None);
}

/// A phone and the guard it talks to.
struct Scene {
    guard: Guard,
    secrets: Secrets,
    source: IpAddr,
}

impl Scene {
    fn new() -> Scene {
        let guard = Guard::new(REALM, Algorithm::ALL.to_vec(), &mut Random::from_number(1));
        Scene { guard, secrets: Secrets::of_password("8", REALM, "secret"), source: "192.0.2.8".parse().unwrap() }
    }

    fn challenge(&mut self, now: Instant) -> Challenge {
        let all = self.guard.challenges(now, self.source, false, false);
        let mut headers = Headers::default();
        all.into_iter().for_each(|field| headers.push(Name::WWW_AUTHENTICATE, field));
        Challenge::strongest(&headers, &Name::WWW_AUTHENTICATE, Some(REALM)).unwrap()
    }

    fn judge(&mut self, now: Instant, field: &str) -> Verdict {
        let mut request = Request::new(Method::REGISTER, "sip:192.0.2.1;transport=udp");
        request.headers.push(Name::AUTHORIZATION, field);
        let secrets = self.secrets.clone();
        self.guard.judge(now, self.source, &request, |user| (user == "8").then_some(&secrets))
    }
}

fn register(challenge: &Challenge, username: &str, password: &str, nc: u32) -> String {
    let covered = Covered { method: "REGISTER", uri: "sip:192.0.2.1", body: b"" };
    let ha1 = Ha1::new(challenge.algorithm, username, &challenge.realm, password);
    challenge.answer(username, &ha1, &covered, "abc", nc).unwrap()
}

fn right() -> Verdict {
    Verdict::Right { username: "8".to_owned() }
}

#[test]
fn challenges_come_strongest_first_and_a_right_answer_is_right_once() {
    let mut scene = Scene::new();
    let now = Instant::from_millis(5_000);
    let fields = scene.guard.challenges(now, scene.source, true, false);
    assert!(fields[0].contains("SHA-256") && fields[1].contains("MD5"), "{fields:?}");
    assert!(fields.iter().all(|field| field.ends_with(r#"qop="auth", stale=true"#)), "{fields:?}");
    let challenge = scene.challenge(now);
    assert_eq!(scene.judge(now, &register(&challenge, "8", "secret", 2)), right());
    assert_eq!(scene.judge(now, &register(&challenge, "8", "secret", 2)), Verdict::Replayed);
    assert_eq!(scene.judge(now, &register(&challenge, "8", "secret", 1)), Verdict::Replayed);
    assert_eq!(scene.judge(now, &register(&challenge, "8", "secret", 0xffff_fffe)), right());
    assert_eq!(scene.judge(now, &register(&challenge, "8", "wrong", 0xffff_ffff)), Verdict::Wrong);
    assert_eq!(scene.judge(now, &register(&challenge, "9", "secret", 0xffff_ffff)), Verdict::Wrong);
    let weaker = Challenge::parse(fields[1].as_bytes()).unwrap();
    assert_eq!(scene.judge(now, &register(&weaker, "8", "secret", 1)), right());
}

#[test]
fn a_nonce_lives_32_seconds_is_bound_to_its_source_and_is_not_to_be_forged() {
    let mut scene = Scene::new();
    let start = Instant::from_millis(1_000);
    let challenge = scene.challenge(start);
    let answer = |nc| register(&challenge, "8", "secret", nc);
    assert_eq!(scene.judge(start + Duration::from_millis(31_999), &answer(1)), right());
    assert_eq!(scene.judge(start + NONCE_LIFE, &answer(2)), Verdict::Stale);
    assert_eq!(scene.judge(start + NONCE_LIFE, &register(&challenge, "8", "wrong", 3)), Verdict::Wrong);
    scene.source = "192.0.2.9".parse().unwrap();
    assert_eq!(scene.judge(start, &answer(4)), Verdict::Stale);
    for nonce in ["", "0", "zz", &challenge.nonce.replace('0', "1"), &challenge.nonce.to_uppercase()[..40]] {
        let forged = Challenge { nonce: nonce.to_owned(), ..challenge.clone() };
        assert_eq!(scene.judge(start, &register(&forged, "8", "secret", 1)), Verdict::Stale, "{nonce}");
    }
}

#[test]
fn used_nonces_are_forgotten_with_their_lives() {
    let mut scene = Scene::new();
    for second in 0..200 {
        let now = Instant::from_millis(second * 1_000);
        let challenge = scene.challenge(now);
        assert_eq!(scene.judge(now, &register(&challenge, "8", "secret", 1)), right());
        assert!(scene.guard.remembered() <= 33, "{}", scene.guard.remembered());
    }
}

#[test]
fn a_phone_without_qop_uses_its_nonce_up() {
    let mut scene = Scene::new();
    let now = Instant::from_millis(1);
    let challenge = Challenge { qop: None, ..scene.challenge(now) };
    let answer = register(&challenge, "8", "secret", 1);
    assert_eq!(scene.judge(now, &answer), right());
    assert_eq!(scene.judge(now, &answer), Verdict::Replayed);
}

#[test]
fn what_makes_no_sense_is_wrong_and_other_realms_are_not_looked_at() {
    let mut scene = Scene::new();
    let now = Instant::from_millis(1);
    let good = register(&scene.challenge(now), "8", "secret", 1);
    for (from, to) in [
        ("nc=00000001", "nc=1"),
        ("nc=00000001", "nc=0000000g"),
        ("nc=00000001", "nc=000000001"),
        ("nc=00000001, ", ""),
        ("qop=auth", "qop=auth-conf"),
        ("uri=\"sip:192.0.2.1\"", "uri=\"sip:192.0.2.2\""),
        ("algorithm=SHA-256", "algorithm=SHA-256-sess"),
        ("algorithm=SHA-256", "algorithm=SHA-512-256"),
        ("username=\"8\"", "username=\"8\", userhash=true"),
        ("cnonce=\"abc\", ", ""),
        ("response=\"", "response=\"0"),
    ] {
        let bad = good.replace(from, to);
        let bad = if good == bad { good.trim_end_matches(", nc=00000001").to_owned() } else { bad };
        assert_ne!(bad, good);
        assert_eq!(scene.judge(now, &bad), Verdict::Wrong, "{bad}");
    }
    for other in ["Basic Zm9v", "Digest", "Digest realm=\"other\"", "Digest realm=\"hotline"] {
        assert_eq!(scene.judge(now, other), Verdict::Missing, "{other}");
    }
    assert_eq!(scene.judge(now, &good), right());
}

#[test]
fn ha1_is_read_whole_and_shown_nowhere() {
    let ha1 = Ha1::new(Algorithm::Md5, "8", REALM, "secret");
    assert_eq!(format!("{ha1:?}"), "Ha1(MD5)");
    assert_eq!(Ha1::parse(Algorithm::Md5, &ha1.hex.to_uppercase()), Some(ha1.clone()));
    assert_eq!(Ha1::parse(Algorithm::Sha256, &ha1.hex), None);
    assert_eq!(Ha1::parse(Algorithm::Md5, &ha1.hex.replace(&ha1.hex[..1], "x")), None);
}
