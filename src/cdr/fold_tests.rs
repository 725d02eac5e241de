use proptest::prelude::*;

use super::*;
use crate::cdr::QualityStatus;
use crate::cdr::Word;
use crate::clock::{RunId, Wall};
use crate::ledger::story::{self, MORNING, Story, agent};
use crate::media::OneWayBy;
use crate::protocol::rtp::Received;
use crate::quality::{Decoded, Heard, Sent};

const GOLDEN: &str = include_str!("../../fixtures/records/answered.json");

fn record(story: Story) -> Record {
    Record::from_facts(&story.facts()).unwrap()
}

fn hung_up(story: Story, ms: u64) -> Record {
    record(story.ended(ms, Reason::CallerHungUp, EndedBy::Caller))
}

fn cancelled(story: Story, ms: u64) -> Record {
    record(story.ended(ms, Reason::CallerCancelled, EndedBy::Caller))
}

/// Each figure of the golden record was computed by hand from these times (milliseconds since *offered*).
fn golden_story() -> Story {
    let caller = Received { packets: 2_500, ..Received::default() };
    let agents = Received { packets: 2_475, lost: 25, jitter_us: 1_250, ..Received::default() };
    Story::new(1)
        .at(20, What::AgentInvited { attempt: 1, agent: agent("8") })
        .at(999, What::AgentRinging { attempt: 1, agent: agent("8") })
        .at(1_000, What::Ring)
        .at_ns(12_345_678_000, What::AgentAnswered { attempt: 1, agent: agent("8") })
        .at_ns(12_346_900_000, What::Connected)
        .at(12_347, What::RecordingStarted { path: "recordings/2026/11/21/02/golden.wav".to_owned() })
        .at(12_360, What::Acknowledged)
        .at_ns(12_398_100_000, story::greeting_started())
        .at(16_000, What::PlayEnded { play: Play::Greeting, to_end: true })
        .at(20_000, What::HoldStarted { by: Side::Agent })
        .at(24_000, What::HoldStarted { by: Side::Caller })
        .at(25_000, What::HoldEnded { by: Side::Agent })
        .at_ns(26_500_500_000, What::HoldEnded { by: Side::Caller })
        .at_ns(62_346_678_000, What::Ended { reason: Reason::AgentHungUp, by: EndedBy::Agent })
        .at(62_350, What::Media { leg: Side::Caller, received: caller })
        .at(62_351, What::Media { leg: Side::Agent, received: agents })
        .at(62_400, story::recording_ok(49_999))
}

#[test]
fn golden_record_of_an_answered_call() {
    let mut record = serde_json::to_value(record(golden_story())).unwrap();
    record["id"] = "id".into();
    let golden: serde_json::Value = serde_json::from_str(GOLDEN).unwrap();
    for (field, expected) in golden.as_object().unwrap() {
        assert_eq!(&record[field], expected, "{field}");
    }
    assert_eq!(record, golden);
}

#[test]
fn a_record_survives_json() {
    let record = record(golden_story());
    let json = serde_json::to_string(&record).unwrap();
    let back: Record = serde_json::from_str(&json).unwrap();
    assert_eq!(serde_json::to_string(&back).unwrap(), json);
}

#[test]
fn exactly_three_periods_is_the_fourth_ring() {
    let ring = |ns| hung_up(Story::new(1).at(0, What::Ring).at_ns(ns, answer()).at(15_001, What::Connected), 60_000);
    for (ns, rings, ms, in_time) in [
        (14_999_000_000, 3, 14_999, true),
        (14_999_999_999, 3, 14_999, true),
        (15_000_000_000, 4, 15_000, false),
        (4_999_999_999, 1, 4_999, true),
        (5_000_000_000, 2, 5_000, true),
    ] {
        let record = ring(ns);
        let figures = (record.rings, record.ring_to_answer_ms, record.answered_within_target);
        assert_eq!(figures, (Some(rings), Some(ms), Some(in_time)), "{ns} ns");
    }
}

