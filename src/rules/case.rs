//! One call as the rules read it: a fold of its facts that keeps which fact said what, beside the record's own fold.
//! Figures that the record has are taken from the record; nothing here computes them again.

use super::judged::{Finding, Judged, Why};
use super::measure::{About, Measure};
use super::pack::{Pack, Rule};
use super::transcript::Transcript;
use super::words::Words;
use crate::call::fact::{
    AnswerRule, ClosedWhy, Fact, RecordingStatus, RefusedTransfer, RingResult, SentFor, StepKind, What,
};
use crate::call::leg::Callee;
use crate::call::reason::{EndedBy, Reason};
use crate::call::script::{Cue, Deed, Script};
use crate::cdr::{CallKind, Fold, Record, Verdict, Word as _};
use crate::clock::Stamp;
use crate::ids::{AgentNo, Side};
use crate::media::{OneWayBy, Play};

/// Spans and rings kept of each kind. A call with more is judged `unknown`: what was left out might have excused it.
const KEPT: usize = 256;

/// A fact: its number in the call, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) n: u32,
    pub(super) at: Stamp,
}

/// From one fact to another; open if the other has not come.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    pub(super) from: Mark,
    pub(super) to: Option<Mark>,
}

#[derive(Debug, Clone)]
pub(super) struct Ring {
    pub(super) who: Callee,
    pub(super) attempt: u32,
    pub(super) invited: Mark,
    /// `None`: it answered, or the call ended first.
    pub(super) released: Option<(Mark, RingResult)>,
    pub(super) answered: Option<Mark>,
}

#[derive(Debug, Clone)]
pub(super) struct Played {
    pub(super) play: Play,
    pub(super) text: String,
    pub(super) agent: Option<AgentNo>,
    pub(super) late: bool,
    pub(super) span: Span,
    pub(super) to_end: bool,
}

#[derive(Debug, Clone)]
pub(super) struct Transfer {
    pub(super) attempt: u32,
    pub(super) by: AgentNo,
    pub(super) from: Mark,
    /// When it ended, and whether the next one has the caller.
    pub(super) to: Option<(Mark, bool)>,
}

/// What came from one person.
#[derive(Debug, Clone, Default)]
pub(super) struct Line {
    pub(super) arrived: Option<Mark>,
    pub(super) lost: Vec<Span>,
    pub(super) one_way: Vec<(OneWayBy, Span)>,
}

impl Line {
    /// The fact by which nothing came from this person when the call ended; with `silent`, digital silence is nothing
    /// too (a muted phone sends that).
    pub(super) fn broken_at_end(&self, ended: Mark, silent: bool) -> Option<Mark> {
        let open = |span: &Span| span.to.is_none_or(|to| to.at.mono_ns >= ended.at.mono_ns);
        let broken = self.breaks(silent).find(|span| open(span)).map(|span| span.from);
        broken.or_else(|| self.arrived.is_none().then_some(ended))
    }

    pub(super) fn breaks(&self, silent: bool) -> impl Iterator<Item = &Span> {
        let counts = move |by: OneWayBy| silent || by == OneWayBy::Packets;
        let one_way = self.one_way.iter().filter(move |(by, _)| counts(*by)).map(|(_, span)| span);
        self.lost.iter().chain(one_way)
    }
}

#[derive(Debug, Clone)]
pub(super) struct Recorded {
    pub(super) mark: Mark,
    pub(super) status: RecordingStatus,
    pub(super) hashed: bool,
    /// The dialplan left this call out.
    pub(super) left_out: bool,
}

#[derive(Debug, Clone)]
pub(super) struct Seen {
    pub(super) offered: Mark,
    pub(super) answer: AnswerRule,
    /// A colleague calls.
    pub(super) internal: bool,
    pub(super) ring: Option<Mark>,
    pub(super) connected: Option<Mark>,
    pub(super) rings: Vec<Ring>,
    /// The last ring of a phone that holds the caller already: no caller waits for that.
    holder: Option<u32>,
    pub(super) plays: Vec<Played>,
    /// By the agent: the caller waits.
    pub(super) holds: Vec<Span>,
    /// Somebody is being called into the talk.
    pub(super) adding: Vec<Span>,
    pub(super) transfers: Vec<Transfer>,
    pub(super) scripts: Vec<(Mark, Script, Deed)>,
    /// The agent was to say sorry for a late answer.
    pub(super) apology_due: Option<Mark>,
    pub(super) desk: Option<(Mark, SentFor)>,
    /// Agents who wanted to hand the caller on to somebody whom we do not call.
    pub(super) unlisted: Vec<Mark>,
    pub(super) caller: Line,
    pub(super) agent: Line,
    pub(super) queued: Option<Mark>,
    pub(super) menu: Option<Mark>,
    pub(super) closed: Option<(Mark, ClosedWhy)>,
    /// In the queue, and how much before others.
    pub(super) placed: Option<(Mark, u32)>,
    pub(super) ended: Option<(Mark, Reason, EndedBy)>,
    pub(super) recorded: Option<Recorded>,
    /// Somebody listened to the recording, or it is told why not.
    pub(super) listened: Option<Mark>,
    /// More than [`KEPT`] of something.
    pub(super) crowded: bool,
}

