//! Captures made here, octet by octet, and what is read in them.

use std::ops::Range;

use super::*;

const CALLER: (u8, u16) = (1, 4_000);
const AGENT: (u8, u16) = (2, 6_000);

/// A pcap of raw IPv4, with at most `snap` octets of each packet.
struct File {
    bytes: Vec<u8>,
    snap: usize,
}

impl File {
    fn new(snap: usize) -> File {
        let words = [0xa1b2_c3d4, 0x0004_0002, 0, 0, 262_144, 101_u32];
        File { bytes: words.iter().flat_map(|word| word.to_le_bytes()).collect(), snap }
    }

    fn udp(&mut self, ms: u64, (from, source): (u8, u16), (to, target): (u8, u16), payload: &[u8]) {
        let length = payload.len() as u16;
        let mut packet = vec![0x45, 0];
        packet.extend((28 + length).to_be_bytes());
        packet.extend([0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, from, 10, 0, 0, to]);
        for half in [source, target, 8 + length, 0] {
            packet.extend(half.to_be_bytes());
        }
        packet.extend(payload);
        let kept = packet.len().min(self.snap);
        let head = [(ms / 1_000) as u32, (ms % 1_000) as u32 * 1_000, kept as u32, packet.len() as u32];
        self.bytes.extend(head.iter().flat_map(|word| word.to_le_bytes()));
        self.bytes.extend(&packet[..kept]);
    }

    /// 20 ms of A-law each, number 0 at `ms`; every third packet has an extension, every fifth padding.
    fn speak(&mut self, ms: u64, from: (u8, u16), to: (u8, u16), ssrc: u8, numbers: Range<u16>) {
        for n in numbers {
            let (extended, padded) = (n % 3 == 1, n % 5 == 2);
            let mut bytes = vec![0x80 | u8::from(extended) << 4 | u8::from(padded) << 5, 8];
            bytes.extend(n.to_be_bytes());
            bytes.extend((u32::from(n) * 160).to_be_bytes());
            bytes.extend([0, 0, 0, ssrc]);
            if extended {
                bytes.extend([0xbe, 0xde, 0, 20]);
                bytes.extend([7; 80]);
            }
            bytes.extend([0xd5; 160]);
            if padded {
                bytes.extend([0, 0, 0, 4]);
            }
            self.udp(ms + u64::from(n) * 20, from, to, &bytes);
        }
    }

