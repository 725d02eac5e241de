//! Phones that register, by programs that this project did not write; and those who guess.

mod common;

use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use common::child::Process;
use common::phone::{Message, Phone, follow, invite};
use common::softphone::{baresip, linphone};
use common::{Bench, Gateway, HOTLINE_NUMBER, RecordExt, say, seconds, until};
use nix::sys::signal::Signal;

const HZ: f64 = 1_000.0;

/// baresip 1.0 and sipvicious 0.3 know no other algorithm, and trip over one that they do not know.
const MD5_ALONE: &str = "digest = [\"MD5\"]\n";

/// The trunk is at 127.0.0.2, so every phone at 127.0.0.1 is a stranger until it has registered.
fn bench(agents: &[&str], signalling: &str) -> Bench {
    let mut bench = Bench::new();
    bench.sip_keys = signalling.into();
    bench.peers = "\"127.0.0.2\"".into();
    agents.iter().for_each(|number| bench.agent_registers(number, "a-secret"));
    bench
}

fn account(bench: &Bench, number: &str, password: &str, more: &str) -> String {
    format!("<sip:{number}@{}{more}>;auth_pass={password};regint=60", bench.sip_address())
}

fn rejected(gateway: &Gateway, reason: &str) -> i64 {
    let line = format!("hotline_sip_rejected_total{{reason=\"{reason}\"}} ");
    let text = gateway.metrics();
    text.lines().find_map(|l| l.strip_prefix(&line)?.parse().ok()).expect("the reason's series")
}

fn registrations(gateway: &Gateway, count: i64) {
    until(&format!("{count} registrations"), seconds(8), || {
        (gateway.metric("hotline_registrations") == count).then_some(())
    });
}

/// A call of the trunk that an agent's phone answers by itself; the trunk hangs up.
fn call(gateway: &Gateway, id: &str) {
    let trunk = Phone::at("127.0.0.2", gateway.bench.ports.one());
    let here = gateway.bench.sip_address();
    let call = invite(trunk.address(), here, HOTLINE_NUMBER, id);
    trunk.send(&call, here);
    let answer = trunk.expect("SIP/2.0 200", seconds(6));
    trunk.send(&follow(&call, "ACK", Some(&answer)), here);
    trunk.send(&follow(&call, "BYE", Some(&answer)), here);
    trunk.expect("SIP/2.0 200", seconds(5));
}

/// Ends a phone so that it unregisters.
fn put_away(mut phone: Process, gateway: &Gateway) {
    phone.signal(Signal::SIGTERM);
    registrations(gateway, 0);
    phone.wait(seconds(10));
}

#[test]
fn baresip_registers_is_called_and_leaves() {
    let gateway = bench(&["8"], MD5_ALONE).serve();
    let bench = &gateway.bench;
    let phone = baresip(bench, "8", bench.ports.one(), HZ, &account(bench, "8", "a-secret", ""), &[]);
    registrations(&gateway, 1);
    call(&gateway, "over-udp");
    put_away(phone, &gateway);
    let phone = baresip(bench, "8", bench.ports.one(), HZ, &account(bench, "8", "a-secret", ";transport=tcp"), &[]);
    registrations(&gateway, 1);
    call(&gateway, "over-tcp");
    // Its answer to our BYE is through, or the agent would be taken until that is given up.
    until("the end of its session", seconds(5), || (gateway.metric("hotline_sip_sessions") == 0).then_some(()));
    // A phone that dies says no farewell, but its connection ends.
    phone.signal(Signal::SIGKILL);
    registrations(&gateway, 0);
    drop(phone);
    for record in gateway.records(2) {
        assert_eq!((record.text("outcome"), record.text("agent")), ("answered", "8"), "{record:#}");
    }
    // This phone tries a wrong password again and again without a pause, until nobody hears it.
    let _wrong = baresip(bench, "8", bench.ports.one(), HZ, &account(bench, "8", "guess", ""), &[]);
    until("the lockout", seconds(8), || (rejected(&gateway, "locked_out") > 0).then_some(()));
    assert_eq!((rejected(&gateway, "wrong_password"), gateway.metric("hotline_registrations")), (5, 0));
    let trunk = Phone::at("127.0.0.2", bench.ports.one());
    trunk.send(&invite(trunk.address(), bench.sip_address(), HOTLINE_NUMBER, "nobody"), bench.sip_address());
    trunk.expect("SIP/2.0 486", seconds(5));
    let nobody = &gateway.records(3)[0];
    assert_eq!((nobody.text("outcome"), nobody.text("reason")), ("failed", "agents_unreachable"), "{nobody:#}");
    gateway.settled(3);
}

#[test]
fn a_restart_forgets_no_phone_and_the_first_of_two_answers() {
    let mut gateway = bench(&["8"], MD5_ALONE).serve();
    let password = account(&gateway.bench, "8", "a-secret", "");
    let one = baresip(&gateway.bench, "8", gateway.bench.ports.one(), HZ, &password, &[]);
    registrations(&gateway, 1);
    let two = baresip(&gateway.bench, "8-too", gateway.bench.ports.one(), HZ, &password, &[]);
    registrations(&gateway, 2);
    gateway.process.signal(Signal::SIGTERM);
    gateway.process.wait(seconds(10));
    gateway.restart();
    registrations(&gateway, 2);
    call(&gateway, "after-the-restart");
    let record = gateway.record();
    assert_eq!((record.text("outcome"), record.text("agent")), ("answered", "8"), "{record:#}");
    drop((one, two));
    gateway.settled(1);
}

