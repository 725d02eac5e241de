//! What the gateway does in a talk by itself, in virtual time: every path of every script, told second by second what is heard.

use hotline::call::script::{Cue, Deed, Script, Speaker};
use hotline::media::Stretch;
use hotline::protocol::sip::endpoint::SessionId;
use hotline::rules::{Case, Pack};
use serde_json::Value;

use super::*;

const SCRIPTS: &str = r#"
[agents]
numbers = ["8"]

[silent]
ask      = ["您好，请问有什么可以帮助您？"]
farewell = "对不起！您的电话没有声音，请您换一部电话再次打来，好吗？再见！"
no_media = "对不起，线路正在调整，请您稍后再来电，好吗？"

[noise]
ask      = "您的电话听不清楚，请您大点声，好吗？"
farewell = "对不起，您的电话杂音太大，听不清楚，请您换一部电话再次打来好吗？谢谢，再见！"

[low_volume]
ask      = ["对不起，请您大声一点儿，好吗？", "对不起，您的电话声音太小，请您拿起话筒说话好吗？"]
farewell = "对不起，您的电话声音太小，请您换一部电话打来，好吗？"

[hold]
comfort = "请您继续等待，马上为您服务。"
back    = "对不起，让您久等了"

[length]

[closing]
measure = true

[nuisance]
then = "desk"

[wrong_number]
then = "wrong"

[step.desk]
do   = "say"
text = "对不起，你的要求不在我们的服务范围内，请您挂机。"

[step.wrong]
do   = "say"
text = "对不起，这里是物业客户服务中心，请您查证后再拨。"
"#;

/// A second of a line.
fn line(voice_ms: u32, active: Option<f64>, loudest: f64, floor: f64) -> Stretch {
    let sound_ms = voice_ms;
    Stretch {
        lasted_ms: 1_000,
        sound_ms,
        tone_ms: 0,
        voice_ms,
        active_dbov: active,
        loudest_dbov: loudest,
        floor_dbov: floor,
        comes: true,
    }
}

pub(super) fn silence() -> Stretch {
    line(0, None, -68.0, -70.0)
}

/// One that does not end: after two seconds it is the line's floor.
fn tone() -> Stretch {
    Stretch { tone_ms: 1_000, ..line(0, None, -20.0, -20.0) }
}

fn nothing() -> Stretch {
    Stretch { comes: false, ..line(0, None, -90.0, -90.0) }
}

pub(super) fn speech() -> Stretch {
    line(700, Some(-22.0), -20.0, -65.0)
}

pub(super) fn faint() -> Stretch {
    line(700, Some(-47.0), -45.0, -68.0)
}

pub(super) fn noise() -> Stretch {
    line(0, None, -29.0, -31.0)
}

/// A call that agent 8 answers after a second, just greeted; and whose it is.
pub(super) struct Talk {
    pub(super) world: World,
    call: CallId,
    session: SessionId,
}

impl Talk {
    pub(super) fn with(rest: &str, talk: Option<f64>, hang_up_after: Option<f64>) -> Talk {
        Talk::through(World::new(plans("", rest), 1), NUMBER, talk, hang_up_after)
    }

    /// A call to this number.
    pub(super) fn through(mut world: World, number: &str, talk: Option<f64>, hang_up_after: Option<f64>) -> Talk {
        let then = Then::Answer { after: secs(1.0), hang_up_after: hang_up_after.map(secs) };
        world.agents.expect([Conduct { rings: true, then }]);
        let session = world.call(number, patience(30.0, talk)).expect("a call");
        while !world.facts.iter().any(|f| matches!(f.what, What::PlayEnded { play: Play::Greeting, .. })) {
            world.run_for(secs(0.1));
        }
        let call = world.facts[0].call;
        Talk { world, call, session }
    }

    fn begin() -> Talk {
        Talk::with(SCRIPTS, None, None)
    }

    pub(super) fn is_over(&self) -> bool {
        self.world.facts.iter().any(|f| matches!(f.what, What::Ended { .. }))
    }

    /// So many seconds of this from the caller, or until the call is over.
    pub(super) fn hears(&mut self, seconds: usize, caller: Stretch) {
        self.both(seconds, caller, silence());
    }

