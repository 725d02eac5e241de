//! What an agent asks for by dialling a code instead of a number.

use std::collections::BTreeMap;

use super::fact::Supervision;
use super::presence::Order;
use crate::ids::AgentNo;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Feature {
    Ready,
    /// With the place of a reason as one more digit.
    Pause,
    WrapUp,
    WrapUpOver,
    LogOut,
    /// With the number of the colleague whose phone rings.
    PickUp,
    /// Of the call in which the agent talks.
    PauseRecording,
    ResumeRecording,
    /// The caller of the talk in which the agent is; the slot is said.
    Park,
    /// With the digit of a slot.
    PickUpParked,
    /// With the number of an agent or a target: calls them into the talk in which the agent is.
    Add,
    /// With the agent's PIN, a star and a number outside.
    Outside,
    /// With the number of an agent who talks, a star and the supervisor's PIN.
    Supervise(Supervision),
}

/// Key of `[features]`, code where nothing else is written, what it does.
pub const DEFAULTS: &[(&str, &str, Feature)] = &[
    ("log_out", "*40", Feature::LogOut),
    ("ready", "*41", Feature::Ready),
    ("pause", "*42", Feature::Pause),
    ("wrap_up_over", "*43", Feature::WrapUpOver),
    ("wrap_up", "*44", Feature::WrapUp),
    ("pause_recording", "*45", Feature::PauseRecording),
    ("resume_recording", "*46", Feature::ResumeRecording),
    ("add", "*47", Feature::Add),
    ("park", "*48", Feature::Park),
    ("pick_up_parked", "*49", Feature::PickUpParked),
    ("pick_up", "*8", Feature::PickUp),
    ("outside", "*7", Feature::Outside),
    ("listen", "*91", Feature::Supervise(Supervision::Listen)),
    ("whisper", "*92", Feature::Supervise(Supervision::Whisper)),
    ("barge", "*93", Feature::Supervise(Supervision::Barge)),
];

/// What was dialled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    Order(Order),
    PickUp(AgentNo),
    Recording { paused: bool },
    Add(String),
    Park,
    PickUpParked { slot: u8 },
    Supervise { mode: Supervision, of: AgentNo, pin: String },
    Outside { pin: String, number: String },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Codes(BTreeMap<String, Feature>);

impl Default for Codes {
    fn default() -> Self {
        Codes(DEFAULTS.iter().map(|(_, code, feature)| ((*code).to_owned(), *feature)).collect())
    }
}

impl Codes {
    pub fn new(codes: impl IntoIterator<Item = (String, Feature)>) -> Codes {
        Codes(codes.into_iter().collect())
    }

    /// A code begins with `*` and goes on with one to four digits.
    pub fn is_code(code: &str) -> bool {
        let digits = code.strip_prefix('*').unwrap_or_default();
        (1..=4).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit())
    }

    /// The longest code that it begins with, if what follows is right.
    pub fn read(&self, dialled: &str) -> Option<Asked> {
        let ends = (1..=dialled.len()).rev().filter(|end| dialled.is_char_boundary(*end));
        ends.map(|end| dialled.split_at(end)).find_map(|(code, rest)| asked(*self.0.get(code)?, rest))
    }
}

fn asked(feature: Feature, rest: &str) -> Option<Asked> {
    let plain = |order| rest.is_empty().then_some(Asked::Order(order));
    match feature {
        Feature::Ready => plain(Order::Ready),
        Feature::WrapUp => plain(Order::WrapUp),
        Feature::WrapUpOver => plain(Order::WrapUpOver),
        Feature::LogOut => plain(Order::LogOut),
        Feature::Pause if rest.is_empty() => plain(Order::PauseFor(0)),
        Feature::Pause => match rest.as_bytes() {
            [digit @ b'1'..=b'9'] => Some(Asked::Order(Order::PauseFor(usize::from(digit - b'0')))),
            _ => None,
        },
        Feature::PauseRecording => rest.is_empty().then_some(Asked::Recording { paused: true }),
        Feature::ResumeRecording => rest.is_empty().then_some(Asked::Recording { paused: false }),
        Feature::Park => rest.is_empty().then_some(Asked::Park),
        Feature::PickUpParked => match rest.as_bytes() {
            [digit @ b'1'..=b'9'] => Some(Asked::PickUpParked { slot: digit - b'0' }),
            _ => None,
        },
        Feature::Add => (!rest.is_empty()).then(|| Asked::Add(rest.to_owned())),
        Feature::Outside => {
            let (pin, number) = rest.split_once(['*', '#'])?;
            Some(Asked::Outside { pin: pin.to_owned(), number: number.to_owned() })
        }
        Feature::Supervise(mode) => {
            let (of, pin) = rest.split_once(['*', '#'])?;
            (!of.is_empty()).then(|| Asked::Supervise { mode, of: AgentNo::from(of), pin: pin.to_owned() })
        }
        Feature::PickUp => (!rest.is_empty()).then(|| Asked::PickUp(AgentNo::from(rest))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_read_with_what_follows() {
        let codes = Codes::default();
        let order = |dialled: &str| match codes.read(dialled) {
            Some(Asked::Order(order)) => Some(order),
            Some(_) | None => None,
        };
        assert_eq!(order("*41"), Some(Order::Ready));
        assert_eq!(order("*40"), Some(Order::LogOut));
        assert_eq!(order("*42"), Some(Order::PauseFor(0)));
        assert_eq!(order("*423"), Some(Order::PauseFor(3)));
        assert_eq!(codes.read("*812"), Some(Asked::PickUp("12".into())));
        let whisper = Asked::Supervise { mode: Supervision::Whisper, of: "12".into(), pin: "4711".to_owned() };
        assert_eq!(codes.read("*9212*4711"), Some(whisper.clone()));
        assert_eq!(codes.read("*9212#4711"), Some(whisper));
        assert_eq!(codes.read("*4713900000001"), Some(Asked::Add("13900000001".to_owned())));
        assert_eq!((codes.read("*48"), codes.read("*493")), (Some(Asked::Park), Some(Asked::PickUpParked { slot: 3 })));
        for unknown in [
            "*49", "*490", "*4912", "*481", "*47", "*918", "*91*4711", "*", "", "41", "*411", "*420", "*4212", "*8",
            "*9", "*é",
        ] {
            assert_eq!(codes.read(unknown), None, "{unknown}");
        }
    }

    #[test]
    fn the_longer_code_goes_first() {
        let codes = Codes::new([("*4".to_owned(), Feature::PickUp), ("*41".to_owned(), Feature::Ready)]);
        assert_eq!(codes.read("*41"), Some(Asked::Order(Order::Ready)));
        assert_eq!(codes.read("*415"), Some(Asked::PickUp("15".into())));
        assert!(DEFAULTS.iter().all(|(_, code, _)| Codes::is_code(code)));
        assert!(!Codes::is_code("41") && !Codes::is_code("*") && !Codes::is_code("*12345") && !Codes::is_code("*4a"));
    }
}
