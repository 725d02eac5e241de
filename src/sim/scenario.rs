//! Who calls, who answers and what the network is like, as distributions to draw people from.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::day::Day;
use super::manner::Manner;
use super::network::Weather;
use super::phone::consulting::Consult;
use super::phone::{Conduct, Patience, Then, Trick};
use super::sound::Voices;
use super::world::Troubles;
use crate::dialplan::plan::{
    AgentGreeting, Agents, Answer, Cadence, Does, Duty, Greeting, Hotline, Menu, Message, Next, Plans, Prompt, Queue,
    Ringback, Say, Step, StepNo, Strategy,
};
use crate::dialplan::scripts::{By, Noise, Scripts, Silent};
use crate::ids::{AgentNo, HotlineId, Random};

/// The length of the greetings in a scenario's plans: 2 s.
pub const GREETING_SAMPLES: usize = 16_000;

#[derive(Debug, Clone, PartialEq)]
pub struct Scenario {
    pub calls: u32,
    pub seed: u64,
    pub hotlines: Vec<Line>,
    pub callers: Callers,
    pub staff: Staff,
    pub weather: Weather,
    pub troubles: Troubles,
    /// The gateway is stopped at this moment.
    pub stopped_at: Option<Duration>,
    /// People really speak.
    pub voices: Option<Voices>,
    /// Calls come by the hour, day after day, instead of `calls` of them `every` so often.
    pub day: Option<Day>,
}

/// One hotline.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    pub id: String,
    pub number: String,
    pub agents: Vec<String>,
    pub strategy: Strategy,
    pub ring: Duration,
    pub nobody: Next,
    pub around: Around,
    /// Who says sorry after a late answer.
    pub late_by: By,
}

/// What comes before and after the agents of a hotline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Around {
    pub before: Before,
    /// Callers wait for so long while everybody is busy, and may then leave a message.
    pub queue: Option<Duration>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Before {
    #[default]
    Nothing,
    Announcement,
    /// Nobody presses a key: it leads to the agents in the end.
    Menu,
}

/// From the first to the second, every value equally likely.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span(pub Duration, pub Duration);

/// Of a hundred people, how many do so.
pub type Percent = u32;

#[derive(Debug, Clone, PartialEq)]
pub struct Callers {
    /// Mean time between two calls; each gap lies between none and twice this.
    pub every: Duration,
    pub patience: Span,
    pub talk: Span,
    pub vanish: Percent,
    pub never_ack: Percent,
    pub early_bye: Percent,
    pub hold: Percent,
    /// Those who give up in a fifth of the time.
    pub impatient: Percent,
    /// Those who hang up as soon as they are answered, always the same few.
    pub nuisance: Percent,
    /// Of those who gave up, who call again a minute or two later.
    pub repeat: Percent,
    /// Those of whom nothing is heard, and those whose line is loud with noise. The dialplans deal with them if there are any.
    pub silent: Percent,
    pub noisy: Percent,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Staff {
    pub pickup: Span,
    /// An agent hangs up after so long if the caller has not.
    pub talk: Span,
    pub ignore: Percent,
    pub busy: Percent,
    pub decline: Percent,
    pub unavailable: Percent,
    pub vanish: Percent,
    /// Phones that never say 180.
    pub silent: Percent,
    /// Agents who hand the caller on, to a colleague or to a number that nobody has.
    pub hand_on: Percent,
    /// Those of the others who ask a colleague before they do.
    pub consult: Percent,
    /// Those who take three times as long to answer.
    pub slow: Percent,
    /// Those who hang up first, in the middle of the talk; and those who leave out an apology that is theirs to say.
    pub forgetful: Percent,
    /// Those who hold the caller once, and for how long.
    pub hold: Percent,
    pub held: Span,
}

impl Span {
    pub fn secs(from: f64, to: f64) -> Span {
        Span(Duration::from_secs_f64(from), Duration::from_secs_f64(to))
    }