    pub(super) fn both(&mut self, seconds: usize, caller: Stretch, agent: Stretch) {
        for _ in 0..seconds {
            self.world.run_for(secs(1.0));
            if self.is_over() {
                return;
            }
            let at = self.world.now();
            self.world.tell(Input::Media(media::Event::Heard { call: self.call, caller, agent, at }));
        }
    }

    /// The agent's phone holds, or comes back.
    pub(super) fn hold(&mut self, held: bool) {
        self.world.hold(held);
        self.world.run_for(secs(0.1));
    }

    /// The agent presses these keys.
    pub(super) fn agent_presses(&mut self, keys: [char; 2]) {
        let leg = *self.world.legs().iter().find(|(_, side)| **side == Side::Agent).expect("a leg").0;
        for key in keys {
            self.world.run_for(secs(0.3));
            let (call, at, duration) = (self.call, self.world.now(), Duration::from_millis(100));
            self.world.tell(Input::Media(media::Event::Key { call, leg, key, duration, at }));
        }
    }

    /// Milliseconds since the greeting's end.
    fn since_greeting(&self, fact: &Fact) -> u64 {
        let greeted = |f: &&Fact| matches!(f.what, What::PlayEnded { play: Play::Greeting, .. });
        let greeted = self.world.facts.iter().find(greeted).expect("a greeting");
        fact.at.millis_since(greeted.at).unwrap_or(0)
    }

    /// What was done, and when.
    pub(super) fn deeds(&self) -> Vec<(Script, Deed, u64)> {
        let deed = |f: &Fact| match f.what {
            What::Scripted { script, deed, .. } => Some((script, deed, self.since_greeting(f))),
            _ => None,
        };
        self.world.facts.iter().filter_map(deed).collect()
    }

    pub(super) fn did(&self) -> Vec<(Script, Deed)> {
        self.deeds().into_iter().map(|(script, deed, _)| (script, deed)).collect()
    }

    pub(super) fn cues(&self) -> Vec<(Cue, bool)> {
        let cue = |f: &Fact| if let What::Cued { cue, sounded } = f.what { Some((cue, sounded)) } else { None };
        self.world.facts.iter().filter_map(cue).collect()
    }

    /// The greeting left out.
    pub(super) fn said(&self) -> Vec<String> {
        let text = |f: &Fact| match &f.what {
            What::PlayStarted { play: Play::Script, prompt, .. } => Some(prompt.clone()),
            _ => None,
        };
        self.world.facts.iter().filter_map(text).collect()
    }

    pub(super) fn hang_up(mut self) -> (World, Record) {
        if !self.is_over() {
            self.world.hang_up(self.session);
        }
        let (world, mut records) = finish(self.world);
        assert_eq!(records.len(), 1);
        (world, records.remove(0))
    }
}

fn played(record: &Record) -> Vec<String> {
    let record: Value = serde_json::to_value(record).expect("a record");
    let texts = record["played"].as_array().expect("a list").iter();
    texts.skip(1).map(|p| p["prompt"].as_str().expect("a text").to_owned()).collect()
}

#[test]
fn silent_to_the_end() {
    let mut talk = Talk::begin();
    talk.hears(60, silence());
    assert!(talk.is_over());
    let deeds = talk.deeds();
    let [
        (Script::Silent, Deed::Ask, ask),
        (Script::Silent, Deed::Farewell, farewell),
        (Script::Silent, Deed::Close, close),
    ] = deeds[..]
    else {
        panic!("{deeds:?}")
    };
    assert_eq!(ask, 5_000);
    let said = talk.said();
    assert_eq!(
        said,
        ["您好，请问有什么可以帮助您？", "对不起！您的电话没有声音，请您换一部电话再次打来，好吗？再见！"]
    );
    let ends: Vec<u64> = talk
        .world
        .facts
        .iter()
        .filter(|f| matches!(f.what, What::PlayEnded { play: Play::Script, to_end: true }))
        .map(|f| talk.since_greeting(f))
        .collect();
    assert_eq!(farewell - ends[0], 5_000);
    // Five seconds, and what is still on its way.
    assert!((5_000..6_000).contains(&(close - ends[1])), "{close} {ends:?}");
    let (_, record) = talk.hang_up();
    assert_eq!(reason(&record), "silent_caller");
    assert_eq!(record.outcome, Some(Outcome::Answered));
    assert_eq!(played(&record), said);
    let ended_by = serde_json::to_value(record.ended_by).expect("a word");
    assert_eq!(ended_by, "gateway");
}

