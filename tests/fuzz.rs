//! Bytes that nobody would write, against everything that reads bytes from a network: mutations of good input, by seed.
//!
//! Each target runs for about a second; `HOTLINE_FUZZ_SECONDS=600 cargo test --release --test fuzz -- sdp` for as long as one likes
//! and `HOTLINE_FUZZ_SEED` elsewhere. An input that fails is written to a file that the message names; it belongs into
//! `fixtures/fuzz/<target>`, from which every run begins.

#![allow(clippy::unwrap_used, reason = "tests say what they expect by unwrapping")]
#![allow(clippy::disallowed_methods, reason = "how long it runs is the machine's time")]
#![allow(clippy::print_stdout, reason = "how much was tried is worth a line")]

use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant as Clock};

use hotline::clock::Instant;
use hotline::ids::{CallId, LegId, Random, Side};
use hotline::limits;
use hotline::media::keying::Policy;
use hotline::media::negotiate::{self, CODECS, Local};
use hotline::media::{Bridge, Codec, Command, Remote};
use hotline::protocol::rtp::rtcp::{self, Block, Compound, Outgoing, SenderInfo};
use hotline::protocol::rtp::{self, Header, Packet};
use hotline::protocol::sdp::Description;
use hotline::protocol::sip::address::Address;
use hotline::protocol::sip::digest::{Algorithm, Challenge, Covered, Guard, Secrets, Verdict};
use hotline::protocol::sip::framing::{Frame, Framer, FramingLost};
use hotline::protocol::sip::header::Name;
use hotline::protocol::sip::message::{Message, Parsed, Request, parse_datagram, parse_framed};
use hotline::protocol::sip::uri::Uri;
use hotline::protocol::sip::via::Via;
use hotline::protocol::sip::vocabulary::Method;
use hotline::sim::world::{TRUNK, World};
use nix::time::{ClockId, clock_gettime};

/// Nothing that reads a datagram may take longer, of the processor's time and in a build for tests.
const PATIENCE: Duration = Duration::from_secs(1);

/// Words that decide what a reader does.
const WORDS: &[&str] = &[
    "\r\n",
    "\n",
    "\r\n\r\n",
    "\r\n ",
    " ",
    "\t",
    ",",
    ";",
    ":",
    "@",
    "<",
    ">",
    "\"",
    "\\",
    "%00",
    "%0d%0a",
    "=",
    "/",
    "*",
    "[",
    "]",
    "::1",
    "sip:",
    "sips:",
    "tel:",
    "INVITE",
    "ACK",
    "BYE",
    "CANCEL",
    "SIP/2.0",
    "Via: ",
    "v: ",
    "CSeq: ",
    "Content-Length: ",
    "l: ",
    "Call-ID: ",
    "Contact: ",
    "Route: ",
    ";tag=",
    ";branch=z9hG4bK",
    ";lr",
    ";rport",
    ";received=",
    ";maddr=",
    ";transport=tcp",
    "m=audio ",
    "m=video ",
    "a=rtpmap:",
    "a=fmtp:",
    "a=sendonly",
    "c=IN IP4 ",
    "c=IN IP6 ",
    "RTP/AVP ",
    "0.0.0.0",
    "255.255.255.255",
    "0",
    "-1",
    "1",
    "65535",
    "65536",
    "4294967295",
    "4294967296",
    "18446744073709551616",
    "99999999999999999999999",
    "\u{0}",
    "\u{feff}",
    "您好",
    "\u{1b}[31m",
];

/// Good input and what bad input is made of it.
struct Mill {
    random: Random,
    corpus: Vec<Vec<u8>>,
}

impl Mill {
    fn below(&mut self, bound: usize) -> usize {
        self.random.below(u32::try_from(bound).unwrap()) as usize
    }

    fn next(&mut self) -> Vec<u8> {
        let place = self.below(self.corpus.len());
        let mut bytes = self.corpus[place].clone();
        for _ in 0..1 + self.below(5) {
            self.mutate(&mut bytes);
        }
        bytes.truncate(limits::SIP_MESSAGE_BYTES + 8);
        bytes
    }

