//! What the gateway survives, and what it refuses to start with: kill -9, a full disk, a second server, a wrong line.

mod common;

use std::net::{TcpListener, UdpSocket};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use common::bench::{BINARY, hotline, http_get};
use common::child::Process;
use common::ports::Wide;
use common::sound::{RATE, Stereo, coded_seconds, is_of_second, play};
use common::voice::Voice;
use common::{Bench, RecordExt, Sipp, seconds, until, wall_us, within};

const CALLS: usize = 20;

#[test]
fn kill_9_with_twenty_calls_up_loses_no_record_and_at_most_a_second_of_sound() {
    let mut bench = Bench::new();
    let phones = bench.ports.one();
    for number in 1..=CALLS {
        bench.agent_at(&number.to_string(), phones);
    }
    let (spoken_us, caller) = (wall_us(), Voice::playing(bench.ports.even(), coded_seconds(60)));
    let agent = Voice::new(bench.ports.even(), 1_000.0);
    agent.sound_from(0);
    let count = CALLS as u64;
    let answering = Sipp::agent(&bench, "agent_answers", phones).pause_ms(100).calls(count).voice(agent.port);
    let calling = Sipp::trunk(&bench, "trunk_hangs_up").pause_ms(25_000).calls(count).per_second(20).voice(caller.port);
    let mut gateway = bench.serve();
    let _answering = answering.start();
    let _calling = calling.start();

    until("twenty callers to hear their greetings", seconds(10), || (caller.partners() >= CALLS).then_some(()));
    let connected_us = wall_us();
    // Three seconds of sound on top, so that a file that stays empty cannot pass.
    until("three seconds of talk", seconds(5), || (wall_us() > connected_us + 3_000_000).then_some(()));
    assert_eq!(gateway.balance(), CALLS as i64);
    assert_eq!(gateway.live().len(), CALLS);
    assert_eq!(gateway.calls().len(), 0);
    let killed_us = wall_us();
    gateway.process.kill();

    gateway.restart();
    let records = gateway.records(CALLS);
    for record in &records {
        assert!(record.flag("interrupted"), "{record:#}");
        assert_eq!(record.text("outcome"), "answered");
        assert_eq!(record.text("reason"), "crash");
        assert_eq!(record.text("ended_by"), "gateway");
        let connected_us = record.instant_us("connected_at");
        let up_ms = (killed_us - connected_us) / 1000;
        within("call's length before the kill", up_ms, 3_000..=20_000);
        within("kill − ended_at", (killed_us - record.instant_us("ended_at")) / 1000, -50..=1_000);
        let sound = play(&gateway.recording(record));
        within("kill − end of the file", up_ms - sound.millis(), -100..=1_000);
        within("file − recording.duration_ms", sound.millis() - record.number("recording.duration_ms"), -1..=1);
        let last = &sound.left[sound.left.len() - 800..];
        assert!(last.iter().any(|sample| *sample > 4_000), "the caller's channel has sound to its end");
        seconds_are_in_their_places(&sound, connected_us - spoken_us);
    }
    let agents: std::collections::BTreeSet<&str> = records.iter().map(|record| record.text("agent")).collect();
    assert_eq!(agents.len(), CALLS, "each call had an agent of its own: {agents:?}");
    // Counters count since the process began; what was recovered has its own.
    gateway.settled(0);
    assert_eq!(gateway.metric("hotline_calls_interrupted_total"), CALLS as i64);
}

/// Each whole second that the caller sent lies where it was sent; the file begins so long after the first of them.
fn seconds_are_in_their_places(sound: &Stereo, begins_us: i64) {
    let begins_ms = begins_us / 1_000;
    let (first, last) = ((begins_ms + 800).div_euclid(1_000) + 1, (begins_ms + sound.millis()).div_euclid(1_000));
    for second in first..last {
        let from = second * 1_000 + 200 - begins_ms;
        let at = |ms: i64| usize::try_from(ms).expect("in the file") * RATE / 1_000;
        let middle = &sound.left[at(from)..at(from + 600)];
        assert!(is_of_second(middle, second), "second {second}, {from} ms from the beginning of {} ms", sound.millis());
    }
    assert!(first < last, "{} ms are no whole second", sound.millis());
}

