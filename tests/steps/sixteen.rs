//! The sixteen shipped dialplans: calls through each of them, in virtual time, and its own rule at work.

use std::sync::LazyLock;

use hotline::call::fact::{ClosedWhy, Fact, RingResult, What};
use hotline::call::presence::{Kind, Order, Presence, What as Told};
use hotline::cdr::{Outcome, Record, WhyOwed};
use hotline::dialplan::compile::{PlanFile, compile};
use hotline::dialplan::plan::Plans;
use hotline::dialplan::prompt::Library;
use hotline::ids::TargetName;
use hotline::io::dialplans::BuiltIn;
use hotline::sim::phone::Trick;
use hotline::sim::world::World;

use super::*;

static TARGETS: LazyLock<Vec<TargetName>> = LazyLock::new(|| {
    let names = [
        "sales_holder",
        "sales_deputy",
        "logistics_duty",
        "complaint_head",
        "logistics_head",
        "logistics_deputy",
        "general_manager",
    ];
    names.map(TargetName::from).to_vec()
});
pub(super) static PLANS: LazyLock<Plans> = LazyLock::new(|| compiled(&BuiltIn::examples()));

fn compiled(files: &[PlanFile]) -> Plans {
    let (plans, faults) = compile(files, Library::new(vec![&BuiltIn]), None, &TARGETS);
    assert!(faults.is_empty(), "{faults:#?}");
    plans
}

/// 2026-11-23, a Monday, at this hour of Shanghai.
pub(super) const MONDAY: f64 = 24.0;
pub(super) const OPEN: f64 = MONDAY + 10.0;

/// A world in which it is so many hours after Sunday's midnight, and everybody who logs in has.
pub(super) fn world_at(hours: f64, plans: &Plans) -> World {
    let mut world = World::new(plans.clone(), 1);
    run_to(&mut world, hours);
    for agent in plans.hotlines.iter().filter(|hotline| hotline.duty.login).flat_map(|hotline| hotline.everybody()) {
        order(&mut world, agent.as_str(), Order::Ready);
    }
    world
}

fn run_to(world: &mut World, hours: f64) {
    // It begins on Sunday at 07:17:24.
    let gone = world.now().mono.as_nanos() as f64 / 1e9;
    world.run_for(secs((hours - 7.0) * 3_600.0 - 1_044.0 - gone));
}

fn order(world: &mut World, agent: &str, order: Order) {
    world.tell(Input::Order { ticket: 1, agent: agent.into(), order });
}

pub(super) fn ignore() -> Conduct {
    Conduct { rings: true, then: Then::Ignore }
}

pub(super) struct Called {
    pub(super) world: World,
    pub(super) record: Record,
}

impl Called {
    pub(super) fn agent(&self) -> &str {
        self.record.agent.as_ref().map_or("", |agent| agent.as_str())
    }

    pub(super) fn greeting(&self) -> &str {
        self.record.greeting.as_ref().map_or("", |greeting| &greeting.text)
    }

    pub(super) fn steps(&self) -> Vec<&str> {
        self.record.steps.iter().map(|step| step.step.as_str()).collect()
    }

    pub(super) fn said(&self) -> Vec<&str> {
        heard(&self.world)
    }
}

/// One call at that hour; agents behave so, in the order in which they are rung, and ignore what comes after.
pub(super) fn call(hours: f64, number: &str, agents: &[Conduct]) -> Called {
    call_as(hours, "13912345678", number, agents, None)
}

/// `key`: pressed after five seconds.
pub(super) fn call_as(hours: f64, caller: &str, number: &str, agents: &[Conduct], key: Option<char>) -> Called {
    let mut world = world_at(hours, &PLANS);
    world.agents.expect(agents.to_vec());
    world.call_as(caller, number, patience(900.0, Some(800.0)), Trick::None);
    if let Some(key) = key {
        world.run_for(secs(5.0));
        press(&mut world, key);
    }
    let (world, mut records) = finish(world);
    assert_eq!(records.len(), 1);
    Called { world, record: records.remove(0) }
}

