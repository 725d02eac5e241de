//! REFER (RFC 3515) with Replaces (RFC 3891) and without a subscription (RFC 4488): what is asked, and how it is reported.

use super::address::Address;
use super::header::Name;
use super::message::Request;
use super::replaces::Replaces;
use super::uri::Uri;
use super::vocabulary::reason_phrase;

/// The option tag of RFC 4488.
pub const NOREFERSUB: &str = "norefersub";
/// The body of a NOTIFY (RFC 3420).
pub const SIPFRAG: &str = "message/sipfrag;version=2.0";

/// Somebody asks us to call somebody else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refer {
    /// Refer-To without its headers.
    pub to: Uri,
    /// The header Replaces within Refer-To: the call to take over, as the phone that asks knows it.
    pub replaces: Option<Replaces>,
    /// False: no NOTIFY is wanted (`Refer-Sub: false`, RFC 4488 section 4).
    pub reports: bool,
}

/// Not exactly one Refer-To (RFC 3515 section 2.4.2), or one that asks for anything but a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Malformed;

impl Refer {
    pub fn of(request: &Request) -> Result<Refer, Malformed> {
        let h = &request.headers;
        let mut fields = h.fields(&Name::REFER_TO);
        let (Some(value), None) = (fields.next(), fields.next()) else { return Err(Malformed) };
        let uri = Address::parse(value).ok_or(Malformed)?.uri;
        let to = Uri::parse(without_headers(uri.as_str())).ok_or(Malformed)?;
        if to.param("method").flatten().is_some_and(|method| method != "INVITE") {
            return Err(Malformed);
        }
        let replaces = Replaces::of_uri(&uri).map_err(|_| Malformed)?;
        let reports = !h.text(&Name::REFER_SUB).is_some_and(|value| value.eq_ignore_ascii_case("false"));
        Ok(Refer { to, replaces, reports })
    }
}

/// Headers stand behind the `?` of a URI (RFC 3261 section 19.1.1). A user part may hold one too.
fn without_headers(uri: &str) -> &str {
    let host = uri.rfind('@').unwrap_or(0);
    uri[host..].find('?').map_or(uri, |at| &uri[..host + at])
}

/// The status line of the call that was asked for (RFC 3515 section 2.4.5).
pub fn sipfrag(status: u16) -> Vec<u8> {
    format!("SIP/2.0 {status} {}\r\n", reason_phrase(status)).into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::sip::vocabulary::Method;

    fn refer(to: &[&str], sub: Option<&str>) -> Result<Refer, Malformed> {
        let mut request = Request::new(Method::REFER, "sip:h");
        to.iter().for_each(|to| request.headers.push(Name::REFER_TO, *to));
        sub.iter().for_each(|sub| request.headers.push(Name::REFER_SUB, *sub));
        Refer::of(&request)
    }

    #[test]
    fn who_is_to_be_called_and_which_call_to_take_over() {
        let blind = refer(&["\"Nine\" <sip:9@192.0.2.1;transport=udp>;x=y"], None).unwrap();
        assert_eq!((blind.to.as_str(), blind.replaces, blind.reports), ("sip:9@192.0.2.1;transport=udp", None, true));
        let value = "<sip:9@192.0.2.1?Require=replaces&replaces=a%40b%3Bto-tag%3D7%3Bfrom-tag%3D8>";
        let attended = refer(&[value], Some("false")).unwrap();
        assert_eq!((attended.to.as_str(), attended.reports), ("sip:9@192.0.2.1", false));
        assert_eq!(attended.replaces, Replaces::parse(b"a@b;to-tag=7;from-tag=8"));
        assert_eq!(refer(&["sip:9@h"], Some("true")).unwrap().to.user.as_deref(), Some("9"));
    }

    #[test]
    fn what_is_no_call_is_refused() {
        for bad in [&[][..], &["<sip:9@h>", "<sip:8@h>"], &["9"], &["<sip:9@h;method=BYE>"], &["<sip:9@h"]] {
            assert_eq!(refer(bad, None), Err(Malformed), "{bad:?}");
        }
    }

    #[test]
    fn reports_are_status_lines() {
        assert_eq!(sipfrag(486), b"SIP/2.0 486 Busy Here\r\n");
    }
}
