//! Offers, refreshes and reliable provisional responses, against hand-written peers and between two endpoints.

use std::time::Duration;

use super::tests::{Pair, kinds};
use super::wire_tests::{SDP, Sent, Solo, in_dialog, invite, lines};
use super::*;
use crate::protocol::sip::header::Name;

const SECOND: Duration = Duration::from_secs(1);

/// Two endpoints in a call; who called is `a`.
fn established(timer_s: [Option<u32>; 2]) -> (Pair, SessionId, SessionId) {
    let mut pair = Pair::new();
    pair.a.endpoint.settings.session_expires_s = timer_s[0];
    pair.b.endpoint.settings.session_expires_s = timer_s[1];
    let call = pair.call();
    pair.run_for(Duration::from_millis(10));
    let incoming = pair.incoming();
    pair.b.endpoint.accept(pair.now.mono, incoming, b"answer".to_vec());
    pair.settle();
    pair.run_for(Duration::from_millis(10));
    (pair, call, incoming)
}

fn text<'m>(headers: &'m super::super::header::Headers, name: &'m Name) -> &'m str {
    headers.text(name).unwrap_or("none")
}

fn count(log: &[(u64, String)], line: &str) -> usize {
    log.iter().filter(|(_, l)| l.starts_with(line)).count()
}

#[test]
fn a_refreshed_session_lives_on_and_an_unrefreshed_one_ends_in_time() {
    let (mut pair, ..) = established([Some(90), Some(1_800)]);
    pair.run_for(Duration::from_secs(1_000));
    // At half of the interval each time, by UPDATE, as the other side takes it.
    let updates: Vec<u64> =
        pair.a.log.iter().filter(|(_, l)| l.starts_with("UPDATE")).map(|(at, _)| *at / 1000).collect();
    assert_eq!(updates[..4], [45, 90, 135, 180]);
    assert_eq!(kinds(&pair.a), ["answered"]);
    // The refreshes get lost: whoever waits for them gives up at 90 − 30 s, in time for its BYE to arrive.
    let (start, byes) = (pair.now.mono, count(&pair.b.log, "BYE"));
    pair.drop = |from_a, text| from_a && text.starts_with("UPDATE");
    pair.run_for(Duration::from_secs(90));
    assert_eq!((byes, count(&pair.b.log, "BYE")), (0, 1));
    let (at, _) = pair.b.log.iter().find(|(_, l)| l.starts_with("BYE")).unwrap();
    assert!(*at - start.as_nanos() / 1_000_000 <= 60_000);
    pair.run_to_rest();
    assert_eq!(kinds(&pair.b), ["invite", "acknowledged", "lost", "terminated"]);
    assert!(pair.a.endpoint.is_idle() && pair.b.endpoint.is_idle());
}

#[test]
fn a_refresher_that_is_not_answered_says_bye() {
    let (mut pair, ..) = established([Some(200), Some(1_800)]);
    pair.drop = |from_a, text| !from_a && text.starts_with("SIP/2.0 200") && text.contains("UPDATE\r\n");
    pair.run_to_rest();
    assert_eq!(kinds(&pair.a), ["answered", "lost", "terminated"]);
    assert_eq!(count(&pair.a.log, "BYE"), 1);
    assert!(pair.a.endpoint.is_idle() && pair.b.endpoint.is_idle());
}

/// Between peers that know no session timers the one who is left would wait for ever.
#[test]
fn a_peer_without_session_timers_is_asked_all_the_same() {
    let mut solo = Solo::new();
    solo.endpoint.settings.session_expires_s = Some(1_800);
    let (_, tag) = solo.established();
    for round in 0..3 {
        assert_eq!(solo.pass(Duration::from_secs(899)), [""; 0], "round {round}");
        solo.now = solo.now.after(SECOND);
        solo.endpoint.handle_timeout(solo.now);
        let refresh = solo.drain().remove(0);
        assert_eq!(refresh.request().method, Method::INVITE);
        assert_eq!(text(&refresh.request().headers, &Name::SESSION_EXPIRES), "none", "it would not know what that is");
        // Whatever it says, it is there.
        let status = [200, 488, 500][round];
        let more = if status == 200 { format!("{SDP}\nv=0") } else { String::new() };
        assert!(solo.tell(&refresh.answer(status, "", &more))[0].line().starts_with("ACK"));
    }
    // It lets us refresh as long as it refreshes the session itself.
    solo.tell(&in_dialog("UPDATE", 2, &tag, "u1", ""));
    solo.drain();
    solo.pass(Duration::from_secs(899));
    solo.now = solo.now.after(SECOND);
    solo.endpoint.handle_timeout(solo.now);
    let refresh = solo.drain().remove(0);
    solo.tell(&refresh.answer(481, "", ""));
    assert!(solo.events.iter().any(|e| matches!(e.1, EventKind::Lost)), "{:?}", solo.events);
    solo.rest();
}

