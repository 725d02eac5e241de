//! What is in the recording of a call, against what each side said and heard.

mod common;

use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use common::bench::hotline;
use common::sound::{RATE, level_db, locate, onset, play, sweep, write_wav};
use common::voice::Voice;
use common::{Bench, Gateway, RecordExt, Sipp, seconds, until, wall_us, within};
use serde_json::Value;

const CALLER_HZ: f64 = 440.0;
const AGENT_HZ: f64 = 1_000.0;
const GREETING_MS: usize = 1_200;

/// A call whose greeting is a sweep that the test made, so that it can be found again.
struct Recorded {
    _gateway: Gateway,
    record: Value,
    caller: Voice,
    agent: Voice,
    greeting: Vec<i16>,
    tones_from_us: i64,
    sound: common::sound::Stereo,
}

fn greet_by_a_sweep(bench: &mut Bench) -> Vec<i16> {
    bench.greeting = "text = \"测试提示\"".into();
    let greeting = sweep(GREETING_MS);
    let prompts = bench.path().join("dialplans/prompts/zh-CN");
    std::fs::create_dir_all(&prompts).expect("the prompts' directory");
    write_wav(&prompts.join("sweep.wav"), &greeting);
    // The late greeting's beginning is not in this set; the built-in one has it.
    std::fs::write(prompts.join("catalogue.tsv"), "测试提示\tsweep.wav\n").expect("the catalogue");
    greeting
}

fn record_a_call() -> Recorded {
    let mut bench = Bench::new();
    let phone = bench.agent("8");
    let greeting = greet_by_a_sweep(&mut bench);

    let caller = Voice::new(bench.ports.even(), CALLER_HZ);
    let agent = Voice::new(bench.ports.even(), AGENT_HZ);
    let calling = Sipp::trunk(&bench, "trunk_hangs_up").pause_ms(5_000).voice(caller.port);
    let answering = Sipp::agent(&bench, "agent_answers", phone).pause_ms(300).voice(agent.port);
    let gateway = bench.serve();
    let answering = answering.start();
    let calling = calling.start();

    until("the greeting to reach the caller", seconds(5), || (caller.partners() > 0).then_some(()));
    // Both tones begin at one instant, well after the greeting's end.
    let tones_from_us = wall_us() + 2_500_000;
    caller.sound_from(tones_from_us);
    agent.sound_from(tones_from_us);
    calling.finish();
    answering.finish();

    let record = gateway.sealed();
    gateway.settled(1);
    let sound = play(&gateway.recording(&record));
    Recorded { _gateway: gateway, record, caller, agent, greeting, tones_from_us, sound }
}

/// The samples from `from_ms` for `ms`.
fn stretch(samples: &[i16], from_ms: i64, ms: i64) -> &[i16] {
    let at = |ms: i64| usize::try_from(ms).expect("a time in the file") * RATE / 1000;
    &samples[at(from_ms)..at(from_ms + ms)]
}

fn ms(samples: usize) -> i64 {
    i64::try_from(samples * 1000 / RATE).expect("a short file")
}

