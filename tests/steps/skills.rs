//! Agents who can do what is asked, at the level that is asked.

use std::collections::BTreeMap;

use hotline::call::choice::{AskedFor, Choice, Why};
use hotline::dialplan::compile::{Member, Roster};
use hotline::fault::Fault;
use hotline::ids::AgentNo;

use super::*;

const ASKS: &str = r#"
[agents]
numbers  = ["7", "8", "9"]
strategy = "in_order"
skill    = "billing"
level    = 2
relax_s  = 30

[queue]
text      = "座席正忙，请稍候。"
longest_s = 120
"#;

/// 7 is a beginner, 8 knows it well, 9 not at all.
fn compiled(rest: &str) -> (Plans, Vec<Fault>) {
    let able = |level: u32| BTreeMap::from([("billing".to_owned(), level)]);
    let member = |skills| Member { name: String::new(), skills };
    let roster: Roster = [("7", able(1)), ("8", able(3)), ("9", BTreeMap::new())]
        .into_iter()
        .map(|(number, skills)| (AgentNo::from(number), member(skills)))
        .collect();
    let hotline = format!("[hotline]\nid = \"p\"\norg = \"物业\"\nnumbers = [\"{NUMBER}\"]\n{HEAD}\n{rest}");
    let files = [PlanFile { name: "p".into(), bytes: hotline.into_bytes() }];
    compile(&files, Library::new(vec![&BuiltIn]), Some(&roster), &[])
}

fn chosen(world: &World) -> Vec<Choice> {
    let choice = |f: &Fact| if let What::Chosen { choice, .. } = &f.what { Some((**choice).clone()) } else { None };
    world.facts.iter().filter_map(choice).collect()
}

#[test]
fn only_who_can_is_rung_and_after_a_while_anybody() {
    let (plans, faults) = compiled(ASKS);
    assert!(faults.is_empty(), "{faults:?}");
    let mut world = World::new(plans, 1);
    world.agents.expect([answers(1.0), answers(1.0)]);
    world.call(NUMBER, patience(90.0, Some(100.0)));
    world.run_for(secs(3.0));
    world.call(NUMBER, patience(90.0, Some(60.0)));
    world.run_for(secs(25.0));
    let [first] = &chosen(&world)[..] else { panic!("8 talks, and nobody else can: {:?}", chosen(&world)) };
    assert_eq!((first.agent.as_str(), &first.eligible), ("8", &vec![AgentNo::from("8")]));
    assert_eq!(first.skipped, [("7".into(), Why::Unskilled), ("9".into(), Why::Unskilled)]);
    assert_eq!(first.skill, Some(AskedFor { skill: "billing".to_owned(), level: 2 }));
    let (world, records) = finish(world);
    let second = &chosen(&world)[1];
    assert_eq!((second.agent.as_str(), second.skill.clone()), ("7", None), "thirty seconds were enough");
    near(records[1].wait_ms, 31_000);
}

#[test]
fn a_skill_that_nobody_has_is_a_fault() {
    let told = |text: &str| compiled(text).1.iter().map(ToString::to_string).collect::<Vec<String>>();
    let faults = told(&ASKS.replace("billing", "French"));
    assert_eq!(
        faults,
        [
            "p:13: agents.skill: none of these agents has \"French\" at level 2 or more: add skills = { French = 2 } to their \
          [[agent]] in hotline.toml"
        ]
    );
    let faults = told(&ASKS.replace("skill    = \"billing\"\n", ""));
    assert!(faults[0].contains("agents.level asks for no skill"), "{faults:?}");
}
