//! The sixteen shipped dialplans in a talk: what each rule book asks of agents and callers, tried by the keys and sounds that ask for it.

use hotline::call::fact::RefusedTransfer;
use hotline::call::script::{Cue, Deed, Script};
use hotline::dialplan::notes::Limit;
use hotline::sim::phone::Trick;

use super::scripts::{Talk, faint, noise, silence, speech};
use super::sixteen::{MONDAY, OPEN, PLANS, call, call_as, ignore, world_at};
use super::*;

/// The first who is rung answers, and the caller is just greeted.
fn talk(number: &str) -> Talk {
    Talk::through(world_at(OPEN, &PLANS), number, None, None)
}

/// What is said once the agent has pressed `*` and this key; the call goes on.
fn said_by(number: &str, key: char) -> String {
    let mut talk = talk(number);
    talk.hears(3, speech());
    talk.agent_presses(['*', key]);
    talk.hears(12, silence());
    assert!(!talk.is_over(), "the caller hangs up first");
    let said = heard(&talk.world).last().map_or_else(String::new, |text| (*text).to_owned());
    assert_eq!(reason(&talk.hang_up().1), "caller_hung_up");
    said
}

/// The class that the caller's call has once the agent has pressed `*8` and this key, and by when its note is settled.
fn classed(number: &str, key: char) -> (Option<String>, Option<Limit>) {
    let mut talk = talk(number);
    talk.hears(3, speech());
    talk.agent_presses(['*', '8']);
    talk.agent_presses([key, '0']);
    let (_, record) = talk.hang_up();
    let plan = PLANS.by_number.get(number).expect("a plan");
    let classes = plan.duty.note_classes();
    let limit = classes.iter().find(|class| Some(class.name.as_str()) == record.class.as_deref()).map(|c| c.limit);
    (record.class, limit)
}

#[test]
fn s01_a_colleague_is_fetched_and_who_was_kept_waiting_hears_an_apology() {
    let mut fetched = talk("4008000101");
    fetched.hears(3, speech());
    fetched.agent_presses(['*', '2']);
    fetched.hears(6, silence());
    assert_eq!(heard(&fetched.world).last(), Some(&"请你稍等，我去帮您看一下。"), "R-124");
    let mutes = |talk: &Talk| {
        let mutes = talk.world.facts.iter().filter(|f| matches!(f.what, What::MuteStarted | What::MuteEnded));
        mutes.count()
    };
    assert_eq!(mutes(&fetched), 1, "R-124: no noise on the open line");
    fetched.agent_presses(['*', '6']);
    fetched.hears(4, speech());
    assert_eq!(mutes(&fetched), 2);
    assert_eq!(heard(&fetched.world).last(), Some(&"对不起，让您久等了"), "R-117: a mute is a wait");

    let mut held = talk("4008000101");
    held.hold(true);
    held.hears(10, silence());
    held.hold(false);
    held.hears(4, speech());
    assert_eq!(held.said(), ["对不起，让您久等了"], "R-117");

    let mut wrong = talk("4008000101");
    wrong.agent_presses(['*', '9']);
    wrong.hears(12, silence());
    assert_eq!(heard(&wrong.world).last(), Some(&"对不起，这里是物业客户服务中心，请您查证后再拨。"));
    assert!(wrong.is_over());
}

#[test]
fn s02_three_minutes_are_told_the_agent_and_hard_questions_go_to_the_heads() {
    let mut long = talk("4008000102");
    long.hears(140, speech());
    assert_eq!(long.cues(), []);
    long.hears(60, speech());
    assert_eq!(long.cues(), [(Cue::TalkNearItsLength, true), (Cue::TalkAtItsLength, true)], "R-200");
    assert!(!long.is_over(), "R-195: the caller hangs up first");
    assert_eq!(said_by("4008000102", '3'), "谢谢您拨打服务热线，再见", "R-203");
    let heads = call(OPEN, "4008000102", &[ignore(), ignore(), answers(1.0)]);
    assert_eq!((heads.agent(), heads.steps()), ("28", vec!["heads"]), "R-131");
    assert_eq!(heads.greeting().matches("号").count(), 0, "R-020: nobody's number");
}

