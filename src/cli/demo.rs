//! `hotline demo`: the gateway with built-in callers and agents, over loopback, in a temporary directory; before them, if wanted, a
//! month that never was.

#![expect(clippy::print_stdout, reason = "its lines are what the demo is for")]

mod hearing;
mod month;
mod sound;

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};

use super::serve::{ended, stop};
use crate::app::{self, Running};
use crate::call::fact::{Fact, What};
use crate::cdr::{Fold, Record, Word as _};
use crate::clock::{Instant, Wall};
use crate::config::{self, Loaded};
use crate::ids::{CallId, Random};
use crate::io::clock::RunClock;
use crate::protocol::sip::endpoint::Transport;
use crate::report::{Figures, Share};
use crate::sim::live::{Line, voice};
use crate::sim::phone::{Conduct, Patience, Phone, Then};
use crate::store::people::NewPerson;
use crate::store::{People, Reader, Which};
use crate::web::desk::Opens;

const NUMBER: &str = "4008001234";
const AGENTS: [&str; 8] = ["1", "2", "3", "4", "5", "6", "7", "8"];

/// Between two callers, on average.
const PACE_MS: u32 = 1_500;

/// The longest that the calls may take after the last one was offered.
const PATIENCE: Duration = Duration::from_secs(60);

/// What is wanted of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted {
    pub(super) calls: u32,
    pub(super) exit: bool,
    /// A month before the calls, made up from this seed.
    pub(super) month: Option<u64>,
}

pub(super) fn demo(Wanted { calls, exit, month }: Wanted) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let clock = RunClock::start();
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(|e| anyhow!("no randomness: {e}"))?;
        let mut random = Random::from_seed(seed);
        let (callers, agents) = lines(&mut random)?;
        let directory = Directory::make(agents.phone.address(), &mut random)?;
        let (facts, seen) = mpsc::channel();
        let loaded = config::check(Some(&directory.config)).map_err(|faults| anyhow!("{}", faults[0]))?;
        if let Some(seed) = month {
            past(&directory, &loaded, clock, seed)?;
        }
        let begun = clock.now().wall;
        let observer = Box::new(move |fact: &Fact| {
            // The demo that listens may have gone home.
            let _ = facts.send(fact.clone());
        });
        let running = app::start(loaded, Some(observer))?;
        let server = sip_address(&running)?;
        introduce(calls, server);
        let play = Play { clock, callers, agents, random, server, left: calls, seen, folds: Folds::default() };
        let made = tokio::task::spawn_blocking(move || play.run(calls)).await??;
        // A call is sealed after its last fact was handed over, so what is flushed then is whole.
        ended(&running, PATIENCE).await;
        running.flush();
        summary(made, begun, &directory)?;
        if exit {
            fs::write(&directory.metrics, running.metrics_text()?)?;
            println!("Metrics     {} (as they stood; without --exit they are served)", directory.metrics.display());
        } else {
            println!("Metrics     http://{}/metrics", running.addresses.metrics);
            welcome(&running, &directory)?;
            println!("\nUp until Ctrl-C.");
            tokio::signal::ctrl_c().await?;
        }
        stop(running).await
    })
}

/// What was before the first call.
fn past(directory: &Directory, loaded: &Loaded, clock: RunClock, seed: u64) -> Result<()> {
    let begun = clock.now();
    let month::Made { calls, notes, reviews, reports } =
        month::fill(&directory.data, &loaded.plans, &AGENTS, begun.wall, seed)?;
    let s = clock.now().mono.since(begun.mono).as_secs_f64();
    println!(
        "Made up in {s:.1} s (seed {seed}), so that there is something to see: {calls} calls of the last month and this one with \
         recordings,\n{notes} call notes, {reviews} scores, {reports} closed reports.\n"
    );
    Ok(())
}

/// Somebody who may see everything, and a way in.
fn welcome(running: &Running, directory: &Directory) -> Result<()> {
    let (Some(desk), Some(console)) = (running.desk(), running.console()) else { return Ok(()) };
    let visitor = NewPerson {
        name: "demo".to_owned(),
        shown: "演示 Demo".to_owned(),
        roles: "agent qa lead operator auditor admin".to_owned(),
        agent: Some(AGENTS[0].to_owned()),
        password: None,
    };
    People::open(&directory.data)?.add(&visitor, "demo", desk.now().wall)?;
    let link = desk.link(Opens::Login { name: visitor.name });
    println!("Console     {console}{link}");
    println!("            (the link logs in once; a password can be chosen then)");
    Ok(())
}

