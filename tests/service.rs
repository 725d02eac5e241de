//! The gateway as a service: it drains, reads its configuration again, and tells its manager how it is.
#![allow(clippy::disallowed_methods, reason = "the tests stand outside the gateway and have clocks of their own")]

mod common;

use std::os::unix::net::UnixDatagram;
use std::process::Command;
use std::time::{Duration, Instant};

use common::bench::{BINARY, series};
use common::phone::{Phone, invite, options};
use common::sound::play;
use common::voice::Voice;
use common::{Bench, Gateway, HOTLINE_NUMBER, RecordExt, Sipp, beat, seconds, until, within};
use nix::sys::signal::Signal;
use serde_json::Value;

/// Callers who talk until they hear BYE, one agent each, all with sound; up when this returns.
struct Talkers {
    gateway: Gateway,
    _sipp: Vec<common::sipp::Running>,
    _voices: (Voice, Voice),
}

fn talkers(count: usize, caller: &str, pause_ms: u64, extra: &str) -> Talkers {
    let mut bench = Bench::new();
    let phones = bench.ports.one();
    (1..=count).for_each(|number| bench.agent_at(&number.to_string(), phones));
    bench.extra = extra.into();
    let voices = (Voice::new(bench.ports.even(), 440.0), Voice::new(bench.ports.even(), 1_000.0));
    voices.0.sound_from(0);
    voices.1.sound_from(0);
    let agents = Sipp::agent(&bench, "agent_answers", phones).calls(count as u64).voice(voices.1.port);
    let callers = Sipp::trunk(&bench, caller).calls(count as u64).per_second(20).voice(voices.0.port);
    let callers = if pause_ms > 0 { callers.pause_ms(pause_ms) } else { callers };
    let gateway = bench.serve();
    let sipp = vec![agents.pause_ms(50).start(), callers.start()];
    until("all callers to hear their greetings", seconds(30), || (voices.0.partners() >= count).then_some(()));
    Talkers { gateway, _sipp: sipp, _voices: voices }
}

fn talked_until_shutdown(gateway: &Gateway, record: &Value) {
    assert_eq!(record.text("outcome"), "answered", "{record:#}");
    assert_eq!(record.text("reason"), "shutdown");
    assert_eq!(record.text("ended_by"), "gateway");
    assert!(!record.flag("interrupted"));
    assert_eq!(record.text("recording.status"), "ok");
    let sound = play(&gateway.recording(record));
    within("file − recording.duration_ms", sound.millis() - record.number("recording.duration_ms"), -1..=1);
    let talked = (record.instant_us("ended_at") - record.instant_us("connected_at")) / 1_000;
    within("talk − file", talked - sound.millis(), -100..=100);
}

#[test]
fn sigterm_takes_no_new_calls_and_ends_live_ones_properly_at_the_deadline() {
    let mut up = talkers(3, "trunk_hears_bye", 0, "\n[shutdown]\ndrain_s = 2\n");
    let gateway = &mut up.gateway;
    let trunk = Phone::at("127.0.0.1", gateway.bench.ports.one());
    let here = gateway.bench.sip_address();
    gateway.process.signal(Signal::SIGTERM);
    let told = Instant::now();
    // The first OPTIONS may come before the signal.
    until("503 to OPTIONS", seconds(2), || {
        trunk.send(&options(trunk.address(), here, &format!("o{}", told.elapsed().as_micros())), here);
        let answer = trunk.next(seconds(1)).expect("an answer");
        answer.text.starts_with("SIP/2.0 503").then(|| assert!(answer.text.contains("\nRetry-After: "), "{answer:?}"))
    });
    trunk.send(&invite(trunk.address(), here, HOTLINE_NUMBER, "too-late"), here);
    let refusal = trunk.expect("SIP/2.0 503", seconds(1));
    assert!(refusal.text.contains("\nRetry-After: "), "{refusal:?}");
    // Their facts may still be on their way to the disk.
    until("live calls to go on", seconds(1), || (gateway.live().len() == 3).then_some(()));
    assert!(gateway.alive());

    assert_eq!(gateway.process.wait(seconds(8)), 0);
    within("the end, ms after the signal", told.elapsed().as_millis() as i64, 2_000..=6_000);
    let records = gateway.records(4);
    let (refused, talked): (Vec<_>, Vec<_>) = records.iter().partition(|r| r.text("outcome") == "rejected");
    assert_eq!((refused.len(), refused[0].text("reason")), (1, "draining"));
    talked.into_iter().for_each(|record| talked_until_shutdown(gateway, record));
    assert_eq!(gateway.live().len(), 0);
    let parts = Command::new("find").arg(gateway.bench.data()).args(["-name", "*.part"]).output().expect("find runs");
    assert!(parts.stdout.is_empty(), "files that were not closed: {parts:?}");
    // What is closed needs no repair.
    gateway.restart();
    gateway.settled(0);
    assert_eq!(gateway.metric("hotline_calls_interrupted_total"), 0);
}

