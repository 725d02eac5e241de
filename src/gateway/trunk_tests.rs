//! Trunks of which more is known than who may call, in virtual time.

use std::time::Duration;

use super::tests::*;
use super::*;
use crate::call::fact::What;
use crate::call::reason::Reason;
use crate::dialplan::plan::{Hotline, Next};
use crate::peer::account::Account;
use crate::peer::limit::Limits;
use crate::peer::number::Numbering;
use crate::peer::registration;
use crate::peer::route::Server;
use crate::protocol::rtp::event::strokes;
use crate::protocol::sip::digest::{Challenge, Covered, Ha1};
use crate::protocol::sip::header::Name;
use crate::protocol::sip::message::{Message, Request};

const CARRIER: &str = "10.0.0.9:5060";
const SECOND: &str = "10.0.0.10:5060";

fn trunk(server: &str) -> Trunk {
    Trunk { server: Uri::parse(server), ..Trunk::of_peers("carrier", vec![TRUNK.parse().unwrap()]) }
}

fn switch(trunk: Trunk) -> Switch {
    Switch::with(Settings { trunks: vec![trunk], ..settings() }, plans())
}

fn account() -> Account {
    Account { username: "1000".into(), password: "secret".into(), realm: None }
}

/// A final response by hand.
fn answer(request: &Request, status: u16, more: &str) -> String {
    let field = |name: Name| request.headers.text(&name).unwrap().to_owned();
    format!(
        "SIP/2.0 {status} X\nVia: {}\nFrom: {}\nTo: {};tag=t\nCall-ID: {}\nCSeq: {}\n{more}\n",
        field(Name::VIA),
        field(Name::FROM),
        field(Name::TO),
        field(Name::CALL_ID),
        field(Name::CSEQ)
    )
}

/// Requests of this method that went there since the last look.
fn went(switch: &mut Switch, to: &str, method: &str) -> Vec<Request> {
    let to: SocketAddr = to.parse().unwrap();
    let (found, rest) = std::mem::take(&mut switch.sent).into_iter().partition(
        |(at, message)| matches!(message, Message::Request(r) if *at == to && r.method.to_string() == method),
    );
    switch.sent = rest;
    let found: Vec<(SocketAddr, Message)> = found;
    requests(found.into_iter().map(|(_, message)| message).collect())
}

fn wake(switch: &mut Switch) {
    switch.pass(Duration::from_millis(1));
}

fn servers(addresses: &[&str], ttl_s: u64) -> Option<Records> {
    let server = |(nth, address): (usize, &&str)| {
        let address: SocketAddr = address.parse().unwrap();
        let priority = u16::try_from(nth).unwrap();
        Server { priority, weight: 1, transport: Transport::Udp, port: address.port(), addresses: vec![address.ip()] }
    };
    Some(Records { servers: addresses.iter().enumerate().map(server).collect(), ttl: Duration::from_secs(ttl_s) })
}

fn resolve(switch: &mut Switch, found: Option<Records>) {
    let destination = switch.asked_for.pop().expect("a name that is to be looked up");
    switch.gateway.handle(switch.now, Input::Resolved { destination, found });
    switch.settle();
}

#[test]
fn a_call_beyond_the_trunks_rate_is_refused_with_a_record() {
    let limits = Limits { calls_per_second: Some(1), calls_at_once: None };
    let mut switch = switch(Trunk { limits, ..Trunk::of_peers("carrier", vec![TRUNK.parse().unwrap()]) });
    let invite = |n: u32| theirs("INVITE", n, "", SDP).replace("Call-ID: c", &format!("Call-ID: c{n}"));
    assert_eq!(requests(switch.tell(TRUNK, &invite(1))).len(), 1, "the agent is rung");
    let sent = switch.tell(TRUNK, &invite(2));
    let refused = sent.iter().find_map(|m| match m {
        Message::Response(r) if r.status == 503 => Some(r),
        _ => None,
    });
    assert_eq!(refused.unwrap().headers.text(&Name::RETRY_AFTER), Some("1"));
    assert_eq!(switch.facts(|w| matches!(w, What::Offered(_))), 2);
    assert_eq!(switch.facts(|w| matches!(w, What::Ended { reason: Reason::TrunkLimit, .. })), 1);
}