#[test]
fn s03_the_holder_of_the_mobile_then_the_deputy_then_the_office() {
    let called = call(OPEN + 12.0, "4008000103", &[answers(1.0)]);
    assert_eq!(
        (called.agent(), called.steps()),
        ("31", vec!["holder", "deputy"]),
        "R-016, R-331: at ten in the evening"
    );
    let released = called.world.facts.iter().filter(|f| matches!(f.what, What::TargetReleased { .. })).count();
    assert_eq!(released, 2, "R-331: each call in vain is a fact");
}

#[test]
fn s04_a_class_by_key_and_the_number_for_bookings() {
    for (key, class) in [('1', "投诉"), ('2', "咨询"), ('4', "求助")] {
        let called = call_as(OPEN, "13912345678", "4008000104", &[answers(1.0)], Some(key));
        assert_eq!((called.agent(), called.record.class.clone()), ("41", Some(class.to_owned())), "{key}");
        assert_eq!(called.greeting(), "你好，后勤服务热线", "R-021");
        assert_eq!(called.said()[0], "你好，后勤服务热线，投诉请按一，咨询请按二，预订请按三，求助请按四。");
    }
    let booking = call_as(OPEN, "13912345678", "4008000104", &[answers(1.0)], Some('3'));
    assert_eq!(booking.said()[1], "预订请拨打电话，88000104", "R-138");
    assert_eq!((booking.agent(), booking.record.class.as_deref()), ("41", Some("预订")));
    // No key, and nobody at the main line: everybody at the auxiliary lines at once.
    let auxiliary = call(OPEN, "4008000104", &[ignore(), ignore(), ignore(), ignore(), answers(2.0)]);
    assert_eq!((auxiliary.agent(), auxiliary.steps()), ("47", vec!["class", "auxiliary"]), "R-011: somebody answers");
}

#[test]
fn s04_a_farewell_and_the_number_for_bookings_by_the_operators_keys() {
    assert_eq!(said_by("4008000104", '3'), "再见，谢谢", "R-204");
    let mut booking = talk("4008000104");
    booking.agent_presses(['*', '8']);
    booking.agent_presses(['3', '*']);
    booking.agent_presses(['*', '4']);
    booking.hears(8, silence());
    assert_eq!(heard(&booking.world).last(), Some(&"预订请拨打电话，88000104"), "R-138");
    assert_eq!(classed("4008000104", '1'), (Some("投诉".to_owned()), Some(Limit::Hours(24))), "R-238");
}

#[test]
fn s06_a_farewell_and_365_days_a_year() {
    let new_year = 40.0 * 24.0;
    let called = call_as(new_year + 3.0, "13912345678", "8008000106", &[answers(1.5)], Some('1'));
    assert_eq!((called.agent(), called.record.closed), ("61", None), "R-327");
    let said = said_by("8008000106", '3');
    assert_eq!(said, "谢谢您的来电，如果以后有需要，您可以再次拨打800电话，我们随时为您服务。", "R-206");
    assert_eq!(classed("8008000106", '1').1, Some(Limit::WorkingDays(2)), "R-243");
}

/// A complaint that came to the general manager's office is the officer's to write down.
#[test]
fn s07_the_officer_is_added_and_the_heads_mobile_is_tried_last() {
    let mut world = world_at(OPEN, &PLANS);
    world.agents.expect([ignore(), ignore(), answers(1.0), ignore()]);
    let session = world.call("4008000107", patience(900.0, None)).expect("a call");
    world.run_for(secs(50.0));
    world.agents.expect([answers(1.0)]);
    world.dial_as_agent("73", "*4771", patience(30.0, None));
    world.run_for(secs(20.0));
    world.hang_up(session);
    let (_, records) = finish(world);
    let added: Vec<(&str, &str)> = records[0]
        .added
        .iter()
        .map(|added| (added.agent.as_ref().map_or("", |agent| agent.as_str()), added.by.as_str()))
        .collect();
    assert_eq!(added, [("71", "73")], "R-283");
    let nobody = call(OPEN, "4008000107", &[]);
    let tried = |f: &&Fact| matches!(f.what, What::TargetReleased { .. });
    assert_eq!(nobody.world.facts.iter().filter(tried).count(), 1, "R-330: that the head was not reached is a fact");
    assert_eq!(PLANS.by_number["4008000107"].duty.note_classes()[0].limit, Limit::WorkingDays(2), "R-253");
}