#[test]
fn a_second_signal_ends_calls_at_once_and_as_properly() {
    let mut up = talkers(2, "trunk_hears_bye", 0, "");
    let gateway = &mut up.gateway;
    gateway.process.signal(Signal::SIGTERM);
    until("the drain", seconds(5), || gateway.process.output().contains("draining: no new calls").then_some(()));
    assert!(gateway.alive());
    let told = Instant::now();
    gateway.process.signal(Signal::SIGINT);
    assert_eq!(gateway.process.wait(seconds(8)), 0);
    within("the end, ms after the second signal", told.elapsed().as_millis() as i64, 0..=4_000);
    gateway.records(2).iter().for_each(|record| talked_until_shutdown(gateway, record));
}

/// `hotline_config_reloads_total` by its result.
fn reloads(gateway: &Gateway, result: &str) -> i64 {
    let label = format!("result=\"{result}\"");
    let text = gateway.metrics();
    series(&text, "hotline_config_reloads_total").filter(|(labels, _)| labels.contains(&label)).map(|(_, n)| n).sum()
}

/// Reloads so often, good and bad files in turn, and waits for each. Bad ones have a fault in the configuration or in the
/// dialplan. Good ones add a hotline with a new number each.
fn reload(gateway: &mut Gateway, times: usize) {
    let plans = gateway.bench.path().join("dialplans");
    let read = |path: &std::path::Path| std::fs::read_to_string(path).expect("a file");
    let (config, plan) = (read(&gateway.config), read(&plans.join("property.toml")));
    let put = |path: &std::path::Path, text: &str| std::fs::write(path, text).expect("writing");
    let (mut good, mut bad) = (reloads(gateway, "ok"), reloads(gateway, "refused"));
    let rtp = format!("ports = \"{}\"", gateway.bench.rtp);
    for turn in 0..times {
        let second = plans.join("second.toml");
        let _ = std::fs::remove_file(&second);
        match turn % 4 {
            0 | 2 => {
                // Port ranges need a restart: named, and ignored.
                put(&gateway.config, &config.replacen(&rtp, "ports = \"30000-30999\"", usize::from(turn == 0)));
                let other = plan.replace("id = \"property\"", &format!("id = \"line{}\"", turn % 8));
                put(&second, &other.replace(HOTLINE_NUMBER, &format!("40077{turn:05}")));
            }
            1 => put(&gateway.config, &config.replacen("peers = [", "peers = [\"nobody at all\", ", 1)),
            _ => {
                put(&gateway.config, &config);
                put(&second, "[hotline]\nid = \"second\"\nnumbers = []\n");
            }
        }
        gateway.process.signal(Signal::SIGHUP);
        *(if turn % 2 == 0 { &mut good } else { &mut bad }) += 1;
        until("the reload", seconds(20), || (reloads(gateway, "ok") == good).then_some(()));
        until("its refusal", seconds(20), || (reloads(gateway, "refused") == bad).then_some(()));
    }
    put(&gateway.config, &config);
}

