//! What callers hear when an agent answers, how long they ring at least, and who is served first.

use hotline::call::fact::{Fact, What};
use hotline::call::script::Cue;
use hotline::cdr::{Outcome, Record};
use hotline::sim::phone::Trick;
use hotline::sim::world::World;

use super::*;

const VARIANTS: &str = r#"
[greeting]
text             = "{time_of_day}，{org}客户服务中心{agent_no}号接待员为您服务"
internal         = "您好，{agent_no}号为您服务"
internal_callers = ["8", "+86108888"]
notice           = "为保证服务质量，本次通话将被录音。"

[agents]
numbers = ["8"]
"#;

/// The text that greets a caller so many hours after 07:17 on a Sunday in Shanghai.
fn greeted(hours: f64, caller: &str) -> (String, Record) {
    let mut world = World::new(plan(VARIANTS), 1);
    world.agents.expect([answers(1.0)]);
    world.run_for(secs(hours * 3_600.0));
    world.call_as(caller, NUMBER, patience(90.0, Some(20.0)), Trick::None);
    let (_, mut records) = finish(world);
    let record = records.remove(0);
    (record.greeting.clone().expect("a greeting").text, record)
}

#[test]
fn by_the_time_of_day_and_for_colleagues_and_with_the_notice() {
    let usual = "物业客户服务中心8号接待员为您服务为保证服务质量，本次通话将被录音。";
    assert_eq!(greeted(0.0, "13912345678").0, format!("早上好，{usual}"));
    assert_eq!(greeted(4.8, "13912345678").0, format!("下午好，{usual}"), "12:05");
    assert_eq!(greeted(10.8, "13912345678").0, format!("晚上好，{usual}"), "18:05");
    let (text, record) = greeted(0.0, "8003");
    assert_eq!(text, "您好，8号为您服务为保证服务质量，本次通话将被录音。");
    let version = record.notice.expect("a notice");
    assert_eq!(version.len(), 16);
    assert_eq!(greeted(0.0, "+861088880000").1.notice, Some(version), "the same notice");
}

#[test]
fn the_notice_may_come_first() {
    let text = VARIANTS.replace("notice  ", "notice_when = \"before\"\nnotice  ");
    let plans = plan(&text);
    let said = &plans.hotlines[0].greeting.by_agent[&"8".into()];
    assert!(said.normal.text.starts_with("为保证服务质量，本次通话将被录音。早上好"), "{}", said.normal.text);
    assert!(said.late.text.starts_with("为保证服务质量，本次通话将被录音。不好意思"), "{}", said.late.text);
}

fn plan(rest: &str) -> Plans {
    let hotline = format!("[hotline]\nid = \"property\"\norg = \"物业\"\nnumbers = [\"{NUMBER}\"]\n{rest}");
    let files = [PlanFile { name: "p".into(), bytes: hotline.into_bytes() }];
    let (plans, faults) = compile(&files, Library::new(vec![&BuiltIn]), None, &[]);
    assert!(faults.is_empty(), "{faults:#?}");
    plans
}

#[test]
fn an_agent_is_rung_when_the_least_ring_begins() {
    for (min, until_invited_ms, rings) in [(0, 0, 1), (2, 5_000, 2), (3, 10_000, 3)] {
        let plan = format!("[answer]\nmin_rings = {min}\n[agents]\nnumbers = [\"8\"]\n");
        let mut world = World::new(plans("", &plan), 1);
        world.agents.expect([answers(0.5)]);
        world.call(NUMBER, patience(90.0, Some(20.0)));
        let (world, records) = finish(world);
        let invited = at(&world, |what| matches!(what, What::AgentInvited { .. }));
        let ring = at(&world, |what| matches!(what, What::Ring));
        near(Some(invited.saturating_sub(ring) / 1_000_000), until_invited_ms);
        assert_eq!((records[0].rings, records[0].answered_within_target), (Some(rings), Some(true)));
    }
}

fn at(world: &World, is: impl Fn(&What) -> bool) -> u64 {
    let found: &Fact = world.facts.iter().find(|fact| is(&fact.what)).expect("such a fact");
    found.at.mono_ns
}

