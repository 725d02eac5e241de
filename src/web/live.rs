//! What happens now, put together once a second for everybody who watches.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;

use super::desk::Desk;
use super::page::Refusal;
use crate::call::fact::Fact;
use crate::call::presence::{Kind, PhoneDoes, Shown};
use crate::cdr::ladder::masked;
use crate::cdr::{Record, Word as _};
use crate::clock::{Instant, Now as Moment, Wall};
use crate::dialplan::plan::{Answer, Plans};
use crate::ids::CallId;
use crate::limits::API_PATIENCE;
use crate::report::{Period, Span};
use crate::rules::{Cue, Pack, Watch};
use crate::store::{Since, Which};

/// Calls that a board shows.
const CALLS: usize = 200;

/// How old a board may be.
const FRESH: Duration = Duration::from_millis(900);

/// The last board; whoever comes while the next one is made waits for it.
#[derive(Debug, Default)]
pub(super) struct Board(Mutex<Option<(Wall, Arc<Now>)>>);

/// The moment as it is shown.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Now {
    pub(super) waiting: Vec<Waiting>,
    pub(super) talking: Vec<Talking>,
    pub(super) agents: Vec<Agent>,
    pub(super) trunks: Vec<(String, bool)>,
    /// Since the hotline's midnight, calls in progress among *offered*.
    pub(super) today: Since,
}

/// A caller whom no agent has answered yet.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Waiting {
    pub(super) org: String,
    pub(super) caller: String,
    pub(super) waits_ms: u64,
    /// Since *ring*, and what three rings are (or how many the dialplan permits).
    pub(super) rung_ms: u64,
    pub(super) allowed_ms: u64,
    /// The ring that the caller hears, from 1; 0: not yet.
    pub(super) ring: u64,
    pub(super) is_queued: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Talking {
    pub(super) org: String,
    pub(super) caller: String,
    pub(super) agent: Option<String>,
    pub(super) for_ms: u64,
    /// The word of a rule that is about to be broken, or just was.
    pub(super) cue: Option<&'static str>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Agent {
    pub(super) number: String,
    /// The word of the state: `talking`, `ringing`, `unreachable`, or the presence's.
    pub(super) state: &'static str,
    /// Its colour.
    pub(super) class: &'static str,
    pub(super) reason: Option<String>,
}

impl Waiting {
    /// The class of the bar: amber from the second ring on, red from the third.
    pub(super) fn class(&self) -> &'static str {
        match self.ring {
            0 | 1 => "ring ring-1",
            2 => "ring ring-2",
            _ => "ring ring-3",
        }
    }

    pub(super) fn shown_ms(&self) -> u64 {
        self.rung_ms.min(self.allowed_ms)
    }
}

impl Now {
    pub(super) fn longest_ms(&self) -> u64 {
        self.waiting.iter().map(|waiting| waiting.waits_ms).max().unwrap_or_default()
    }

    /// Somebody hears the third ring.
    pub(super) fn is_late(&self) -> bool {
        self.waiting.iter().any(|waiting| waiting.ring >= 3)
    }

    pub(super) fn ready(&self) -> usize {
        self.agents.iter().filter(|agent| agent.class == "free").count()
    }
}

/// The board of this moment.
pub(super) async fn now(desk: &Desk) -> Result<Arc<Now>, Refusal> {
    let mut last = desk.board().0.lock().await;
    let Moment { wall: at, mono } = desk.now();
    if let Some((made, board)) = last.as_ref()
        && at < *made + FRESH
    {
        return Ok(Arc::clone(board));
    }
    let agents = match desk.backend().agents() {
        Some(answer) => tokio::time::timeout(API_PATIENCE, answer).await.ok().and_then(Result::ok).unwrap_or_default(),
        None => Vec::new(),
    };
    let plans = desk.plans();
    let spans = midnights(&plans, at);
    let read = desk.read(move |reader| {
        let mut today = Since::default();
        // Hotlines in one zone are asked for together.
        for (from, hotlines) in &spans {
            let rows = reader.since(*from)?;
            let ours =
                rows.iter().filter(|(hotline, _)| hotlines.is_empty() || hotlines.contains(&hotline.to_string()));
            ours.for_each(|(_, since)| add(&mut today, since));
        }
        let records = reader.calls(Which::Live, None, CALLS)?;
        let cues = cues(&reader.live_facts()?, mono);
        Ok((records, cues, today))
    });
    let (records, cues, mut today) = read.await?;
    today.offered += records.len() as u64;
    // Of calls in progress those count that an agent has answered in time already, as in the report.
    today.in_time += records.iter().filter(|record| record.answered_within_target == Some(true)).count() as u64;
    let (waiting, talking): (Vec<&Record>, Vec<&Record>) =
        records.iter().partition(|record| record.answered_at.is_none() && record.target.is_none());
    let mut waiting: Vec<Waiting> = waiting.into_iter().map(|record| wait(record, &plans, at)).collect();
    waiting.sort_by_key(|waiting| std::cmp::Reverse(waiting.waits_ms));
    let trunks = Arc::clone(&desk.surroundings().trunks);
    let board = Arc::new(Now {
        waiting,
        talking: talking.into_iter().map(|record| talk(record, &cues, &plans, at)).collect(),
        agents: agents.iter().map(agent).collect(),
        trunks: tokio::task::spawn_blocking(move || trunks()).await.map_err(|_| Refusal::Busy)?,
        today,
    });
    *last = Some((at, Arc::clone(&board)));
    Ok(board)
}