/// How long the recovery took, as the log says it.
fn recovered_ms(log: &str) -> i64 {
    let line = log.lines().find(|line| line.contains("closed what a crash had cut")).expect("a word on the recovery");
    let took = line.split_once("\"took_ms\":").expect("how long it took").1;
    took.split(|c: char| !c.is_ascii_digit()).next().and_then(|ms| ms.parse().ok()).expect("a number")
}

/// What a kill at some moment took, in ms: until the calls that it cut were closed, and of the end of a recording, at most.
#[derive(Debug, Clone, Copy, Default)]
struct Loss {
    recovered_ms: i64,
    lost_ms: i64,
}

impl Loss {
    fn worse(self, other: Loss) -> Loss {
        Loss { recovered_ms: self.recovered_ms.max(other.recovered_ms), lost_ms: self.lost_ms.max(other.lost_ms) }
    }
}

/// How much of what callers say is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Said {
    Nothing,
    /// Each whole second lies in its place.
    Seconds,
}

/// Kill -9 at some moment with so many recorded calls up: each of them has its record and its file.
fn kill_at_some_moment(calls: usize, said: Said) -> Loss {
    let mut bench = Bench::new();
    let phone = bench.ports.one();
    (1..=calls).for_each(|number| bench.agent_at(&number.to_string(), phone));
    // Two pairs of ports each.
    let wide = (calls > CALLS).then(Wide::reserve);
    wide.iter().for_each(|wide| bench.rtp = wide.rtp_range());
    let voice = || Voice::playing(bench.ports.even(), coded_seconds(60));
    let (spoken_us, caller) = (wall_us(), (said == Said::Seconds).then(voice));
    let count = calls as u64;
    let answering = Sipp::agent(&bench, "agent_answers", phone).pause_ms(10).calls(count);
    let calling = Sipp::trunk(&bench, "trunk_hangs_up").pause_ms(40_000).calls(count).per_second(100);
    let calling = match &caller {
        Some(caller) => calling.voice(caller.port),
        None => calling,
    };
    let mut gateway = bench.serve();
    let _answering = answering.start();
    let _calling = calling.start();
    let connected = || gateway.live().iter().filter(|call| !call.at_path("connected_at").is_null()).count();
    let offered = || gateway.metric("hotline_calls_offered_total");
    until("all to be connected", seconds(15), || (offered() == count as i64 && connected() == calls).then_some(()));
    // Some moment within the next second and a half, different each time; later, where whole seconds are asked for.
    let from_us = wall_us();
    let least_us = if said == Said::Seconds { 2_200_000 } else { 100_000 };
    let moment_us = least_us + (from_us ^ (from_us >> 7)).rem_euclid(1_400_000);
    until("the moment", seconds(5), || (wall_us() > from_us + moment_us).then_some(()));
    let killed_us = wall_us();
    gateway.process.kill();
    gateway.restart();
    let mut loss = Loss { recovered_ms: recovered_ms(&gateway.process.output()), lost_ms: 0 };

    let config = gateway.config.to_str().expect("UTF-8");
    let verified = hotline(&["recordings", "verify", "--json", "--config", config]);
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stdout));
    for record in &gateway.records(calls) {
        assert!(record.flag("interrupted"), "{record:#}");
        assert_eq!(record.text("recording.status"), "partial", "{record:#}");
        let connected_us = record.instant_us("connected_at");
        let sound = play(&gateway.recording(record));
        let lost_ms = (killed_us - connected_us) / 1000 - sound.millis();
        within("what the kill took, ms", lost_ms, -100..=1_000);
        loss.lost_ms = loss.lost_ms.max(lost_ms);
        if said == Said::Seconds {
            seconds_are_in_their_places(&sound, connected_us - spoken_us);
        }
    }
    within("recovery, ms", loss.recovered_ms, 0..=2_000);
    loss
}

fn say(kills: usize, calls: usize, loss: Loss) {
    let Loss { recovered_ms, lost_ms } = loss;
    common::say(&format!(
        "{kills} kills of {calls} calls: back in {recovered_ms} ms, at most {lost_ms} ms lost of each"
    ));
}

