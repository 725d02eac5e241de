use super::*;
use crate::dialplan::compile::compile;
use crate::media::Codec;
use proptest::prelude::*;

/// The configuration of the contract.
const CONTRACT: &str = r#"
[data]
directory = "data"                       # ledger, database, recordings

[sip]
listen = ["udp:127.0.0.1:5060", "tcp:127.0.0.1:5060"]    # tls: likewise
advertise = "203.0.113.10"               # optional: what Contact and SDP say

[rtp]
ports = "20000-29999"

[http]
listen = "127.0.0.1:8080"                # console and API

[metrics]
listen = "127.0.0.1:9464"                # GET /metrics, /healthz, /readyz

[dialplans]
directory = "dialplans"

[[trunk]]
name  = "carrier"
peers = ["127.0.0.1"]                    # who may send: an address, a network, or host:port
# register = { server = "sip:carrier.example", username = "…", password_file = "…" }

[[agent]]
number  = "8"                            # 工号, spoken in the greeting
name    = "Agent eight"
contact = "sip:8@127.0.0.1:5070"         # a fixed phone; without it the phone registers
# password_file = "…"

[[target]]                               # anything else a dialplan may call: duty mobile, department, other number
name  = "duty"
trunk = "carrier"
number = "13900000001"
"#;

const DIALPLAN: &str = "[hotline]\nid = \"property\"\norg = \"物业\"\nnumbers = [\"4008001234\"]\n\
                        [greeting]\ntext = \"您好,{org}客户服务中心{agent_no}号接待员为您服务\"\n[agents]\nnumbers = [\"8\"]\n";

/// A directory with these files in it.
fn directory(files: &[(&str, &str)]) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = directory.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    directory
}

/// The faults of a configuration alone, without its dialplans.
fn faults(text: &str) -> Vec<String> {
    let nowhere = tempfile::tempdir().unwrap();
    let (_, faults) = parse("c", nowhere.path(), text);
    sorted(faults).iter().map(|f| f.to_string().replace(&nowhere.path().display().to_string(), "D")).collect()
}

#[test]
fn the_contracts_example() {
    let files = directory(&[("etc/hotline.toml", CONTRACT), ("etc/dialplans/property.toml", DIALPLAN)]);
    let base = files.path().join("etc");
    let Loaded { config, plans } = check(Some(&base.join("hotline.toml"))).unwrap();
    assert_eq!(config.file, Some(base.join("hotline.toml")));
    assert_eq!(config.data_directory, base.join("data"));
    assert_eq!(
        config.sip.listen.iter().map(Listen::to_string).collect::<Vec<_>>(),
        ["udp:127.0.0.1:5060", "tcp:127.0.0.1:5060"]
    );
    assert_eq!(config.sip.advertise, Some([203, 0, 113, 10].into()));
    assert_eq!(config.rtp_ports, 20_000..=29_999);
    assert_eq!((config.http_listen, config.metrics_listen), (Some(loopback(8080)), loopback(9464)));
    assert_eq!(config.dialplans, DialplanSource::Directory(base.join("dialplans")));
    assert_eq!(config.trunks[0].peers, [Peer::Address(Ipv4Addr::LOCALHOST.into())]);
    assert_eq!(config.agents[0].contact.as_deref(), Some("sip:8@127.0.0.1:5070"));
    assert_eq!((config.targets[0].name.as_str(), config.targets[0].number.as_str()), ("duty", "13900000001"));
    assert!(plans.by_number.contains_key("4008001234"));
}

#[test]
fn what_is_left_out_has_the_contracts_values() {
    let (full, found) = parse("c", Path::new("b"), CONTRACT);
    let (empty, _) = parse("c", Path::new("b"), "");
    assert_eq!(found.len(), 1, "only that there is no directory b/dialplans: {found:?}");
    assert_eq!(empty.config.data_directory, full.config.data_directory);
    assert_eq!(empty.config.sip.listen, full.config.sip.listen);
    assert_eq!(empty.config.sip.advertise, None);
    assert_eq!(empty.config.sip.session_expires_s, Some(1_800));
    assert_eq!(empty.config.rtp_ports, full.config.rtp_ports);
    assert_eq!(empty.config.http_listen, full.config.http_listen);
    assert_eq!(empty.config.metrics_listen, full.config.metrics_listen);
    assert_eq!(empty.config.trunks, full.config.trunks);
}