#[test]
fn the_interval_is_agreed_and_too_short_ones_are_refused() {
    let mut solo = Solo::new();
    let short = solo.tell(&invite("Supported: timer\nSession-Expires: 60\n"));
    assert_eq!(short[0].line(), "SIP/2.0 422 Session Interval Too Small");
    assert_eq!(text(&short[0].response().headers, &Name::MIN_SE), "90");
    let again = invite("Supported: timer\nSession-Expires: 120;refresher=uas\n").replace("z9hG4bKi", "z9hG4bKj");
    solo.tell(&again.replace("CSeq: 1", "CSeq: 2"));
    let session = solo.session();
    solo.endpoint.accept(solo.now.mono, session, b"v=0".to_vec());
    let ok = solo.drain().remove(0).response();
    assert_eq!(text(&ok.headers, &Name::SESSION_EXPIRES), "120;refresher=uas");
    assert_eq!(text(&ok.headers, &Name::REQUIRE), "none", "only a peer that is to refresh must know how");
    let tag = ok.to_tag().unwrap();
    solo.tell(&in_dialog("ACK", 2, &tag, "k1", ""));
    // This peer takes no UPDATE: the re-INVITE repeats what was said.
    solo.pass(Duration::from_secs(59));
    solo.now = solo.now.after(SECOND);
    solo.endpoint.handle_timeout(solo.now);
    let refresh = solo.drain().remove(0);
    assert_eq!((refresh.request().method, refresh.request().body), (Method::INVITE, b"v=0".to_vec()));
    assert_eq!(text(&refresh.request().headers, &Name::SESSION_EXPIRES), "120;refresher=uac");
    let larger = solo.tell(&refresh.answer(422, "", "Min-SE: 300\n"));
    assert_eq!(larger[0].line().split(' ').next(), Some("ACK"));
    assert_eq!(text(&larger[1].request().headers, &Name::SESSION_EXPIRES), "300;refresher=uac");
    assert_eq!(text(&larger[1].request().headers, &Name::MIN_SE), "300");
    let done = solo.tell(&larger[1].answer(200, "", &format!("Session-Expires: 300;refresher=uac\n{SDP}\nv=0")));
    assert!(done[0].line().starts_with("ACK"));
    solo.endpoint.hang_up(solo.now, session);
    solo.drain();
    solo.rest();
}

#[test]
fn our_invite_is_sent_again_with_a_longer_interval() {
    let mut solo = Solo::new();
    solo.endpoint.settings.session_expires_s = Some(1_800);
    let (session, first) = solo.calling();
    assert_eq!(text(&first.request().headers, &Name::SESSION_EXPIRES), "1800");
    assert_eq!(text(&first.request().headers, &Name::SUPPORTED), super::incoming::SUPPORTED);
    let sent = solo.tell(&first.answer(422, ";tag=p", "Min-SE: 3600\n"));
    let (one, two) = (first.request(), sent[1].request());
    assert_eq!(text(&two.headers, &Name::SESSION_EXPIRES), "3600");
    assert_eq!((text(&two.headers, &Name::CSEQ), &two.body), ("2 INVITE", &one.body));
    assert_eq!(two.headers.first(&Name::FROM), one.headers.first(&Name::FROM));
    assert_ne!(two.headers.first(&Name::VIA), one.headers.first(&Name::VIA));
    assert_eq!(two.headers.iter().count(), one.headers.iter().count() + 1, "Min-SE: {two:#?}");
    // A 422 that asks for no more than it got is a plain failure.
    solo.tell(&sent[1].answer(422, ";tag=p", "Min-SE: 3600\n"));
    assert!(solo.events.iter().any(|e| e.0 == session && matches!(e.1, EventKind::Failed { status: Some(422) })));
    solo.rest();
}

