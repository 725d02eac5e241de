//! Session timers (RFC 4028): how long a session lives without a refresh, and who sends the refreshes.

use std::time::Duration;

use super::header::{Headers, Name};
use super::vocabulary::is_number;

/// The option tag in Supported and Require.
pub const TIMER: &str = "timer";

/// The shortest interval that may be asked for (section 4), in seconds.
pub const SMALLEST_S: u32 = 90;

/// Longer ones count as this one: a day.
pub const LONGEST_S: u32 = 86_400;

/// Who refreshes, by the part in the transaction that carries the header field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refresher {
    Uac,
    Uas,
}

/// What both sides hold to from the 2xx on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    pub interval_s: u32,
    pub refresher: Refresher,
}

/// The interval asked for is below [`SMALLEST_S`]: 422 with Min-SE.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooSmall;

impl Terms {
    /// Section 9: what the 2xx to this request says. `ours`: the interval that we would like, in seconds; `None` leaves
    /// it to the peer. Without a wish of the peer's and without its support there is no timer.
    pub fn answer(request: &Headers, ours: Option<u32>) -> Result<Option<Terms>, TooSmall> {
        let supported = [Name::SUPPORTED, Name::REQUIRE].iter().any(|name| request.has_token(name, TIMER));
        let least = min_se(request).max(SMALLEST_S);
        let Some((asked_s, refresher)) = session_expires(request) else {
            // They know the timer and asked for nothing: it is they who asked us to know it, so they refresh.
            let terms = ours.map(|s| Terms { interval_s: s.max(least), refresher: Refresher::Uac });
            return Ok(terms.filter(|_| supported));
        };
        match (asked_s < SMALLEST_S, supported) {
            (true, true) => return Err(TooSmall),
            // A proxy asked in the name of a caller who would not understand a 422.
            (true, false) => return Ok(None),
            (false, _) => {}
        }
        // It may be made shorter, never longer (section 9).
        let interval_s = ours.unwrap_or(asked_s).max(least).min(asked_s);
        let refresher = if supported { refresher.unwrap_or(Refresher::Uac) } else { Refresher::Uas };
        Ok(Some(Terms { interval_s, refresher }))
    }

    /// Section 7.2: what a 2xx to a request of ours says.
    pub fn agreed(response: &Headers) -> Option<Terms> {
        let (interval_s, refresher) = session_expires(response)?;
        let refresher = refresher.unwrap_or(Refresher::Uac);
        Some(Terms { interval_s: interval_s.max(SMALLEST_S), refresher })
    }

    /// The value of Session-Expires.
    pub fn value(&self) -> String {
        let refresher = match self.refresher {
            Refresher::Uac => "uac",
            Refresher::Uas => "uas",
        };
        format!("{};refresher={refresher}", self.interval_s)
    }
}

/// Section 10: the refresher refreshes at half the interval.
pub fn refresh_after(interval_s: u32) -> Duration {
    Duration::from_secs(u64::from(interval_s)) / 2
}

/// Section 10: whoever waits in vain sends BYE so long before the end that it still arrives: 32 s, or a third if that is less.
pub fn give_up_after(interval_s: u32) -> Duration {
    Duration::from_secs(u64::from(interval_s - (interval_s / 3).min(32)))
}

/// Min-SE of a request or of a 422, in seconds; [`SMALLEST_S`] if there is none.
pub fn min_se(headers: &Headers) -> u32 {
    headers.text(&Name::MIN_SE).and_then(seconds).map_or(SMALLEST_S, |(s, _)| s)
}

fn session_expires(headers: &Headers) -> Option<(u32, Option<Refresher>)> {
    let (interval_s, params) = headers.text(&Name::SESSION_EXPIRES).and_then(seconds)?;
    let refresher = params.split(';').filter_map(|p| p.split_once('=')).find_map(|(name, value)| {
        let value = value.trim();
        match name.trim().eq_ignore_ascii_case("refresher") {
            true if value.eq_ignore_ascii_case("uac") => Some(Refresher::Uac),
            true if value.eq_ignore_ascii_case("uas") => Some(Refresher::Uas),
            _ => None,
        }
    });
    Some((interval_s, refresher))
}

/// `delta-seconds` and what stands behind the first semicolon.
fn seconds(value: &str) -> Option<(u32, &str)> {
    let (number, params) = value.split_once(';').unwrap_or((value, ""));
    let number = number.trim();
    // A number beyond 32 bits is long enough too.
    is_number(number).then(|| (number.parse::<u32>().unwrap_or(LONGEST_S).min(LONGEST_S), params))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(fields: &[(Name, &str)]) -> Headers {
        let mut headers = Headers::default();
        headers.extend(fields.iter().map(|(name, value)| (name.clone(), value.as_bytes().to_vec())));
        headers
    }

    fn terms(interval_s: u32, refresher: Refresher) -> Result<Option<Terms>, TooSmall> {
        Ok(Some(Terms { interval_s, refresher }))
    }

    #[test]
    fn the_2xx_follows_table_2_of_section_9() {
        let supported = (Name::SUPPORTED, "100rel, timer");
        let ask = |fields: &[(Name, &str)], ours| Terms::answer(&headers(fields), ours);
        let se = |value| (Name::SESSION_EXPIRES, value);
        assert_eq!(ask(&[], Some(1_800)), Ok(None));
        assert_eq!(ask(std::slice::from_ref(&supported), Some(1_800)), terms(1_800, Refresher::Uac));
        assert_eq!(ask(std::slice::from_ref(&supported), None), Ok(None));
        assert_eq!(ask(&[se("600")], None), terms(600, Refresher::Uas), "a proxy's wish: the caller cannot refresh");
        assert_eq!(ask(&[se("600;refresher=uas"), supported.clone()], None), terms(600, Refresher::Uas));
        assert_eq!(ask(&[se("4000 ; Refresher=UAC"), supported.clone()], Some(1_800)), terms(1_800, Refresher::Uac));
        let least = [se("4000"), supported.clone(), (Name::MIN_SE, "2000")];
        assert_eq!(ask(&least, Some(1_800)), terms(2_000, Refresher::Uac));
        assert_eq!(ask(&[se("89"), supported.clone()], Some(1_800)), Err(TooSmall));
        assert_eq!(ask(&[se("89")], Some(1_800)), Ok(None), "who does not know the timer gets no 422");
        assert_eq!(ask(&[se("99999999999"), supported], None), terms(LONGEST_S, Refresher::Uac));
    }

    #[test]
    fn the_end_comes_early_enough_for_a_bye() {
        assert_eq!(refresh_after(1_800), Duration::from_secs(900));
        assert_eq!(give_up_after(1_800), Duration::from_secs(1_768));
        assert_eq!(give_up_after(90), Duration::from_secs(60));
    }

    #[test]
    fn a_response_without_a_refresher_leaves_it_to_us() {
        let agreed = Terms::agreed(&headers(&[(Name::SESSION_EXPIRES, "300")]));
        assert_eq!(agreed, Some(Terms { interval_s: 300, refresher: Refresher::Uac }));
        assert_eq!(Terms::agreed(&headers(&[(Name::SESSION_EXPIRES, "soon")])), None);
        assert_eq!(agreed.map(|t| t.value()), Some("300;refresher=uac".to_owned()));
    }
}