#[test]
fn without_a_file_the_embedded_default() {
    let files = directory(&[]);
    let Loaded { config, plans } = check_from(files.path(), None).unwrap();
    assert_eq!((config.file, config.dialplans), (None, DialplanSource::BuiltIn));
    let phones: Vec<_> = config.agents.iter().map(|a| (a.number.as_str(), a.contact.as_deref().unwrap())).collect();
    assert_eq!(phones, [("8", "sip:8@127.0.0.1:5090"), ("9", "sip:9@127.0.0.1:5090")]);
    assert_eq!(plans.hotlines.len(), 2);

    let files = directory(&[("dialplans/one.toml", DIALPLAN)]);
    let Loaded { config, plans } = check_from(files.path(), None).unwrap();
    assert_eq!(config.dialplans, DialplanSource::Directory(files.path().join("dialplans")));
    assert_eq!((config.agents.len(), plans.hotlines.len()), (1, 1));

    let files = directory(&[("hotline.toml", "[http]\nlisten = \"off\"\n")]);
    let Loaded { config, .. } = check_from(files.path(), None).unwrap();
    assert_eq!((config.http_listen, config.agents.len()), (None, 2));
}

#[test]
fn the_shipped_folder_read_as_a_directory() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let Loaded { config, plans } = check_from(root, None).unwrap();
    assert_eq!(config.dialplans, DialplanSource::Directory(root.join("dialplans")));
    let (steps, agents) = (plans.hotlines.iter().map(|h| h.steps.len()).sum::<usize>(), config.agents.len());
    assert_eq!((plans.hotlines.len(), steps, agents), (18, 44, 52), "two to begin with, and sixteen to choose from");
}

#[test]
fn a_named_file_that_is_not_there() {
    let fault = check(Some(Path::new("/no/such/hotline.toml"))).unwrap_err();
    assert!(fault[0].to_string().starts_with("/no/such/hotline.toml:1: No such file"), "{}", fault[0]);
}

#[test]
fn every_fault_with_its_line() {
    let found = faults(include_str!("faulty.toml"));
    let expected: Vec<&str> = include_str!("faulty.txt").lines().collect();
    assert_eq!(found, expected, "{found:#?}");
}

#[test]
fn listening_on_every_address() {
    let advertised = "[sip]\nlisten = [\"udp:0.0.0.0:5060\"]\nadvertise = \"203.0.113.10\"\n\
                      [[trunk]]\nname = \"t\"\npeers = [\"::1\"]\n";
    assert_eq!(faults(advertised), [""; 0]);
    assert_eq!(faults("[sip]\nsession_expires_s = 0\n"), [""; 0]);
    let short = "c:2: sip.session_expires_s = 60 is shorter than RFC 4028 allows: \
                 write 90 or more, or 0 to ask for no session timer";
    assert_eq!(faults("[sip]\nsession_expires_s = 60\n"), [short]);
    let open = faults("[sip]\nlisten = [\"udp:[::]:5060\"]\nadvertise = \"0.0.0.0\"\n");
    assert_eq!(
        open,
        [
            "c:1: no [[trunk]]: nobody else than this machine may send calls: add [[trunk]] with name and peers",
            "c:3: sip.advertise \"0.0.0.0\" is not an address: write the address alone, as in \"203.0.113.10\"",
        ]
    );
    assert_eq!(faults("[sip]\nlisten = [\"udp:127.0.0.1:0\", \"udp:127.0.0.1:0\"]\n"), [""; 0]);
    assert_eq!(faults("[sip]\nlisten = []\n"), ["c:2: sip.listen is empty: write listen = [\"udp:127.0.0.1:5060\"]"]);
}

#[test]
fn one_listener_an_address() {
    let shared = "[sip]\nlisten = [\"tcp:127.0.0.1:7000\"]\n[http]\nlisten = \"127.0.0.1:7000\"\n\
                  [metrics]\nlisten = \"127.0.0.1:7000\"\n";
    let found = faults(shared);
    assert_eq!(
        found,
        [
            "c:4: http.listen 127.0.0.1:7000 is taken: give each listener a port of its own",
            "c:6: metrics.listen 127.0.0.1:7000 is taken: give each listener a port of its own",
        ]
    );
    assert_eq!(faults("[sip]\nlisten = [\"udp:127.0.0.1:7000\"]\n[http]\nlisten = \"127.0.0.1:7000\"\n"), [""; 0]);
}

