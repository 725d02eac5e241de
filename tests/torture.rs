//! SIP as nobody should write it: the corpus in `fixtures/sip` against the parser, the endpoint and the framer, and
//! properties that must hold for any bytes.
//!
//! `verdicts.txt` says for each file what the parser makes of it and what an endpoint answers. A file without a line, a
//! line without a file and a verdict that changes are all failures.

#![allow(clippy::unwrap_used, reason = "tests say what they expect by unwrapping")]

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use hotline::call::fact::What;
use hotline::clock::{Instant, Now, Wall};
use hotline::dialplan::plan::{
    Agents, Answer, Cadence, Duty, Greeting, Hotline, Next, Plans, Ringback, Strategy as Order,
};
use hotline::gateway::Input;
use hotline::ids::Random;
use hotline::limits;
use hotline::media::negotiate;
use hotline::protocol::sdp::Description;
use hotline::protocol::sip::digest::{Algorithm, Challenge, Covered, Guard, Ha1, Secrets, Verdict};
use hotline::protocol::sip::endpoint::{
    ConnectionId, Endpoint, EventKind, Flow, OutgoingInvite, SessionId, Settings, Transport,
};
use hotline::protocol::sip::framing::{Frame, Framer, FramingLost};
use hotline::protocol::sip::header::Name;
use hotline::protocol::sip::message::{Message, Parsed, Request, parse_datagram, parse_framed};
use hotline::protocol::sip::uri::Uri;
use hotline::protocol::sip::vocabulary::Method;
use hotline::sim::phone::{Conduct, Patience, Then};
use hotline::sim::world::{AGENTS, GATEWAY, TRUNK, World};
use proptest::prelude::*;

struct Case {
    name: String,
    bytes: Vec<u8>,
    parse: String,
    answer: String,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/sip")
}

fn corpus() -> Vec<Case> {
    let table = std::fs::read_to_string(root().join("verdicts.txt")).unwrap();
    let case = |line: &str| {
        let mut columns = line.split('|').map(|c| c.trim().to_owned());
        let (name, parse, answer) = (columns.next()?, columns.next()?, columns.next()?);
        let bytes = std::fs::read(root().join(format!("{name}.sip"))).unwrap_or_else(|e| panic!("{name}: {e}"));
        Some(Case { name, bytes, parse, answer })
    };
    table.lines().filter(|l| !l.starts_with('#')).filter_map(case).collect()
}

fn verdict(bytes: &[u8]) -> String {
    match parse_datagram(bytes) {
        Ok(Parsed { fault: Some(fault), .. }) => fault.status.to_string(),
        Ok(Parsed { message: Message::Request(_), .. }) => "request".to_owned(),
        Ok(Parsed { message: Message::Response(_), .. }) => "response".to_owned(),
        Err(unusable) => format!("{unusable:?}"),
    }
}

/// A user agent in virtual time.
struct Agent {
    endpoint: Endpoint,
    now: Now,
    sessions: Vec<SessionId>,
    sent: Vec<Vec<u8>>,
}

impl Agent {
    fn new() -> Agent {
        let address: SocketAddr = "192.0.2.1:5060".parse().unwrap();
        let listen = vec![(Transport::Udp, address), (Transport::Tcp, address)];
        let settings = Settings { listen, advertise: None, product: "torture".into(), session_expires_s: None };
        let now = Now { mono: Instant::START, wall: Wall::from_micros(0) };
        let endpoint = Endpoint::new(settings, Random::from_number(1));
        Agent { endpoint, now, sessions: Vec::new(), sent: Vec::new() }
    }

    fn flow(connection: Option<ConnectionId>) -> Flow {
        let transport = if connection.is_some() { Transport::Tcp } else { Transport::Udp };
        let (local, remote) = ("192.0.2.1:5060".parse().unwrap(), "192.0.2.9:5060".parse().unwrap());
        Flow { transport, local, remote, connection }
    }

    fn datagram(&mut self, bytes: &[u8]) {
        self.endpoint.handle_datagram(self.now.mono, Agent::flow(None), self.now, true, bytes);
        self.drain();
    }