#[test]
fn linphone_registers_over_udp_and_tcp_and_is_called() {
    let gateway = bench(&["8", "9"], "").serve();
    let wrong = linphone(&gateway.bench, "8", "udp", "guess");
    until("a wrong password", seconds(8), || (rejected(&gateway, "wrong_password") > 0).then_some(()));
    drop(wrong);
    let phone = linphone(&gateway.bench, "8", "udp", "a-secret");
    registrations(&gateway, 1);
    call(&gateway, "linphone-udp");
    put_away(phone, &gateway);
    let phone = linphone(&gateway.bench, "9", "tcp", "a-secret");
    registrations(&gateway, 1);
    call(&gateway, "linphone-tcp");
    put_away(phone, &gateway);
    let agents: Vec<String> = gateway.records(2).iter().map(|r| r.text("agent").to_owned()).collect();
    assert_eq!(agents, ["9", "8"]);
    gateway.settled(2);
}

/// All that a stranger says; what comes back within a moment.
fn ask(stranger: &Phone, gateway: &Gateway, text: &str) -> Option<Message> {
    stranger.send(text, gateway.bench.sip_address());
    stranger.next(seconds(1))
}

#[test]
fn the_first_password_comes_with_a_reload() {
    let mut bench = bench(&[], MD5_ALONE);
    bench.agent("8");
    let mut gateway = bench.serve();
    let stranger = Phone::at("127.0.0.3", gateway.bench.ports.one());
    let register =
        |id: &str| invite(stranger.address(), gateway.bench.sip_address(), "9", id).replace("INVITE", "REGISTER");
    assert!(ask(&stranger, &gateway, &register("early")).is_none(), "nobody may register");
    let secret = gateway.bench.path().join("9.secret");
    std::fs::write(&secret, "a-secret\n").expect("writing a password");
    std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o600)).expect("its mode");
    let config = std::fs::read_to_string(&gateway.config).expect("the configuration");
    let agent = "\n[[agent]]\nnumber = \"9\"\npassword_file = \"9.secret\"\n";
    std::fs::write(&gateway.config, config + agent).expect("writing the configuration");
    gateway.process.signal(Signal::SIGHUP);
    let reloads = "hotline_config_reloads_total{result=\"ok\"}";
    until("the reload", seconds(10), || (gateway.metric(reloads) == 1).then_some(()));
    let challenge = ask(&stranger, &gateway, &register("late")).expect("a challenge");
    assert!(challenge.text.starts_with("SIP/2.0 401"), "{}", challenge.text);
    let password = account(&gateway.bench, "9", "a-secret", "");
    let phone = baresip(&gateway.bench, "9", gateway.bench.ports.one(), HZ, &password, &[]);
    registrations(&gateway, 1);
    // It is kept over a restart, as if the password had been there from the start.
    gateway.process.signal(Signal::SIGTERM);
    gateway.process.wait(seconds(10));
    gateway.restart();
    registrations(&gateway, 1);
    drop(phone);
}

#[test]
fn who_scans_learns_nothing_and_who_guesses_is_not_heard() {
    let gateway = bench(&["8", "9"], MD5_ALONE).serve();
    let target = gateway.bench.sip_address();
    let start = |program: &str, arguments: &[&str]| {
        let mut command = Command::new(program);
        command.args(arguments).args(["-p", &target.port().to_string(), "127.0.0.1"]);
        command.current_dir(gateway.bench.path()).env("HOME", gateway.bench.path());
        Process::start(program, gateway.bench.path(), &mut command)
    };
    let mut scan = start("svwar", &["-m", "REGISTER", "-e", "1-20"]);
    scan.wait(seconds(10));
    let found = scan.output();
    assert!(found.contains("authentication request for an unknown extension"), "it finds whom there is\n{found}");
    // It would wait for an answer for many seconds more.
    let mut crack = start("svcrack", &["-u", "8", "-r", "1-300"]);
    until("the lockout", seconds(8), || (rejected(&gateway, "locked_out") > 0).then_some(()));
    assert!(crack.exited().is_none(), "it has given up or found something\n{}", crack.output());
    say(&format!("wrong passwords: {}, then silence", rejected(&gateway, "wrong_password")));
    assert!(rejected(&gateway, "wrong_password") <= 6);
    let stranger = Phone::at("127.0.0.1", gateway.bench.ports.one());
    let register = invite(stranger.address(), target, "8", "locked").replace("INVITE", "REGISTER");
    assert!(ask(&stranger, &gateway, &register).is_none(), "his whole address is locked out");
    let elsewhere = Phone::at("127.0.0.3", gateway.bench.ports.one());
    let register = invite(elsewhere.address(), target, "8", "free").replace("INVITE", "REGISTER");
    let answer = ask(&elsewhere, &gateway, &register).expect("a challenge");
    assert!(answer.text.starts_with("SIP/2.0 401"), "{}", answer.text);
    assert_eq!(gateway.metric("hotline_registrations"), 0);
}