fn lines(random: &mut Random) -> Result<(Line, Line)> {
    let mut split = || Random::from_seed(random.bytes());
    let idle = Conduct { rings: true, then: Then::Ignore };
    let (r1, r2, r3, r4) = (split(), split(), split(), split());
    let caller_voice = voice(include_bytes!("../sim/voices/caller.wav"));
    let agent_voice = voice(include_bytes!("../sim/voices/agent.wav"));
    let greeting = Duration::from_millis(4_700);
    let callers = Line::open(|at| Phone::new(at, idle, r1), 32, caller_voice, greeting, r2)?;
    let agents = Line::open(|at| Phone::new(at, idle, r3), 32, agent_voice, greeting + Duration::from_secs(4), r4)?;
    Ok((callers, agents))
}

/// Where the demo lives; it stays when the demo has ended, for whoever wants to look.
struct Directory {
    config: PathBuf,
    data: PathBuf,
    metrics: PathBuf,
}

impl Directory {
    fn make(agents: SocketAddr, random: &mut Random) -> Result<Directory> {
        let root = std::env::temp_dir().join(format!("hotline-demo-{}", random.token()));
        let write = |path: PathBuf, text: &str| -> Result<()> {
            if let Some(folder) = path.parent() {
                fs::create_dir_all(folder)?;
            }
            fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
        };
        let mut text = String::from(
            "[sip]\nlisten = [\"udp:127.0.0.1:0\"]\n\n[rtp]\nports = \"20000-29999\"\n\n[http]\nlisten = \"127.0.0.1:0\"\n\n\
             [metrics]\nlisten = \"127.0.0.1:0\"\n\n[[trunk]]\nname = \"carrier\"\npeers = [\"127.0.0.1\"]\n",
        );
        for agent in AGENTS {
            text += &format!(
                "\n[[agent]]\nnumber = \"{agent}\"\nname = \"Agent {agent}\"\ncontact = \"sip:{agent}@{agents}\"\n"
            );
        }
        let config = root.join("hotline.toml");
        write(config.clone(), &text)?;
        let plan = format!(
            "[hotline]\nid = \"property\"\norg = \"物业\"\nnumbers = [\"{NUMBER}\"]\n\n[greeting]\n\
             text = \"您好,{{org}}客户服务中心{{agent_no}}号接待员为您服务\"\n\n[agents]\nnumbers = {AGENTS:?}\nring_s = 8\n"
        );
        write(root.join("dialplans/property.toml"), &plan)?;
        Ok(Directory { config, data: root.join("data"), metrics: root.join("metrics.txt") })
    }
}

fn sip_address(running: &Running) -> Result<SocketAddr> {
    let udp = running.addresses.sip.iter().find(|(transport, _)| *transport == Transport::Udp);
    udp.map(|(_, address)| *address).context("no UDP listener")
}

fn introduce(calls: u32, server: SocketAddr) {
    println!("The hotline {NUMBER} (物业) answers at sip:{server}; agents {} to {} have phones.", AGENTS[0], AGENTS[7]);
    println!("{calls} callers are on their way: real SIP over UDP, real RTP.\n");
    println!(
        "{:<13} {:<12} {:<15} {:>5} {:>8} {:>8}  why",
        "ended (UTC)", "caller", "outcome", "agent", "rang s", "talk s"
    );
}

/// The callers' and agents' side, on a thread of its own.
struct Play {
    clock: RunClock,
    callers: Line,
    agents: Line,
    random: Random,
    server: SocketAddr,
    left: u32,
    seen: Receiver<Fact>,
    folds: Folds,
}

/// Calls as the facts tell them, to print a line when one ends.
#[derive(Default)]
struct Folds {
    live: BTreeMap<CallId, (Fold, usize)>,
    /// Numbers in the order of calling, which is the order of offering.
    callers: Vec<String>,
    offered: usize,
    ended: u32,
    sealed: u32,
}

impl Folds {
    fn take(&mut self, fact: &Fact) {
        if let Some(fold) = Fold::begin(fact) {
            self.live.insert(fact.call, (fold, self.offered));
            self.offered += 1;
        }
        let Some((fold, i)) = self.live.get_mut(&fact.call) else { return };
        fold.push(fact);
        if let What::Ended { .. } = fact.what {
            self.ended += 1;
            print_line(&fold.record(), self.callers.get(*i).map_or("?", String::as_str));
        }
        if fold.is_closed() {
            self.sealed += 1;
            self.live.remove(&fact.call);
        }
    }
}