#[test]
fn what_legs_speak() {
    let text = "[rtp]\nports = \"20000-20009\"\ncodecs = [\"g722\", \"PCMA\"]\nagent_srtp = \"required\"\ntrunk_srtp = \"off\"\n";
    let (read, found) = parse("c", Path::new("."), text);
    assert_eq!(found, []);
    let media = read.config.media;
    assert_eq!(
        (media.codecs, media.agent_srtp, media.trunk_srtp),
        (vec![Codec::G722, Codec::Pcma], Policy::Required, Policy::Off)
    );
    let bad = "[rtp]\ncodecs = [\"G722\", \"opus\"]\nagent_srtp = \"maybe\"\n";
    assert_eq!(
        faults(bad),
        [
            "c:2: rtp.codecs \"opus\" is not carried: PCMA, PCMU and G722 are",
            "c:2: rtp.codecs without PCMA and PCMU: add the one that the trunk speaks",
            "c:3: rtp.agent_srtp \"maybe\" is no policy: write \"off\", \"optional\", \"preferred\" or \"required\"",
        ]
    );
}

#[test]
fn contacts() {
    let contact = |uri: &str| contact_fault(uri).map(|(what, _)| what);
    for good in
        ["sip:8@127.0.0.1:5070", "sip:127.0.0.1", "sip:8@[::1]", "sip:8@[::1]:5060;transport=tcp", "sip:8@10.0.0.1;x=y"]
    {
        assert_eq!(contact(good), None, "{good}");
    }
    for bad in
        ["", "8", "tel:+861", "sip:", "sip:8@", "sip:8@::1", "sip:8@1.2.3.4:0", "sip:8@1.2.3.4/8", "sip:a b@1.2.3.4"]
    {
        assert!(contact(bad).is_some(), "{bad}");
    }
    assert_eq!(contact("sip:8@localhost:5070"), None, "it is looked up");
}

#[test]
fn port_ranges() {
    let ports = |written: &str| faults(&format!("[rtp]\nports = \"{written}\"\n")).join("\n");
    assert_eq!(ports("20000-20003"), "");
    assert_eq!(ports(" 40000 - 65535 "), "");
    assert!(ports("20000-20002").contains("holds fewer than 4 ports"));
    assert!(ports("30000-20000").contains("ends before it begins"));
    assert!(ports("20000").contains("is not two ports"));
    assert!(ports("0-100").contains("begins at 0"));
    assert!(ports("20000-70000").contains("is not two ports"));
}

#[test]
fn faults_of_both_files_at_once() {
    let files = directory(&[
        ("hotline.toml", "[sipp]\n[[agent]]\nnumber = \"9\"\n"),
        ("dialplans/a.toml", DIALPLAN),
        ("dialplans/b.toml", &DIALPLAN.replace("\"8\"", "\"9\"")),
    ]);
    let found = check_from(files.path(), None).unwrap_err();
    let shown: Vec<String> =
        found.iter().map(|f| format!("{}:{}", f.file.rsplit('/').next().unwrap(), f.line)).collect();
    assert_eq!(shown, ["a.toml:8", "b.toml:2", "b.toml:4", "hotline.toml:1", "hotline.toml:2"]);
}

#[test]
fn who_supervises_names_hotlines_that_there_are() {
    let id = DIALPLAN.split("id").nth(1).and_then(|rest| rest.split('"').nth(1)).expect("an id");
    let check = |supervises: &str| {
        let agent = "[[agent]]\nnumber = \"8\"\ncontact = \"sip:8@192.0.2.1\"\nsupervisor_pin_file = \"pin\"\n";
        let text = format!("{agent}supervises = [{supervises}]\n");
        let files = directory(&[("hotline.toml", &text), ("pin", "4711\n"), ("dialplans/one.toml", DIALPLAN)]);
        let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        std::fs::set_permissions(files.path().join("pin"), private).unwrap();
        let found = check_from(files.path(), None).err().unwrap_or_default();
        found.iter().map(|f| format!("{}:{}", f.line, f.what)).collect::<Vec<_>>()
    };
    assert_eq!(check(&format!("\"{id}\"")), [""; 0]);
    assert_eq!(check(&format!("\"{id}\", \"nowhere\"")), ["5:agent.supervises: no dialplan has the id \"nowhere\""]);
}