#[test]
fn places_at_once_are_free_again_when_the_call_has_ended() {
    let limits = Limits { calls_per_second: None, calls_at_once: Some(1) };
    let mut switch = switch(Trunk { limits, ..Trunk::of_peers("carrier", vec![TRUNK.parse().unwrap()]) });
    let (invite, answer) = switch.answered(SDP);
    switch.tell(TRUNK, &theirs("ACK", 1, &tag(&answer), ""));
    let second = theirs("INVITE", 5, "", SDP).replace("Call-ID: c", "Call-ID: d");
    let sent = switch.tell(TRUNK, &second);
    assert!(sent.iter().any(|m| matches!(m, Message::Response(r) if r.status == 503)), "{sent:?}");
    let byes = requests(switch.tell(TRUNK, &theirs("BYE", 2, &tag(&answer), "")));
    assert_eq!(byes.len(), 1);
    switch.tell(PHONE, &ok(&byes[0], ""));
    let third = theirs("INVITE", 6, "", SDP).replace("Call-ID: c", "Call-ID: e");
    assert_eq!(requests(switch.tell(TRUNK, &third))[0].raw_uri, invite.raw_uri);
}

#[test]
fn a_trunk_is_down_within_twelve_seconds_and_back_after_two_good_answers() {
    let options = Some(Duration::from_secs(5));
    let mut switch = switch(Trunk { options, ..trunk("sip:10.0.0.9") });
    let life = |switch: &Switch| switch.shown.last().map(|s| s.up);
    wake(&mut switch);
    for _ in 0..3 {
        let asked = went(&mut switch, CARRIER, "OPTIONS");
        assert_eq!(asked.len(), 1, "{asked:?}");
        switch.now = switch.now.after(Duration::from_millis(30));
        switch.tell(CARRIER, &answer(&asked[0], 404, ""));
        assert_eq!(life(&switch), Some(Some(true)));
        switch.pass(Duration::from_secs(5));
    }
    assert_eq!(switch.round_trips.len(), 3);
    assert_eq!(switch.round_trips[0], Duration::from_millis(31), "asked at the start, answered so long after");
    switch.sent.clear();
    switch.pass(Duration::from_millis(6_900));
    assert_eq!(life(&switch), Some(Some(false)), "12 s after the last answer");
    went(&mut switch, CARRIER, "OPTIONS");
    let mut good = 0;
    while life(&switch) == Some(Some(false)) {
        switch.pass(Duration::from_millis(500));
        if let Some(asked) = went(&mut switch, CARRIER, "OPTIONS").first() {
            good += 1;
            switch.tell(CARRIER, &answer(asked, 200, ""));
        }
        assert!(good <= 2);
    }
    assert_eq!(good, 2);
}