#[test]
fn a_machines_tone_is_nobody_and_noise_is_somebody() {
    for (line, script) in [(tone(), Script::Silent), (noise(), Script::Noise)] {
        let mut talk = Talk::begin();
        talk.hears(7, line);
        assert_eq!(talk.did(), [(script, Deed::Ask)]);
    }
}

#[test]
fn any_word_ends_the_silence_whenever_it_comes() {
    // While it is waited, in the first text, after it, in the farewell, after it.
    for (quiet, left) in [(3, 0), (5, 1), (8, 1), (13, 2), (18, 2)] {
        let mut talk = Talk::begin();
        talk.hears(quiet, silence());
        talk.hears(1, speech());
        talk.hears(40, silence());
        assert!(!talk.is_over(), "closed, though the caller spoke after {quiet} s: {:?}", talk.deeds());
        let did = talk.did();
        assert_eq!(did.len(), if left == 0 { 0 } else { left + 1 }, "{quiet}: {did:?}");
        assert!(left == 0 || did.last() == Some(&(Script::Silent, Deed::Heard)), "{quiet}: {did:?}");
        assert_eq!(talk.said().len(), left, "{quiet}");
        let (_, record) = talk.hang_up();
        assert_eq!(reason(&record), "caller_hung_up");
    }
}

#[test]
fn a_word_in_the_greeting_is_enough() {
    let mut world = World::new(plans("", SCRIPTS), 1);
    world.agents.expect([answers(1.0)]);
    let session = world.call(NUMBER, patience(30.0, None)).expect("a call");
    world.run_for(secs(2.0));
    let call = world.facts[0].call;
    let at = world.now();
    world.tell(Input::Media(media::Event::Heard { call, caller: speech(), agent: silence(), at }));
    let mut talk = Talk { world, call, session };
    talk.hears(40, silence());
    assert_eq!(talk.did(), []);
}

#[test]
fn variant_b_repeats_twice() {
    let mut talk = Talk::with(
        "[agents]\nnumbers = [\"8\"]\n[silent]\nask = [\"您好！\", \"您好！\"]\n\
         farewell = \"对不起，您的电话没有声音，请您换一个电话再打过来，再见！\"\n",
        None,
        None,
    );
    talk.hears(60, silence());
    let asked = [Deed::Ask, Deed::Ask, Deed::Farewell, Deed::Close];
    assert_eq!(talk.did(), asked.map(|deed| (Script::Silent, deed)));
}

#[test]
fn a_line_without_a_packet_is_never_called_silent() {
    let mut talk = Talk::begin();
    talk.hears(60, nothing());
    assert_eq!(talk.did(), [(Script::NoMedia, Deed::Farewell), (Script::NoMedia, Deed::Close)]);
    assert_eq!(talk.said(), ["对不起，线路正在调整，请您稍后再来电，好吗？"]);
    let (_, record) = talk.hang_up();
    assert_eq!(reason(&record), "no_media");
    // It comes after all: the caller is asked as anybody.
    let mut talk = Talk::begin();
    talk.hears(7, nothing());
    talk.hears(7, silence());
    let did = talk.did();
    assert_eq!(did[..2], [(Script::NoMedia, Deed::Farewell), (Script::NoMedia, Deed::Heard)]);
    assert_eq!(did.get(2), Some(&(Script::Silent, Deed::Ask)));
}

#[test]
fn nobody_is_silent_to_whom_nobody_listens() {
    let mut talk = Talk::begin();
    talk.world.run_for(secs(60.0));
    assert_eq!((talk.did(), talk.is_over()), (vec![], false));
}

#[test]
fn the_agent_speaks_and_the_gateway_ends_nothing() {
    let by_agent = SCRIPTS.replace("[silent]", "[silent]\nby = \"agent\"");
    let mut talk = Talk::with(&by_agent, None, None);
    talk.hears(60, silence());
    assert_eq!(talk.did(), [(Script::Silent, Deed::Ask), (Script::Silent, Deed::Farewell)]);
    assert_eq!(talk.cues(), [(Cue::Say, true), (Cue::Say, true)]);
    assert_eq!((talk.said().len(), talk.is_over()), (0, false));
    let by = |f: &Fact| if let What::Scripted { by, .. } = f.what { Some(by) } else { None };
    assert!(talk.world.facts.iter().filter_map(by).all(|by| by == Speaker::Agent));
}