    fn frame(&mut self, frame: &Frame) {
        self.endpoint.handle_frame(self.now.mono, Agent::flow(Some(ConnectionId(1))), self.now, true, frame);
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(t) = self.endpoint.poll_transmit() {
            self.sent.push(t.bytes.to_vec());
        }
        while let Some(e) = self.endpoint.poll_event() {
            match e.kind {
                EventKind::Invite { .. } => self.sessions.push(e.session),
                EventKind::Terminated => self.sessions.retain(|s| *s != e.session),
                _ => {}
            }
        }
        while self.endpoint.poll_count().is_some() {}
    }

    /// Ends what the owner holds, lets every timer run out, and looks for what is left.
    fn comes_to_rest(&mut self) -> bool {
        for session in std::mem::take(&mut self.sessions) {
            self.endpoint.reject(self.now, session, 480, None);
        }
        self.drain();
        for _ in 0..10_000 {
            let Some((at, _)) = self.endpoint.poll_timeout() else { return self.endpoint.is_idle() };
            self.now = self.now.after(at.since(self.now.mono));
            self.endpoint.handle_timeout(self.now);
            self.drain();
        }
        false
    }

    fn call(&mut self) -> SessionId {
        let call = OutgoingInvite {
            target: Uri::parse("sip:8@192.0.2.9").unwrap(),
            transport: Transport::Udp,
            destination: "192.0.2.9:5060".parse().unwrap(),
            flow: None,
            caller: Some("13900000000".into()),
            offer: b"v=0\r\n".to_vec(),
            max_forwards: 70,
        };
        let session = self.endpoint.invite(self.now.mono, call).unwrap();
        self.drain();
        session
    }
}

fn first_status(sent: &[Vec<u8>]) -> String {
    let line = |bytes: &Vec<u8>| String::from_utf8_lossy(bytes).lines().next().unwrap_or_default().to_owned();
    let status = sent.first().map(line);
    status.and_then(|l| l.split(' ').nth(1).map(str::to_owned)).unwrap_or_else(|| "silence".to_owned())
}

#[test]
fn the_corpus_and_its_table_name_the_same_files() {
    let mut on_disk: Vec<String> = Vec::new();
    for folder in ["valid", "invalid"] {
        for entry in std::fs::read_dir(root().join(folder)).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            on_disk.push(format!("{folder}/{}", name.strip_suffix(".sip").unwrap()));
        }
    }
    let mut in_table: Vec<String> = corpus().into_iter().map(|c| c.name).collect();
    on_disk.sort();
    in_table.sort();
    assert_eq!(on_disk, in_table);
}

#[test]
fn every_message_of_the_corpus_gets_its_verdict() {
    let mut wrong = Vec::new();
    for case in corpus() {
        let parse = verdict(&case.bytes);
        let mut agent = Agent::new();
        agent.datagram(&case.bytes);
        let answer = first_status(&agent.sent);
        if (&parse, &answer) != (&case.parse, &case.answer) {
            wrong.push(format!("{}: {parse} | {answer}, not {} | {}", case.name, case.parse, case.answer));
        }
        assert!(agent.comes_to_rest(), "{}: something is left behind", case.name);
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Messages of RFC 4475 and RFC 5118 that are answered otherwise than these allow, and why.
const DEVIATIONS: &[(&str, &str)] = &[];

#[test]
fn the_messages_of_rfc_4475_and_5118_are_all_here_and_answered_as_they_say() {
    let answers: BTreeMap<String, String> = corpus().into_iter().map(|c| (c.name, c.answer)).collect();
    let table = std::fs::read_to_string(root().join("rfc.txt")).unwrap();
    let mut names = Vec::new();
    for line in table.lines().filter(|l| !l.starts_with('#')) {
        let columns: Vec<&str> = line.split('|').map(str::trim).collect();
        let [name, file, allowed, duty] = columns[..] else { panic!("{line}") };
        let answer = answers.get(file).unwrap_or_else(|| panic!("{name}: no {file}"));
        let as_told = allowed.split(' ').any(|a| a == answer);
        let known = DEVIATIONS.iter().any(|(deviation, _)| *deviation == name);
        assert!(as_told != known, "{name}: {answer}, not {allowed}: {duty}");
        names.push(name.to_owned());
    }
    let of_5118 = names.iter().filter(|name| name.starts_with("5118-")).count();
    assert_eq!((names.len() - of_5118, of_5118), (49, 11));
    let in_table = names.len();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), in_table, "a name stands there twice");
}