    pub fn draw(self, random: &mut Random) -> Duration {
        let width = u32::try_from(self.1.saturating_sub(self.0).as_millis()).unwrap_or(u32::MAX);
        // Not on whole milliseconds: what people do does not keep step with the network.
        self.0 + Duration::from_millis(random.below(width.saturating_add(1)).into()) + micros(random)
    }
}

fn micros(random: &mut Random) -> Duration {
    Duration::from_micros(random.below(1_000).into())
}

fn one_of<T: Copy>(random: &mut Random, all: &[T]) -> T {
    all[random.below(u32::try_from(all.len()).unwrap_or(1)) as usize]
}

impl Scenario {
    /// A scenario by lot: small enough to be read when it fails, crowded enough that everything meets everything.
    pub fn random(seed: u64, calls: u32) -> Scenario {
        let random = &mut Random::from_number(seed ^ 0x5ce9_a710);
        let agents: Vec<String> = (1..=1 + random.below(5)).map(|n| n.to_string()).collect();
        let strategies: Vec<Strategy> = Strategy::WORDS.iter().map(|(_, strategy)| *strategy).collect();
        let lines = (0..1 + random.below(3)).map(|i| Line {
            id: format!("line{i}"),
            number: format!("400800{i:04}"),
            // Some agents serve several hotlines.
            agents: agents.iter().filter(|_| i == 0 || random.below(3) > 0).cloned().collect(),
            strategy: one_of(random, &strategies),
            ring: Duration::from_secs(one_of(random, &[1, 3, 10, 20, 60])),
            nobody: [Next::BusyTone, Next::Unavailable][one_of(random, &[0, 1])].clone(),
            around: Around::default(),
            late_by: By::Gateway,
        });
        let hotlines: Vec<Line> = lines.filter(|line| !line.agents.is_empty()).collect();
        let percent = |random: &mut Random, most: u32| if random.below(2) == 0 { 0 } else { random.below(most + 1) };
        let callers = Callers {
            every: Duration::from_millis(one_of(random, &[5, 1_000, 5_000, 20_000, 60_000])),
            patience: one_of(random, &[Span::secs(0.0, 2.0), Span::secs(0.5, 30.0), Span::secs(20.0, 240.0)]),
            talk: one_of(random, &[Span::secs(0.0, 1.0), Span::secs(1.0, 20.0), Span::secs(5.0, 120.0)]),
            vanish: percent(random, 20),
            never_ack: percent(random, 20),
            early_bye: percent(random, 20),
            hold: percent(random, 30),
            impatient: 0,
            nuisance: 0,
            repeat: 0,
            silent: 0,
            noisy: 0,
        };
        let staff = Staff {
            pickup: one_of(random, &[Span::secs(0.0, 0.1), Span::secs(0.2, 3.0), Span::secs(1.0, 25.0)]),
            talk: one_of(random, &[Span::secs(0.0, 1.0), Span::secs(1.0, 30.0), Span::secs(60.0, 180.0)]),
            ignore: percent(random, 30),
            busy: percent(random, 30),
            decline: percent(random, 20),
            unavailable: percent(random, 10),
            vanish: percent(random, 15),
            silent: percent(random, 40),
            hand_on: 0,
            consult: 0,
            slow: 0,
            forgetful: 0,
            hold: percent(random, 30),
            held: Span::secs(1.0, 100.0),
        };
        let ms = Duration::from_millis;
        let weather = match random.below(3) {
            0 => Weather::FINE,
            1 => Weather { delay: ms(20), jitter: ms(60), loss_permille: 30, doubled_permille: 20 },
            _ => {
                let (delay, jitter) = (ms(random.below(150).into()), ms(random.below(1_200).into()));
                Weather { delay, jitter, loss_permille: random.below(300), doubled_permille: random.below(200) }
            }
        };
        let unbound_permille = one_of(random, &[0, 0, 0, 100, 500]);
        let unwritten_permille = one_of(random, &[0, 0, 0, 5, 50]);
        let troubles = Troubles { unbound_permille, unwritten_permille, ..Troubles::default() };
        let stopped = callers.every * random.below(2 * calls.max(1));
        let stopped_at = (random.below(8) == 0).then_some(stopped);
        let voices = Voices {
            pace: ms(one_of(random, &[20, 200, 500, 1_000, 2_000])),
            pausing: one_of(random, &[0, 10, 30]),
            dying: one_of(random, &[0, 5, 30]),
        };
        // Packets are most of the work where there are any.
        let voices = (random.below(10) == 0).then_some(voices);
        let day = None;
        let drawn = Scenario { calls, seed, hotlines, callers, staff, weather, troubles, stopped_at, voices, day };
        drawn.with_later(random)
    }

    /// What later versions draw, in the order of its coming, so that what was found by a seed is found by it again.
    fn with_later(self, random: &mut Random) -> Scenario {
        let percent = |random: &mut Random, most: u32| if random.below(2) == 0 { 0 } else { random.below(most + 1) };
        let Scenario { mut hotlines, staff, .. } = self;
        let staff = Staff { hand_on: percent(random, 60), ..staff };
        for line in &mut hotlines {
            line.around = Around {
                before: one_of(random, &[Before::Nothing, Before::Nothing, Before::Announcement, Before::Menu]),
                queue: one_of(random, &[None, None, Some(1), Some(30), Some(600)]).map(Duration::from_secs),
            };
        }
        let staff = Staff { consult: percent(random, 60), ..staff };
        Scenario { hotlines, staff, ..self }
    }