#[test]
fn strict_means_before_the_end_of_the_third_burst() {
    let strict = |ns| {
        let story = Story::new(1).at(1_000, What::Ring).at_ns(ns, answer()).at(12_100, What::Connected);
        hung_up(story, 60_000).answered_within_strict
    };
    assert_eq!(strict(11_999_999_999), Some(true));
    assert_eq!(strict(12_000_000_000), Some(false));
}

#[test]
fn an_answer_before_ring_is_zero_rings() {
    let no_ring = hung_up(Story::new(1).answered(600), 10_000);
    let crossed = hung_up(Story::new(1).at(1_000, What::Ring).at(999, answer()).at(1_001, What::Connected), 10_000);
    for record in [no_ring, crossed] {
        assert_eq!((record.ring_to_answer_ms, record.rings), (Some(0), Some(0)));
        assert_eq!((record.answered_within_strict, record.outcome), (Some(true), Some(Outcome::Answered)));
    }
}

/// The contract's example: a silent phone that answers at 3 s was rung for 2,000 ms, for *ring* came at 1 s.
#[test]
fn a_silent_phone() {
    let record = hung_up(Story::new(1).at(1_000, What::Ring).answered(3_000), 10_000);
    assert_eq!((record.ring_to_answer_ms, record.wait_ms), (Some(2_000), Some(3_000)));
}

#[test]
fn short_abandon_ends_at_five_seconds() {
    let ring = || Story::new(1).at(1_000, What::Ring);
    let short = cancelled(ring(), 4_999);
    assert_eq!((short.outcome, short.wait_ms, short.rings), (Some(Outcome::ShortAbandoned), Some(4_999), Some(1)));
    let abandoned = cancelled(ring(), 5_000);
    assert_eq!((abandoned.outcome, abandoned.wait_ms), (Some(Outcome::Abandoned), Some(5_000)));
    assert_eq!((abandoned.ring_to_answer_ms, abandoned.answered_within_strict), (None, None));
    assert_eq!((abandoned.agent, abandoned.answered_at, abandoned.talk_ms), (None, None, Some(0)));
    assert_eq!(cancelled(Story::new(1), 500).rings, Some(0));
}

#[test]
fn an_answer_that_crosses_a_cancel_is_abandoned() {
    let crossed = Story::new(1).at(1_000, What::Ring).at(8_000, answer());
    let record = record(crossed.ended(8_001, Reason::CrossedCancel, EndedBy::Caller));
    assert_eq!(record.outcome, Some(Outcome::Abandoned));
    assert_eq!((record.agent, record.ring_to_answer_ms, record.wait_ms), (None, None, Some(8_001)));
    assert_eq!(record.segments, []);
}

#[test]
fn a_cancel_older_than_our_200_is_abandoned_and_a_younger_one_is_not() {
    let connected = || Story::new(1).at(1_000, What::Ring).at(8_000, answer()).at(8_002, What::Connected);
    assert_eq!(cancelled(connected(), 8_001).outcome, Some(Outcome::Abandoned));
    assert_eq!(cancelled(connected(), 8_003).outcome, Some(Outcome::Answered));
    // A caller who sent CANCEL instead of an ACK never heard the agent, whenever it came.
    let crossed = record(connected().ended(8_003, Reason::CrossedCancel, EndedBy::Caller));
    assert_eq!((crossed.outcome, crossed.agent), (Some(Outcome::Abandoned), None));
}

#[test]
fn an_answer_after_the_end_changes_nothing() {
    let ended = Story::new(1).at(1_000, What::Ring).ended(8_000, Reason::CallerCancelled, EndedBy::Caller);
    let record = record(ended.answered(8_010));
    assert_eq!((record.outcome, record.agent, record.connected_at), (Some(Outcome::Abandoned), None, None));
}

