//! Calls told in a few words, for tests: facts with times in milliseconds since *offered*.

use crate::call::choice::{Choice, Why};
use crate::call::fact::{
    AnswerRule, BesideEnd, ClassedBy, ClosedWhy, Fact, MessageEnd, Offered, PausedBy, RecordingStatus, RefusedTransfer,
    RingResult, RingSource, SentFor, Signal, StepKind, Supervision, SurveyBy, SurveyEnd, Unparked, What,
};
use crate::call::leg::Callee;
use crate::call::reason::{EndedBy, Reason};
use crate::call::script::{Cue, Deed, Script, Speaker};
use crate::clock::{RunId, Stamp, Wall};
use crate::dialplan::courtesies::Said;
use crate::dialplan::plan::{
    AgentGreeting, Agents, Answer, Cadence, Duty, Greeting, Hotline, Next, Plans, Prompt, Ringback, Strategy,
};
use crate::ids::{AgentNo, CallId, HotlineId, Random, Side, SubjectId, TrunkName};
use crate::media::{OneWayBy, Play};
use crate::protocol::rtp::Received;
use crate::protocol::sip::voice_quality::{self, Report};
use crate::quality::{Buffered, Heard, JitterNs, Line, Losses, Measured, Upset};

/// 2026-11-21T02:00:00Z: ten in the morning in Shanghai.
pub(crate) const MORNING: Wall = Wall::from_micros(1_795_226_400_000_000);
/// Every story begins this long after its run did.
const OFFERED_NS: u64 = 7_000_000_123;

#[derive(Debug, Clone)]
pub(crate) struct Story {
    facts: Vec<Fact>,
    offered: Stamp,
}

impl Story {
    /// A call to `property` on the trunk `carrier`, `cn` cadence, three rings, at [`MORNING`].
    pub(crate) fn new(seed: u64) -> Story {
        Story::offered(seed, MORNING, "property")
    }

    pub(crate) fn offered(seed: u64, wall: Wall, hotline: &str) -> Story {
        let mut random = Random::from_number(seed);
        let call = CallId::new(wall, &mut random);
        let at = Stamp { run: RunId(1), mono_ns: OFFERED_NS, wall_us: wall.as_micros() };
        let offered = Offered {
            hotline: HotlineId::from(hotline),
            trunk: TrunkName::from("carrier"),
            called: "4008001234".to_owned(),
            called_received: None,
            caller: SubjectId::new(&mut random),
            caller_received: None,
            sip_call_id: format!("call-{seed}@carrier"),
            dialplan: "0123456789abcdef".to_owned(),
            answer: rule(),
            callback: None,
            internal: false,
            calls_back: None,
            by_agent: None,
        };
        Story { facts: vec![Fact { call, n: 0, at, what: What::Offered(Box::new(offered)) }], offered: at }
    }

    /// Ring at 1 s, agent 8 answers at 4 s and is connected 1 ms later; a recording was started.
    pub(crate) fn talking(seed: u64) -> Story {
        Story::new(seed)
            .at(20, What::AgentInvited { attempt: 1, agent: agent("8") })
            .at(1_000, What::Ring)
            .answered(4_000)
            .at(4_001, What::RecordingStarted { path: format!("recordings/2026/11/21/02/{seed}.wav") })
    }

    pub(crate) fn at(self, ms: u64, what: What) -> Story {
        self.at_ns(ms * 1_000_000, what)
    }

    pub(crate) fn at_ns(mut self, ns: u64, what: What) -> Story {
        let at = Stamp {
            run: self.offered.run,
            mono_ns: self.offered.mono_ns + ns,
            wall_us: self.offered.wall_us + i64::try_from(ns / 1_000).unwrap(),
        };
        let n = u32::try_from(self.facts.len()).unwrap();
        self.facts.push(Fact { call: self.facts[0].call, n, at, what });
        self
    }

    /// Agent 8 answers, and the caller is connected 1 ms later.
    pub(crate) fn answered(self, ms: u64) -> Story {
        self.at(ms, What::AgentAnswered { attempt: 1, agent: agent("8") }).at(ms + 1, What::Connected)
    }

    pub(crate) fn ended(self, ms: u64, reason: Reason, by: EndedBy) -> Story {
        self.at(ms, What::Ended { reason, by })
    }

    pub(crate) fn facts(self) -> Vec<Fact> {
        self.facts
    }
}

pub(crate) fn agent(number: &str) -> AgentNo {
    AgentNo::from(number)
}