#[test]
fn noise_is_borne_for_ten_seconds() {
    let mut talk = Talk::begin();
    talk.hears(60, noise());
    assert_eq!(talk.did(), [Deed::Ask, Deed::Farewell, Deed::Close].map(|deed| (Script::Noise, deed)));
    let ends: Vec<u64> = talk
        .world
        .facts
        .iter()
        .filter(|f| matches!(f.what, What::PlayEnded { play: Play::Script, .. }))
        .map(|f| talk.since_greeting(f))
        .collect();
    let deeds = talk.deeds();
    assert_eq!(deeds[1].2 - ends[0], 10_000);
    assert!((5_000..6_000).contains(&(deeds[2].2 - ends[1])));
    let (_, record) = talk.hang_up();
    assert_eq!(reason(&record), "noisy_caller");
}

#[test]
fn noise_that_clears_and_short_noise_close_nothing() {
    let mut talk = Talk::begin();
    talk.hears(3, noise());
    talk.hears(30, speech());
    assert_eq!(talk.did(), []);
    // In the patience, and after the farewell.
    for (bad, did) in [(12, vec![Deed::Ask, Deed::Heard]), (24, vec![Deed::Ask, Deed::Farewell, Deed::Heard])] {
        let mut talk = Talk::begin();
        talk.hears(bad, noise());
        talk.hears(30, speech());
        assert_eq!(talk.did(), did.into_iter().map(|d| (Script::Noise, d)).collect::<Vec<_>>(), "{bad}");
        assert!(!talk.is_over());
    }
    // Three times at most.
    let mut talk = Talk::begin();
    for _ in 0..6 {
        talk.hears(12, noise());
        talk.hears(5, speech());
    }
    assert_eq!(talk.did().iter().filter(|(_, deed)| *deed == Deed::Ask).count(), 3);
}

/// As the meter tells noise that swells: what is loudest now, over the quietest of two seconds ago.
fn swelling(second: usize, db_a_second: f64) -> Stretch {
    let level = |s: f64| (-60.0 + db_a_second * s).min(-29.0);
    let now = second as f64;
    line(0, None, level(now + 0.8) + 1.0, level((now - 1.0).max(0.0)) - 2.0)
}

#[test]
fn noise_that_swells_slowly_is_told_when_it_is_loud() {
    for slope in [0.5, 1.0, 3.0] {
        let mut talk = Talk::begin();
        talk.hears(2, speech());
        let mut told = None;
        for second in 0..90 {
            talk.hears(1, swelling(second, slope));
            if told.is_none() && !talk.did().is_empty() {
                told = Some(second);
            }
        }
        assert_eq!(talk.did(), [Deed::Ask, Deed::Farewell, Deed::Close].map(|deed| (Script::Noise, deed)), "{slope}");
        // The floor is loud from -40.15 dBov on, for five seconds then.
        let loud = (0..90).find(|s| swelling(*s, slope).floor_dbov >= -40.15).expect("it gets loud");
        assert!(
            told.is_some_and(|told| (loud + 3..=loud + 6).contains(&told)),
            "{slope} dB/s: {told:?}, from {loud} s on"
        );
        let (_, record) = talk.hang_up();
        assert_eq!(reason(&record), "noisy_caller");
    }
}

#[test]
fn whoever_was_asked_to_speak_up_may_be_drowned_in_noise_after_that() {
    let mut talk = Talk::begin();
    talk.hears(6, faint());
    assert_eq!(talk.did(), [(Script::LowVolume, Deed::Ask)]);
    talk.hears(60, noise());
    let noise = [Deed::Ask, Deed::Farewell, Deed::Close].map(|deed| (Script::Noise, deed));
    assert_eq!(talk.did()[1..], noise);
}

#[test]
fn noise_that_may_be_the_networks_doing_is_nobodys() {
    let mut talk = Talk::begin();
    let leg = *talk.world.legs().iter().find(|(_, side)| **side == Side::Caller).expect("a leg").0;
    let line = hotline::quality::Line { packets: 450, lost: 50, ..Default::default() };
    let (call, at) = (talk.call, talk.world.now());
    talk.world.tell(Input::Media(media::Event::Interval { call, leg, at, line }));
    talk.hears(30, noise());
    assert_eq!(talk.did(), []);
}

