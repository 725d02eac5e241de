//! Dialplans with steps, as a supervisor writes them, tried in virtual time: queue, menu, announcement, message.

mod after;
mod codes;
#[path = "../common/mod.rs"]
mod common;
mod courtesies;
mod emergency;
mod greeting;
mod hours;
mod own_rules;
mod real;
mod recorded;
mod rules_table;
mod scripts;
mod shifts;
mod sixteen;
mod skills;

use std::time::Duration;

use hotline::call::fact::{Fact, What};
use hotline::cdr::{Outcome, Record};
use hotline::dialplan::compile::{PlanFile, compile};
use hotline::dialplan::plan::Plans;
use hotline::dialplan::prompt::Library;
use hotline::gateway::Input;
use hotline::ids::{CallId, LegId, Side};
use hotline::io::dialplans::BuiltIn;
use hotline::media::{self, Play};
use hotline::sim::phone::{Conduct, Patience, Then};
use hotline::sim::world::World;

const NUMBER: &str = "4008001234";
const HEAD: &str = r#"
[greeting]
text = "您好,{org}客户服务中心{agent_no}号接待员为您服务"
"#;

fn plan_text(start: &str, rest: &str) -> String {
    format!("[hotline]\nid = \"property\"\norg = \"物业\"\nnumbers = [\"{NUMBER}\"]\n{start}\n{HEAD}\n{rest}")
}

fn plans(start: &str, rest: &str) -> Plans {
    let files = [PlanFile { name: "p".into(), bytes: plan_text(start, rest).into_bytes() }];
    let (plans, faults) = compile(&files, Library::new(vec![&BuiltIn]), None, &["duty".into()]);
    assert!(faults.is_empty(), "{faults:#?}");
    plans
}

fn secs(s: f64) -> Duration {
    Duration::from_secs_f64(s)
}

fn answers(after: f64) -> Conduct {
    Conduct { rings: true, then: Then::Answer { after: secs(after), hang_up_after: None } }
}

fn patience(wait: f64, talk: Option<f64>) -> Patience {
    Patience { wait: secs(wait), talk: talk.map(secs) }
}

fn finish(mut world: World) -> (World, Vec<Record>) {
    assert!(world.run_to_rest(), "the world never comes to rest");
    assert!(world.gateway.is_idle(), "something was left behind");
    assert!(world.gateway.agents().queue.is_empty(), "somebody still waits");
    let mut calls: Vec<CallId> = world.facts.iter().map(|f| f.call).collect();
    calls.sort();
    calls.dedup();
    let of = |id: CallId| world.facts.iter().filter(|f| f.call == id).cloned().collect::<Vec<Fact>>();
    let records = calls.into_iter().map(|id| Record::from_facts(&of(id)).expect("a whole call")).collect();
    (world, records)
}

/// The caller presses a key now.
fn press(world: &mut World, key: char) {
    let call = world.facts.last().expect("a call").call;
    let leg: Vec<LegId> = world.legs().iter().filter(|(_, side)| **side == Side::Caller).map(|(l, _)| *l).collect();
    let at = world.now();
    let duration = Duration::from_millis(100);
    world.tell(Input::Media(media::Event::Key { call, leg: leg[0], key, duration, at }));
}

fn near(value: Option<u64>, ms: u64) {
    let value = value.expect("a value");
    assert!(value.abs_diff(ms) <= 5, "{value} is not about {ms}");
}

fn reason(record: &Record) -> String {
    serde_json::to_value(record.reason).expect("a word").as_str().unwrap_or_default().to_owned()
}

/// What the gateway said, in order.
fn heard(world: &World) -> Vec<&str> {
    let texts = world.facts.iter().map(|fact| match &fact.what {
        What::PlayStarted { prompt, .. } => prompt.as_str(),
        _ => "",
    });
    texts.filter(|text| !text.is_empty()).collect()
}

fn plays(world: &World) -> Vec<Play> {
    let play = |f: &Fact| if let What::PlayStarted { play, .. } = f.what { Some(play) } else { None };
    world.facts.iter().filter_map(play).collect()
}

const QUEUE: &str = r#"
[agents]
numbers = ["8"]

[queue]
text = "座席正忙，请稍候。"
ahead = "您前面还有{ahead}位客户在等待"
every_s = 20
longest_s = 60
otherwise = "leave"

[step.leave]
do = "message"
text = "座席全忙，请在提示音后留下您的电话和问题，我们会尽快给您回电。"
thanks = "您的留言已收到，我们会尽快与您联系，再见。"
longest_s = 30
"#;

