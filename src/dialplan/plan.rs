//! The compiled plan: total, shared by reference, immutable. Nothing here can fail while a call is handled.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::ids::{AgentNo, HotlineId, TargetName};

/// Every hotline, found by the number dialled.
#[derive(Debug, Clone, Default)]
pub struct Plans {
    pub hotlines: Vec<Arc<Hotline>>,
    /// Number as written in `[hotline] numbers` → the hotline that owns it.
    pub by_number: BTreeMap<String, Arc<Hotline>>,
}

#[derive(Debug, Clone)]
pub struct Hotline {
    pub id: HotlineId,
    pub org: String,
    pub numbers: Vec<String>,
    /// BCP 47, as in `prompts/<language>/`.
    pub language: String,
    pub time_zone: String,
    /// First 16 hex digits of the SHA-256 of the file's bytes: calls pin it.
    pub version: String,
    pub answer: Answer,
    pub greeting: Greeting,
    pub agents: Agents,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub max_rings: u32,
    pub cadence: Cadence,
    pub ringback: Ringback,
    pub short_abandon: Duration,
}

/// Ringing tone, ITU-T E.180: `burst` on, then silence up to `period`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cadence {
    pub name: String,
    pub burst: Duration,
    pub period: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ringback {
    Network,
    Gateway,
}

#[derive(Debug, Clone, Default)]
pub struct Greeting {
    /// For each agent who can answer.
    pub by_agent: BTreeMap<AgentNo, AgentGreeting>,
}

#[derive(Debug, Clone)]
pub struct AgentGreeting {
    pub normal: Prompt,
    /// Said when the answer came after `max_rings`.
    pub late: Prompt,
}

/// A spoken text, ready to play.
#[derive(Debug, Clone)]
pub struct Prompt {
    /// The text with its placeholders filled in.
    pub text: String,
    /// The files it was joined from, in order: `greet/property/8.wav`.
    pub files: Vec<String>,
    /// 8 kHz, 16 bit.
    pub audio: Arc<[i16]>,
}

#[derive(Debug, Clone)]
pub struct Agents {
    /// In the order of the file; each is known to the configuration.
    pub numbers: Vec<AgentNo>,
    pub strategy: Strategy,
    /// How long one agent's phone rings before the next one is tried.
    pub ring: Duration,
    pub nobody: Nobody,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strategy {
    /// Always from the first of the list.
    InOrder,
    /// From the one after the agent who was rung last.
    RoundRobin,
    /// All at once; the first who answers has the call.
    RingAll,
    /// Whose last call ended first; before their first call, since the gateway began.
    LongestIdle,
    /// Who answered the fewest calls since the gateway began.
    FewestCalls,
    Random,
}

impl Strategy {
    /// As `agents.strategy` says it.
    pub const WORDS: &'static [(&'static str, Strategy)] = &[
        ("round_robin", Strategy::RoundRobin),
        ("in_order", Strategy::InOrder),
        ("longest_idle", Strategy::LongestIdle),
        ("ring_all", Strategy::RingAll),
        ("fewest_calls", Strategy::FewestCalls),
        ("random", Strategy::Random),
    ];
}

/// What the caller gets when no agent is left to try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Nobody {
    /// 486 Busy Here: the caller's own network plays the busy tone.
    BusyTone,
    /// 480 Temporarily Unavailable.
    Unavailable,
    /// This target is called in an agent's place; 480 if it does not answer either.
    Target(TargetName),
}