    fn mutate(&mut self, bytes: &mut Vec<u8>) {
        let (kind, at) = (self.below(10), self.below(bytes.len() + 1));
        let most = [2, 16, 200][self.below(3)];
        let length = self.below(1 + most).min(bytes.len() - at);
        match kind {
            0 | 1 if at < bytes.len() => bytes[at] ^= 1 << self.below(8),
            2 if at < bytes.len() => bytes[at] = self.random.u32() as u8,
            3 => drop(bytes.drain(at..at + length)),
            4 => {
                let piece = bytes[at..at + length].to_vec();
                for _ in 0..1 + self.below(4) {
                    bytes.splice(at..at, piece.iter().copied());
                }
            }
            5 => {
                let other = self.below(self.corpus.len());
                let from = self.below(self.corpus[other].len() + 1);
                let until = (from + self.below(200)).min(self.corpus[other].len());
                let piece = self.corpus[other][from..until].to_vec();
                bytes.splice(at..at + length, piece);
            }
            6 => bytes.truncate(at),
            // A number becomes another one.
            7 => {
                if let Some(from) = bytes[at..].iter().position(u8::is_ascii_digit).map(|n| at + n) {
                    let digits = bytes[from..].iter().take_while(|b| b.is_ascii_digit()).count();
                    let word = WORDS[self.below(WORDS.len())];
                    bytes.splice(from..from + digits, word.bytes());
                }
            }
            _ => {
                let word = WORDS[self.below(WORDS.len())];
                let until = if self.below(2) == 0 { at } else { at + length };
                bytes.splice(at..until, word.bytes());
            }
        }
    }
}

/// Runs one target on its corpus, then on mutations of it until its time is over.
fn fuzz(target: &str, mut corpus: Vec<Vec<u8>>, mut read: impl FnMut(&mut Random, &[u8])) {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let seed = number("HOTLINE_FUZZ_SEED").unwrap_or(1);
    let time = Duration::from_secs(number("HOTLINE_FUZZ_SECONDS").unwrap_or(1));
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/fuzz").join(target);
    corpus.extend(files(&folder));
    let mut mill = Mill { random: Random::from_number(seed), corpus };
    let begun = Clock::now();
    let mut tried = 0;
    while begun.elapsed() < time || tried < mill.corpus.len() {
        let bytes = if tried < mill.corpus.len() { mill.corpus[tried].clone() } else { mill.next() };
        let mut random = Random::from_number(seed + tried as u64);
        let before = worked();
        let done = catch_unwind(AssertUnwindSafe(|| read(&mut random, &bytes)));
        if let Err(why) = done {
            let file = std::env::temp_dir().join(format!("hotline-fuzz-{target}-{seed}-{tried}"));
            let _ = std::fs::write(&file, &bytes);
            println!("{target}: input {tried} of seed {seed} fails; it is in {}", file.display());
            resume_unwind(why);
        }
        let took = worked().saturating_sub(before);
        assert!(took < PATIENCE, "{target}: input {tried} of seed {seed} takes {took:?}");
        tried += 1;
    }
    println!("{target}: {tried} inputs in {:.1} s, seed {seed}", begun.elapsed().as_secs_f64());
    assert!(tried > mill.corpus.len(), "{target}: nothing but the corpus was tried");
}

/// How long this thread has worked, however busy the machine is.
fn worked() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).expect("a thread's clock").into()
}

fn files(folder: &Path) -> Vec<Vec<u8>> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(|path| path.is_file()).collect();
    paths.sort();
    paths.iter().map(|path| std::fs::read(path).unwrap()).collect()
}

/// The corpus of hand-written messages.
fn messages() -> Vec<Vec<u8>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/sip");
    let all = [files(&root.join("valid")), files(&root.join("invalid"))].concat();
    assert!(all.len() > 50, "only {} messages", all.len());
    all.into_iter().filter(|message| message.len() < 8_000).collect()
}

/// What is written can be read again, and says the same.
#[test]
fn message() {
    fuzz("message", messages(), |_, bytes| {
        let Ok(Parsed { message, fault }) = parse_datagram(bytes) else { return };
        let (headers, written) = match &message {
            Message::Request(r) => (&r.headers, r.to_bytes()),
            Message::Response(r) => (&r.headers, r.to_bytes()),
        };
        assert!(headers.len() <= limits::SIP_HEADER_FIELDS);
        assert!(written.len() <= 2 * bytes.len() + 1_000, "{} bytes became {}", bytes.len(), written.len());
        if fault.is_some() {
            return;
        }
        let again = parse_datagram(&written).expect("what we write can be read").message;
        match (&message, &again) {
            (Message::Request(a), Message::Request(b)) => {
                assert_eq!((&a.method, &a.raw_uri, &a.body), (&b.method, &b.raw_uri, &b.body));
            }
            (Message::Response(a), Message::Response(b)) => assert_eq!((a.status, &a.body), (b.status, &b.body)),
            _ => panic!("{message:?} became {again:?}"),
        }
    });
}