impl Play {
    /// Returns how many calls ended.
    fn run(mut self, calls: u32) -> Result<u32> {
        let mut next = self.clock.now().mono;
        let mut deadline = next + PATIENCE;
        loop {
            let now = self.clock.now().mono;
            if self.left > 0 && now >= next {
                self.next_call(now, calls - self.left);
                self.left -= 1;
                next = now + Duration::from_millis(u64::from(PACE_MS / 2 + self.random.below(PACE_MS)));
                deadline = now + PATIENCE;
            }
            self.callers.work(self.clock)?;
            self.agents.work(self.clock)?;
            if self.left == 0 && (self.folds.sealed >= calls || now > deadline) {
                return Ok(self.folds.ended);
            }
            // A few milliseconds: the voices are paced by the clock, not by this.
            if let Ok(fact) = self.seen.recv_timeout(Duration::from_millis(3)) {
                self.folds.take(&fact);
            }
            while let Ok(fact) = self.seen.try_recv() {
                self.folds.take(&fact);
            }
        }
    }

    fn next_call(&mut self, now: Instant, i: u32) {
        let caller = format!("139{:08}", self.random.below(100_000_000));
        let between =
            |random: &mut Random, from: u32, to: u32| Duration::from_millis(u64::from(from + random.below(to - from)));
        let r = &mut self.random;
        let ring = between(r, 700, 4_000);
        let talk = between(r, 6_000, 11_000);
        let (patience, conducts) = match i % 6 {
            // Gives up, soon and not so soon.
            2 => (Patience { wait: between(r, 1_500, 4_000), talk: None }, vec![Then::Ignore]),
            5 => (Patience { wait: between(r, 5_200, 7_500), talk: None }, vec![Then::Ignore]),
            // The first agent is busy.
            3 => {
                let refuse = Then::Refuse { after: Duration::from_millis(150), status: 486 };
                let answer = Then::Answer { after: ring, hang_up_after: None };
                (Patience { wait: Duration::from_secs(60), talk: Some(talk) }, vec![refuse, answer])
            }
            // The agent hangs up.
            4 => (
                Patience { wait: Duration::from_secs(60), talk: None },
                vec![Then::Answer { after: ring, hang_up_after: Some(talk) }],
            ),
            _ => (
                Patience { wait: Duration::from_secs(60), talk: Some(talk) },
                vec![Then::Answer { after: ring, hang_up_after: None }],
            ),
        };
        self.agents.phone.expect(conducts.into_iter().map(|then| Conduct { rings: true, then }));
        self.callers.phone.call(now, self.server, NUMBER, &caller, patience);
        self.folds.callers.push(caller);
    }
}

fn print_line(record: &Record, caller: &str) {
    let seconds = |ms: Option<u64>| ms.map_or_else(|| "-".to_owned(), |ms| format!("{:.2}", ms as f64 / 1000.0));
    let at = record.ended_at.map(|t| t.0.to_string()).unwrap_or_default();
    let talk = record.talk_ms.filter(|_| record.agent.is_some());
    println!(
        "{:<13} {:<12} {:<15} {:>5} {:>8} {:>8}  {}",
        at.get(11..23).unwrap_or_default(),
        caller,
        record.outcome.map_or("-", |o| o.word()),
        record.agent.as_ref().map_or("-", |a| a.as_str()),
        seconds(record.ring_to_answer_ms.or(record.wait_ms)),
        seconds(talk),
        record.reason.map_or("-", |r| r.as_str()),
    );
}

/// Read back from the ledger, as any other report is.
fn summary(made: u32, begun: Wall, directory: &Directory) -> Result<()> {
    let reader = Reader::open(&directory.data)?;
    let records = reader.calls(Which::Ended, Some(begun), usize::MAX)?;
    let figures = Figures::of(&records.iter().collect::<Vec<_>>());
    let seconds = |ms: Option<u64>| ms.map_or_else(|| "-".to_owned(), |ms| format!("{:.2} s", ms as f64 / 1000.0));
    let outcomes = figures.outcomes.iter().map(|(o, n)| format!("{n} {}", o.word())).collect::<Vec<_>>().join(", ");
    println!("\nOffered {}: {outcomes}", figures.offered);
    println!("Service level, answered within three rings: {} of all offered", share(figures.service_level));
    println!("  without the short_abandoned: {}", share(figures.service_level_without_short_abandoned));
    let rang = &figures.ring_to_answer_ms;
    println!("Ring to answer: mean {}, p90 {} (n = {})", seconds(rang.mean), seconds(rang.p90), rang.n);
    println!("Call length: mean {} of talk (n = {})", seconds(figures.talk_ms.mean), figures.talk_ms.n);
    println!("\nRecordings  {}", directory.data.join("recordings").display());
    println!("Records     hotline calls --config {}", directory.config.display());
    if figures.offered != u64::from(made) {
        return Err(anyhow!("{made} calls ended, {} are in the ledger", figures.offered));
    }
    Ok(())
}

fn share(share: Share) -> String {
    let percent = share.ratio.map_or_else(|| "-".to_owned(), |r| format!("{:.1} %", r * 100.0));
    format!("{percent} ({} of {})", share.count, share.n)
}
