//! What was before the demo began: the whole month before this one and this one so far, made up from a seed. Calls with recordings,
//! notes, draws, scores, objections and closed reports, so that every page has something to show. The trunk of these calls is called
//! `demo`, and so is whoever did what the audit log tells of them; real calls of the demo come over `carrier`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};
use jiff::ToSpan as _;
use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;

use super::hearing;
use super::sound::Takes;
use crate::app;
use crate::call::fact::{AnswerRule, Fact, Offered, RecordingStatus, RingResult, RingSource, What};
use crate::call::reason::{EndedBy, Reason};
use crate::clock::{RunId, Stamp, Wall};
use crate::dialplan::plan::Plans;
use crate::ids::{AgentNo, CallId, Random, Side, SubjectId};
use crate::ledger::Subject;
use crate::media::Play;
use crate::notes::{Words, day};
use crate::qa::draw::places::{Places, bounds};
use crate::report::{Period, Span, Zones};
use crate::store::notes::{Change, NewNote};
use crate::store::people::NewPerson;
use crate::store::{People, reports};

/// What was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Made {
    pub(super) calls: usize,
    pub(super) notes: usize,
    pub(super) reviews: usize,
    pub(super) reports: usize,
}

/// Who works there besides the visitor; they have no password.
const PEOPLE: [(&str, &str, &str); 3] =
    [("demo-wang", "王质检", "qa"), ("demo-li", "李质检", "qa"), ("demo-zhao", "赵班长", "lead")];
const VISITOR: &str = "demo";

const WANTED: [(&str, &str); 8] = [
    ("service", "家里厨房水管漏水，请尽快派人维修"),
    ("service", "电梯停在三楼不动"),
    ("inquiry", "咨询物业费怎么缴纳"),
    ("inquiry", "询问装修申请需要哪些材料"),
    ("complaint", "楼上夜里噪音很大，已经反映过一次"),
    ("complaint", "垃圾没有及时清运"),
    ("suggestion", "建议在二号楼增加充电桩"),
    ("other", "询问失物招领"),
];
const NAMES: [&str; 8] = ["王先生", "李女士", "张先生", "刘女士", "陈先生", "杨女士", "赵先生", "黄女士"];

/// A call that was made up, as far as notes need it.
struct Call {
    id: CallId,
    agent: Option<AgentNo>,
    ended: Wall,
}

pub(super) struct Demo<'d> {
    pub(super) data: &'d Path,
    pub(super) zones: Zones,
    pub(super) hotline: String,
    pub(super) agents: &'d [&'d str],
    pub(super) now: Wall,
    pub(super) random: Random,
}

/// Fills an empty data directory, while nobody else uses it.
pub(super) fn fill(data: &Path, plans: &Plans, agents: &[&str], now: Wall, seed: u64) -> Result<Made> {
    let _lock = app::lock_data(data)?;
    let hotline = plans.hotlines.first().context("the demo has a hotline")?;
    let zones = Places::of(plans).zones()?;
    let hotline = hotline.id.to_string();
    let mut demo = Demo { data, zones, hotline, agents, now, random: Random::from_number(seed) };
    let mut made = Made::default();
    drop(app::ledger_writer(data)?);
    demo.people()?;
    let calls = demo.calls()?;
    made.calls = calls.len();
    made.notes = demo.notes(&calls)?;
    made.reviews = hearing::hear(&mut demo)?;
    made.reports = demo.reports()?;
    Ok(made)
}

