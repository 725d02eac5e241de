//! Whether an agent is there for callers: what the agent has said, by phone or API, and what follows when time runs out.
//!
//! ```text
//!              ready / pause                       call over, if its hotline has wrap-up
//! LoggedOut ───────────────► Ready ◄───────────────────────────────► WrapUp
//!     ▲                       │  ▲   time is up, or the agent says so
//!     │ log out (from any)    ▼  │ ready
//!     └──────────────────── Paused ───── longest pause is over ─────► Away ─── ready / pause ──►
//! ```
//!
//! What the phone is doing (free, rung, talking) is no part of it: that follows from live dialogs (`agent`). Every state
//! that keeps callers away ends by time or by the agent's word, so nobody is kept in one by a call.

use std::time::Duration;

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::clock::{Now, Wall};
use crate::dialplan::plan::Hotline;
use crate::ids::{AgentNo, CallId, HotlineId};

/// Only who is `Ready` is rung for callers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Presence {
    LoggedOut,
    Ready,
    Paused {
        reason: Option<String>,
        /// The longest pause ends.
        until: Option<Now>,
    },
    WrapUp {
        until: Now,
    },
    /// The longest pause is over, and nothing was heard of the agent since.
    Away,
}

/// The one word of a presence, for people and programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    LoggedOut,
    Ready,
    Paused,
    WrapUp,
    Away,
}

impl Kind {
    pub fn word(self) -> &'static str {
        match self {
            Kind::LoggedOut => "logged_out",
            Kind::Ready => "ready",
            Kind::Paused => "paused",
            Kind::WrapUp => "wrap_up",
            Kind::Away => "away",
        }
    }
}

/// What the dialplans that name an agent ask of that agent, together.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rules {
    /// Some dialplan rings only who has logged in.
    pub login: bool,
    /// What a pause may be for; empty: a pause has no reason.
    pub reasons: Vec<String>,
    pub longest_pause: Option<Duration>,
    /// The longest of all: for wrap-up that the agent asks for.
    pub wrap_up: Duration,
    /// How often the phone is asked whether it is there.
    pub probe: Option<Duration>,
    /// Whose midnight begins the agent's day: that of the first dialplan that names the agent.
    pub zone: Option<TimeZone>,
}

impl Rules {
    /// One more dialplan names the agent: the stricter word holds.
    pub fn add(&mut self, hotline: &Hotline) {
        let duty = &hotline.duty;
        self.login |= duty.login;
        for reason in &duty.pause_reasons {
            if !self.reasons.contains(reason) {
                self.reasons.push(reason.clone());
            }
        }
        self.longest_pause = [self.longest_pause, duty.longest_pause].into_iter().flatten().min();
        self.wrap_up = self.wrap_up.max(duty.wrap_up);
        self.probe = [self.probe, duty.probe].into_iter().flatten().min();
        self.zone = self.zone.take().or_else(|| TimeZone::get(&hotline.time_zone).ok());
    }

    pub fn start(&self) -> Presence {
        if self.login { Presence::LoggedOut } else { Presence::Ready }
    }
}

/// What an agent, or somebody for the agent, asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Order {
    /// Logs in too.
    Ready,
    /// For a reason by its name; logs in too.
    Pause(Option<String>),
    /// For the reason of this place in the list, from 1; 0: without.
    PauseFor(usize),
    WrapUp,
    /// Changes nothing in a pause.
    WrapUpOver,
    LogOut,
    /// Also if nobody would be there then.
    LogOutAnyway,
}

/// What else happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// A hotline's call, answered by this agent, is over.
    CallOver {
        call: CallId,
        wrap_up: Duration,
    },
    Timeout,
}