#[test]
fn the_caller_is_left_and_the_agent_is_right() {
    let call = record_a_call();
    let record = &call.record;
    assert_eq!(record.text("recording.status"), "ok", "{record:#}");
    let path = record.text("recording.path");
    let id = record.text("id");
    let hour: String = record.text("offered_at")[..13].replace(['-', 'T'], "/");
    assert_eq!(path, format!("recordings/{hour}/{id}.wav"));
    let length = call.sound.millis();
    within("file − talk_ms", length - record.number("talk_ms"), -20..=20);
    within("file − recording.duration_ms", length - record.number("recording.duration_ms"), -1..=1);
    let connected_us = record.instant_us("connected_at");

    // The onset of both tones: at the same place, and where the clock says.
    let expected = (call.tones_from_us - connected_us) / 1000;
    let from = usize::try_from(expected - 500).expect("after the greeting") * RATE / 1000;
    let left = ms(onset(&call.sound.left, from).expect("the caller's tone"));
    let right = ms(onset(&call.sound.right, from).expect("the agent's tone"));
    within("left − right onset", left - right, -20..=20);
    within("left onset − instant it was sent", left - expected, -20..=60);
    assert_eq!(onset(&call.sound.left, 0).map(ms), Some(left), "the left channel is silent before the caller's tone");

    // One second of both tones, away from the onset.
    let (left, right) =
        (stretch(&call.sound.left, expected + 200, 1_000), stretch(&call.sound.right, expected + 200, 1_000));
    for (name, own, other, channel) in [("left", CALLER_HZ, AGENT_HZ, left), ("right", AGENT_HZ, CALLER_HZ, right)] {
        let (own, other) = (level_db(channel, own), level_db(channel, other));
        // A peak of 8,000 is −12.2 dB of full scale.
        assert!((own + 12.2).abs() < 1.0, "{name}: its own tone at {own:.1} dB");
        assert!(other < own - 40.0, "{name}: the other side's tone at {other:.1} dB beside {own:.1} dB");
    }

    // Each tone went on to the other person, and only there.
    for (name, voice, hz, own_hz) in
        [("caller", &call.caller, AGENT_HZ, CALLER_HZ), ("agent", &call.agent, CALLER_HZ, AGENT_HZ)]
    {
        let (from_us, heard) = voice.sound();
        let heard = stretch(&heard, (call.tones_from_us - from_us) / 1000 + 300, 1_000);
        assert!((level_db(heard, hz) + 12.2).abs() < 1.5, "the {name} heard the other at {}", level_db(heard, hz));
        assert!(level_db(heard, own_hz) < -55.0, "the {name} heard itself at {:.1} dB", level_db(heard, own_hz));
    }
}

/// Speech of a spoken prompt, which is cut to 50 ms of silence at both ends.
fn prompt(name: &str) -> Vec<i16> {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("dialplans/prompts/zh-CN").join(name);
    let file = std::fs::File::open(path).expect("a prompt");
    let (samples, rate) = ::hotline::media::wav::read_mono(file).expect("a WAV file");
    samples.into_iter().step_by(rate as usize / RATE).collect()
}

#[test]
fn who_spoke_and_for_how_long_is_what_was_played() {
    let mut bench = Bench::new();
    let phone = bench.agent("8");
    // Voices begin with the first packet of the greeting, and the two wait for its end.
    greet_by_a_sweep(&mut bench);
    let (asks, answers) = (prompt("hold.comfort.wav"), prompt("hold.lookup.wav"));
    let silence = |ms: usize| vec![0; ms * RATE / 1000];
    let (asks_ms, answers_ms, gap_ms) = (ms(asks.len()) - 100, ms(answers.len()) - 100, 900);
    let agent_at = 1_800 + asks.len() * 1000 / RATE + 800;
    let caller = Voice::playing(bench.ports.even(), [silence(1_800), asks].concat());
    let agent = Voice::playing(bench.ports.even(), [silence(agent_at), answers].concat());
    let pause_ms = agent_at as u64 + answers_ms as u64 + 1_000;
    let calling = Sipp::trunk(&bench, "trunk_hangs_up").pause_ms(pause_ms).voice(caller.port);
    let answering = Sipp::agent(&bench, "agent_answers", phone).pause_ms(300).voice(agent.port);
    let gateway = bench.serve();
    let (answering, calling) = (answering.start(), calling.start());
    calling.finish();
    answering.finish();

    let record = until("what the listener heard", seconds(60), || {
        let record = gateway.record();
        (!record["listening"].is_null()).then_some(record)
    });
    let heard = &record["listening"];
    within("caller's speech", heard.number("caller.speech_ms") - asks_ms, -300..=300);
    within("agent's speech", heard.number("agent.speech_ms") - answers_ms, -300..=300);
    within("caller's talk", heard.number("together.caller_ms") - asks_ms, -300..=300);
    within("agent's talk", heard.number("together.agent_ms") - answers_ms, -300..=300);
    assert_eq!((heard.number("together.responses.count"), heard.number("together.cuts")), (1, 0), "{heard:#}");
    within("the agent's reply", heard.number("together.responses.median_ms") - gap_ms, -300..=300);
    let of = |rule: &str| {
        let verdicts = record["verdicts"].as_array().expect("verdicts");
        verdicts.iter().find(|verdict| verdict["rule"] == rule).expect("a verdict")["verdict"].clone()
    };
    assert_eq!((of("R-056"), of("R-058")), ("pass".into(), "pass".into()));
}