#[test]
fn a_registered_trunk_proves_itself_and_its_registrar_may_call() {
    let server = Uri::parse("sip:10.0.0.9").unwrap();
    let registration = Some(registration::Settings { server, account: account(), expires_s: 600 });
    let mut switch = switch(Trunk { registration, ..Trunk::of_peers("carrier", Vec::new()) });
    assert!(switch.tell(CARRIER, &theirs("INVITE", 1, "", SDP)).is_empty(), "not known before the first look");
    wake(&mut switch);
    let register = went(&mut switch, CARRIER, "REGISTER").remove(0);
    assert_eq!(register.headers.text(&Name::CONTACT), Some("<sip:1000@10.0.0.1:5060>"));
    let challenge = "WWW-Authenticate: Digest realm=\"r\", nonce=\"n\", qop=\"auth\"\n";
    switch.tell(CARRIER, &answer(&register, 401, challenge));
    let proven = went(&mut switch, CARRIER, "REGISTER").remove(0);
    assert!(proven.headers.text(&Name::AUTHORIZATION).is_some_and(|v| v.contains("uri=\"sip:10.0.0.9\"")));
    switch.tell(CARRIER, &answer(&proven, 200, "Contact: <sip:1000@10.0.0.1:5060>;expires=300\n"));
    let until = switch.shown.last().and_then(|s| s.registered_until.flatten()).unwrap();
    assert_eq!(until, switch.now.wall + Duration::from_secs(300));
    switch.pass(Duration::from_secs(300));
    let again = went(&mut switch, CARRIER, "REGISTER");
    assert!(!again.is_empty(), "it comes again before the end");
    let called = theirs("INVITE", 1, "", SDP);
    assert_eq!(requests(switch.tell(CARRIER, &called))[0].raw_uri, "sip:8@10.0.0.3", "the agent is rung");
}

#[test]
fn names_of_trunks_and_phones_are_followed() {
    let names = vec![Destination::new("sbc.example", None, None)];
    let uri = Uri::parse("sip:8@phone.example").unwrap();
    let phone = NamedPhone { agent: "8".into(), destination: Destination::of(&uri).unwrap(), uri };
    let trunk = Trunk { names, ..Trunk::of_peers("carrier", Vec::new()) };
    let settings = Settings { trunks: vec![trunk], phones: Vec::new(), named_phones: vec![phone], ..settings() };
    let mut switch = Switch::with(settings, plans());
    wake(&mut switch);
    assert_eq!(switch.asked_for.len(), 2);
    resolve(&mut switch, servers(&[CARRIER], 60));
    resolve(&mut switch, servers(&["10.0.0.3:5062"], 3_600));
    switch.tell(CARRIER, &theirs("INVITE", 1, "", SDP));
    assert_eq!(went(&mut switch, "10.0.0.3:5062", "INVITE").len(), 1);
    assert!(switch.tell(SECOND, &theirs("INVITE", 2, "", SDP)).is_empty());
    let version = switch.gateway.known_version();
    switch.pass(Duration::from_secs(60));
    resolve(&mut switch, servers(&[SECOND], 60));
    assert_ne!(switch.gateway.known_version(), version);
    let moved = theirs("INVITE", 3, "", SDP).replace("Call-ID: c", "Call-ID: d");
    assert!(!switch.tell(SECOND, &moved).is_empty(), "the trunk has moved");
    let old = theirs("INVITE", 4, "", SDP).replace("Call-ID: c", "Call-ID: e");
    assert!(switch.tell(CARRIER, &old).is_empty(), "its old address is a stranger's");
    switch.pass(Duration::from_secs(60));
    resolve(&mut switch, None);
    assert_eq!(switch.gateway.known().standing(SECOND.parse().unwrap()), Standing::Trunk, "the last answer stays");
}

#[test]
fn numbers_are_kept_in_one_form_and_as_they_came() {
    let identity = crate::peer::identity::Identity { numbering: Some(Numbering::new("86")), ..Default::default() };
    let mut plans = plans();
    let hotline = plans.by_number.remove("400").unwrap();
    plans.by_number.insert("4008001234".into(), hotline);
    let trunk = Trunk { identity, ..Trunk::of_peers("carrier", vec![TRUNK.parse().unwrap()]) };
    let mut switch = Switch::with(Settings { trunks: vec![trunk], ..settings() }, plans);
    let text = theirs("INVITE", 1, "", SDP).replace("sip:400@10.0.0.1", "sip:+864008001234@10.0.0.1");
    let invite = requests(switch.tell(TRUNK, &text.replace("sip:139@h", "sip:13912345678@h"))).remove(0);
    assert!(invite.headers.text(&Name::FROM).unwrap().starts_with("<sip:+8613912345678@"));
    assert_eq!(switch.numbers, ["+8613912345678", "13912345678"]);
    let What::Offered(offered) = &switch.facts[0].what else { panic!() };
    assert_eq!((offered.called.as_str(), offered.called_received.as_deref()), ("+864008001234", None));
    assert!(offered.caller_received.is_some());
}