#[test]
fn a_crash_keeps_the_outcome() {
    let crash =
        |story: Story| record(story.ended(20_000, Reason::Crash, EndedBy::Gateway).at(20_000, What::Interrupted));
    let ringing = crash(Story::new(1).at(1_000, What::Ring));
    assert_eq!((ringing.outcome, ringing.interrupted), (Some(Outcome::Failed), true));
    let not_passed_on = crash(Story::new(1).at(1_000, What::Ring).at(8_000, answer()));
    assert_eq!(not_passed_on.outcome, Some(Outcome::Failed));
    let talking = crash(Story::talking(1));
    assert_eq!((talking.outcome, talking.interrupted), (Some(Outcome::Answered), true));
    assert_eq!((talking.ended_by, talking.reason), (Some(EndedBy::Gateway), Some(Reason::Crash)));
    assert_eq!(talking.duration_ms, Some(20_000));
    assert_eq!(talking.quality.caller.status, QualityStatus::Unmeasured);
}

#[test]
fn every_reason_has_its_outcome_when_nobody_answered() {
    for &reason in Reason::ALL {
        let record = record(Story::new(1).at(1_000, What::Ring).ended(9_000, reason, EndedBy::Gateway));
        let expected = match reason.class() {
            Class::Abandoned => Outcome::Abandoned,
            Class::Rejected => Outcome::Rejected,
            Class::Answered | Class::Failed | Class::AsItWas => Outcome::Failed,
        };
        assert_eq!(record.outcome, Some(expected), "{reason}");
    }
}

/// No agent answered; the target did at 7 s, and hung up at 20 s.
#[test]
fn a_call_that_a_target_took_is_an_overflow_and_no_agents() {
    let target = || crate::ids::TargetName::from("duty");
    let taken = Story::new(1)
        .at(20, What::AgentInvited { attempt: 1, agent: agent("8") })
        .at(1_000, What::Ring)
        .at(5_000, What::TargetInvited { attempt: 2, target: target() })
        .at(7_000, What::TargetAnswered { attempt: 2, target: target() });
    let connected = taken.clone().at(7_001, What::Connected);
    assert_eq!(Fold::begin(&connected.clone().facts()[0]).map(|f| f.phase()), Some(Phase::Ringing));
    let record_of_it = record(connected.ended(20_000, Reason::TargetHungUp, EndedBy::Trunk));
    assert_eq!(record_of_it.outcome, Some(Outcome::Overflow));
    let had: Vec<_> = record_of_it.target_segments.iter().map(|s| (s.target.as_str(), s.to_ms, s.talk_ms)).collect();
    assert_eq!(had, [("duty", Some(12_999), Some(13_000))], "to the end, from its answer on");
    assert_eq!(record_of_it.target, Some(target()));
    assert_eq!(
        (record_of_it.wait_ms, record_of_it.rings, record_of_it.duration_ms),
        (Some(7_000), Some(2), Some(20_000))
    );
    assert_eq!((record_of_it.agent, record_of_it.answered_at, record_of_it.ring_to_answer_ms), (None, None, None));
    assert_eq!((record_of_it.talk_ms, record_of_it.segments.len()), (Some(0), 0));
    // The caller left before the target's answer had reached him.
    let crossed = record(taken.ended(7_000, Reason::CallerCancelled, EndedBy::Caller));
    assert_eq!((crossed.outcome, crossed.wait_ms), (Some(Outcome::Abandoned), Some(7_000)));
}

#[test]
fn overlapping_holds_count_once() {
    let story = Story::new(1)
        .answered(1_000)
        .at(2_000, What::HoldStarted { by: Side::Caller })
        .at(3_000, What::HoldStarted { by: Side::Agent })
        .at(4_000, What::HoldEnded { by: Side::Caller })
        .at(5_000, What::HoldEnded { by: Side::Agent })
        .at(8_000, What::HoldStarted { by: Side::Agent });
    let record = hung_up(story, 10_000);
    assert_eq!((record.holds, record.hold_ms, record.talk_ms), (3, Some(3_000 + 2_000), Some(4_000)));
    let segment = &record.segments[0];
    assert_eq!((segment.talk_ms, segment.hold_ms, segment.to_ms), (Some(4_000), Some(5_000), Some(8_999)));
}