/// A call and what its rules read of it.
#[derive(Debug, Clone)]
pub struct Case {
    fold: Fold,
    /// The number of the next fact; lower ones have been seen.
    next: u32,
    seen: Seen,
    transcript: Option<Transcript>,
}

impl Case {
    /// Begins a call; `None` if `first` is not `offered`.
    pub fn begin(first: &Fact) -> Option<Case> {
        let fold = Fold::begin(first)?;
        let What::Offered(offered) = &first.what else { return None };
        let seen = Seen::new(mark(first), offered.answer.clone(), offered.internal);
        Some(Case { fold, next: first.n + 1, seen, transcript: None })
    }

    /// Of facts in any order, each with its number; `None` if the lowest is not `offered`.
    pub fn of(facts: &[Fact]) -> Option<Case> {
        let mut facts: Vec<&Fact> = facts.iter().collect();
        facts.sort_by_key(|fact| fact.n);
        let (first, rest) = facts.split_first()?;
        let mut case = Case::begin(first)?;
        rest.iter().for_each(|fact| case.push(fact));
        Some(case)
    }

    /// Takes the next fact. Facts of other calls and facts already seen change nothing.
    pub fn push(&mut self, fact: &Fact) {
        self.fold.push(fact);
        if fact.call != self.fold.call() || fact.n < self.next {
            return;
        }
        self.next = fact.n + 1;
        if self.seen.ended.is_none() {
            self.seen.push_live(fact);
        }
        self.seen.push_always(fact);
    }

    /// What was said: from now on the rules of words are decided too.
    #[must_use]
    pub fn hear(self, transcript: Option<Transcript>) -> Case {
        Case { transcript, ..self }
    }

    /// Connected → ended: the length of the time line that a transcript's times are on; `None` while it is not known.
    pub fn talk_line_ms(&self) -> Option<u64> {
        self.seen.ended?.0.at.millis_since(self.seen.connected?.at)
    }

    pub fn fold(&self) -> &Fold {
        &self.fold
    }

    /// The record, and for a sealed call the verdicts of this pack and its hash.
    pub fn record(&self, pack: &Pack) -> Record {
        let mut record = self.fold.record();
        if self.is_judged() {
            record.verdicts = self.judge(&record, pack).map(|(rule, judged)| self.verdict(rule, &judged)).collect();
            record.rule_pack = Some(pack.hash().to_owned());
        }
        record
    }