/// A switch whose calls go to the target `duty` when no agent is left, over a trunk with two machines.
fn overflowing(account: Option<Account>) -> Switch {
    overflowing_to(account, &[CARRIER, SECOND])
}

fn overflowing_to(account: Option<Account>, machines: &[&str]) -> Switch {
    let mut plans = plans();
    let mut hotline = Hotline::clone(&plans.hotlines[0]);
    hotline.agents.nobody = Next::Target("duty".into());
    let hotline = Arc::new(hotline);
    plans.by_number.insert("400".into(), Arc::clone(&hotline));
    plans.hotlines = vec![hotline];
    let trunk = Trunk { account, ..trunk("sip:carrier.example") };
    let (name, number, keys) = ("duty".into(), "13900000001".into(), strokes("1w23").unwrap().into());
    let target = CallTarget { name, trunk: "carrier".into(), number, keys };
    let mut switch = Switch::with(Settings { trunks: vec![trunk], targets: vec![target], ..settings() }, plans);
    wake(&mut switch);
    resolve(&mut switch, servers(machines, 3_600));
    let invite = requests(switch.tell(TRUNK, &theirs("INVITE", 1, "", SDP))).remove(0);
    switch.tell(PHONE, &answer(&invite, 486, ""));
    switch
}

fn ended(switch: &Switch) -> Option<Reason> {
    switch.facts.iter().find_map(|f| match f.what {
        What::Ended { reason, .. } => Some(reason),
        _ => None,
    })
}

#[test]
fn a_target_is_called_when_no_agent_is_left_and_its_answer_is_an_overflow() {
    let mut switch = overflowing(None);
    let invite = went(&mut switch, CARRIER, "INVITE").remove(0);
    assert_eq!(invite.raw_uri, "sip:13900000001@carrier.example");
    assert!(invite.headers.text(&Name::FROM).unwrap().contains("sip:139@"));
    switch.pass(Duration::from_millis(1_000));
    switch.tell(CARRIER, &answer(&invite, 180, ""));
    switch.pass(Duration::from_millis(6_000));
    assert!(went(&mut switch, SECOND, "INVITE").is_empty(), "it rings: nobody else is tried");
    assert!(switch.pressed.is_empty(), "nobody has answered");
    let keyed = format!("{SDP}a=rtpmap:101 telephone-event/8000\n").replace("AVP 8", "AVP 8 101");
    let sent = switch.tell(CARRIER, &ok(&invite, &keyed));
    assert_eq!(switch.pressed.iter().map(|(_, keys)| keys.to_vec()).collect::<Vec<_>>(), [strokes("1w23").unwrap()]);
    let answered = sent.iter().find_map(|m| match m {
        Message::Response(r) if r.status == 200 => Some(r.clone()),
        _ => None,
    });
    switch.tell(TRUNK, &theirs("ACK", 1, &tag(&answered.unwrap()), ""));
    let bye = format!(
        "BYE sip:x@10.0.0.1 SIP/2.0\nVia: SIP/2.0/UDP 10.0.0.9;branch=z9hG4bKb\nFrom: {};tag=phone\nTo: {}\nCall-ID: {}\nCSeq: 1 BYE\n\n",
        invite.headers.text(&Name::TO).unwrap(),
        invite.headers.text(&Name::FROM).unwrap(),
        invite.headers.text(&Name::CALL_ID).unwrap()
    );
    switch.pass(Duration::from_millis(4_000));
    switch.tell(CARRIER, &bye);
    assert_eq!(ended(&switch), Some(Reason::TargetHungUp));
    let answered = switch.facts.iter().find(|f| matches!(&f.what, What::TargetAnswered { attempt: 2, .. })).unwrap();
    assert_eq!(answered.at.mono_ns, 7_001_000_000);
    assert_eq!(switch.facts(|w| matches!(w, What::TargetRinging { .. } | What::TargetReleased { .. })), 1);
    assert_eq!(switch.facts(|w| matches!(w, What::AgentAnswered { .. } | What::PlayStarted { .. })), 0);
}

