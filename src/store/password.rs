//! Passwords: kept as Argon2id (RFC 9106) with a salt of their own, 19 MiB and two passes, as OWASP recommends.

use argon2::Argon2;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _, phc::PasswordHash};

/// Shorter ones are refused (NIST SP 800-63B section 3.1.1.2 asks for 15 where nothing else is asked for, 8 at the least).
pub const SHORTEST_PASSWORD: usize = 10;
/// Longer ones would only cost time.
const LONGEST: usize = 256;

/// A hash of no password that anybody knows.
const NOBODYS: &str = "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5cyBzYWx0IQ$5L0Q0mYb2gkqLJ7Ww0m0m3bC2h0y7nYqf7m5b1K2c9E";

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    #[error("the password is shorter than {SHORTEST_PASSWORD} characters")]
    TooShort,
    #[error("the password is longer than {LONGEST} octets")]
    TooLong,
    #[error("the password cannot be hashed: no randomness from the operating system")]
    NoRandomness,
}

/// What is kept of a password: a PHC string.
pub fn hash(password: &str) -> Result<String, PasswordError> {
    if password.chars().count() < SHORTEST_PASSWORD {
        return Err(PasswordError::TooShort);
    }
    if password.len() > LONGEST {
        return Err(PasswordError::TooLong);
    }
    let kept: PasswordHash =
        Argon2::default().hash_password(password.as_bytes()).map_err(|_| PasswordError::NoRandomness)?;
    Ok(kept.to_string())
}

/// Whether it is this password. `None` is compared with a hash that nobody has the password of, so that the time says nothing
/// of whether there is such a person.
pub fn is_right(password: &str, kept: Option<&str>) -> bool {
    let Ok(parsed) = PasswordHash::new(kept.unwrap_or(NOBODYS)) else { return false };
    let bounded = if password.len() > LONGEST { "" } else { password };
    Argon2::default().verify_password(bounded.as_bytes(), &parsed).is_ok() && kept.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_password_opens_and_nobodys_takes_as_long() {
        let kept = hash("correct horse 电池").unwrap();
        assert!(kept.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{kept}");
        assert!(is_right("correct horse 电池", Some(&kept)));
        assert!(!is_right("correct horse 电", Some(&kept)) && !is_right("", Some(&kept)));
        assert!(PasswordHash::new(NOBODYS).is_ok() && !is_right("correct horse 电池", None));
        assert!(!is_right(&"电".repeat(300), Some(&kept)));
        assert_ne!(kept, hash("correct horse 电池").unwrap(), "each has a salt of its own");
    }

    #[test]
    fn what_nobody_should_use_is_refused() {
        assert_eq!(hash("123456789"), Err(PasswordError::TooShort));
        assert_eq!(hash(&"x".repeat(257)), Err(PasswordError::TooLong));
    }
}