#[test]
fn a_live_call_has_no_outcome_and_no_durations() {
    let record = record(Story::talking(1));
    assert_eq!((record.outcome, record.ended_at, record.duration_ms, record.talk_ms), (None, None, None, None));
    assert_eq!((record.ring_to_answer_ms, record.wait_ms), (Some(3_000), Some(4_000)));
    assert_eq!(record.recording.status, RecordingStatus::Pending);
    let ringing = super::Record::from_facts(&Story::new(1).facts()).unwrap();
    assert_eq!((ringing.rings, ringing.wait_ms), (None, None));
}

#[test]
fn no_duration_across_runs() {
    let mut facts = Story::talking(1).ended(9_000, Reason::CallerHungUp, EndedBy::Caller).facts();
    facts.last_mut().unwrap().at.run = RunId(2);
    let record = Record::from_facts(&facts).unwrap();
    assert_eq!((record.duration_ms, record.talk_ms, record.outcome), (None, None, Some(Outcome::Answered)));
}

#[test]
fn a_play_that_the_end_cut() {
    let record = hung_up(Story::talking(1).at(4_100, story::greeting_started()), 5_001);
    let greeting = record.greeting.unwrap();
    assert_eq!((greeting.started_after_connect_ms, greeting.played_to_end), (Some(99), Some(false)));
    assert_eq!((record.played[0].from_ms, record.played[0].to_ms), (Some(99), Some(1_000)));
}

#[test]
fn phases_of_a_call() {
    let phase = |story: Story| {
        let facts = story.facts();
        let mut fold = Fold::begin(&facts[0]).unwrap();
        facts.iter().for_each(|fact| fold.push(fact));
        fold.phase()
    };
    let greeting = || Story::talking(1).at(4_050, story::greeting_started());
    assert_eq!(phase(Story::new(1).at(1_000, What::Ring)), Phase::Ringing);
    assert_eq!(phase(greeting()), Phase::Greeting);
    assert_eq!(phase(greeting().at(5_000, What::HoldStarted { by: Side::Agent })), Phase::Hold);
    assert_eq!(phase(Story::talking(1)), Phase::Talking);
    assert_eq!(phase(Story::talking(1).ended(9_000, Reason::Fault, EndedBy::Gateway)), Phase::Ended);
}

fn answer() -> What {
    What::AgentAnswered { attempt: 1, agent: agent("8") }
}

/// A legal call: rung or not, answered or not, held or not, ended or not; gaps between facts are random.
fn any_call() -> impl Strategy<Value = Vec<Fact>> {
    let step = prop::sample::select(vec![1u64, 1_234_567, 900_000_000, 4_999_999_999, 5_000_000_000, 31_000_000_000]);
    let steps = prop::collection::vec(step, 12);
    let choices = (any::<u64>(), steps, 0u8..4, 0u8..5, any::<bool>(), any::<bool>());
    (choices, prop::sample::select(Reason::ALL), prop::sample::select(EndedBy::ALL.to_vec())).prop_map(
        |((seed, steps, rung, answered, held, ended), reason, by)| {
            let mut kinds = Vec::new();
            kinds.extend((rung > 0).then_some(What::Ring));
            kinds.extend((answered > 1).then(answer));
            kinds.extend((answered > 2).then_some(What::Connected));
            if answered > 2 && held {
                kinds.push(What::HoldStarted { by: Side::Agent });
                kinds.push(What::HoldStarted { by: Side::Caller });
                kinds.push(What::HoldEnded { by: Side::Agent });
            }
            kinds.extend(ended.then_some(What::Ended { reason, by }));
            let mut ns = 0;
            kinds
                .into_iter()
                .zip(steps)
                .fold(Story::new(seed), |story, (what, step)| {
                    ns += step;
                    story.at_ns(ns, what)
                })
                .facts()
        },
    )
}

