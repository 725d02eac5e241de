use super::*;
use crate::call::fact::RingResult;
use crate::call::leg::Callee;
use crate::call::reason::{EndedBy, Reason};
use crate::ledger::story::{self, Story, agent};

/// Runs a call's facts and its deadlines in order; each cue with milliseconds since *offered*.
fn cues(story: Story) -> Vec<(u64, Cue)> {
    let facts = story.facts();
    let (first, rest) = facts.split_first().unwrap();
    let mut watch = Watch::begin(first, &Pack::built_in()).unwrap();
    let offered = Instant::from_nanos(first.at.mono_ns);
    let mut found = Vec::new();
    let mut run_to = |watch: &mut Watch, now: Instant| {
        while let Some((at, why)) = watch.poll_timeout().filter(|(at, _)| *at <= now) {
            assert!(!why.is_empty());
            let ms = u64::try_from(at.since(offered).as_millis()).unwrap();
            let told = watch.handle_timeout(at);
            assert!(!told.is_empty(), "it said that it was time");
            found.extend(told.into_iter().map(|cue| (ms, cue)));
        }
    };
    for fact in rest {
        run_to(&mut watch, Instant::from_nanos(fact.at.mono_ns));
        watch.handle_fact(fact);
    }
    run_to(&mut watch, offered + Duration::from_secs(36_000));
    found
}

fn held(by: Side) -> What {
    What::HoldStarted { by }
}

#[test]
fn the_second_ring_is_told_when_it_begins() {
    let ringing = Story::new(1).at(20, What::AgentInvited { attempt: 1, agent: agent("8") }).at(1_000, What::Ring);
    assert_eq!(cues(ringing.clone()), [(6_000, Cue::SecondRing)]);
    assert_eq!(cues(ringing.clone().answered(5_999).ended(20_000, Reason::CallerHungUp, EndedBy::Caller)), []);
    let left = ringing.ended(5_000, Reason::CallerCancelled, EndedBy::Caller);
    assert_eq!(cues(left), []);
}

#[test]
fn a_long_talk_is_told_half_a_minute_before_and_at_three_minutes() {
    let talk = Story::talking(1);
    let told = [(154_000, Cue::TalkNearItsLength), (184_000, Cue::TalkAtItsLength)];
    assert_eq!(cues(talk.clone().ended(500_000, Reason::CallerHungUp, EndedBy::Caller)), told);
    assert_eq!(cues(talk.clone().ended(160_000, Reason::CallerHungUp, EndedBy::Caller)), told[..1]);
    // A transfer and a hold of the caller's are no talk.
    let apart = talk
        .at(50_000, held(Side::Caller))
        .at(60_000, What::HoldEnded { by: Side::Caller })
        .at(70_000, story::started(Callee::Agent(agent("9")), false))
        .at(90_000, What::TransferCompleted { attempt: 2, to: Callee::Agent(agent("9")) });
    assert_eq!(cues(apart), [(184_000, Cue::TalkNearItsLength), (214_000, Cue::TalkAtItsLength)]);
}

#[test]
fn each_hold_of_the_agents_is_told_twice_and_then_begins_anew() {
    let story = Story::talking(1)
        .at(10_000, held(Side::Agent))
        .at(140_000, What::HoldEnded { by: Side::Agent })
        .at(141_000, held(Side::Agent))
        .at(150_000, What::HoldEnded { by: Side::Agent })
        .at(151_000, held(Side::Agent))
        .ended(215_000, Reason::CallerHungUp, EndedBy::Caller);
    let told = [(70_000, Cue::HoldAtItsLength), (130_000, Cue::HoldAtTwiceItsLength), (211_000, Cue::HoldAtItsLength)];
    assert_eq!(cues(story), told);
    assert_eq!(
        cues(Story::talking(1).at(10_000, held(Side::Caller)).at(300_000, What::HoldEnded { by: Side::Caller }).ended(
            301_000,
            Reason::CallerHungUp,
            EndedBy::Caller
        )),
        []
    );
}

fn calls_in() -> What {
    What::AddStarted { attempt: 2, by: agent("8"), to: Callee::Agent(agent("9")) }
}

#[test]
fn a_hold_in_which_somebody_is_called_in_grows_no_longer() {
    let nobody_comes = What::AddFailed { attempt: 2, result: RingResult::Busy, status: None };
    let story = Story::talking(1).at(10_000, held(Side::Agent)).at(30_000, calls_in()).at(80_000, nobody_comes);
    let story = story.ended(150_000, Reason::CallerHungUp, EndedBy::Caller);
    assert_eq!(cues(story), [(120_000, Cue::HoldAtItsLength)], "fifty seconds of it were none");
}

