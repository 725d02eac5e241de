//! A secret that is only ever compared.

use sha2::{Digest as _, Sha256};

/// Kept as a hash. Hashes are compared, so that the time of a comparison says nothing of the secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Token([u8; 32]);

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token")
    }
}

impl Token {
    pub fn new(secret: &str) -> Token {
        Token(Sha256::digest(secret.as_bytes()).into())
    }
}