#[test]
fn update_follows_rfc_3311() {
    let mut solo = Solo::new();
    let (session, tag) = solo.established();
    let plain = solo.tell(&in_dialog("UPDATE", 2, &tag, "u1", ""));
    assert_eq!(lines(&plain), ["SIP/2.0 200 OK"]);
    assert!(plain[0].response().headers.first(&Name::CONTACT).is_some());
    // An offer waits for the owner; a second one and an INVITE meanwhile are told to come later.
    let offer = format!("{SDP}\nv=0");
    assert_eq!(lines(&solo.tell(&in_dialog("UPDATE", 3, &tag, "u2", &offer))), [""; 0]);
    let second = solo.tell(&in_dialog("UPDATE", 4, &tag, "u3", &offer));
    assert_eq!(lines(&second), ["SIP/2.0 500 Server Internal Error"]);
    assert!(text(&second[0].response().headers, &Name::RETRY_AFTER).parse::<u32>().unwrap() <= 10);
    assert_eq!(lines(&solo.tell(&in_dialog("INVITE", 5, &tag, "u4", &offer))), ["SIP/2.0 500 Server Internal Error"]);
    solo.endpoint.accept_reoffer(solo.now.mono, session, b"v=1".to_vec());
    let answer = solo.drain();
    assert_eq!((answer[0].line().as_str(), answer[0].response().body), ("SIP/2.0 200 OK", b"v=1".to_vec()));
    assert_eq!(lines(&solo.tell(&in_dialog("UPDATE", 3, &tag, "u2", &offer))), ["SIP/2.0 200 OK"], "asked again");
    // Our offer is under way: theirs gets 491.
    solo.endpoint.reoffer(solo.now.mono, session, b"v=2".to_vec()).unwrap();
    assert!(solo.drain()[0].line().starts_with("INVITE"));
    assert_eq!(lines(&solo.tell(&in_dialog("UPDATE", 6, &tag, "u5", &offer))), ["SIP/2.0 491 Request Pending"]);
    assert_eq!(solo.endpoint.reoffer(solo.now.mono, session, b"v=3".to_vec()), Err(NotNow));
    solo.endpoint.hang_up(solo.now, session);
    solo.drain();
    solo.rest();
}

#[test]
fn an_update_in_an_early_dialog_waits_for_the_first_answer() {
    let mut solo = Solo::new();
    let offer = format!("{SDP}\nv=0");
    solo.tell(&invite(&format!("Supported: 100rel\nAllow: INVITE, UPDATE\n{offer}")));
    let session = solo.session();
    let early = solo.endpoint.dialogs.keys().next().unwrap().local_tag.clone();
    assert_eq!(lines(&solo.tell(&in_dialog("UPDATE", 2, &early, "u1", &offer))), ["SIP/2.0 500 Server Internal Error"]);
    assert_eq!(solo.endpoint.reoffer(solo.now.mono, session, b"v=9".to_vec()), Err(NotNow));
    solo.endpoint.ring(solo.now.mono, session, 183, b"v=1".to_vec());
    let ring = solo.drain().remove(0).response();
    let rack = format!("RAck: {} 1 INVITE\n", text(&ring.headers, &Name::RSEQ));
    assert_eq!(lines(&solo.tell(&in_dialog("PRACK", 3, &early, "p1", &rack))), ["SIP/2.0 200 OK"]);
    assert_eq!(lines(&solo.tell(&in_dialog("UPDATE", 4, &early, "u2", &offer))), [""; 0]);
    solo.endpoint.accept_reoffer(solo.now.mono, session, b"v=2".to_vec());
    assert_eq!(lines(&solo.drain()), ["SIP/2.0 200 OK"]);
    solo.endpoint.reoffer(solo.now.mono, session, b"v=3".to_vec()).unwrap();
    let update = solo.drain().remove(0);
    assert_eq!((update.request().method, update.request().body), (Method::UPDATE, b"v=3".to_vec()));
    solo.tell(&update.answer(200, "", &offer));
    assert_eq!(solo.count(|k| matches!(k, EventKind::Reanswered { .. })), 1);
    solo.endpoint.accept(solo.now.mono, session, b"v=1".to_vec());
    assert_eq!(solo.drain()[0].response().body, b"", "all has been said already");
    solo.endpoint.hang_up(solo.now, session);
    solo.rest();
}