#[test]
fn s08_silence_noise_low_voice_and_their_farewells() {
    let (farewell, close) = (Deed::Farewell, Deed::Close);
    let mut silent = talk("4008000108");
    silent.hears(60, silence());
    let deeds = silent.deeds();
    assert_eq!(silent.did(), [Deed::Ask, farewell, close].map(|deed| (Script::Silent, deed)), "R-104");
    assert_eq!(deeds[0].2, 5_000, "R-104: five seconds after the greeting");
    assert_eq!(
        silent.said(),
        ["您好，请问有什么可以帮助您？", "对不起！您的电话没有声音，请您换一部电话再次打来，好吗？再见！"],
        "R-104"
    );
    assert_eq!(reason(&silent.hang_up().1), "silent_caller");

    let mut loud = talk("4008000108");
    loud.hears(60, noise());
    assert_eq!(loud.did(), [farewell, close].map(|deed| (Script::Noise, deed)));
    let mut low = talk("4008000108");
    low.hears(8, faint());
    assert_eq!(low.did().first(), Some(&(Script::LowVolume, Deed::Ask)));
    assert_eq!(low.said()[0], "对不起，您的电话声音太小，请您拿起话筒说话好吗？");
}

#[test]
fn s08_a_private_call_a_nuisance_another_department_and_two_kinds_of_complaint() {
    let refused = "对不起，公司规定上班时间不允许接听私人电话，请您下班后再与她联系，谢谢您，再见！";
    assert_eq!(said_by("4008000108", '2'), refused, "R-134: never cut off");
    assert_eq!(said_by("4008000108", '3'), "感谢您的来电，若有问题请再次来电，谢谢再见！", "R-208");

    let mut nuisance = talk("4008000108");
    nuisance.agent_presses(['*', '7']);
    nuisance.hears(12, silence());
    assert_eq!(heard(&nuisance.world).last(), Some(&"对不起，你的要求不在我们的服务范围内，请您挂机。"), "R-225");
    assert_eq!(nuisance.hang_up().1.steps.last().map(|step| step.step.as_str()), Some("automatic_desk"), "R-225");

    let mut held = talk("4008000108");
    held.hold(true);
    held.hears(40, silence());
    held.hold(false);
    held.hears(4, speech());
    assert_eq!(held.said(), ["对不起，请您稍等一会儿好吗？", "对不起，让您久等了"], "R-118");

    let mut world = world_at(OPEN, &PLANS);
    world.agents.colleagues = vec!["82".to_owned()];
    let then = Then::HandOn { after: secs(1.0), refer_after: secs(20.0), to: 0, hang_up_after: secs(60.0) };
    world.agents.expect([Conduct { rings: true, then }]);
    world.call("4008000108", patience(30.0, Some(60.0)));
    let (world, _) = finish(world);
    let ticket = What::TransferRefused { by: Side::Agent, why: RefusedTransfer::Policy };
    assert!(world.facts.iter().any(|f| f.what == ticket), "R-137");

    for (key, class, hours) in [('3', "简单投诉", 2), ('4', "复杂投诉", 24)] {
        let made = classed("4008000108", key);
        assert_eq!(made, (Some(class.to_owned()), Some(Limit::Hours(hours))), "R-257");
    }
}

/// The caller of the call of this number (from 0), of those that are all live, presses a key.
fn press_in(world: &mut World, number: usize, key: char) {
    let mut calls: Vec<CallId> = world.facts.iter().map(|fact| fact.call).collect();
    calls.sort();
    calls.dedup();
    let mut legs = world.legs().iter().filter(|(_, side)| **side == Side::Caller).map(|(leg, _)| *leg);
    let (call, leg) = (calls[number], legs.nth(number).expect("a leg"));
    let (at, duration) = (world.now(), secs(0.1));
    world.tell(Input::Media(media::Event::Key { call, leg, key, duration, at }));
    world.run_for(secs(0.5));
}

