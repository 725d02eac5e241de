//! Every bound of the program, and why it is where it is.

use std::time::Duration;

/// One SIP message: the largest UDP datagram. A real INVITE has 1 to 3 KB.
pub const SIP_MESSAGE_BYTES: usize = 65_535;

/// The longest message of a stream that is refused and dropped as it comes, so that the calls of its connection go on;
/// behind a longer one the connection ends.
pub const SIP_PASSED_OVER_BYTES: usize = 16 * SIP_MESSAGE_BYTES;

/// Header fields of one message: a real INVITE has 15 to 40; parsing is linear in them.
pub const SIP_HEADER_FIELDS: usize = 256;

/// SIP transactions at once, from which on new dialogs get 503; requests within live dialogs are always served. A call leaves
/// three behind for 32 s and one for 5 s (RFC 3261 and 6026: timers J, L, M, K), so 1,000 calls a second hold 101,000.
pub const SIP_TRANSACTIONS: usize = 160_000;

/// Calls at once. Ports run out first (two pairs a call).
pub const CALLS: usize = 5_000;

/// Received SIP messages that may wait for the switch, of trunks and of all others each; at 1,000 calls a second about half
/// a second's worth.
pub const SIP_QUEUE: usize = 4_096;

/// A stranger's REGISTERs that may wait: at 500 a second half a second's worth.
pub const REGISTER_QUEUE: usize = 256;

/// So many messages a second, and so many at once after a rest.
#[derive(Debug, Clone, Copy)]
pub struct Rate {
    pub per_second: u32,
    pub burst: u32,
}

/// SIP messages read of one trunk's address, and of all trunks: a call takes five of its trunk (INVITE, ACK, BYE and two
/// repeated), so 1,000 calls a second take 5,000.
pub const TRUNK_RATE: Rate = Rate { per_second: 15_000, burst: 15_000 };
pub const TRUNKS_RATE: Rate = Rate { per_second: 20_000, burst: 20_000 };

/// SIP messages read of one address that is no trunk's, and of all of them: the phones of all agents may stand behind one
/// proxy, and answer a call with three or four messages.
pub const SOURCE_RATE: Rate = Rate { per_second: 5_000, burst: 5_000 };
pub const OTHERS_RATE: Rate = Rate { per_second: 10_000, burst: 10_000 };

/// REGISTERs of one stranger's address, and of all strangers: a room of 100 phones behind one router that start together are
/// through at once.
pub const REGISTER_RATE: Rate = Rate { per_second: 20, burst: 200 };
pub const REGISTERS_RATE: Rate = Rate { per_second: 500, burst: 1_000 };

/// Sources with a budget of their own; beyond that they share one.
pub const BUDGETED_SOURCES: usize = 4_096;

/// Connections (TCP and TLS) at once if the process may open enough files; a quarter of them is kept for trunks.
pub const TCP_CONNECTIONS: usize = 8_192;

/// Connections of one address: a room of phones behind one router has one address.
pub const TCP_CONNECTIONS_PER_SOURCE: usize = 256;

/// One file in so many may be a connection; a call has four (two legs with RTP and RTCP).
pub const FILES_PER_CONNECTION: usize = 4;

/// How long a connection may be silent between two messages. A keep-alive comes every 95 to 120 s (RFC 5626 section 4.4.1).
pub const TCP_IDLE: Duration = Duration::from_secs(600);

/// How long a peer that has opened a connection may take to say something by it.
pub const TCP_FIRST: Duration = Duration::from_secs(10);

/// How long a message may take once its first byte is there.
pub const TCP_MESSAGE: Duration = Duration::from_secs(5);

/// How long a TLS handshake of a peer may take.
pub const TLS_HANDSHAKE: Duration = Duration::from_secs(5);

/// How long a connection that cannot be followed any further stays open, for the answer to its last message to be read.
pub const TCP_LAST_ANSWER: Duration = Duration::from_millis(500);

/// How long a connection of ours may take to open, its TLS handshake included: the next agent waits.
pub const TCP_CONNECT: Duration = Duration::from_secs(2);

/// How long a peer may take to take what we write. Then its calls hear that it failed.
pub const TCP_WRITE: Duration = Duration::from_secs(10);

/// How often the files of the certificate are looked at.
pub const TLS_FILES: Duration = Duration::from_secs(60);
/// SIP messages of one call that its ladder keeps: a plain call has 14, one with holds and session timers some dozens.
pub const LADDER_MESSAGES: u32 = 256;

/// How long a caller may wait in all before the call ends as failed: a carrier gives up at about three minutes.
pub const LONGEST_WAIT: Duration = Duration::from_secs(180);

/// How long a caller may be with the gateway alone, in queues and menus, before the call ends.
pub const LONGEST_ATTENDED: Duration = Duration::from_secs(2 * 3_600);

/// Steps of a dialplan that one call may take: a plan may lead in a circle.
pub const STEPS: u32 = 64;

/// Whoever hangs up in a queue and calls again within this time is where he or she was.
pub const PLACE_KEPT: Duration = Duration::from_secs(60);

/// Callers whose places are remembered at once: about as many as may wait.
pub const REMEMBERED_PLACES: usize = 1_024;

/// How long the report that the caller hears the ring may take, before agents are rung without it.
pub const RING_REPORT: Duration = Duration::from_secs(2);

/// An agent who did not take a waiting call is left in peace by that call for so long.
pub const RING_AGAIN: Duration = Duration::from_secs(10);