#[test]
fn reloads_good_and_bad_drop_no_call() {
    let mut up = talkers(5, "trunk_hangs_up", 8_000, "");
    let gateway = &mut up.gateway;
    let began = gateway.metric("hotline_config_last_reload_success_timestamp_seconds");
    reload(gateway, 9);
    let output = gateway.process.output();
    let config = std::fs::read_to_string(&gateway.config).expect("the configuration");
    let line = 1 + config.lines().position(|line| line.starts_with("peers")).expect("the trunk's peers");
    let fault = format!("hotline.toml:{line}: trunk.peers: ");
    for part in [&fault, "second.toml:3: ", "rtp.ports has changed", "the old one stays"] {
        assert!(output.contains(part), "no {part} in\n{output}");
    }
    let since = gateway.metric("hotline_config_last_reload_success_timestamp_seconds");
    assert!(since >= began, "{since} {began}");
    // The last good one is in force, and what an earlier one added is gone.
    let trunk = Phone::at("127.0.0.1", gateway.bench.ports.one());
    let here = gateway.bench.sip_address();
    for (number, answer) in [("4007700008", "SIP/2.0 486"), ("4007700006", "SIP/2.0 404")] {
        // All agents talk still, so whoever calls the new number finds them busy.
        trunk.send(&invite(trunk.address(), here, number, number), here);
        trunk.expect(answer, seconds(5));
    }
    assert_eq!(gateway.live().len(), 5, "the calls of before are all up");
    // Without its agents and its trunk, the calls that there are go on to their end.
    let config = std::fs::read_to_string(&gateway.config).expect("the configuration");
    let config = config.replace("peers = [\"127.0.0.1\"]", "peers = [\"127.0.0.9\"]");
    let (head, _) = config.split_once("\n[[agent]]").expect("agents");
    let stranger = "\n[[agent]]\nnumber = \"99\"\ncontact = \"sip:99@127.0.0.8:9\"\n";
    std::fs::write(&gateway.config, format!("{head}{stranger}")).expect("writing");
    for plan in ["property.toml", "second.toml"] {
        let path = gateway.bench.path().join("dialplans").join(plan);
        let text = std::fs::read_to_string(&path).expect("a dialplan");
        let numbers = text.lines().find(|l| l.starts_with("numbers = [\"1\"")).expect("its agents");
        std::fs::write(&path, text.replace(numbers, "numbers = [\"99\"]")).expect("writing");
    }
    let good = reloads(gateway, "ok");
    gateway.process.signal(Signal::SIGHUP);
    until("the last reload", seconds(20), || (reloads(gateway, "ok") == good + 1).then_some(()));
    let dropped = Phone::at("127.0.0.1", gateway.bench.ports.one());
    dropped.send(&options(dropped.address(), here, "a-stranger-now"), here);
    assert!(dropped.next(Duration::from_millis(300)).is_none(), "a peer that was dropped is answered");

    let records = until("all calls to end", seconds(15), || Some(gateway.calls()).filter(|calls| calls.len() == 6));
    let answered: Vec<_> = records.iter().filter(|r| r.text("outcome") == "answered").collect();
    assert_eq!(answered.len(), 5);
    for record in answered {
        assert_eq!(record.text("reason"), "caller_hung_up", "{record:#}");
        assert_eq!(record.text("hotline"), "property");
        within("talk_ms", record.number("talk_ms"), 7_900..=8_500);
    }
    gateway.settled(6);
}

/// Reads what a service manager would be told.
struct Manager {
    socket: UnixDatagram,
    told: Vec<String>,
}

impl Manager {
    fn read(&mut self) {
        let mut buffer = [0; 4_096];
        while let Ok(n) = self.socket.recv(&mut buffer) {
            self.told.push(String::from_utf8_lossy(&buffer[..n]).into_owned());
        }
    }

    /// Waits for a message that starts so, among those not yet waited for.
    fn expect(&mut self, start: &str) -> String {
        until(start, seconds(10), || {
            self.read();
            let at = self.told.iter().position(|message| message.starts_with(start))?;
            self.told.drain(..=at).next_back()
        })
    }
}

