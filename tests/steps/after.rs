//! What comes after a talk, in virtual time: the survey by keys, path by path, and the class of a call.

use hotline::call::fact::{ClosedWhy, SurveyBy, SurveyEnd};
use hotline::cdr::WhyOwed;
use hotline::protocol::sip::endpoint::SessionId;

use super::*;

const QUESTION: &str = "请对本次服务评价：非常满意请按一，满意请按二，一般请按三，较差请按四。";
const THANKS: &str = "感谢您的评价，再见。";

/// The agent answers after a second and hangs up so many seconds after that.
fn survey(questions: usize, hang_up_after: Option<f64>) -> (World, SessionId) {
    let all = vec![format!("\"{QUESTION}\""); questions].join(", ");
    let rest = format!(
        "[agents]\nnumbers = [\"8\"]\n[survey]\nquestions = [{all}]\nthanks = \"{THANKS}\"\n\
         [classes]\nkeys = {{ 1 = \"技术质量\", 2 = \"服务质量\" }}\n[nuisance]\nthen = \"hang_up\"\n"
    );
    let mut world = World::new(plans("", &rest), 1);
    let then = Then::Answer { after: secs(1.0), hang_up_after: hang_up_after.map(secs) };
    world.agents.expect([Conduct { rings: true, then }]);
    let session = world.call(NUMBER, patience(30.0, None)).expect("a call");
    let last: fn(&What) -> bool = match hang_up_after {
        Some(_) => |what| matches!(what, What::SurveyStarted { .. }),
        None => |what| matches!(what, What::PlayEnded { play: Play::Greeting, .. }),
    };
    until(&mut world, last);
    (world, session)
}

fn until(world: &mut World, is: impl Fn(&What) -> bool) {
    for _ in 0..1_000 {
        if world.facts.iter().any(|f| is(&f.what)) {
            return;
        }
        world.run_for(secs(0.1));
    }
    panic!("it never came: {:#?}", world.facts.last());
}

fn ended(mut world: World, caller: Option<SessionId>) -> (World, Record) {
    if let Some(session) = caller {
        world.hang_up(session);
    }
    let (world, mut records) = finish(world);
    assert_eq!(records.len(), 1);
    (world, records.remove(0))
}

fn grades(record: &Record) -> (Vec<Option<u32>>, Option<SurveyEnd>) {
    let survey = record.survey.clone().expect("a survey");
    (survey.grades, survey.end)
}

fn said(world: &World) -> Vec<String> {
    let text = |f: &Fact| match &f.what {
        What::PlayStarted { play: Play::Menu | Play::Announcement, prompt, .. } => Some(prompt.clone()),
        _ => None,
    };
    world.facts.iter().filter_map(text).collect()
}

#[test]
fn four_questions_four_grades_and_thanks() {
    let (mut world, _) = survey(4, Some(20.0));
    for key in ['1', '2', '3', '4'] {
        world.run_for(secs(2.0));
        press(&mut world, key);
    }
    let (world, record) = ended(world, None);
    assert_eq!(grades(&record), (vec![Some(1), Some(2), Some(3), Some(4)], Some(SurveyEnd::Complete)));
    assert_eq!(said(&world), [QUESTION, QUESTION, QUESTION, QUESTION, THANKS]);
    assert_eq!((record.outcome, reason(&record).as_str()), (Some(Outcome::Answered), "survey_over"));
    near(record.talk_ms, 20_000);
    assert!(record.duration_ms > record.talk_ms.map(|ms| ms + 8_000), "the survey is no part of the talk");
    assert!(world.facts.iter().any(|f| f.what == What::SurveyStarted { questions: 4, by: SurveyBy::HangUp }));
    let recorded = record.recording.duration_ms.expect("a recording");
    assert!(recorded > record.talk_ms.unwrap_or(0) + 8_000, "it is recorded to its end: {recorded}");
}

#[test]
fn the_agent_is_free_while_the_caller_grades() {
    let (mut world, _) = survey(1, Some(20.0));
    world.run_for(secs(1.0));
    let agents = world.gateway.agents();
    assert_eq!(agents.state(&"8".into()), Some(&hotline::call::agent::State::Available));
    press(&mut world, '2');
    assert_eq!(grades(&ended(world, None).1).0, [Some(2)]);
}

#[test]
fn whoever_says_nothing_is_asked_twice_and_let_go() {
    let (world, _) = survey(2, Some(20.0));
    let (world, record) = ended(world, None);
    assert_eq!(grades(&record), (vec![None, None], Some(SurveyEnd::NoGrade)));
    assert_eq!(said(&world), [QUESTION, QUESTION], "once more, and no thanks");
    let ended_by = serde_json::to_value(record.ended_by).expect("a word");
    assert_eq!(ended_by, "gateway");
}