/// What every response must be, whatever it answers.
fn check_response(case: &str, request: &[u8], bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let head = text.split("\r\n\r\n").next().unwrap();
    let (cr, lf, both) = (head.matches('\r').count(), head.matches('\n').count(), head.matches("\r\n").count());
    assert_eq!((cr, lf), (both, both), "{case}: a line end within a line: {head:?}");
    let Ok(Parsed { message: Message::Request(request), .. }) = parse_datagram(request) else { return };
    let Ok(Parsed { message: Message::Response(response), .. }) = parse_datagram(bytes) else { return };
    let count = |name: &Name| response.headers.list(name).count();
    assert_eq!(count(&Name::VIA), request.headers.list(&Name::VIA).count(), "{case}: one Via for each Via");
    let names = ["Via", "From", "To", "Call-ID", "CSeq", "Contact", "Server", "Allow", "Accept", "Unsupported"];
    let more = ["Record-Route", "Timestamp", "Retry-After", "Content-Length", "Content-Type"];
    let more = [&more[..], &["Supported", "Require", "Session-Expires", "Min-SE"]].concat();
    for (name, _) in response.headers.iter() {
        assert!(names.iter().chain(&more).any(|n| *n == name.as_str()), "{case}: {name} has no place here");
    }
    if response.status > 100 {
        assert!(response.to_tag().is_some(), "{case}: {} without To tag", response.status);
    } else {
        assert_eq!(response.headers.first(&Name::TO), request.headers.first(&Name::TO), "{case}");
    }
}

#[test]
fn every_answer_is_well_formed() {
    for case in corpus().iter().filter(|c| c.answer != "silence") {
        let mut agent = Agent::new();
        agent.datagram(&case.bytes);
        let tags_cannot_be_added = ["invalid/unterminated-quote-to", "invalid/unterminated-bracket"];
        let to_is_lost = ["invalid/to-missing", "invalid/all-missing"];
        if tags_cannot_be_added.iter().chain(&to_is_lost).any(|n| *n == case.name) {
            continue;
        }
        for sent in &agent.sent {
            check_response(&case.name, &case.bytes, sent);
        }
    }
}

#[test]
fn every_response_to_an_accepted_invite_is_well_formed() {
    for case in corpus().iter().filter(|c| c.answer == "100") {
        let mut agent = Agent::new();
        agent.datagram(&case.bytes);
        let session = agent.sessions[0];
        agent.endpoint.ring(agent.now.mono, session, 180, Vec::new());
        agent.endpoint.accept(agent.now.mono, session, b"v=0\r\n".to_vec());
        agent.drain();
        assert_eq!(agent.sent.len(), 3, "{}", case.name);
        for sent in &agent.sent {
            check_response(&case.name, &case.bytes, sent);
        }
        // And the BYE that follows when its ACK never comes can be read.
        assert!(agent.comes_to_rest(), "{}", case.name);
        let bye = agent.sent.iter().find(|b| b.starts_with(b"BYE ")).unwrap();
        assert_eq!(verdict(bye), "request", "{}: {}", case.name, String::from_utf8_lossy(bye));
    }
}

/// Whoever measures how long a refusal takes must not learn which users there are.
#[test]
#[allow(clippy::disallowed_methods, reason = "what is measured is the time that a stranger would see")]
fn an_unknown_user_costs_the_time_of_a_wrong_password() {
    let now = Instant::from_millis(1_000);
    let source = "192.0.2.8".parse().unwrap();
    let accounts = Secrets::of_password("8", "hotline", "secret");
    let mut guard = Guard::new("hotline", Algorithm::ALL.to_vec(), &mut Random::from_number(1));
    let challenge = Challenge::parse(guard.challenges(now, source, false, false)[0].as_bytes()).unwrap();
    let guess = |user: &str| {
        let covered = Covered { method: "REGISTER", uri: "sip:192.0.2.1", body: b"" };
        let ha1 = Ha1::new(challenge.algorithm, user, &challenge.realm, "a guess");
        let mut request = Request::new(Method::REGISTER, "sip:192.0.2.1");
        request.headers.push(Name::AUTHORIZATION, challenge.answer(user, &ha1, &covered, "c", 1).unwrap());
        request
    };
    let guesses = [guess("8"), guess("9")];
    // The least of many: what else the machine does only adds to it.
    let mut least = [Duration::MAX; 2];
    for _ in 0..500 {
        for (least, request) in least.iter_mut().zip(&guesses) {
            let began = std::time::Instant::now();
            let verdict = guard.judge(now, source, request, |user| (user == "8").then_some(&accounts));
            *least = began.elapsed().min(*least);
            assert_eq!(verdict, Verdict::Wrong);
        }
    }
    let [known, unknown] = least.map(|d| d.as_secs_f64());
    assert!((0.75..1.33).contains(&(unknown / known)), "known {known} s, unknown {unknown} s");
}