#[test]
fn kill_9_with_two_hundred_recorded_calls_keeps_each_and_recovers_in_two_seconds() {
    say(1, 200, kill_at_some_moment(200, Said::Nothing));
}

#[test]
fn kill_9_at_twenty_moments_keeps_each_recording() {
    let row = || (0..4).map(|_| kill_at_some_moment(6, Said::Nothing)).fold(Loss::default(), Loss::worse);
    let loss = std::thread::scope(|scope| {
        let rows: Vec<_> = (0..5).map(|_| scope.spawn(row)).collect();
        rows.into_iter().map(|row| row.join().expect("each kill")).fold(Loss::default(), Loss::worse)
    });
    say(20, 6, loss);
}

/// `cargo test --release --test survival -- --ignored hundred_moments` takes a quarter of an hour.
#[test]
#[ignore = "a quarter of an hour"]
fn kill_9_at_a_hundred_moments_with_two_hundred_calls_keeps_every_second_in_its_place() {
    let loss = (0..100).map(|_| kill_at_some_moment(200, Said::Seconds)).fold(Loss::default(), Loss::worse);
    say(100, 200, loss);
}

#[test]
fn a_call_still_ringing_at_kill_9_is_recorded_as_failed() {
    let mut bench = Bench::new();
    let phone = bench.agent("8");
    let agent = Sipp::agent(&bench, "agent_rings_out", phone);
    let caller = Sipp::trunk(&bench, "trunk_cancels").pause_ms(20_000);
    let mut gateway = bench.serve();
    let _agent = agent.start();
    let _caller = caller.start();
    until("the ring", seconds(5), || {
        gateway.live().first().filter(|call| !call.at_path("ring_at").is_null()).map(|_| ())
    });
    gateway.process.kill();
    gateway.restart();
    let record = gateway.record();
    assert_eq!(record.text("outcome"), "failed");
    assert_eq!(record.text("reason"), "crash");
    assert!(record.flag("interrupted"));
    assert!(record.at_path("answered_at").is_null());
}

/// How this process may mount a file system in a name space of its own: as root, or as one who is root only there.
fn may_mount(directory: &Path) -> Option<&'static str> {
    let script = format!("mount -t tmpfs -o size=64k none '{}'", directory.display());
    let mounts = |how: &&str| {
        let output = Command::new("unshare").args([how, "sh", "-c", &script]).output();
        output.is_ok_and(|output| output.status.success())
    };
    let found = ["-m", "-rm"].into_iter().find(mounts);
    if found.is_none() {
        common::say("SKIPPED: this user may not mount a file system (unshare -rm), so no disk can be filled");
    }
    found
}

#[test]
fn a_disk_full_while_recording_leaves_the_call_up_and_the_record_honest() {
    let mut bench = Bench::new();
    let recordings = bench.data().join("recordings");
    std::fs::create_dir_all(&recordings).expect("the recordings' directory");
    let Some(how) = may_mount(&recordings) else { return };
    let phone = bench.agent("8");
    let caller = Voice::new(bench.ports.even(), 440.0);
    let agent = Voice::new(bench.ports.even(), 1_000.0);
    caller.sound_from(0);
    agent.sound_from(0);
    let answering = Sipp::agent(&bench, "agent_answers", phone).pause_ms(200).voice(agent.port);
    let calling = Sipp::trunk(&bench, "trunk_hangs_up").pause_ms(8_000).voice(caller.port);
    // 128 KiB hold four seconds of 16 bit stereo at 8 kHz; the process keeps its id through exec.
    let mut command = Command::new("unshare");
    let script = "mount -t tmpfs -o size=128k none \"$1\" && shift && exec \"$@\"";
    command.args([how, "sh", "-c", script, "sh"]).arg(&recordings).arg(BINARY);
    let mut gateway = bench.serve_as(command);
    let answering = answering.start();
    calling.run();
    answering.finish();

    assert!(gateway.alive());
    let record = gateway.sealed();
    assert_eq!(record.text("outcome"), "answered");
    assert_eq!(record.text("reason"), "caller_hung_up");
    within("talk_ms", record.number("talk_ms"), 7_990..=8_400);
    assert_eq!(record.text("recording.status"), "partial");
    assert!(!record.text("recording.reason").is_empty(), "{record:#}");
    // The voices went on to the end, 50 packets a second.
    let last_second = |voice: &Voice| {
        let end = record.instant_us("ended_at");
        voice.heard().iter().filter(|packet| packet.at_us > end - 1_000_000).count()
    };
    assert!(last_second(&caller) > 40, "the caller heard {} packets in the last second", last_second(&caller));
    assert!(last_second(&agent) > 40, "the agent heard {} packets in the last second", last_second(&agent));
    // What was kept can be played: seen through the process, in whose name space alone the disk is mounted.
    let kept = gateway.recording(&record);
    let seen = Path::new("/proc").join(gateway.process.id().to_string()).join("root");
    let sound = play(&seen.join(kept.strip_prefix("/").expect("an absolute path")));
    within("what was kept, ms", sound.millis(), 2_000..=4_096);
    within("file − recording.duration_ms", sound.millis() - record.number("recording.duration_ms"), -1..=1);
    gateway.settled(1);
}