#[test]
fn sixteen_plans_one_number_each_and_all_led_to() {
    let ids: Vec<&str> = PLANS.hotlines.iter().map(|hotline| hotline.id.as_str()).collect();
    assert_eq!(ids.len(), 16, "{ids:?}");
    for (n, id) in (1..).zip(&ids) {
        assert!(id.starts_with(&format!("s{n:02}-")), "{ids:?}");
    }
}

/// Whoever answers first, and what the caller hears then.
const ANSWERED: [(&str, &str, &str); 14] = [
    ("4008000101", "1", "您好，物业客户服务中心1号接待员为您服务为保证服务质量，本次通话将被录音。"),
    ("4008000102", "21", "您好，这里是物业服务热线，请问需要什么服务？请讲"),
    ("4008000103", "31", "您好，售楼服务热线"),
    ("4008000105", "51", "您好，物业客户服务中心为您服务，请问有什么可以帮到您？"),
    ("4008000107", "71", "您好，投诉监督热线"),
    ("4008000108", "81", "您好，欢迎致电金叶客户服务热线，客服代表81号很高兴为您服务，请问有什么可以帮助您？"),
    ("4008000109", "91", "早上好，人力资源服务热线"),
    ("4008000110", "101", "为保证服务质量，本次通话将被录音。您好，电信客户服务中心，101号为您服务"),
    ("4008000111", "111", "您好，软件售后服务热线"),
    ("4008001123", "121", "您好，健康咨询热线，请问有什么可以帮助您？"),
    ("4008000113", "131", "您好，这里是科技公司服务热线，请问有什么可以帮助您？"),
    ("4008000114", "141", "您好，兑换中心，141号为您服务"),
    ("4008000115", "151", "您好，导医台，请问有什么可以帮助您？"),
    ("4008000116", "161", "您好，话务中心，161号为您服务"),
];

#[test]
fn answered_on_a_monday_morning() {
    for (number, agent, greeting) in ANSWERED {
        let called = call(OPEN, number, &[answers(2.0)]);
        assert_eq!(called.record.outcome, Some(Outcome::Answered), "{number}: {:#?}", called.record);
        assert_eq!((called.agent(), called.greeting()), (agent, greeting), "{number}");
        assert_eq!(called.record.called, number, "S12: the source of advertising");
        assert_eq!(called.record.closed, None);
    }
}

/// Where a caller ends whom nobody takes, by way of which steps, and what is said last.
const UNANSWERED: [(&str, &[&str], &str); 16] = [
    ("4008000101", &["leave"], "您的留言已收到，我们会尽快与您联系，再见。"),
    ("4008000102", &["heads", "leave"], "谢谢您拨打服务热线，再见"),
    ("4008000103", &["holder", "deputy", "leave"], "您的留言已收到，我们会尽快与您联系，再见。"),
    ("4008000104", &["class", "auxiliary", "duty", "leave"], "再见，谢谢"),
    ("4008000105", &["night"], "谢谢，再见。"),
    ("8008000106", &["class", "leave"], "谢谢您的来电，如果以后有需要，您可以再次拨打800电话，我们随时为您服务。"),
    ("4008000107", &["deputy", "office", "head", "leave"], "您的投诉已经受理，我们会尽快办理，并尽快给您答复"),
    ("4008000108", &["leave"], "我们的工作人员会尽快给您回复的，感谢您的来电，再见。"),
    ("4008000109", &["leave"], "您的留言已收到，我们会尽快与您联系，再见。"),
    ("4008000110", &["middle", "senior", "everybody", "leave"], "您的留言已收到，我们会尽快与您联系，再见。"),
    ("4008000111", &["leave"], "您的留言已收到，我们会尽快与您联系，再见。"),
    ("4008000112", &["specialists", "leave"], "祝您健康"),
    ("4008000113", &["duty", "leave"], "您的留言已收到，我们会尽快与您联系，再见。"),
    ("4008000114", &["leave"], "您的留言已收到，我们会尽快与您联系，再见。"),
    ("4008000115", &["sorry", "again", "night"], "祝您健康"),
    ("4008000116", &[], ""),
];