    /// What each rule that the pack decides says, with a transcript those of words too; nothing before the call is sealed.
    pub fn judged<'p>(&self, pack: &'p Pack) -> Vec<(&'p Rule, Judged)> {
        if self.is_judged() { self.judge(&self.fold.record(), pack).collect() } else { Vec::new() }
    }

    /// The rules are for callers who call: a call of another kind is judged by none.
    fn is_judged(&self) -> bool {
        self.fold.is_closed() && self.fold.kind() == CallKind::Offered
    }

    pub fn verdict(&self, rule: &Rule, judged: &Judged) -> Verdict {
        Verdict {
            rule: rule.id.clone(),
            verdict: judged.finding.word().to_owned(),
            evidence: judged.evidence(self.seen.offered.at),
        }
    }

    fn judge<'a, 'p>(&'a self, record: &'a Record, pack: &'p Pack) -> impl Iterator<Item = (&'p Rule, Judged)> + 'a
    where
        'p: 'a,
    {
        let words = self.transcript.as_ref().map(|transcript| Words::of(transcript, &self.seen));
        let by_words = pack.decided_by_words().filter(move |_| self.transcript.is_some());
        pack.decided().chain(by_words).map(move |(rule, measure)| {
            let about = About { record, seen: &self.seen, words: words.as_ref(), pack, rule };
            (rule, self.judge_one(&about, measure))
        })
    }

    /// What one rule with a measure says, whether there are words or not; `None` before the call is sealed. `record`: that of
    /// [`Case::fold`].
    pub fn judged_of(&self, record: &Record, pack: &Pack, rule: &Rule) -> Option<Judged> {
        let measure = rule.measure.filter(|_| self.is_judged())?;
        let words = self.transcript.as_ref().map(|transcript| Words::of(transcript, &self.seen));
        Some(self.judge_one(&About { record, seen: &self.seen, words: words.as_ref(), pack, rule }, measure))
    }

    fn judge_one(&self, about: &About<'_>, measure: &Measure) -> Judged {
        let mut judged = match self.excuse(about.record) {
            Some(why) => Judged::unknown(why),
            None => (measure.judge)(about),
        };
        judged.confirm = judged.finding == Finding::Fail && (judged.confirm || about.rule.is_hinted());
        judged
    }

    /// Why nothing can be said of this call.
    fn excuse(&self, record: &Record) -> Option<Why> {
        if record.interrupted {
            return Some(Why::Interrupted);
        }
        let (ended, _, _) = self.seen.ended?;
        if ended.at.run != self.seen.offered.at.run {
            return Some(Why::NoTime);
        }
        self.seen.crowded.then_some(Why::TooManyFacts)
    }
}

impl Seen {
    fn new(offered: Mark, answer: AnswerRule, internal: bool) -> Seen {
        Seen {
            offered,
            answer,
            internal,
            ring: None,
            connected: None,
            rings: Vec::new(),
            holder: None,
            plays: Vec::new(),
            holds: Vec::new(),
            adding: Vec::new(),
            transfers: Vec::new(),
            scripts: Vec::new(),
            apology_due: None,
            desk: None,
            unlisted: Vec::new(),
            caller: Line::default(),
            agent: Line::default(),
            queued: None,
            menu: None,
            closed: None,
            placed: None,
            ended: None,
            recorded: None,
            listened: None,
            crowded: false,
        }
    }

    pub(super) fn end(&self) -> Mark {
        self.ended.map_or(self.offered, |(mark, _, _)| mark)
    }

    /// Facts that mean something only until the call is over.
    fn push_live(&mut self, fact: &Fact) {
        let now = mark(fact);
        match &fact.what {
            What::Ring => drop(self.ring.get_or_insert(now)),
            What::Connected => drop(self.connected.get_or_insert(now)),
            What::HolderRung { attempt, .. } => self.holder = Some(*attempt),
            What::AgentInvited { attempt, .. } if self.holder == Some(*attempt) => {}
            What::AgentInvited { attempt, agent } => self.invited(now, *attempt, Callee::Agent(agent.clone())),
            What::TargetInvited { attempt, target } => self.invited(now, *attempt, Callee::Target(target.clone())),
            What::AgentAnswered { attempt, .. } | What::TargetAnswered { attempt, .. } => {
                if let Some(ring) = self.rung(*attempt) {
                    ring.answered = Some(now);
                }
            }
            What::PlayStarted { play, prompt, agent, late } => {
                let (text, agent, late) = (prompt.clone(), agent.clone(), *late);
                let played = Played { play: *play, text, agent, late, span: open(now), to_end: false };
                keep(&mut self.plays, played, &mut self.crowded);
            }
            What::HoldStarted { by: Side::Agent } => keep(&mut self.holds, open(now), &mut self.crowded),
            What::HoldEnded { by: Side::Agent } => close(self.holds.iter_mut(), now),
            What::AddStarted { .. } => keep(&mut self.adding, open(now), &mut self.crowded),
            What::Added { .. } | What::AddFailed { .. } => close(self.adding.iter_mut(), now),
            What::Scripted { script, deed, .. } => keep(&mut self.scripts, (now, *script, *deed), &mut self.crowded),
            What::Cued { cue: Cue::LateAnswer, .. } => drop(self.apology_due.get_or_insert(now)),
            What::SentToDesk { why, .. } => self.desk = Some((now, *why)),
            What::Queued { .. } => drop(self.queued.get_or_insert(now)),
            What::Step { does: StepKind::Menu, .. } => drop(self.menu.get_or_insert(now)),
            What::Closed { why, .. } => drop(self.closed.get_or_insert((now, *why))),
            What::Placed { priority, .. } => drop(self.placed.get_or_insert((now, *priority))),
            What::Ended { reason, by } => self.ended = Some((now, *reason, *by)),
            _ => {
                self.push_media(now, &fact.what);
                self.push_transfer(now, &fact.what);
            }
        }
    }