#[test]
fn a_required_18x_is_repeated_until_its_prack() {
    let mut solo = Solo::new();
    solo.tell(&invite(&format!("Require: 100rel\n{SDP}\nv=0")));
    let session = solo.session();
    solo.endpoint.ring(solo.now.mono, session, 180, Vec::new());
    solo.endpoint.ring(solo.now.mono, session, 183, b"v=1".to_vec());
    let ring = solo.drain();
    assert_eq!(lines(&ring), ["SIP/2.0 180 Ringing"], "one at a time");
    let first = ring[0].response();
    assert_eq!(text(&first.headers, &Name::REQUIRE), "100rel");
    let (rseq, tag) = (text(&first.headers, &Name::RSEQ).parse::<u32>().unwrap(), first.to_tag().unwrap());
    assert_eq!(solo.pass(Duration::from_millis(3_499)), ["SIP/2.0 180 Ringing", "SIP/2.0 180 Ringing"]);
    let prack =
        |n: u32, seq: u32, branch: &str| in_dialog("PRACK", seq, &tag, branch, &format!("RAck: {n} 1 INVITE\n"));
    assert_eq!(lines(&solo.tell(&prack(rseq + 1, 2, "p0"))), ["SIP/2.0 481 Call/Transaction Does Not Exist"]);
    let next = solo.tell(&prack(rseq, 3, "p1"));
    assert_eq!(lines(&next), ["SIP/2.0 200 OK", "SIP/2.0 183 Session Progress"]);
    assert_eq!(text(&next[1].response().headers, &Name::RSEQ), (rseq + 1).to_string());
    // The 2xx waits for the PRACK of the description, and does not repeat it.
    solo.endpoint.accept(solo.now.mono, session, b"v=1".to_vec());
    assert_eq!(lines(&solo.drain()), [""; 0]);
    let done = solo.tell(&prack(rseq + 1, 4, "p2"));
    assert_eq!(lines(&done), ["SIP/2.0 200 OK", "SIP/2.0 200 OK"]);
    assert_eq!(done[1].response().body, b"");
    solo.tell(&in_dialog("ACK", 1, &tag, "k", ""));
    assert_eq!(solo.pass(Duration::from_secs(40)), [""; 0]);
    solo.endpoint.hang_up(solo.now, session);
    solo.drain();
    solo.rest();
}

#[test]
fn an_18x_that_is_never_acknowledged_ends_the_call_with_5xx() {
    let mut solo = Solo::new();
    solo.tell(&invite("Require: 100rel\n"));
    let session = solo.session();
    solo.endpoint.ring(solo.now.mono, session, 180, b"offer".to_vec());
    solo.drain();
    let sent = solo.pass(Duration::from_secs(33));
    let rings = sent.iter().filter(|l| l.starts_with("SIP/2.0 180")).count();
    assert_eq!((rings, sent[rings].as_str()), (6, "SIP/2.0 504 Server Time-out"), "{sent:?}");
    assert_eq!(solo.count(|k| matches!(k, EventKind::Lost | EventKind::Terminated)), 2);
    solo.rest();
}

#[test]
fn a_supported_18x_is_reliable_only_with_a_description_and_prack_may_bring_the_answer() {
    let mut solo = Solo::new();
    solo.tell(&invite("Supported: 100rel\n"));
    let session = solo.session();
    solo.endpoint.ring(solo.now.mono, session, 180, Vec::new());
    assert_eq!(solo.drain()[0].response().headers.first(&Name::RSEQ), None);
    solo.endpoint.ring(solo.now.mono, session, 183, b"offer".to_vec());
    let ring = solo.drain().remove(0).response();
    let tag = ring.to_tag().unwrap();
    let rack = format!("RAck: {} 1 INVITE\n{SDP}\nv=answer", text(&ring.headers, &Name::RSEQ));
    assert_eq!(lines(&solo.tell(&in_dialog("PRACK", 2, &tag, "p", &rack))), ["SIP/2.0 200 OK"]);
    assert!(
        solo.events.iter().any(|e| matches!(&e.1, EventKind::EarlyAnswer { body } if body.starts_with(b"v=answer")))
    );
    solo.endpoint.reject(solo.now, session, 480, None);
    solo.drain();
    solo.rest();
}

/// A reliable provisional response to a call of ours.
fn ring(sent: &Sent, status: u16, tag: &str, rseq: u32, extra: &str) -> String {
    sent.answer(
        status,
        &format!(";tag={tag}"),
        &format!("Require: 100rel\nRSeq: {rseq}\nContact: <sip:8@10.0.0.9>\n{extra}"),
    )
}

