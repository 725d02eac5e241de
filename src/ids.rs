//! Names of things: calls, legs, persons, agents; and the seeded source of randomness they are drawn from.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use rand_chacha::ChaCha12Rng;
use rand_core::{Rng as _, SeedableRng};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::clock::Wall;

/// The one source of randomness of the pure floors: seeded from the operating system in production, from a printed
/// seed in tests. ChaCha12, so tags and branches cannot be guessed from earlier ones (RFC 3261 section 19.3).
#[derive(Debug, Clone)]
pub struct Random(ChaCha12Rng);

impl Random {
    pub fn from_seed(seed: [u8; 32]) -> Self {
        Random(ChaCha12Rng::from_seed(seed))
    }

    pub fn from_number(seed: u64) -> Self {
        Random(ChaCha12Rng::seed_from_u64(seed))
    }

    pub fn u32(&mut self) -> u32 {
        self.0.next_u32()
    }

    pub fn u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A number from 0 to `bound - 1` (0 if `bound` is 0). The bias is below 2^-32 for the bounds used here.
    pub fn below(&mut self, bound: u32) -> u32 {
        ((u64::from(self.u32()) * u64::from(bound)) >> 32) as u32
    }

    pub fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut out = [0; N];
        self.0.fill_bytes(&mut out);
        out
    }

    /// A token of 16 lower-case hex digits: 64 bits, twice what RFC 3261 section 19.3 asks of a tag.
    pub fn token(&mut self) -> String {
        format!("{:016x}", self.u64())
    }
}

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;
            fn from_str(s: &str) -> Result<Self, Self::Err> {
                Uuid::parse_str(s).map($name)
            }
        }
    };
}

uuid_id! {
    /// A call: UUIDv7 (RFC 9562) of the moment it was offered, so ids sort by time.
    CallId
}

impl CallId {
    pub fn new(offered: Wall, random: &mut Random) -> Self {
        let bytes = random.bytes::<10>();
        CallId(uuid::Builder::from_unix_timestamp_millis(offered.as_unix_millis(), &bytes).into_uuid())
    }
}

uuid_id! {
    /// Stands for the caller's number in facts; the number itself lives in a table of its own, so it can be erased.
    SubjectId
}

impl SubjectId {
    pub fn new(random: &mut Random) -> Self {
        SubjectId(uuid::Builder::from_random_bytes(random.bytes::<16>()).into_uuid())
    }
}

macro_rules! name_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $name {
            fn from(s: &str) -> Self {
                $name(s.into())
            }
        }

        impl From<String> for $name {
            fn from(s: String) -> Self {
                $name(s.into())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name_id! {
    /// An agent's number (工号), as spoken in the greeting: "8".
    AgentNo
}
name_id! {
    /// A hotline's id, from `[hotline] id` of its dialplan.
    HotlineId
}
name_id! {
    /// A trunk's name, from the configuration.
    TrunkName
}

name_id! {
    /// Somebody else than an agent whom a dialplan may call, from the configuration.
    TargetName
}

/// One leg of one call, unique within a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LegId(pub u64);

impl LegId {
    /// No leg has this number.
    pub const NOBODY: LegId = LegId(0);
}

/// Which of the two people of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    Caller,
    Agent,
}

impl Side {
    pub fn as_str(self) -> &'static str {
        match self {
            Side::Caller => "caller",
            Side::Agent => "agent",
        }
    }
}

/// Who is called for the caller.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Callee {
    Agent(AgentNo),
    /// Somebody else of the configuration, through a trunk.
    Target(TargetName),
}

impl fmt::Display for Callee {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Callee::Agent(agent) => agent.fmt(f),
            Callee::Target(target) => write!(f, "target:{target}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn call_ids_sort_by_time() {
        let mut random = Random::from_number(1);
        let a = CallId::new(Wall::from_micros(1_000_000), &mut random);
        let b = CallId::new(Wall::from_micros(2_000_000), &mut random);
        assert!(a < b);
        assert_eq!(a.0.get_version_num(), 7);
        assert_eq!(a.to_string().parse::<CallId>(), Ok(a));
    }

    #[test]
    fn the_same_seed_gives_the_same_tokens() {
        assert_eq!(Random::from_number(7).token(), Random::from_number(7).token());
        let mut random = Random::from_number(7);
        assert!((0..1000).all(|_| random.below(3) < 3));
    }
}