fn monotonic_us() -> i64 {
    let now = nix::time::clock_gettime(nix::time::ClockId::CLOCK_MONOTONIC).expect("the clock");
    i64::try_from(Duration::from(now).as_micros()).expect("a clock")
}

#[test]
fn a_service_manager_is_told_and_hears_signs_of_life() {
    let mut bench = Bench::new();
    bench.agent("8");
    let path = bench.path().join("notify");
    let socket = UnixDatagram::bind(&path).expect("the manager's socket");
    socket.set_nonblocking(true).expect("a socket that does not wait");
    let mut manager = Manager { socket, told: Vec::new() };
    let mut command = Command::new(BINARY);
    command.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "300000");
    let mut gateway = bench.serve_as(command);
    manager.expect("READY=1\nSTATUS=taking calls");
    let begin = Instant::now();
    for _ in 0..5 {
        manager.expect("WATCHDOG=1");
    }
    within("five signs of life, ms", begin.elapsed().as_millis() as i64, 300..=3_000);

    let before = monotonic_us();
    gateway.process.signal(Signal::SIGHUP);
    let reloading = manager.expect("RELOADING=1\nMONOTONIC_USEC=");
    let at = reloading.lines().find_map(|line| line.strip_prefix("MONOTONIC_USEC=")).expect("an instant");
    within("the reload, µs after the signal", at.parse::<i64>().expect("a number") - before, 0..=5_000_000);
    manager.expect("READY=1\nSTATUS=taking calls");
    std::fs::write(&gateway.config, "[sip]\nlisten = []\n").expect("writing");
    gateway.process.signal(Signal::SIGHUP);
    manager.expect("RELOADING=1");
    let refused = manager.expect("READY=1");
    assert!(refused.contains("has faults"), "{refused}");

    // A process that does not run gives no sign of life.
    gateway.process.signal(Signal::SIGSTOP);
    manager.read();
    manager.told.clear();
    let stopped = Instant::now();
    while stopped.elapsed() < Duration::from_millis(600) {
        manager.read();
        beat();
    }
    assert!(manager.told.len() <= 1, "{:?}", manager.told);
    gateway.process.signal(Signal::SIGCONT);
    manager.expect("WATCHDOG=1");
    gateway.process.signal(Signal::SIGTERM);
    let stopping = manager.expect("STOPPING=1\nEXTEND_TIMEOUT_USEC=");
    assert!(stopping.contains("\nSTATUS=draining"), "{stopping}");
    assert_eq!(gateway.process.wait(seconds(5)), 0);
}

/// The unit as it ships, run by a systemd of its own: not allowed anything that it need not, reloaded, killed and started again when
/// it hangs, stopped.
#[test]
#[allow(clippy::print_stdout, reason = "a test that is left out says so")]
fn the_unit_runs_under_systemd() {
    let out = tempfile::tempdir().expect("a directory");
    let boot = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/systemd/boot");
    let done = Command::new("unshare").args(["--mount", boot, BINARY]).arg(out.path()).output().expect("unshare runs");
    let Ok(log) = std::fs::read_to_string(out.path().join("log")) else {
        // A container that may not mount, or a user who is not root.
        println!("left out: no systemd can be booted here: {}", String::from_utf8_lossy(&done.stderr));
        return;
    };
    let said: Vec<String> = log.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    for line in [
        "started active",
        "status taking calls; 0 in progress",
        "CapEff: 0000000000000000",
        "NoNewPrivs: 1",
        "Seccomp: 2",
        "data hotline 700",
        "reloaded",
        "restarts 1",
        "again active",
        "stopped inactive",
        "result success",
        "exit 0",
    ] {
        assert!(said.iter().any(|said| said == line), "no {line:?} in\n{log}");
    }
    let user = said.iter().find_map(|line| line.strip_prefix("Uid: ")?.split(' ').next());
    assert!(user.is_some_and(|user| user != "0"), "it runs as {user:?}:\n{log}");
    for line in ["Watchdog timeout", "draining: no new calls", "Deactivated successfully"] {
        assert!(log.contains(line), "no {line:?} in\n{log}");
    }
}
