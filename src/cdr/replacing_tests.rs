//! Another phone of an agent takes over (INVITE with Replaces), in virtual time: who may, what everybody is sent, and what the
//! record says of it.

use super::Outcome;
use super::transfer_tests::{Case, byes, consult, consulting, invites, settings_of_two, status, within};
use crate::call::fact::What;
use crate::gateway::tests::*;
use crate::protocol::sip::header::Name;
use crate::protocol::sip::message::{Message, Request};
use crate::protocol::sip::vocabulary::Method;

const NINE: &str = "10.0.0.4:5060";

/// How the phone at the other end of this INVITE of ours names its dialog.
fn dialog(invite: &Request) -> String {
    let from = invite.headers.text(&Name::FROM).unwrap();
    let ours = from.split(";tag=").nth(1).unwrap();
    format!("{};to-tag={ours};from-tag=phone", invite.headers.text(&Name::CALL_ID).unwrap())
}

/// A request of the new phone, which stands beside the old one.
fn new_phone(method: &str, replaces: &str, tag: &str, body: &str) -> String {
    let more = if replaces.is_empty() { String::new() } else { format!("Replaces: {replaces}\n") };
    format!(
        "{method} sip:8@10.0.0.1 SIP/2.0\nVia: SIP/2.0/UDP 10.0.0.3;branch=z9hG4bKnew{method}\nFrom: <sip:8@10.0.0.1>;tag=n\nTo: <sip:8@10.0.0.1>{tag}\nCall-ID: new\nCSeq: 1 {method}\nContact: <sip:new@10.0.0.3>\nRequire: replaces\n{more}{}",
        typed(body)
    )
}

fn final_of(sent: &[Message]) -> Option<(u16, String, String)> {
    sent.iter().find_map(|m| match m {
        Message::Response(r) if r.status >= 200 => {
            Some((r.status, r.to_tag().unwrap_or_default(), String::from_utf8(r.body.clone()).unwrap()))
        }
        _ => None,
    })
}

/// The final response to an INVITE of its own Call-ID.
fn refused(case: &mut Case, from: &str, replaces: &str) -> u16 {
    let number = case.switch.sent.len();
    let own = |text: String| {
        text.replace("bKnew", &format!("bKnew{number}")).replace("Call-ID: new", &format!("Call-ID: new{number}"))
    };
    let sent = case.switch.tell(from, &own(new_phone("INVITE", replaces, "", SDP)));
    assert!(requests(sent.clone()).is_empty(), "{sent:?}");
    let (status, tag, _) = final_of(&sent).unwrap();
    case.switch.tell(from, &own(new_phone("ACK", "", &format!(";tag={tag}"), "")));
    status
}

#[test]
fn another_phone_of_the_agent_takes_the_call_over() {
    let mut case = Case::new();
    case.pass(5_000);
    case.hold();
    case.pass(2_000);
    let there = "v=0\nc=IN IP4 10.0.0.33\nm=audio 4444 RTP/AVP 8\n";
    let replaces = dialog(&case.eight);
    let sent = case.switch.tell(PHONE, &new_phone("INVITE", &replaces, "", there));
    let (status, tag, answer) = final_of(&sent).unwrap();
    assert_eq!(status, 200);
    assert_eq!(case.switch.last_remote(), "10.0.0.33:4444");
    let port = |body: &str| body.lines().find_map(|l| l.strip_prefix("m=audio ")?.split(' ').next().map(str::to_owned));
    assert_eq!(port(&answer), port(std::str::from_utf8(&case.eight.body).unwrap()), "the leg goes on");
    assert_eq!(byes(&sent), ["sip:p@10.0.0.3"], "the old phone alone");
    case.confirm(sent);
    let tag = format!(";tag={tag}");
    case.switch.tell(PHONE, &new_phone("ACK", "", &tag, ""));
    // What the old phone still says ends nothing; a colleague is not told that 8 is free.
    let text = within(&case.eight, PHONE, "BYE", 9, "");
    case.switch.tell(PHONE, &text);
    case.pass(10_000);
    assert_eq!((case.switch.gateway.live_calls(), case.switch.gateway.agents().available()), (1, 1));
    // The new phone hangs up.
    let sent = case.switch.tell(PHONE, &new_phone("BYE", "", &tag, "").replace("CSeq: 1", "CSeq: 2"));
    assert_eq!(byes(&sent), ["sip:trunk@10.0.0.2"]);
    case.confirm(sent);
    case.rest();
    let record = case.record();
    let segments: Vec<_> = record.segments.iter().map(|s| (s.agent.as_str(), s.talk_ms, s.hold_ms)).collect();
    assert_eq!(
        segments,
        [("8", Some(15_000), Some(2_000))],
        "one agent, one segment; the hold ended with the old phone"
    );
    assert_eq!(record.outcome, Some(Outcome::Answered));
    assert_eq!(case.switch.facts(|w| matches!(w, What::PhoneReplaced { attempt: 1, .. })), 1);
    assert_eq!(case.switch.facts(|w| matches!(w, What::AgentAnswered { .. })), 1);
}