fn frames(bytes: &[u8], chunks: impl Iterator<Item = usize>) -> (Vec<Frame>, Option<FramingLost>) {
    let (mut framer, mut out, mut rest) = (Framer::default(), Vec::new(), bytes);
    for chunk in chunks {
        let (now, later) = rest.split_at(chunk.clamp(1, rest.len().max(1)).min(rest.len()));
        rest = later;
        framer.push(now);
        loop {
            match framer.next_frame() {
                Ok(Some(frame)) => out.push(frame),
                Ok(None) => break,
                Err(lost) => return (out, Some(lost)),
            }
        }
        if rest.is_empty() {
            break;
        }
    }
    (out, None)
}

/// The messages that a stream can carry: those that say how long they are, and truly.
fn streamable() -> Vec<Case> {
    let whole = |c: &Case| {
        let (cut, lost) = frames(&c.bytes, [usize::MAX].into_iter());
        lost.is_none() && cut.len() == 1 && cut[0].head.len() + cut[0].body.len() == c.bytes.len()
    };
    corpus().into_iter().filter(|c| c.name.starts_with("valid/")).filter(whole).collect()
}

#[test]
fn a_stream_gives_the_same_messages_as_datagrams() {
    let cases = streamable();
    assert!(cases.len() > 70, "{}", cases.len());
    let stream: Vec<u8> = cases.iter().flat_map(|c| c.bytes.clone()).collect();
    let mut random = Random::from_number(11);
    let one_by_one: Vec<usize> = vec![1; stream.len()];
    let random_sizes: Vec<usize> = (0..stream.len()).map(|_| 1 + random.below(900) as usize).collect();
    let whole = vec![stream.len()];
    for sizes in [one_by_one, random_sizes, whole] {
        let (cut, lost) = frames(&stream, sizes.into_iter());
        assert_eq!((lost, cut.len()), (None, cases.len()));
        for (frame, case) in cut.iter().zip(&cases) {
            assert_eq!(parse_framed(&frame.head, &frame.body), parse_datagram(&case.bytes), "{}", case.name);
            let mut agent = Agent::new();
            agent.frame(frame);
            assert_eq!(first_status(&agent.sent), case.answer, "{}", case.name);
        }
    }
}

/// Over a stream a request whose end cannot be known is refused (RFC 3261 section 18.3) before its stream is given up.
#[test]
fn a_length_that_cannot_be_right_is_answered_once_and_nothing_behind_it_is_read() {
    // One that is only longer than what came is waited for.
    let wrong = |c: &Case| c.name.starts_with("invalid/length") && c.name != "invalid/length-too-large";
    let cases: Vec<Case> = corpus().into_iter().filter(wrong).collect();
    assert!(cases.len() >= 8, "{}", cases.len());
    for case in &cases {
        let mut stream = case.bytes.clone();
        stream.extend(b"OPTIONS sip:h SIP/2.0\r\nContent-Length: 0\r\n\r\n");
        for size in [1, 100, stream.len()] {
            let (cut, lost) = frames(&stream, std::iter::repeat(size));
            let mut agent = Agent::new();
            cut.iter().for_each(|frame| agent.frame(frame));
            let status = first_status(&agent.sent);
            match lost {
                Some(FramingLost::BadLength) => assert_eq!(status, "400", "{}", case.name),
                Some(FramingLost::TooLong) => assert_eq!(status, "413", "{}", case.name),
                None => assert!(status == "400" || status == "413", "{}: {status}", case.name),
            }
            assert_eq!(agent.sent.len(), 1, "{}", case.name);
        }
    }
}

