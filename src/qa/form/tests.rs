use std::collections::BTreeMap;

use proptest::prelude::*;

use super::score::{Hundredths, best, fits, gaps, score, share, worst};
use super::*;
use crate::qa::fill;
use crate::qa::fill::fill;

const SHIPPED: &str = include_str!("../../../dialplans/scorecards/appraisal.toml");

fn read_all(text: &str) -> (Option<Form>, Vec<String>) {
    let pack = crate::rules::Pack::built_in();
    let (form, faults) = read("f.toml", text.as_bytes(), |rule| pack.rule(rule).is_some());
    let mut faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
    faults.sort();
    (form, faults)
}

fn shipped() -> Form {
    let (form, faults) = read_all(SHIPPED);
    assert_eq!(faults, Vec::<String>::new());
    form.unwrap()
}

#[test]
fn the_shipped_form_has_five_blocks_of_twenty() {
    let form = shipped();
    let points = |section: &Section| section.items.iter().map(|item| item.points).sum::<u32>();
    assert_eq!(form.sections.iter().map(|s| (s.weight, points(s))).collect::<Vec<_>>(), [(20, 20); 5]);
    assert_eq!((form.items().count(), form.fatal.len(), form.version.len()), (25, 7, 64));
    let all: Answers = form.items().map(|item| (item.id.clone(), best(item))).collect();
    assert_eq!(score(&form, &all).total, Some(Hundredths(10_000)));
}

#[test]
fn every_fault_of_a_form_with_its_line() {
    let text = "[form]\nid = \"a b\"\nzh = \"甲\"\n\n[[section]]\nid = \"1\"\nzh = \"甲\"\nen = \"A\"\nweight = 0\n\
                [[section.item]]\nid = \"x\"\nzh = \"甲\"\nen = \"A\"\nkind = \"deduct\"\npoints = 3\nrules = [\"R-999\"]\n\
                [[section.item]]\nid = \"x\"\nzh = \"甲\"\nen = \"A\"\nkind = \"skale\"\npoints = 90\nfilled = \"machine\"\n\
                [[section]]\nid = \"2\"\nzh = \"乙\"\nen = \"B\"\nweight = 1\nweigth = 2\n";
    let (form, faults) = read_all(text);
    assert_eq!(form, None);
    assert_eq!(
        faults,
        [
            "f.toml:10: kind \"deduct\" needs \"each\": add each = 1: the points off each time",
            "f.toml:16: no rule R-999: `hotline rules list` has them all",
            "f.toml:17: filled = \"machine\" without rules: add rules = [\"R-…\"]",
            "f.toml:18: the id \"x\" is there twice: answers are known by it: write another",
            "f.toml:1: [form] has no \"en\": add en = \"…\"",
            "f.toml:21: item.kind is \"skale\": did you mean \"scale\"?",
            "f.toml:24: a section without items: add [[section.item]] below it",
            "f.toml:29: unknown key \"weigth\" in [[section]]: did you mean \"weight\"?",
            "f.toml:9: section.weight is out of range: 0: a whole number from 1 to 1000",
        ]
    );
}

fn item(id: usize) -> impl Strategy<Value = Item> {
    (prop_oneof![Just(Kind::Pass), Just(Kind::Scale), Just(Kind::Deduct)], 1..=12_u32, 1..=5_u32).prop_map(
        move |(kind, points, each)| Item {
            id: format!("i{id}"),
            name: Text::default(),
            help: Text::default(),
            kind,
            points,
            each,
            na: true,
            comment: Comment::Never,
            filled: Filled::Person,
            rules: Vec::new(),
        },
    )
}

fn form() -> impl Strategy<Value = Form> {
    let section = |n: usize| {
        let items = (0..4_usize).map(|i| item(n * 10 + i)).collect::<Vec<_>>();
        (items, 1..=MOST_WEIGHT).prop_map(move |(items, weight)| Section {
            id: format!("s{n}"),
            name: Text::default(),
            weight,
            items,
        })
    };
    (1..=4_usize).prop_flat_map(move |n| (0..n).map(section).collect::<Vec<_>>()).prop_map(|sections| {
        let flag = Fatal { id: "f".to_owned(), name: Text::default(), help: Text::default(), rules: Vec::new() };
        Form {
            id: "t".to_owned(),
            version: String::new(),
            name: Text::default(),
            source: None,
            sections,
            fatal: vec![flag],
        }
    })
}

