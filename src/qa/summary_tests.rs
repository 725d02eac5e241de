use super::*;
use crate::ids::Random;
use crate::qa::form::Answer;
use crate::qa::form::score::{best, score};
use crate::qa::scorecard::{judged, kept, measured};

fn form() -> Form {
    let text = include_str!("../../dialplans/scorecards/appraisal.toml");
    super::super::form::read("f", text.as_bytes(), |_| true).0.unwrap()
}

fn heard(n: u64, agent: &str, pool: Pool, changed: &[(&str, Answer)]) -> Heard {
    let form = form();
    let mut answers: Answers = form.items().map(|item| (item.id.clone(), best(item))).collect();
    answers.extend(changed.iter().map(|(id, answer)| ((*id).to_owned(), *answer)));
    let offered = Wall::from_micros(n as i64 * 1_000_000);
    Heard {
        call: CallId::new(offered, &mut Random::from_number(n)),
        agent: AgentNo::from(agent),
        offered,
        pool,
        weight: 1.0,
        score: score(&form, &answers),
        answers,
        filled: [("1.1".to_owned(), Answer::Pass)].into(),
    }
}

const LOW: Answer = Answer::Points(1);

#[test]
fn faults_by_how_often_and_never_of_the_targeted_pool() {
    let all = [
        heard(1, "8", Pool::Random, &[("2.1", LOW), ("3.1", LOW)]),
        heard(2, "8", Pool::Random, &[("2.1", LOW), ("1.1", Answer::Fail)]),
        heard(3, "9", Pool::Random, &[("abuse", Answer::Fail), ("1.2", Answer::Na)]),
        heard(4, "9", Pool::Targeted, &[("4.1", LOW), ("2.1", LOW), ("private", Answer::Fail)]),
    ];
    let found = faults(&form(), &all);
    let short: Vec<(&str, u64, u64, u64)> =
        found.iter().map(|fault| (fault.item.as_str(), fault.calls.count, fault.calls.n, fault.agents)).collect();
    assert_eq!(short, [("abuse", 1, 3, 1), ("2.1", 2, 3, 1), ("1.1", 1, 3, 1), ("3.1", 1, 3, 1)]);
    // Of all pools: how far verdicts are trusted.
    let overruled = &overruled(&all)["1.1"];
    assert_eq!((overruled.count, overruled.n), (1, 4));
    // One pool, one block: the targeted call is counted, and in no figure.
    let (team, cards) = judged(&form(), &all);
    assert_eq!((team, cards[&AgentNo::from("9")].n), (None, 1));
    let nine = &cards[&AgentNo::from("9")];
    assert_eq!((nine.fatal, nine.targeted, nine.faults.len()), (1, 1, 1));
}

#[test]
fn training_by_what_was_heard_again_and_by_what_all_calls_show() {
    let calls: Vec<Heard> = (1..=8)
        .map(|n| heard(n, "8", Pool::Random, if [1, 2, 4].contains(&n) { &[("2.1", LOW)] } else { &[("3.1", LOW)] }))
        .chain([heard(20, "9", Pool::Random, &[("2.1", LOW)])])
        .collect();
    let rule = |agent: &str| (AgentNo::from(agent), "R-195".to_owned());
    // 30 of 100 against a team's 40 of 200; 3 of 10 is no evidence.
    let kept = Kept::from([(rule("8"), (70, 30)), (rule("9"), (83, 7)), (rule("7"), (7, 3))]);
    let found = needs(&form(), &calls, &kept);
    let heard_of = |need: &Need| match need {
        Need::Heard { agent, item, calls, of } => format!("{agent} {item} {} of {of}", calls.len()),
        Need::Measured { agent, rule, own, team } => {
            format!("{agent} {rule} {} of {}, all {} of {}", own.count, own.n, team.count, team.n)
        }
    };
    // Of the last six calls: 3 to 8.
    assert_eq!(found.iter().map(heard_of).collect::<Vec<_>>(), ["8 3.1 5 of 6", "8 R-195 30 of 100, all 40 of 200"]);
}

#[test]
fn measured_is_every_call_and_only_the_agents_own_doing() {
    use crate::call::reason::{EndedBy, Reason};
    use crate::cdr::{Record, Verdict};
    use crate::ledger::story::Story;
    let record = |seed: u64, by: EndedBy, reason: Reason, verdict: (&str, serde_json::Value)| {
        let mut record = Record::from_facts(&Story::talking(seed).ended(60_000, reason, by).facts()).unwrap();
        record.verdicts =
            vec![Verdict { rule: "R-195".to_owned(), verdict: verdict.0.to_owned(), evidence: verdict.1 }];
        record
    };
    let own = serde_json::json!({ "on": "agent", "agents": ["8"] });
    let mut unclear = own.clone();
    unclear["confirm"] = true.into();
    let records = [
        record(1, EndedBy::Caller, Reason::CallerHungUp, ("pass", serde_json::Value::Null)),
        record(2, EndedBy::Agent, Reason::AgentHungUp, ("fail", own)),
        record(3, EndedBy::Agent, Reason::AgentHungUp, ("fail", unclear)),
        record(4, EndedBy::Caller, Reason::CallerHungUp, ("fail", serde_json::json!({ "on": "hotline" }))),
    ];
    assert_eq!(kept(&records), Kept::from([((AgentNo::from("8"), "R-195".to_owned()), (1, 1))]));
    let found = &measured(&records)[&AgentNo::from("8")];
    assert_eq!((found.answered, found.ring_to_answer_ms.median), (4, Some(3_000)));
    let counts = [found.within_rings, found.hung_up_first].map(|ratio| ratio.map(|ratio| (ratio.count, ratio.n)));
    assert_eq!(counts, [Some((4, 4)), Some((2, 4))]);
    assert_eq!((found.rules[0].kept.count, found.rules[0].kept.n, found.rules[0].others), (1, 2, None));
}