#[test]
fn a_low_voice_is_asked_twice_and_never_closed_in_a_word() {
    let mut talk = Talk::begin();
    talk.hears(40, faint());
    let did = talk.did();
    assert_eq!(did[..3], [Deed::Ask, Deed::Ask, Deed::Farewell].map(|deed| (Script::LowVolume, deed)));
    assert_eq!(did.len(), 3, "still speaking: {did:?}");
    assert!(!talk.is_over());
    talk.hears(3, silence());
    assert!(talk.is_over());
    let (_, record) = talk.hang_up();
    assert_eq!(reason(&record), "low_volume");
    // Whoever goes on is left to the agent.
    let mut talk = Talk::begin();
    talk.hears(80, faint());
    assert_eq!(talk.did().last(), Some(&(Script::LowVolume, Deed::LeftToAgent)));
    assert!(!talk.is_over());
}

#[test]
fn a_voice_that_is_raised_is_heard() {
    let mut talk = Talk::begin();
    talk.hears(5, faint());
    talk.hears(3, speech());
    talk.hears(60, faint());
    assert_eq!(talk.did(), [(Script::LowVolume, Deed::Ask), (Script::LowVolume, Deed::Heard)]);
    // And silence after a text is no low voice.
    let mut talk = Talk::begin();
    talk.hears(4, faint());
    talk.hears(60, silence());
    assert_eq!(talk.did(), [(Script::LowVolume, Deed::Ask)]);
}

#[test]
fn comfort_cues_and_an_apology_for_who_is_kept_waiting() {
    let mut talk = Talk::begin();
    talk.hears(3, speech());
    talk.hold(true);
    talk.hears(130, silence());
    talk.hold(false);
    talk.hears(5, speech());
    let did = talk.did();
    assert_eq!(did.iter().filter(|(_, deed)| *deed == Deed::Comfort).count(), 4, "{did:?}");
    assert_eq!(did.last(), Some(&(Script::Hold, Deed::Apology)));
    // A phone that holds takes no tone.
    assert_eq!(talk.cues(), [(Cue::HoldLong, false), (Cue::HoldVeryLong, false)]);
    assert_eq!(talk.said().last().map(String::as_str), Some("对不起，让您久等了"));
    let (_, record) = talk.hang_up();
    assert!(record.hold_ms.is_some_and(|ms| (129_000..132_000).contains(&ms)));
}

/// Agent 8 holds the caller for twenty seconds, then calls agent 9 in, who does this.
fn calls_in(nine: Then, hang_up_after: Option<f64>) -> Talk {
    let head = "numbers = [\"8\"]\nring_s = 60\nnobody = \"others\"";
    let others = "\n[step.others]\ndo = \"ring\"\nnumbers = [\"9\"]\n";
    let mut talk = Talk::with(&format!("{}{others}", SCRIPTS.replace("numbers = [\"8\"]", head)), None, hang_up_after);
    talk.world.agents.expect([Conduct { rings: true, then: nine }]);
    talk.hears(3, speech());
    talk.hold(true);
    talk.hears(20, silence());
    talk.world.dial_as_agent("8", "*479", patience(30.0, None));
    talk
}

fn verdict(record: &Record, facts: &[Fact], rule: &str) -> Value {
    let facts: Vec<Fact> = facts.iter().filter(|fact| fact.call == record.id).cloned().collect();
    let judged = Case::of(&facts).expect("a call").record(&Pack::built_in());
    let found = judged.verdicts.into_iter().find(|verdict| verdict.rule == rule).expect("a decided rule");
    serde_json::to_value(found).expect("a verdict")
}