    /// Its `n`-th day alone, counted from 0; a scenario without days is as it is.
    #[must_use]
    pub fn of_day(&self, n: u32) -> Scenario {
        let day = self.day.as_ref().map(|day| Day { days: 1, ..day.clone() });
        Scenario { seed: self.seed ^ (u64::from(n) << 32), day, ..self.clone() }
    }

    /// All that are rung, each once.
    pub fn agents(&self) -> Vec<String> {
        let all = self.hotlines.iter().flat_map(|line| line.agents.iter().cloned());
        all.collect::<std::collections::BTreeSet<_>>().into_iter().collect()
    }

    pub fn plans(&self) -> Plans {
        let prompt =
            |text: &str| Prompt { text: text.to_owned(), files: Vec::new(), audio: vec![0; GREETING_SAMPLES].into() };
        let greeting = AgentGreeting { normal: prompt("您好"), late: prompt("让您久等了") };
        let mut plans = Plans::default();
        for line in &self.hotlines {
            let mut hotline = line.plan(&greeting);
            if self.callers.silent + self.callers.noisy > 0 {
                hotline.scripts = scripts(&greeting.normal);
            }
            let hotline = Arc::new(hotline);
            plans.by_number.insert(line.number.clone(), Arc::clone(&hotline));
            plans.hotlines.push(hotline);
        }
        plans
    }
}

impl Line {
    fn plan(&self, greeting: &AgentGreeting) -> Hotline {
        let numbers: Vec<AgentNo> = self.agents.iter().map(|n| AgentNo::from(n.as_str())).collect();
        let secs = Duration::from_secs;
        let prompt = &greeting.normal;
        let queue = self.around.queue.map(|longest| Queue {
            busy: Some(prompt.clone()),
            ahead: vec![prompt.clone(); 2],
            estimate: Vec::new(),
            every: Some(secs(20)),
            longest,
            keys: BTreeMap::new(),
            otherwise: Next::Step(StepNo::after(2)),
        });
        let start = match self.around.before {
            Before::Nothing => Next::Agents,
            Before::Announcement => Next::Step(StepNo::after(0)),
            Before::Menu => Next::Step(StepNo::after(1)),
        };
        Hotline {
            recording: crate::dialplan::plan::Recording::ALL,
            scripts: crate::dialplan::scripts::Scripts::default(),
            id: HotlineId::from(self.id.as_str()),
            org: self.id.clone(),
            numbers: vec![self.number.clone()],
            language: "zh-CN".to_owned(),
            time_zone: "Asia/Shanghai".to_owned(),
            after: crate::dialplan::after::After::default(),
            version: "0000000000000000".to_owned(),
            answer: Answer {
                max_rings: 3,
                min_rings: 0,
                cadence: Cadence { name: "cn".to_owned(), burst: secs(1), period: secs(5) },
                ringback: Ringback::Network,
                short_abandon: secs(5),
            },
            greeting: Greeting {
                by_agent: numbers.iter().map(|n| (n.clone(), greeting.clone())).collect(),
                late_by: self.late_by,
                ..Greeting::default()
            },
            agents: Agents {
                numbers,
                strategy: self.strategy,
                ring: self.ring,
                queue: queue.map(Arc::new),
                skill: None,
                nobody: self.nobody.clone(),
            },
            reception: crate::dialplan::reception::Reception::default(),
            start,
            steps: steps(prompt),
            duty: Duty::default(),
        }
    }
}

/// What the rule books ask for callers who are not heard, with their numbers.
fn scripts(prompt: &Prompt) -> Scripts {
    let secs = Duration::from_secs;
    let (by, wait, last, farewell) = (By::Gateway, secs(5), secs(5), prompt.clone());
    let asks = vec![prompt.clone(); 2];
    let noise = Noise {
        by,
        floor_dbov: -40.0,
        snr_db: 10.0,
        after: secs(5),
        ask: Some(prompt.clone()),
        patience: secs(10),
        farewell: farewell.clone(),
        last,
    };
    Scripts {
        silent: Some(Silent { by, wait, asks, farewell, last, no_media: None }),
        noise: Some(noise),
        ..Scripts::default()
    }
}

/// An announcement, a menu and a message, in the order in which `Line::plan` leads to them.
fn steps(prompt: &Prompt) -> Vec<Step> {
    let secs = Duration::from_secs;
    let (prompt, otherwise) = (prompt.clone(), Next::Agents);
    let keys = [('1', Next::Agents)].into();
    vec![
        Step { name: "notice".to_owned(), does: Does::Say(Say { prompt: prompt.clone(), then: Next::Agents }) },
        Step {
            name: "menu".to_owned(),
            does: Does::Menu(Menu {
                prompt: prompt.clone(),
                keys,
                classes: std::collections::BTreeMap::new(),
                wait: secs(3),
                tries: 2,
                otherwise,
            }),
        },
        Step {
            name: "leave".to_owned(),
            does: Does::Message(Message { prompt: prompt.clone(), longest: secs(20), thanks: Some(prompt) }),
        },
    ]
}

impl Callers {
    pub fn gap(&self, random: &mut Random) -> Duration {
        Span(Duration::ZERO, self.every * 2).draw(random)
    }