#[test]
fn the_greeting_is_on_the_right_where_the_caller_heard_it() {
    let call = record_a_call();
    let record = &call.record;
    let connected_us = record.instant_us("connected_at");
    assert!(record.flag("greeting.played_to_end"));
    assert_eq!(record.text("greeting.text"), "测试提示");
    within("greeting.started_after_connect_ms", record.number("greeting.started_after_connect_ms"), 0..=200);

    // A quarter of a second from its middle is enough to find the sweep.
    let (cut, length) = (RATE * 500 / 1000, RATE / 4);
    let piece = &call.greeting[cut..cut + length];
    let begin = |what: &str, hay: &[i16]| {
        let (at, alike) = locate(piece, &hay[..hay.len().min(RATE * 2)]);
        assert!(alike > 0.98, "the greeting in {what}: likeness {alike:.3}");
        ms(at) - 500
    };
    let on_right = begin("the right channel", &call.sound.right);
    let (heard_us, heard) = call.caller.sound();
    let to_caller = begin("what the caller heard", &heard) + (heard_us - connected_us) / 1000;
    within("right channel − caller's ear", on_right - to_caller, -20..=20);
    within("right channel − played.from_ms", on_right - record.number("played.0.from_ms"), -20..=20);
    let played = record.number("played.0.to_ms") - record.number("played.0.from_ms");
    within("played.to_ms − played.from_ms", played - i64::try_from(GREETING_MS).expect("small"), -20..=20);
    within(
        "right channel − started_after_connect_ms",
        on_right - record.number("greeting.started_after_connect_ms"),
        -20..=20,
    );

    // At its full length and level for the caller, 12 dB down for the agent; on the left nothing of it.
    let level = |samples: &[i16]| {
        let power = samples.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>() / samples.len() as f64;
        10.0 * (power.max(1.0) / 32_768_f64.powi(2)).log10()
    };
    let original = level(stretch(&call.greeting, 500, 500));
    let caller = level(stretch(&heard, begin("what the caller heard", &heard) + 500, 500));
    assert!((caller - original).abs() < 0.5, "the caller heard it at {caller:.1} dB, the prompt has {original:.1} dB");
    let (_, at_agent) = call.agent.sound();
    let agent = level(stretch(&at_agent, begin("what the agent heard", &at_agent) + 500, 500));
    assert!((original - agent - 12.0).abs() < 1.0, "the agent heard it {:.1} dB down", original - agent);
    let left = level(stretch(&call.sound.left, on_right.max(0), 1_000));
    assert!(left < -60.0, "the left channel has {left:.1} dB during the greeting");
}

#[test]
fn the_agents_voice_does_not_reach_the_caller_while_the_greeting_plays_but_is_recorded() {
    let mut bench = Bench::new();
    let phone = bench.agent("8");
    let caller = Voice::new(bench.ports.even(), CALLER_HZ);
    let agent = Voice::new(bench.ports.even(), AGENT_HZ);
    // Both speak from the first packet; the built-in greeting lasts longer than this call.
    caller.sound_from(0);
    agent.sound_from(0);
    let calling = Sipp::trunk(&bench, "trunk_hangs_up").pause_ms(2_000).voice(caller.port);
    let answering = Sipp::agent(&bench, "agent_answers", phone).pause_ms(200).voice(agent.port);
    let gateway = bench.serve();
    let answering = answering.start();
    calling.run();
    answering.finish();

    let record = gateway.sealed();
    assert!(!record.flag("greeting.played_to_end"));
    let sound = play(&gateway.recording(&record));
    let recorded = level_db(stretch(&sound.right, 700, 1_000), AGENT_HZ);
    assert!((recorded + 12.2).abs() < 3.0, "the agent's voice is recorded at {recorded:.1} dB");
    let heard = caller.sound().1;
    let heard = level_db(stretch(&heard, 500, 1_000), AGENT_HZ);
    assert!(heard < recorded - 25.0, "the caller heard the agent at {heard:.1} dB during the greeting");
    let passed = agent.sound().1;
    let passed = level_db(stretch(&passed, 500, 1_000), CALLER_HZ);
    assert!((passed + 12.2).abs() < 3.0, "the agent heard the caller at {passed:.1} dB during the greeting");
    gateway.settled(1);
}