/// After sixteen seconds the answer is late: two tones for the agent, and the usual greeting for the caller.
#[test]
fn the_apology_may_be_the_agents() {
    for (after, due) in [(1.0, false), (16.0, true)] {
        let head =
            "[hotline]\nid = \"property\"\norg = \"物业\"\nnumbers = [\"4008001234\"]\n[greeting]\nlate_by = \"agent\"";
        let rest =
            "text = \"您好,{org}客户服务中心{agent_no}号接待员为您服务\"\n[agents]\nnumbers = [\"8\"]\nring_s = 30\n";
        let files = [PlanFile { name: "p".into(), bytes: format!("{head}\n{rest}").into_bytes() }];
        let (plans, faults) = compile(&files, Library::new(vec![&BuiltIn]), None, &[]);
        assert!(faults.is_empty(), "{faults:?}");
        let mut world = World::new(plans, 1);
        world.agents.expect([answers(after)]);
        world.call(NUMBER, patience(90.0, Some(20.0)));
        let (world, records) = finish(world);
        let cued = world.facts.iter().any(|fact| fact.what == What::Cued { cue: Cue::LateAnswer, sounded: true });
        assert_eq!(cued, due);
        let greeting = records[0].greeting.as_ref().expect("a greeting");
        assert_eq!((greeting.text.as_str(), greeting.late), ("您好,物业客户服务中心8号接待员为您服务", false));
    }
}

#[test]
fn more_rings_at_least_than_at_most_is_a_fault() {
    let text = format!(
        "[hotline]\nid = \"p\"\norg = \"物业\"\nnumbers = [\"1\"]\n{HEAD}internal = \"您好\"\n[answer]\nmin_rings = 4\n\
         [agents]\nnumbers = [\"8\"]\n[priority]\ncallers = [\"139 1\"]\nfile = \"vip.txt\"\n"
    );
    let files = [PlanFile { name: "p".into(), bytes: text.into_bytes() }];
    let (_, mut faults) = compile(&files, Library::new(vec![&BuiltIn]), None, &[]);
    faults.sort();
    let shown: Vec<String> = faults.iter().map(|f| format!("{}: {}", f.line, f.what)).collect();
    assert_eq!(
        shown,
        [
            "8: greeting.internal is told, and not who hears it",
            "10: answer.min_rings is 4, and after ring 3 an answer is late",
            "14: priority.callers: \"139 1\" is no telephone number",
            "15: priority.file: there is no \"vip.txt\"",
        ]
    );
}

const FIRST: &str = "\n[priority]\ncallers = [\"13900000001\"]\n";

fn placed(world: &World) -> Vec<What> {
    let placed = |f: &Fact| matches!(f.what, What::Placed { .. }).then(|| f.what.clone());
    world.facts.iter().filter_map(placed).collect()
}

#[test]
fn a_big_customer_is_served_first() {
    let mut world = World::new(plans("", &format!("{QUEUE}{FIRST}")), 1);
    world.agents.expect([answers(1.0), answers(1.0), answers(1.0)]);
    // The time of a caller who is queued counts from when the queue answered.
    for (caller, talk) in [("13911111111", 15.0), ("13922222222", 60.0), ("13900000001", 25.0)] {
        world.call_as(caller, NUMBER, patience(90.0, Some(talk)), Trick::None);
        world.run_for(secs(2.0));
    }
    let (world, records) = finish(world);
    assert!(records.iter().all(|r| r.outcome == Some(Outcome::Answered)), "{records:#?}");
    assert_eq!(placed(&world), [What::Placed { priority: 1, waited_ms: None }]);
    assert_eq!(records[2].queue.as_ref().map(|q| q.position), Some(1));
    assert!(records[2].answered_at < records[1].answered_at, "before the one who came earlier");
}

#[test]
fn whoever_calls_again_within_a_minute_has_the_place_back() {
    let mut world = World::new(plans("", QUEUE), 1);
    world.agents.expect([answers(1.0), answers(1.0), answers(1.0)]);
    for (caller, talk) in [("13911111111", 40.0), ("13922222222", 10.0), ("13933333333", 90.0), ("13922222222", 50.0)] {
        world.call_as(caller, NUMBER, patience(90.0, Some(talk)), Trick::None);
        world.run_for(secs(6.0));
    }
    let (world, records) = finish(world);
    assert_eq!(records[1].outcome, Some(Outcome::Abandoned));
    let [What::Placed { priority: 0, waited_ms: Some(waited) }] = placed(&world)[..] else { panic!("not placed") };
    assert!((11_000..14_000).contains(&waited), "{waited}");
    assert_eq!(records[3].queue.as_ref().map(|q| q.position), Some(1));
    assert!(records[3].answered_at < records[2].answered_at);
}
