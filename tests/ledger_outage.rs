//! A database that takes nothing while calls are up: the calls go on, and afterwards the record tells.

mod common;

use common::{Bench, RecordExt, Sipp, seconds, until};

#[test]
fn a_database_that_is_locked_during_a_call_delays_its_facts_and_loses_none() {
    let mut bench = Bench::new();
    let phone = bench.agent("8");
    let agent = Sipp::agent(&bench, "agent_answers", phone).pause_ms(100).calls(2);
    let first = Sipp::trunk(&bench, "trunk_hangs_up").pause_ms(1_500);
    let second = Sipp::trunk(&bench, "trunk_hangs_up").pause_ms(300);
    let gateway = bench.serve();
    let agent = agent.start();
    let first = first.start();
    until("the first call", seconds(5), || (gateway.live().len() == 1).then_some(()));
    let database = rusqlite::Connection::open(gateway.bench.data().join("hotline.db")).expect("the database");
    database.execute_batch("BEGIN EXCLUSIVE").expect("locking it");
    first.finish();
    // A call that begins while nothing can be written is taken too.
    second.run();
    agent.finish();
    until("a commit that failed", seconds(20), || {
        (gateway.metric("hotline_ledger_commit_failures_total") > 0).then_some(())
    });
    assert!(gateway.metric("hotline_ledger_backlog_facts") > 0);
    database.execute_batch("ROLLBACK").expect("letting it go");
    until("the facts on disk", seconds(10), || (gateway.metric("hotline_ledger_backlog_facts") == 0).then_some(()));

    let records = gateway.records(2);
    for record in &records {
        assert_eq!(record.text("outcome"), "answered");
        assert_eq!(record.text("reason"), "caller_hung_up");
    }
    assert_eq!(gateway.metric("hotline_ledger_facts_refused_total"), 0);
    gateway.settled(2);
}
