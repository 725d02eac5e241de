use proptest::prelude::*;

use super::*;

const PACKET_NS: u64 = 20_000_000;

fn header(n: u64) -> Header {
    Header { payload_type: 8, marker: n == 0, sequence: (65_000 + n) as u16, timestamp: (n * 160) as u32, ssrc: 7 }
}

/// Feeds packets by their number and arrival; the answer is what the meter measured.
fn fed(packets: impl IntoIterator<Item = (u64, u64)>) -> Measured {
    let mut meter = StreamMeter::new(8_000);
    for (n, ns) in packets {
        meter.handle(Instant::from_nanos(ns), &header(n), Kind::Audio, 160);
    }
    meter.result()
}

fn steady(n: u64) -> (u64, u64) {
    (n, n * PACKET_NS)
}

#[test]
fn a_clean_stream_across_the_wrap() {
    let measured = fed((0..3_000).map(steady));
    assert_eq!((measured.packets, measured.lost, measured.cumulative_lost), (3_000, 0, 0));
    assert_eq!((measured.octets, measured.packet_us, measured.lasted_ms), (480_000, 20_000, 59_980));
    assert_eq!(measured.jitter, JitterNs::default());
    assert_eq!(measured.losses.packets, 3_000);
    assert_eq!(measured.heard, measured.losses);
}

/// The base is the first packet received, not what an answer or SDP might have promised.
#[test]
fn a_stream_that_begins_late_has_lost_nothing() {
    let measured = fed((500..1_000).map(steady));
    assert_eq!((measured.packets, measured.lost), (500, 0));
}

#[test]
fn unique_and_cumulative_loss_are_apart() {
    let twice = (0..1_000).filter(|n| n % 100 != 50).flat_map(|n| {
        let copies = if n % 10 == 3 { 2 } else { 1 };
        std::iter::repeat_n(steady(n), copies)
    });
    let measured = fed(twice);
    assert_eq!((measured.packets, measured.lost, measured.duplicates), (990, 10, 100));
    assert_eq!(measured.cumulative_lost, -90);
    assert_eq!((measured.losses.events, measured.losses.gap_lost), (10, 10));
}

#[test]
fn a_late_packet_is_not_lost_by_the_network_but_may_be_discarded() {
    let order: Vec<_> =
        (0..1_000).map(|n| if n % 100 == 60 { (n, (n + 9) * PACKET_NS + 1) } else { steady(n) }).collect();
    let mut order = order;
    order.sort_by_key(|(_, ns)| *ns);
    let measured = fed(order);
    assert_eq!((measured.packets, measured.lost, measured.reordered), (1_000, 0, 10));
    assert_eq!(measured.fixed_short.discarded, 10, "180 ms are too late for 50");
    assert_eq!(measured.fixed_long.discarded, 0);
    assert_eq!((measured.adaptive.discarded, measured.heard.lost), (1, 1), "it learns with the first");
    assert_eq!(measured.losses.lost, 0);
}

#[test]
fn intervals_add_up_to_the_whole() {
    let mut meter = StreamMeter::new(8_000);
    let mut sum = (0, 0, 0);
    let mut add = |part: Measured| sum = (sum.0 + part.packets, sum.1 + part.lost, sum.2 + part.octets);
    for n in (0..5_000).filter(|n| n % 7 != 3) {
        meter.handle(Instant::from_nanos(n * PACKET_NS), &header(n), Kind::Audio, 160);
        if n % 500 == 499 {
            add(meter.interval());
        }
    }
    let whole = meter.result();
    add(meter.interval());
    // What is missing among the last packets is given up at the end only.
    let (packets, lost, octets) = sum;
    assert_eq!((packets, octets), (whole.packets, whole.octets));
    assert!(whole.lost - lost <= 128 / 7 + 1, "{} of {}", lost, whole.lost);
}

#[test]
fn another_ssrc_is_another_stream_in_the_same_direction() {
    let mut meter = StreamMeter::new(8_000);
    for n in 0..500 {
        meter.handle(Instant::from_nanos(n * PACKET_NS), &header(n), Kind::Audio, 160);
    }
    for n in 500..1_000_u64 {
        let header = Header { ssrc: 8, sequence: (n + 9_000) as u16, timestamp: 77 + n as u32 * 160, ..header(n) };
        meter.handle(Instant::from_nanos(n * PACKET_NS), &header, Kind::Audio, 160);
    }
    let measured = meter.result();
    assert_eq!((measured.packets, measured.lost, measured.restarts), (1_000, 0, 1));
    assert_eq!(measured.jitter.max, 0);
}

#[test]
fn events_and_silence_are_no_jitter() {
    let mut meter = StreamMeter::new(8_000);
    let mut at = 0;
    let mut send = |meter: &mut StreamMeter, sequence: u16, timestamp: u32, wait_ms: u64, kind| {
        at += wait_ms * 1_000_000;
        let header = Header { payload_type: 8, marker: false, sequence, timestamp, ssrc: 1 };
        meter.handle(Instant::from_nanos(at), &header, kind, 160);
    };
    for n in 0..100 {
        send(&mut meter, n, u32::from(n) * 160, 20, Kind::Audio);
    }
    for n in 100..110 {
        send(&mut meter, n, 16_000, 20, Kind::Event);
    }
    send(&mut meter, 110, 17_600, 20, Kind::ComfortNoise);
    // Three seconds of silence, in which nothing is sent.
    send(&mut meter, 111, 17_600 + 24_000, 3_000, Kind::Audio);
    let measured = meter.result();
    assert_eq!((measured.packets, measured.lost, measured.jitter.max), (112, 0, 0));
    assert_eq!((measured.packet_us, measured.longest_wait_us), (20_000, 3_000_000));
    assert_eq!(measured.losses.outages, 0);
    assert_eq!(meter.longest_delta(), Duration::from_millis(20), "comfort noise and what follows it are no talkspurt");
}

proptest! {
    /// Whatever comes in whatever order: the slots agree with the receiver's count, and nothing panics.
    #[test]
    fn what_is_judged_is_what_was_expected(
        steps in proptest::collection::vec((-60_i64..80, 0_u64..40), 1..800), first: u16,
    ) {
        let mut meter = StreamMeter::new(8_000);
        let (mut position, mut at) = (i64::from(first), 0);
        for (step, ms) in steps {
            position += step / 3;
            at += ms * 1_000_000;
            let timestamp = (position as u32).wrapping_mul(160);
            let header = Header { payload_type: 8, marker: false, sequence: position as u16, timestamp, ssrc: 1 };
            meter.handle(Instant::from_nanos(at), &header, Kind::Audio, 160);
        }
        let measured = meter.result();
        prop_assert_eq!(measured.lost, meter.received().lost());
        prop_assert_eq!(measured.losses.packets, measured.expected());
        prop_assert_eq!(measured.heard.packets, measured.expected());
        prop_assert!(measured.heard.lost >= measured.lost);
        prop_assert_eq!(measured.heard.lost - measured.lost, measured.adaptive.discarded);
        let again = measured.duplicates + meter.received().before_first();
        prop_assert_eq!(measured.cumulative_lost, measured.lost as i64 - again as i64);
    }
}
