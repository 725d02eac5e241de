//! `hotline.toml`: read, checked, and put together with the dialplans.
//!
//! What a file leaves out is as in the embedded default: loopback only, data in `data`, `dialplans` if it is there,
//! else the built-in ones. Relative paths count from the file.

mod accounts;
mod agents_calls;
mod certificates;
mod features;
mod inspection;
mod recordings;
mod trunks;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use crate::call::feature::Codes;
use crate::dialplan::compile::{Member, PlanFile, Roster, compile_for};
use crate::dialplan::plan::Plans;
use crate::dialplan::prompt::Library;
use crate::dialplan::{AGENT_NUMBER_HINT, HIGHEST_SKILL, is_agent_number};
use crate::fault::Fault;
use crate::gateway::{AgentsCalls, MediaSettings, Supervisor, Trunk};
use crate::ids::{AgentNo, TargetName, TrunkName};
use crate::io::clock::RunClock;
use crate::io::dialplans::{BuiltIn, Directory};
use crate::io::scorecards;
use crate::io::tls;
use crate::media::keying::Policy;
use crate::media::negotiate::CODECS;
use crate::peer::token::Token;
use crate::peer::trunk::{Peer, PeerError};
use crate::protocol::rtp::event::Stroke;
use crate::protocol::sip::digest::{Algorithm, Secrets};
pub use crate::protocol::sip::endpoint::Transport;
use crate::protocol::sip::session_timer;
use crate::written::{At, Document, Table, text_of};
pub use inspection::InspectionSettings;
pub use recordings::{ObjectSettings, RecordingSettings};

/// The whole configuration, without a fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// `None`: the embedded default.
    pub file: Option<PathBuf>,
    /// What relative paths count from; empty for the working directory.
    pub base: PathBuf,
    /// Ledger, database, recordings.
    pub data_directory: PathBuf,
    pub sip: SipSettings,
    /// UDP ports of RTP and RTCP; begins even, so that pairs fit.
    pub rtp_ports: RangeInclusive<u16>,
    pub media: MediaSettings,
    /// Console and API; `None` if it is switched off.
    pub http_listen: Option<SocketAddr>,
    /// Somebody wants the console or the API at that address: without it the gateway does not start.
    pub http_is_asked: bool,
    /// A proxy before the console speaks TLS.
    pub http_behind_tls: bool,
    /// Whoever knows it may use the API; `None`: there is no API.
    pub api_token: Option<Token>,
    pub metrics_listen: SocketAddr,
    pub dialplans: DialplanSource,
    pub trunks: Vec<Trunk>,
    pub agents: Vec<AgentSettings>,
    pub targets: Vec<TargetSettings>,
    /// What agents dial.
    pub codes: Codes,
    /// Calls that agents make by themselves.
    pub agents_calls: AgentsCalls,
    /// Name servers; none: those of the system.
    pub dns_servers: Vec<SocketAddr>,
    pub recordings: RecordingSettings,
    pub inspection: InspectionSettings,
    /// How long live calls may go on once the gateway is told to stop.
    pub drain: Duration,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SipSettings {
    pub listen: Vec<Listen>,
    /// What Contact and SDP say instead of the address listened on.
    pub advertise: Option<IpAddr>,
    /// Of the passwords of phones that register; each `ha1_file` is computed for it.
    pub realm: String,
    /// What those phones are offered to prove it by.
    pub digest: Vec<Algorithm>,
    /// The session timer that we ask for (RFC 4028); `None` if it is switched off.
    pub session_expires_s: Option<u32>,
    /// Whose certificates `tls:` listeners and TLS connections of ours use.
    pub tls: Option<tls::Files>,
}

/// An address to listen on, written `udp:127.0.0.1:5060`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Listen {
    pub transport: Transport,
    /// Port 0: the operating system chooses one.
    pub address: SocketAddr,
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.transport.word(), self.address)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DialplanSource {
    Directory(PathBuf),
    BuiltIn,
}