proptest! {
    /// At all times, that is after each fact of the whole stream: offered = the six outcomes + calls in progress.
    #[test]
    fn offered_is_outcomes_plus_in_progress(calls in prop::collection::vec(any_call(), 1..8)) {
        let mut stream: Vec<&Fact> = calls.iter().flatten().collect();
        stream.sort_by_key(|fact| (fact.at.mono_ns, fact.call, fact.n));
        let mut folds: BTreeMap<CallId, Fold> = BTreeMap::new();
        let mut offered = std::collections::BTreeSet::new();
        for fact in stream {
            if let Some(fold) = folds.get_mut(&fact.call) {
                fold.push(fact);
            } else if let Some(fold) = Fold::begin(fact) {
                offered.insert(fact.call);
                folds.insert(fact.call, fold);
            }
            let outcomes: Vec<Option<Outcome>> = folds.values().map(|fold| fold.record().outcome).collect();
            let in_progress = folds.values().filter(|fold| fold.phase() != Phase::Ended).count();
            let of = |word: &Outcome| outcomes.iter().filter(|outcome| **outcome == Some(*word)).count();
            let ended: usize = Outcome::ALL.iter().map(of).sum();
            prop_assert_eq!(offered.len(), ended + in_progress);
        }
    }

    #[test]
    fn figures_agree_with_each_other(facts in any_call()) {
        let record = Record::from_facts(&facts).unwrap();
        let answered = record.outcome == Some(Outcome::Answered);
        prop_assert_eq!(record.outcome.is_some(), record.ended_at.is_some());
        if record.outcome.is_some() {
            prop_assert_eq!(record.ring_to_answer_ms.is_some(), answered);
            prop_assert_eq!(record.agent.is_some(), answered);
            let (wait, talk, hold) = (record.wait_ms.unwrap(), record.talk_ms.unwrap(), record.hold_ms.unwrap());
            let duration = record.duration_ms.unwrap();
            prop_assert!(wait + talk + hold <= duration && duration <= wait + talk + hold + 2);
            prop_assert!(record.answered_within_strict != Some(true) || record.answered_within_target == Some(true));
        }
    }

    #[test]
    fn repeats_change_nothing(facts in any_call()) {
        let mut fold = Fold::begin(&facts[0]).unwrap();
        for fact in facts.iter().flat_map(|fact| [fact, fact, &facts[0]]) {
            fold.push(fact);
        }
        prop_assert_eq!(Some(fold.record()), Record::from_facts(&facts));
    }
}

#[test]
fn facts_that_do_not_begin_with_offered_are_no_call() {
    assert_eq!(Record::from_facts(&[]), None);
    assert_eq!(Record::from_facts(&Story::talking(1).facts()[1..]), None);
    assert_eq!(Time(MORNING).to_string(), "2026-11-21T02:00:00.000Z");
    assert_eq!("2026-11-21T10:00:00+08:00".parse::<Time>().unwrap(), Time(MORNING));
    assert_eq!("2026-11-21T02:00:00.000001Z".parse::<Time>().unwrap().0, Wall::from_micros(MORNING.as_micros() + 1));
}

/// A minute of talk; `packets` of the caller's 3,000 came.
fn measured(packets: u64) -> Record {
    let agents = story::heard();
    let mut callers = story::heard();
    callers.measured.packets = packets;
    let of = |leg, heard| What::MediaMeasured { leg, heard: Box::new(heard) };
    record(
        Story::talking(1)
            .ended(64_000, Reason::CallerHungUp, EndedBy::Caller)
            .at(64_001, of(Side::Caller, callers))
            .at(64_002, of(Side::Agent, agents)),
    )
}