#[test]
fn syntax_errors_come_with_the_rest() {
    let found = faults(
        "[sip\nlisten = [\"tcp:127.0.0.1:1\"]\n[rtp]\nports = \"1\"\nports = \"2\"\n[http]\nlisten = \n[[agnet]]\n",
    );
    let lines: Vec<&str> = found.iter().map(|f| &f[..4]).collect();
    assert!(["c:1:", "c:4:", "c:5:", "c:7:", "c:8:"].iter().all(|line| lines.contains(line)), "{found:#?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn no_text_makes_the_reader_panic(text in "\\PC*|[\\[\\]\"'=.,{}# \\n\\\\a-z0-9]{0,200}") {
        parse("c", Path::new("."), &text);
    }

    /// The contract's example with one stretch exchanged for another.
    #[test]
    fn no_damage_makes_the_reader_panic(
        at in 0..1500usize,
        length in 0..40usize,
        put in "[\\[\\]\"=.,{}#\\n\\\\\\PC]{0,8}",
    ) {
        let mut letters: Vec<char> = CONTRACT.chars().collect();
        let begin = at.min(letters.len());
        let end = (begin + length).min(letters.len());
        letters.splice(begin..end, put.chars());
        let text: String = letters.into_iter().collect();
        parse("c", Path::new("."), &text);
        let plan = PlanFile { name: "p".into(), bytes: text.into_bytes() };
        compile(&[plan], Library::new(vec![]), None, &[]);
    }

    #[test]
    fn no_dialplan_makes_the_compiler_panic(
        at in 0..200usize,
        length in 0..20usize,
        put in prop::collection::vec(any::<u8>(), 0..8),
    ) {
        let mut bytes = DIALPLAN.as_bytes().to_vec();
        let begin = at.min(bytes.len());
        let end = (begin + length).min(bytes.len());
        bytes.splice(begin..end, put);
        let plan = PlanFile { name: "p".into(), bytes };
        compile(&[plan], Library::new(vec![&BuiltIn]), None, &[]);
    }
}

#[test]
fn tls_needs_its_files_and_a_contact_by_tls_needs_a_listener() {
    let sip = |keys: &str| faults(&format!("[sip]\n{keys}\n"));
    let said = |keys: &str, what: &str| {
        let found = sip(keys);
        assert!(found.len() == 1 && found[0].contains(what), "{found:#?}");
    };
    said("listen = [\"tls:127.0.0.1:5061\"]", "c:2: sip.listen \"tls:127.0.0.1:5061\" has no certificate: add");
    said("tls_certificate = \"c.pem\"", "c:2: sip.tls_certificate without its key: add tls_key");
    said("tls_key = \"c.key\"", "c:2: sip.tls_key without its certificate: add");
    said("tls_ca = \"ca.pem\"", "c:2: certificates of others, but none of our own: add");
    let own = "tls_certificate = \"c.pem\"\ntls_key = \"c.key\"\n";
    said(&format!("{own}tls_client_auth = \"optional\""), "c:4: sip.tls_client_auth without authorities");
    said(&format!("{own}tls_client_ca = \"a\"\ntls_client_auth = \"maybe\""), "c:5: sip.tls_client_auth \"maybe\"");
    let agent = |uri: &str| faults(&format!("[[agent]]\nnumber = \"8\"\ncontact = \"{uri}\"\n"));
    for uri in ["sips:8@127.0.0.1", "sip:8@127.0.0.1;transport=tls"] {
        assert!(agent(uri)[0].contains("needs TLS, and sip.listen has no tls: address"), "{:?}", agent(uri));
    }
    let trunk = |listen: &str| {
        let trunk = "name = \"a\"\npeers = []\nserver = \"sip:carrier.example;transport=tls\"\n";
        let keys = "tls_certificate = \"c.pem\"\ntls_key = \"c.key\"\n";
        faults(&format!("[sip]\nlisten = [\"{listen}\"]\n{keys}[[trunk]]\n{trunk}"))
    };
    let without = trunk("udp:127.0.0.1:5060");
    assert!(without[0].contains("needs TLS, and sip.listen has no tls: address"), "{without:?}");
    assert!(!trunk("tls:127.0.0.1:5061").iter().any(|f| f.contains("carrier.example")));
    assert!(agent("sips:8@127.0.0.1;transport=udp")[0].contains("is sips, which is TLS, over UDP"));
    // The files themselves are read by who is going to use them: a report needs none of them.
    let directory = directory(&[("hotline.toml", &format!("[sip]\n{own}"))]);
    assert!(read(Some(&directory.path().join("hotline.toml"))).is_ok());
    let found = check(Some(&directory.path().join("hotline.toml"))).unwrap_err();
    let lines: Vec<u32> = found.iter().filter(|f| f.what.contains("cannot be read")).map(|f| f.line).collect();
    assert_eq!(lines, [2, 3], "{found:#?}");
}