#[test]
fn nobody_answers_and_the_caller_can_leave_a_message() {
    for (number, steps, last) in UNANSWERED {
        let called = call(OPEN, number, &[]);
        assert_eq!(called.steps(), steps, "{number}");
        if last.is_empty() {
            assert_eq!((called.record.outcome, reason(&called.record).as_str()), (Some(Outcome::Failed), "no_answer"));
            continue;
        }
        assert_eq!(called.record.outcome, Some(Outcome::Overflow), "{number}: {:#?}", called.record);
        assert_eq!(
            (called.record.step.as_deref(), reason(&called.record).as_str()),
            (steps.last().copied(), "message_left")
        );
        assert!(called.record.message.is_some(), "{number}");
        assert_eq!(called.said().last(), Some(&last), "{number}");
    }
}

/// At which hour (since Sunday's midnight), and the step that takes the call: lunch, Sundays and holidays, the end of
/// the last shift.
#[test]
fn closed() {
    let day = 24.0;
    // 2026-12-31 is a Thursday; 2027-01-01 a holiday by law.
    let new_year = 40.0 * day;
    for (number, hours, why, step) in [
        ("4008000105", MONDAY + 7.9, ClosedWhy::Hours, "night"),
        ("4008000111", MONDAY + 8.9, ClosedWhy::Hours, "closed"),
        ("4008000111", 12.0, ClosedWhy::Hours, "closed"),
        ("4008000111", new_year + 10.0, ClosedWhy::Holiday, "holiday"),
        ("4008000115", MONDAY + 20.0, ClosedWhy::Hours, "night"),
        ("4008000116", MONDAY + 12.5, ClosedWhy::Hours, "closed"),
        ("4008000116", 10.0, ClosedWhy::Hours, "closed"),
        ("4008000116", new_year + 10.0, ClosedWhy::Holiday, "closed"),
        // In summer the afternoon begins half an hour later: Monday 2027-05-03, when it is no holiday any more.
        ("4008000116", 162.0 * day + 13.25, ClosedWhy::Hours, "closed"),
    ] {
        let called = call(hours, number, &[answers(1.0)]);
        assert_eq!((called.record.closed, called.steps()), (Some(why), vec![step]), "{number} at {hours}");
        assert_eq!((called.record.outcome, called.record.rings), (Some(Outcome::Overflow), Some(0)));
    }
    let open = call(MONDAY + 13.25, "4008000116", &[answers(1.0)]);
    assert_eq!((open.record.outcome, open.record.closed), (Some(Outcome::Answered), None), "in winter it is open then");
    // A holiday that is ordinary for a desk which is there 365 days a year.
    assert_eq!(call(new_year + 10.0, "4008000105", &[answers(1.0)]).record.outcome, Some(Outcome::Answered));
}

/// The targets of this world cannot be reached; the head's desk phone can.
#[test]
fn s04_by_a_key_the_operator_calls_the_heads_and_one_confirms() {
    let mut world = world_at(OPEN, &PLANS);
    world.agents.expect([answers(2.0), answers(3.0)]);
    let session = world.call("4008000104", patience(90.0, None)).expect("a call");
    world.run_for(secs(5.0));
    press(&mut world, '4');
    world.run_for(secs(8.0));
    let agent_presses = |world: &mut World, key: char| {
        let call = world.facts[0].call;
        let leg = *world.legs().iter().rfind(|(_, side)| **side == Side::Agent).expect("a leg").0;
        let (at, duration) = (world.now(), secs(0.1));
        world.tell(Input::Media(media::Event::Key { call, leg, key, duration, at }));
        world.run_for(secs(0.4));
    };
    agent_presses(&mut world, '*');
    agent_presses(&mut world, '1');
    world.run_for(secs(5.0));
    agent_presses(&mut world, '1');
    world.run_for(secs(5.0));
    world.hang_up(session);
    let (_, records) = finish(world);
    let had: Vec<&str> = records[0].segments.iter().map(|segment| segment.agent.as_str()).collect();
    assert_eq!(had, ["41", "45"], "R-316");
    assert_eq!(records[0].steps.last().map(|step| step.step.as_str()), Some("emergency"));
}