#[test]
fn their_reliable_18x_get_prack_in_order_each_fork_by_itself() {
    let mut solo = Solo::new();
    let (session, sent) = solo.calling();
    let answer = format!("{SDP}\nv=early");
    let prack = solo.tell(&ring(&sent, 183, "t0", 7, &answer)).remove(0);
    assert_eq!(prack.line(), "PRACK sip:8@10.0.0.9 SIP/2.0");
    assert_eq!(
        (text(&prack.request().headers, &Name::RACK), text(&prack.request().headers, &Name::CSEQ)),
        ("7 1 INVITE", "2 PRACK")
    );
    assert_eq!(lines(&solo.tell(&ring(&sent, 183, "t0", 7, &answer))), [""; 0], "it came again");
    assert_eq!(lines(&solo.tell(&ring(&sent, 180, "t0", 9, ""))), [""; 0], "one is missing in between");
    assert_eq!(solo.count(|k| matches!(k, EventKind::Progress { .. })), 1);
    let other = solo.tell(&ring(&sent, 180, "t1", 40, ""));
    assert_eq!(text(&other[0].request().headers, &Name::RACK), "40 1 INVITE");
    assert_eq!(text(&solo.tell(&ring(&sent, 180, "t0", 8, ""))[0].request().headers, &Name::CSEQ), "3 PRACK");
    // The 2xx need not repeat what a reliable 18x has said; our numbers go on from the PRACKs'.
    solo.tell(&sent.answer(200, ";tag=t0", "Contact: <sip:8@10.0.0.9>\n"));
    assert!(
        solo.events.iter().any(|e| matches!(&e.1, EventKind::Answered { body, .. } if body.starts_with(b"v=early")))
    );
    solo.endpoint.hang_up(solo.now, session);
    assert_eq!(text(&solo.drain()[0].request().headers, &Name::CSEQ), "4 BYE");
    solo.rest();
}

#[test]
fn one_hundred_forks_ring_and_a_bound_holds() {
    let mut solo = Solo::new();
    let (_, sent) = solo.calling();
    for n in 0..100 {
        solo.tell(&ring(&sent, 180, &format!("t{n}"), 1, ""));
    }
    assert!(solo.endpoint.dialogs.len() <= 16);
    assert_eq!(lines(&solo.tell(&in_dialog("BYE", 1, "x", "b", ""))), ["SIP/2.0 481 Call/Transaction Does Not Exist"]);
    solo.tell(&sent.answer(486, ";tag=t3", ""));
    solo.rest();
}

#[test]
fn two_reinvites_that_cross_are_both_made_in_the_end() {
    let (mut pair, call, incoming) = established([None, None]);
    pair.a.endpoint.reoffer(pair.now.mono, call, b"from a".to_vec()).unwrap();
    pair.b.endpoint.reoffer(pair.now.mono, incoming, b"from b".to_vec()).unwrap();
    pair.settle();
    let start = pair.now.mono;
    let mut reoffered = Vec::new();
    while pair.now.mono.since(start) < Duration::from_secs(6) && pair.step() {
        for (endpoint, events, from) in
            [(&mut pair.a.endpoint, &mut pair.a.events, "b"), (&mut pair.b.endpoint, &mut pair.b.events, "a")]
        {
            for (session, _) in events.extract_if(.., |(_, k)| matches!(k, EventKind::Reoffer { .. })) {
                reoffered.push((from, pair.now.mono.since(start).as_millis()));
                endpoint.accept_reoffer(pair.now.mono, session, b"yes".to_vec());
            }
        }
        pair.settle();
    }
    // The peer of who made the Call-ID comes back first (0 to 2 s), then its owner would (2.1 to 4 s); but by then the
    // offer is older than what the other has changed meanwhile.
    assert_eq!(reoffered.len(), 1, "{reoffered:?}");
    assert!(reoffered[0].0 == "b" && reoffered[0].1 <= 2_010, "{reoffered:?}");
    assert_eq!(kinds(&pair.a), ["answered", "acknowledged", "reoffer failed"]);
    assert!(kinds(&pair.b).contains(&"reanswered"));
    let statuses = [&pair.a.log, &pair.b.log].map(|log| count(log, "SIP/2.0 491"));
    assert_eq!(statuses, [1, 1]);
    pair.a.endpoint.hang_up(pair.now, call);
    pair.settle();
    pair.run_to_rest();
    assert!(pair.a.endpoint.is_idle() && pair.b.endpoint.is_idle());
}