    pub fn draw(&self, random: &mut Random) -> (Patience, Trick) {
        let patience = Patience { wait: self.patience.draw(random), talk: Some(self.talk.draw(random)) };
        let whole = patience.wait + patience.talk.unwrap_or_default();
        let lot = random.below(100);
        let sometime = Span(Duration::ZERO, whole).draw(random);
        let mut below = 0;
        let mut is = |percent: Percent| {
            below += percent;
            lot < below
        };
        let trick = if is(self.vanish) {
            Trick::Vanish { after: sometime }
        } else if is(self.never_ack) {
            Trick::NeverAck
        } else if is(self.early_bye) {
            Trick::EarlyBye { after: Span(Duration::ZERO, patience.wait).draw(random) }
        } else if is(self.hold) {
            let half = self.talk.1 / 2;
            Trick::Hold {
                after: Span(Duration::ZERO, half).draw(random),
                length: Span(Duration::ZERO, half).draw(random),
            }
        } else {
            Trick::None
        };
        (self.mood(patience, random), trick)
    }

    /// How the next caller sounds. Nobody's lot is drawn where there are none, so that older scenarios go as they did.
    pub fn manner(&self, random: &mut Random) -> Manner {
        if self.silent + self.noisy == 0 {
            return Manner::Speaks;
        }
        match random.below(100) {
            lot if lot < self.silent => Manner::Silent,
            lot if lot < self.silent + self.noisy => Manner::Noisy,
            _ => Manner::Speaks,
        }
    }

    fn mood(&self, patience: Patience, random: &mut Random) -> Patience {
        // Nobody's lot is drawn where there are none, so that older scenarios go as they did.
        if self.nuisance > 0 && random.below(100) < self.nuisance {
            return Patience { talk: Some(Span::secs(0.5, 3.0).draw(random)), ..patience };
        }
        if self.impatient > 0 && random.below(100) < self.impatient {
            return Patience { wait: patience.wait / 5, ..patience };
        }
        patience
    }
}

impl Staff {
    pub fn draw(&self, random: &mut Random) -> Conduct {
        let rings = random.below(100) >= self.silent;
        let (mut after, lot) = (self.pickup.draw(random), random.below(100));
        if self.slow > 0 && random.below(100) < self.slow {
            after *= 3;
        }
        let mut below = 0;
        let mut is = |percent: Percent| {
            below += percent;
            lot < below
        };
        let then = if is(self.ignore) {
            Then::Ignore
        } else if is(self.busy) {
            Then::Refuse { after: micros(random), status: 486 }
        } else if is(self.decline) {
            Then::Refuse { after, status: 603 }
        } else if is(self.unavailable) {
            Then::Refuse { after: micros(random), status: 480 }
        } else if is(self.vanish) {
            Then::Vanish { after }
        } else if self.hand_on > 0 && random.below(100) < self.hand_on {
            let (refer_after, to) = (self.talk.draw(random), u8::try_from(random.below(6)).unwrap_or_default());
            let hang_up_after = refer_after + self.talk.draw(random) + Duration::from_secs(random.below(60).into());
            Then::HandOn { after, refer_after, to, hang_up_after }
        } else if self.consult > 0 && random.below(100) < self.consult {
            let (call_after, refer_after) = (self.talk.draw(random), Span::secs(0.1, 20.0).draw(random));
            let to = u8::try_from(random.below(6)).unwrap_or_default();
            let rest = self.talk.draw(random) + Duration::from_secs(random.below(60).into());
            Then::Consult(Consult {
                after,
                call_after,
                to,
                refer_after,
                hang_up_after: call_after + refer_after + rest,
            })
        } else {
            self.talking(after, random)
        };
        Conduct { rings, then }
    }

    fn talking(&self, after: Duration, random: &mut Random) -> Then {
        let mut talk = self.talk.draw(random);
        if self.forgetful > 0 && random.below(100) < self.forgetful {
            talk /= 10;
        }
        if self.hold > 0 && random.below(100) < self.hold {
            let hold_after = Span(Duration::ZERO, talk / 2).draw(random);
            return Then::Hold { after, hold_after, length: self.held.draw(random), hang_up_after: talk };
        }
        Then::Answer { after, hang_up_after: Some(talk) }
    }
}