/// Both agents talk; the caller would rather leave a message than wait.
#[test]
fn s09_message_or_hold_by_the_callers_key_and_two_clocks() {
    let mut world = world_at(OPEN, &PLANS);
    world.agents.expect([answers(0.5), answers(0.5)]);
    for n in 0..2 {
        world.call_as(&format!("1391234000{n}"), "4008000109", patience(90.0, Some(120.0)), Trick::None);
        world.run_for(secs(1.0));
    }
    for n in [7, 8] {
        world.call_as(&format!("1391234000{n}"), "4008000109", patience(300.0, Some(200.0)), Trick::None);
        world.run_for(secs(1.0));
    }
    world.run_for(secs(4.0));
    let asked = "座席正忙，请稍候。如需留言请按一，继续等待请不要挂机。";
    assert!(heard(&world).contains(&asked), "R-125: why, and R-142: message or hold");
    let waiting = |world: &World| world.gateway.agents().queue.len();
    assert_eq!(waiting(&world), 2);
    press_in(&mut world, 2, '7');
    assert_eq!(waiting(&world), 2, "a key that leads nowhere");
    press_in(&mut world, 2, '1');
    assert_eq!(waiting(&world), 1, "R-142: who presses nothing waits on");
    let (_, records) = finish(world);
    let message = &records[2];
    assert_eq!((message.outcome, records[3].outcome), (Some(Outcome::Overflow), Some(Outcome::Overflow)));
    assert_eq!(records[3].queue.as_ref().and_then(|q| q.waited_ms), Some(60_000));
    assert_eq!((message.step.as_deref(), message.message.is_some()), (Some("leave"), true), "R-141, R-142");
    assert!(message.queue.as_ref().and_then(|q| q.waited_ms).is_some_and(|ms| ms < 10_000));
    for (key, class, days) in [('1', "咨询", 2), ('2', "投诉", 5)] {
        let made = classed("4008000109", key);
        assert_eq!(made, (Some(class.to_owned()), Some(Limit::WorkingDays(days))), "R-261, R-262");
    }
}

#[test]
fn s10_the_leader_is_called_in() {
    let mut world = world_at(OPEN, &PLANS);
    world.agents.expect([answers(1.0)]);
    let session = world.call("4008000110", patience(900.0, None)).expect("a call");
    world.run_for(secs(20.0));
    world.agents.expect([answers(1.0)]);
    world.dial_as_agent("101", "*47106", patience(30.0, None));
    world.run_for(secs(20.0));
    world.hang_up(session);
    let (_, records) = finish(world);
    let added = records[0].added.first().and_then(|added| added.agent.clone());
    assert_eq!(added, Some("106".into()), "R-147");
}

#[test]
fn s11_a_complaint_is_closed_within_six_days() {
    assert_eq!(classed("4008000111", '5'), (Some("投诉".to_owned()), Some(Limit::Hours(144))), "R-271");
}

#[test]
fn s12_the_specialists_are_rung_together_when_no_consultant_answers() {
    let called = call(OPEN, "4008000112", &[ignore(), ignore(), ignore(), answers(1.0)]);
    assert_eq!((called.agent(), called.steps()), ("126", vec!["specialists"]), "R-144");
}

#[test]
fn s14_silence_b_noise_of_ten_seconds_and_a_farewell_for_each_end() {
    let mut silent = talk("4008000114");
    silent.hears(60, silence());
    let asked = [Deed::Ask, Deed::Ask, Deed::Farewell, Deed::Close];
    assert_eq!(silent.did(), asked.map(|deed| (Script::Silent, deed)), "R-106");
    let mut loud = talk("4008000114");
    loud.hears(60, noise());
    let deeds = loud.deeds();
    assert_eq!(loud.did(), [Deed::Ask, Deed::Farewell, Deed::Close].map(|deed| (Script::Noise, deed)), "R-111");
    assert!(deeds[1].2 - deeds[0].2 >= 10_000, "R-111: {deeds:?}");
    assert_eq!(said_by("4008000114", '3'), "感谢您的来电，再见！", "R-210");
    let unresolved = "我们的工作人员会尽快给您回复的，感谢您的来电，再见。";
    assert_eq!(said_by("4008000114", '0'), unresolved, "R-210");
}

#[test]
fn s15_an_apology_while_one_waits_and_nobody_is_welcomed_back() {
    let mut held = talk("4008000115");
    held.hold(true);
    held.hears(40, silence());
    held.hold(false);
    held.hears(4, speech());
    assert_eq!(held.said(), ["对不起，请您稍等一会儿好吗？", "对不起，让您久等了"], "R-122, R-123");
    assert_eq!(said_by("4008000115", '3'), "祝您健康", "R-015");
    for hours in [OPEN, MONDAY + 21.0] {
        let called = call(hours, "4008000115", &[]);
        assert!(called.said().iter().all(|text| !text.contains("欢迎再来")), "R-015");
        assert_eq!(called.said().last(), Some(&"祝您健康"), "R-015");
    }
}
