//! `sips` (RFC 5630): a request for such a URI travels over TLS on every hop, or not at all.

use super::address::Address;
use super::header::Name;
use super::message::Request;

impl Request {
    /// Whether the dialog of this request is one of `sips` (RFC 3261 section 12.1.1): by its Request-URI, or by the next hop
    /// toward its sender, which is the topmost Record-Route or, without any, the Contact.
    pub fn asks_for_sips(&self) -> bool {
        let h = &self.headers;
        let next_hop = h.list(&Name::RECORD_ROUTE).next().or_else(|| h.list(&Name::CONTACT).next());
        let secure = |address: &[u8]| Address::parse(address).is_some_and(|a| a.uri.is_secure());
        self.uri.as_ref().is_some_and(super::uri::Uri::is_secure) || next_hop.is_some_and(secure)
    }
}

/// Whether these bytes are a request that must not be written to anything but TLS: its Request-URI is a `sips` one, or its
/// topmost Route is. The last guard before a socket, beneath all that chooses ways.
pub fn needs_tls(message: &[u8]) -> bool {
    let mut lines = message.split(|b| *b == b'\n').map(<[u8]>::trim_ascii).take_while(|line| !line.is_empty());
    let is_sips = |text: &[u8]| text.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"sips:"));
    let Some(start) = lines.next().filter(|start| !start.starts_with(b"SIP/")) else { return false };
    if start.split(|b| *b == b' ').nth(1).is_some_and(is_sips) {
        return true;
    }
    let route = lines.find_map(|line| {
        let (name, value) = line.split_at_checked(6)?;
        name.eq_ignore_ascii_case(b"route:").then(|| Address::parse(value.trim_ascii()))
    });
    route.flatten().is_some_and(|address| address.uri.is_secure())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::sip::vocabulary::Method;

    #[test]
    fn what_may_not_leave_but_by_tls() {
        for secure in [
            "BYE SIPS:8@10.0.0.1 SIP/2.0\r\nVia: x\r\n\r\n",
            "BYE sip:8@10.0.0.1 SIP/2.0\r\nVia: x\r\nRoute: <sips:p.example;lr>\r\nRoute: <sip:q;lr>\r\n\r\n",
        ] {
            assert!(needs_tls(secure.as_bytes()), "{secure}");
        }
        for plain in [
            "BYE sip:8@10.0.0.1 SIP/2.0\r\nVia: x\r\nRoute: <sip:q;lr>\r\nRoute: <sips:p.example;lr>\r\n\r\n",
            "SIP/2.0 200 sips:ok\r\nRoute: <sips:p.example;lr>\r\n\r\n",
            "BYE sip:8@10.0.0.1 SIP/2.0\r\n\r\nRoute: <sips:p.example;lr>\r\n",
            "",
        ] {
            assert!(!needs_tls(plain.as_bytes()), "{plain}");
        }
    }

    #[test]
    fn a_dialog_is_secure_by_its_target_or_its_next_hop() {
        let with = |uri: &str, headers: &[(Name, &str)]| {
            let mut request = Request::new(Method::INVITE, uri);
            headers.iter().for_each(|(name, value)| request.headers.push(name.clone(), *value));
            request.asks_for_sips()
        };
        assert!(with("sips:400@gw", &[]));
        assert!(with("sip:400@gw", &[(Name::CONTACT, "<sips:a@10.0.0.2>")]));
        assert!(with("sip:400@gw", &[(Name::RECORD_ROUTE, "<sips:p;lr>"), (Name::CONTACT, "<sip:a@10.0.0.2>")]));
        assert!(!with("sip:400@gw", &[(Name::RECORD_ROUTE, "<sip:p;lr>"), (Name::CONTACT, "<sips:a@10.0.0.2>")]));
        assert!(!with("sip:400@gw", &[(Name::CONTACT, "<sip:a@10.0.0.2>")]));
    }
}