#[test]
fn a_silent_machine_is_passed_over_within_two_seconds() {
    let mut switch = overflowing(None);
    let first = went(&mut switch, CARRIER, "INVITE").remove(0);
    switch.pass(Duration::from_millis(1_999));
    let second = went(&mut switch, SECOND, "INVITE").remove(0);
    assert_eq!(first.raw_uri, second.raw_uri);
    // It wakes up after all: what it says is acknowledged and ended, and nothing else changes.
    went(&mut switch, PHONE, "ACK");
    switch.tell(CARRIER, &ok(&first, SDP));
    // Its Contact is the phone's.
    assert_eq!(went(&mut switch, PHONE, "ACK").len(), 1);
    assert_eq!(went(&mut switch, PHONE, "BYE").len(), 1);
    switch.tell(SECOND, &answer(&second, 486, ""));
    assert_eq!(ended(&switch), Some(Reason::AgentsBusy));
    switch.pass(Duration::from_secs(100));
    assert_eq!((switch.gateway.live_calls(), switch.gateway.sessions()), (0, 0));
}

#[test]
fn a_machine_that_no_listener_of_ours_leads_to_is_passed_over() {
    let mut switch = overflowing_to(None, &["[2001:db8::9]:5060", SECOND]);
    assert_eq!(went(&mut switch, SECOND, "INVITE").len(), 1);
    let switch = overflowing_to(None, &["[2001:db8::9]:5060"]);
    assert_eq!(ended(&switch), Some(Reason::AgentsBusy), "there is no way to the target at all");
}

#[test]
fn a_machine_that_says_503_is_passed_over_at_once_and_with_the_last_the_caller_hears_480() {
    let mut switch = overflowing(None);
    let first = went(&mut switch, CARRIER, "INVITE").remove(0);
    switch.tell(CARRIER, &answer(&first, 503, ""));
    let second = went(&mut switch, SECOND, "INVITE").remove(0);
    let sent = switch.tell(SECOND, &answer(&second, 503, ""));
    assert!(sent.iter().any(|m| matches!(m, Message::Response(r) if r.status == 480)), "{sent:?}");
    let rings = switch.facts(|w| matches!(w, What::TargetInvited { .. }));
    let ends = switch.facts(|w| matches!(w, What::TargetReleased { status: Some(503), .. }));
    assert_eq!((rings, ends), (1, 1));
    switch.pass(Duration::from_secs(100));
    assert_eq!((switch.gateway.live_calls(), switch.gateway.sessions()), (0, 0));
}