impl DialplanSource {
    /// `None`: the built-in ones.
    pub fn directory(&self) -> Option<&Path> {
        match self {
            DialplanSource::Directory(path) => Some(path),
            DialplanSource::BuiltIn => None,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentSettings {
    pub number: AgentNo,
    pub name: String,
    /// The SIP URI of a fixed phone; `None`: the phone registers.
    pub contact: Option<String>,
    /// With what the phone registers; `None`: it may not.
    pub secrets: Option<Secrets>,
    /// May listen to colleagues by code.
    pub supervisor: Option<Supervisor>,
    /// The hotlines in whose calls, as written; empty: in all.
    pub supervises: Vec<At<String>>,
    /// Must be dialled before a number outside; `None`: need not.
    pub outbound_pin: Option<Token>,
    /// What the agent can do, and how well.
    pub skills: BTreeMap<String, u32>,
}

/// Something else that a dialplan may call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetSettings {
    pub name: String,
    pub trunk: TrunkName,
    pub number: String,
    /// What is keyed once it has answered.
    pub send_digits: Vec<Stroke>,
}

/// A configuration and its plans.
#[derive(Debug, Clone)]
pub struct Loaded {
    pub config: Config,
    pub plans: Plans,
}

/// Reads the configuration and every dialplan and prompt it leads to. `file`: what `--config` names, if anything.
pub fn check(file: Option<&Path>) -> Result<Loaded, Vec<Fault>> {
    check_from(Path::new(""), file)
}

/// Reads the configuration alone, for commands that need no dialplan.
pub fn read(file: Option<&Path>) -> Result<Config, Vec<Fault>> {
    let (read, faults) = read_from(Path::new(""), file)?;
    if faults.is_empty() { Ok(read.config) } else { Err(sorted(faults)) }
}

/// [`check`] with `directory` for the working directory.
fn check_from(directory: &Path, file: Option<&Path>) -> Result<Loaded, Vec<Fault>> {
    let (Read { mut config, default_agents, certificates }, mut faults) = read_from(directory, file)?;
    if let Some(certificates) = certificates {
        let shown = config.file.as_ref().map_or_else(|| FILE.to_owned(), |file| file.display().to_string());
        faults.extend(certificates.faults(&shown, RunClock::start().now().wall));
    }
    let (plans, found) = plans(&config, default_agents);
    config.inspection.policy = config.inspection.policy.with_quotas_of(&plans);
    // A dialplan with a fault has no id that could be named.
    if found.is_empty() {
        let shown = config.file.as_ref().map_or_else(|| FILE.to_owned(), |file| file.display().to_string());
        faults.extend(accounts::unknown_hotlines(&shown, &config.agents, &plans));
    }
    faults.extend(found);
    faults.extend(scorecards::forms(config.dialplans.directory()).1);
    if default_agents {
        config.agents = agents_of(&plans);
    }
    if faults.is_empty() { Ok(Loaded { config, plans }) } else { Err(sorted(faults)) }
}

fn plans(config: &Config, default_agents: bool) -> (Plans, Vec<Fault>) {
    let member = |a: &AgentSettings| Member { name: a.name.clone(), skills: a.skills.clone() };
    let roster: Roster = config.agents.iter().map(|a| (a.number.clone(), member(a))).collect();
    let roster = (!default_agents).then_some(&roster);
    let targets: Vec<TargetName> = config.targets.iter().map(|t| t.name.as_str().into()).collect();
    // Without a configuration the dialplans name the agents, and may name targets that nobody can call.
    let targets = (!default_agents).then_some(&targets[..]);
    let compiled = |files: &[PlanFile], library| compile_for(files, library, roster, targets);
    match &config.dialplans {
        // Its fault stands at the key that names it.
        DialplanSource::Directory(path) if !path.is_dir() => (Plans::default(), Vec::new()),
        DialplanSource::BuiltIn => compiled(&BuiltIn::hotlines(), Library::new(vec![&BuiltIn])),
        DialplanSource::Directory(path) => {
            let directory = Directory(path.clone());
            match directory.hotlines() {
                Ok(files) => compiled(&files, Library::new(vec![&directory, &BuiltIn])),
                Err(faults) => (Plans::default(), faults),
            }
        }
    }
}

/// By file and line; the same fault once.
fn sorted(faults: Vec<Fault>) -> Vec<Fault> {
    faults.into_iter().collect::<BTreeSet<_>>().into_iter().collect()
}

/// Every agent that the plans name, with the phone of the embedded default.
fn agents_of(plans: &Plans) -> Vec<AgentSettings> {
    let numbers: BTreeSet<AgentNo> = plans.hotlines.iter().flat_map(|h| h.everybody()).collect();
    let agent = |number: AgentNo| AgentSettings {
        number: number.clone(),
        name: format!("Agent {number}"),
        contact: Some(format!("sip:{number}@127.0.0.1:5090")),
        secrets: None,
        supervisor: None,
        supervises: Vec::new(),
        outbound_pin: None,
        skills: BTreeMap::new(),
    };
    numbers.into_iter().map(agent).collect()
}

/// A configuration that may still have faults.
struct Read {
    config: Config,
    /// The agents are those that the dialplans name.
    default_agents: bool,
    /// What names the files of TLS, which are not read yet.
    certificates: Option<certificates::Written>,
}

const FILE: &str = "hotline.toml";

/// RFC 4028 section 4 recommends half an hour.
const SESSION_EXPIRES_S: u32 = 1_800;

/// An error only if the file cannot be read at all.
fn read_from(directory: &Path, file: Option<&Path>) -> Result<(Read, Vec<Fault>), Vec<Fault>> {
    let path = match file {
        Some(named) => directory.join(named),
        None if directory.join(FILE).exists() => directory.join(FILE),
        None => {
            let (mut read, faults) = parse(FILE, directory, "");
            read.default_agents = true;
            return Ok((read, faults));
        }
    };
    let shown = path.display().to_string();
    let bytes = std::fs::read(&path)
        .map_err(|e| vec![Fault::new(shown.as_str(), 1, e.to_string(), "name a file that exists and can be read")])?;
    let text = text_of(&shown, &bytes).map_err(|fault| vec![fault])?;
    let base = path.parent().map(Path::to_path_buf).unwrap_or_default();
    let (mut read, faults) = parse(&shown, &base, text);
    read.config.file = Some(path);
    Ok((read, faults))
}

fn parse(shown: &str, base: &Path, text: &str) -> (Read, Vec<Fault>) {
    let document = Document::parse(shown, text);
    let read = read_document(&document, base);
    (read, document.into_faults())
}

fn read_document(document: &Document<'_>, base: &Path) -> Read {
    let mut root = document.root();
    let (sip, certificates) = sip(&mut root.section("sip"), base);
    let trunks = trunks::read(&mut root, &sip.listen, base);
    let dialplans = dialplans(&mut root.section("dialplans"), base);
    let agents = agents(&mut root, base, &sip);
    let default_agents = agents.is_none() && dialplans == DialplanSource::BuiltIn;
    let targets = trunks::targets(&mut root, &trunks);
    let Web { http_listen, http_is_asked, http_behind_tls, api_token, metrics_listen } =
        web(&mut root, &sip.listen, base);
    let agents = agents.unwrap_or_default();
    let agents_calls = agents_calls::read(&mut root.section("agents_calls"), &trunks, &agents);
    let mut rtp = root.section("rtp");
    let data = path(&mut root.section("data"), "directory").map_or_else(|| "data".to_owned(), |at| at.value);
    let data_directory = base.join(data);
    let config = Config {
        file: None,
        base: base.to_owned(),
        sip,
        rtp_ports: ports(&mut rtp),
        media: carrying(&mut rtp),
        http_listen,
        http_is_asked,
        http_behind_tls,
        api_token,
        metrics_listen,
        dialplans,
        trunks,
        agents,
        targets,
        codes: features::read(&mut root.section("features")),
        agents_calls,
        dns_servers: trunks::dns_servers(&mut root.section("dns")),
        recordings: recordings::read(&mut root, base, &data_directory),
        data_directory,
        inspection: inspection::read(&mut root.section("qa")),
        drain: drain(&mut root.section("shutdown")),
    };
    Read { config, default_agents, certificates }
}

fn drain(shutdown: &mut Table<'_>) -> Duration {
    const DEFAULT_S: u32 = 300;
    const DAY_S: u32 = 86_400;
    Duration::from_secs(shutdown.integer("drain_s", 0..=DAY_S).map_or(DEFAULT_S, |at| at.value).into())
}

fn loopback(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

/// A path that is not empty.
fn path(table: &mut Table<'_>, key: &'static str) -> Option<At<String>> {
    let found = table.string(key)?;
    if found.value.trim().is_empty() {
        table.fault(found.line, format!("{} is empty", table.path(key)), "write a path, from this file or absolute");
        return None;
    }
    Some(found)
}

fn sip(sip: &mut Table<'_>, base: &Path) -> (SipSettings, Option<certificates::Written>) {
    let default = [Transport::Udp, Transport::Tcp].map(|transport| Listen { transport, address: loopback(5060) });
    let advertise = sip.string("advertise");
    let listen = match sip.strings("listen") {
        None => default.to_vec(),
        Some(list) => {
            if list.value.is_empty() {
                sip.fault(list.line, "sip.listen is empty", "write listen = [\"udp:127.0.0.1:5060\"]");
            }
            listens(sip, list.value, advertise.is_some())
        }
    };
    let tls = certificates::files(sip, base, &listen);
    let advertise = advertise.and_then(|at| advertised(sip, &at));
    let session_expires_s = session_expires(sip);
    let (realm, digest) = (accounts::realm(sip), accounts::digest(sip));
    let files = tls.as_ref().map(|tls| tls.files.clone());
    (SipSettings { listen, advertise, session_expires_s, tls: files, realm, digest }, tls)
}

fn session_expires(sip: &mut Table<'_>) -> Option<u32> {
    let Some(At { value, line }) = sip.integer("session_expires_s", 0..=session_timer::LONGEST_S) else {
        return Some(SESSION_EXPIRES_S);
    };
    if (1..session_timer::SMALLEST_S).contains(&value) {
        let what = format!("sip.session_expires_s = {value} is shorter than RFC 4028 allows");
        sip.fault(line, what, "write 90 or more, or 0 to ask for no session timer");
    }
    Some(value).filter(|s| *s > 0)
}

fn listens(sip: &Table<'_>, written: Vec<At<String>>, advertised: bool) -> Vec<Listen> {
    let mut found: Vec<Listen> = Vec::new();
    for At { value, line } in written {
        let listen = match value.parse::<Listen>() {
            Ok(listen) => listen,
            Err((what, hint)) => {
                sip.fault(line, format!("sip.listen \"{value}\" {what}"), hint);
                continue;
            }
        };
        if listen.address.ip().is_unspecified() && !advertised {
            let what = format!(
                "sip.listen \"{value}\" listens on every address, and nothing says which one callers are to use"
            );
            sip.fault(
                line,
                what,
                "add advertise = \"…\" with the address that trunk and phones reach, or listen on that one",
            );
        }
        if listen.address.port() != 0 && found.contains(&listen) {
            sip.fault(line, format!("sip.listen has \"{value}\" twice"), "remove one of the two");
        }
        found.push(listen);
    }
    found
}

impl FromStr for Listen {
    /// What is wrong, and the hint.
    type Err = (String, String);

    fn from_str(written: &str) -> Result<Self, Self::Err> {
        const HINT: &str = "write udp:127.0.0.1:5060, tcp:127.0.0.1:5060, tls:127.0.0.1:5061 or udp:[::1]:5060";
        let (transport, address) = written.split_once(':').unwrap_or((written, ""));
        let transport = match transport {
            "udp" => Transport::Udp,
            "tcp" => Transport::Tcp,
            "tls" => Transport::Tls,
            _ => return Err(("has no transport".to_owned(), HINT.to_owned())),
        };
        match address.parse() {
            Ok(address) => Ok(Listen { transport, address }),
            Err(_) => Err(("has no address and port".to_owned(), HINT.to_owned())),
        }
    }
}

fn advertised(sip: &Table<'_>, written: &At<String>) -> Option<IpAddr> {
    let inner = written.value.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(&written.value);
    match inner.parse::<IpAddr>() {
        Ok(address) if !address.is_unspecified() => Some(address),
        _ => {
            let what = format!("sip.advertise \"{}\" is not an address", written.value);
            sip.fault(written.line, what, "write the address alone, as in \"203.0.113.10\"");
            None
        }
    }
}

fn ports(rtp: &mut Table<'_>) -> RangeInclusive<u16> {
    const DEFAULT: RangeInclusive<u16> = 20_000..=29_999;
    let Some(written) = rtp.string("ports") else { return DEFAULT };
    let number = |text: &str| text.trim().parse::<u16>().ok();
    let ends = written.value.split_once('-').and_then(|(first, last)| Some((number(first)?, number(last)?)));
    let (what, hint) = match ends {
        None => ("is not two ports", "write ports = \"20000-29999\""),
        Some((0, _)) => ("begins at 0", "begin at 1024 or above"),
        Some((first, last)) if first >= last => ("ends before it begins", "write the smaller port first"),
        Some((first, _)) if first % 2 == 1 => {
            ("begins with an odd port", "begin even: RTP has the even port, RTCP the next")
        }
        Some((first, last)) if last - first < 3 => ("holds fewer than 4 ports", "a call needs two pairs: four ports"),
        Some((first, last)) => return first..=last,
    };
    rtp.fault(written.line, format!("rtp.ports \"{}\" {what}", written.value), hint);
    DEFAULT
}

/// Codecs in the order of preference, and SRTP toward either side.
fn carrying(rtp: &mut Table<'_>) -> MediaSettings {
    let mut media = MediaSettings::default();
    if let Some(written) = rtp.strings("codecs") {
        media.codecs.clear();
        for At { value, line } in written.value {
            match CODECS.iter().find(|codec| codec.name().eq_ignore_ascii_case(&value)) {
                Some(codec) if media.codecs.contains(codec) => {
                    rtp.fault(line, format!("rtp.codecs names {value} twice"), "name each codec once");
                }
                Some(codec) => media.codecs.push(*codec),
                None => rtp.fault(line, format!("rtp.codecs \"{value}\" is not carried"), "PCMA, PCMU and G722 are"),
            }
        }
        if media.codecs.iter().all(|codec| codec.is_wideband()) {
            rtp.fault(written.line, "rtp.codecs without PCMA and PCMU", "add the one that the trunk speaks");
        }
    }
    for (key, policy) in [("trunk_srtp", &mut media.trunk_srtp), ("agent_srtp", &mut media.agent_srtp)] {
        let Some(written) = rtp.string(key) else { continue };
        match Policy::named(&written.value) {
            Some(named) => *policy = named,
            None => {
                let what = format!("{} \"{}\" is no policy", rtp.path(key), written.value);
                rtp.fault(written.line, what, "write \"off\", \"optional\", \"preferred\" or \"required\"");
            }
        }
    }
    media
}

/// What is said over HTTP, and where.
struct Web {
    http_listen: Option<SocketAddr>,
    http_is_asked: bool,
    http_behind_tls: bool,
    api_token: Option<Token>,
    metrics_listen: SocketAddr,
}

/// The addresses of console and metrics; each TCP address belongs to one listener.
fn web(root: &mut Table<'_>, sip: &[Listen], base: &Path) -> Web {
    let (mut http, mut metrics) = (root.section("http"), root.section("metrics"));
    let http_behind_tls = http.boolean("behind_tls").is_some_and(|at| at.value);
    let api_token = accounts::token(&mut http, base);
    let http_listen = match http.string("listen") {
        Some(written) if written.value == "off" => None,
        _ => Some(address(&mut http, "listen").unwrap_or_else(|| loopback(8080))),
    };
    let http_is_asked = http.line_of("listen").is_some() || http_behind_tls || api_token.is_some();
    let metrics_listen = address(&mut metrics, "listen").unwrap_or_else(|| loopback(9464));
    let mut taken: Vec<SocketAddr> =
        sip.iter().filter(|l| l.transport != Transport::Udp).map(|listen| listen.address).collect();
    for (section, listen) in [(&mut http, http_listen), (&mut metrics, Some(metrics_listen))] {
        let Some(listen) = listen else { continue };
        if listen.port() != 0 && taken.contains(&listen) {
            let line = section.line_of("listen").unwrap_or(1);
            section.fault(
                line,
                format!("{} {listen} is taken", section.path("listen")),
                "give each listener a port of its own",
            );
        }
        taken.push(listen);
    }
    Web { http_listen, http_is_asked, http_behind_tls, api_token, metrics_listen }
}

fn address(table: &mut Table<'_>, key: &'static str) -> Option<SocketAddr> {
    let written = table.string(key)?;
    match written.value.parse() {
        Ok(address) => Some(address),
        Err(_) => {
            let what = format!("{} \"{}\" is not an address and a port", table.path(key), written.value);
            table.fault(written.line, what, "write 127.0.0.1:8080 or [::1]:8080");
            None
        }
    }
}

fn dialplans(section: &mut Table<'_>, base: &Path) -> DialplanSource {
    let default = base.join("dialplans");
    match path(section, "directory") {
        Some(written) => {
            let directory = base.join(&written.value);
            if !directory.is_dir() {
                let what = format!("dialplans.directory: there is no directory {}", directory.display());
                section.fault(written.line, what, "make it, or leave the key out for the built-in dialplans");
            }
            DialplanSource::Directory(directory)
        }
        None if default.is_dir() => DialplanSource::Directory(default),
        None => DialplanSource::BuiltIn,
    }
}

/// `None` if the file has no agent at all.
fn agents(root: &mut Table<'_>, base: &Path, sip: &SipSettings) -> Option<Vec<AgentSettings>> {
    let sections = root.sections("agent");
    if sections.is_empty() {
        return None;
    }
    let mut found: Vec<(AgentSettings, u32)> = Vec::new();
    for mut section in sections {
        let number = section.required_string("number").filter(|number| {
            let good = is_agent_number(&number.value);
            if !good {
                let what = format!("agent.number \"{}\" is no agent's number", number.value);
                section.fault(number.line, what, AGENT_NUMBER_HINT);
            }
            good
        });
        let name = section.string("name");
        let has_contact = section.line_of("contact").is_some();
        let contact = section.string("contact").and_then(|contact| fixed_contact(&section, &sip.listen, contact));
        let account =
            accounts::Account { base, realm: &sip.realm, number: number.as_ref().map(|at| at.value.as_str()) };
        let secrets = account.secrets(&mut section, has_contact);
        let (supervisor, supervises) = accounts::supervisor(&mut section, base);
        let outbound_pin = accounts::pin(&mut section, "outbound_pin_file", base);
        let skills = section.counts("skills", 1..=HIGHEST_SKILL).map_or_else(BTreeMap::new, |at| at.value);
        let Some(At { value: number, line }) = number else { continue };
        if let Some((_, first)) = found.iter().find(|(a, _)| a.number.as_str() == number) {
            let what = format!("agent.number \"{number}\" is there twice (first in line {first})");
            section.fault(line, what, "give each agent a number of his or her own");
            continue;
        }
        let name = name.map_or_else(|| format!("Agent {number}"), |at| at.value);
        let number = AgentNo::from(number);
        let agent = AgentSettings { number, name, contact, secrets, supervisor, supervises, outbound_pin, skills };
        found.push((agent, line));
    }
    let found: Vec<AgentSettings> = found.into_iter().map(|(agent, _)| agent).collect();
    accounts::check_common(root, &sip.digest, &found);
    Some(found)
}

/// The contact if it is a SIP URI (RFC 3261 section 19.1.1).
fn fixed_contact(section: &Table<'_>, listen: &[Listen], written: At<String>) -> Option<String> {
    let fault = contact_fault(&written.value).or_else(|| certificates::contact_fault(&written.value, listen));
    let Some((what, hint)) = fault else { return Some(written.value) };
    section.fault(written.line, format!("agent.contact \"{}\" {what}", written.value), hint);
    None
}

fn contact_fault(uri: &str) -> Option<(&'static str, &'static str)> {
    const HINT: &str = "write contact = \"sip:8@192.0.2.20:5060\"";
    let Some(rest) = uri.strip_prefix("sip:").or_else(|| uri.strip_prefix("sips:")) else {
        return Some(("is not a SIP address", HINT));
    };
    let odd = |c: char| c.is_whitespace() || c.is_control() || "<>\"".contains(c) || !c.is_ascii();
    if rest.contains(odd) {
        return Some(("is not a SIP address", HINT));
    }
    let host = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
    let host = host.split([';', '?']).next().unwrap_or_default();
    match host.parse::<Peer>() {
        Ok(Peer::Socket(_)) => None,
        Ok(Peer::Address(address)) if address.is_ipv4() || host.starts_with('[') => None,
        // It is looked up at the start, and when its time to live is over.
        Err(PeerError::Name(_)) => None,
        _ => Some(("has no address of a phone", HINT)),
    }
}

#[cfg(test)]
mod accounts_tests;
#[cfg(test)]
mod tests;