#[test]
fn a_new_phone_without_an_offer_says_in_its_ack_where_it_is() {
    let mut case = Case::new();
    let replaces = dialog(&case.eight);
    let sent = case.switch.tell(PHONE, &new_phone("INVITE", &replaces, "", ""));
    let (status, tag, offer) = final_of(&sent).unwrap();
    assert!(status == 200 && offer.contains("m=audio"), "{offer}");
    case.confirm(sent);
    let there = "v=0\nc=IN IP4 10.0.0.33\nm=audio 4446 RTP/AVP 8\n";
    case.switch.tell(PHONE, &new_phone("ACK", "", &format!(";tag={tag}"), there));
    assert_eq!(case.switch.last_remote(), "10.0.0.33:4446");
    let sent = case.switch.tell(TRUNK, &theirs("BYE", 2, &case.tag.clone(), ""));
    assert_eq!(byes(&sent), ["sip:new@10.0.0.3"]);
    case.confirm(sent);
    case.rest();
}

#[test]
fn who_may_not_take_over_is_told_why() {
    let mut case = Case::new();
    let own = dialog(&case.eight);
    let trunks = format!("c;to-tag={};from-tag=f", case.tag.trim_start_matches(";tag="));
    assert_eq!(refused(&mut case, PHONE, "nothing@h;to-tag=a;from-tag=b"), 481);
    assert_eq!(refused(&mut case, TRUNK, &own), 403, "no agent's phone");
    assert_eq!(refused(&mut case, NINE, &own), 403, "a colleague's");
    assert_eq!(refused(&mut case, PHONE, &trunks), 403, "the caller's own leg");
    assert_eq!(refused(&mut case, PHONE, &format!("{own};early-only")), 486);
    assert_eq!(refused(&mut case, PHONE, "no tags"), 400);
    let twice = format!("{own}\nReplaces: {own}");
    assert_eq!(refused(&mut case, PHONE, &twice), 400);
    // Elsewhere than in an INVITE.
    let sent = case.switch.tell(PHONE, &new_phone("OPTIONS", &own, "", ""));
    assert_eq!(final_of(&sent).unwrap().0, 400);
    // An unusable offer leaves everything as it is.
    let sent = case.switch.tell(PHONE, &new_phone("INVITE", &own, "", "v=0\nm=video 9 RTP/AVP 96\n"));
    assert_eq!(final_of(&sent).unwrap().0, 488);
    // While the caller is handed on.
    let sent = case.refer("<sip:9@10.0.0.1>");
    let nine = invites(&sent).remove(0);
    case.confirm(sent.into_iter().filter(|m| matches!(m, Message::Request(r) if r.method == Method::NOTIFY)).collect());
    assert_eq!(refused(&mut case, PHONE, &own), 491);
    let sent = case.switch.tell(NINE, &status(&nine, 486));
    case.confirm(sent);
    case.caller_leaves();
    assert_eq!(case.switch.facts(|w| matches!(w, What::PhoneReplaced { .. })), 0);
    assert_eq!(refused(&mut case, PHONE, &own), 603, "it was there and is over");
    assert_eq!(case.record().segments.len(), 1);
}

#[test]
fn a_call_that_still_rings_at_one_phone_is_taken_at_another() {
    let mut switch = Switch::with(settings_of_two(), plans());
    let eight = requests(switch.tell(TRUNK, &theirs("INVITE", 1, "", SDP))).remove(0);
    switch.tell(PHONE, &status(&eight, 180).replace("180 X", "180 Ringing"));
    let early = format!("{};early-only", dialog(&eight));
    let text = new_phone("INVITE", &early, "", SDP);
    let sent = switch.tell(PHONE, &text);
    let ok_to_both = sent.iter().filter(|m| matches!(m, Message::Response(r) if r.status == 200)).count();
    assert_eq!(ok_to_both, 2, "the phone and the caller: {sent:?}");
    let cancel = requests(sent).remove(0);
    assert_eq!((&cancel.method, cancel.raw_uri.as_str()), (&Method::CANCEL, "sip:8@10.0.0.3"));
    switch.tell(PHONE, &ok(&cancel, ""));
    switch.tell(PHONE, &status(&eight, 487));
    assert_eq!(switch.gateway.agents().available(), 1);
    assert_eq!(switch.facts(|w| matches!(w, What::AgentAnswered { attempt: 1, .. })), 1);
    let record = super::Record::from_facts(&switch.facts).unwrap();
    assert_eq!((record.agent, record.segments.len()), (Some("8".into()), 1));
}

#[test]
fn an_agents_own_call_moves_to_another_phone_too() {
    let mut switch = Switch::with(settings_of_two(), plans());
    let (_, tag) = consult(&mut switch, "9", NINE);
    let sent = switch.tell(PHONE, &new_phone("INVITE", &format!("consult;to-tag={tag};from-tag=e"), "", SDP));
    let (status, new_tag, _) = final_of(&sent).unwrap();
    assert_eq!(status, 200);
    let bye = requests(sent).remove(0);
    assert_eq!(bye.method, Method::BYE);
    switch.tell(PHONE, &ok(&bye, ""));
    let new_tag = format!(";tag={new_tag}");
    switch.tell(PHONE, &new_phone("ACK", "", &new_tag, ""));
    switch.tell(PHONE, &consulting("BYE", 2, "9", &format!(";tag={tag}"), ""));
    switch.pass(std::time::Duration::from_secs(100));
    assert_eq!((switch.gateway.live_calls(), switch.gateway.agents().available()), (1, 0));
    let sent = switch.tell(PHONE, &new_phone("BYE", "", &new_tag, "").replace("CSeq: 1", "CSeq: 2"));
    let bye = requests(sent).remove(0);
    switch.tell(NINE, &ok(&bye, ""));
    switch.pass(std::time::Duration::from_secs(100));
    let switch = &switch.gateway;
    assert_eq!((switch.live_calls(), switch.sessions(), switch.agents().available()), (0, 0, 2));
}