#[test]
fn the_owner_of_the_call_id_waits_longer_after_glare() {
    for (ours, range) in [(true, 2_100..=4_000), (false, 0..=2_000)] {
        let mut solo = Solo::new();
        let session = if ours {
            let (session, sent) = solo.calling();
            solo.tell(&sent.answer(200, ";tag=t", &format!("Contact: <sip:8@10.0.0.9>\n{SDP}\nv=0")));
            session
        } else {
            solo.established().0
        };
        solo.endpoint.reoffer(solo.now.mono, session, b"v=1".to_vec()).unwrap();
        let mut sent = solo.drain().remove(0);
        for _ in 0..4 {
            solo.tell(&sent.answer(491, "", ""));
            let (at, why) = solo.endpoint.wakes.next().unwrap();
            assert_eq!(why, Wake::Change(session));
            let wait = at.since(solo.now.mono).as_millis();
            assert!(range.contains(&wait) && wait % 10 == 0, "{wait} ms");
            solo.now = solo.now.after(at.since(solo.now.mono));
            solo.endpoint.handle_timeout(solo.now);
            sent = solo.drain().remove(0);
            assert!(sent.line().starts_with("INVITE"), "{}", sent.line());
        }
        solo.tell(&sent.answer(491, "", ""));
        assert_eq!(solo.count(|k| matches!(k, EventKind::ReofferFailed { status: 491 })), 1, "not for ever");
        solo.endpoint.hang_up(solo.now, session);
        solo.drain();
        solo.rest();
    }
}

#[test]
fn offers_may_come_in_the_2xx_and_answers_in_the_ack() {
    // Their 2xx to our re-INVITE without an offer.
    let mut solo = Solo::new();
    let (session, _) = solo.established();
    solo.endpoint.reoffer(solo.now.mono, session, Vec::new()).unwrap();
    let sent = solo.drain().remove(0);
    assert_eq!(text(&sent.request().headers, &Name::SUPPORTED), "timer");
    let ok = sent.answer(200, "", &format!("{SDP}\nv=theirs"));
    assert_eq!(lines(&solo.tell(&ok)), [""; 0], "the ACK waits for our answer");
    assert_eq!(lines(&solo.tell(&ok)), [""; 0]);
    assert!(solo.events.iter().any(|e| matches!(&e.1, EventKind::Offered { body } if body.starts_with(b"v=theirs"))));
    solo.endpoint.acknowledge(session, b"v=ours".to_vec());
    let ack = solo.drain().remove(0);
    assert_eq!((ack.request().method, ack.request().body), (Method::ACK, b"v=ours".to_vec()));
    assert_eq!(solo.tell(&ok)[0].0.bytes, ack.0.bytes, "the same ACK again");
    solo.endpoint.hang_up(solo.now, session);
    solo.drain();
    solo.rest();
    // The same with a call of ours; who gives up in between still acknowledges.
    for answers in [true, false] {
        let mut solo = Solo::new();
        let (session, sent) = solo.calling_with(b"");
        assert_eq!(
            lines(&solo.tell(&sent.answer(200, ";tag=t", &format!("Contact: <sip:8@10.0.0.9>\n{SDP}\nv=0")))),
            [""; 0]
        );
        if answers {
            solo.endpoint.acknowledge(session, b"v=1".to_vec());
            assert_eq!(solo.drain()[0].request().body, b"v=1");
        }
        solo.endpoint.hang_up(solo.now, session);
        let rest: Vec<_> = solo.drain().iter().map(|s| s.request().method.to_string()).collect();
        assert_eq!(rest, if answers { vec!["BYE"] } else { vec!["ACK", "BYE"] });
        solo.rest();
    }
}

#[test]
fn a_change_that_is_lost_ends_the_session_and_one_that_is_refused_does_not() {
    let mut solo = Solo::new();
    let (session, _) = solo.established();
    solo.endpoint.reoffer(solo.now.mono, session, b"v=1".to_vec()).unwrap();
    let sent = solo.drain().remove(0);
    assert!(lines(&solo.tell(&sent.answer(488, "", "")))[0].starts_with("ACK"));
    assert_eq!(solo.count(|k| matches!(k, EventKind::ReofferFailed { status: 488 })), 1);
    // 500 with Retry-After is tried again then.
    solo.endpoint.reoffer(solo.now.mono, session, b"v=2".to_vec()).unwrap();
    let sent = solo.drain().remove(0);
    solo.tell(&sent.answer(500, "", "Retry-After: 3\n"));
    assert_eq!(solo.pass(Duration::from_millis(2_999)).len(), 0);
    let again = solo.pass(Duration::from_millis(1));
    assert!(again[0].starts_with("INVITE"), "{again:?}");
    let sent = solo.pass(Duration::from_secs(33));
    assert!(sent.iter().any(|l| l.starts_with("BYE")), "nobody answered: {sent:?}");
    assert_eq!(solo.count(|k| matches!(k, EventKind::Lost)), 1);
    solo.rest();
}

