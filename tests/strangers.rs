//! Who is heard: trunks, phones, and the machines that a live dialog leads to.

mod common;

use common::phone::{Phone, follow, invite, options, publish};
use common::{Bench, HOTLINE_NUMBER, RecordExt, Sipp, seconds, until};

#[test]
fn a_machine_that_a_call_leads_to_is_heard_within_that_call_only() {
    let mut bench = Bench::new();
    bench.peers = "\"127.0.0.2\"".into();
    let phone = bench.agent("8");
    let agent = Sipp::agent(&bench, "agent_answers", phone).pause_ms(100);
    let (port, other_port) = (bench.ports.one(), bench.ports.one());
    let gateway = bench.serve();
    let agent = agent.start();
    // The trunk's proxy calls; the Contact names the gateway behind it, which then speaks for itself.
    let (proxy, behind) = (Phone::at("127.0.0.2", port), Phone::at("127.0.0.3", other_port));
    let here = gateway.bench.sip_address();
    let reason = |reason: &str| {
        let line = format!("hotline_sip_rejected_total{{reason=\"{reason}\"}} ");
        let text = gateway.metrics();
        text.lines().find_map(|l| l.strip_prefix(&line)?.parse::<i64>().ok()).expect("the reason's series")
    };

    behind.send(&options(behind.address(), here, "too-early"), here);
    behind.send(&invite(behind.address(), here, HOTLINE_NUMBER, "from-a-stranger"), here);
    until("two messages of a stranger", seconds(5), || (reason("stranger") == 2).then_some(()));
    assert_eq!(gateway.balance(), 0);

    let call = invite(proxy.address(), here, HOTLINE_NUMBER, "led");
    let call = call.replace(
        &format!("Contact: <sip:13900009999@{}>", proxy.address()),
        &format!("Contact: <sip:13900009999@{}>", behind.address()),
    );
    proxy.send(&call, here);
    let answer = proxy.expect("SIP/2.0 200", seconds(5));
    behind.send(&follow(&call, "ACK", Some(&answer)), here);
    // Outside its dialog it is a stranger still, though now its messages are read to see that.
    behind.send(&options(behind.address(), here, "outside"), here);
    until("a third message of a stranger", seconds(5), || (reason("stranger") == 3).then_some(()));
    behind.send(&follow(&call, "BYE", Some(&answer)), here);
    behind.expect("SIP/2.0 200", seconds(5));
    agent.finish();
    let record = gateway.record();
    assert_eq!(record.text("outcome"), "answered");
    assert_eq!(record.text("reason"), "caller_hung_up");
    gateway.settled(1);
    assert_eq!(reason("queue_full"), 0);

    // What a peer says of the call's quality is kept beside it, though the call is sealed; a stranger gets silence.
    until("the call's seal", seconds(5), || (gateway.metric("hotline_rtp_ports_in_use") == 0).then_some(()));
    behind.send(&publish(behind.address(), here, "led"), here);
    until("a fourth message of a stranger", seconds(5), || (reason("stranger") == 4).then_some(()));
    proxy.send(&publish(proxy.address(), here, "led"), here);
    let answer = proxy.expect("SIP/2.0 200", seconds(5));
    assert!(answer.headers(&["CSeq"]).contains("PUBLISH") && answer.text.contains("\nSIP-ETag: "), "{answer:?}");
    let reports = until("the report", seconds(5), || {
        let reports = gateway.record().at_path("quality.caller.reports").clone();
        reports.as_array().is_some_and(|all| !all.is_empty()).then_some(reports)
    });
    assert_eq!((reports.as_array().map(Vec::len), &reports[0]["heard"]["mos_lq"]), (Some(1), &4.1.into()));
    assert_eq!(gateway.metric("hotline_media_quality_reports_total"), 1);
}
