//! The secret of a period, and what is drawn by it.

use std::fmt;
use std::str::FromStr;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::ids::{AgentNo, CallId};

/// 32 random bytes of one period: unknown until they are revealed at its close.
#[derive(Clone, PartialEq, Eq)]
pub struct Seed([u8; 32]);

/// HMAC-SHA256 (RFC 2104): the order in which calls are taken, lowest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket(pub [u8; 32]);

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("a seed is 64 hexadecimal digits")]
pub struct SeedError;

impl Seed {
    pub fn new(bytes: [u8; 32]) -> Seed {
        Seed(bytes)
    }

    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The 64 hexadecimal digits; only for a period that is closed.
    pub fn reveal(&self) -> String {
        hex(&self.0)
    }

    /// Of the call's id as it is written: lower case, with hyphens.
    pub fn ticket(&self, call: CallId) -> Ticket {
        let mut text = [0; uuid::fmt::Hyphenated::LENGTH];
        Ticket(self.mac(call.0.hyphenated().encode_lower(&mut text).as_bytes()))
    }

    /// Where an agent's walk through the strata begins: the first eight bytes, big-endian, of the HMAC of `start PERIOD AGENT`.
    pub fn start(&self, period: &str, agent: &AgentNo) -> u64 {
        let mac = self.mac(format!("start {period} {agent}").as_bytes());
        mac.iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
    }

    fn mac(&self, text: &[u8]) -> [u8; 32] {
        // The key is shorter than SHA-256's block: padded with zeros (RFC 2104 section 2).
        let mut block = hmac::digest::Key::<Hmac<Sha256>>::default();
        block[..self.0.len()].copy_from_slice(&self.0);
        let mut mac = Hmac::<Sha256>::new(&block);
        mac.update(text);
        mac.finalize().into_bytes().into()
    }
}

/// It is a secret.
impl fmt::Debug for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seed")
    }
}

impl FromStr for Seed {
    type Err = SeedError;

    fn from_str(text: &str) -> Result<Seed, SeedError> {
        let digits = text.trim().as_bytes();
        if digits.len() != 64 {
            return Err(SeedError);
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            let digit = |octet: u8| char::from(octet).to_digit(16).ok_or(SeedError);
            *byte = (digit(pair[0])? << 4 | digit(pair[1])?) as u8;
        }
        Ok(Seed(bytes))
    }
}

impl Ticket {
    /// The remainder of the ticket, read as one number of 256 bits.
    pub fn modulo(self, divisor: u32) -> u32 {
        let divisor = u64::from(divisor.max(1));
        let rest = self.0.iter().fold(0_u64, |rest, byte| (rest << 8 | u64::from(*byte)) % divisor);
        u32::try_from(rest).unwrap_or(0)
    }
}

impl fmt::Display for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