/// When today began, and for which hotlines; all of them if they have one clock.
fn midnights(plans: &Plans, at: Wall) -> Vec<(Wall, Vec<String>)> {
    let midnight = |zone: &str| {
        let zone = jiff::tz::TimeZone::get(zone).ok()?;
        Some(Period::current(Span::Day, at, &zone).ok()?.bounds(&zone).ok()?.0)
    };
    let mut found: BTreeMap<Wall, Vec<String>> = BTreeMap::new();
    for hotline in &plans.hotlines {
        if let Some(from) = midnight(&hotline.time_zone) {
            found.entry(from).or_default().push(hotline.id.to_string());
        }
    }
    match found.len() {
        0 => midnight("UTC").map(|from| (from, Vec::new())).into_iter().collect(),
        1 => found.into_keys().map(|from| (from, Vec::new())).collect(),
        _ => found.into_iter().collect(),
    }
}

fn add(sum: &mut Since, since: &Since) {
    sum.offered += since.offered;
    sum.answered += since.answered;
    sum.in_time += since.in_time;
    sum.short_abandoned += since.short_abandoned;
    sum.abandoned += since.abandoned;
    sum.talk_ms += since.talk_ms;
}

fn since(at: Wall, from: Wall) -> u64 {
    u64::try_from((at.as_micros() - from.as_micros()) / 1_000).unwrap_or_default()
}

fn rule(record: &Record, plans: &Plans) -> (String, u64, u64) {
    let hotline = plans.hotlines.iter().find(|hotline| hotline.id == record.hotline);
    let of = |answer: &Answer| (millis(answer.cadence.period), u64::from(answer.max_rings));
    // Of a hotline that is configured no more: what the contract's default says.
    let (period, rings) = hotline.map_or((5_000, 3), |hotline| of(&hotline.answer));
    (hotline.map_or_else(|| record.hotline.to_string(), |hotline| hotline.org.clone()), period.max(1), rings.max(1))
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn wait(record: &Record, plans: &Plans, at: Wall) -> Waiting {
    let (org, period, rings) = rule(record, plans);
    let rung_ms = record.ring_at.map(|ring| since(at, ring.0));
    Waiting {
        org,
        caller: shown_number(record.caller.as_deref()),
        waits_ms: since(at, record.offered_at.0),
        rung_ms: rung_ms.unwrap_or_default(),
        allowed_ms: period * rings,
        ring: rung_ms.map_or(0, |ms| ms / period + 1),
        is_queued: record.queue.is_some(),
    }
}

/// What is about to be broken in each call, or just was.
fn cues(calls: &[Vec<Fact>], now: Instant) -> BTreeMap<CallId, Cue> {
    let pack = Pack::built_in();
    let of = |facts: &Vec<Fact>| Some((facts.first()?.call, Watch::standing_of(facts, &pack, now)?));
    calls.iter().filter_map(of).collect()
}

fn talk(record: &Record, cues: &BTreeMap<CallId, Cue>, plans: &Plans, at: Wall) -> Talking {
    Talking {
        org: rule(record, plans).0,
        caller: shown_number(record.caller.as_deref()),
        agent: record.segments.last().map(|segment| segment.agent.to_string()),
        for_ms: record.answered_at.map_or(0, |answered| since(at, answered.0)),
        cue: cues.get(&record.id).map(|cue| cue.word()),
    }
}

fn agent(shown: &Shown) -> Agent {
    let (state, class) = state_of(shown);
    Agent { number: shown.agent.to_string(), state, class, reason: shown.reason.clone() }
}

/// The word of an agent's state, and its colour.
pub(super) fn state_of(shown: &Shown) -> (&'static str, &'static str) {
    match (shown.phone, shown.presence, shown.reachable) {
        (PhoneDoes::Talking, ..) => ("talking", "busy"),
        (PhoneDoes::Ringing, ..) => ("ringing", "ringing"),
        (_, _, Some(false)) => ("unreachable", "gone"),
        (_, Kind::Ready, _) => ("ready", "free"),
        (_, Kind::LoggedOut | Kind::Away, _) if shown.misses_shift.is_some() => ("misses_shift", "gone"),
        (_, Kind::Away, _) => ("away", "gone"),
        (_, kind, _) => (kind.word(), "off"),
    }
}

fn shown_number(number: Option<&str>) -> String {
    number.map_or_else(|| "–".to_owned(), masked)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::fact::What;
    use crate::ledger::story::{self, MORNING, Story};

    fn record(story: Story) -> Record {
        Record::from_facts(&story.facts()).expect("a call")
    }

    #[test]
    fn the_bar_is_amber_at_the_second_and_red_at_the_third_ring() {
        let ringing = record(Story::new(1).at(1_000, What::Ring));
        let class = |ms: u64| wait(&ringing, &story::plans(), MORNING + Duration::from_millis(ms)).class();
        assert_eq!(class(1_000), "ring ring-1");
        assert_eq!(class(5_999), "ring ring-1");
        assert_eq!(class(6_000), "ring ring-2");
        assert_eq!(class(10_999), "ring ring-2");
        assert_eq!(class(11_000), "ring ring-3");
        let shown = wait(&ringing, &story::plans(), MORNING + Duration::from_millis(60_000));
        assert_eq!((shown.shown_ms(), shown.allowed_ms, shown.ring), (15_000, 15_000, 12));
        let silent = record(Story::new(1));
        assert_eq!(wait(&silent, &story::plans(), MORNING + Duration::from_secs(1)).ring, 0);
    }

    #[test]
    fn a_day_begins_at_the_hotlines_midnight() {
        // Ten in the morning in Shanghai is two in UTC: its day began eight hours before UTC's.
        let spans = midnights(&story::plans(), MORNING);
        assert_eq!(spans, [(Wall::from_micros(MORNING.as_micros() - 10 * 3_600_000_000), Vec::new())]);
    }
}