#[test]
fn s06_a_key_for_the_class_and_no_answer_before_the_second_ring() {
    for (key, agent) in [('1', "61"), ('2', "63"), ('3', "64")] {
        let called = call_as(OPEN, "13912345678", "8008000106", &[answers(1.5)], Some(key));
        assert_eq!((called.agent(), called.greeting()), (agent, "您好，技术支持热线"), "{key}");
        assert_eq!(called.record.rings, Some(2), "R-004");
        near(called.record.ring_to_answer_ms, 6_500);
        assert_eq!(called.record.answered_within_target, Some(true), "R-005");
        let classes = [('1', "自动柜员机"), ('2', "自助缴费机"), ('3', "安防设备")];
        let class = classes.into_iter().find(|(by, _)| *by == key).map(|(_, class)| class);
        assert_eq!(called.record.class.as_deref(), class, "R-145, R-169");
    }
    let other = call(OPEN, "8008000106", &[answers(1.5)]);
    assert_eq!((other.agent(), other.steps()), ("61", vec!["class"]), "R-150: no key, everybody");
}

#[test]
fn s07_the_complaint_goes_up_and_each_who_did_not_answer_is_told() {
    let called = call(OPEN, "4008000107", &[ignore(), ignore(), answers(1.0), ignore()]);
    assert_eq!((called.agent(), called.steps()), ("73", vec!["deputy", "office"]));
    let released = |f: &Fact| match &f.what {
        What::AgentReleased { agent, result: RingResult::NoAnswer, .. } => Some(agent.to_string()),
        _ => None,
    };
    let missed: Vec<String> = called.world.facts.iter().filter_map(released).collect();
    assert_eq!(missed, ["71", "72"]);
}

#[test]
fn s08_an_apology_after_the_third_ring_and_a_list_of_callbacks_in_an_outage() {
    let late = call(OPEN, "4008000108", &[answers(16.0)]);
    assert!(late.greeting().starts_with("不好意思,让您久等了您好"), "R-008, C17: the line was not busy");
    // A phone that is engaged, and then a slow one.
    let busy = Conduct { rings: false, then: Then::Refuse { after: secs(0.1), status: 486 } };
    let late_busy = call(OPEN, "4008000108", &[busy, answers(16.0)]);
    assert_eq!(late_busy.greeting(), "对不起，刚才因为线路忙，让您久等了！请问有什么可以帮助您？", "C17: it was");
    assert!(late_busy.record.greeting.as_ref().is_some_and(|greeting| greeting.late));
    assert_eq!(late.record.rings, Some(4));

    let mut files = BuiltIn::examples();
    let tobacco = files.iter_mut().find(|file| file.name.contains("S08")).expect("S08");
    let text = String::from_utf8(tobacco.bytes.clone()).expect("text");
    tobacco.bytes = text.replace("active = false", "active = true").into_bytes();
    let mut world = world_at(OPEN, &compiled(&files));
    world.call("4008000108", patience(90.0, Some(200.0)));
    let (_, records) = finish(world);
    assert_eq!((records[0].closed, records[0].step.as_deref()), (Some(ClosedWhy::Outage), Some("out_of_order")));
    assert!(records[0].message.is_some(), "somebody to call back");
    let owed = records[0].callback.expect("on the list");
    assert_eq!(owed.why, WhyOwed::Outage, "R-489");
}

