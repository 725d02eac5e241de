//! OpenMetrics and its exemplars, the number of series, and what agents' time adds up to.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::call::fact::{Fact, RingResult, What};
use crate::call::reason::{EndedBy, Reason};
use crate::ids::{AgentNo, CallId, HotlineId, Random, Side, TrunkName};
use crate::ledger::story::{Story, agent};

fn sets(hotlines: u32, agents: u32) -> LabelSets {
    let agents: BTreeSet<AgentNo> = (1..=agents).map(|n| AgentNo::from(n.to_string().as_str())).collect();
    let hotlines: BTreeSet<HotlineId> = (0..hotlines)
        .map(|n| HotlineId::from(if n == 0 { "property".to_owned() } else { format!("hotline-{n}") }.as_str()))
        .collect();
    LabelSets {
        staff: hotlines.iter().map(|hotline| (hotline.clone(), agents.clone())).collect(),
        hotlines,
        trunks: [TrunkName::from("carrier")].into(),
        probed: [TrunkName::from("carrier")].into(),
        registering: [TrunkName::from("carrier")].into(),
        agents,
        thresholds_ms: vec![15_000, 11_000, 5_000],
        ..LabelSets::default()
    }
}

fn series(text: &str) -> BTreeSet<&str> {
    text.lines().filter(|line| !line.starts_with('#')).filter_map(|line| Some(line.split_once("} ")?.0)).collect()
}

/// All that a scrape holds.
fn samples(metrics: &Metrics) -> usize {
    metrics.encode().unwrap().lines().filter(|line| !line.starts_with('#')).count()
}

/// One call that rang at 2 s, was answered at 5 s, held from 10 s to 25 s, and ended after a minute.
fn held(seed: u64) -> Story {
    Story::talking(seed)
        .at(10_000, What::HoldStarted { by: Side::Agent })
        .at(25_000, What::HoldEnded { by: Side::Agent })
        .ended(60_000, Reason::CallerHungUp, EndedBy::Caller)
}

fn of_call(facts: &[Fact]) -> CallId {
    facts[0].call
}

#[test]
fn a_hotline_of_two_hundred_agents_stays_below_five_thousand_series() {
    let metrics = Metrics::new(sets(20, 200)).unwrap();
    let _fold = metrics.calls();
    let count = samples(&metrics);
    assert!((3_000..5_000).contains(&count), "{count} series");
}

#[test]
fn ten_thousand_strangers_numbers_and_agents_make_no_series() {
    let metrics = Metrics::new(sets(2, 20)).unwrap();
    let (mut fold, counters) = (metrics.calls(), metrics.counters());
    let before = samples(&metrics);
    let mut random = Random::from_number(9);
    for n in 0..10_000_u32 {
        let method = [Method::Invite, Method::Register, Method::Update, Method::Other][random.below(4) as usize];
        counters.sip_response(method, u16::try_from(100 + random.below(600)).unwrap(), Direction::In);
        counters.sip_request(method, Direction::In);
        counters.sip_rejected(SipRejection::Stranger, 1);
        let agent = AgentNo::from(random.below(1_000_000).to_string().as_str());
        let released = What::AgentReleased { attempt: 1, agent: agent.clone(), result: RingResult::Busy, status: None };
        let invited = What::AgentInvited { attempt: 1, agent };
        let story = Story::new(u64::from(n)).at(10, invited).at(20, released);
        let left = story.ended(2_000, Reason::CallerCancelled, EndedBy::Caller).facts();
        left.iter().for_each(|fact| fold.fact(fact));
    }
    assert_eq!(samples(&metrics), before);
    let open = metrics.encode_open();
    assert_eq!(open.lines().filter(|line| !line.starts_with('#')).count(), before);
    assert!(open.matches("call_id=").count() < before, "an exemplar for each bucket at most");
    assert!(open.contains("hotline_agent_calls_total{agent=\"other\",outcome=\"busy\"}"));
}

#[test]
fn the_time_of_agents_adds_up() {
    let metrics = Metrics::new(sets(1, 9)).unwrap();
    let mut fold = metrics.calls();
    let (attempt, eight) = (7, agent("8"));
    let ring = Story::new(2)
        .at(100, What::AgentInvited { attempt, agent: eight.clone() })
        .at(4_350, What::AgentReleased { attempt, agent: eight, result: RingResult::CallerLeft, status: None })
        .ended(4_350, Reason::CallerCancelled, EndedBy::Caller);
    let facts = held(1).facts();
    let answered = facts.iter().position(|fact| matches!(fact.what, What::AgentAnswered { .. })).unwrap();
    let talk = (60_000 - facts[answered].at.mono_ns / 1_000_000 + facts[0].at.mono_ns / 1_000_000 - 15_000) as f64;
    facts.iter().chain(&ring.facts()).for_each(|fact| fold.fact(fact));
    let text = metrics.encode().unwrap();
    let value = |name: &str| {
        let line = text.lines().find(|line| line.starts_with(&format!("{name}{{agent=\"8\"}} "))).unwrap();
        line.rsplit_once(' ').unwrap().1.parse::<f64>().unwrap()
    };
    assert_eq!(value("hotline_agent_talk_seconds_total"), talk / 1_000.0);
    assert_eq!(value("hotline_agent_hold_seconds_total"), 15.0);
    assert!(value("hotline_agent_ring_seconds_total") >= 4.25);
    assert!(text.contains("hotline_agents_on_duty{hotline=\"property\"} 9\n"), "{text}");
}

