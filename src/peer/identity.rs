//! Who calls whom, as a trunk says it: which header fields count, and in which form numbers are kept.

use super::number::Numbering;
use crate::protocol::sip::address::Address;
use crate::protocol::sip::header::Name;
use crate::protocol::sip::message::Request;
use crate::protocol::sip::uri::Uri;

/// What one trunk's operator has configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Where the number dialled may stand; the first that a dialplan owns counts.
    pub called: Vec<Called>,
    /// Where the caller's number may stand; the first that is there counts.
    pub caller: Vec<Calling>,
    /// `None`: numbers are kept as they came.
    pub numbering: Option<Numbering>,
}

/// Where the number that was dialled stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Called {
    RequestUri,
    To,
    /// The number that was dialled first, before any diversion: the last entry (RFC 5806).
    Diversion,
    /// The same: the first entry (RFC 7044).
    HistoryInfo,
}

/// Where the caller's number stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Calling {
    /// The network's word (RFC 3325).
    PAssertedIdentity,
    /// The caller's.
    From,
}

impl Called {
    pub const WORDS: &'static [(&'static str, Called)] = &[
        ("request_uri", Called::RequestUri),
        ("to", Called::To),
        ("diversion", Called::Diversion),
        ("history_info", Called::HistoryInfo),
    ];

    fn uri(self, request: &Request) -> Option<Uri> {
        let entry = |name: &str, last: bool| {
            let name = Name::parse(name.as_bytes())?;
            let mut list = request.headers.list(&name);
            let value = if last { list.last() } else { list.next() };
            value.and_then(Address::parse).map(|a| a.uri)
        };
        match self {
            Called::RequestUri => request.uri.clone(),
            Called::To => request.headers.first(&Name::TO).and_then(Address::parse).map(|a| a.uri),
            Called::Diversion => entry("Diversion", true),
            Called::HistoryInfo => entry("History-Info", false),
        }
    }
}

impl Calling {
    pub const WORDS: &'static [(&'static str, Calling)] =
        &[("p_asserted_identity", Calling::PAssertedIdentity), ("from", Calling::From)];
}

impl Default for Identity {
    fn default() -> Identity {
        Identity {
            called: vec![Called::RequestUri],
            caller: vec![Calling::PAssertedIdentity, Calling::From],
            numbering: None,
        }
    }
}

/// A number in the form that is kept, and as it came if that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Number {
    pub kept: String,
    pub received: Option<String>,
}

/// The caller of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Empty if nobody says it.
    pub number: Number,
    /// He withholds it from the called person (RFC 3323, RFC 3325); the hotline's own records may have it.
    pub private: bool,
}

impl Identity {
    /// The numbers that may have been dialled, in the order in which they count.
    pub fn called<'r>(&'r self, request: &'r Request) -> impl Iterator<Item = Number> + 'r {
        self.called.iter().filter_map(|place| place.uri(request)?.number()).map(|number| self.kept(number))
    }

    pub fn caller(&self, request: &Request) -> Caller {
        let h = &request.headers;
        let address = self.caller.iter().find_map(|place| match place {
            Calling::PAssertedIdentity => h.list(&Name::P_ASSERTED_IDENTITY).find_map(Address::parse),
            Calling::From => h.first(&Name::FROM).and_then(Address::parse),
        });
        let uri = address.map(|a| a.uri);
        // RFC 3323 section 4.1.1.3 and what networks make of it: this is no number but the lack of one.
        let anonymous = uri.as_ref().is_some_and(is_anonymous)
            || h.first(&Name::FROM).and_then(Address::parse).is_some_and(|a| is_anonymous(&a.uri));
        let number = uri.filter(|uri| !is_anonymous(uri)).and_then(|uri| uri.number()).unwrap_or_default();
        // It goes into logs and reports: percent-encoding can hide line ends and escape sequences in it.
        let number = number.chars().filter(|c| !c.is_control()).take(64).collect();
        let asked = ["id", "user", "header", "session"].iter().any(|p| h.has_token(&Name::PRIVACY, p));
        Caller { number: self.kept(number), private: asked || anonymous }
    }

    /// A number of the configuration in the form in which numbers of this trunk are kept.
    pub fn normal(&self, number: &str) -> Option<String> {
        self.numbering.as_ref()?.e164(number)
    }

    /// A number that somebody here dials, as it is kept, and whether it is one of another country.
    pub fn kept_of(&self, dialled: &str) -> (String, bool) {
        let kept = self.normal(dialled).unwrap_or_else(|| dialled.to_owned());
        let abroad = self.is_abroad(&kept);
        (kept, abroad)
    }

    /// Whether a number, as it is kept, is one of another country. Without `numbers` the country is China.
    pub fn is_abroad(&self, kept: &str) -> bool {
        let numbering = self.numbering.clone().unwrap_or_else(|| Numbering::new("86"));
        let prefix = Some(numbering.international_prefix.as_str()).filter(|prefix| !prefix.is_empty());
        let international = kept.strip_prefix('+').or_else(|| kept.strip_prefix(prefix?));
        international.is_some_and(|digits| !digits.starts_with(&numbering.country_code))
    }