#[test]
fn on_a_full_disk_new_calls_are_refused_or_go_on_unrecorded_as_the_configuration_says() {
    for (policy, outcome, reason) in
        [("refuse", "rejected", "overloaded"), ("unrecorded", "answered", "caller_hung_up")]
    {
        let mut bench = Bench::new();
        let recordings = bench.data().join("recordings");
        std::fs::create_dir_all(&recordings).expect("the recordings' directory");
        let Some(how) = may_mount(&recordings) else { return };
        let phone = bench.agent("8");
        bench.extra = format!("\n[recordings]\ndisk_full = \"{policy}\"\n");
        bench.greeting = "text = \"您好！\"".into();
        bench.ringing.push_str("\n[recording]\nunrecorded = \"谢谢，再见。\"\n");
        let answering = Sipp::agent(&bench, "agent_answers", phone).pause_ms(100);
        let called = if policy == "refuse" { "trunk_refused_503" } else { "trunk_hangs_up" };
        let calling = Sipp::trunk(&bench, called).pause_ms(1_000);
        let mut command = Command::new("unshare");
        let script = "mount -t tmpfs -o size=400k none \"$1\" && head -c 404000 /dev/zero > \"$1/others\" && shift && exec \"$@\"";
        command.args([how, "sh", "-c", script, "sh"]).arg(&recordings).arg(BINARY);
        let gateway = bench.serve_as(command);
        assert_eq!(gateway.metric("hotline_recordings_disk_level"), 3);
        let answering = answering.start();
        calling.run();
        if outcome == "answered" {
            answering.finish();
        }
        let record = gateway.sealed();
        assert_eq!((record.text("outcome"), record.text("reason")), (outcome, reason), "{record:#}");
        assert_eq!(record.text("recording.status"), "none");
        if outcome == "answered" {
            assert_eq!(record.text("recording.reason"), "disk_full");
            assert_eq!(record.text("greeting.text"), "您好！谢谢，再见。", "the caller is told");
            // Others made room: within a look or two all is as before.
            let seen = Path::new("/proc").join(gateway.process.id().to_string()).join("root");
            let others = seen.join(recordings.strip_prefix("/").expect("an absolute path")).join("others");
            std::fs::remove_file(others).expect("removing");
            until("room", seconds(5), || (gateway.metric("hotline_recordings_disk_level") == 0).then_some(()));
        }
    }
}

