//! Phones that this project did not write, each with a directory of its own: they play a tone and answer by themselves.

use std::path::PathBuf;
use std::process::Command;

use super::Bench;
use super::child::Process;
use super::sound::{RATE, tone, write_wav};

/// baresip, at this port. `account` is its address and parameters, as `<sip:8@127.0.0.1:5070>;regint=0`.
pub(crate) fn baresip(bench: &Bench, name: &str, port: u16, hz: f64, account: &str, arguments: &[&str]) -> Process {
    let directory = directory(bench, &format!("baresip-{name}"));
    let file = |name: &str| directory.join(name);
    let samples: Vec<i16> = (0..30 * RATE as i64).map(|n| tone(hz, n)).collect();
    write_wav(&file("tone.wav"), &samples);
    let (first, last) = (bench.ports.even(), bench.ports.even() + 1);
    let config = format!(
        "poll_method epoll\nsip_listen 127.0.0.1:{port}\naudio_source aufile,{}\naudio_player aufile,{}\n\
         rtp_ports {first}-{last}\nmodule_path /usr/lib/baresip/modules\nmodule g711.so\nmodule aufile.so\n\
         module_app account.so\nmodule_app menu.so\nmodule stdio.so\n",
        file("tone.wav").display(),
        file("heard.wav").display()
    );
    std::fs::write(file("config"), config).expect("the phone's configuration");
    std::fs::write(file("accounts"), format!("{account};answermode=auto;audio_codecs=PCMA\n")).expect("its account");
    let mut command = Command::new("baresip");
    Process::start(&format!("baresip-{name}"), bench.path(), command.arg("-f").arg(&directory).args(arguments))
}

/// linphone, which registers as `number` over `transport` with this password, from a port of its own.
pub(crate) fn linphone(bench: &Bench, number: &str, transport: &str, password: &str) -> Process {
    let directory = directory(bench, &format!("linphone-{number}"));
    let (own, ports) = (bench.ports.one(), bench.ports.even());
    let config = format!(
        "[sip]\nsip_port={own}\nsip_tcp_port={own}\ndefault_proxy=0\nuse_ipv6=0\n\
         [net]\nbind_address=127.0.0.1\n[rtp]\naudio_rtp_port={ports}\n[sound]\nplayback_dev_id=ANULL\nringer_dev_id=ANULL\n\
         capture_dev_id=ANULL\n[auth_info_0]\nusername={number}\npasswd={password}\nrealm=hotline\n\
         [proxy_0]\nreg_proxy=<sip:{gateway};transport={transport}>\nreg_identity=sip:{number}@{gateway}\n\
         reg_expires=60\nreg_sendregister=1\npublish=0\n",
        gateway = bench.sip_address(),
    );
    std::fs::write(directory.join("linphonerc"), config).expect("the phone's configuration");
    for place in [".local/share/linphone", ".config/linphone"] {
        std::fs::create_dir_all(directory.join(place)).expect("the phone's home");
    }
    // It ends with its input: `exec` keeps one that never ends, and leaves one process to be killed.
    let line = "exec linphonec -a -c linphonerc 0<> input";
    let made = Command::new("mkfifo").arg(directory.join("input")).status().expect("mkfifo");
    assert!(made.success(), "mkfifo");
    let mut command = Command::new("sh");
    command.args(["-c", line]).current_dir(&directory).env("HOME", &directory);
    Process::start(&format!("linphone-{number}"), bench.path(), &mut command)
}

fn directory(bench: &Bench, name: &str) -> PathBuf {
    let directory = (0..).map(|n| bench.path().join(format!("{name}-{n}"))).find(|path| !path.exists());
    let directory = directory.expect("a name that is free");
    std::fs::create_dir_all(&directory).expect("the phone's directory");
    directory
}