#[test]
fn whoever_came_first_is_served_first() {
    let mut world = World::new(plans("", QUEUE), 1);
    world.agents.expect([answers(1.0), answers(1.0), answers(1.0)]);
    for talk in [15.0, 30.0, 40.0] {
        world.call(NUMBER, patience(90.0, Some(talk)));
        world.run_for(secs(2.0));
    }
    let (world, records) = finish(world);
    let [first, second, third] = &records[..] else { panic!("{} records", records.len()) };
    assert!([first, second, third].iter().all(|r| r.outcome == Some(Outcome::Answered)), "{records:#?}");
    assert_eq!(first.queue, None);
    assert_eq!(second.queue.as_ref().map(|q| q.position), Some(1));
    assert_eq!(third.queue.as_ref().map(|q| q.position), Some(2));
    assert!(second.answered_at < third.answered_at);
    let waited = second.queue.as_ref().and_then(|q| q.waited_ms);
    assert!(waited.is_some_and(|ms| (15_000..20_000).contains(&ms)), "{waited:?}");
    assert_eq!(second.rings, second.ring_to_answer_ms.map(|ms| (ms / 5_000 + 1) as u32));
    assert!(second.greeting.as_ref().is_some_and(|greeting| greeting.late), "four rings are late");
    assert!(plays(&world).contains(&Play::Queue));
    let ahead = |f: &&Fact| matches!(&f.what, What::PlayStarted { prompt, .. } if prompt.contains("还有1位"));
    assert_eq!(world.facts.iter().filter(ahead).count(), 1, "the third hears it once, the others never");
}

#[test]
fn the_longest_wait_ends_with_a_message() {
    let mut world = World::new(plans("", QUEUE), 1);
    world.agents.expect([answers(1.0)]);
    world.call(NUMBER, patience(90.0, Some(200.0)));
    world.run_for(secs(2.0));
    world.call(NUMBER, patience(90.0, None));
    let (world, records) = finish(world);
    let record = &records[1];
    assert_eq!(record.outcome, Some(Outcome::Overflow), "{record:#?}");
    assert_eq!((record.step.as_deref(), reason(record).as_str()), (Some("leave"), "message_left"));
    near(record.queue.as_ref().and_then(|q| q.waited_ms), 60_000);
    let message = record.message.clone().expect("a message");
    near(message.to_ms.zip(message.from_ms).map(|(to, from)| to - from), 30_000);
    assert_eq!(
        record.recording.duration_ms,
        record
            .ended_at
            .zip(record.connected_at)
            .map(|_| { record.duration_ms.unwrap() - record.wait_ms.unwrap() + 60_000 }),
        "the recording begins when the queue answered"
    );
    assert!(plays(&world).ends_with(&[Play::Message, Play::Beep, Play::Message]));
}

#[test]
fn whoever_leaves_the_queue_is_abandoned() {
    let mut world = World::new(plans("", QUEUE), 1);
    world.agents.expect([answers(1.0)]);
    world.call(NUMBER, patience(90.0, Some(60.0)));
    world.run_for(secs(2.0));
    world.call(NUMBER, patience(90.0, Some(12.0)));
    let (_, records) = finish(world);
    assert_eq!((records[1].outcome, reason(&records[1]).as_str()), (Some(Outcome::Abandoned), "caller_cancelled"));
    near(records[1].wait_ms, 12_000);
    assert_eq!(records[1].agent, None);
}

#[test]
fn an_agent_who_does_not_answer_rests_and_is_rung_again() {
    let mut world = World::new(plans("", QUEUE), 1);
    let ignores = Conduct { rings: true, then: Then::Ignore };
    world.agents.expect([ignores, answers(1.0)]);
    world.call(NUMBER, patience(90.0, Some(60.0)));
    let (world, records) = finish(world);
    assert_eq!(records[0].outcome, Some(Outcome::Answered), "{:#?}", records[0]);
    // 20 s of ringing, 10 s of rest, a second until the answer; the ring began with the first.
    near(records[0].ring_to_answer_ms, 31_000);
    let rings = world.facts.iter().filter(|f| matches!(f.what, What::Ring)).count();
    assert_eq!(rings, 1);
}

/// Twenty-two calls of a minute, and then two who wait for the one agent.
#[test]
fn who_waits_hears_how_long_it_will_be_once_calls_can_tell() {
    let estimate = "estimate = \"预计等待{minutes}分钟\"\nevery_s = 20";
    let mut world = World::new(plans("", &QUEUE.replace("every_s = 20", estimate)), 1);
    world.agents.expect((0..30).map(|_| answers(1.0)));
    let told = |world: &World| {
        let text = |f: &Fact| match &f.what {
            What::PlayStarted { prompt, .. } if prompt.contains("预计") => Some(prompt.clone()),
            _ => None,
        };
        world.facts.iter().filter_map(text).collect::<Vec<String>>()
    };
    for n in 0..24 {
        world.call(NUMBER, patience(90.0, Some(60.0)));
        world.run_for(secs(2.0));
        if n == 10 {
            world.call(NUMBER, patience(90.0, Some(20.0)));
            world.run_for(secs(10.0));
            assert_eq!(told(&world), [""; 0], "ten calls cannot tell");
        }
        world.run_for(secs(70.0));
    }
    world.call(NUMBER, patience(90.0, Some(60.0)));
    world.run_for(secs(2.0));
    for _ in 0..2 {
        world.call(NUMBER, patience(90.0, Some(12.0)));
        world.run_for(secs(1.0));
    }
    world.run_for(secs(14.0));
    assert_eq!(told(&world), ["预计等待1分钟", "预计等待2分钟"]);
}

