use std::collections::BTreeSet;

use super::*;
use crate::call::fact::{Fact, RingResult, What};
use crate::call::reason::{EndedBy, Reason};
use crate::ids::{AgentNo, HotlineId, Side, TrunkName};
use crate::ledger::story::{self, Story, agent};
use crate::media::OneWayBy;
use crate::quality::Upset;

fn sets() -> LabelSets {
    LabelSets {
        hotlines: [HotlineId::from("property")].into(),
        trunks: [TrunkName::from("carrier")].into(),
        probed: [TrunkName::from("carrier")].into(),
        registering: [TrunkName::from("carrier")].into(),
        agents: ["8", "9"].map(AgentNo::from).into(),
        thresholds_ms: vec![15_000, 11_000, 5_000, 13_500],
        ..LabelSets::default()
    }
}

fn metrics() -> Metrics {
    Metrics::new(sets()).unwrap()
}

/// The value of one series, as Prometheus would read it.
fn value(metrics: &Metrics, series: &str) -> Option<f64> {
    let text = metrics.encode().unwrap();
    let line = text.lines().find(|line| line.rsplit_once(' ').is_some_and(|(name, _)| name == series))?;
    line.rsplit_once(' ').unwrap().1.parse().ok()
}

fn feed(metrics: &Metrics, calls: &[Vec<Fact>]) {
    let mut fold = metrics.calls();
    calls.iter().flatten().for_each(|fact| fold.fact(fact));
}

