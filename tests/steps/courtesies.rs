//! Callers who ask for somebody else, and what the agent has the gateway say by a key, in virtual time.

use hotline::call::fact::{RefusedTransfer, SentFor};
use hotline::dialplan::courtesies::Said;

use super::scripts::{Talk, silence, speech};
use super::*;

const TEXTS: &str = r#"
[agents]
numbers = ["8"]
nobody  = "others"

[step.others]
do      = "ring"
numbers = ["9"]

[classes]
keys = { 1 = "预订", 2 = "投诉" }

[transfer]
classes = { "预订" = "tell_number", "投诉" = "ticket" }
numbers = { "预订" = "88000104" }
text    = "请稍等，我帮您查找资料。{number}"

[closing]
text       = "感谢您的来电，再见！"
unresolved = "我们的工作人员会尽快给您回复的，感谢您的来电，再见。"
"#;

/// What the gateway said because the agent wanted it.
fn said(world: &World) -> Vec<(Said, Option<String>)> {
    let played = |n: u32| {
        let fact = world.facts.iter().find(|fact| fact.n > n && matches!(fact.what, What::PlayStarted { .. }))?;
        if let What::PlayStarted { prompt, .. } = &fact.what { Some(prompt.clone()) } else { None }
    };
    let one = |fact: &Fact| match &fact.what {
        What::SaidForAgent { said, agent } if agent.as_str() == "8" => Some((*said, played(fact.n))),
        _ => None,
    };
    world.facts.iter().filter_map(one).collect()
}

fn has(world: &World, what: impl Fn(&What) -> bool) -> bool {
    world.facts.iter().any(|fact| what(&fact.what))
}

#[test]
fn a_farewell_by_key_and_another_to_whoever_got_no_answer_and_nothing_ends() {
    for (key, what, text) in [
        ('3', Said::Closing, "感谢您的来电，再见！"),
        ('0', Said::ClosingUnresolved, "我们的工作人员会尽快给您回复的，感谢您的来电，再见。"),
    ] {
        let mut talk = Talk::with(TEXTS, None, None);
        talk.hears(3, speech());
        talk.agent_presses(['*', key]);
        talk.hears(20, silence());
        assert_eq!(said(&talk.world), [(what, Some(text.to_owned()))]);
        assert!(!talk.is_over(), "the caller hangs up first");
        let (world, record) = talk.hang_up();
        assert_eq!(reason(&record), "caller_hung_up");
        assert!(has(&world, |what| matches!(what, What::PlayEnded { play: Play::Announcement, to_end: true })));
    }
}

#[test]
fn a_booking_is_told_a_number_and_other_classes_are_told_none() {
    let mut talk = Talk::with(TEXTS, None, None);
    talk.hears(3, speech());
    talk.agent_presses(['*', '4']);
    talk.hears(2, speech());
    assert_eq!(said(&talk.world), [], "of what the call is about nothing is known");
    talk.agent_presses(['*', '8']);
    talk.agent_presses(['2', '*']);
    talk.agent_presses(['*', '4']);
    talk.hears(2, speech());
    assert_eq!(said(&talk.world), [], "a complaint");
    talk.agent_presses(['*', '8']);
    talk.agent_presses(['1', '*']);
    talk.agent_presses(['*', '4']);
    talk.hears(10, speech());
    assert_eq!(said(&talk.world), [(Said::Number, Some("请稍等，我帮您查找资料。88000104".to_owned()))]);
    assert!(!talk.is_over());
}

#[test]
fn who_is_to_get_a_ticket_or_a_number_is_not_handed_on() {
    for (class, refused) in [(None, false), (Some('1'), true), (Some('2'), true)] {
        let mut world = World::new(plans("", TEXTS), 1);
        world.agents.colleagues = vec!["9".to_owned()];
        let then = Then::HandOn { after: secs(1.0), refer_after: secs(30.0), to: 0, hang_up_after: secs(60.0) };
        world.agents.expect([Conduct { rings: true, then }, answers(1.0)]);
        world.call(NUMBER, patience(30.0, Some(100.0)));
        world.run_for(secs(10.0));
        let call = world.facts[0].call;
        let leg = *world.legs().iter().find(|(_, side)| **side == Side::Agent).expect("a leg").0;
        for key in class.map_or(Vec::new(), |class| vec!['*', '8', class]) {
            let (at, duration) = (world.now(), Duration::from_millis(100));
            world.tell(Input::Media(media::Event::Key { call, leg, key, duration, at }));
            world.run_for(secs(0.3));
        }
        let (world, _) = finish(world);
        let why = RefusedTransfer::Policy;
        assert_eq!(has(&world, |what| *what == What::TransferRefused { by: Side::Agent, why }), refused, "{class:?}");
        assert_eq!(has(&world, |what| matches!(what, What::TransferStarted { .. })), !refused, "{class:?}");
    }
}