#[test]
fn bye_and_cancel_say_why_and_are_read() {
    use crate::protocol::sip::reason::Reason;
    let mut solo = Solo::new();
    let (session, sent) = solo.calling();
    solo.tell(&sent.answer(180, "", ""));
    solo.endpoint.hang_up_because(solo.now, session, Some(&Reason::completed_elsewhere()));
    let cancel = solo.drain().remove(0).request();
    assert_eq!(text(&cancel.headers, &Name::REASON), "SIP;cause=200;text=\"Call completed elsewhere\"");
    solo.tell(&sent.answer(503, ";tag=t", "Retry-After: 30 (busy)\nReason: Q.850;cause=34\n"));
    let said = solo.events.iter().any(
        |e| matches!(&e.1, EventKind::Explained { reason: Some(r), retry_after_s: Some(30) } if r.cause == Some(34)),
    );
    assert!(said, "{:?}", solo.events);
    solo.rest();
    let mut solo = Solo::new();
    let (_, tag) = solo.established();
    solo.tell(&in_dialog("BYE", 2, &tag, "b", "Reason: SIP;cause=480\n"));
    assert_eq!(solo.count(|k| matches!(k, EventKind::Explained { retry_after_s: None, .. })), 1);
    solo.rest();
}

#[test]
fn a_large_invite_goes_over_tcp_and_back_to_udp_where_there_is_none() {
    let mut solo = Solo::new();
    let large = vec![b'x'; size::LARGE];
    let (session, sent) = solo.calling_with(&large);
    assert_eq!(sent.0.flow.transport, Transport::Tcp);
    assert!(text(&sent.request().headers, &Name::VIA).starts_with("SIP/2.0/TCP"));
    solo.endpoint.handle_send_failure(solo.now, session);
    let udp = solo.drain().remove(0);
    assert_eq!((udp.0.flow.transport, udp.request().body), (Transport::Udp, large.clone()));
    assert!(text(&udp.request().headers, &Name::VIA).starts_with("SIP/2.0/UDP"));
    assert_eq!(solo.count(|k| matches!(k, EventKind::Failed { .. })), 0);
    assert_eq!(solo.calling_with(&large).1.0.flow.transport, Transport::Udp, "it is remembered");
    solo.rest();
    // Where TCP works, the dialog's small requests still go by UDP.
    let mut solo = Solo::new();
    let (session, sent) = solo.calling_with(&large);
    let ok = sent.answer(200, ";tag=t", &format!("Contact: <sip:8@10.0.0.9>\n{SDP}\nv=0"));
    assert_eq!(solo.tell_over(Solo::flow(Some(4)), &ok)[0].0.flow.transport, Transport::Udp);
    solo.endpoint.hang_up(solo.now, session);
    solo.drain();
    solo.rest();
}

#[test]
fn every_large_request_goes_over_tcp_and_back_to_udp_where_there_is_none() {
    let path = format!("Record-Route: <sip:10.0.0.9;lr;x={}>\n", "y".repeat(size::LARGE));
    let large = |solo: &mut Solo| {
        solo.tell(&invite(&path));
        let session = solo.session();
        solo.endpoint.accept(solo.now.mono, session, b"v=0".to_vec());
        let tag = solo.drain()[0].response().to_tag().unwrap();
        solo.tell(&in_dialog("ACK", 1, &tag, "k", ""));
        session
    };
    let over = |sent: &Sent| {
        let word = sent.0.flow.transport.via();
        assert!(text(&sent.request().headers, &Name::VIA).starts_with(&format!("SIP/2.0/{word}")));
        (sent.request().method.to_string(), sent.0.flow.transport)
    };
    // BYE.
    let mut solo = Solo::new();
    let session = large(&mut solo);
    solo.endpoint.hang_up(solo.now, session);
    assert_eq!(over(&solo.drain()[0]), ("BYE".to_owned(), Transport::Tcp));
    solo.endpoint.handle_send_failure(solo.now, session);
    let again = solo.drain().remove(0);
    assert_eq!(over(&again), ("BYE".to_owned(), Transport::Udp));
    solo.tell(&again.answer(200, "", ""));
    assert_eq!(solo.count(|k| matches!(k, EventKind::Terminated)), 1);
    solo.rest();
    // A re-INVITE; where TCP works it stays there, and the ACK of its answer is as large.
    let mut solo = Solo::new();
    let session = large(&mut solo);
    solo.endpoint.reoffer(solo.now.mono, session, b"v=0".to_vec()).unwrap();
    assert_eq!(over(&solo.drain()[0]), ("INVITE".to_owned(), Transport::Tcp));
    solo.endpoint.handle_send_failure(solo.now, session);
    let again = solo.drain().remove(0);
    assert_eq!(over(&again), ("INVITE".to_owned(), Transport::Udp));
    solo.tell(&again.answer(200, "", &format!("Contact: <sip:a@10.0.0.9>\n{SDP}\nv=0")));
    assert_eq!(solo.count(|k| matches!(k, EventKind::Reanswered { .. })), 1);
    assert_eq!(solo.count(|k| matches!(k, EventKind::Lost)), 0);
    solo.endpoint.hang_up(solo.now, session);
    let bye = solo.drain().remove(0);
    assert_eq!(over(&bye), ("BYE".to_owned(), Transport::Udp), "that there is no TCP is remembered");
    solo.tell(&bye.answer(200, "", ""));
    solo.rest();
}

