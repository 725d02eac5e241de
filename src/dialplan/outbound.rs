//! `[outbound]`: the numbers outside that a hotline's agents may call, and for how long.

use std::time::Duration;

use crate::ids::AgentNo;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outbound {
    pub agents: Vec<AgentNo>,
    /// A number must begin with one of these, in the form in which the trunk keeps numbers.
    pub prefixes: Vec<String>,
    /// Talk of each agent in a month, after which no call is begun; `None`: as much as it takes.
    pub quota: Option<Duration>,
    /// Numbers of other countries too.
    pub abroad: bool,
}

/// Why a number is not called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAllowed {
    #[error("no hotline's [outbound] names this agent")]
    Agent,
    #[error("it is no number of 3 to 20 digits")]
    NoNumber,
    #[error("it is a number of another country")]
    Abroad,
    #[error("no prefix of [outbound] begins it")]
    Prefix,
}

impl Outbound {
    /// `kept`: as the trunk keeps numbers; whether it is `abroad` the trunk's country tells.
    pub fn allows(&self, agent: &AgentNo, kept: &str, abroad: bool) -> Result<(), NotAllowed> {
        match () {
            () if !self.agents.contains(agent) => Err(NotAllowed::Agent),
            () if !is_number(kept) => Err(NotAllowed::NoNumber),
            () if abroad && !self.abroad => Err(NotAllowed::Abroad),
            () if !self.prefixes.iter().any(|prefix| kept.starts_with(prefix.as_str())) => Err(NotAllowed::Prefix),
            () => Ok(()),
        }
    }
}

/// Digits, and a `+` before them: nothing that a URI or a carrier would read otherwise.
pub fn is_number(written: &str) -> bool {
    let digits = written.strip_prefix('+').unwrap_or(written);
    (3..=20).contains(&digits.len()) && digits.chars().all(|c| c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_line_allows_is_called() {
        let list = |of: &[&str]| of.iter().map(ToString::to_string).collect();
        let outbound =
            Outbound { agents: vec!["8".into()], prefixes: list(&["139", "+86139"]), quota: None, abroad: false };
        let asked = |agent: &str, number: &str, abroad| outbound.allows(&agent.into(), number, abroad);
        assert_eq!(asked("8", "13912345678", false), Ok(()));
        assert_eq!(asked("8", "+8613912345678", false), Ok(()));
        assert_eq!(asked("9", "13912345678", false), Err(NotAllowed::Agent));
        assert_eq!(asked("8", "13812345678", false), Err(NotAllowed::Prefix));
        assert_eq!(asked("8", "00442012345678", true), Err(NotAllowed::Abroad));
        for odd in ["139;phone-context=x", "139@x", "", "13", "139123456789012345678", "139*1", "１３９１"] {
            assert_eq!(asked("8", odd, false), Err(NotAllowed::NoNumber), "{odd}");
        }
    }
}