    fn kept(&self, received: String) -> Number {
        match self.normal(&received) {
            Some(kept) if kept != received => Number { kept, received: Some(received) },
            _ => Number { kept: received, received: None },
        }
    }
}

impl Caller {
    /// The user part of a SIP URI that may be shown to the called person.
    pub fn shown(&self) -> Option<String> {
        let safe = |c: char| c.is_ascii_alphanumeric() || "-_.!~*'()+".contains(c);
        let user: String = self.number.kept.chars().filter(|c| safe(*c)).take(64).collect();
        (!self.private && !user.is_empty()).then_some(user)
    }

    /// The number as it is kept and as it came, for those who look it up; none if the caller withholds it.
    pub fn known_as(&self) -> Vec<&str> {
        let forms = [Some(&self.number.kept), self.number.received.as_ref()].into_iter().flatten();
        forms.map(String::as_str).filter(|form| !self.private && !form.is_empty()).collect()
    }
}

fn is_anonymous(uri: &Uri) -> bool {
    let user = uri.user.as_deref().unwrap_or_default();
    uri.host.eq_ignore_ascii_case("anonymous.invalid")
        || user.eq_ignore_ascii_case("anonymous")
        || user.eq_ignore_ascii_case("unavailable")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::sip::message::{Message, parse_datagram};

    fn invite(more: &str) -> Request {
        let text = format!(
            "INVITE sip:66001@gw SIP/2.0\nVia: SIP/2.0/UDP c;branch=z9hG4bK1\nTo: <sip:66002@gw>\n\
             Call-ID: c\nCSeq: 1 INVITE\nContact: <sip:c>\n{more}\n"
        );
        match parse_datagram(text.replace('\n', "\r\n").as_bytes()).unwrap().message {
            Message::Request(request) => request,
            Message::Response(_) => unreachable!(),
        }
    }

    const FROM: &str = "From: <sip:013912345678@c>;tag=1\n";

    fn caller(identity: &Identity, more: &str) -> (String, Option<String>, Option<String>) {
        let caller = identity.caller(&invite(more));
        let shown = caller.shown();
        (caller.number.kept, caller.number.received, shown)
    }

    #[test]
    fn the_number_dialled_stands_where_the_trunk_says() {
        let more = format!(
            "{FROM}Diversion: <sip:66004@c>;reason=unconditional, <sip:4008001234@c>;reason=unconditional\n\
             History-Info: <sip:4008005678@c>;index=1, <sip:66001@gw;cause=302>;index=1.1\n"
        );
        let all = Identity { called: Called::WORDS.iter().map(|(_, place)| *place).collect(), ..Identity::default() };
        let invite = invite(&more);
        let numbers: Vec<String> = all.called(&invite).map(|n| n.kept).collect();
        assert_eq!(numbers, ["66001", "66002", "4008001234", "4008005678"]);
        assert_eq!(Identity::default().called(&invite).count(), 1, "the Request-URI alone");
    }

    #[test]
    fn numbers_are_kept_in_one_form_and_as_they_came() {
        let identity = Identity { numbering: Some(Numbering::new("86")), ..Identity::default() };
        let (kept, received, shown) = caller(&identity, FROM);
        assert_eq!((kept.as_str(), received.as_deref()), ("+8613912345678", Some("013912345678")));
        assert_eq!(shown.as_deref(), Some("+8613912345678"));
        assert_eq!(caller(&Identity::default(), FROM).1, None);
        let extension = identity.called(&invite(FROM)).next().unwrap();
        assert_eq!(extension, Number { kept: "66001".into(), received: None }, "what is no number stays");
    }

    #[test]
    fn the_network_knows_who_hides_and_phones_do_not() {
        let identity = Identity::default();
        let hidden = "From: \"Anonymous\" <sip:anonymous@anonymous.invalid>;tag=1\n";
        assert_eq!(caller(&identity, hidden), (String::new(), None, None));
        let asserted = format!("{hidden}P-Asserted-Identity: <tel:+8613912345678>\nPrivacy: id\n");
        assert_eq!(caller(&identity, &asserted), ("+8613912345678".into(), None, None));
        let no_privacy_header = format!("{hidden}P-Asserted-Identity: <tel:+8613912345678>\n");
        assert_eq!(caller(&identity, &no_privacy_header).2, None, "a hidden From is wish enough");
        let shown = format!("{FROM}P-Asserted-Identity: <tel:+8613912345678>\nPrivacy: none\n");
        assert_eq!(caller(&identity, &shown).2.as_deref(), Some("+8613912345678"));
        let own_word = Identity { caller: vec![Calling::From], ..Identity::default() };
        assert_eq!(caller(&own_word, &shown).0, "013912345678");
    }

    #[test]
    fn another_country_is_told_by_its_code() {
        let british = Identity { numbering: Some(Numbering::new("44")), ..Identity::default() };
        for (number, abroad) in [
            ("+8613912345678", false),
            ("008613912345678", false),
            ("13912345678", false),
            ("10086", false),
            ("+442012345678", true),
            ("00442012345678", true),
        ] {
            assert_eq!(Identity::default().is_abroad(number), abroad, "{number}");
        }
        assert!(british.is_abroad("+8613912345678") && !british.is_abroad("+442012345678"));
    }
}