fn sought(policy: &str) -> Talk {
    let plan = format!("[agents]\nnumbers = [\"8\"]\nnobody = \"leave\"\n[person_sought]\n{policy}\n{LEAVE}");
    let mut talk = Talk::with(&plan, None, None);
    talk.hears(3, speech());
    talk.agent_presses(['*', '2']);
    talk.hears(6, silence());
    talk
}

const LEAVE: &str = "[step.leave]\ndo = \"message\"\ntext = \"请留下您的电话\"\nlongest_s = 10\n";

#[test]
fn the_agent_goes_to_look_for_somebody_and_is_not_heard_meanwhile() {
    let mut talk = sought("policy = \"fetch\"\ntext = \"请你稍等，我去帮您看一下。\"");
    assert_eq!(said(&talk.world), [(Said::PersonFetched, Some("请你稍等，我去帮您看一下。".to_owned()))]);
    assert!(has(&talk.world, |what| matches!(what, What::MuteStarted)));
    assert!(!has(&talk.world, |what| matches!(what, What::MuteEnded)));
    talk.agent_presses(['*', '6']);
    assert!(has(&talk.world, |what| matches!(what, What::MuteEnded)));
    assert!(!talk.is_over());
}

#[test]
fn a_caller_for_somebody_on_duty_is_refused_by_the_agent_and_stays() {
    let talk = sought("policy = \"refuse\"");
    assert_eq!(said(&talk.world), [(Said::PersonRefused, None)], "no recording says it");
    assert!(!talk.is_over() && !has(&talk.world, |what| matches!(what, What::MuteStarted)));
}

#[test]
fn a_caller_for_somebody_absent_leaves_a_message() {
    let mut talk = sought("policy = \"message\"\nthen = \"leave\"");
    talk.world.run_for(secs(30.0));
    let why = SentFor::PersonSought;
    assert!(has(&talk.world, |what| *what == What::SentToDesk { why, agent: "8".into() }));
    let (_, record) = talk.hang_up();
    assert_eq!((reason(&record).as_str(), record.outcome), ("message_left", Some(Outcome::Answered)));
    assert!(record.message.is_some());
}

#[test]
fn what_contradicts_itself_is_told_with_its_line() {
    let text = format!(
        "[hotline]\nid = \"p\"\norg = \"物业\"\nnumbers = [\"1\"]\n{HEAD}late_by = \"agent\"\nlate = \"不好意思,让您久等了\"\n\
         [agents]\nnumbers = [\"8\"]\n[person_sought]\ntext = \"您好！\"\nkey = \"*5\"\n\
         [transfer]\nclasses = {{ \"预订\" = \"tell_number\", \"咨询\" = \"later\" }}\n\
         [closing]\ntext = \"您好！\"\nkey = \"*7\"\n[nuisance]\nthen = \"hang_up\"\n"
    );
    let files = [PlanFile { name: "p".into(), bytes: text.into_bytes() }];
    let (_, mut faults) = compile(&files, Library::new(vec![&BuiltIn]), None, &[]);
    faults.sort();
    let shown: Vec<String> = faults.iter().map(|f| format!("{}: {}", f.line, f.what)).collect();
    assert_eq!(
        shown,
        [
            "9: greeting.late is told, and by greeting.late_by nobody says it",
            "12: person_sought.policy is \"message\", and where the caller goes is not told",
            "14: person_sought.key \"*5\" is no code for a talk",
            "16: transfer.classes: \"later\" is not known",
            "16: transfer.classes: \"预订\" is told a number, and there is none",
            "16: transfer: no call is of the class \"预订\"",
            "19: a key of [closing] is *7, and so is one of [nuisance]",
        ]
    );
}