/// Runs `hotline …` on this gateway's configuration; what it printed, and whether its exit code was 0.
fn command(gateway: &Gateway, arguments: &[&str]) -> (String, bool) {
    let config = gateway.config.to_str().expect("a path in UTF-8");
    let output = hotline(&[arguments, &["--config", config]].concat());
    let text = [output.stdout, output.stderr].map(|text| String::from_utf8(text).expect("UTF-8")).concat();
    (text, output.status.success())
}

fn done(gateway: &Gateway, arguments: &[&str]) -> String {
    let (text, good) = command(gateway, arguments);
    assert!(good, "{arguments:?}: {text}");
    text
}

#[test]
fn every_command_on_recordings_works_beside_the_server_and_without_it() {
    const CALLS: usize = 3;
    let mut bench = Bench::new();
    let phones = bench.ports.one();
    (1..=CALLS).for_each(|number| bench.agent_at(&number.to_string(), phones));
    let voice = Voice::new(bench.ports.even(), CALLER_HZ);
    voice.sound_from(0);
    let count = CALLS as u64;
    let answering = Sipp::agent(&bench, "agent_answers", phones).pause_ms(100).calls(count);
    let calling = Sipp::trunk(&bench, "trunk_hangs_up").pause_ms(1_500).calls(count).per_second(20).voice(voice.port);
    bench.extra = "\n[retention]\ndays = 180\n".into();
    let mut gateway = bench.serve();
    let answering = answering.start();
    calling.run();
    answering.finish();
    // What is heard in them is known too: then their rows are written.
    let sealed = |record: &Value| record["rule_pack"].is_string();
    let records = until("all calls sealed", seconds(60), || {
        Some(gateway.records(CALLS)).filter(|records| records.iter().all(sealed))
    });

    let summary = |text: &str| -> Value { serde_json::from_str(text.lines().last().expect("a line")).expect("JSON") };
    let verified = summary(&done(&gateway, &["recordings", "verify", "--json"]));
    assert_eq!((verified.number("rows"), verified.number("ok"), verified.number("faults")), (3, 3, 0), "{verified}");
    // On a machine that stands still now and then a greeting may have been cut into pieces, and tells nothing.
    assert!(verified.number("prompts") <= 3 && verified.number("farthest_ms") <= 20, "{verified}");
    assert!(done(&gateway, &["status"]).contains("taking calls"));
    assert!(done(&gateway, &["reload"]).contains("in force"));
    assert_eq!(done(&gateway, &["recordings", "prune"]).trim(), "0 recordings deleted, 0 bytes");

    // A sample more or less is found; so is a file too many.
    let file = gateway.recording(&records[0]);
    let whole = std::fs::read(&file).expect("a recording");
    let mut changed = whole.clone();
    changed[5_000] ^= 1;
    std::fs::write(&file, changed).expect("writing");
    std::fs::write(file.with_file_name("copy.wav"), "").expect("writing");
    let (found, good) = command(&gateway, &["recordings", "verify"]);
    assert!(!good && found.contains("changed") && found.contains("stranger"), "{found}");
    std::fs::write(&file, whole).expect("writing");
    std::fs::remove_file(file.with_file_name("copy.wav")).expect("removing");

    let [held, destroyed] = [1, 2].map(|n: usize| records[n].text("id"));
    done(&gateway, &["recordings", "hold", held, "--by", "Wang", "--why", "complaint"]);
    let destroy = |by| command(&gateway, &["recordings", "destroy", destroyed, "--by", by, "--why", "order"]);
    assert!(destroy("Wang").1 && !destroy("Wang").1, "one person alone may not");
    let gone = gateway.recording(&records[2]);
    let peaks = gone.with_extension("peaks");
    // 20 octets, and four for each tenth of a second.
    let tenths = (records[2].number("recording.duration_ms") + 99) / 100;
    let length = std::fs::metadata(&peaks).expect("the waveform").len();
    within("the waveform's length", i64::try_from(length).expect("small"), 20 + 4 * tenths..=20 + 4 * tenths);
    assert!(gone.exists());
    assert!(destroy("Li").1);
    assert!(!gone.exists() && !peaks.exists());

    // Without a server the command does it by itself.
    gateway.process.kill();
    let (text, good) = command(&gateway, &["status"]);
    assert!(!good && text.contains("no server"), "{text}");
    for (n, expected) in [(0, (1, 1, 0)), (1, (1, 0, 1))] {
        let receipt = done(&gateway, &["erase", "--caller", records[n].text("caller"), "--by", "Li"]);
        let receipt = summary(&receipt);
        let found = (receipt.number("calls"), receipt.number("recordings"), receipt.number("held"));
        assert_eq!(found, expected, "{receipt}");
    }
    assert!(!file.exists() && gateway.recording(&records[1]).exists());
    let calls = gateway.calls();
    assert_eq!(calls.iter().filter(|record| record.at_path("caller").is_null()).count(), 2, "{calls:#?}");
    let verified = summary(&done(&gateway, &["recordings", "verify", "--json"]));
    assert_eq!((verified.number("rows"), verified.number("removed"), verified.number("faults")), (3, 2, 0));
    assert!(done(&gateway, &["recordings", "repair"]).contains("0 rows written, 0 files mended"));
}