/// Within which time each hotline that says so calls back whoever left a message, and after how
/// many attempts it may close.
#[test]
fn callbacks_are_due_as_each_rule_book_asks() {
    let due = [
        ("4008000101", 1_800),
        ("4008000103", 3_600),
        ("8008000106", 24 * 3_600),
        ("4008000109", 24 * 3_600),
        ("4008000110", 72 * 3_600),
        ("4008000111", 24 * 3_600),
        ("4008000114", 72 * 3_600),
    ];
    for (number, within_s) in due {
        let called = call(OPEN, number, &[]);
        let owed = called.record.callback.expect("on the list");
        let ended = called.record.ended_at.expect("an end").0;
        assert_eq!((owed.why, owed.attempts), (WhyOwed::Message, 5), "{number}");
        assert_eq!(owed.due_at.0, ended + secs(f64::from(within_s)), "{number}");
    }
    assert_eq!(call(OPEN, "4008000116", &[]).record.callback, None, "its rules know no callback");
}

#[test]
fn s11_the_caller_appraises_by_keys_and_the_agent_tells_the_kind_of_service() {
    let mut world = world_at(OPEN, &PLANS);
    let then = Then::Answer { after: secs(2.0), hang_up_after: Some(secs(30.0)) };
    world.agents.expect([Conduct { rings: true, then }]);
    world.call("4008000111", patience(90.0, None));
    world.run_for(secs(20.0));
    let call = world.facts[0].call;
    let leg = *world.legs().iter().find(|(_, side)| **side == Side::Agent).expect("a leg").0;
    for key in ['*', '8', '3'] {
        let (at, duration) = (world.now(), secs(0.1));
        world.tell(Input::Media(media::Event::Key { call, leg, key, duration, at }));
        world.run_for(secs(0.4));
    }
    world.run_for(secs(14.0));
    for key in ['2', '1', '4', '3'] {
        press(&mut world, key);
        world.run_for(secs(2.0));
    }
    let (_, records) = finish(world);
    let survey = records[0].survey.clone().expect("asked");
    assert_eq!(
        (survey.grades, records[0].class.as_deref()),
        ([2, 1, 4, 3].map(Some).to_vec(), Some("C 无偿")),
        "R-383"
    );
}

#[test]
fn s10_from_junior_to_middle_to_senior() {
    let called = call(OPEN, "4008000110", &[ignore(), ignore(), ignore(), ignore(), ignore(), answers(1.0)]);
    assert_eq!((called.agent(), called.steps()), ("106", vec!["middle", "senior"]));
    assert!(called.record.greeting.as_ref().is_some_and(|greeting| greeting.late));
    assert!(called.record.notice.is_some());
}

/// Ten minutes before each shift, and nobody leaves before the successor is there.
#[test]
fn s10_who_misses_a_shift_is_told_of_and_who_is_needed_stays() {
    let mut world = World::new(PLANS.clone(), 1);
    let missing = |world: &World| {
        let missing = world.agent_facts.iter().filter(|fact| match &fact.what {
            Told::MissesShift { hotline, .. } => hotline.as_str() == "s10-telecom",
            _ => false,
        });
        missing.map(|fact| fact.agent.to_string()).collect::<Vec<_>>()
    };
    let (day, night) = (["101", "102", "104", "106"], ["103", "105"]);
    run_to(&mut world, 19.8);
    assert_eq!(missing(&world), day);
    run_to(&mut world, 19.9);
    assert_eq!(missing(&world), [&day[..], &night[..]].concat(), "R-344: ten minutes before");
    order(&mut world, "103", Order::Ready);
    run_to(&mut world, MONDAY + 3.0);
    let kind = |world: &World| world.gateway.agents().presence(&"103".into()).map(Presence::kind);
    order(&mut world, "103", Order::LogOut);
    assert_eq!(kind(&world), Some(Kind::Ready), "R-345: past midnight it is still the same shift");
    run_to(&mut world, MONDAY + 7.9);
    assert_eq!(missing(&world), [&day[..], &night[..], &day[..]].concat());
    order(&mut world, "101", Order::Ready);
    order(&mut world, "103", Order::LogOut);
    assert_eq!(kind(&world), Some(Kind::LoggedOut), "R-345: the successor is there");
}