#[test]
fn whoever_looks_late_gets_all_that_is_due_in_order_and_nothing_that_is_over() {
    let facts = Story::talking(1).at(10_000, held(Side::Agent)).facts();
    let mut watch = Watch::begin(&facts[0], &Pack::built_in()).unwrap();
    facts[1..].iter().for_each(|fact| watch.handle_fact(fact));
    let offered = Instant::from_nanos(facts[0].at.mono_ns);
    let mut late = watch.clone();
    let told = late.handle_timeout(offered + Duration::from_secs(200));
    assert_eq!(told, [Cue::HoldAtItsLength, Cue::HoldAtTwiceItsLength]);
    assert_eq!(late.poll_timeout(), None, "a talk that is held does not grow longer");
    let ended = Story::talking(1).at(10_000, held(Side::Agent)).at(20_000, What::HoldEnded { by: Side::Agent }).facts();
    watch.handle_fact(ended.last().unwrap());
    assert_eq!(watch.handle_timeout(offered + Duration::from_secs(100)), []);
    assert!(Cue::SecondRing.rule() == "R-001" && Pack::built_in().rule(Cue::HoldAtItsLength.rule()).is_some());
}

#[test]
fn what_was_told_stands_until_it_is_over() {
    let held = Story::talking(1).at(10_000, held(Side::Agent));
    let offered = Instant::from_nanos(held.clone().facts()[0].at.mono_ns);
    let at = |story: &Story, ms: u64| {
        Watch::standing_of(&story.clone().facts(), &Pack::built_in(), offered + Duration::from_millis(ms))
    };
    let told = [(69_999, None), (70_000, Some(Cue::HoldAtItsLength)), (130_000, Some(Cue::HoldAtTwiceItsLength))];
    for (ms, cue) in told {
        assert_eq!(at(&held, ms), cue, "{ms}");
    }
    let back = held.at(131_000, What::HoldEnded { by: Side::Agent });
    assert_eq!((at(&back, 132_000), at(&back, 275_000)), (None, Some(Cue::TalkNearItsLength)));
    assert_eq!(at(&back.ended(280_000, Reason::CallerHungUp, EndedBy::Caller), 281_000), None);
    let ringing = Story::new(2).at(1_000, What::Ring);
    assert_eq!((at(&ringing, 5_999), at(&ringing, 6_000)), (None, Some(Cue::SecondRing)));
    assert_eq!(at(&ringing.answered(6_001), 6_002), None);
}

#[test]
fn the_watches_of_a_switch_tell_each_calls_cues_once_and_forget_calls_that_are_over() {
    let pack = Pack::built_in();
    let mut watches = Watches::default();
    let calls = [Story::new(1).at(1_000, What::Ring), Story::new(2).at(2_000, What::Ring)].map(Story::facts);
    calls.iter().flatten().for_each(|fact| watches.handle_fact(fact, &pack));
    let offered = Instant::from_nanos(calls[0][0].at.mono_ns);
    assert_eq!(watches.poll_timeout().map(|(at, _)| at), Some(offered + Duration::from_secs(6)));
    assert_eq!(watches.handle_timeout(offered + Duration::from_secs(6)), [(calls[0][0].call, Cue::SecondRing)]);
    assert_eq!(watches.handle_timeout(offered + Duration::from_secs(9)), [(calls[1][0].call, Cue::SecondRing)]);
    assert_eq!((watches.handle_timeout(offered + Duration::from_secs(99)), watches.poll_timeout()), (vec![], None));
    for seed in [1, 2] {
        let left = Story::new(seed).at(1_000, What::Ring).ended(9_500, Reason::CallerCancelled, EndedBy::Caller);
        watches.handle_fact(left.facts().last().unwrap(), &pack);
    }
    assert!(watches.live.is_empty());
}

/// What the dialplan has the agent told stands on the desk by its times, and changes nothing of what the rules warn of.
#[test]
fn cues_of_the_dialplan_stand_while_it_is_so() {
    let cued = |cue| What::Cued { cue, sounded: false };
    let standing = |story: &Story, ms| {
        let facts = story.clone().facts();
        let now = Instant::from_nanos(facts[0].at.mono_ns) + Duration::from_millis(ms);
        Watch::standing_of(&facts, &Pack::built_in(), now)
    };
    let long = Story::talking(1).at(10_000, held(Side::Agent)).at(11_000, cued(script::Cue::HoldLong));
    assert_eq!(standing(&long, 12_000), Some(Cue::HoldAtItsLength));
    assert_eq!(standing(&long.clone().at(11_500, calls_in()), 12_000), None, "somebody is being called in");
    let longer = long.at(12_000, cued(script::Cue::HoldVeryLong));
    assert_eq!(standing(&longer, 13_000), Some(Cue::HoldAtTwiceItsLength));
    let back = longer.clone().at(13_000, What::HoldEnded { by: Side::Agent }).at(13_001, cued(script::Cue::Apologise));
    assert_eq!(standing(&back, 14_000), None);
    assert_eq!(standing(&back.clone().at(15_000, held(Side::Agent)), 16_000), None);
    assert_eq!(standing(&back.at(15_000, cued(script::Cue::TalkNearItsLength)), 16_000), Some(Cue::TalkNearItsLength));
    let told = [(70_000, Cue::HoldAtItsLength), (130_000, Cue::HoldAtTwiceItsLength)];
    assert_eq!(cues(longer.ended(150_000, Reason::CallerHungUp, EndedBy::Caller)), told);
}