#[test]
fn a_dot_in_a_panel_leads_to_its_call() {
    let metrics = Metrics::new(sets(1, 9)).unwrap();
    let facts = held(1).facts();
    let mut fold = metrics.calls();
    facts.iter().for_each(|fact| fold.fact(fact));
    let text = metrics.encode_open();
    let ended_us = facts.iter().find(|fact| matches!(fact.what, What::Ended { .. })).unwrap().at.wall_us;
    let exemplar = format!(
        "hotline_hold_duration_seconds_bucket{{hotline=\"property\",le=\"15.0\"}} 1 # {{call_id=\"{}\"}} 15 {}.{:03}\n",
        of_call(&facts),
        ended_us / 1_000_000,
        ended_us % 1_000_000 / 1_000
    );
    assert!(text.contains(&exemplar), "{exemplar}{text}");
    let later = held(3).facts();
    later.iter().for_each(|fact| fold.fact(fact));
    let text = metrics.encode_open();
    assert!(text.contains(&of_call(&later).to_string()) && !text.contains(&of_call(&facts).to_string()), "{text}");
    assert!(!metrics.encode().unwrap().contains("call_id"), "the classic format has none");
}

/// `name{a="b",c="d"}` in parts.
fn parts(sample: &str) -> (&str, Vec<(&str, &str)>) {
    let Some((name, labels)) = sample.split_once('{') else { return (sample, Vec::new()) };
    let pairs = labels.strip_suffix('}').unwrap().split("\",").map(|pair| pair.split_once("=\"").unwrap());
    (name, pairs.map(|(name, value)| (name, value.trim_end_matches('"'))).collect())
}

#[test]
fn openmetrics_keeps_to_its_grammar() {
    let metrics = Metrics::new(sets(2, 3)).unwrap();
    let mut fold = metrics.calls();
    held(1).facts().iter().for_each(|fact| fold.fact(fact));
    let text = metrics.encode_open();
    assert!(text.ends_with("\n# EOF\n") && text.matches("# EOF").count() == 1);
    let mut kinds: BTreeMap<&str, &str> = BTreeMap::new();
    let (mut family, mut seen, mut exemplars) = ("", BTreeSet::new(), 0);
    for line in text.lines().take_while(|line| *line != "# EOF") {
        if let Some(help) = line.strip_prefix("# HELP ") {
            family = help.split_once(' ').unwrap().0;
            continue;
        }
        if let Some(kind) = line.strip_prefix("# TYPE ") {
            let (name, kind) = kind.split_once(' ').unwrap();
            assert_eq!(name, family, "one family after the other");
            assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
            assert!(kinds.insert(name, kind).is_none(), "{name} twice");
            continue;
        }
        let (sample, exemplar) = line.split_once(" # ").map_or((line, None), |(sample, rest)| (sample, Some(rest)));
        let (series, value) = sample.rsplit_once(' ').unwrap();
        assert!(value.parse::<f64>().is_ok_and(f64::is_finite), "{line}");
        assert!(seen.insert(series), "{series} twice");
        let (name, labels) = parts(series);
        let suffixes: &[&str] = match kinds[family] {
            "counter" => &["_total"],
            "histogram" => &["_bucket", "_sum", "_count"],
            _ => &[""],
        };
        assert!(suffixes.iter().any(|suffix| name == format!("{family}{suffix}")), "{line} in {family}");
        for (label, value) in labels.iter().filter(|(label, _)| *label == "le") {
            assert!(*value == "+Inf" || value.contains('.'), "{label}={value}");
        }
        if let Some(exemplar) = exemplar {
            exemplars += 1;
            assert!(name.ends_with("_bucket"), "{line}");
            let (id, rest) = exemplar.strip_prefix("{call_id=\"").unwrap().split_once("\"} ").unwrap();
            assert_eq!(id.len(), 36);
            let (value, at) = rest.split_once(' ').unwrap();
            assert!(value.parse::<f64>().is_ok() && at.parse::<f64>().is_ok(), "{line}");
        }
    }
    assert!(exemplars >= 3, "{exemplars}");
    // No sample of one family may look like one of another.
    for (name, kind) in &kinds {
        let suffixes: &[&str] =
            if *kind == "counter" { &["_total"] } else { &["_bucket", "_sum", "_count", "_created"] };
        assert!(suffixes.iter().all(|suffix| !kinds.contains_key(format!("{name}{suffix}").as_str())), "{name}");
    }
    let classic = metrics.encode().unwrap();
    assert_eq!(series(&classic).len(), series(&text).len(), "both formats show the same");
}

#[test]
fn every_time_of_a_person_has_the_bounds_that_are_spoken_of() {
    for row in catalogue::rows().iter().filter(|row| row.kind == "histogram" && row.labels == ["hotline"]) {
        if row.name != "hotline_greeting_delay_seconds" {
            for bound in [5.0, 10.0, 15.0, 20.0, 30.0, 60.0, 120.0, 180.0, 300.0] {
                assert!(row.buckets.contains(&bound), "{} lacks {bound}", row.name);
            }
        }
    }
}