#[test]
fn s15_somebody_is_at_the_desk_while_others_eat() {
    let desk = PLANS.hotlines.iter().find(|hotline| hotline.id.as_str() == "s15-hospital-guide").expect("S15");
    let agents = desk.everybody();
    let midnight = World::new(PLANS.clone(), 1).now().wall + secs((MONDAY - 7.0) * 3_600.0 - 1_044.0);
    let there = |minute: u32| {
        let at = midnight + secs(f64::from(minute) * 60.0);
        agents.iter().filter(|agent| desk.is_on_shift(agent, at, secs(0.0))).count()
    };
    assert!((8 * 60..20 * 60).all(|minute| there(minute) > 0), "R-354");
    assert_eq!([7 * 60 + 59, 8 * 60, 11 * 60 + 45, 15 * 60, 17 * 60 + 45, 20 * 60].map(there), [0, 2, 1, 3, 1, 0]);
}

#[test]
fn s13_big_customers_first_and_the_duty_phone_during_the_meeting() {
    let mut world = world_at(OPEN, &PLANS);
    world.agents.expect([answers(1.0), answers(1.0), answers(1.0), answers(1.0)]);
    for (caller, talk) in [("13911111111", 30.0), ("13922222222", 40.0), ("13933333333", 90.0), ("13900000132", 90.0)] {
        world.call_as(caller, "4008000113", patience(90.0, Some(talk)), Trick::None);
        world.run_for(secs(4.0));
    }
    let (world, records) = finish(world);
    assert!(records[3].answered_at < records[2].answered_at, "R-017");
    assert!(world.facts.iter().any(|f| f.what == What::Placed { priority: 1, waited_ms: None }));

    let meeting = call(MONDAY + 8.25, "4008000113", &[answers(1.0)]);
    assert_eq!((meeting.agent(), meeting.record.closed), ("139", Some(ClosedWhy::Hours)), "R-359");
}

#[test]
fn s14_colleagues_hear_another_greeting_and_s09_the_time_of_day() {
    let colleague = call_as(OPEN, "8021", "4008000114", &[answers(1.0)], None);
    assert_eq!(colleague.greeting(), "您好，兑换中心，请问有什么可以帮助您？", "R-030");
    for (hours, greeting) in [(MONDAY + 3.0, "晚上好"), (MONDAY + 14.0, "下午好"), (MONDAY + 19.0, "晚上好")] {
        let called = call(hours, "4008000109", &[answers(1.0)]);
        assert_eq!(called.greeting(), format!("{greeting}，人力资源服务热线"), "R-032, R-333");
    }
}

/// Three and more of everybody's callers: the queue says where they stand.
#[test]
fn busy() {
    for (number, agents) in [("4008000101", 3), ("4008000108", 3), ("4008000109", 2), ("4008000110", 6)] {
        let mut world = world_at(OPEN, &PLANS);
        world.agents.expect((0..agents).map(|_| answers(0.5)));
        for n in 0..agents + 2 {
            world.call_as(&format!("1391234000{n}"), number, patience(900.0, Some(700.0)), Trick::None);
            world.run_for(secs(1.0));
        }
        let (world, records) = finish(world);
        let positions: Vec<_> = records.iter().filter_map(|r| r.queue.as_ref().map(|q| q.position)).collect();
        assert_eq!(positions, [1, 2], "{number}");
        let ahead = "您前面还有1位客户在等待";
        let told = |f: &Fact| matches!(&f.what, What::PlayStarted { prompt, .. } if prompt == ahead);
        assert!(world.facts.iter().any(told), "{number}");
        assert_eq!(records.iter().filter(|r| r.outcome == Some(Outcome::Overflow)).count(), 2, "{number}");
    }
}
