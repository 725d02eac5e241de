//! What one phone can write into a record has an end.

use super::transfer_tests::{Case, invites, status};
use crate::call::fact::{RefusedTransfer, What};
use crate::limits;
use crate::protocol::sip::message::Message;

#[test]
fn of_refused_transfers_the_first_ones_are_told_and_the_rest_counted() {
    let mut case = Case::new();
    for _ in 0..40 {
        case.refer("<sip:0085212345678@10.0.0.1>");
    }
    assert_eq!(case.switch.facts(|w| matches!(w, What::TransferRefused { .. })), 16);
    case.caller_leaves();
    assert_eq!(case.switch.facts(|w| matches!(w, What::MoreTransfersRefused { count: 24 })), 1);
    assert!(matches!(case.switch.facts.last().unwrap().what, What::Signal(_) | What::RecordingClosed { .. }));
}

#[test]
fn a_call_is_handed_on_only_so_often() {
    let mut case = Case::new();
    for _ in 0..limits::TRANSFERS {
        let sent = case.refer("<sip:9@10.0.0.1>");
        let nine = invites(&sent).remove(0);
        case.confirm(notifies(sent));
        let sent = case.switch.tell("10.0.0.4:5060", &status(&nine, 486));
        case.confirm(notifies(sent));
    }
    let sent = case.refer("<sip:9@10.0.0.1>");
    assert!(matches!(sent.last(), Some(Message::Response(r)) if r.status == 403), "{sent:?}");
    let too_many = |w: &What| matches!(w, What::TransferRefused { why: RefusedTransfer::TooMany, .. });
    assert_eq!(case.switch.facts(too_many), 1);
    assert_eq!(case.switch.facts(|w| matches!(w, What::TransferStarted { .. })), 16);
    case.caller_leaves();
}

fn notifies(sent: Vec<Message>) -> Vec<Message> {
    sent.into_iter().filter(|m| matches!(m, Message::Request(r) if r.method.to_string() == "NOTIFY")).collect()
}

#[test]
fn a_phone_holds_only_so_often_and_the_figures_stay_true() {
    let mut case = Case::new();
    for n in 1..=limits::HOLDS + 3 {
        let held = case.hold();
        assert_eq!(held, if n <= limits::HOLDS { 200 } else { 488 }, "hold {n}");
        case.pass(10);
        assert_eq!(case.resume(), 200);
        case.pass(10);
    }
    assert_eq!(case.switch.facts(|w| matches!(w, What::HoldStarted { .. })), limits::HOLDS as usize);
    case.caller_leaves();
    let record = case.record();
    assert_eq!((record.holds, record.hold_ms), (limits::HOLDS, Some(u64::from(limits::HOLDS) * 10)));
    assert_eq!(record.talk_ms, Some(u64::from(limits::HOLDS) * 10 + 60));
}