#[test]
fn what_was_measured_is_rated_on_its_scale() {
    let quality = measured(2_997).quality.caller;
    assert_eq!(
        (quality.status, quality.figures.packets, quality.figures.lost),
        (QualityStatus::Rated, Some(2_997), Some(3))
    );
    // 0.1 % lost in runs of 1.5: Ie,eff = 95 * 0.1 / (0.1 / 1.4985 + 25.1).
    let ie_eff = 9.5 / (0.1 / 1.498_5 + 25.1);
    let r = quality.figures.r.unwrap();
    assert!((r - (93.206_207_723 - ie_eff)).abs() < 1e-6, "{r}");
    assert_eq!(quality.figures.scale.as_deref(), Some("nb"));
    let more = quality.figures.more.unwrap();
    assert_eq!((more.delay_ms, more.plc_assumed), (Some(21.0 + 30.0 + 20.0), Some(true)));
    assert!(more.mos_cq.unwrap() < quality.figures.mos.unwrap());
}

#[test]
fn what_decoders_made_and_what_the_peer_reports_stand_beside_it() {
    let sent =
        Sent { codec: "PCMA".to_owned(), packets: 3_000, reports: 11, expected: 2_990, lost: 299, ..Sent::default() };
    let decoded = Decoded { late: 3, concealed_us: 70_000, ..Decoded::default() };
    let heard = Heard { decoded: Some(decoded), sent: Some(Box::new(sent)), ..story::heard() };
    let what = What::MediaMeasured { leg: Side::Agent, heard: Box::new(heard) };
    let record = record(Story::talking(1).ended(64_000, Reason::CallerHungUp, EndedBy::Caller).at(64_001, what));
    let json = serde_json::to_value(&record).unwrap();
    let agent = &json["quality"]["agent"];
    assert_eq!((&agent["buffer"]["late"], &agent["buffer"]["concealed_ms"]), (&3.into(), &70.into()));
    let sent = &agent["sent"];
    assert_eq!((&sent["status"], &sent["loss_ratio"], &sent["scale"]), (&"reported".into(), &0.1.into(), &"nb".into()));
    assert!((sent["r"].as_f64().unwrap() - 66.141).abs() < 0.001, "10 % of random loss: {sent}");
    assert_eq!((&sent["delay"], &sent["voip"]), (&"assumed".into(), &serde_json::Value::Null));
    assert_eq!(serde_json::from_value::<Record>(json).unwrap(), record);
}

#[test]
fn a_voice_that_hardly_came_has_no_score() {
    let record = measured(20);
    let Quality { caller, agent } = record.quality.clone();
    assert_eq!((caller.status, caller.figures.mos, agent.status), (QualityStatus::OneWay, None, QualityStatus::Rated));
    let json = serde_json::to_value(&record).unwrap();
    assert_eq!(json["quality"]["caller"]["status"], "one_way");
    assert_eq!(json["quality"]["agent"]["jitter_mean_ms"], 0.9);
    assert_eq!(serde_json::from_value::<Record>(json).unwrap(), record);
}

#[test]
fn packets_with_nothing_in_them_have_no_score_if_there_was_little_else() {
    let status = |heard_again: u64| {
        let of = |leg| What::MediaMeasured { leg, heard: Box::new(story::heard()) };
        let story = Story::talking(1)
            .at(8_000, What::OneWayAudio { leg: Side::Caller, by: OneWayBy::Energy, for_ms: 4_000 })
            .at(heard_again, What::OneWayAudioEnded { leg: Side::Caller, by: OneWayBy::Energy })
            .ended(64_000, Reason::CallerHungUp, EndedBy::Caller);
        let quality = record(story.at(64_001, of(Side::Caller)).at(64_002, of(Side::Agent))).quality;
        assert_eq!(quality.agent.status, QualityStatus::Rated);
        (quality.caller.status, quality.caller.figures.mos.is_some())
    };
    assert_eq!(status(30_000), (QualityStatus::Rated, true));
    assert_eq!(status(63_000), (QualityStatus::OneWay, false));
    assert_eq!(status(64_500), (QualityStatus::OneWay, false));
}

#[test]
fn nobody_answered_and_nothing_is_rated() {
    let record = record(Story::new(1).at(1_000, What::Ring).ended(8_000, Reason::CallerCancelled, EndedBy::Caller));
    assert_eq!(record.quality.caller.status, QualityStatus::Unanswered);
}