#[test]
fn a_challenge_is_answered_in_the_same_call_and_only_where_it_was_asked() {
    let challenge = "Proxy-Authenticate: Digest realm=\"r\", nonce=\"n\", qop=\"auth\"\n";
    let mut switch = overflowing(Some(account()));
    let first = went(&mut switch, CARRIER, "INVITE").remove(0);
    assert!(first.headers.text(&Name::FROM).unwrap().starts_with("<sip:1000@carrier.example>"));
    assert!(first.headers.text(&Name::P_ASSERTED_IDENTITY).unwrap().starts_with("<sip:139@"));
    switch.tell(CARRIER, &answer(&first, 407, challenge));
    let second = went(&mut switch, CARRIER, "INVITE").remove(0);
    let proof = second.headers.text(&Name::PROXY_AUTHORIZATION).unwrap();
    assert!(proof.contains("uri=\"sip:13900000001@carrier.example\""), "{proof}");
    assert_eq!(second.headers.text(&Name::CALL_ID), first.headers.text(&Name::CALL_ID));
    assert_eq!((first.cseq(), second.cseq()), (Some(1), Some(2)));
    assert_eq!(switch.facts(|w| matches!(w, What::TargetInvited { .. })), 1);
    // Wrong after all: no third time.
    switch.tell(CARRIER, &answer(&second, 407, challenge));
    assert!(went(&mut switch, CARRIER, "INVITE").is_empty());
    assert_eq!(switch.facts(|w| matches!(w, What::TargetReleased { status: Some(407), .. })), 1);

    let mut switch = overflowing(Some(account()));
    let first = went(&mut switch, CARRIER, "INVITE").remove(0);
    switch.tell(PHONE, &answer(&first, 407, challenge));
    assert!(went(&mut switch, CARRIER, "INVITE").is_empty(), "a phone is not the carrier");
}

/// A carrier that wants our BYE proved goes on with the call, and counts its minutes, until it is.
#[test]
fn a_bye_is_proved_to_the_carrier_once_and_to_nobody_else() {
    let asks = "Digest realm=\"r\", nonce=\"n\", algorithm=SHA-256, qop=\"auth\"";
    let challenge = format!("WWW-Authenticate: {asks}\n");
    let open = |switch: &Switch| switch.gateway.by_session.values().filter(|link| !link.terminated).count();
    let ending = |account| {
        let mut switch = overflowing(account);
        let invite = went(&mut switch, CARRIER, "INVITE").remove(0);
        let sent = switch.tell(CARRIER, &ok(&invite, SDP).replace("10.0.0.3", "10.0.0.9"));
        let answered = sent.iter().find_map(|m| match m {
            Message::Response(r) if r.status == 200 => Some(r.clone()),
            _ => None,
        });
        let tag = tag(&answered.unwrap());
        switch.tell(TRUNK, &theirs("ACK", 1, &tag, ""));
        switch.tell(TRUNK, &theirs("BYE", 2, &tag, ""));
        let bye = went(&mut switch, CARRIER, "BYE").remove(0);
        (switch, bye)
    };
    let (mut switch, bye) = ending(Some(account()));
    assert!(bye.headers.text(&Name::AUTHORIZATION).is_none());
    switch.tell(CARRIER, &answer(&bye, 401, &challenge));
    let proven = went(&mut switch, CARRIER, "BYE").remove(0);
    let covered = Covered { method: "BYE", uri: &proven.raw_uri, body: b"" };
    assert!(proves(&proven, asks, ("1000", "secret"), &covered));
    assert_eq!(proven.headers.text(&Name::CALL_ID), bye.headers.text(&Name::CALL_ID));
    assert_eq!(proven.headers.text(&Name::REASON), bye.headers.text(&Name::REASON));
    assert_eq!(proven.cseq(), bye.cseq().map(|seq| seq + 1));
    let before = open(&switch);
    // Wrong after all: no third time.
    switch.tell(CARRIER, &answer(&proven, 401, &challenge));
    assert!(went(&mut switch, CARRIER, "BYE").is_empty());
    assert_eq!(open(&switch), before - 1);

    for account in [None, Some(Account { realm: Some("another".into()), ..account() })] {
        let (mut switch, bye) = ending(account);
        let before = open(&switch);
        switch.tell(CARRIER, &answer(&bye, 401, &challenge));
        assert!(went(&mut switch, CARRIER, "BYE").is_empty());
        assert_eq!(open(&switch), before - 1);
    }
}

