//! `name-addr` and `addr-spec` (RFC 3261 section 20.10, 25.1): From, To, Contact, Route, P-Asserted-Identity.

use super::header::Quotes;
use super::uri::Uri;

/// One address with its header parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// The display name as it came, quotes and escapes removed; bytes of whatever character set.
    pub display: Vec<u8>,
    pub uri: Uri,
    /// Lower-case names.
    pub params: Vec<(String, Option<String>)>,
}

impl Address {
    pub fn parse(value: &[u8]) -> Option<Address> {
        let value = value.trim_ascii();
        match find_bracket(value) {
            Some(open) => {
                let close = open + value[open..].iter().position(|b| *b == b'>')?;
                let uri = Uri::parse(std::str::from_utf8(&value[open + 1..close]).ok()?)?;
                let after = value[close + 1..].trim_ascii();
                if !after.is_empty() && !after.starts_with(b";") {
                    return None;
                }
                Some(Address { display: unquote(&value[..open])?, uri, params: parse_params(after) })
            }
            None => {
                // Without brackets every parameter belongs to the header, not to the URI (section 20).
                let end = value.iter().position(|b| *b == b';').unwrap_or(value.len());
                let uri = Uri::parse(std::str::from_utf8(&value[..end]).ok()?)?;
                Some(Address { display: Vec::new(), uri, params: parse_params(&value[end..]) })
            }
        }
    }

    pub fn param(&self, name: &str) -> Option<Option<&str>> {
        self.params.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_deref())
    }

    /// No tag, as with peers of RFC 2543, or one that tells dialogs apart (section 19.3): written once, and a word.
    pub fn names_one_dialog(&self) -> bool {
        let mut tags = self.params.iter().filter(|(name, _)| name == "tag");
        match (tags.next(), tags.next()) {
            (None, _) => true,
            (Some((_, tag)), None) => {
                tag.as_ref().is_some_and(|tag| !tag.is_empty() && !tag.bytes().any(|b| b <= b' ' || b == 0x7f))
            }
            (Some(_), Some(_)) => false,
        }
    }

    pub fn tag(&self) -> Option<&str> {
        self.param("tag").flatten()
    }
}

/// The `<` that opens the URI: the first one outside a quoted display name.
fn find_bracket(value: &[u8]) -> Option<usize> {
    let mut quotes = Quotes::of(value);
    value.iter().position(|b| quotes.step(*b) && *b == b'<')
}

fn unquote(display: &[u8]) -> Option<Vec<u8>> {
    let display = display.trim_ascii();
    if !display.starts_with(b"\"") {
        return Some(display.to_vec());
    }
    let mut quotes = Quotes::of(display);
    let mut out = Vec::with_capacity(display.len());
    quotes.step(b'"');
    for (i, b) in display.iter().enumerate().skip(1) {
        let escaped = quotes.escapes();
        quotes.step(*b);
        match b {
            b'"' if !escaped => return display[i + 1..].is_empty().then_some(out),
            b'\\' if quotes.escapes() => {}
            _ => out.push(*b),
        }
    }
    None
}

/// `;name=value;name="quoted"`; parts that are not UTF-8 are left out.
pub(super) fn parse_params(text: &[u8]) -> Vec<(String, Option<String>)> {
    let mut quotes = Quotes::of(text);
    text.split(|b| quotes.step(*b) && *b == b';')
        .filter_map(|part| std::str::from_utf8(part.trim_ascii()).ok())
        .filter(|part| !part.is_empty())
        .map(|part| match part.split_once('=') {
            Some((name, value)) => (name.trim().to_ascii_lowercase(), Some(value.trim().trim_matches('"').to_owned())),
            None => (part.to_ascii_lowercase(), None),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gbk_display_name_does_not_cost_the_call() {
        let value = [b"\"\xce\xef\xd2\xb5\" <sip:13912345678@10.0.0.1>;tag=a1".as_slice()].concat();
        let address = Address::parse(&value).unwrap();
        assert_eq!(address.display, b"\xce\xef\xd2\xb5");
        assert_eq!(address.uri.number().as_deref(), Some("13912345678"));
        assert_eq!(address.tag(), Some("a1"));
    }

    #[test]
    fn a_gbk_character_that_ends_in_a_backslash_escapes_nothing() {
        let address = Address::parse(b"\"\xd5\x5c\" <sip:a@h>;tag=a1").unwrap();
        assert_eq!((address.display.as_slice(), address.tag()), (&b"\xd5\x5c"[..], Some("a1")));
        let address = Address::parse("\"\u{7269}\\\"\u{4e1a}\" <sip:a@h>".as_bytes()).unwrap();
        assert_eq!(address.display, "\u{7269}\"\u{4e1a}".as_bytes());
    }

    #[test]
    fn quotes_brackets_and_bare_uris() {
        let address =
            Address::parse(br#""J. \"x\" <a;b>, c"  <sip:j@h;lr>  ; tag = z9 ;+sip.instance="<urn:uuid:1>""#).unwrap();
        assert_eq!(address.display, br#"J. "x" <a;b>, c"#);
        assert_eq!(address.tag(), Some("z9"));
        assert_eq!(address.param("+sip.instance"), Some(Some("<urn:uuid:1>")));
        assert_eq!(address.uri.param("lr"), Some(None));
        let bare = Address::parse(b"sip:a@h;tag=7").unwrap();
        assert_eq!((bare.tag(), bare.uri.as_str()), (Some("7"), "sip:a@h"));
        for bad in [&b"\"unclosed <sip:a@h>"[..], b"<sip:a@h", b"<sip:a@h> x", b"hello", b"\"a\" b <sip:a@h>"] {
            assert_eq!(Address::parse(bad), None, "{}", String::from_utf8_lossy(bad));
        }
    }
}