/// One agent as people and programs are shown it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Shown {
    pub agent: AgentNo,
    pub presence: Kind,
    /// Of a pause.
    pub reason: Option<String>,
    /// RFC 3339, UTC, both; `None`: nothing was said yet, or it does not end by itself.
    pub since: Option<String>,
    pub until: Option<String>,
    pub phone: PhoneDoes,
    /// The call that rings or is talked in.
    pub call: Option<CallId>,
    /// `None`: not known.
    pub reachable: Option<bool>,
    /// When the shift begins, or began, for which the agent has not logged in; `None`: misses none.
    pub misses_shift: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PhoneDoes {
    Free,
    Ringing,
    Talking,
}

impl Shown {
    pub fn new(
        agent: AgentNo,
        presence: &Presence,
        since: Option<String>,
        (phone, call): (PhoneDoes, Option<CallId>),
        reachable: Option<bool>,
    ) -> Shown {
        let reason = match presence {
            Presence::Paused { reason, .. } => reason.clone(),
            _ => None,
        };
        let until = presence.until().map(|until| until.wall.to_string());
        let misses_shift = None;
        Shown { agent, presence: presence.kind(), reason, since, until, phone, call, reachable, misses_shift }
    }

    #[must_use]
    pub fn missing(self, shift: Option<Wall>) -> Shown {
        Shown { misses_shift: shift.map(|begins| begins.to_string()), ..self }
    }
}

impl Presence {
    /// Not there, so that a shift may be missed.
    pub fn misses_shifts(&self) -> bool {
        matches!(self, Presence::LoggedOut | Presence::Away)
    }
}

/// Why an order is not followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("there is no such agent")]
    NoAgent,
    #[error("the agent is not logged in")]
    LoggedOut,
    #[error("no dialplan asks this agent to log in: pause instead")]
    NoLogin,
    #[error("a pause needs one of the reasons of the dialplan")]
    Reason,
    #[error("no dialplan of this agent has wrap-up")]
    NoWrapUp,
    #[error("the agent is not in wrap-up")]
    NotInWrapUp,
    #[error("no successor is there, and the hotline is open")]
    NoSuccessor,
}

/// One fact of one agent. `n` counts over all agents of a run, without gaps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentFact {
    pub agent: AgentNo,
    pub n: u32,
    pub at: crate::clock::Stamp,
    #[serde(flatten)]
    pub what: What,
}

