//! What one step of the gateway costs: a message, a call, a fact, a packet. Each table's first row is a plain thing of
//! the same size, done in the same run, so that a ratio can be told where a time alone says nothing.
//!
//!     cargo bench                 all tables
//!     cargo bench -- media        those whose title has this word
//!
//! Without the `--bench` that cargo gives, every step is done once: that it runs is shown, not what it costs.

mod capture;
mod ledger;
mod listening;
mod measure;
mod media;
mod phones;
mod queue;
mod signalling;
mod sockets;

use measure::Report;

type Table = (&'static str, fn(&mut Report));

const TABLES: [Table; 10] = [
    ("sip: parse a datagram", signalling::parse),
    ("call: offered, rung, answered, talked, hung up; the two phones' own SIP included", signalling::whole_call),
    ("queue: a step of the whole switch while 1,000 wait for 100 agents; phones included", queue::steps),
    ("record: the fold of a call's facts", ledger::fold),
    ("ledger: facts through store::Writer, by facts a commit", ledger::commit),
    ("capture: frames of a pcap", capture::read),
    ("media: 200 calls, G.711, packets of 20 ms; no sockets", media::steps),
    ("listening: a talk of two minutes; items/s is how many times faster than life", listening::hear),
    ("floor: CPU of the thread a packet; 20 ms apart; phones on another core", sockets::floor),
    ("greetings: 1,000 calls at once hear one; CPU of the thread a packet", sockets::greetings),
];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let has = |option: &str| arguments.iter().any(|argument| argument == option);
    if has("--list") {
        return;
    }
    let wanted = arguments.iter().find(|argument| !argument.starts_with('-'));
    let mut report = Report::new(has("--bench"));
    for (title, measure) in TABLES.into_iter().filter(|(title, _)| wanted.is_none_or(|word| title.contains(word))) {
        report.title(title);
        measure(&mut report);
    }
}