impl Demo<'_> {
    pub(super) fn zone(&self) -> &TimeZone {
        &self.zones.otherwise
    }

    /// The months before this one and this one, as in `2026-10`.
    pub(super) fn months(&self) -> Result<[String; 2]> {
        let first = day(self.now, self.zone()).first_of_month();
        Ok([first.checked_sub(1.month())?, first].map(|date| date.strftime("%Y-%m").to_string()))
    }

    /// One in so many.
    fn one_in(&mut self, n: u32) -> bool {
        self.random.below(n) == 0
    }

    fn people(&mut self) -> Result<()> {
        let begin = self.begin()?;
        let mut people = People::open(self.data)?;
        let person = |name: &str, shown: &str, roles: &str, agent: Option<&str>| NewPerson {
            name: name.to_owned(),
            shown: shown.to_owned(),
            roles: roles.to_owned(),
            agent: agent.map(str::to_owned),
            password: None,
        };
        for (name, shown, roles) in PEOPLE {
            people.add(&person(name, shown, roles, None), VISITOR, begin)?;
        }
        for agent in self.agents.iter().skip(1) {
            let (name, shown) = (format!("demo-agent{agent}"), format!("{agent} 号接待员"));
            people.add(&person(&name, &shown, "agent", Some(agent)), VISITOR, begin)?;
        }
        Ok(())
    }

    /// The day before the first month.
    pub(super) fn begin(&self) -> Result<Wall> {
        let [first, _] = self.months()?;
        Ok(back(bounds(&self.zones, &first, self.now)?.from, Duration::from_secs(86_400)))
    }

    fn calls(&mut self) -> Result<Vec<Call>> {
        let takes = Takes::make(&mut self.random);
        let mut writer = app::ledger_writer(self.data)?;
        let begin = self.begin()?;
        let run = writer.begin_run(begin)?;
        let mut files = takes.lay_out(self.data);
        let last = day(self.now, self.zone());
        let mut date = day(begin, self.zone()).tomorrow()?;
        let mut calls = Vec::new();
        while date <= last {
            let (mut facts, mut subjects) = (Vec::new(), Vec::new());
            for at in self.moments(date)? {
                let (call, told, subject) = self.call(run, begin, at, &takes);
                if let Some(path) = told.iter().find_map(recorded) {
                    files.lay(&path, takes.of(call.id))?;
                }
                facts.extend(told);
                subjects.push(subject);
                calls.push(call);
            }
            writer.append(&facts, &subjects)?;
            date = date.tomorrow()?;
        }
        Ok(calls)
    }

    /// When people called on this day: mostly in the morning, fewer on Saturdays and Sundays.
    fn moments(&mut self, date: Date) -> Result<Vec<Wall>> {
        const HOURS: [i8; 16] = [8, 9, 9, 9, 10, 10, 10, 11, 11, 13, 14, 14, 15, 16, 17, 19];
        let is_free = matches!(date.weekday(), Weekday::Saturday | Weekday::Sunday);
        let count = if is_free { 6 } else { 16 } + self.random.below(6);
        let mut moments = Vec::new();
        for _ in 0..count {
            let hour = HOURS[self.random.below(16) as usize];
            let [minute, second] = [(); 2].map(|()| i8::try_from(self.random.below(60)).unwrap_or(0));
            let at = date.at(hour, minute, second, 0).to_zoned(self.zone().clone())?;
            let at = Wall::from_micros(at.timestamp().as_microsecond() + i64::from(self.random.below(1_000_000)));
            // Nothing that would still be going on.
            if at + Duration::from_secs(600) < self.now {
                moments.push(at);
            }
        }
        moments.sort();
        Ok(moments)
    }

    fn call(&mut self, run: RunId, begin: Wall, at: Wall, takes: &Takes) -> (Call, Vec<Fact>, Subject) {
        let id = CallId::new(at, &mut self.random);
        let caller = SubjectId::new(&mut self.random);
        // Some call again.
        let number = format!("139{:08}", 10_000_000 + self.random.below(700));
        let offered = Offered {
            hotline: self.hotline.as_str().into(),
            trunk: "demo".into(),
            called: super::NUMBER.to_owned(),
            called_received: None,
            caller,
            caller_received: None,
            sip_call_id: format!("{id}@demo"),
            dialplan: "demo".to_owned(),
            answer: rule(),
            callback: None,
            internal: false,
            calls_back: None,
            by_agent: None,
        };
        let mut told = Told { call: id, run, begin, at, facts: Vec::new() };
        told.push(0, What::Offered(Box::new(offered)));
        told.push(180, What::Ring);
        let agent =
            AgentNo::from(self.agents[self.random.below(u32::try_from(self.agents.len()).unwrap_or(1)) as usize]);
        let ended = match self.random.below(20) {
            0 => {
                told.push(30, What::AgentInvited { attempt: 1, agent: agent.clone() });
                let ms = 1_500 + u64::from(self.random.below(3_000));
                self.leave(&mut told, &agent, ms)
            }
            1 => {
                told.push(30, What::AgentInvited { attempt: 1, agent: agent.clone() });
                let ms = 9_000 + u64::from(self.random.below(20_000));
                self.leave(&mut told, &agent, ms)
            }
            _ => return self.answered(told, agent, takes, caller, number),
        };
        (Call { id, agent: None, ended }, told.facts, Subject { id: caller, number })
    }

    fn leave(&mut self, told: &mut Told, agent: &AgentNo, ms: u64) -> Wall {
        told.push(ms, What::Ended { reason: Reason::CallerCancelled, by: EndedBy::Caller });
        let (agent, result) = (agent.clone(), RingResult::CallerLeft);
        told.push(ms + 5, What::AgentReleased { attempt: 1, agent, result, status: None });
        told.wall(ms)
    }

    fn answered(
        &mut self,
        mut told: Told,
        agent: AgentNo,
        takes: &Takes,
        caller: SubjectId,
        number: String,
    ) -> (Call, Vec<Fact>, Subject) {
        let id = told.call;
        let (mut attempt, mut ms) = (1, 30);
        // Who has a high number is a little slower, and lets more phones ring.
        let slow = agent.as_str().parse::<u32>().unwrap_or(1);
        if self.one_in(14 - slow.min(8)) {
            let other = AgentNo::from(self.agents[(slow as usize) % self.agents.len()]);
            told.push(ms, What::AgentInvited { attempt, agent: other.clone() });
            let result = RingResult::NoAnswer;
            told.push(ms + 8_000, What::AgentReleased { attempt, agent: other, result, status: None });
            (attempt, ms) = (2, ms + 8_010);
        }
        told.push(ms, What::AgentInvited { attempt, agent: agent.clone() });
        ms += 1_500 + u64::from(self.random.below(4_000 + 700 * slow));
        told.push(ms, What::AgentAnswered { attempt, agent: agent.clone() });
        told.push(ms + 2, What::Connected);
        let path = crate::media::record::path::recording(told.at, id).display().to_string();
        told.push(ms + 3, What::RecordingStarted { path });
        let late = ms > 15_180;
        let prompt = format!("greeting {agent}");
        told.push(ms + 4, What::PlayStarted { play: Play::Greeting, prompt, agent: Some(agent.clone()), late });
        told.push(ms + 4_300, What::PlayEnded { play: Play::Greeting, to_end: true });
        let take = takes.of(id);
        let end = ms + 2 + take.duration_ms;
        if self.one_in(9) {
            told.push(ms + 12_000, What::HoldStarted { by: Side::Agent });
            told.push(ms + 17_000 + u64::from(self.random.below(9_000)), What::HoldEnded { by: Side::Agent });
        }
        let (reason, by) = match self.one_in(22 - 2 * slow.min(8)) {
            true => (Reason::AgentHungUp, EndedBy::Agent),
            false => (Reason::CallerHungUp, EndedBy::Caller),
        };
        told.push(end, What::Ended { reason, by });
        let (status, sha256) = (RecordingStatus::Ok, Some(take.sha256.clone()));
        let duration_ms = take.duration_ms;
        told.push(end + 40, What::RecordingClosed { status, reason: None, duration_ms, sha256, parts: Vec::new() });
        let ended = told.wall(end);
        (Call { id, agent: Some(agent), ended }, told.facts, Subject { id: caller, number })
    }

    /// Two calls of three are noted; what is old was settled, what is new is partly open.
    fn notes(&mut self, calls: &[Call]) -> Result<usize> {
        let mut people = People::open(self.data)?;
        let mut made = 0;
        for call in calls {
            let Some(agent) = call.agent.clone().filter(|_| !self.one_in(3)) else { continue };
            let (class, content) = WANTED[self.random.below(8) as usize];
            let at = call.ended + Duration::from_secs(20 + u64::from(self.random.below(200)));
            let settled = !self.one_in(4);
            let due = at + Duration::from_secs(if class == "complaint" { 24 } else { 48 } * 3_600);
            let promised = (!settled && self.one_in(2)).then_some(at + Duration::from_secs(7_200));
            let words = Words {
                name: NAMES[self.random.below(8) as usize].to_owned(),
                caller: None,
                class: class.to_owned(),
                content: content.to_owned(),
                promise: if promised.is_some() { "两小时内回电告知进展".to_owned() } else { String::new() },
                promised_us: promised.map(Wall::as_micros),
            };
            let due = promised.map_or(due, |promised| promised.min(due));
            let (day, hotline) = (day(at, self.zone()), self.hotline.clone());
            let who = if agent.as_str() == self.agents[0] { VISITOR.to_owned() } else { format!("demo-agent{agent}") };
            let new = NewNote { day, agent, hotline, call: Some(call.id), words, due, settled };
            let note = people.write_note(&new, &who, at)?;
            made += 1;
            let later = at + Duration::from_secs(3_600 + u64::from(self.random.below(36 * 3_600)));
            if settled || later >= self.now {
                continue;
            }
            if promised.is_some() {
                people.change_note(
                    note.id,
                    &Change::CallBack(None),
                    "已回电说明",
                    &who,
                    back(later, Duration::from_secs(900)),
                )?;
            }
            people.change_note(note.id, &Change::Settle, "已处理完毕", &who, later)?;
        }
        Ok(made)
    }

    /// Each day, each week and the month that is over were closed in the morning after.
    fn reports(&mut self) -> Result<usize> {
        let [month, _] = self.months()?;
        let (first, last) = (format!("{month}-01").parse::<Date>()?, day(self.now, self.zone()));
        let mut people = People::open(self.data)?;
        let mut made = 0;
        for span in [Span::Day, Span::Week, Span::Month] {
            let mut period = Period::holding(span, first)?;
            if span == Span::Week && period.first() < first {
                period = period.following()?;
            }
            // Of the days only the last ones: each is a page of figures.
            if span == Span::Day {
                period = Period::holding(span, last.checked_sub(7.days())?)?;
            }
            loop {
                let (_, over) = self.zones.span(period)?;
                let at = over + Duration::from_secs(8 * 3_600);
                if at >= self.now {
                    break;
                }
                let text = reports::whole(self.data, period, &self.zones, at)?.text()?;
                people.close_report(period, over, text, "demo-zhao", at)?;
                made += 1;
                period = period.following()?;
            }
        }
        Ok(made)
    }
}