#[test]
fn names_are_legal_unique_and_in_base_units() {
    let names: BTreeSet<&str> = METRICS.iter().map(|metric| metric.name).collect();
    assert_eq!(names.len(), METRICS.len());
    for (index, metric) in METRICS.iter().enumerate() {
        let name = metric.name;
        assert_eq!(metric.id as usize, index);
        assert!(name.starts_with("hotline_"), "{name}");
        assert!(name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_'), "{name}");
        assert_eq!(name.ends_with("_total"), metric.kind == Kind::Counter, "{name}");
        // An instant is a gauge, whose name Prometheus' own conventions end so.
        let span = name.ends_with("_seconds") && !name.ends_with("_timestamp_seconds");
        // These have no unit: a share, a point of a scale.
        let unitless = name.ends_with("_ratio") || name.ends_with("_mos");
        assert_eq!(span || unitless, metric.kind == Kind::Histogram, "{name}");
        assert_eq!(metric.buckets != table::Buckets::None, metric.kind == Kind::Histogram, "{name}");
        assert!(!["_ms", "_milli", "percent", "_minutes"].iter().any(|unit| name.contains(unit)), "{name}");
        assert!(metric.help.ends_with('.') && !metric.help.contains('\n'), "{name}");
        for label in metric.labels {
            assert!(!["call", "id", "caller", "number", "address", "le"].contains(&label.name), "{name}");
        }
    }
}

#[test]
fn every_label_set_starts_at_zero() {
    let metrics = metrics();
    let _fold = metrics.calls();
    let text = metrics.encode().unwrap();
    for metric in METRICS {
        assert!(text.contains(&format!("# TYPE {} {}", metric.name, metric.kind.as_str())), "{}", metric.name);
    }
    for series in [
        r#"hotline_calls_offered_total{hotline="property",trunk="carrier"}"#,
        r#"hotline_calls_total{hotline="property",outcome="short_abandoned"}"#,
        r#"hotline_calls_total{hotline="property",outcome="overflow"}"#,
        r#"hotline_calls_answered_within_target_total{hotline="property"}"#,
        r#"hotline_ring_to_answer_seconds_count{hotline="property"}"#,
        r#"hotline_call_hangups_total{by="gateway",hotline="property"}"#,
        r#"hotline_agent_calls_total{agent="8",outcome="lost_race"}"#,
        r#"hotline_recordings_total{status="partial"}"#,
        r#"hotline_sip_rejected_total{reason="stranger"}"#,
        r#"hotline_sip_responses_total{code="486",direction="in",method="INVITE"}"#,
        r#"hotline_rtp_lost_total{direction="in",leg="agent"}"#,
        "hotline_ledger_facts_total",
    ] {
        assert_eq!(value(&metrics, series), Some(0.0), "{series}");
    }
    assert_eq!(value(&metrics, r#"hotline_agents{state="available"}"#), Some(2.0));
    let build = format!("hotline_build_info{{version=\"{}\"}}", env!("CARGO_PKG_VERSION"));
    assert_eq!(value(&metrics, &build), Some(1.0));
    assert!(text.contains("process_cpu_seconds_total"), "{text}");
}

#[test]
fn buckets_contain_every_threshold_exactly() {
    let text = metrics().encode().unwrap();
    for bound in ["15", "11", "5", "13.5"] {
        for name in ["hotline_ring_to_answer_seconds", "hotline_time_to_abandon_seconds"] {
            let bucket = format!("{name}_bucket{{hotline=\"property\",le=\"{bound}\"}}");
            assert!(text.contains(&bucket), "{bucket}");
        }
    }
}

#[test]
fn offered_is_the_sum_of_outcomes_and_calls_in_progress() {
    let metrics = metrics();
    let caller_left = Story::new(2).at(1_000, What::Ring).ended(6_000, Reason::CallerCancelled, EndedBy::Caller);
    let answered = Story::talking(1)
        .at(5_000, What::HoldStarted { by: Side::Agent })
        .at(36_000, What::HoldEnded { by: Side::Agent })
        .ended(60_000, Reason::AgentHungUp, EndedBy::Agent)
        .at(60_010, story::recording_ok(55_999));
    feed(&metrics, &[answered.facts(), caller_left.facts(), Story::talking(3).facts()]);
    for (series, expected) in [
        (r#"hotline_calls_offered_total{hotline="property",trunk="carrier"}"#, 3.0),
        (r#"hotline_calls_total{hotline="property",outcome="answered"}"#, 1.0),
        (r#"hotline_calls_total{hotline="property",outcome="abandoned"}"#, 1.0),
        (r#"hotline_calls_active{hotline="property",state="talking"}"#, 1.0),
        (r#"hotline_calls_active{hotline="property",state="ringing"}"#, 0.0),
        (r#"hotline_calls_active{hotline="property",state="hold"}"#, 0.0),
        (r#"hotline_calls_answered_within_target_total{hotline="property"}"#, 1.0),
        (r#"hotline_ring_to_answer_seconds_sum{hotline="property"}"#, 3.0),
        (r#"hotline_time_to_abandon_seconds_sum{hotline="property"}"#, 6.0),
        (r#"hotline_call_duration_seconds_sum{hotline="property"}"#, 60.0),
        (r#"hotline_hold_duration_seconds_sum{hotline="property"}"#, 31.0),
        (r#"hotline_call_hangups_total{by="agent",hotline="property"}"#, 1.0),
        (r#"hotline_recordings_total{status="ok"}"#, 1.0),
        (r#"hotline_agent_calls_total{agent="8",outcome="answered"}"#, 1.0),
        (r#"hotline_agents{state="busy"}"#, 1.0),
        (r#"hotline_agents{state="available"}"#, 1.0),
    ] {
        assert_eq!(value(&metrics, series), Some(expected), "{series}");
    }
}

#[test]
fn a_ringing_agent_is_neither_available_nor_busy() {
    let metrics = metrics();
    let mut fold = metrics.calls();
    let (attempt, agent) = (1, agent("9"));
    let released = What::AgentReleased { attempt, agent: agent.clone(), result: RingResult::NoAnswer, status: None };
    let facts = Story::new(1).at(10, What::AgentInvited { attempt, agent }).at(20_000, released).facts();
    facts[..2].iter().for_each(|fact| fold.fact(fact));
    assert_eq!(value(&metrics, r#"hotline_agents{state="ringing"}"#), Some(1.0));
    assert_eq!(value(&metrics, r#"hotline_agents{state="available"}"#), Some(1.0));
    fold.fact(&facts[2]);
    assert_eq!(value(&metrics, r#"hotline_agents{state="ringing"}"#), Some(0.0));
    assert_eq!(value(&metrics, r#"hotline_agent_calls_total{agent="9",outcome="no_answer"}"#), Some(1.0));
}

#[test]
fn whose_caller_leaves_is_not_ringing_for_ever() {
    let metrics = metrics();
    let mut fold = metrics.calls();
    let (attempt, agent) = (1, agent("9"));
    let ended = What::Ended { reason: Reason::CallerCancelled, by: EndedBy::Caller };
    let released = What::AgentReleased { attempt, agent: agent.clone(), result: RingResult::CallerLeft, status: None };
    let story = Story::new(1).at(10, What::AgentInvited { attempt, agent }).at(900, ended).at(901, released);
    for (fact, ringing) in story.facts().iter().zip([0.0, 1.0, 0.0, 0.0]) {
        fold.fact(fact);
        assert_eq!(value(&metrics, r#"hotline_agents{state="ringing"}"#), Some(ringing), "{fact:?}");
        assert_eq!(value(&metrics, r#"hotline_agents{state="available"}"#), Some(2.0 - ringing), "{fact:?}");
    }
}

#[test]
fn interrupted_calls_are_in_no_other_metric() {
    let metrics = metrics();
    metrics.calls().interrupted(&HotlineId::from("property"));
    assert_eq!(value(&metrics, r#"hotline_calls_interrupted_total{hotline="property"}"#), Some(1.0));
    assert_eq!(value(&metrics, r#"hotline_calls_total{hotline="property",outcome="failed"}"#), Some(0.0));
}

#[test]
fn unknown_agents_and_codes_are_other() {
    let metrics = metrics();
    let counters = metrics.counters();
    counters.sip_response(Method::Update, 418, Direction::In);
    let other = r#"hotline_sip_responses_total{code="other",direction="in",method="other"}"#;
    assert_eq!(value(&metrics, other), Some(1.0));
    let (attempt, agent) = (1, agent("777"));
    let released = What::AgentReleased { attempt, agent, result: RingResult::Busy, status: Some(486) };
    feed(&metrics, &[Story::new(1).at(10, released).facts()]);
    assert_eq!(value(&metrics, r#"hotline_agent_calls_total{agent="other",outcome="busy"}"#), Some(1.0));
}

#[test]
fn each_direct_counter_counts() {
    let metrics = metrics();
    let counters = metrics.counters();
    counters.sip_request(Method::Invite, Direction::In);
    counters.sip_retransmission(Direction::Out);
    counters.sip_parse_error();
    counters.sip_rejected(SipRejection::UnknownNumber, 1);
    counters.recording_bytes(640);
    counters.recording_blocks_dropped(1);
    counters.ledger_committed(40, std::time::Duration::from_millis(3));
    counters.ledger_commit_failed();
    counters.ledger_refused(1);
    counters.ledger_backlog(12);
    for (series, expected) in [
        (r#"hotline_sip_requests_total{direction="in",method="INVITE"}"#, 1.0),
        (r#"hotline_sip_retransmissions_total{direction="out"}"#, 1.0),
        ("hotline_sip_parse_errors_total", 1.0),
        (r#"hotline_sip_rejected_total{reason="unknown_number"}"#, 1.0),
        ("hotline_recording_bytes_total", 640.0),
        ("hotline_recording_blocks_dropped_total", 1.0),
        ("hotline_ledger_facts_total", 40.0),
        ("hotline_ledger_commit_seconds_count", 1.0),
        ("hotline_ledger_commit_failures_total", 1.0),
        ("hotline_ledger_facts_refused_total", 1.0),
        ("hotline_ledger_backlog_facts", 12.0),
    ] {
        assert_eq!(value(&metrics, series), Some(expected), "{series}");
    }
}

#[test]
fn an_answer_that_crosses_the_cancel_counts_as_caller_left() {
    let metrics = metrics();
    let answered = What::AgentAnswered { attempt: 1, agent: agent("8") };
    let crossed = Story::new(1).at(6_000, answered).ended(6_001, Reason::CallerCancelled, EndedBy::Caller);
    feed(&metrics, &[crossed.facts()]);
    assert_eq!(value(&metrics, r#"hotline_agent_calls_total{agent="8",outcome="caller_left"}"#), Some(1.0));
    assert_eq!(value(&metrics, r#"hotline_agent_calls_total{agent="8",outcome="answered"}"#), Some(0.0));
}

#[test]
fn label_sets_and_thresholds_come_from_the_plans() {
    let sets = LabelSets::from_plans(&story::plans(), [TrunkName::from("carrier")], [AgentNo::from("7")]);
    assert_eq!(sets.agents, ["7", "8", "9"].map(AgentNo::from).into());
    assert_eq!(sets.hotlines, [HotlineId::from("property")].into());
    // Three rings of cn, the end of the third burst, the bound of a short abandon.
    assert_eq!(sets.thresholds_ms, [15_000, 11_000, 5_000]);
}

#[test]
fn calls_are_rated_once_both_legs_are_measured() {
    let metrics = metrics();
    let of = |leg, heard| What::MediaMeasured { leg, heard: Box::new(heard) };
    let mut hardly = story::heard();
    hardly.measured.packets = 20;
    let one_way = What::OneWayAudio { leg: Side::Caller, by: OneWayBy::Packets, for_ms: 4_000 };
    let call = Story::talking(1)
        .at(8_000, one_way)
        .at(9_000, What::MediaUpset { leg: Side::Agent, upset: Upset::SsrcChange { from: 1, to: 2 } })
        .ended(64_000, Reason::CallerHungUp, EndedBy::Caller)
        .at(64_001, of(Side::Caller, hardly))
        .at(64_002, of(Side::Agent, story::heard()));
    feed(&metrics, &[call.facts()]);
    for (series, expected) in [
        (r#"hotline_call_mos_count{leg="agent"}"#, 1.0),
        (r#"hotline_call_mos_bucket{leg="agent",le="4.3"}"#, 0.0),
        (r#"hotline_call_mos_count{leg="caller"}"#, 0.0),
        (r#"hotline_one_way_audio_calls_total{leg="caller"}"#, 1.0),
        (r#"hotline_one_way_audio_calls_total{leg="agent"}"#, 0.0),
        (r#"hotline_one_way_audio_total{leg="caller"}"#, 1.0),
        (r#"hotline_one_way_audio_total{leg="agent"}"#, 0.0),
        (r#"hotline_media_upsets_total{leg="agent",what="ssrc_change"}"#, 1.0),
        (r#"hotline_media_upsets_total{leg="caller",what="clock_drift"}"#, 0.0),
        (r#"hotline_rtp_bytes_total{direction="in",leg="agent"}"#, 479_520.0),
        (r#"hotline_rtp_loss_ratio_bucket{leg="agent",le="0.001"}"#, 1.0),
        (r#"hotline_rtp_jitter_seconds_sum{leg="agent"}"#, 0.0009),
    ] {
        assert_eq!(value(&metrics, series), Some(expected), "{series}");
    }
}

#[test]
fn each_sealed_call_counts_one_verdict_of_each_decided_rule() {
    let metrics = metrics();
    let pack = crate::rules::Pack::built_in();
    let count = |rule: &str, verdict: &str| {
        let series = format!("hotline_rule_checks_total{{rule=\"{rule}\",verdict=\"{verdict}\"}}");
        value(&metrics, &series)
    };
    for rule in pack.distinct() {
        assert!(["pass", "fail", "na", "unknown"].iter().all(|verdict| count(&rule.id, verdict) == Some(0.0)));
    }
    assert_eq!(count("R-152", "pass"), None, "only rules that the pack decides");
    assert_eq!(count("R-002", "pass"), None, "it asks what R-001 asks");
    let talk = Story::talking(1).ended(200_000, Reason::CallerHungUp, EndedBy::Caller);
    let mut fold = metrics.calls();
    talk.clone().facts().iter().for_each(|fact| fold.fact(fact));
    assert_eq!(count("R-001", "pass"), Some(0.0), "the recording is still open");
    let sealed = talk.at(200_100, story::recording_ok(195_000)).facts();
    fold.fact(sealed.last().unwrap());
    fold.fact(sealed.last().unwrap());
    assert_eq!((count("R-001", "pass"), count("R-200", "fail")), (Some(1.0), Some(1.0)));
    let abandoned = Story::new(2).at(1_000, What::Ring).ended(3_000, Reason::CallerCancelled, EndedBy::Caller);
    abandoned.facts().iter().for_each(|fact| fold.fact(fact));
    let sum =
        |rule: &str| ["pass", "fail", "na", "unknown"].iter().filter_map(|verdict| count(rule, verdict)).sum::<f64>();
    for rule in pack.distinct() {
        assert_eq!(sum(&rule.id), 2.0, "{}", rule.id);
    }
}