pub(crate) fn rule() -> AnswerRule {
    AnswerRule {
        max_rings: 3,
        period_ms: 5_000,
        burst_ms: 1_000,
        short_abandon_ms: 5_000,
        ringback: RingSource::Network,
    }
}

/// One hotline with the same rule, and the agents 8 and 9.
pub(crate) fn plans() -> Plans {
    let rule = rule();
    let ms = std::time::Duration::from_millis;
    let cadence = Cadence { name: "cn".to_owned(), burst: ms(rule.burst_ms), period: ms(rule.period_ms) };
    let hotline = Hotline {
        recording: crate::dialplan::plan::Recording::ALL,
        scripts: crate::dialplan::scripts::Scripts::default(),
        id: HotlineId::from("property"),
        org: "物业".to_owned(),
        numbers: vec!["4008001234".to_owned()],
        language: "zh-CN".to_owned(),
        time_zone: "Asia/Shanghai".to_owned(),
        version: "0123456789abcdef".to_owned(),
        answer: Answer {
            max_rings: rule.max_rings,
            min_rings: 0,
            cadence,
            ringback: Ringback::Network,
            short_abandon: ms(rule.short_abandon_ms),
        },
        greeting: Greeting {
            by_agent: [(agent("8"), spoken("8")), (agent("9"), spoken("9"))].into(),
            ..Greeting::default()
        },
        agents: Agents {
            numbers: vec![agent("8"), agent("9")],
            strategy: Strategy::RoundRobin,
            ring: ms(20_000),
            queue: None,
            skill: None,
            nobody: Next::BusyTone,
        },
        reception: crate::dialplan::reception::Reception::default(),
        duty: Duty::default(),
        start: Next::Agents,
        steps: Vec::new(),
        after: crate::dialplan::after::After::default(),
    };
    Plans { hotlines: vec![hotline.into()], ..Plans::default() }
}

fn spoken(number: &str) -> AgentGreeting {
    let said = |text: String| Prompt { text, files: Vec::new(), audio: Vec::new().into() };
    let text = format!("您好,物业客户服务中心{number}号接待员为您服务");
    AgentGreeting { late: said(format!("不好意思,让您久等了{text}")), normal: said(text) }
}

/// The greeting, as an agent's call has it.
pub(crate) fn greeting_started() -> What {
    What::PlayStarted {
        play: Play::Greeting,
        prompt: "您好,物业客户服务中心8号接待员为您服务".to_owned(),
        agent: Some(agent("8")),
        late: false,
    }
}

