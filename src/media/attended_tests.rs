//! A caller with nobody but the gateway: prompts, notes, ringing tone, silence, then an agent; one stream and one time line.

use super::tests::*;
use super::*;
use crate::protocol::audio::g711::Law;

const CONNECTED_US: u64 = 10_000;

fn attended() -> Bench {
    let mut bench = Bench::new();
    let connected = at(CONNECTED_US);
    bench.order(CONNECTED_US, Command::Attend { call: call(), caller: CALLER, connected, record: true });
    bench
}

fn park(bench: &mut Bench, us: u64, hears: Hears) {
    bench.order(us, Command::Park { call: call(), hears });
}

/// Whether the caller hears anything from `from` to `to`.
fn hears(bench: &Bench, from: u64, to: u64) -> bool {
    let within = |s: &&Sent| s.0.mono >= at(from).mono && s.0.mono < at(to).mono;
    bench.sent_to(CALLER).filter(within).any(|s| s.4.iter().any(|code| Law::A.decode(*code).abs() > 200))
}

/// The same of the recording's right channel.
fn recorded(bench: &Bench, from: u64, to: u64) -> bool {
    let frame = |us: u64| ((us - CONNECTED_US) / 125) as usize;
    bench.channel(1)[frame(from)..frame(to)].iter().any(|sample| sample.abs() > 200)
}

#[test]
fn notes_then_a_prompt_then_silence_for_the_message_and_all_is_recorded() {
    let mut bench = attended();
    bench.run(2_000_000);
    bench.play(2_000_000, &tone(700.0, 8_000));
    bench.run(3_500_000);
    park(&mut bench, 3_500_000, Hears::Nothing);
    // The caller speaks the message.
    for (n, payload) in tone(440.0, 16_000).chunks(160).enumerate() {
        bench.packet(3_600_000 + n as u64 * 20_000, CALLER, audio(n as u16, 1), &encode(payload));
    }
    bench.run(9_000_000);
    bench.close(9_000_000, 9_000_000);
    assert!(hears(&bench, CONNECTED_US, 1_000_000) && recorded(&bench, CONNECTED_US, 1_000_000), "notes");
    assert!(hears(&bench, 2_000_000, 3_000_000) && recorded(&bench, 2_000_000, 3_000_000), "the prompt");
    assert!(!hears(&bench, 3_500_000, 9_000_000) && !recorded(&bench, 3_500_000, 9_000_000), "silence");
    let message =
        &bench.channel(0)[((3_700_000 - CONNECTED_US) / 125) as usize..((5_500_000 - CONNECTED_US) / 125) as usize];
    assert!(message.iter().any(|s| s.abs() > 2_000), "the caller's words are on the left");
    assert_eq!(bench.total, Some((9_000_000 - CONNECTED_US) / 125));
    assert!(bench.sent_to(AGENT).next().is_none());
    let key = |e: &Event| matches!(e, Event::PlayEnded { to_end: true, .. });
    assert_eq!(bench.events.iter().filter(|e| key(e)).count(), 1);
}

#[test]
fn the_ringing_tone_of_a_connected_caller_begins_once_and_ends_with_the_agent() {
    let mut bench = attended();
    let (burst, period) = (Duration::from_secs(1), Duration::from_secs(5));
    bench.play(20_000, &tone(700.0, 1_600));
    bench.run(500_000);
    park(&mut bench, 500_000, Hears::Ringing { burst, period });
    bench.run(3_000_000);
    let connected = at(3_000_000);
    let (call, record) = (call(), true);
    bench.order(3_000_000, Command::Bridge { call, caller: CALLER, agent: AGENT, connected, record });
    bench.run(6_000_000);
    let begun: Vec<&Event> = bench.events.iter().filter(|e| matches!(e, Event::RingbackStarted { .. })).collect();
    assert_eq!(begun, [&Event::RingbackStarted { call, leg: CALLER, at: at(500_000) }]);
    assert!(hears(&bench, 500_000, 1_490_000) && !hears(&bench, 1_520_000, 6_000_000), "one burst, then nothing more");
    bench.close(6_000_000, 6_000_000);
    assert!(recorded(&bench, 500_000, 1_490_000));
    assert_eq!(bench.total, Some((6_000_000 - CONNECTED_US) / 125), "the time line goes on through the join");
}

#[test]
fn an_agent_who_answers_cuts_the_prompt_short() {
    let mut bench = attended();
    bench.play(20_000, &tone(700.0, 80_000));
    bench.run(1_000_000);
    let connected = at(1_000_000);
    bench.order(1_000_000, Command::Bridge { call: call(), caller: CALLER, agent: AGENT, connected, record: true });
    bench.run(2_000_000);
    assert!(bench.events.iter().any(|e| matches!(e, Event::PlayEnded { to_end: false, .. })));
    assert!(!hears(&bench, 1_020_000, 2_000_000));
    let sent: Vec<&Sent> = bench.sent_to(CALLER).collect();
    for pair in sent.windows(2) {
        assert_eq!(pair[1].3.sequence, pair[0].3.sequence.wrapping_add(1));
        assert_eq!(pair[1].3.ssrc, pair[0].3.ssrc);
    }
}