/// The facts of one call, told by milliseconds since *offered*.
struct Told {
    call: CallId,
    run: RunId,
    /// When the run began.
    begin: Wall,
    at: Wall,
    facts: Vec<Fact>,
}

impl Told {
    fn wall(&self, ms: u64) -> Wall {
        self.at + Duration::from_millis(ms)
    }

    fn push(&mut self, ms: u64, what: What) {
        let wall = self.wall(ms);
        let since_us = (wall.as_micros() - self.begin.as_micros()).max(0).unsigned_abs();
        let at = Stamp { run: self.run, mono_ns: since_us * 1_000, wall_us: wall.as_micros() };
        let n = u32::try_from(self.facts.len()).unwrap_or(u32::MAX);
        self.facts.push(Fact { call: self.call, n, at, what });
    }
}

fn recorded(fact: &Fact) -> Option<PathBuf> {
    match &fact.what {
        What::RecordingStarted { path } => Some(PathBuf::from(path)),
        _ => None,
    }
}

pub(super) fn back(at: Wall, by: Duration) -> Wall {
    Wall::from_micros(at.as_micros() - i64::try_from(by.as_micros()).unwrap_or(0))
}

/// The country's ringing tone, three rings, as the demo's dialplan has it.
fn rule() -> AnswerRule {
    AnswerRule {
        max_rings: 3,
        period_ms: 5_000,
        burst_ms: 1_000,
        short_abandon_ms: 5_000,
        ringback: RingSource::Network,
    }
}