/// What an agent's presence became. One writer: [`super::agent::Agents`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "fact", rename_all = "snake_case")]
pub enum What {
    LoggedIn {
        by: By,
    },
    Ready {
        by: By,
    },
    /// `until_us`: the longest pause ends, in microseconds since 1970.
    Paused {
        reason: Option<String>,
        until_us: Option<i64>,
        by: By,
    },
    WrapUp {
        until_us: i64,
        /// Whose work is finished; none if the agent asked for it.
        call: Option<CallId>,
        by: By,
    },
    Away {
        by: By,
    },
    LoggedOut {
        by: By,
    },
    /// No phone of the agent, who is there for callers, can be reached.
    Unreachable,
    Reachable,
    /// The agent dialled the code of a supervisor and was refused.
    SupervisionRefused {
        of: AgentNo,
        why: RefusedSupervision,
    },
    /// A shift of this hotline begins soon, in microseconds since 1970, and the agent has not logged in as early as the dialplan asks.
    MissesShift {
        hotline: HotlineId,
        begins_us: i64,
    },
    /// The agent wanted to log out and was kept: nobody else would be there for this hotline, which is open.
    LogOutRefused {
        hotline: HotlineId,
        by: By,
    },
    /// The agent logs out all the same, by somebody's word; `logged_out` follows.
    LeavesAlone {
        hotline: HotlineId,
        by: By,
    },
    /// From now on the agent is on a shift of this hotline's roster; said of shifts that were on when the run began, too.
    ShiftBegan {
        hotline: HotlineId,
    },
    /// The agent is on no shift any more.
    ShiftOver {
        hotline: HotlineId,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusedSupervision {
    /// No PIN of this agent's is configured.
    NoSupervisor,
    WrongPin,
    /// Too many wrong ones from that address: the PIN was not looked at.
    LockedOut,
    /// The agent talks in a call of a hotline that is not this supervisor's.
    OtherHotline,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum By {
    /// A feature code.
    Phone,
    Api,
    /// A call ended.
    Call,
    /// Time is up.
    Limit,
    /// It was so when the gateway was stopped.
    Restart,
}

impl Presence {
    pub fn kind(&self) -> Kind {
        match self {
            Presence::LoggedOut => Kind::LoggedOut,
            Presence::Ready => Kind::Ready,
            Presence::Paused { .. } => Kind::Paused,
            Presence::WrapUp { .. } => Kind::WrapUp,
            Presence::Away => Kind::Away,
        }
    }

    /// When time runs out.
    pub fn until(&self) -> Option<Now> {
        match self {
            Presence::Paused { until, .. } => *until,
            Presence::WrapUp { until } => Some(*until),
            Presence::LoggedOut | Presence::Ready | Presence::Away => None,
        }
    }

    /// The presence after `order`, and what is to be said of it; the same presence: nothing.
    pub fn ordered(&self, order: Order, by: By, rules: &Rules, now: Now) -> Result<(Presence, Vec<What>), Refused> {
        let reason = |place: usize| match place.checked_sub(1) {
            None => Ok(None),
            Some(place) => rules.reasons.get(place).cloned().map(Some).ok_or(Refused::Reason),
        };
        let to = match (self, order) {
            (Presence::LoggedOut, Order::WrapUp | Order::WrapUpOver) => return Err(Refused::LoggedOut),
            (Presence::WrapUp { .. }, Order::WrapUpOver) | (_, Order::Ready) => Presence::Ready,
            (_, Order::WrapUpOver) => return Err(Refused::NotInWrapUp),
            (_, Order::Pause(reason)) => pause(reason, rules, now)?,
            (_, Order::PauseFor(place)) => pause(reason(place)?, rules, now)?,
            (_, Order::WrapUp) if rules.wrap_up.is_zero() => return Err(Refused::NoWrapUp),
            (_, Order::WrapUp) => Presence::WrapUp { until: now.after(rules.wrap_up) },
            (_, Order::LogOut | Order::LogOutAnyway) if rules.login => Presence::LoggedOut,
            (_, Order::LogOut | Order::LogOutAnyway) => return Err(Refused::NoLogin),
        };
        if to == *self {
            return Ok((to, Vec::new()));
        }
        let login = (*self == Presence::LoggedOut).then_some(What::LoggedIn { by });
        let told = login.into_iter().chain([to.told(by, None)]).collect();
        Ok((to, told))
    }

    /// The presence after `event`, if it changes.
    pub fn after(&self, event: Event, now: Now) -> Option<(Presence, What)> {
        match (self, event) {
            (Presence::Ready | Presence::WrapUp { .. }, Event::CallOver { call, wrap_up }) if !wrap_up.is_zero() => {
                let to = Presence::WrapUp { until: now.after(wrap_up) };
                let told = to.told(By::Call, Some(call));
                Some((to, told))
            }
            (Presence::WrapUp { until }, Event::Timeout) if until.mono <= now.mono => {
                Some((Presence::Ready, What::Ready { by: By::Limit }))
            }
            (Presence::Paused { until: Some(until), .. }, Event::Timeout) if until.mono <= now.mono => {
                Some((Presence::Away, What::Away { by: By::Limit }))
            }
            _ => None,
        }
    }

    /// The fact of having come to this presence.
    pub fn told(&self, by: By, call: Option<CallId>) -> What {
        match self {
            Presence::LoggedOut => What::LoggedOut { by },
            Presence::Ready => What::Ready { by },
            Presence::Paused { reason, until } => {
                What::Paused { reason: reason.clone(), until_us: until.map(|at| at.wall.as_micros()), by }
            }
            Presence::WrapUp { until } => What::WrapUp { until_us: until.wall.as_micros(), call, by },
            Presence::Away => What::Away { by },
        }
    }
}

fn pause(reason: Option<String>, rules: &Rules, now: Now) -> Result<Presence, Refused> {
    let listed = match &reason {
        None => rules.reasons.is_empty(),
        Some(reason) => rules.reasons.contains(reason),
    };
    let until = rules.longest_pause.map(|longest| now.after(longest));
    listed.then_some(Presence::Paused { reason, until }).ok_or(Refused::Reason)
}

impl What {
    /// The one word of the presence that it tells; `None`: it tells none.
    pub fn kind(&self) -> Option<Kind> {
        Some(match self {
            What::Ready { .. } => Kind::Ready,
            What::Paused { .. } => Kind::Paused,
            What::WrapUp { .. } => Kind::WrapUp,
            What::Away { .. } => Kind::Away,
            What::LoggedOut { .. } => Kind::LoggedOut,
            What::LoggedIn { .. }
            | What::Unreachable
            | What::Reachable
            | What::SupervisionRefused { .. }
            | What::MissesShift { .. }
            | What::LogOutRefused { .. }
            | What::LeavesAlone { .. }
            | What::ShiftBegan { .. }
            | What::ShiftOver { .. } => return None,
        })
    }

    /// What it says of the presence at `now`; `None`: nothing, or only of the moment.
    pub fn presence(&self, now: Now) -> Option<Presence> {
        Some(match self {
            What::LoggedIn { .. }
            | What::Unreachable
            | What::Reachable
            | What::SupervisionRefused { .. }
            | What::MissesShift { .. }
            | What::LogOutRefused { .. }
            | What::LeavesAlone { .. }
            | What::ShiftBegan { .. }
            | What::ShiftOver { .. } => return None,
            What::Ready { .. } => Presence::Ready,
            What::Paused { reason, until_us, .. } => match until_us.map(|us| left(us, now)) {
                Some(None) => Presence::Away,
                Some(until) => Presence::Paused { reason: reason.clone(), until },
                None => Presence::Paused { reason: reason.clone(), until: None },
            },
            What::WrapUp { until_us, .. } => match left(*until_us, now) {
                Some(until) => Presence::WrapUp { until },
                None => Presence::Ready,
            },
            What::Away { .. } => Presence::Away,
            What::LoggedOut { .. } => Presence::LoggedOut,
        })
    }
}

/// That moment on both clocks, unless it is over. Between two runs only the wall clock knows.
fn left(us: i64, now: Now) -> Option<Now> {
    let us = u64::try_from(us.saturating_sub(now.wall.as_micros())).ok().filter(|us| *us > 0)?;
    Some(now.after(Duration::from_micros(us)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{Instant, Wall};
    use crate::ids::Random;

    const NOON: Now = Now { mono: Instant::from_millis(1_000), wall: Wall::from_micros(1_795_226_400_000_000) };

    fn rules() -> Rules {
        Rules {
            login: true,
            reasons: vec!["lunch".into(), "toilet".into()],
            longest_pause: Some(Duration::from_secs(600)),
            wrap_up: Duration::from_secs(30),
            probe: None,
            zone: None,
        }
    }

    fn order(presence: &Presence, order: Order) -> Result<Presence, Refused> {
        presence.ordered(order, By::Phone, &rules(), NOON).map(|(to, _)| to)
    }

    fn lunch() -> Presence {
        Presence::Paused { reason: Some("lunch".into()), until: Some(NOON.after(Duration::from_secs(600))) }
    }

    #[test]
    fn whoever_is_logged_out_logs_in_by_being_ready_or_pausing() {
        let start = rules().start();
        assert_eq!(start, Presence::LoggedOut);
        let (to, told) = start.ordered(Order::Ready, By::Api, &rules(), NOON).unwrap();
        assert_eq!((to, told), (Presence::Ready, vec![What::LoggedIn { by: By::Api }, What::Ready { by: By::Api }]));
        assert_eq!(order(&start, Order::PauseFor(1)), Ok(lunch()));
        assert_eq!(order(&start, Order::WrapUp), Err(Refused::LoggedOut));
        assert_eq!(Rules::default().start(), Presence::Ready, "nobody asks for a login");
    }

    #[test]
    fn a_pause_has_a_listed_reason_where_there_is_a_list() {
        assert_eq!(order(&Presence::Ready, Order::Pause(None)), Err(Refused::Reason));
        assert_eq!(order(&Presence::Ready, Order::Pause(Some("nap".into()))), Err(Refused::Reason));
        assert_eq!(order(&Presence::Ready, Order::PauseFor(3)), Err(Refused::Reason));
        assert_eq!(order(&Presence::Ready, Order::Pause(Some("lunch".into()))), Ok(lunch()));
        let free = Presence::Ready.ordered(Order::PauseFor(0), By::Phone, &Rules::default(), NOON);
        assert_eq!(free.unwrap().0, Presence::Paused { reason: None, until: None });
    }

    #[test]
    fn a_pause_that_is_too_long_is_an_absence_and_wrap_up_ends_by_itself() {
        let late = NOON.after(Duration::from_secs(601));
        assert_eq!(lunch().after(Event::Timeout, NOON), None);
        assert_eq!(lunch().after(Event::Timeout, late), Some((Presence::Away, What::Away { by: By::Limit })));
        let call = CallId::new(NOON.wall, &mut Random::from_number(1));
        let over = Event::CallOver { call, wrap_up: Duration::from_secs(30) };
        let (wrap_up, told) = Presence::Ready.after(over, NOON).unwrap();
        assert_eq!(wrap_up, Presence::WrapUp { until: NOON.after(Duration::from_secs(30)) });
        assert!(matches!(told, What::WrapUp { call: Some(of), by: By::Call, .. } if of == call));
        assert_eq!(wrap_up.after(Event::Timeout, late).unwrap().0, Presence::Ready);
        assert_eq!(order(&wrap_up, Order::WrapUpOver), Ok(Presence::Ready));
        assert_eq!(order(&lunch(), Order::WrapUpOver), Err(Refused::NotInWrapUp), "a wrong key ends no pause");
        for state in [lunch(), Presence::Away, Presence::LoggedOut] {
            assert_eq!(state.after(over, NOON), None, "whoever asked for it during the call stays so");
        }
        assert_eq!(Presence::Ready.after(Event::CallOver { call, wrap_up: Duration::ZERO }, NOON), None);
    }

    #[test]
    fn whoever_needs_no_login_cannot_log_out() {
        assert_eq!(order(&lunch(), Order::LogOut), Ok(Presence::LoggedOut));
        let told = Presence::Ready.ordered(Order::LogOut, By::Api, &Rules::default(), NOON);
        assert_eq!(told, Err(Refused::NoLogin));
    }

    #[test]
    fn a_fact_tells_the_presence_even_after_a_restart() {
        let later = Now { mono: Instant::START, wall: NOON.wall + Duration::from_secs(100) };
        let end = Now { mono: Instant::from_millis(500_000), wall: NOON.wall + Duration::from_secs(600) };
        let again = lunch().told(By::Phone, None).presence(later);
        assert_eq!(again, Some(Presence::Paused { reason: Some("lunch".into()), until: Some(end) }));
        let much_later = Now { wall: NOON.wall + Duration::from_secs(1_000), ..later };
        assert_eq!(lunch().told(By::Phone, None).presence(much_later), Some(Presence::Away));
        let wrap_up = Presence::WrapUp { until: NOON.after(Duration::from_secs(30)) };
        assert_eq!(wrap_up.told(By::Call, None).presence(later), Some(Presence::Ready));
        assert_eq!(What::Unreachable.presence(later), None);
    }
}