fn answer(item: &Item) -> impl Strategy<Value = Answer> + use<> {
    match item.kind {
        Kind::Pass => prop_oneof![Just(Answer::Pass), Just(Answer::Fail), Just(Answer::Na)].boxed(),
        Kind::Scale => prop_oneof![(0..=item.points).prop_map(Answer::Points), Just(Answer::Na)].boxed(),
        Kind::Deduct => prop_oneof![(0..9_u32).prop_map(Answer::Times), Just(Answer::Na)].boxed(),
    }
}

fn sheet() -> impl Strategy<Value = (Form, Answers)> {
    form().prop_flat_map(|form| {
        let ids: Vec<String> = form.items().map(|item| item.id.clone()).collect();
        let answers = form.items().map(answer).collect::<Vec<_>>();
        (Just(form), answers.prop_map(move |answers| ids.iter().cloned().zip(answers).collect()))
    })
}

/// The same arithmetic in floating point, written down from the definition.
fn naive(form: &Form, answers: &Answers) -> Option<f64> {
    let (mut sum, mut weights) = (0.0, 0.0);
    for section in &form.sections {
        let kept = section.items.iter().filter(|item| answers[&item.id] != Answer::Na);
        let (mut given, mut of) = (0.0, 0.0);
        for item in kept {
            of += f64::from(item.points);
            given += match answers[&item.id] {
                Answer::Pass => f64::from(item.points),
                Answer::Points(points) => f64::from(points),
                Answer::Times(times) => (f64::from(item.points) - f64::from(item.each * times)).max(0.0),
                Answer::Fail | Answer::Na => 0.0,
            };
        }
        if of > 0.0 {
            sum += f64::from(section.weight) * given / of;
            weights += f64::from(section.weight);
        }
    }
    (weights > 0.0).then(|| 100.0 * sum / weights)
}

proptest! {
    #[test]
    fn the_exact_score_is_the_defined_one((form, answers) in sheet()) {
        let found = score(&form, &answers);
        match (found.total, naive(&form, &answers)) {
            (Some(found), Some(naive)) => prop_assert!((found.points() - naive).abs() <= 0.005 + 1e-9),
            (found, naive) => prop_assert!(found.is_none() && naive.is_none()),
        }
        prop_assert!(found.total.is_none_or(|total| total.0 <= 10_000));
        // Neither all weights in proportion nor the flags change the total.
        let mut other = form;
        other.sections.iter_mut().for_each(|section| section.weight *= 3);
        let flagged: Answers = answers.iter().map(|(id, a)| (id.clone(), *a)).chain([("f".into(), Answer::Fail)]).collect();
        let with_flag = score(&other, &flagged);
        prop_assert_eq!(with_flag.total, found.total);
        prop_assert_eq!(with_flag.fatal, vec!["f".to_owned()]);
    }

    /// A better answer never lowers the score, an item that is taken out leaves the other sections alone.
    #[test]
    fn better_answers_never_cost((form, answers) in sheet(), which in any::<prop::sample::Index>()) {
        let items: Vec<&Item> = form.items().collect();
        let item = items[which.index(items.len())];
        let before = score(&form, &answers);
        let with = |answer| {
            let mut changed = answers.clone();
            changed.insert(item.id.clone(), answer);
            score(&form, &changed)
        };
        if answers[&item.id] != Answer::Na {
            prop_assert!(with(best(item)).total >= before.total && with(worst(item)).total <= before.total);
        }
        let without = with(Answer::Na);
        for section in form.sections.iter().filter(|section| section.items.iter().all(|own| own.id != item.id)) {
            prop_assert_eq!(without.sections[&section.id], before.sections[&section.id]);
        }
        prop_assert!(fits(item, best(item)) && fits(item, worst(item)));
        prop_assert_eq!(share(item, worst(item)), Some((0, item.points)));
    }
}

#[test]
fn halves_are_rounded_up_and_nothing_is_no_score() {
    let mut form = shipped();
    form.sections.truncate(1);
    form.sections[0].items.truncate(1);
    form.sections[0].items[0].kind = Kind::Scale;
    let with = |points: u32, of: u32| {
        let mut form = form.clone();
        form.sections[0].items[0].points = of;
        score(&form, &[("1.1".to_owned(), Answer::Points(points))].into()).total.map(|total| total.to_string())
    };
    // 1/32 is 3.125 %.
    assert_eq!([with(1, 32), with(2, 3), with(1, 8), with(1, 2)].map(Option::unwrap), ["3.13", "66.67", "12.5", "50"]);
    assert_eq!(score(&form, &Answers::new()).total, None);
}

