//! Telephone numbers as a trunk writes them, made into E.164 (ITU-T E.164: `+`, country code, at most 15 digits in all).

/// How the other side of a trunk writes numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Numbering {
    /// E.164 country code: `86`.
    pub country_code: String,
    /// The area that short subscriber numbers belong to, without the national prefix: `10`.
    pub area_code: Option<String>,
    /// What is dialled before a number of another area: `0`.
    pub national_prefix: String,
    /// What is dialled before a country code: `00`.
    pub international_prefix: String,
    /// Taken off before anything else, if it is there: an access digit of the carrier's.
    pub strip: String,
    /// Put in front after that.
    pub prefix: String,
}

/// E.164 section 6.1.
const MOST_DIGITS: usize = 15;
/// 110, 12345, 95588: service numbers mean something only where they are dialled.
const LONGEST_SERVICE_NUMBER: usize = 6;
/// A number of an area without its code has 7 or 8 digits in China.
const LONGEST_LOCAL_NUMBER: usize = 8;

impl Numbering {
    pub fn new(country_code: &str) -> Numbering {
        Numbering {
            country_code: country_code.to_owned(),
            area_code: None,
            national_prefix: "0".to_owned(),
            international_prefix: "00".to_owned(),
            strip: String::new(),
            prefix: String::new(),
        }
    }

    /// The number in E.164; `None` if it is none: a name, a service number, a number of an area that nobody named.
    pub fn e164(&self, written: &str) -> Option<String> {
        let stripped = written.strip_prefix(self.strip.as_str()).unwrap_or(written);
        let number = format!("{}{stripped}", self.prefix);
        if let Some(digits) = number.strip_prefix('+') {
            return self.international(digits);
        }
        if !is_digits(&number) {
            return None;
        }
        if let Some(digits) = after(&number, &self.international_prefix) {
            return self.international(digits);
        }
        if let Some(digits) = after(&number, &self.national_prefix) {
            return self.national(digits);
        }
        match number.len() {
            length if length <= LONGEST_SERVICE_NUMBER => None,
            length if length <= LONGEST_LOCAL_NUMBER => {
                self.national(&format!("{}{number}", self.area_code.as_deref()?))
            }
            // With the country code, as many carriers send it, it is longer than any number within the country.
            _ => match after(&number, &self.country_code).filter(|rest| rest.len() >= 10) {
                Some(rest) => self.national(rest),
                None => self.national(&number),
            },
        }
    }

    fn national(&self, digits: &str) -> Option<String> {
        // A service number stays one with a prefix before it.
        (digits.len() > LONGEST_SERVICE_NUMBER)
            .then(|| self.international(&format!("{}{digits}", self.country_code)))?
    }

    fn international(&self, digits: &str) -> Option<String> {
        let good = is_digits(digits) && !digits.starts_with('0') && (7..=MOST_DIGITS).contains(&digits.len());
        good.then(|| format!("+{digits}"))
    }
}

fn after<'n>(number: &'n str, prefix: &str) -> Option<&'n str> {
    if prefix.is_empty() { None } else { number.strip_prefix(prefix) }
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_as_carriers_in_china_write_them() {
        let beijing = Numbering { area_code: Some("10".into()), ..Numbering::new("86") };
        for (written, e164) in [
            ("+8613912345678", Some("+8613912345678")),
            ("008613912345678", Some("+8613912345678")),
            ("8613912345678", Some("+8613912345678")),
            ("13912345678", Some("+8613912345678")),
            ("013912345678", Some("+8613912345678")),
            ("01065529988", Some("+861065529988")),
            ("65529988", Some("+861065529988")),
            ("05718765432", Some("+865718765432")),
            ("4008001234", Some("+864008001234")),
            ("00442079460958", Some("+442079460958")),
            ("10086", None),
            ("95588", None),
            ("anonymous", None),
            ("*21#", None),
            ("", None),
            ("+", None),
            ("+12", None),
            ("+1234567890123456", None),
            ("00", None),
        ] {
            assert_eq!(beijing.e164(written).as_deref(), e164, "{written}");
        }
        assert_eq!(Numbering::new("86").e164("65529988"), None, "of which area?");
    }

    #[test]
    fn access_digits_come_off_and_prefixes_go_on() {
        let access = Numbering { strip: "9".into(), ..Numbering::new("86") };
        assert_eq!(access.e164("9013912345678").as_deref(), Some("+8613912345678"));
        let bare = Numbering { prefix: "+".into(), ..Numbering::new("86") };
        assert_eq!(bare.e164("442079460958").as_deref(), Some("+442079460958"));
        let north =
            Numbering { national_prefix: "1".into(), international_prefix: "011".into(), ..Numbering::new("1") };
        assert_eq!(north.e164("12125550123").as_deref(), Some("+12125550123"));
        assert_eq!(north.e164("01144207946095").as_deref(), Some("+44207946095"));
        let italy = Numbering { national_prefix: String::new(), ..Numbering::new("39") };
        assert_eq!(italy.e164("0612345678").as_deref(), Some("+390612345678"), "the 0 belongs to the number there");
    }
}
