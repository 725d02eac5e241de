use std::time::Duration;

use jiff::civil::date;

use super::*;
use crate::call::fact::What;
use crate::call::reason::{EndedBy, Reason};
use crate::ledger::story::{self, MORNING, Story};

fn zones() -> Zones {
    let shanghai = TimeZone::get("Asia/Shanghai").unwrap();
    Zones { by_hotline: [(HotlineId::from("property"), shanghai)].into(), otherwise: TimeZone::UTC }
}

fn day() -> Period {
    Period::holding(Span::Day, date(2026, 11, 21)).unwrap()
}

fn answered(seed: u64, ring_to_answer_ms: u64) -> Record {
    let story = Story::new(seed).at(1_000, What::Ring).answered(1_000 + ring_to_answer_ms);
    Record::from_facts(&story.ended(100_000, Reason::CallerHungUp, EndedBy::Caller).facts()).unwrap()
}

fn left(seed: u64, ms: u64) -> Record {
    let story = Story::new(seed).at(1_000, What::Ring);
    Record::from_facts(&story.ended(ms, Reason::CallerCancelled, EndedBy::Caller).facts()).unwrap()
}

fn written(report: &Report, format: Format) -> String {
    let mut out = Vec::new();
    report.write(format, Per::Hotline, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn material(records: Vec<Record>) -> Material {
    Material { records, ..Material::default() }
}

/// Ten calls: answered after 2, 4, 6, 8, 10, 14 and 20 s, left after 4 and 30 s, one still ringing.
fn ten_calls() -> Vec<Record> {
    let answers = [2, 4, 6, 8, 10, 14, 20].into_iter().map(|s| answered(s, s * 1_000));
    let ringing = Record::from_facts(&Story::new(99).facts()).unwrap();
    answers.chain([left(50, 4_000), left(51, 30_000), ringing]).collect()
}

#[test]
fn figures_of_ten_calls() {
    let report = Report::new(day(), &zones(), &material(ten_calls())).unwrap();
    let total = &report.total;
    assert_eq!(total, &report.hotlines[&HotlineId::from("property")]);
    assert_eq!((total.offered, total.in_progress), (10, 1));
    assert_eq!(total.offered, total.outcomes.values().sum::<u64>() + total.in_progress);
    // 20 s is the fifth ring; 14 s is past the third burst's end.
    assert_eq!(total.service_level, Share { count: 6, n: 10, ratio: Some(0.6) });
    assert_eq!(total.service_level_without_short_abandoned, Share { count: 6, n: 9, ratio: Some(6.0 / 9.0) });
    assert_eq!(total.service_level_strict.count, 5);
    assert_eq!((total.abandon_rate.count, total.abandon_rate.n), (2, 10));
    // 64 / 7 = 9.142857…; median rank ceil(3.5) = 4; p90 rank ceil(6.3) = 7.
    let wait = Summary { n: 7, mean: Some(9_143), median: Some(8_000), p90: Some(20_000) };
    assert_eq!(total.ring_to_answer_ms, wait);
    assert_eq!(total.time_to_abandon_ms, Summary { n: 2, mean: Some(17_000), median: Some(4_000), p90: Some(30_000) });
    // 100 s − 1 s − the answer: mean (99 × 7 − 64) / 7 = 89.857…
    assert_eq!((total.talk_ms.mean, total.hold_ms.mean, total.talk_ms.n), (Some(89_857), Some(0), 7));
}

#[test]
fn percentiles_are_by_nearest_rank() {
    let summary = Summary::of((1..=10).rev());
    assert_eq!((summary.median, summary.p90), (Some(5), Some(9)));
    assert_eq!(Summary::of([7]), Summary { n: 1, mean: Some(7), median: Some(7), p90: Some(7) });
    assert_eq!(Summary::of([]), Summary { n: 0, mean: None, median: None, p90: None });
}

#[test]
fn an_empty_day_has_no_calls_and_nulls() {
    let report = Report::new(day(), &zones(), &Material::default()).unwrap();
    let json: serde_json::Value = serde_json::from_str(&written(&report, Format::Json)).unwrap();
    assert_eq!(json["total"]["service_level"]["ratio"], serde_json::Value::Null);
    assert_eq!(json["hotlines"]["property"]["ring_to_answer_ms"]["mean"], serde_json::Value::Null);
    assert_eq!(json["period"], "2026-11-21");
    for format in [Format::Text, Format::Html] {
        assert_eq!(written(&report, format).matches("no calls").count(), 2, "{format:?}");
    }
    assert!(written(&report, Format::Csv).contains("2026-11-21,total,\"ring to answer, mean\",,0\r\n"));
}

#[test]
fn each_format_shows_value_and_n() {
    let report = Report::new(day(), &zones(), &material(ten_calls())).unwrap();
    let text = written(&report, Format::Text);
    assert!(text.contains("service level: answered within max_rings / offered               60.0 %  n = 10"), "{text}");
    assert!(text.contains("Percentiles by nearest rank"), "{text}");
    let csv = written(&report, Format::Csv);
    assert!(csv.contains("2026-11-21,property,\"ring to answer, p90\",20.000,7\r\n"), "{csv}");
    let html = written(&report, Format::Html);
    assert!(html.contains("<tr><th scope=\"row\">ring to answer, median<td>8.000<td>7"), "{html}");
    let json: serde_json::Value = serde_json::from_str(&written(&report, Format::Json)).unwrap();
    assert_eq!(json["hotlines"]["property"]["outcomes"]["short_abandoned"], 1);
    assert_eq!(json["total"]["ring_to_answer_ms"]["p90"], 20_000);
}

/// 2026-11-21 in Shanghai is 2026-11-20T16:00Z up to 2026-11-21T16:00Z.
#[test]
fn a_day_is_the_hotlines_own_day() {
    let hours = |h: u64| MORNING + Duration::from_secs(3_600 * h);
    let call = |seed, wall, hotline| Record::from_facts(&Story::offered(seed, wall, hotline).facts()).unwrap();
    let records = [call(1, hours(13), "property"), call(2, hours(14), "property"), call(3, hours(14), "gone")];
    let report = Report::new(day(), &zones(), &material(records.to_vec())).unwrap();
    assert_eq!(report.hotlines[&HotlineId::from("property")].offered, 1);
    assert_eq!(report.hotlines[&HotlineId::from("gone")].offered, 1);
    let (from, to) = zones().span(day()).unwrap();
    assert_eq!(
        (from.to_string(), to.to_string()),
        ("2026-11-20T16:00:00.000Z".into(), "2026-11-22T00:00:00.000Z".into())
    );
}

#[test]
fn weeks_begin_on_monday_and_months_on_the_first() {
    let zone = TimeZone::get("Asia/Shanghai").unwrap();
    let week = Period::holding(Span::Week, date(2026, 11, 21)).unwrap();
    assert_eq!(week.to_string(), "2026-11-16 to 2026-11-22");
    let month = Period::current(Span::Month, MORNING, &zone).unwrap();
    assert_eq!(month.to_string(), "2026-11");
    let (from, to) = month.bounds(&zone).unwrap();
    assert_eq!(
        (from.to_string(), to.to_string()),
        ("2026-10-31T16:00:00.000Z".into(), "2026-11-30T16:00:00.000Z".into())
    );
}

#[test]
fn zones_of_the_plans() {
    let zones = Zones::from_plans(&story::plans()).unwrap();
    assert_eq!(zones.by_hotline[&HotlineId::from("property")].iana_name(), Some("Asia/Shanghai"));
    assert_eq!(zones.otherwise.iana_name(), Some("Asia/Shanghai"));
    assert_eq!(Zones::from_plans(&Plans::default()).unwrap().otherwise, TimeZone::UTC);
}

/// Nine of the ten have ended: seven answered, six of them in time; the one who left after 4 s had heard one ring, the other one six.
#[test]
fn the_four_service_levels_differ_over_the_same_calls() {
    let total = Report::new(day(), &zones(), &material(ten_calls())).unwrap().total;
    let levels = total.service_levels;
    let of = |share: Share| (share.count, share.n);
    assert_eq!((of(levels.positive), of(levels.handled_only)), ((7, 9), (6, 7)));
    assert_eq!((of(levels.negative), of(levels.ignored)), ((6, 9), (6, 8)));
    assert_eq!(total.short_abandon_ms, [5_000].into());
    assert_eq!(total.left_after_s, [(0, 1), (30, 1)].into());
    assert_eq!(total.answered_in_ring, [(1, 2), (2, 2), (3, 2), (5, 1)].into());
    // Answered 1 s after *ring* and so much after *offered*.
    assert_eq!(total.speed_of_answer_ms.mean, Some(10_143));
}

#[test]
fn each_agent_has_the_rings_the_calls_and_the_time_on_duty() {
    use crate::call::fact::RingResult;
    use crate::call::presence::{AgentFact, By, What as Told};
    use crate::clock::{RunId, Stamp};
    let invited = |attempt, agent: &str| What::AgentInvited { attempt, agent: agent.into() };
    let released =
        |attempt, agent: &str, result| What::AgentReleased { attempt, agent: agent.into(), result, status: None };
    let story = Story::new(1)
        .at(0, invited(1, "9"))
        .at(1_000, What::Ring)
        .at(3_000, released(1, "9", RingResult::Declined))
        .at(3_000, invited(2, "9"))
        .at(3_000, invited(3, "8"))
        .at(8_000, What::AgentAnswered { attempt: 3, agent: "8".into() })
        .at(8_001, What::Connected)
        .at(8_002, released(2, "9", RingResult::LostRace))
        .ended(68_000, Reason::AgentHungUp, EndedBy::Agent);
    let record = Record::from_facts(&story.facts()).unwrap();
    let told = |s: u64, what| AgentFact {
        agent: "8".into(),
        n: 0,
        at: Stamp { run: RunId(1), mono_ns: s * 1_000_000_000, wall_us: MORNING.as_micros() + (s * 1_000_000) as i64 },
        what,
    };
    let presence = vec![
        told(0, Told::LoggedIn { by: By::Phone }),
        told(0, Told::Ready { by: By::Phone }),
        told(100, Told::WrapUp { until_us: 0, call: None, by: By::Call }),
        told(120, Told::Ready { by: By::Limit }),
    ];
    let runs = vec![Run { id: RunId(1), began: MORNING, until: MORNING + Duration::from_secs(200) }];
    let report =
        Report::new(day(), &zones(), &Material { records: vec![record], presence, runs, ..Material::default() })
            .unwrap();
    let (eight, nine) = (&report.agents[&"8".into()], &report.agents[&"9".into()]);
    assert_eq!((nine.rung, nine.passed_by.count, nine.passed_by.n, nine.had), (2, 1, 1, 0), "a lost race is nobody's");
    assert_eq!((eight.rung, eight.answered, eight.had, eight.ended_by_agent.count), (1, 1, 1, 1));
    assert_eq!((eight.talk_ms.mean, eight.average_handling_ms()), (Some(60_000), Some(80_000)));
    // 60 s of talk and 20 s of wrap-up in 180 s ready and 20 s of wrap-up.
    assert_eq!((eight.occupancy, nine.occupancy), (Some(0.4), None));
    let mut csv = Vec::new();
    report.write(Format::Csv, Per::Agent, &mut csv).unwrap();
    assert!(String::from_utf8(csv).unwrap().contains("2026-11-21,8,1,0,0,0,0.0 %,1,100.0 %,1,60.000,"), "{report:?}");
    // Offered at ten in the morning in Shanghai.
    assert_eq!(report.hours.iter().map(|hour| hour.offered).collect::<Vec<_>>()[9..12], [0, 1, 0]);
    let text = written(&report, Format::Text);
    assert!(text.contains("    8     1          0         0"), "{text}");
}

#[test]
fn a_callback_is_the_agents_time_and_no_call_of_the_hotline() {
    use crate::call::fact::{CallsBack, SurveyBy, SurveyEnd};
    use crate::call::presence::{AgentFact, By, What as Told};
    use crate::clock::{RunId, Stamp};
    let agent = || "8".into();
    let mut facts = Story::new(1)
        .at(0, What::AgentInvited { attempt: 1, agent: agent() })
        .at(3_000, What::AgentWaits { attempt: 1, agent: agent() })
        .at(3_001, What::CallerInvited)
        .at(20_000, What::CallerAnswered { attempt: 1, agent: agent() })
        .at(20_000, What::Connected)
        .at(70_000, What::AgentLeft { attempt: 1, agent: agent() })
        .at(70_000, What::SurveyStarted { questions: 1, by: SurveyBy::HangUp })
        .at(75_000, What::SurveyGraded { question: 1, grade: 2 })
        .at(75_000, What::SurveyEnded { by: SurveyEnd::Complete })
        .ended(76_000, Reason::SurveyOver, EndedBy::Gateway)
        .facts();
    let calls_back = CallsBack { entry: facts[0].call, agent: agent() };
    let What::Offered(offered) = &mut facts[0].what else { panic!("no call") };
    offered.calls_back = Some(calls_back);
    let apart = vec![Record::from_facts(&facts).unwrap()];
    let at = Stamp { run: RunId(1), mono_ns: 0, wall_us: MORNING.as_micros() };
    let presence = vec![
        AgentFact { agent: agent(), n: 0, at, what: Told::LoggedIn { by: By::Phone } },
        AgentFact { agent: agent(), n: 1, at, what: Told::Ready { by: By::Phone } },
    ];
    let runs = vec![Run { id: RunId(1), began: MORNING, until: MORNING + Duration::from_secs(200) }];
    let material = Material { apart, presence, runs, ..Material::default() };
    let report = Report::new(day(), &zones(), &material).unwrap();
    let eight = &report.agents[&agent()];
    assert_eq!((eight.called_back, eight.called_back_ms, eight.occupancy), (1, 50_000, Some(0.25)));
    assert_eq!((eight.rung, eight.answered, eight.had, report.total.offered), (0, 0, 0, 0));
    let asked = &report.surveys_after_callbacks[&"property".into()];
    assert_eq!((asked.asked, asked.questions[0].grades, report.surveys.len()), (1, [0, 1, 0, 0], 0));
    let text = written(&report, Format::Text);
    assert!(text.lines().any(|line| line.contains("property") && line.trim_end().ends_with("callback")), "{text}");
}

#[test]
fn a_call_with_a_colleague_is_no_waiting_and_one_outside_is_told_with_what_is_left() {
    use crate::call::fact::AgentsCall;
    use crate::call::leg::Callee;
    use crate::call::presence::{AgentFact, By, What as Told};
    use crate::clock::{RunId, Stamp};
    let by_agent = |mut facts: Vec<crate::call::fact::Fact>, made: AgentsCall| {
        let What::Offered(offered) = &mut facts[0].what else { panic!("no call") };
        offered.by_agent = Some(made);
        Record::from_facts(&facts).unwrap()
    };
    // 8 calls 9, who answers after 10 s and talks for 30 s.
    let internal = Story::new(1)
        .at(0, What::AgentInvited { attempt: 1, agent: "9".into() })
        .at(10_000, What::AgentAnswered { attempt: 1, agent: "9".into() })
        .at(10_000, What::Connected)
        .ended(40_000, Reason::CallerHungUp, EndedBy::Caller)
        .facts();
    let internal = by_agent(internal, AgentsCall::Internal { agent: "8".into(), to: Callee::Agent("9".into()) });
    let outbound = Story::offered(2, MORNING + Duration::from_secs(100), "property")
        .at(0, What::AgentWaits { attempt: 1, agent: "8".into() })
        .at(1, What::CallerInvited)
        .at(5_000, What::CallerAnswered { attempt: 1, agent: "8".into() })
        .at(5_000, What::Connected)
        .ended(25_000, Reason::AgentHungUp, EndedBy::Agent)
        .facts();
    let outbound = by_agent(outbound, AgentsCall::Outbound { agent: "8".into(), quota_ms: Some(60_000) });
    let at = Stamp { run: RunId(1), mono_ns: 0, wall_us: MORNING.as_micros() };
    let ready = |agent: &str, n| AgentFact { agent: agent.into(), n, at, what: Told::Ready { by: By::Phone } };
    let login = |agent: &str, n| AgentFact { agent: agent.into(), n, at, what: Told::LoggedIn { by: By::Phone } };
    let presence = vec![login("8", 0), ready("8", 1), login("9", 2), ready("9", 3)];
    let runs = vec![Run { id: RunId(1), began: MORNING, until: MORNING + Duration::from_secs(200) }];
    let material = Material { apart: vec![internal, outbound], presence, runs, ..Material::default() };
    let report = Report::new(day(), &zones(), &material).unwrap();
    let (eight, nine) = (&report.agents[&"8".into()], &report.agents[&"9".into()]);
    assert_eq!((eight.internal, eight.internal_ms, nine.internal, nine.internal_ms), (1, 40_000, 1, 30_000));
    assert_eq!((eight.outbound, eight.outbound_ms, eight.outbound_left_ms), (1, 20_000, Some(40_000)));
    assert_eq!((nine.outbound, nine.outbound_left_ms), (0, None));
    assert_eq!((eight.occupancy, nine.occupancy), (Some(0.3), Some(0.15)), "40 s and 20 s, 30 s, of 200 s");
    assert_eq!((eight.rung, nine.rung, nine.answered, report.total.offered), (0, 0, 0, 0));
    let text = written(&report, Format::Text);
    assert!(text.contains("outbound left s") && text.contains("40.000"), "{text}");
}
