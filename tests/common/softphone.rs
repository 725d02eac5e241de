//! Phones that this project did not write, each with a directory of its own: they play a tone and answer by themselves.

use std::io::Write as _;
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::Command;

use super::child::Process;
use super::sound::{RATE, tone, write_wav};
use super::{Bench, seconds, until};

/// A baresip hangs up when its tone ends.
const TONE_S: i64 = 90;

/// baresip, at this port. `account` is its address and parameters, as `<sip:8@127.0.0.1:5070>;regint=0`.
pub(crate) fn baresip(bench: &Bench, name: &str, port: u16, hz: f64, account: &str, arguments: &[&str]) -> Process {
    baresip_at(bench, name, SocketAddr::from(([127, 0, 0, 1], port)), hz, account, "", arguments)
}

/// The same at this address; `more` are further lines of its configuration.
fn baresip_at(
    bench: &Bench,
    name: &str,
    at: SocketAddr,
    hz: f64,
    account: &str,
    more: &str,
    arguments: &[&str],
) -> Process {
    let directory = directory(bench, &format!("baresip-{name}"));
    let file = |name: &str| directory.join(name);
    let samples: Vec<i16> = (0..TONE_S * RATE as i64).map(|n| tone(hz, n)).collect();
    write_wav(&file("tone.wav"), &samples);
    let (first, last) = (bench.ports.even(), bench.ports.even() + 1);
    let config = format!(
        "poll_method epoll\nsip_listen {at}\naudio_source aufile,{}\naudio_player aufile,{}\n\
         rtp_ports {first}-{last}\nmodule_path /usr/lib/baresip/modules\nmodule g711.so\nmodule aufile.so\n\
         module_app account.so\nmodule_app menu.so\nmodule stdio.so\n{more}",
        file("tone.wav").display(),
        file("heard.wav").display()
    );
    std::fs::write(file("config"), config).expect("the phone's configuration");
    std::fs::write(file("accounts"), format!("{account};answermode=auto;audio_codecs=PCMA\n")).expect("its account");
    let mut command = Command::new("baresip");
    Process::start(&format!("baresip-{name}"), bench.path(), command.arg("-f").arg(&directory).args(arguments))
}

/// A baresip whose keys somebody presses.
pub(crate) struct Baresip {
    pub(crate) process: Process,
    keys: TcpStream,
}

impl Baresip {
    /// As [`baresip`]; `more` are further lines of its configuration.
    pub(crate) fn start(bench: &Bench, name: &str, at: SocketAddr, hz: f64, account: &str, more: &str) -> Baresip {
        let keys = SocketAddr::from(([127, 0, 0, 1], bench.ports.one()));
        let more = format!("module_app ctrl_tcp.so\nctrl_tcp_listen {keys}\n{more}");
        let process = baresip_at(bench, name, at, hz, account, &more, &[]);
        let keys = until("baresip to listen", seconds(8), || TcpStream::connect(keys).ok());
        Baresip { process, keys }
    }

    /// A command by its long name: `hold`, `resume`, `dial` with an address.
    pub(crate) fn press(&mut self, command: &str, parameters: &str) {
        let text = serde_json::json!({ "command": command, "params": parameters }).to_string();
        write!(self.keys, "{}:{text},", text.len()).expect("pressing a key of baresip");
    }
}

/// linphone, which registers as `number` over `transport` with this password, from a port of its own.
pub(crate) fn linphone(bench: &Bench, number: &str, transport: &str, password: &str) -> Process {
    Linphone::start(bench, number, bench.sip_address(), transport, password, "").process
}

/// A linphone that reads commands.
pub(crate) struct Linphone {
    pub(crate) process: Process,
    input: PathBuf,
}

impl Linphone {
    /// Registers at `gateway` over `transport`; `more` are further lines of its `[sip]` table.
    pub(crate) fn start(
        bench: &Bench,
        number: &str,
        gateway: SocketAddr,
        transport: &str,
        password: &str,
        more: &str,
    ) -> Linphone {
        let directory = directory(bench, &format!("linphone-{number}"));
        let (own, tls, ports) = (bench.ports.one(), bench.ports.one(), bench.ports.even());
        let config = format!(
            "[sip]\nsip_port={own}\nsip_tcp_port={own}\nsip_tls_port={tls}\ndefault_proxy=0\nuse_ipv6=0\n{more}\
             [net]\nbind_address=127.0.0.1\n[rtp]\naudio_rtp_port={ports}\n\
             [sound]\nplayback_dev_id=ANULL\nringer_dev_id=ANULL\ncapture_dev_id=ANULL\n\
             [auth_info_0]\nusername={number}\npasswd={password}\nrealm=hotline\n\
             [proxy_0]\nreg_proxy=<sip:{gateway};transport={transport}>\nreg_identity=sip:{number}@{gateway}\n\
             reg_expires=60\nreg_sendregister=1\npublish=0\n",
        );
        std::fs::write(directory.join("linphonerc"), config).expect("the phone's configuration");
        for place in [".local/share/linphone", ".config/linphone"] {
            std::fs::create_dir_all(directory.join(place)).expect("the phone's home");
        }
        // It ends with its input: `exec` keeps one that never ends, and leaves one process to be killed.
        let input = directory.join("input");
        let made = Command::new("mkfifo").arg(&input).status().expect("mkfifo");
        assert!(made.success(), "mkfifo");
        let mut command = Command::new("sh");
        command.args(["-c", "exec linphonec -a -c linphonerc 0<> input"]).current_dir(&directory);
        command.env("HOME", &directory);
        let process = Process::start(&format!("linphone-{number}"), bench.path(), &mut command);
        Linphone { process, input }
    }

    /// A tone for a microphone: without it, where there is no sound card, it sends nothing.
    pub(crate) fn speaks(&self, hz: f64) {
        let file = self.input.with_file_name("tone.wav");
        write_wav(&file, &(0..TONE_S * RATE as i64).map(|n| tone(hz, n)).collect::<Vec<i16>>());
        self.tell("soundcard use files");
        self.tell(&format!("play {}", file.display()));
    }

    /// A line to it: `pause`, `resume`, `call` with an address.
    pub(crate) fn tell(&self, line: &str) {
        let mut input = std::fs::OpenOptions::new().write(true).open(&self.input).expect("linphone's input");
        writeln!(input, "{line}").expect("telling linphone");
    }
}

fn directory(bench: &Bench, name: &str) -> PathBuf {
    let directory = (0..).map(|n| bench.path().join(format!("{name}-{n}"))).find(|path| !path.exists());
    let directory = directory.expect("a name that is free");
    std::fs::create_dir_all(&directory).expect("the phone's directory");
    directory
}