#[test]
fn a_key_that_is_no_grade_asks_again_and_a_later_one_counts() {
    let (mut world, _) = survey(2, Some(20.0));
    world.run_for(secs(1.0));
    press(&mut world, '9');
    world.run_for(secs(1.0));
    press(&mut world, '3');
    let (world, record) = ended(world, None);
    assert_eq!(grades(&record), (vec![Some(3), None], Some(SurveyEnd::NoGrade)));
    assert_eq!(said(&world).len(), 4, "the first question twice, the second twice");
}

#[test]
fn the_caller_may_hang_up_at_any_time() {
    for graded in [0, 1, 2] {
        let (mut world, session) = survey(2, Some(20.0));
        for _ in 0..graded {
            world.run_for(secs(1.0));
            press(&mut world, '1');
        }
        world.run_for(secs(0.5));
        let (_, record) = ended(world, Some(session));
        let end = if graded == 2 { SurveyEnd::Complete } else { SurveyEnd::HungUp };
        assert_eq!(grades(&record), ((0..2).map(|n| (n < graded).then_some(1)).collect(), Some(end)));
        assert_eq!(reason(&record), "survey_over");
        assert_eq!(serde_json::to_value(record.ended_by).expect("a word"), "caller");
    }
}

#[test]
fn who_hangs_up_before_the_agent_is_not_asked() {
    let (mut world, session) = survey(1, None);
    world.run_for(secs(3.0));
    let (_, record) = ended(world, Some(session));
    assert_eq!((record.survey.clone(), reason(&record).as_str()), (None, "caller_hung_up"));
}

/// The agent presses these keys.
fn agent_presses(world: &mut World, keys: &[char]) {
    let call = world.facts[0].call;
    let leg = *world.legs().iter().find(|(_, side)| **side == Side::Agent).expect("a leg").0;
    for key in keys {
        world.run_for(secs(0.3));
        let (at, duration) = (world.now(), Duration::from_millis(100));
        world.tell(Input::Media(media::Event::Key { call, leg, key: *key, duration, at }));
    }
}

#[test]
fn by_code_the_agent_hands_the_caller_over_without_hanging_up_first() {
    let (mut world, _) = survey(1, None);
    agent_presses(&mut world, &['*', '0']);
    assert!(world.facts.iter().any(|f| f.what == What::SurveyStarted { questions: 1, by: SurveyBy::Code }));
    world.run_for(secs(2.0));
    press(&mut world, '1');
    let (world, record) = ended(world, None);
    assert_eq!(grades(&record).0, [Some(1)]);
    assert!(!world.facts.iter().any(|f| matches!(f.what, What::Parted { .. })), "nobody hung up on anybody");
}

#[test]
fn the_agents_code_tells_the_class_and_the_last_one_counts() {
    let (mut world, session) = survey(1, None);
    agent_presses(&mut world, &['*', '8', '1']);
    agent_presses(&mut world, &['*', '8', '7', '2']);
    agent_presses(&mut world, &['8', '1', '1']);
    let (_, record) = ended(world, Some(session));
    assert_eq!(record.class.as_deref(), Some("技术质量"), "7 is no class, and what follows it none either");
    let (mut world, session) = survey(1, None);
    agent_presses(&mut world, &['*', '8', '1', '*', '8', '2']);
    assert_eq!(ended(world, Some(session)).1.class.as_deref(), Some("服务质量"));
}

const OWED: &str = r#"
[agents]
numbers = ["8"]

[outage]
active = false
then   = "leave"

[callback]
within_s = 600

[step.leave]
do        = "message"
text      = "座席全忙，请在提示音后留下您的电话和问题，我们会尽快给您回电。"
longest_s = 10
"#;

#[test]
fn who_reached_nobody_is_to_be_called_back() {
    let owed = |text: &str, wait: f64| {
        let mut world = World::new(plans("", text), 1);
        world.agents.expect([Conduct { rings: true, then: Then::Ignore }]);
        world.call(NUMBER, patience(wait, None));
        let (_, records) = finish(world);
        (records[0].callback, records[0].clone())
    };
    let (callback, record) = owed(OWED, 12.0);
    let callback = callback.expect("owed");
    assert_eq!((callback.why, callback.attempts), (WhyOwed::Abandoned, 5));
    let ended = record.ended_at.expect("an end").0;
    assert_eq!(callback.due_at.0, ended + Duration::from_secs(600));
    assert_eq!(owed(OWED, 3.0).0, None, "a short abandon");
    let outage = OWED.replace("active = false", "active = true");
    let (callback, record) = owed(&outage, 60.0);
    assert_eq!((callback.map(|owed| owed.why), record.closed), (Some(WhyOwed::Outage), Some(ClosedWhy::Outage)));
    let message = OWED.replace("numbers = [\"8\"]", "numbers = [\"8\"]\nring_s = 3\nnobody = \"leave\"");
    assert_eq!(owed(&message, 60.0).0.map(|owed| owed.why), Some(WhyOwed::Message));
    let none = OWED.replace("[callback]\nwithin_s = 600\n", "");
    assert_eq!(owed(&none, 12.0).0, None);
}