#[test]
fn a_smuggled_request_stays_a_body() {
    let case = corpus().into_iter().find(|c| c.name == "valid/smuggled-request").unwrap();
    let (cut, _) = frames(&case.bytes, std::iter::repeat(7));
    assert_eq!(cut.len(), 1);
    assert!(cut[0].body.starts_with(b"BYE "));
}

#[test]
fn what_is_too_large_for_a_file() {
    let base = |extra: &str| {
        format!(
            "OPTIONS sip:h SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKbig\r\nFrom: <sip:a@h>;tag=1\r\nTo: <sip:b@h>\r\nCall-ID: big\r\nCSeq: 1 OPTIONS\r\n{extra}\r\n"
        )
    };
    let answer = |text: &str| {
        let mut agent = Agent::new();
        agent.datagram(text.as_bytes());
        assert!(agent.comes_to_rest());
        (verdict(text.as_bytes()), first_status(&agent.sent))
    };
    let says = |parse: &str, status: &str| (parse.to_owned(), status.to_owned());
    assert_eq!(answer(&base(&format!("Subject: {}\r\n", "x".repeat(60_000)))), says("request", "200"));
    assert_eq!(answer(&base(&format!("Subject: x{}\r\n", "\r\n y".repeat(15_000)))), says("request", "200"));
    assert_eq!(answer(&base(&format!("Supported: {}\r\n", "a,".repeat(30_000)))), says("request", "200"));
    assert_eq!(answer(&base(&format!("Require: {}\r\n", "a,".repeat(20_000)))), says("request", "420"));
    assert_eq!(answer(&base(&"X: y\r\n".repeat(limits::SIP_HEADER_FIELDS - 5))), says("request", "200"));
    assert_eq!(answer(&base(&"X: y\r\n".repeat(limits::SIP_HEADER_FIELDS - 4))), says("400", "400"));
    assert_eq!(answer(&base(&"l: 0\r\n".repeat(8_000))), says("request", "200"));
    assert_eq!(answer(&base(&format!("X: {}\r\n", "x".repeat(70_000)))), says("TooLong", "silence"));
}

#[test]
fn responses_of_a_hostile_phone_leave_nothing_behind() {
    let odd = ["", ";tag=", ";tag=a", ";tag=\"a;b\"", ";tag=%0d%0a"];
    for (n, status) in
        [100, 180, 183, 199, 200, 299, 300, 302, 401, 407, 422, 481, 487, 500, 503, 600, 699].iter().enumerate()
    {
        let mut agent = Agent::new();
        let session = agent.call();
        let Message::Request(invite) = parse_datagram(&agent.sent[0]).unwrap().message else { panic!("an INVITE") };
        let field = |name: Name| String::from_utf8_lossy(invite.headers.first(&name).unwrap()).into_owned();
        for tag in odd {
            for extra in
                ["", "Contact: *\r\n", "Contact: <sip:x@y.example>\r\nRecord-Route: <sip:[::1]>\r\n", "Contact: \"\r\n"]
            {
                let text = format!(
                    "SIP/2.0 {status} X\r\nVia: {}\r\nFrom: {}\r\nTo: {}{tag}\r\nCall-ID: {}\r\nCSeq: {}\r\n{extra}\r\nbody",
                    field(Name::VIA),
                    field(Name::FROM),
                    field(Name::TO),
                    field(Name::CALL_ID),
                    field(Name::CSEQ)
                );
                agent.datagram(text.as_bytes());
                if n % 2 == 0 {
                    agent.endpoint.hang_up(agent.now, session);
                    agent.drain();
                }
            }
        }
        agent.endpoint.hang_up(agent.now, session);
        assert!(agent.comes_to_rest(), "{status}");
    }
}