#[test]
fn a_sheet_says_what_it_lacks() {
    let form = shipped();
    let mut answers: Answers = form.items().map(|item| (item.id.clone(), best(item))).collect();
    let none = BTreeMap::new();
    assert_eq!(gaps(&form, &answers, &none, &none_filled()), []);
    answers.remove("1.4");
    answers.insert("2.1".into(), Answer::Points(5));
    answers.insert("2.2".into(), Answer::Na);
    answers.insert("3.1".into(), Answer::Points(1));
    answers.insert("abuse".into(), Answer::Fail);
    answers.insert("9.9".into(), Answer::Pass);
    let gap = |gap: fn(String) -> Gap, id: &str| gap(id.to_owned());
    let expected = [
        gap(Gap::Unanswered, "1.4"),
        gap(Gap::Unfit, "2.1"),
        gap(Gap::Unfit, "2.2"),
        gap(Gap::CommentMissing, "3.1"),
        gap(Gap::CommentMissing, "abuse"),
        gap(Gap::Unknown, "9.9"),
    ];
    assert_eq!(gaps(&form, &answers, &none, &none_filled()), expected);
    let comments = BTreeMap::from([("3.1".to_owned(), "too low at 0:40".to_owned()), ("abuse".into(), "1:02".into())]);
    assert_eq!(gaps(&form, &answers, &comments, &none_filled()).len(), 4);
}

fn none_filled() -> Answers {
    Answers::new()
}

/// Who overrules a verdict says why, in whichever direction; what a verdict took needs no words.
#[test]
fn overruling_a_verdict_needs_words() {
    let form = shipped();
    let mut answers: Answers = form.items().map(|item| (item.id.clone(), best(item))).collect();
    let filled = Answers::from([("1.1".to_owned(), Answer::Fail)]);
    let none = BTreeMap::new();
    assert_eq!(gaps(&form, &answers, &none, &filled), [Gap::CommentMissing("1.1".to_owned())]);
    answers.insert("1.1".into(), Answer::Fail);
    assert_eq!(gaps(&form, &answers, &none, &filled), []);
}

mod filled {
    use serde_json::json;

    use super::*;
    use crate::call::reason::{EndedBy, Reason};
    use crate::cdr::{Record, Verdict};
    use crate::ids::AgentNo;
    use crate::ledger::story::Story;

    fn answer(verdicts: &[(&str, &str, serde_json::Value)]) -> (Option<Answer>, usize) {
        let facts = Story::talking(1).ended(60_000, Reason::CallerHungUp, EndedBy::Caller).facts();
        let mut record = Record::from_facts(&facts).unwrap();
        record.verdicts = verdicts
            .iter()
            .map(|(rule, verdict, evidence)| Verdict {
                rule: (*rule).to_owned(),
                verdict: (*verdict).to_owned(),
                evidence: evidence.clone(),
            })
            .collect();
        let mut form = shipped();
        form.sections[0].items[1].rules = vec!["R-008".to_owned(), "R-001".to_owned()];
        let sheet = fill(&form, &record, &AgentNo::from("8"));
        let known = sheet.get("1.2").map_or(0, |found| found.evidence.len());
        (fill::answers(&sheet).get("1.2").copied(), known)
    }

    #[test]
    fn only_what_is_clear_and_the_agents_own_doing() {
        let own = json!({ "on": "agent", "agents": ["8"] });
        let rule = |verdict: &'static str, evidence: serde_json::Value| ("R-008", verdict, evidence);
        let null = serde_json::Value::Null;
        assert_eq!(answer(&[]), (None, 0));
        assert_eq!(answer(&[rule("pass", null.clone())]), (Some(Answer::Pass), 1));
        assert_eq!(answer(&[rule("na", null.clone())]), (Some(Answer::Na), 1));
        assert_eq!(answer(&[rule("unknown", null.clone())]), (None, 1));
        assert_eq!(answer(&[rule("fail", own.clone())]), (Some(Answer::Fail), 1));
        assert_eq!(answer(&[rule("pass", null.clone()), ("R-001", "fail", own)]), (Some(Answer::Fail), 2));
        // Another agent's, the hotline's, or to be confirmed.
        for (evidence, expected) in [
            (json!({ "on": "agent", "agents": ["9"] }), Some(Answer::Na)),
            (json!({ "on": "hotline" }), Some(Answer::Na)),
            (json!({ "on": "agent", "agents": ["8"], "confirm": true }), None),
        ] {
            assert_eq!(answer(&[rule("fail", evidence)]).0, expected);
        }
        assert_eq!(answer(&[rule("pass", null.clone()), ("R-001", "unknown", null)]), (None, 2));
    }
}
