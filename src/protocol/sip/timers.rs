//! The timers of RFC 3261 (table 4) and RFC 6026, as a table.

use std::time::Duration;

use crate::clock::Instant;

/// Round-trip estimate.
pub const T1: Duration = Duration::from_millis(500);
/// Longest interval between retransmissions of non-INVITE requests and INVITE responses.
pub const T2: Duration = Duration::from_secs(4);
/// How long a message stays in the network.
pub const T4: Duration = Duration::from_secs(5);
/// 64 × T1: when a transaction gives up.
pub const GIVE_UP: Duration = Duration::from_secs(32);
/// Timer D: longer than 32 s, unreliable transports only.
pub const D: Duration = Duration::from_millis(32_500);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Timer {
    /// INVITE retransmission.
    A,
    /// INVITE gives up.
    B,
    /// Wait for response retransmissions, INVITE client.
    D,
    /// Non-INVITE retransmission.
    E,
    /// Non-INVITE gives up.
    F,
    /// INVITE response retransmission.
    G,
    /// Wait for ACK.
    H,
    /// Wait for ACK retransmissions.
    I,
    /// Wait for request retransmissions, non-INVITE server.
    J,
    /// Wait for response retransmissions, non-INVITE client.
    K,
    /// Wait for INVITE retransmissions after a 2xx (RFC 6026).
    L,
    /// Wait for 2xx retransmissions (RFC 6026).
    M,
}

/// At most two timers of a transaction run at once, so the table is two slots.
#[derive(Debug, Clone, Default)]
pub struct TimerTable([Option<(Instant, Timer)>; 2]);

impl TimerTable {
    pub fn set(&mut self, timer: Timer, at: Instant) {
        self.clear(timer);
        if let Some(slot) = self.0.iter_mut().find(|slot| slot.is_none()) {
            *slot = Some((at, timer));
        } else {
            debug_assert!(false, "a third timer: {timer:?} beside {:?}", self.0);
        }
    }

    pub fn clear(&mut self, timer: Timer) {
        for slot in &mut self.0 {
            if slot.is_some_and(|(_, t)| t == timer) {
                *slot = None;
            }
        }
    }

    pub fn clear_all(&mut self) {
        self.0 = [None; 2];
    }

    pub fn next(&self) -> Option<Instant> {
        self.0.iter().flatten().map(|(at, _)| *at).min()
    }

    /// Takes the earliest timer that has run out.
    pub fn pop_due(&mut self, now: Instant) -> Option<Timer> {
        let (_, timer) = self.0.iter().flatten().filter(|(at, _)| *at <= now).min_by_key(|(at, _)| *at).copied()?;
        self.clear(timer);
        Some(timer)
    }
}