#[test]
fn a_second_server_on_the_same_data_is_refused() {
    let mut bench = Bench::new();
    bench.agent("8");
    // Other ports, the same directory.
    let other = Bench::new();
    let data = bench.data();
    let mut gateway = bench.serve();
    let config = other.write();
    let text = std::fs::read_to_string(&config).expect("the configuration");
    let shared = format!("directory = \"{}\"", data.display());
    let agent = "\n[[agent]]\nnumber = \"8\"\nname = \"Agent 8\"\ncontact = \"sip:8@127.0.0.1:9\"\n";
    std::fs::write(&config, text.replacen("directory = \"data\"", &shared, 1) + agent).expect("writing");
    let plan = other.path().join("dialplans/property.toml");
    let text = std::fs::read_to_string(&plan).expect("the dialplan");
    std::fs::write(&plan, text.replacen("numbers = []", "numbers = [\"8\"]", 1)).expect("writing");

    let mut command = Command::new(BINARY);
    command.arg("serve").arg("--config").arg(&config);
    let mut second = Process::start("second", other.path(), &mut command);
    assert_eq!(second.wait(seconds(10)), 1, "{}", second.output());
    assert!(!second.printed().lines().any(|line| line == "ready"), "{}", second.output());
    assert!(second.output().contains(&data.display().to_string()), "it names the directory: {}", second.output());
    assert!(gateway.alive());
    assert!(http_get(gateway.bench.metrics, "/healthz").is_some(), "the first one goes on");

    // The lock is the operating system's: gone with the process, even by kill -9.
    gateway.process.kill();
    let mut third = Process::start("third", other.path(), command.process_group(0));
    until("the other server's `ready`", seconds(15), || {
        assert!(third.exited().is_none(), "{}", third.output());
        third.printed().lines().any(|line| line == "ready").then_some(())
    });
}

/// The line of `text` that contains `part`, counted from 1.
fn line_of(text: &str, part: &str) -> usize {
    1 + text.lines().position(|line| line.contains(part)).unwrap_or_else(|| panic!("no {part} in {text}"))
}

#[test]
fn wrong_lines_are_all_named_and_no_port_is_bound() {
    let mut bench = Bench::new();
    bench.agent("8");
    let config = bench.write();
    let path = config.to_str().expect("UTF-8");
    let right = hotline(&["check", "--config", path]);
    assert!(right.status.success(), "the configuration as it should be: {right:?}");

    let plan = bench.path().join("dialplans/property.toml");
    let written = std::fs::read_to_string(&config).expect("the configuration");
    let wrong = written.replacen("[rtp]\nports =", "[rtp]\nport =", 1).replacen(
        "peers = [\"127.0.0.1\"]",
        "peers = [\"127.0.0\"]",
        1,
    );
    std::fs::write(&config, &wrong).expect("writing");
    let plan_written = std::fs::read_to_string(&plan).expect("the dialplan");
    let wrong_plan = plan_written.replacen("strategy = \"in_order\"", "strategy = \"at_random\"", 1);
    std::fs::write(&plan, &wrong_plan).expect("writing");
    let faults = [
        format!("hotline.toml:{}:", line_of(&wrong, "port =")),
        format!("hotline.toml:{}:", line_of(&wrong, "peers =")),
        format!("property.toml:{}:", line_of(&wrong_plan, "at_random")),
    ];

    // Whoever held these ports would make a server that binds them fail with 1, not 64.
    let _sip = UdpSocket::bind(("127.0.0.1", bench.sip)).expect("the SIP port");
    let _metrics = TcpListener::bind(("127.0.0.1", bench.metrics)).expect("the metrics' port");
    for command in ["check", "serve"] {
        let mut process = Process::start(command, bench.path(), Command::new(BINARY).args([command, "--config", path]));
        assert_eq!(process.wait(seconds(10)), 64, "{}", process.output());
        let output = process.output();
        for fault in &faults {
            assert!(output.contains(fault.as_str()), "{command} does not name {fault}\n{output}");
        }
        assert!(output.contains("ports"), "no hint at the right key\n{output}");
        assert!(!output.lines().any(|line| line == "ready"), "{output}");
    }
    assert!(!bench.data().join("recordings").exists(), "nothing was made in the data directory");
}

#[test]
fn a_missing_configuration_is_wrong_use() {
    let missing = hotline(&["check", "--config", "/nonexistent/hotline.toml"]);
    assert_eq!(missing.status.code(), Some(64), "{missing:?}");
    let unknown = hotline(&["no-such-command"]);
    assert_eq!(unknown.status.code(), Some(64), "{unknown:?}");
}
