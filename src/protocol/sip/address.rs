//! `name-addr` and `addr-spec` (RFC 3261 section 20.10, 25.1): From, To, Contact, Route, P-Asserted-Identity.

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

    pub fn tag(&self) -> Option<&str> {
        self.param("tag").flatten()
    }
}

/// The `<` that opens the URI: the first one outside a quoted display name.
fn find_bracket(value: &[u8]) -> Option<usize> {
    let (mut quoted, mut escaped) = (false, false);
    value.iter().position(|b| {
        if escaped {
            escaped = false;
            return false;
        }
        match b {
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'<' if !quoted => return true,
            _ => {}
        }
        false
    })
}

fn unquote(display: &[u8]) -> Option<Vec<u8>> {
    let display = display.trim_ascii();
    let Some(inner) = display.strip_prefix(b"\"") else { return Some(display.to_vec()) };
    let mut out = Vec::with_capacity(inner.len());
    let mut bytes = inner.iter();
    while let Some(b) = bytes.next() {
        match b {
            b'\\' => out.push(*bytes.next()?),
            b'"' => return bytes.as_slice().trim_ascii().is_empty().then_some(out),
            _ => out.push(*b),
        }
    }
    None
}

/// `;name=value;name="quoted"`; parts that are not UTF-8 are left out.
pub(super) fn parse_params(text: &[u8]) -> Vec<(String, Option<String>)> {
    let (mut quoted, mut escaped) = (false, false);
    text.split(|b| {
        if escaped {
            escaped = false;
            return false;
        }
        match b {
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b';' if !quoted => return true,
            _ => {}
        }
        false
    })
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