/// The whole switch, told by the trunk: whatever comes, nothing is left a while later, and what is sent can be read.
#[test]
fn switch() {
    fuzz("switch", messages(), |random, bytes| {
        let mut world = World::new(hotline::dialplan::plan::Plans::default(), random.u64());
        for _ in 0..2 {
            world.hear_from(TRUNK.parse().unwrap(), bytes);
        }
        assert!(world.run_to_rest());
        assert!(world.gateway.is_idle());
        for (_, _, line) in &world.wire_log {
            assert!(line.starts_with("SIP/2.0 ") || line.ends_with(" SIP/2.0"), "{line}");
        }
    });
}

#[test]
fn uri() {
    let uris = [
        "sip:8@127.0.0.1:5070;transport=tcp",
        "sips:%E6%82%A8:secret@[2001:db8::1]:5061;lr;maddr=10.0.0.1?Subject=x&Priority=urgent",
        "tel:+86-400-800-1234;phone-context=example.com",
        "\"客服 \\\"8\\\"\" <sip:8@h;x=y>;tag=abc;q=0.5",
        "Anonymous <sip:anonymous@anonymous.invalid>;tag=1",
        "SIP/2.0/UDP 10.0.0.1:5060;rport;received=10.0.0.2;branch=z9hG4bKabc",
        "SIP / 2.0 / TCP [::1]:5060 ;ttl=1;maddr=224.2.0.1",
    ];
    fuzz("uri", uris.iter().map(|text| text.as_bytes().to_vec()).collect(), |_, bytes| {
        if let Some(uri) = std::str::from_utf8(bytes).ok().and_then(Uri::parse) {
            let again = Uri::parse(uri.as_str()).expect("a URI can be read again");
            assert_eq!((again.number(), again.socket_addr()), (uri.number(), uri.socket_addr()));
            assert!(uri.param("lr").is_none_or(|value| value.is_none_or(|v| v.len() <= bytes.len())));
        }
        if let Some(address) = Address::parse(bytes) {
            assert!(address.tag().is_none_or(|tag| tag.len() <= bytes.len()));
        }
        if let Some(via) = Via::parse(bytes) {
            let source: SocketAddr = "192.0.2.9:40000".parse().unwrap();
            let marked = Via::mark_received(bytes, source);
            let again = Via::parse(&marked).expect("a marked Via can be read");
            assert_eq!(again.branch(), via.branch());
            assert_eq!(again.response_target(source).port(), via.response_target(source).port());
        }
    });
}

/// Credentials and challenges: nothing but the right hash is taken, and what we write has no line end that was not ours.
#[test]
fn digest() {
    let (at, source) = (Instant::START, "192.0.2.9".parse().unwrap());
    let mut guard = Guard::new("hotline", Algorithm::ALL.to_vec(), &mut Random::from_number(1));
    let secrets = Secrets::of_password("8", "hotline", "a secret");
    let covered = |body| Covered { method: "REGISTER", uri: "sip:192.0.2.1", body };
    let mut corpus: Vec<Vec<u8>> = [
        "Digest realm=\"hotline\", nonce=\"abc\", algorithm=SHA-256, qop=\"auth,auth-int\", stale=true, opaque=\"x\"",
        "Digest realm=\"h \\\" k\", nonce=\"\", qop=\"auth-int\", algorithm=MD5-sess",
        "Digest realm=h,nonce=n",
    ]
    .map(|text| text.as_bytes().to_vec())
    .into();
    let mut right = Vec::new();
    for (n, field) in (1..).zip(guard.challenges(at, source, false, false)) {
        for (qop, body) in [("auth", &b""[..]), ("auth-int", b"body"), ("", b"")] {
            let field = field.replace("qop=\"auth\"", &format!("qop=\"{qop}\""));
            let challenge = Challenge::parse(field.as_bytes()).expect("a challenge of ours");
            let ha1 = secrets.get(challenge.algorithm).expect("a hash of each kind");
            let answer = challenge.answer("8", ha1, &covered(body), "cnonce", n).expect("an answer");
            right.push(answer.split("response=\"").nth(1).unwrap().split('"').next().unwrap().to_owned());
            corpus.push(answer.into_bytes());
            corpus.push(field.into_bytes());
        }
    }
    let hashes = right.clone();
    let mut taken = 0;
    fuzz("digest", corpus, |_, bytes| {
        for body in [&b""[..], b"body"] {
            let mut request = Request::new(Method::REGISTER, "sip:192.0.2.1");
            request.headers.push(Name::AUTHORIZATION, bytes);
            request.body = body.to_vec();
            let verdict = guard.judge(at, source, &request, |user| (user == "8").then_some(&secrets));
            if let Verdict::Right { username } = verdict {
                let text = String::from_utf8_lossy(bytes).to_ascii_lowercase();
                assert!(hashes.iter().any(|hash| text.contains(hash.as_str())), "{text}");
                assert_eq!(username, "8");
                taken += 1;
            }
        }
        assert!(guard.remembered() < 16, "nonces that were never given out are remembered");
        let Some(challenge) = Challenge::parse(bytes) else { return };
        let ha1 = secrets.get(challenge.algorithm).expect("a hash of each kind");
        let answer = challenge.answer("8", ha1, &covered(b"body"), "cnonce", 1).expect("an answer");
        assert!(!answer.contains(['\r', '\n']), "{answer:?}");
        assert!(answer.len() <= bytes.len() + 1_000, "{} bytes became {}", bytes.len(), answer.len());
    });
    assert!(taken > 0, "not one of {} right answers was taken", right.len());
}

