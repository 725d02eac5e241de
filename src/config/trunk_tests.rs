use std::os::unix::fs::PermissionsExt as _;

use super::*;
use crate::written::Document;

/// The trunks and targets of a file beside which `secret` (0600), `open` (0644) and `empty` lie, and its faults.
fn run(text: &str) -> (Vec<Trunk>, Vec<TargetSettings>, Vec<String>) {
    let files = tempfile::tempdir().unwrap();
    for (name, text, mode) in [("secret", "pass word \nnotes\n", 0o600), ("open", "x", 0o644), ("empty", "\n", 0o600)] {
        let path = files.path().join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
    }
    let document = Document::parse("c", text);
    let (trunks, targets) = {
        let mut root = document.root();
        let trunks = read(&mut root, &[], files.path());
        let targets = targets(&mut root, &trunks);
        dns_servers(&mut root.section("dns"));
        (trunks, targets)
    };
    let mut faults = document.into_faults();
    faults.sort();
    let shown = faults.iter().map(|f| f.to_string().replace(&files.path().display().to_string(), "D")).collect();
    (trunks, targets, shown)
}

#[test]
fn everything_that_a_trunk_may_say() {
    let text = r#"
[dns]
servers = ["192.0.2.53", "127.0.0.1:5353"]
[[trunk]]
name = "carrier"
peers = ["198.51.100.7", "sbc.carrier.example", "b.example:5070"]
register = { server = "sip:carrier.example", username = "1000", password_file = "secret", realm = "r", expires_s = 600 }
options_s = 10
calls_per_second = 5
calls_at_once = 30
nat = true
called_from = ["diversion", "to"]
caller_from = ["from"]
numbers = { country_code = "86", area_code = "10", strip = "9" }
[[trunk]]
name = "second"
server = "sip:203.0.113.1:5080;transport=tcp"
auth = { username = "u", password_file = "secret" }
options_s = 0
[[trunk]]
name = "third"
peers = ["192.0.2.7"]
[[target]]
name = "duty"
trunk = "third"
number = "+8613900000001"
send_digits = "1w#"
"#;
    let (trunks, targets, faults) = run(text);
    assert_eq!(faults, [""; 0]);
    let [carrier, second, third] = &trunks[..] else { panic!("{trunks:#?}") };
    assert_eq!(
        carrier.names.iter().map(|n| (n.host.as_str(), n.port)).collect::<Vec<_>>(),
        [("sbc.carrier.example", None), ("b.example", Some(5070))]
    );
    let account = carrier.account.as_ref().unwrap();
    assert_eq!((account.password.as_str(), account.realm.as_deref()), ("pass word", Some("r")));
    assert_eq!(carrier.registration.as_ref().unwrap().expires_s, 600);
    assert_eq!(carrier.server.as_ref().unwrap().as_str(), "sip:carrier.example", "calls go to the registrar");
    assert_eq!(carrier.options, Some(Duration::from_secs(10)));
    assert_eq!(carrier.limits, Limits { calls_per_second: Some(5), calls_at_once: Some(30) });
    assert!(carrier.nat);
    assert_eq!(carrier.identity.called, [Called::Diversion, Called::To]);
    assert_eq!(carrier.identity.numbering.as_ref().unwrap().national_prefix, "0");
    assert!(second.peers.is_empty() && second.registration.is_none() && second.options.is_none());
    assert_eq!(third, &Trunk::of_peers("third", vec!["192.0.2.7".parse().unwrap()]));
    assert_eq!(third.way_of_calls().unwrap().as_str(), "sip:192.0.2.7");
    assert_eq!(targets[0].number, "+8613900000001");
    let half = Stroke::Pause(Duration::from_millis(500));
    assert_eq!(targets[0].send_digits, [Stroke::Key(1), half, Stroke::Key(11)]);
}

#[test]
fn what_is_wrong_with_a_trunk_and_where() {
    let text = r#"
[[trunk]]
name = "a"
server = "carrier.example"
register = { server = "sips:h", username = "a b", password_file = "open" }
auth = { username = "u", password_file = "gone", passwort = "x" }
called_from = ["request-uri", "from"]
numbers = { country_code = "+86" }
[[trunk]]
name = "b"
peers = ["10.0.0.0/8"]
register = { server = "sip:u@h", username = "u", password_file = "empty" }
[[trunk]]
name = "c"
peers = ["10.0.0.0/8"]
[[target]]
name = "duty"
trunk = "c"
number = "12@evil.example"
send_digits = "1 2"
[dns]
servers = ["ns.example"]
"#;
    let (_, _, faults) = run(text);
    let expected = [
        "c:4: trunk.server \"carrier.example\" is not a SIP address: write server = \"sip:carrier.example\"",
        "c:5: register.password_file: D/open can be read by everybody on this machine: chmod 600 D/open",
        "c:5: register.server \"sips:h\" asks for sips: write sip:…;transport=tls",
        "c:5: register.username \"a b\" cannot stand in a SIP address: letters, digits, + and - . _ can",
        "c:6: auth.password_file: D/gone: No such file or directory (os error 2): write the password into this file",
        "c:6: unknown key \"passwort\" in [auth]: known here: username, password_file, realm",
        "c:7: trunk.called_from \"from\" is not known: known here: request_uri, to, diversion, history_info",
        "c:7: trunk.called_from \"request-uri\" is not known: did you mean \"request_uri\"?",
        "c:8: numbers.country_code \"+86\" has other signs than digits: write the digits alone, as in \"86\"",
        "c:12: register.password_file: D/empty is empty: write the password into its first line",
        "c:12: register.server \"sip:u@h\" names a user: write server = \"sip:carrier.example\"",
        "c:18: target.trunk \"c\" does not say where calls go: add server = \"sip:…\" to that [[trunk]]",
        "c:19: target.number \"12@evil.example\" cannot be dialled: write digits, with + before a country code",
        "c:20: target.send_digits \"1 2\" cannot be keyed: write up to 64 of 0 to 9, *, #, A to D, w (half a second) and \
         W (two seconds)",
        "c:22: dns.servers \"ns.example\" is not an address: write 192.0.2.53 or 127.0.0.1:5353",
    ];
    assert_eq!(faults, expected, "{faults:#?}");
}