#[test]
fn who_waits_for_one_who_is_called_in_is_not_held_and_nobody_is_while_that_one_is_there() {
    let mut talk = calls_in(Then::Answer { after: secs(40.0), hang_up_after: Some(secs(100.0)) }, None);
    talk.hears(39, silence());
    assert_eq!((talk.did(), talk.cues()), (vec![], vec![]), "twenty seconds of a hold, and no more");
    talk.hears(60, silence());
    assert_eq!((talk.did(), talk.cues()), (vec![(Script::Hold, Deed::Apology)], vec![]));
    // Agent 9 has left, and agent 8 still holds.
    talk.hears(75, silence());
    let did = talk.did();
    assert_eq!(did[1..], [(Script::Hold, Deed::Comfort)], "half a minute after that: {did:?}");
    let (world, record) = talk.hang_up();
    let held = verdict(&record, &world.facts, "R-125");
    assert_eq!(held["verdict"], "pass", "{held:#}");
    assert!(held["evidence"]["longest_ms"].as_u64().is_some_and(|ms| (30_000..40_000).contains(&ms)), "{held:#}");
    assert!(record.hold_ms.is_some_and(|ms| ms > 90_000), "the caller was held for as long: {:?}", record.hold_ms);
}

#[test]
fn a_hold_goes_on_when_next_comes() {
    let mut talk = calls_in(Then::Refuse { after: secs(40.0), status: 486 }, None);
    talk.hears(45, silence());
    assert_eq!((talk.did(), talk.cues()), (vec![], vec![]));
    talk.hears(10, silence());
    assert_eq!(talk.did(), [(Script::Hold, Deed::Comfort)], "after twenty seconds and ten");
    talk.hold(false);
    talk.hears(3, speech());
    assert_eq!(talk.did().last(), Some(&(Script::Hold, Deed::Apology)));
}

#[test]
fn the_hold_of_an_agent_who_left_keeps_nobody_waiting() {
    let mut talk = calls_in(Then::Answer { after: secs(10.0), hang_up_after: None }, Some(60.0));
    talk.hears(100, speech());
    assert_eq!(talk.did(), [(Script::Hold, Deed::Apology)]);
    let (_, record) = talk.hang_up();
    let agents: Vec<String> = record.segments.iter().map(|segment| segment.agent.to_string()).collect();
    assert_eq!(agents, ["8", "9"]);
}

#[test]
fn a_silent_caller_who_is_put_on_hold_is_not_closed() {
    let mut talk = Talk::begin();
    talk.hears(12, silence());
    talk.hold(true);
    talk.hears(60, silence());
    assert!(!talk.is_over());
}

#[test]
fn the_agent_alone_is_told_of_three_minutes_and_a_hold_is_no_talk() {
    let mut talk = Talk::begin();
    talk.hears(100, speech());
    talk.hold(true);
    talk.hears(100, silence());
    talk.hold(false);
    talk.hears(100, speech());
    let cues: Vec<(Cue, u64)> = talk
        .world
        .facts
        .iter()
        .filter_map(|f| match f.what {
            What::Cued { cue: cue @ (Cue::TalkNearItsLength | Cue::TalkAtItsLength), .. } => {
                let joined = talk.world.facts.iter().find(|f| matches!(f.what, What::Connected))?;
                Some((cue, f.at.millis_since(joined.at)?))
            }
            _ => None,
        })
        .collect();
    let [(Cue::TalkNearItsLength, near), (Cue::TalkAtItsLength, at)] = cues[..] else { panic!("{cues:?}") };
    assert_eq!(at - near, 30_000);
    assert!(near.abs_diff(250_000) < 1_000, "{near}");
}

#[test]
fn how_long_both_had_been_quiet_is_known_whoever_hangs_up() {
    let quiet = |world: &World| {
        let parted = |f: &Fact| match f.what {
            What::Parted { by, caller_quiet_ms, agent_quiet_ms } => Some((by, caller_quiet_ms, agent_quiet_ms)),
            _ => None,
        };
        world.facts.iter().find_map(parted)
    };
    let mut talk = Talk::begin();
    talk.both(3, speech(), speech());
    talk.both(2, silence(), speech());
    talk.both(4, silence(), silence());
    let (world, _) = talk.hang_up();
    let (by, caller, agent) = quiet(&world).expect("it was measured");
    assert_eq!(by, Side::Caller);
    assert!(caller.is_some_and(|ms| (6_000..6_100).contains(&ms)), "{caller:?}");
    assert!(agent.is_some_and(|ms| (4_000..4_100).contains(&ms)), "{agent:?}");
    let mut talk = Talk::with(SCRIPTS, None, Some(15.0));
    talk.hears(30, speech());
    let (world, record) = talk.hang_up();
    assert_eq!(reason(&record), "agent_hung_up");
    let (by, caller, _) = quiet(&world).expect("it was measured");
    assert_eq!(by, Side::Agent);
    assert!(caller.is_some_and(|ms| ms < 1_000), "{caller:?}");
}