/// A message of the corpus with a few bytes changed, cut, doubled or mixed with another.
fn mutated() -> impl Strategy<Value = Vec<u8>> {
    let bytes: Vec<Vec<u8>> = corpus().into_iter().map(|c| c.bytes).collect();
    let spice =
        prop::sample::select(vec![b'\r', b'\n', b'"', b'<', b'>', b';', b',', b':', b'\\', 0, 0xff, b' ', b'%']);
    let byte = prop_oneof![spice, any::<u8>()];
    let edits = prop::collection::vec((any::<prop::sample::Index>(), byte, 0..4u8), 0..6);
    let pick = || prop::sample::select(bytes.clone());
    (pick(), pick(), edits, any::<prop::sample::Index>()).prop_map(|(mut one, other, edits, at)| {
        for (place, byte, how) in edits.into_iter().filter(|_| !one.is_empty()).collect::<Vec<_>>() {
            let i = place.index(one.len());
            match how {
                0 => one[i] = byte,
                1 => one.insert(i, byte),
                2 if one.len() > 1 => {
                    one.remove(i);
                }
                _ => {
                    let end = (i + usize::from(byte)).min(one.len());
                    let copy = one[i..end].to_vec();
                    one.splice(i..i, copy);
                }
            }
        }
        if !other.is_empty() && at.index(8) == 0 {
            let cut = at.index(other.len());
            one.extend_from_slice(&other[cut..]);
        }
        one
    })
}

fn any_bytes() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        8 => mutated(),
        1 => prop::collection::vec(any::<u8>(), 0..300),
        1 => prop::collection::vec(any::<u8>(), 0..300)
            .prop_map(|tail| [b"INVITE sip:h SIP/2.0\r\nVia: SIP/2.0/UDP h\r\n".as_slice(), &tail].concat()),
    ]
}

/// Everything of a request that is read later.
fn headers_of(request: &Request) -> BTreeMap<String, Vec<Vec<u8>>> {
    let mut out: BTreeMap<String, Vec<Vec<u8>>> = BTreeMap::new();
    for (name, value) in request.headers.iter().filter(|(name, _)| **name != Name::CONTENT_LENGTH) {
        out.entry(name.as_str().to_ascii_lowercase()).or_default().push(value.to_vec());
    }
    out
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_hurt_the_parser(bytes in any_bytes()) {
        if let Ok(Parsed { message, fault }) = parse_datagram(&bytes) {
            let printed = match &message {
                Message::Request(r) => r.to_bytes(),
                Message::Response(r) => r.to_bytes(),
            };
            if let (Message::Request(before), None) = (&message, fault) {
                let Ok(Parsed { message: Message::Request(after), fault: None }) = parse_datagram(&printed) else {
                    panic!("{}", String::from_utf8_lossy(&printed));
                };
                prop_assert_eq!(headers_of(before), headers_of(&after));
                prop_assert_eq!((&before.method, &before.uri, &before.body), (&after.method, &after.uri, &after.body));
            }
        }
        let _ = negotiate::read(&bytes);
        let _ = Description::parse(&bytes).map(|d| d.to_bytes());
    }

    #[test]
    fn no_bytes_hurt_the_endpoint(messages in prop::collection::vec(any_bytes(), 1..6)) {
        let mut agent = Agent::new();
        agent.call();
        for bytes in &messages {
            let before = agent.sent.len();
            agent.datagram(bytes);
            for sent in &agent.sent[before..] {
                let head = String::from_utf8_lossy(sent).split("\r\n\r\n").next().unwrap_or_default().to_owned();
                prop_assert_eq!(head.matches('\r').count(), head.matches("\r\n").count());
                prop_assert_eq!(head.matches('\n').count(), head.matches("\r\n").count());
            }
            agent.now = agent.now.after(Duration::from_millis(300));
            agent.endpoint.handle_timeout(agent.now);
        }
        for session in agent.sessions.clone() {
            agent.endpoint.accept(agent.now.mono, session, b"v=0\r\n".to_vec());
        }
        prop_assert!(agent.comes_to_rest());
    }

    #[test]
    fn no_pieces_change_what_a_stream_holds(
        messages in prop::collection::vec(any_bytes(), 1..4),
        sizes in prop::collection::vec(1..400usize, 1..40),
    ) {
        let stream = messages.concat();
        let whole = frames(&stream, [usize::MAX].into_iter());
        let pieces = frames(&stream, sizes.into_iter().cycle());
        prop_assert_eq!(&whole.1.is_some(), &pieces.1.is_some());
        prop_assert_eq!(whole.0, pieces.0);
    }
}