/// How long the trunk hears nothing but 100 before we send 180 ourselves (contract: *ring*).
pub const RING_AFTER: Duration = Duration::from_secs(1);

/// A call's media must report its end within this time, or the call is sealed without it.
pub const MEDIA_CLOSE: Duration = Duration::from_secs(5);

/// The recorder must report a closed file within this time, or the call is sealed with the recording unknown.
pub const RECORDING_CLOSE: Duration = Duration::from_secs(60);

/// The listener must report within this time, or the call is sealed without what it would have heard: so long a queue of calls that
/// ended together may take.
pub const LISTENING: Duration = Duration::from_secs(600);

/// So long a phone may take to move over from one call into another (a re-INVITE, once more after glare).
pub const MOVE: Duration = Duration::from_secs(8);

/// A leg that is not heard for so long while the other one is: one-way audio is told within 5 s, the 350 ms by which the
/// recording lags behind included.
pub const ONE_WAY: Duration = Duration::from_secs(4);

/// An agent whose phone leaves our BYE unanswered for so long is free all the same: it was written four times by then (at 0, 0.5,
/// 1.5 and 3.5 s). If the phone is still busy it says so (486), and the next agent is rung.
pub const BYE_PATIENCE: Duration = Duration::from_secs(4);

/// A sender's clock that differs from ours by more parts per million: crystals are within 50 or 100 of the truth, and with 200 a
/// buffer of 20 ms is empty or doubled after 100 s.
pub const CLOCK_DRIFT_PPM: f64 = 200.0;

/// Changes of one leg's stream (SSRC, time line, clock) that become facts; beyond that they are only counted.
pub const UPSETS: u32 = 32;

/// Rests of one leg (comfort noise, pauses left out) that become facts; later ones are known to ten seconds.
pub const RESTS: u32 = 200;

/// Voice quality reports of a call's peers (RFC 6035) that are kept: one of each phone and trunk at the end, and some before.
pub const QUALITY_REPORTS: u32 = 8;

/// Sealed calls whose peers may still report: at 300 calls a second half a minute's worth.
pub const LATE_CALLS: usize = 10_000;

/// A leg that sends nothing for so long has lost its media: phones and networks pause for a few seconds (handover, a
/// restart of the phone), and their RTCP comes every 5 s.
pub const MEDIA_LOST: Duration = Duration::from_secs(10);

/// After so much silence the call ends: whoever is still there would wait for nobody, and the agent is blocked. Both legs
/// have BYE long before 30 s.
pub const MEDIA_TIMEOUT: Duration = Duration::from_secs(20);

/// REFERs of one call that are granted, and refusals that are told one by one: nobody hands a caller on so often.
pub const TRANSFERS: u32 = 16;

/// Holds of one leg in one call: a phone that asks for more is told that it cannot have them, and nothing changes.
pub const HOLDS: u32 = 100;

/// Who may take part in one talk beside caller and agent.
pub const CONFERENCE: usize = 4;

/// Keys that belong together are pressed within this time.
pub const KEYS_TOGETHER: Duration = Duration::from_secs(3);

/// Requests of the API: a console that looks every second from ten desks takes 20.
pub const API_RATE: Rate = Rate { per_second: 50, burst: 100 };

/// Requests without the token: enough for a mistake, too few to guess by.
pub const WRONG_TOKENS: Rate = Rate { per_second: 2, burst: 20 };

/// The body of a request of the API: a reason has 32 letters.
pub const API_BODY_BYTES: usize = 1_024;

/// Questions of the API that may wait for the switch, and how long one waits: the switch answers within a millisecond.
pub const API_QUESTIONS: usize = 128;
pub const API_PATIENCE: Duration = Duration::from_secs(2);

/// A session of the console ends when it was not used for so long, and at the latest after a working day.
pub const SESSION_IDLE: Duration = Duration::from_secs(60 * 60);
pub const SESSION_LONGEST: Duration = Duration::from_secs(12 * 3_600);

/// Sessions of one person at once; one more ends the oldest.
pub const SESSIONS_PER_PERSON: u32 = 10;

/// The body of a form of the console: a review with all its comments is far less.
pub const FORM_BYTES: usize = 256 * 1_024;

/// A file that the console takes: a prompt of a minute, wideband.
pub const UPLOAD_BYTES: usize = 2 * 1_024 * 1_024;

/// Passwords that are compared at once: each takes 19 MiB and some 30 ms of a core.
pub const PASSWORDS_AT_ONCE: usize = 2;

/// How long a link to log in by is good.
pub const LINK: Duration = Duration::from_secs(24 * 3_600);

/// Calls on one page of the console, and rows of a file of calls.
pub const CALLS_PER_PAGE: usize = 50;
pub const CALLS_PER_FILE: usize = 100_000;

/// Calls that one page looks at for those that its filters ask for: 20,000 narrow rows were read in 40 ms on a machine with
/// other work. A page says how far it has looked.
pub const CALLS_LOOKED_AT: usize = 20_000;

/// Live pages that are open at once: each is written some kilobytes a second.
pub const WATCHERS: usize = 256;

/// A listen that goes on within this time is the same listen.
pub const SAME_LISTEN: Duration = Duration::from_secs(15 * 60);
/// Stretches of one call's recording that are silence on purpose. After the last one it is silence to the end.
pub const PAUSES: u32 = 100;
