use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::*;
use crate::protocol::sip::digest::{Algorithm, Ha1, Secrets};

/// Files with their modes, beside a `hotline.toml` that is never written.
fn files(all: &[(&str, &str, u32)]) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    for (name, text, mode) in all {
        let path = directory.path().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(*mode)).unwrap();
    }
    directory
}

fn agent(number: &str, key: &str, file: &str) -> String {
    format!("[[agent]]\nnumber = \"{number}\"\n{key} = \"{file}\"\n")
}

/// The secrets, and the faults without their hints.
fn read(base: &Path, text: &str) -> (Vec<Option<Secrets>>, Vec<String>) {
    let (read, faults) = parse("c", base, text);
    let base = format!("{}/", base.display());
    let shown = faults.iter().map(|f| format!("{}: {}", f.line, f.what.replace(&base, "")));
    (read.config.agents.into_iter().map(|a| a.secrets).collect(), shown.collect())
}

const MD5: &str = "0123456789abcdef0123456789ABCDEF";

#[test]
fn a_password_and_its_hashes_are_the_same_account() {
    let of = |algorithm| Ha1::new(algorithm, "8", "phones.example", "s ecret");
    let both = Algorithm::ALL.map(of).into_iter().collect::<Secrets>();
    let directory = files(&[("8.secret", "s ecret\r\n", 0o600), ("ha1", &format!("# of 9\n\n{MD5}\n"), 0o400)]);
    let text = "[sip]\nrealm = \"phones.example\"\n".to_owned()
        + &agent("8", "password_file", "8.secret")
        + &agent("9", "ha1_file", "ha1")
        + "[[agent]]\nnumber = \"10\"\ncontact = \"sip:10@192.0.2.1\"\n";
    let md5 = [Ha1::parse(Algorithm::Md5, MD5).unwrap()].into_iter().collect::<Secrets>();
    assert_eq!(read(directory.path(), &text), (vec![Some(both), Some(md5), None], vec![]));
}

#[test]
fn an_agent_who_can_never_be_rung_is_a_fault() {
    let text = "[[agent]]\nnumber = \"8\"\n[[agent]]\nnumber = \"9\"\npassword_file = \"9.secret\"\n";
    let (_, faults) = read(Path::new("/nowhere"), text);
    assert_eq!(faults.len(), 2, "{faults:?}");
    assert_eq!(faults[0], "1: agent 8 has no contact and no password: no phone can be rung");
    assert!(faults[1].starts_with("5: agent.password_file 9.secret: No such file"), "{faults:?}");
}

#[test]
fn files_that_are_open_to_others_or_make_no_sense() {
    let md5 = format!("{MD5}\n");
    for (key, text, mode, fault) in [
        ("password_file", "secret", 0o644, "3: agent.password_file f may be read by others (mode 0644)"),
        ("password_file", "secret", 0o620, "3: agent.password_file f may be read by others (mode 0620)"),
        ("password_file", "\n", 0o600, "3: agent.password_file is not a file with one line"),
        ("password_file", "a\nb\n", 0o600, "3: agent.password_file is not a file with one line"),
        ("ha1_file", "", 0o600, "3: agent.ha1_file has no hash"),
        ("ha1_file", "secret", 0o600, "3: agent.ha1_file has no hash in its line 1"),
        ("ha1_file", &md5[1..], 0o600, "3: agent.ha1_file has no hash in its line 1"),
        ("ha1_file", &md5.repeat(2), 0o600, "3: agent.ha1_file has two hashes by MD5"),
    ] {
        let directory = files(&[("f", text, mode)]);
        let (secrets, faults) = read(directory.path(), &agent("8", key, "f"));
        assert_eq!((secrets, faults), (vec![None], vec![fault.to_owned()]), "{text:?}");
    }
    let directory = files(&[("m", &md5, 0o600), ("s", &md5.trim().repeat(2), 0o600)]);
    let (_, faults) = read(directory.path(), &(agent("8", "ha1_file", "m") + &agent("9", "ha1_file", "s")));
    assert_eq!(faults.len(), 1, "{faults:?}");
    assert!(faults[0].contains("no challenge fits all"), "{faults:?}");
    let both = "[[agent]]\nnumber = \"8\"\nha1_file = \"m\"\npassword_file = \"m\"\n";
    assert_eq!(read(directory.path(), both).1, ["3: agent.ha1_file stands beside password_file"]);
    let sha = "[sip]\ndigest = [\"SHA-256\"]\n".to_owned() + &agent("8", "ha1_file", "m");
    assert!(read(directory.path(), &sha).1[0].contains("no challenge fits all"));
    let bad = read(directory.path(), "[sip]\ndigest = [\"md5\", \"SHA-1\"]\n").1;
    assert_eq!(bad, ["2: sip.digest \"SHA-1\" is no algorithm for phones"]);
    for realm in ["", "a\\\"b", "客服"] {
        let (_, faults) = read(directory.path(), &format!("[sip]\nrealm = \"{realm}\"\n"));
        assert!(faults.iter().any(|f| f.starts_with("2: sip.realm")), "{realm}: {faults:?}");
    }
}

#[test]
fn a_supervisors_pin_is_digits_in_a_file_of_its_own() {
    let contact = "contact = \"sip:8@192.0.2.1\"\n";
    let written = |file: &str| agent("8", "supervisor_pin_file", file) + contact;
    for (text, mode, fault) in [
        ("4711\n", 0o600, None),
        ("471\n", 0o600, Some("3: agent.supervisor_pin_file is not one line of four to twelve digits")),
        ("47a1\n", 0o600, Some("3: agent.supervisor_pin_file is not one line of four to twelve digits")),
        ("4711\n", 0o640, Some("3: agent.supervisor_pin_file f may be read by others (mode 0640)")),
    ] {
        let directory = files(&[("f", text, mode)]);
        let (config, _) = parse("c", directory.path(), &written("f"));
        let pin = config.config.agents[0].supervisor.clone().map(|supervisor| supervisor.pin);
        assert_eq!(pin.is_some_and(|pin| pin == Token::new("4711")), fault.is_none(), "{text:?}");
        let (_, faults) = read(directory.path(), &written("f"));
        assert_eq!(faults, fault.map(str::to_owned).into_iter().collect::<Vec<_>>(), "{text:?}");
    }
}