const MENU: &str = r#"
[agents]
numbers = ["8"]

[step.choose]
do = "menu"
text = "自动柜员机请按一，自助缴费机请按二，安防设备请按三。"
keys = { 1 = "agents", 2 = "others", 9 = "closed" }
wait_s = 3
tries = 2
otherwise = "hang_up"

[step.others]
do = "ring"
numbers = ["9"]
otherwise = "closed"

[step.closed]
do = "say"
text = "您好，现在是非工作时间，我们的服务时间是工作日上午九点到下午六点，请留下您的电话，我们会尽快与您联系。"
"#;

fn menu() -> World {
    let mut world = World::new(plans("start = \"choose\"", MENU), 1);
    world.agents.expect([answers(2.0)]);
    world
}

#[test]
fn a_key_leads_to_agents_and_the_ring_begins_then() {
    let mut world = menu();
    world.call(NUMBER, patience(90.0, Some(40.0)));
    world.run_for(secs(5.0));
    press(&mut world, '2');
    let (world, records) = finish(world);
    let record = &records[0];
    assert_eq!(record.outcome, Some(Outcome::Answered), "{record:#?}");
    assert_eq!(record.agent.as_ref().map(ToString::to_string).as_deref(), Some("9"));
    near(record.ring_to_answer_ms, 2_000);
    near(record.wait_ms, 7_000);
    let steps: Vec<&str> = record.steps.iter().map(|step| step.step.as_str()).collect();
    assert_eq!(steps, ["choose", "others"]);
    assert_eq!(plays(&world), [Play::Menu, Play::Greeting]);
}

#[test]
fn no_key_and_a_wrong_key() {
    let mut world = menu();
    world.call(NUMBER, patience(90.0, None));
    world.run_for(secs(1.0));
    press(&mut world, '7');
    let (world, records) = finish(world);
    assert_eq!((records[0].outcome, reason(&records[0]).as_str()), (Some(Outcome::Failed), "menu_unanswered"));
    assert_eq!(plays(&world), [Play::Menu, Play::Menu], "asked twice, and no more");
}

#[test]
fn an_announcement_takes_the_call() {
    let mut world = menu();
    world.call(NUMBER, patience(90.0, None));
    world.run_for(secs(1.0));
    press(&mut world, '9');
    let (_, records) = finish(world);
    assert_eq!((records[0].outcome, reason(&records[0]).as_str()), (Some(Outcome::Overflow), "announced"));
    assert_eq!(records[0].step.as_deref(), Some("closed"));
    assert_eq!(serde_json::to_value(records[0].ended_by).unwrap(), "gateway");
}

#[test]
fn a_caller_who_leaves_during_the_menu_is_abandoned() {
    let mut world = menu();
    world.call(NUMBER, patience(90.0, Some(2.0)));
    let (_, records) = finish(world);
    assert_eq!(records[0].outcome, Some(Outcome::ShortAbandoned), "{:#?}", records[0]);
    assert_eq!(records[0].rings, Some(0), "nothing rang");
}

#[test]
fn faults_of_steps() {
    let text = format!(
        "[hotline]\nid = \"p\"\norg = \"物业\"\nnumbers = [\"1\"]\nstart = \"chose\"\n{HEAD}\n[agents]\nnumbers = [\"8\"]\n\
         queue = true\n[step.choose]\ndo = \"menu\"\ntext = \"您好\"\nkeys = {{ 12 = \"agents\" }}\n[step.agents]\ndo = \"say\"\n\
         text = \"您好\"\n[step.x]\ndo = \"sing\"\nsong = \"a\"\n"
    );
    let files = [PlanFile { name: "p".into(), bytes: text.into_bytes() }];
    let (_, mut faults) = compile(&files, Library::new(vec![&BuiltIn]), None, &[]);
    faults.sort();
    let shown: Vec<String> = faults.iter().map(ToString::to_string).collect();
    assert_eq!(
        shown,
        [
            "p:5: hotline.start: there is no step \"chose\": did you mean \"choose\"?",
            "p:12: agents.queue is true, and there is no [queue]: add [queue]",
            "p:16: step.choose.keys: \"12\" is no key: keys are 0 to 9, \"*\" and \"#\"",
            "p:17: a step cannot be called \"agents\": busy_tone, 480, hang_up, agents mean something of their own",
            "p:21: step.x.do \"sing\" is not known: did you mean \"ring\"?",
        ]
    );
}

#[test]
fn a_step_that_no_call_comes_to() {
    let text = format!(
        "[hotline]\nid = \"p\"\norg = \"物业\"\nnumbers = [\"1\"]\n{HEAD}\n[agents]\nnumbers = [\"8\"]\n[step.x]\ndo = \"say\"\ntext = \"您好\"\n"
    );
    let files = [PlanFile { name: "p".into(), bytes: text.into_bytes() }];
    let (_, faults) = compile(&files, Library::new(vec![&BuiltIn]), None, &[]);
    assert_eq!(faults.len(), 1);
    assert!(faults[0].to_string().starts_with("p:11: no call comes to step \"x\""), "{}", faults[0]);
}