/// One fact of each kind; not a call that could happen.
pub(crate) fn every_kind() -> Vec<Fact> {
    let (attempt, agent) = (1, agent("8"));
    let line =
        Line { packets: 500, lost: 2, unheard: 3, jitter_mean_us: 900, jitter_max_us: 2_100, rtt_us: Some(42_000) };
    let received = Received { packets: 750, lost: 3, jitter_us: 1_250, foreign: 1, invalid: 2, rtt_us: None };
    let story = Story::new(1)
        .at(0, signal(Side::Caller, false, "INVITE sip:4008001234@127.0.0.1"))
        .at(1, What::AgentInvited { attempt, agent: agent.clone() })
        .at(900, What::AgentRinging { attempt, agent: agent.clone() })
        .at(901, What::Ring)
        .at(950, What::AgentReleased { attempt, agent: agent.clone(), result: RingResult::Busy, status: Some(486) })
        .at(960, What::AgentReleased { attempt, agent: agent.clone(), result: RingResult::NoAnswer, status: None })
        .at(4_000, What::AgentAnswered { attempt, agent })
        .at(4_001, What::Connected)
        .at(4_010, What::Acknowledged)
        .at(4_050, greeting_started())
        .at(8_050, What::PlayEnded { play: Play::Greeting, to_end: true })
        .at(9_000, What::HoldStarted { by: Side::Agent })
        .at(9_500, What::HoldEnded { by: Side::Agent })
        .at(4_020, What::MediaArrived { leg: Side::Agent })
        .at(4_021, What::RecordingStarted { path: "recordings/2026/11/21/02/x.wav".to_owned() })
        .ended(19_000, Reason::CallerHungUp, EndedBy::Caller)
        .at(19_001, What::Media { leg: Side::Caller, received })
        .at(19_100, recording_ok(14_999))
        .at(19_101, What::Interrupted)
        .at(19_102, What::LedgerDelayed)
        .at(19_103, What::MediaLost { leg: Side::Caller })
        .at(19_104, What::MediaResumed { leg: Side::Caller })
        .at(19_105, What::Media { leg: Side::Agent, received: Received { rtt_us: Some(42_000), ..received } })
        .at(
            19_106,
            What::Explained { leg: Side::Agent, reason: Some("Q.850;cause=16".to_owned()), retry_after_s: Some(30) },
        )
        .at(19_107, What::MediaInterval { leg: Side::Caller, line })
        .at(19_108, What::MediaMeasured { leg: Side::Caller, heard: Box::new(heard()) })
        .at(19_109, started(Callee::Agent("9".into()), false))
        .at(19_110, started(Callee::Target("duty".into()), true))
        .at(19_111, What::TransferCompleted { attempt: 2, to: Callee::Agent("9".into()) })
        .at(19_112, What::TransferFailed { attempt: 3, result: RingResult::Busy, status: Some(486) })
        .at(19_113, What::TransferRefused { by: Side::Agent, why: RefusedTransfer::NotListed })
        .at(19_114, What::AgentLeft { attempt: 1, agent: "8".into() })
        .at(19_115, What::MediaOfLeft { attempt: 1, received, heard: Some(Box::new(heard())) })
        .at(19_116, What::OneWayAudio { leg: Side::Agent, by: OneWayBy::Energy, for_ms: 4_000 })
        .at(19_117, What::OneWayAudioEnded { leg: Side::Agent, by: OneWayBy::Energy })
        .at(19_118, What::Step { step: "night".to_owned(), does: StepKind::Message, takes: true })
        .at(19_119, What::Queued { position: 3 })
        .at(19_120, What::MessageStarted)
        .at(19_121, What::MessageEnded { by: MessageEnd::Key })
        .at(19_122, What::PhoneReplaced { attempt: 1, agent: "8".into() })
        .at(19_123, What::MediaUpset { leg: Side::Agent, upset: Upset::SsrcChange { from: 7, to: 8 } })
        .at(19_124, What::MediaUpset { leg: Side::Caller, upset: Upset::TimestampJump { by_ms: -5_000 } })
        .at(19_125, What::MediaUpset { leg: Side::Caller, upset: Upset::ClockDrift { ppm: 250.5, error_ppm: 1.5 } })
        .at(19_126, What::MoreTransfersRefused { count: 7 })
        .at(19_127, What::RemoteQuality { leg: Side::Agent, report: Box::new(report()) })
        .at(19_128, What::Closed { why: ClosedWhy::Holiday, holiday: Some("国庆节".to_owned()) });
    newer_kinds(story).facts()
}