#[test]
fn a_nuisance_goes_to_the_desk_and_a_wrong_number_hears_so() {
    for (key, why, step) in [('7', "nuisance", "desk"), ('9', "wrong_number", "wrong")] {
        let mut talk = Talk::begin();
        talk.hears(3, speech());
        talk.agent_presses(['*', key]);
        talk.world.run_for(secs(20.0));
        assert!(talk.is_over());
        let sent = talk.world.facts.iter().find_map(|f| match &f.what {
            What::SentToDesk { why, agent } => Some((serde_json::to_value(why).expect("a word"), agent.clone())),
            _ => None,
        });
        assert_eq!(sent, Some((Value::from(why), "8".into())));
        assert!(talk.world.facts.iter().any(|f| matches!(f.what, What::AgentLeft { .. })));
        let (world, record) = talk.hang_up();
        assert_eq!((reason(&record).as_str(), record.outcome), ("announced", Some(Outcome::Answered)));
        assert_eq!(record.steps.last().map(|s| s.step.as_str()), Some(step));
        let segment = &record.segments[0];
        assert!(segment.to_ms.is_some_and(|ms| ms < 12_000), "the agent was free at once: {segment:?}");
        assert!(world.gateway.agents().taken() == 0);
    }
}

#[test]
fn without_a_word_in_the_dialplan_nothing_happens() {
    let mut talk = Talk::with("[agents]\nnumbers = [\"8\"]\n", None, None);
    talk.hears(20, silence());
    talk.hears(20, noise());
    talk.agent_presses(['*', '7']);
    talk.hears(200, faint());
    assert_eq!((talk.did(), talk.cues(), talk.is_over()), (vec![], vec![], false));
    let (world, _) = talk.hang_up();
    assert!(!world.facts.iter().any(|f| matches!(f.what, What::Parted { .. })));
}

/// A hundred and fifty callers who are silent, noisy, faint or plain as it comes, some of them held: whoever is let go had said nothing
/// that could be understood since before the farewell, and no prompt is begun over another.
#[test]
fn random_callers_are_never_closed_while_they_speak() {
    let plans = plans("", SCRIPTS);
    let mut random = hotline::ids::Random::from_number(7);
    let mut closed = 0;
    for n in 0..150 {
        let mut world = World::new(plans.clone(), n);
        world.agents.expect([answers(1.0)]);
        let session = world.call(NUMBER, patience(30.0, None)).expect("a call");
        world.run_for(secs(6.0));
        let mut talk = Talk { call: world.facts[0].call, world, session };
        let mut spoke = None;
        let mut held = false;
        while !talk.is_over() && talk.world.now().mono.as_nanos() < 150_000_000_000 {
            let kinds = [silence(), silence(), nothing(), noise(), noise(), faint(), faint(), speech()];
            let kind = kinds[random.below(8) as usize];
            for _ in 0..=random.below(25) {
                if talk.is_over() {
                    break;
                }
                talk.hears(1, kind);
                if !talk.is_over() && kind == speech() {
                    spoke = Some(talk.world.now());
                }
            }
            if random.below(6) == 0 && !talk.is_over() {
                held = !held;
                talk.hold(held);
            }
        }
        if talk.is_over() {
            closed += 1;
            let farewell = talk
                .world
                .facts
                .iter()
                .rfind(|f| matches!(f.what, What::Scripted { deed: Deed::Farewell, by: Speaker::Gateway, .. }));
            let farewell = farewell.expect("nobody goes without a farewell").at.mono_ns;
            let quiet = spoke.is_none_or(|at| at.mono.as_nanos() < farewell);
            assert!(quiet, "call {n} was closed after {spoke:?}: {:?}", talk.deeds());
        }
        let mut playing = false;
        for fact in &talk.world.facts {
            match fact.what {
                What::PlayStarted { play: Play::Script, .. } => {
                    assert!(!std::mem::replace(&mut playing, true), "call {n}: one prompt over another");
                }
                What::PlayEnded { play: Play::Script, .. } => playing = false,
                _ => {}
            }
        }
        talk.hang_up();
    }
    assert!(closed > 15, "only {closed} were closed");
}