#[test]
fn sdp() {
    let local = Local {
        rtp: "127.0.0.1:4000".parse().unwrap(),
        advertise: None,
        session: 1,
        version: 1,
        srtp: Policy::Required,
        master: [7; 30],
    };
    let mut corpus = vec![
        negotiate::offer(&local, CODECS, Some(101)),
        b"v=0\r\no=- 1 1 IN IP4 h\r\ns=-\r\nc=IN IP6 ::1\r\nt=0 0\r\na=inactive\r\nm=video 1 RTP/AVP 31\r\nm=audio 2/2 RTP/AVP 0 8 96\r\na=rtpmap:96 telephone-event/8000\r\na=fmtp:96 0-16\r\na=ptime:20\r\na=sendonly\r\n".to_vec(),
        b"v=0\nc=IN IP4 sip.example.com\nm=audio 0 RTP/SAVP 18\nm=audio 9 RTP/AVP 8\n".to_vec(),
    ];
    corpus.extend(messages().into_iter().filter_map(|message| match parse_datagram(&message).ok()?.message {
        Message::Request(request) if request.body.starts_with(b"v=") => Some(request.body),
        _ => None,
    }));
    fuzz("sdp", corpus, |_, bytes| {
        if let Ok(description) = Description::parse(bytes) {
            let written = description.to_bytes();
            let again = Description::parse(&written).expect("what we write can be read");
            assert_eq!(again.media.len(), description.media.len());
            assert!(written.len() <= 4 * bytes.len() + 1_000);
        }
        let Ok(peer) = negotiate::read(bytes) else { return };
        for codec in peer.codecs.iter().map(|(codec, _)| *codec) {
            let answer = negotiate::answer(&local, &peer, codec);
            let ours = negotiate::read(&answer).expect("our answer can be read");
            assert!(ours.carries(codec));
            let remote = peer.remote(codec, Some(local.rtp.ip()));
            assert!(!remote.allowed.is_empty());
        }
    });
}

/// However a stream is cut, it gives the same messages; and what it holds back is bounded.
#[test]
fn framing() {
    let streams = messages().chunks(3).map(<[Vec<u8>]>::concat).collect();
    let frames = |pieces: &mut dyn Iterator<Item = &[u8]>| -> (Vec<Frame>, Option<FramingLost>) {
        let (mut framer, mut found) = (Framer::default(), Vec::new());
        for piece in pieces {
            framer.push(piece);
            loop {
                match framer.next_frame() {
                    Ok(Some(frame)) => found.push(frame),
                    Ok(None) => break,
                    Err(lost) => return (found, Some(lost)),
                }
            }
        }
        (found, None)
    };
    fuzz("framing", streams, |random, bytes| {
        let (whole, lost) = frames(&mut std::iter::once(bytes));
        let mut cuts: Vec<usize> = (0..8).map(|_| random.below(bytes.len() as u32 + 1) as usize).collect();
        cuts.extend([0, bytes.len()]);
        cuts.sort_unstable();
        let (cut, lost_cut) = frames(&mut cuts.windows(2).map(|two| &bytes[two[0]..two[1]]));
        assert_eq!((&cut, lost_cut), (&whole, lost));
        for frame in &whole {
            assert!(frame.head.len() + frame.body.len() <= limits::SIP_MESSAGE_BYTES);
            let _ = parse_framed(&frame.head, &frame.body);
        }
    });
}