fn newer_kinds(story: Story) -> Story {
    story
        .at(19_129, What::CalendarUncovered { calendar: "cn".to_owned() })
        .at(19_130, What::Noticed { version: "0123456789abcdef".to_owned() })
        .at(19_131, What::Placed { priority: 2, waited_ms: Some(40_000) })
        .at(19_132, chosen())
        .at(19_133, What::PickedUp { attempt: 1, agent: "9".into(), from: "8".into() })
        .at(19_134, What::MuteStarted)
        .at(19_135, What::MuteEnded)
        .at(19_136, What::RecordingPaused { by: PausedBy::Digits })
        .at(19_137, What::RecordingResumed { by: PausedBy::Digits })
        .at(19_138, What::OptedOut)
        .at(19_139, What::ListeningStarted)
        .at(19_140, What::Listened { reason: Some("crash".to_owned()), listening: None })
        .at(19_141, What::Scripted { script: Script::Silent, deed: Deed::Farewell, by: Speaker::Gateway })
        .at(19_142, What::Cued { cue: Cue::TalkNearItsLength, sounded: true })
        .at(19_143, What::Parted { by: Side::Agent, caller_quiet_ms: Some(1_200), agent_quiet_ms: None })
        .at(19_144, What::SentToDesk { why: SentFor::Nuisance, agent: "8".into() })
        .at(19_145, What::SupervisionStarted { attempt: 2, by: "7".into(), mode: Supervision::Listen })
        .at(19_146, What::SupervisionChanged { attempt: 2, by: "7".into(), mode: Supervision::Barge })
        .at(19_147, What::SupervisionEnded { attempt: 2, by: "7".into(), why: BesideEnd::TalkOver })
        .at(19_148, What::SurveyStarted { questions: 4, by: SurveyBy::HangUp })
        .at(19_149, What::SurveyGraded { question: 1, grade: 2 })
        .at(19_150, What::SurveyEnded { by: SurveyEnd::NoGrade })
        .at(19_151, What::Classed { class: "技术质量".to_owned(), by: ClassedBy::Agent })
        .at(19_152, What::AddStarted { attempt: 3, by: "8".into(), to: Callee::Agent("9".into()) })
        .at(19_153, What::Added { attempt: 3, who: Callee::Agent("9".into()) })
        .at(19_154, What::AddFailed { attempt: 3, result: RingResult::Busy, status: Some(486) })
        .at(19_155, What::AddedLeft { attempt: 3, who: Callee::Agent("9".into()), why: BesideEnd::Left })
        .at(19_156, What::Parked { attempt: 3, agent: "8".into(), slot: 2 })
        .at(19_157, What::Unparked { attempt: 4, agent: Some("9".into()), how: Unparked::PickedUp })
        .at(19_158, What::HolderRung { attempt: 5, agent: "9".into() })
        .at(19_159, What::AskedToConfirm { attempt: 5, who: Callee::Target("head".into()) })
        .at(19_160, What::Confirmed { attempt: 5, who: Callee::Target("head".into()) })
        .at(19_161, What::Rested { leg: Side::Agent, for_ms: 2_600 })
        .at(19_162, What::SaidForAgent { said: Said::Closing, agent: "8".into() })
        .at(19_163, What::AgentWaits { attempt: 6, agent: "8".into() })
        .at(19_164, What::CallerInvited)
        .at(19_165, What::CallerRinging)
        .at(19_166, What::CallerAnswered { attempt: 6, agent: "8".into() })
        .at(19_167, What::CallerReleased { result: RingResult::Busy, status: Some(486) })
}

/// What a phone says at the end of a call.
pub(crate) fn report() -> Report {
    let text = "VQSessionReport: CallTerm\nRemoteAddr: IP=192.0.2.1 PORT=5002 SSRC=0x10\nLocalMetrics:\n\
        PacketLoss: NLR=1.5 JDR=0.5\nQualityEst: MOSLQ=4.1 MOSCQ=4.0\n";
    voice_quality::parse(text.as_bytes()).expect("it is one")
}

/// Agent 8 and not 9, who pauses, nor 10.
fn chosen() -> What {
    let (eligible, skipped) =
        (vec![agent("8"), agent("7")], vec![(agent("9"), Why::Paused), (agent("10"), Why::Tried)]);
    let (strategy, more_eligible, more_skipped) = ("longest_idle".to_owned(), 3, 0);
    let (compared, skill) = (Vec::new(), None);
    let choice =
        Choice { agent: agent("8"), strategy, eligible, compared, skipped, skill, more_eligible, more_skipped };
    What::Chosen { attempt: 1, choice: Box::new(choice) }
}

/// Agent 8 hands the caller on.
pub(crate) fn started(to: Callee, attended: bool) -> What {
    What::TransferStarted { attempt: 2, by: agent("8"), to, attended }
}

/// A minute of one leg with a loss of three packets.
pub(crate) fn heard() -> Heard {
    let losses = Losses { packets: 3_000, lost: 3, events: 2, longest: 2, gap_received: 2_990, ..Losses::default() };
    let measured = Measured {
        packets: 2_997,
        octets: 479_520,
        lost: 3,
        cumulative_lost: 3,
        jitter: JitterNs { last: 1_250_000, mean: 900_000, max: 2_100_000 },
        longest_wait_us: 60_000,
        packet_us: 20_000,
        losses,
        heard: losses,
        adaptive: Buffered { discarded: 0, delay_us: 30_000 },
        lasted_ms: 59_980,
        ..Measured::default()
    };
    Heard { codec: "PCMA".to_owned(), rtt_us: Some(42_000), decoded: None, sent: None, measured }
}

/// As version 1 began: without what was added to the ladder later.
pub(crate) fn signal(leg: Side, sent: bool, message: &str) -> What {
    let (message, again) = (message.to_owned(), false);
    What::Signal(Box::new(Signal { leg, sent, message, attempt: None, again, peer: None, body: None }))
}

pub(crate) fn recording_ok(duration_ms: u64) -> What {
    let (status, sha256) = (RecordingStatus::Ok, Some("5f".repeat(32)));
    What::RecordingClosed { status, reason: None, duration_ms, sha256, parts: Vec::new() }
}