/// A whole switch whose one hotline has the number of the corpus; its agent answers after a second.
fn world() -> World {
    let cadence = Cadence { name: "cn".into(), burst: Duration::from_secs(1), period: Duration::from_secs(5) };
    let agents = Agents {
        numbers: vec!["8".into()],
        strategy: Order::InOrder,
        ring: Duration::from_secs(20),
        queue: None,
        skill: None,
        nobody: Next::BusyTone,
    };
    let hotline = Arc::new(Hotline {
        recording: hotline::dialplan::plan::Recording::ALL,
        scripts: hotline::dialplan::scripts::Scripts::default(),
        id: "torture".into(),
        org: "物业".into(),
        numbers: vec!["400".into()],
        language: "zh-CN".into(),
        time_zone: "Asia/Shanghai".into(),
        version: "0123456789abcdef".into(),
        answer: Answer {
            max_rings: 3,
            min_rings: 0,
            cadence,
            ringback: Ringback::Network,
            short_abandon: Duration::from_secs(5),
        },
        greeting: Greeting::default(),
        agents,
        reception: hotline::dialplan::reception::Reception::default(),
        duty: Duty::default(),
        start: Next::Agents,
        steps: Vec::new(),
        after: hotline::dialplan::after::After::default(),
    });
    let plans = Plans { by_number: [("400".to_owned(), Arc::clone(&hotline))].into(), hotlines: vec![hotline] };
    let mut world = World::new(plans, 5);
    let answers = Then::Answer { after: Duration::from_secs(1), hang_up_after: Some(Duration::from_secs(9)) };
    world.agents.expect(vec![Conduct { rings: true, then: answers }; 16]);
    world
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_hurt_the_switch(messages in prop::collection::vec((any_bytes(), any::<bool>()), 1..6)) {
        let mut world = world();
        world.call("400", Patience { wait: Duration::from_secs(30), talk: None });
        for (bytes, from_trunk) in messages {
            let remote = if from_trunk { TRUNK } else { AGENTS }.parse().unwrap();
            let flow = Flow { transport: Transport::Udp, local: GATEWAY.parse().unwrap(), remote, connection: None };
            world.tell(Input::Datagram { flow, at: world.now(), bytes });
            world.run_for(Duration::from_millis(700));
        }
        prop_assert!(world.run_to_rest());
        prop_assert!(world.gateway.is_idle(), "{:#?}", world.gateway);
        let offered = world.facts.iter().filter(|f| matches!(f.what, What::Offered(_))).count();
        let ended = world.facts.iter().filter(|f| matches!(f.what, What::Ended { .. })).count();
        prop_assert_eq!(offered, ended);
    }
}

/// 60 KB may cost about twice what 30 KB cost. Not run by default: it measures time.
#[test]
#[ignore = "measures time"]
#[allow(clippy::disallowed_methods, reason = "a measurement reads a clock")]
fn cost_grows_with_length_and_not_with_its_square() {
    type Shape = fn(usize) -> String;
    let shapes: [(&str, Shape); 6] = [
        ("one long value", |n| format!("Subject: {}\r\n", "x".repeat(n))),
        ("many foldings", |n| format!("Subject: x{}\r\n", "\r\n y".repeat(n / 4))),
        ("a long list", |n| format!("Require: {}\r\n", "a,".repeat(n / 2))),
        ("many Via parameters", |n| format!("Via: SIP/2.0/UDP h{}\r\n", ";a=b".repeat(n / 4))),
        ("quotes", |n| format!("Contact: {}\r\n", "\"\\".repeat(n / 2))),
        ("brackets", |n| format!("Contact: {}\r\n", "<,".repeat(n / 2))),
    ];
    for (name, shape) in shapes {
        let cost = |n: usize| {
            let text = format!(
                "OPTIONS sip:h SIP/2.0\r\n{}Via: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@h>;tag=1\r\nTo: <sip:b@h>\r\nCall-ID: x\r\nCSeq: 1 OPTIONS\r\n\r\n",
                shape(n)
            );
            let once = || {
                let start = std::time::Instant::now();
                let mut agent = Agent::new();
                for byte in text.as_bytes().chunks(40_000) {
                    let _ = frames(byte, std::iter::repeat(100));
                }
                agent.datagram(text.as_bytes());
                start.elapsed()
            };
            (0..9).map(|_| once()).min().unwrap()
        };
        let (short, long) = (cost(30_000), cost(60_000));
        let ratio = long.as_secs_f64() / short.as_secs_f64();
        assert!(ratio < 3.0, "{name}: {short:?} for 30 KB, {long:?} for 60 KB");
    }
}