    fn says(&mut self, ms: u64, from: u8, to: u8, line: &str, (number, method): (u32, &str), sdp: Option<(u8, u16)>) {
        let body = sdp.map_or_else(String::new, |(host, port)| {
            let host = format!("IN IP4 10.0.0.{host}");
            format!("v=0\r\no=- 1 1 {host}\r\ns=-\r\nc={host}\r\nt=0 0\r\nm=audio {port} RTP/AVP 8\r\n")
        });
        let tag = if line.starts_with("INVITE") && number == 1 { "" } else { ";tag=b" };
        let text = format!(
            "{line}\r\nVia: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK{number}{method}\r\n\
             From: <sip:1@a>;tag=a\r\nTo: <sip:2@b>{tag}\r\n\
             Call-ID: one\r\nCSeq: {number} {method}\r\nMax-Forwards: 70\r\nContact: <sip:1@10.0.0.1>\r\n\
             Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        self.udp(ms, (from, 5_060), (to, 5_060), text.as_bytes());
    }

    fn analyzed(&self) -> Analysis {
        analyze(&*self.bytes).unwrap()
    }
}

fn ms(at: Option<Instant>) -> Option<u64> {
    at.map(|at| at.as_nanos() / 1_000_000)
}

#[test]
fn a_packet_that_the_capture_cut_came_all_the_same() {
    // To the end of the RTP header; into an extension.
    for snap in [40, 60, 300] {
        let mut file = File::new(snap);
        file.speak(0, CALLER, AGENT, 1, 0..300);
        let analysis = file.analyzed();
        let measured = analysis.streams[0].measured;
        assert_eq!((analysis.streams.len(), measured.packets, measured.lost), (1, 300, 0), "{snap} octets kept");
    }
}

#[test]
fn a_message_that_the_capture_cut_is_followed_as_far_as_it_goes() {
    let whole = {
        let mut file = File::new(2_000);
        file.says(0, 1, 2, "INVITE sip:2@b SIP/2.0", (1, "INVITE"), Some(CALLER));
        file.bytes.len() - 40
    };
    // The last lines are cut: the port of the media is not there, half a port is none.
    for cut in [3, 9, 12, 60] {
        let mut file = File::new(whole - cut);
        file.says(0, 1, 2, "INVITE sip:2@b SIP/2.0", (1, "INVITE"), Some(CALLER));
        file.says(500, 2, 1, "SIP/2.0 200 OK", (1, "INVITE"), Some(AGENT));
        file.speak(510, CALLER, AGENT, 1, 0..300);
        file.says(7_000, 1, 2, "BYE sip:2@b SIP/2.0", (2, "BYE"), None);
        let analysis = file.analyzed();
        let call = &analysis.calls[0];
        let told = (ms(call.offered), ms(call.answered), ms(call.ended));
        assert_eq!((analysis.unreadable, told), (0, (Some(0), Some(500), Some(7_000))), "{cut} octets cut");
        assert_eq!(analysis.streams[0].measured.packets, 300);
        assert_eq!(analysis.streams[0].status, Status::Rated);
    }
}

#[test]
fn what_began_before_the_capture_has_no_beginning_in_it() {
    let begin = |line: &str, cseq: (u32, &str)| {
        let mut file = File::new(2_000);
        file.speak(0, CALLER, AGENT, 1, 0..150);
        // The media was there before: the call that names it now has it.
        file.says(3_000, 1, 2, line, cseq, (cseq.1 == "INVITE").then_some(CALLER));
        file.says(3_500, 2, 1, "SIP/2.0 200 OK", cseq, (cseq.1 == "INVITE").then_some(AGENT));
        file.speak(0, CALLER, AGENT, 1, 175..400);
        file.speak(8_000, AGENT, CALLER, 2, 0..300);
        file.analyzed()
    };
    let again = begin("INVITE sip:2@b SIP/2.0", (4, "INVITE"));
    let call = &again.calls[0];
    assert_eq!((call.offered, call.answered, call.in_progress), (None, None, true), "a later INVITE tells no time");
    assert!(again.streams.iter().all(|stream| stream.call == Some(0) && stream.status == Status::Rated));
    let ended = begin("BYE sip:2@b SIP/2.0", (4, "BYE"));
    assert_eq!((ended.calls[0].offered, ms(ended.calls[0].ended)), (None, Some(3_000)));
    let ringing = begin("SIP/2.0 180 Ringing", (1, "INVITE"));
    let call = &ringing.calls[0];
    assert_eq!((call.offered, ms(call.rung), ms(call.answered)), (None, Some(3_000), Some(3_500)));
    assert!(begin("OPTIONS sip:2@b SIP/2.0", (4, "OPTIONS")).calls.is_empty());
}

/// A switch that passes an SSRC on: a report of one leg says nothing of the other.
#[test]
fn a_report_is_of_the_stream_that_its_author_receives() {
    let (switch, third) = ((2, 6_100), (3, 8_000));
    let mut file = File::new(2_000);
    for (a, b, first) in [(CALLER, AGENT, 1), (switch, third, 1), (AGENT, CALLER, 2), (third, switch, 2)] {
        file.speak(0, a, b, first, 0..100);
    }
    let rtcp = |(host, port): (u8, u16)| (host, port + 1);
    let mut report = |at: u64, from, to, ssrc: u8, other: Option<(u8, u32, u32)>| {
        let mut bytes =
            vec![0x80 | u8::from(other.is_some()), 200, 0, if other.is_some() { 12 } else { 6 }, 0, 0, 0, ssrc];
        // The middle of this time is `at` times 65,536 / 1,000.
        bytes.extend(((at << 32) / 1_000).to_be_bytes());
        bytes.extend([0; 12]);
        if let Some((of, middle, delay)) = other {
            bytes.extend([0, 0, 0, of]);
            bytes.extend([0; 12]);
            bytes.extend(middle.to_be_bytes());
            bytes.extend(delay.to_be_bytes());
        }
        file.udp(at, rtcp(from), rtcp(to), &bytes);
        (((at << 32) / 1_000) >> 16) as u32
    };
    let sent = report(1_000, CALLER, AGENT, 1, None);
    let back = report(1_080, AGENT, CALLER, 2, Some((1, sent, 0)));
    report(1_100, CALLER, AGENT, 1, Some((2, back, 0)));
    let analysis = file.analyzed();
    let told = |n: usize| analysis.streams[n].round_trip.map(|d| d.as_millis());
    assert_eq!(analysis.streams.len(), 4);
    assert_eq!([0, 1, 2, 3].map(told), [Some(100), None, Some(100), None]);
}

/// The same ports, the same SSRC and numbers that begin anew: the next call.
#[test]
fn the_next_call_on_the_same_ports_has_streams_of_its_own() {
    let mut file = File::new(2_000);
    for (from, id) in [(0, "one"), (20_000, "two")] {
        let mut part = File::new(2_000);
        part.says(from, 1, 2, "INVITE sip:2@b SIP/2.0", (1, "INVITE"), Some(CALLER));
        part.says(from + 500, 2, 1, "SIP/2.0 200 OK", (1, "INVITE"), Some(AGENT));
        part.speak(from + 510, CALLER, AGENT, 1, 0..300);
        part.says(from + 7_000, 1, 2, "BYE sip:2@b SIP/2.0", (2, "BYE"), None);
        let head = File::new(0).bytes.len();
        let mut bytes = part.bytes.split_off(head);
        let places: Vec<usize> =
            bytes.windows(14).enumerate().filter(|(_, at)| at == b"Call-ID: one\r\n").map(|(at, _)| at + 9).collect();
        places.into_iter().for_each(|at| bytes[at..at + 3].copy_from_slice(id.as_bytes()));
        file.bytes.extend(bytes);
    }
    let analysis = file.analyzed();
    let told: Vec<_> = analysis.streams.iter().map(|s| (s.call, s.measured.packets, s.measured.lost)).collect();
    assert_eq!((analysis.calls.len(), told), (2, vec![(Some(0), 300, 0), (Some(1), 300, 0)]));
}