    fn push_media(&mut self, now: Mark, what: &What) {
        match what {
            What::MediaArrived { leg } => drop(self.line(*leg).arrived.get_or_insert(now)),
            What::MediaLost { leg } => {
                let mut crowded = self.crowded;
                keep(&mut self.line(*leg).lost, open(now), &mut crowded);
                self.crowded = crowded;
            }
            What::MediaResumed { leg } => close(self.line(*leg).lost.iter_mut(), now),
            What::OneWayAudio { leg, by, .. } => {
                let mut crowded = self.crowded;
                keep(&mut self.line(*leg).one_way, (*by, open(now)), &mut crowded);
                self.crowded = crowded;
            }
            What::OneWayAudioEnded { leg, by } => {
                let same = self.line(*leg).one_way.iter_mut().filter(|(kind, _)| kind == by);
                close(same.map(|(_, span)| span), now);
            }
            _ => {}
        }
    }

    fn push_transfer(&mut self, now: Mark, what: &What) {
        match what {
            What::TransferStarted { attempt, by, .. } => {
                let transfer = Transfer { attempt: *attempt, by: by.clone(), from: now, to: None };
                keep(&mut self.transfers, transfer, &mut self.crowded);
            }
            What::TransferCompleted { attempt, .. } => self.end_transfer(*attempt, now, true),
            What::TransferFailed { attempt, .. } => self.end_transfer(*attempt, now, false),
            What::TransferRefused { by: Side::Agent, why: RefusedTransfer::NotListed } => {
                keep(&mut self.unlisted, now, &mut self.crowded);
            }
            _ => {}
        }
    }

    /// Facts that may also follow the end.
    fn push_always(&mut self, fact: &Fact) {
        let now = mark(fact);
        match &fact.what {
            What::AgentReleased { attempt, result, .. } | What::TargetReleased { attempt, result, .. } => {
                if let Some(ring) = self.rung(*attempt) {
                    ring.released.get_or_insert((now, *result));
                }
            }
            What::PlayEnded { play, to_end } => {
                let mut open = self.plays.iter_mut().rev().filter(|played| played.play == *play);
                if let Some(played) = open.find(|played| played.span.to.is_none()) {
                    (played.span.to, played.to_end) = (Some(now), *to_end);
                }
            }
            What::RecordingClosed { status, sha256, reason, .. } => {
                let left_out = reason.as_deref() == Some("policy");
                let (status, hashed) = (*status, sha256.is_some());
                self.recorded = Some(Recorded { mark: now, status, hashed, left_out });
            }
            What::Listened { .. } => self.listened = Some(now),
            _ => {}
        }
    }

    fn invited(&mut self, invited: Mark, attempt: u32, who: Callee) {
        let ring = Ring { who, attempt, invited, released: None, answered: None };
        keep(&mut self.rings, ring, &mut self.crowded);
    }

    fn rung(&mut self, attempt: u32) -> Option<&mut Ring> {
        self.rings.iter_mut().find(|ring| ring.attempt == attempt)
    }

    fn end_transfer(&mut self, attempt: u32, now: Mark, completed: bool) {
        let mut open = self.transfers.iter_mut().filter(|transfer| transfer.to.is_none());
        if let Some(transfer) = open.find(|transfer| transfer.attempt == attempt) {
            transfer.to = Some((now, completed));
        }
    }

    fn line(&mut self, leg: Side) -> &mut Line {
        match leg {
            Side::Caller => &mut self.caller,
            Side::Agent => &mut self.agent,
        }
    }
}

fn mark(fact: &Fact) -> Mark {
    Mark { n: fact.n, at: fact.at }
}

fn open(from: Mark) -> Span {
    Span { from, to: None }
}

/// Closes the last that is open.
fn close<'s>(spans: impl DoubleEndedIterator<Item = &'s mut Span>, now: Mark) {
    if let Some(span) = spans.rev().find(|span| span.to.is_none()) {
        span.to = Some(now);
    }
}

fn keep<T>(all: &mut Vec<T>, one: T, crowded: &mut bool) {
    if all.len() < KEPT {
        all.push(one);
    } else {
        *crowded = true;
    }
}