/// A bridge of two legs that hear whatever comes.
fn bridge(record: bool) -> Bridge {
    let mut bridge = Bridge::new(call(), Random::from_number(1));
    for (leg, side) in [(LegId(1), Side::Caller), (LegId(2), Side::Agent)] {
        bridge.handle(now(), Command::Open { call: call(), leg, side, local: peer() });
        let remote = Remote {
            rtp: peer(),
            allowed: vec![peer().ip()],
            codec: Codec::Pcma,
            payload_type: 8,
            srtp: None,
            packet_ms: None,
            comfort_noise: None,
            telephone_event: Some(101),
            send: true,
            receive: true,
        };
        bridge.handle(now(), Command::Remote { leg, remote });
    }
    let (caller, agent, connected) = (LegId(1), LegId(2), now());
    bridge.handle(now(), Command::Bridge { call: call(), caller, agent, connected, record });
    bridge
}

fn call() -> CallId {
    CallId::new(now().wall, &mut Random::from_number(1))
}

fn now() -> hotline::clock::Now {
    hotline::clock::Now { mono: Instant::from_millis(5_000), wall: hotline::clock::Wall::from_micros(0) }
}

fn peer() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 4_000))
}

/// Packets are read and passed on; nobody is sent what cannot be read.
#[test]
fn rtp() {
    let header = Header { payload_type: 8, marker: false, sequence: 65_534, timestamp: 1, ssrc: 7 };
    let mut corpus = vec![Vec::new(); 4];
    rtp::write(&header, &[0xd5; 160], &mut corpus[0]).unwrap();
    rtp::write(&Header { payload_type: 101, marker: true, ..header }, &[1, 0x8a, 0, 160], &mut corpus[1]).unwrap();
    rtp::write(&Header { payload_type: 0, sequence: 3, ..header }, &[0; 80], &mut corpus[2]).unwrap();
    // Comfort noise with a spectrum.
    rtp::write(&Header { payload_type: 13, sequence: 4, ..header }, &[50, 13, 200, 127, 255], &mut corpus[3]).unwrap();
    // Extension, contributing sources and padding.
    corpus.push(
        [&[0xb1, 8, 0, 1], &[0; 8][..], &[0; 4], &[0xbe, 0xde, 0, 1, 0, 0, 0, 0], &[1, 2, 3, 4], &[4; 4]].concat(),
    );
    let mut bridge = bridge(true);
    bridge.handle(now(), Command::Listen { call: call() });
    let mut at = now();
    fuzz("rtp", corpus, |random, bytes| {
        at = at.after(Duration::from_millis(random.below(40).into()));
        if let Ok(packet) = Packet::parse(bytes) {
            let mut written = Vec::new();
            rtp::write(&packet.header, packet.payload, &mut written).expect("it came in and fits");
            assert_eq!(Packet::parse(&written), Ok(packet));
        }
        bridge.handle_rtp(at, LegId(1 + u64::from(random.below(2))), peer(), at, bytes);
        drain(&mut bridge, at);
    });
}

#[test]
fn rtcp() {
    let sender = SenderInfo { ntp: 1 << 40, timestamp: 5, packets: 6, octets: 7 };
    let block = Block { ssrc: 9, fraction_lost: 1, lost: -1, highest: 70_000, jitter: 3, last_report: 4, delay: 5 };
    let mut corpus = Vec::new();
    for (sender, block, bye) in [(Some(sender), Some(block), false), (None, None, true), (Some(sender), None, true)] {
        let mut bytes = Vec::new();
        rtcp::write(&Outgoing { ssrc: 1, sender, block, cname: "0123456789abcdef", bye }, &mut bytes);
        corpus.push(bytes);
    }
    let mut bridge = bridge(false);
    let mut at = now();
    fuzz("rtcp", corpus, |random, bytes| {
        at = at.after(Duration::from_millis(random.below(4_000).into()));
        if let Ok(compound) = Compound::parse(bytes) {
            let blocks: usize = compound.reports().map(|report| report.blocks().count()).sum();
            assert!(blocks * 24 <= bytes.len());
            let _ = compound.says_bye();
        }
        bridge.handle_rtcp(at, LegId(1 + u64::from(random.below(2))), peer(), at, bytes);
        drain(&mut bridge, at);
    });
}

/// Lets its timers run and reads what it sends.
fn drain(bridge: &mut Bridge, at: hotline::clock::Now) {
    while bridge.poll_timeout().is_some_and(|(due, _)| due <= at.mono) {
        bridge.handle_timeout(at);
    }
    while let Some(transmit) = bridge.poll_transmit() {
        let read = match transmit.component {
            hotline::media::Component::Rtp => Packet::parse(transmit.bytes).is_ok(),
            hotline::media::Component::Rtcp => Compound::parse(transmit.bytes).is_ok(),
        };
        assert!(read, "{:?} cannot be read", transmit.bytes);
    }
    while bridge.poll_event().is_some() || bridge.poll_recorded().is_some() {}
}