/// Recordings here go to an S3 server that is not there yet.
fn bench_with_objects(sealed: bool) -> (Bench, u16) {
    let mut bench = Bench::new();
    let port = bench.ports.one();
    let file = bench.path().join("recordings.key");
    std::fs::write(&file, format!("{}\n", "5a".repeat(32))).expect("writing a key");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).expect("its mode");
    let key = if sealed { "key_file = \"recordings.key\"\n" } else { "" };
    bench.extra = format!("\n[recordings]\n{key}{}", common::s3::objects(&bench, port, 0));
    (bench, port)
}

#[test]
fn recordings_go_to_an_object_store_when_its_outage_is_over_and_are_heard_checked_and_erased_there() {
    for sealed in [false, true] {
        let (mut bench, port) = bench_with_objects(sealed);
        let phone = bench.agent("8");
        let voice = Voice::new(bench.ports.even(), CALLER_HZ);
        voice.sound_from(0);
        let answering = Sipp::agent(&bench, "agent_answers", phone).pause_ms(100);
        let calling = Sipp::trunk(&bench, "trunk_hangs_up").pause_ms(2_000).voice(voice.port);
        let directory = bench.path().to_owned();
        let gateway = bench.serve();
        let answering = answering.start();
        calling.run();
        answering.finish();
        let record = gateway.sealed();
        let plain = gateway.recording(&record);
        let here = if sealed { plain.with_extension("wav.sealed") } else { plain };
        let uploads = |result: &str| {
            let of = format!("hotline_recording_uploads_total{{result=\"{result}\"}} ");
            let metrics = gateway.metrics();
            let tries = metrics.lines().find_map(|line| line.strip_prefix(&of)).expect("a series");
            tries.parse::<i64>().expect("a whole number")
        };
        until("a try in vain", seconds(10), || (uploads("unreachable") > 0).then_some(()));
        assert_eq!((gateway.metric("hotline_recording_uploads_waiting"), uploads("stored")), (1, 0));
        assert!(here.exists());

        let s3 = common::s3::S3::start(&directory, port);
        until("the recording to go", seconds(30), || (!here.exists()).then_some(()));
        until("the outbox to be empty", seconds(10), || {
            (gateway.metric("hotline_recording_uploads_waiting") == 0).then_some(())
        });
        assert_eq!(uploads("stored"), 1);
        let name = format!("hotline/{}", here.strip_prefix(gateway.bench.data()).expect("below the data").display());
        assert_eq!(s3.keys(), std::slice::from_ref(&name));
        // Read back by ranges it is the file that was recorded, octet by octet.
        assert!(done(&gateway, &["recordings", "verify"]).contains("0 faults"));
        let out = directory.join("out.wav");
        let path = out.to_str().expect("UTF-8");
        done(&gateway, &["recordings", "export", record.text("id"), path, "--by", "Wang", "--why", "complaint"]);
        let sum = Command::new("sha256sum").arg(&out).output().expect("sha256sum").stdout;
        assert!(String::from_utf8_lossy(&sum).starts_with(record.text("recording.sha256")));
        let middle = level_db(stretch(&play(&out).left, 500, 1_000), CALLER_HZ);
        assert!((middle + 12.2).abs() < 1.0, "the caller's tone is at {middle:.1} dB");

        // Whoever may write there changes nothing unseen.
        s3.overwrite(&name, "nothing");
        let (found, good) = command(&gateway, &["recordings", "verify"]);
        assert!(!good && (found.contains("changed") || found.contains("missing")), "{found}");
        let receipt = done(&gateway, &["erase", "--caller", record.text("caller"), "--by", "Li"]);
        assert!(receipt.contains(r#""objects":1"#), "{receipt}");
        until("the object to go", seconds(20), || s3.keys().is_empty().then_some(()));
        assert!(done(&gateway, &["recordings", "verify"]).contains("0 faults"));
        let log = gateway.process.output();
        assert!(!log.contains("the-secret-of-the-test") && !log.contains("the-key-of-the-test"), "{log}");
    }
}

#[test]
fn a_hotline_that_wants_no_recording_has_none_and_its_ledger_says_why() {
    let mut bench = Bench::new();
    let phone = bench.agent("8");
    bench.ringing += "\n\n[recording]\npolicy = \"none\"";
    let answering = Sipp::agent(&bench, "agent_answers", phone).pause_ms(100);
    let calling = Sipp::trunk(&bench, "trunk_hangs_up").pause_ms(1_000);
    let gateway = bench.serve();
    let answering = answering.start();
    calling.run();
    answering.finish();
    let record = gateway.sealed();
    assert_eq!((record.text("outcome"), record.text("recording.status")), ("answered", "none"));
    assert_eq!(record.text("recording.reason"), "policy");
    assert!(record.at_path("recording.path").is_null());
    let verified = done(&gateway, &["recordings", "verify", "--json"]);
    assert!(verified.contains(r#""rows":1"#) && verified.contains(r#""coverage":1.0"#), "{verified}");
    assert_eq!(gateway.metric("hotline_recordings_total"), 0);

    // A message is a stretch of the recording.
    let plan = gateway.bench.path().join("dialplans/property.toml");
    let text = std::fs::read_to_string(&plan).expect("the dialplan");
    std::fs::write(&plan, text + "\n[step.leave]\ndo = \"message\"\n").expect("writing");
    let (text, good) = command(&gateway, &["check"]);
    assert!(!good && text.contains("a message is a stretch of the recording"), "{text}");
}

#[test]
fn a_pause_by_http_is_silence_in_the_file_and_the_voices_go_on() {
    let token = "0123456789abcdef0123456789abcdef";
    let mut bench = Bench::new();
    let phone = bench.agent("8");
    let file = bench.path().join("api.token");
    std::fs::write(&file, format!("{token}\n")).expect("writing the token");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).expect("its mode");
    bench.http_keys = "token_file = \"api.token\"".into();
    let (caller, agent) = (Voice::new(bench.ports.even(), CALLER_HZ), Voice::new(bench.ports.even(), AGENT_HZ));
    caller.sound_from(0);
    agent.sound_from(0);
    let calling = Sipp::trunk(&bench, "trunk_hangs_up").pause_ms(5_000).voice(caller.port);
    let answering = Sipp::agent(&bench, "agent_answers", phone).pause_ms(200).voice(agent.port);
    let gateway = bench.serve();
    let answering = answering.start();
    let calling = calling.start();
    let id = until("the call", seconds(5), || {
        let live = gateway.live();
        let connected = live.first().filter(|call| !call.at_path("connected_at").is_null());
        connected.map(|call| call.text("id").to_owned())
    });
    let from_us = wall_us();
    until("a second of talk", seconds(3), || (wall_us() > from_us + 1_000_000).then_some(()));
    let order = |order: &str| {
        let url = format!("http://127.0.0.1:{}/api/v1/calls/{id}/recording/{order}", gateway.bench.http);
        let bearer = format!("Authorization: Bearer {token}");
        let output = Command::new("curl").args(["-s", "-m", "5", "-X", "POST", "-H", &bearer, &url]).output();
        String::from_utf8(output.expect("curl").stdout).expect("UTF-8")
    };
    assert!(order("pause").contains(r#""paused":true"#));
    until("a second and a half", seconds(4), || (wall_us() > from_us + 2_500_000).then_some(()));
    assert!(order("resume").contains(r#""paused":false"#));
    assert!(order("erase").contains("no_such_path"));
    calling.finish();
    answering.finish();

    let record = gateway.sealed();
    let late = order("pause");
    assert!(late.contains("not_talking") || late.contains("no_call"), "{late}");
    assert_eq!(record.text("recording.status"), "ok", "{record:#}");
    let (from, to) = (record.number("recording.blanked.0.from_ms"), record.number("recording.blanked.0.to_ms"));
    within("the pause, ms", to - from, 1_300..=2_200);
    let sound = play(&gateway.recording(&record));
    for channel in [&sound.left, &sound.right] {
        assert!(stretch(channel, from + 2, to - from - 4).iter().all(|sample| *sample == 0), "silence in the pause");
        assert!(stretch(channel, from - 100, 90).iter().any(|sample| *sample != 0), "sound before it");
        assert!(stretch(channel, to + 10, 90).iter().any(|sample| *sample != 0), "sound after it");
    }
    // The two heard each other all the while.
    for voice in [&caller, &agent] {
        let (start, end) =
            (record.instant_us("connected_at") + from * 1_000, record.instant_us("connected_at") + to * 1_000);
        let packets = voice.heard().iter().filter(|packet| (start..end).contains(&packet.at_us)).count();
        within("packets heard in the pause", packets as i64, (to - from) / 20 - 10..=(to - from) / 20 + 10);
    }
    assert!(done(&gateway, &["recordings", "verify"]).contains("0 faults"));

    words_of_a_recogniser(&gateway, &id, token);
}

/// What a recogniser heard, by HTTP.
fn words_of_a_recogniser(gateway: &Gateway, id: &str, token: &str) {
    let take = |id: &str, body: &str| {
        let url = format!("http://127.0.0.1:{}/api/v1/calls/{id}/transcript", gateway.bench.http);
        let bearer = format!("Authorization: Bearer {token}");
        let arguments = ["-s", "-m", "5", "-H", &bearer, "--data-binary", body, &url];
        let output = Command::new("curl").args(arguments).output().expect("curl");
        String::from_utf8(output.stdout).expect("UTF-8")
    };
    let head = r#"{"transcript": 1, "recogniser": "paraformer", "version": "2.0.4", "language": "zh-CN"}"#;
    let said = r#"{"channel": "agent", "from_ms": 3000, "to_ms": 4000, "text": "您好"}"#;
    let taken = until("the machine to have listened", seconds(60), || {
        let taken = take(id, &format!("{head}\n{said}\n"));
        (!taken.contains("is not closed yet")).then_some(taken)
    });
    assert!(taken.contains(r#""utterances":1"#), "{taken}");
    assert!(done(gateway, &["transcript", "show", id]).contains("您好"));
    assert!(take(id, "{}").contains("body:1: no head of a transcript"));
    let beyond = said.replace("4000", "90000");
    assert!(take(id, &format!("{head}\n{beyond}\n")).contains("body:2: it ends at 90000 ms"));
    assert!(take("018f0000-0000-7000-8000-000000000000", head).contains("there is no call"));
}

#[test]
fn while_it_is_recorded_both_hear_the_tone_and_the_file_has_it() {
    const TONE_HZ: f64 = 1_400.0;
    let mut bench = Bench::new();
    let phone = bench.agent("8");
    bench.greeting = "text = \"您好！\"".into();
    bench.ringing.push_str("\n[recording]\nbeep_s = 30\n");
    let (caller, agent) = (Voice::new(bench.ports.even(), CALLER_HZ), Voice::new(bench.ports.even(), AGENT_HZ));
    caller.sound_from(0);
    agent.sound_from(0);
    let calling = Sipp::trunk(&bench, "trunk_hangs_up").pause_ms(4_500).voice(caller.port);
    let answering = Sipp::agent(&bench, "agent_answers", phone).pause_ms(100).voice(agent.port);
    let gateway = bench.serve();
    let answering = answering.start();
    calling.run();
    answering.finish();

    let sound = play(&gateway.recording(&gateway.sealed()));
    // Half a second of it, somewhere in the talk.
    let loudest = |samples: &[i16]| {
        let levels = samples.windows(2_400).step_by(800).map(|stretch| level_db(stretch, TONE_HZ));
        levels.fold(f64::MIN, f64::max)
    };
    let [to_caller, to_agent] = [&caller, &agent].map(|voice| loudest(&voice.sound().1));
    for (where_it_is, level) in
        [("to the caller", to_caller), ("to the agent", to_agent), ("right", loudest(&sound.right))]
    {
        assert!((-30.0..-24.0).contains(&level), "{where_it_is}: {level} dB");
    }
    assert!(loudest(&sound.left) < -40.0, "the caller's channel is the caller's: {} dB", loudest(&sound.left));
    let voice_beside = |samples: &[i16], hz| level_db(&samples[samples.len() / 2..], hz) > -20.0;
    assert!(voice_beside(&caller.sound().1, AGENT_HZ) && voice_beside(&agent.sound().1, CALLER_HZ));
}

#[test]
fn a_sealed_recording_survives_kill_9_and_is_taken_out_by_whoever_has_the_key() {
    let mut bench = Bench::new();
    let phone = bench.agent("8");
    let key = bench.path().join("recordings.key");
    std::fs::write(&key, format!("{}\n", "5a".repeat(32))).expect("writing the key");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).expect("its mode");
    bench.extra = "\n[recordings]\nkey_file = \"recordings.key\"\n".into();
    let (caller, agent) = (Voice::new(bench.ports.even(), CALLER_HZ), Voice::new(bench.ports.even(), AGENT_HZ));
    caller.sound_from(0);
    agent.sound_from(0);
    let calling = Sipp::trunk(&bench, "trunk_hangs_up").pause_ms(20_000).voice(caller.port);
    let answering = Sipp::agent(&bench, "agent_answers", phone).pause_ms(200).voice(agent.port);
    let mut gateway = bench.serve();
    let _answering = answering.start();
    let _calling = calling.start();
    until("the call", seconds(5), || (caller.partners() > 0).then_some(()));
    let from_us = wall_us();
    until("three seconds of talk", seconds(5), || (wall_us() > from_us + 3_000_000).then_some(()));
    let killed_us = wall_us();
    gateway.process.kill();
    gateway.restart();

    let record = gateway.record();
    assert_eq!((record.text("recording.status"), record.text("recording.reason")), ("partial", "crash"), "{record:#}");
    let plain = gateway.recording(&record);
    let sealed = plain.with_extension("wav.sealed");
    assert!(!plain.exists() && sealed.exists(), "there is no file that anybody can hear");
    assert!(done(&gateway, &["recordings", "verify"]).contains("0 faults"));
    let out = gateway.bench.path().join("out.wav");
    let path = out.to_str().expect("UTF-8");
    let export = ["recordings", "export", record.text("id"), path, "--by", "Wang", "--why", "complaint"];
    assert!(done(&gateway, &export).contains("taken out by Wang"));
    assert!(!command(&gateway, &export).1, "a file that is there is not overwritten");
    let sound = play(&out);
    let up_ms = (killed_us - record.instant_us("connected_at")) / 1_000;
    within("what the kill took, ms", up_ms - sound.millis(), -100..=1_000);
    let middle = stretch(&sound.left, 1_000, 1_000);
    assert!((level_db(middle, CALLER_HZ) + 12.2).abs() < 1.0, "the caller's tone is in it");

    // One bit, and a file that was cut.
    let whole = std::fs::read(&sealed).expect("the sealed file");
    let mut changed = whole.clone();
    changed[30_000] ^= 4;
    for bad in [&changed[..], &whole[..whole.len() - 100]] {
        std::fs::write(&sealed, bad).expect("writing");
        let (found, good) = command(&gateway, &["recordings", "verify"]);
        assert!(!good && found.contains("changed"), "{found}");
    }
}