#[test]
fn a_large_ack_goes_over_tcp_too() {
    // Our INVITE made no offer: the ACK carries the answer.
    let answered = || {
        let mut solo = Solo::new();
        let (session, invite) = solo.calling_with(b"");
        let ok = invite.answer(200, ";tag=t", &format!("Contact: <sip:8@10.0.0.9>\n{SDP}\nv=0"));
        assert!(solo.tell(&ok).is_empty(), "the ACK waits for our answer");
        solo.endpoint.acknowledge(session, vec![b'x'; size::LARGE]);
        let ack = solo.drain().remove(0);
        assert_eq!((&ack.request().method, ack.0.flow.transport), (&Method::ACK, Transport::Tcp));
        assert!(text(&ack.request().headers, &Name::VIA).starts_with("SIP/2.0/TCP"));
        (solo, session, ok)
    };
    let (mut solo, session, ok) = answered();
    assert_eq!(solo.tell(&ok)[0].0.flow.transport, Transport::Tcp, "and so does the next, for a 200 that comes again");
    solo.endpoint.hang_up(solo.now, session);
    assert_eq!(solo.drain()[0].0.flow.transport, Transport::Udp, "the BYE is small");
    solo.rest();
    // The peer has no TCP.
    let (mut solo, session, ok) = answered();
    solo.endpoint.handle_send_failure(solo.now, session);
    let ack = solo.drain().remove(0);
    assert_eq!((&ack.request().method, ack.0.flow.transport), (&Method::ACK, Transport::Udp));
    assert!(text(&ack.request().headers, &Name::VIA).starts_with("SIP/2.0/UDP"));
    assert_eq!(ack.request().body.len(), size::LARGE);
    assert_eq!(solo.tell(&ok)[0].0.flow.transport, Transport::Udp);
    assert_eq!(solo.count(|k| matches!(k, EventKind::Lost | EventKind::Terminated)), 0);
    solo.endpoint.hang_up(solo.now, session);
    solo.drain();
    solo.rest();
}

#[test]
fn the_transport_of_a_contact_is_followed_within_the_dialog() {
    for (uri, expected) in
        [("sip:a@10.0.0.9:5071;transport=tcp", Transport::Tcp), ("sip:a@10.0.0.9:5071", Transport::Udp)]
    {
        let mut solo = Solo::new();
        solo.tell(&invite("").replace("<sip:a@10.0.0.9>", &format!("<{uri}>")));
        let session = solo.session();
        solo.endpoint.accept(solo.now.mono, session, b"v=0".to_vec());
        let tag = solo.drain()[0].response().to_tag().unwrap();
        solo.tell(&in_dialog("ACK", 1, &tag, "k", ""));
        solo.endpoint.hang_up(solo.now, session);
        let bye = solo.drain().remove(0);
        assert_eq!((bye.0.flow.transport, bye.0.flow.remote.port()), (expected, 5071));
        solo.rest();
    }
}

#[test]
fn a_call_without_hops_left_is_refused() {
    let mut solo = Solo::new();
    let spent = solo.tell(&invite("Max-Forwards: 0\n"));
    assert_eq!(lines(&spent), ["SIP/2.0 483 Too Many Hops"]);
    solo.rest();
}
