//! The one thing that we ask of a certificate ourselves: from when until when it is valid (RFC 5280 section 4.1.2.5). All else
//! is rustls' to read.

use std::time::Duration;

use crate::clock::Wall;

/// X.690 identifier octets.
const INTEGER: u8 = 0x02;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;

/// Its first and its last second; `None` if it is no certificate.
pub(super) fn validity(der: &[u8]) -> Option<(Wall, Wall)> {
    let mut certificate = Der(der).expect(SEQUENCE)?;
    let mut tbs = certificate.expect(SEQUENCE)?;
    if tbs.0.first() == Some(&VERSION) {
        tbs.expect(VERSION)?;
    }
    tbs.expect(INTEGER)?; // serialNumber
    tbs.expect(SEQUENCE)?; // signature
    tbs.expect(SEQUENCE)?; // issuer
    let mut validity = tbs.expect(SEQUENCE)?;
    Some((validity.time()?, validity.time()?))
}

/// What is left to read of one DER value's contents.
struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    /// The contents of the next value, which must have this tag.
    fn expect(&mut self, tag: u8) -> Option<Der<'a>> {
        let (found, contents) = self.next()?;
        (found == tag).then_some(Der(contents))
    }

    fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let (tag, rest) = self.0.split_first()?;
        let (first, rest) = rest.split_first()?;
        let (length, rest) = match *first {
            short @ ..=0x7f => (usize::from(short), rest),
            // More than four octets of length are no certificate.
            long @ 0x81..=0x84 => {
                let (octets, rest) = rest.split_at_checked(usize::from(long & 0x7f))?;
                (octets.iter().fold(0, |length, octet| length << 8 | usize::from(*octet)), rest)
            }
            _ => return None,
        };
        let (contents, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((*tag, contents))
    }

    fn time(&mut self) -> Option<Wall> {
        let (tag, text) = self.next()?;
        let digits = text.strip_suffix(b"Z")?;
        if !digits.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let number = |from: usize, to: usize| {
            Some(digits.get(from..to)?.iter().fold(0_i16, |n, digit| n * 10 + i16::from(digit - b'0')))
        };
        let (year, at) = match tag {
            // Two digits: 1950 to 2049 (section 4.1.2.5.1).
            UTC_TIME if digits.len() == 12 => (number(0, 2).map(|y| if y < 50 { 2000 + y } else { 1900 + y })?, 2),
            GENERALIZED_TIME if digits.len() == 14 => (number(0, 4)?, 4),
            _ => return None,
        };
        let part = |n: usize| i8::try_from(number(at + 2 * n, at + 2 * n + 2)?).ok();
        let date = jiff::civil::DateTime::new(year, part(0)?, part(1)?, part(2)?, part(3)?, part(4)?, 0).ok()?;
        let second = date.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_second();
        Some(Wall::from_micros(second.checked_mul(1_000_000)?))
    }
}

/// In whole days, for people.
pub(super) fn days(left: Duration) -> u64 {
    left.as_secs() / 86_400
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A certificate's frame with these two times in it.
    fn certificate(times: &[(u8, &str)]) -> Vec<u8> {
        let value = |tag: u8, contents: &[u8]| [&[tag, u8::try_from(contents.len()).unwrap()], contents].concat();
        let validity: Vec<u8> = times.iter().flat_map(|(tag, text)| value(*tag, text.as_bytes())).collect();
        let parts = [
            value(VERSION, &value(INTEGER, &[2])),
            value(INTEGER, &[7]),
            value(SEQUENCE, &[]),
            value(SEQUENCE, &[]),
            value(SEQUENCE, &validity),
        ];
        value(SEQUENCE, &value(SEQUENCE, &parts.concat()))
    }

    #[test]
    fn both_forms_of_time_are_read() {
        let found = validity(&certificate(&[(UTC_TIME, "990131235959Z"), (GENERALIZED_TIME, "20500101000000Z")]));
        let at = |text: &str| text.parse::<jiff::Timestamp>().unwrap().as_microsecond();
        let (from, until) = found.unwrap();
        assert_eq!(from.as_micros(), at("1999-01-31T23:59:59Z"));
        assert_eq!(until.as_micros(), at("2050-01-01T00:00:00Z"));
    }

    #[test]
    fn what_is_no_certificate_is_none_and_no_panic() {
        let good = certificate(&[(UTC_TIME, "260101000000Z"), (UTC_TIME, "270101000000Z")]);
        assert!(validity(&good).is_some());
        for cut in 0..good.len() {
            assert_eq!(validity(&good[..cut]), None, "{cut} octets");
        }
        for wrong in [&b"0"[..], b"\x30\x84\xff\xff\xff\xff", b"\x30\x80\x00\x00", b""] {
            assert_eq!(validity(wrong), None);
        }
        assert_eq!(validity(&certificate(&[(UTC_TIME, "261301000000Z"), (UTC_TIME, "270101000000Z")])), None);
        assert_eq!(validity(&certificate(&[(UTC_TIME, "2601010000Z"), (UTC_TIME, "270101000000Z")])), None);
    }
}