#[test]
fn an_answer_by_auth_int_covers_the_offer_as_it_is_sent() {
    let asks = "Digest realm=\"r\", nonce=\"n\", algorithm=SHA-256, qop=\"auth-int\"";
    let mut switch = overflowing(Some(account()));
    let first = went(&mut switch, CARRIER, "INVITE").remove(0);
    switch.tell(CARRIER, &answer(&first, 401, &format!("WWW-Authenticate: {asks}\n")));
    let second = went(&mut switch, CARRIER, "INVITE").remove(0);
    let covered = |body| Covered { method: "INVITE", uri: &second.raw_uri, body };
    assert!(!second.body.is_empty());
    assert!(proves(&second, asks, ("1000", "secret"), &covered(&second.body)));
    assert!(!proves(&second, asks, ("1000", "secret"), &covered(b"")), "the body is part of it");
}

/// Whether a request answers this challenge as this account would.
fn proves(request: &Request, asks: &str, (user, password): (&str, &str), covered: &Covered<'_>) -> bool {
    let proof = request.headers.text(&Name::AUTHORIZATION).unwrap();
    let cnonce = proof.split("cnonce=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
    let challenge = Challenge::parse(asks.as_bytes()).unwrap();
    let ha1 = Ha1::new(challenge.algorithm, user, &challenge.realm, password);
    challenge.answer(user, &ha1, covered, cnonce, 1).as_deref() == Some(proof)
}

#[test]
fn each_of_two_registrations_proves_itself_to_its_own_registrar_alone() {
    let asks = "Digest realm=\"r\", nonce=\"n\", algorithm=SHA-256, qop=\"auth\"";
    let challenge = format!("WWW-Authenticate: {asks}\n");
    let accounts = [("one", "first"), ("two", "second")];
    let registered = |(at, (user, password)): (&str, (&str, &str))| {
        let account = Account { username: user.into(), password: password.into(), realm: None };
        let server = Uri::parse(&format!("sip:{at}")).unwrap();
        let registration = Some(registration::Settings { server, account, expires_s: 600 });
        Trunk { registration, ..Trunk::of_peers(user, Vec::new()) }
    };
    let asked = || {
        let trunks = [CARRIER, SECOND].into_iter().zip(accounts).map(registered).collect();
        let mut switch = Switch::with(Settings { trunks, ..settings() }, plans());
        wake(&mut switch);
        let registers = [CARRIER, SECOND].map(|at| went(&mut switch, at, "REGISTER").remove(0));
        (switch, registers)
    };
    let (mut switch, registers) = asked();
    for ((at, register), account) in [CARRIER, SECOND].into_iter().zip(&registers).zip(accounts) {
        switch.tell(at, &answer(register, 401, &challenge));
        let proven = went(&mut switch, at, "REGISTER").remove(0);
        let covered = Covered { method: "REGISTER", uri: &proven.raw_uri, body: b"" };
        assert!(proves(&proven, asks, account, &covered), "{account:?}");
    }
    // The other's machine asks in its place, in the same realm.
    let (mut switch, registers) = asked();
    switch.tell(CARRIER, &answer(&registers[1], 401, &challenge));
    assert!([CARRIER, SECOND].iter().all(|at| went(&mut switch, at, "REGISTER").is_empty()));
}

#[test]
fn a_caller_who_leaves_takes_the_targets_call_along() {
    let mut switch = overflowing(None);
    let invite = went(&mut switch, CARRIER, "INVITE").remove(0);
    switch.tell(CARRIER, &answer(&invite, 180, ""));
    switch.tell(TRUNK, &theirs("CANCEL", 1, "", "").replace("z9hG4bKCANCEL1", "z9hG4bKINVITE1"));
    let cancel = went(&mut switch, CARRIER, "CANCEL").remove(0);
    switch.tell(CARRIER, &answer(&cancel, 200, ""));
    switch.tell(CARRIER, &answer(&invite, 487, ""));
    assert_eq!(ended(&switch), Some(Reason::CallerCancelled));
    switch.pass(Duration::from_secs(100));
    assert_eq!((switch.gateway.live_calls(), switch.gateway.sessions()), (0, 0));
}
