//! `hotline`: a telephony gateway and call-quality monitor for customer-service hotlines.
//!
//! # The way of a call
//!
//! ```text
//!  datagram                              facts                              people
//!     │                                    │                                  ▲
//!  io: sockets ──► sip::Endpoint ──► call::Call ──► ledger ──┬─► cdr: call record ─┤ hotline calls, call
//!  source check    transactions,         │  ▲    append-only ├─► metrics ──────────┤ Prometheus → Grafana
//!                  dialogs, sessions     │  │                └─► report ───────────┘ hotline report
//!                                        ▼  │
//!  io: media threads ──► media::Bridge ──► tap ──► recorder ──► WAV
//! ```
//!
//! *One ledger of facts; everything else is computed by reading the facts in order.* A call has one writer of its facts,
//! [`call::Call`]. *Time is an argument:* nothing below [`io`] reads a clock. Protocol and call logic own no socket, no task
//! and no lock, so the same [`gateway::Gateway`] runs on real sockets ([`app`]) and in virtual time ([`sim`]).
//!
//! # Floors
//!
//! A module may use lower floors, never higher ones; `tests/tidy.rs` holds the table.
//!
//! ```text
//! 9  cli (and main)                         commands
//! 8  app  config  sim                       composition; settings; the other side of the switch
//! 7  io  web                                sockets, threads, clocks, files; HTTP
//! 6  store  metrics                         SQLite; names as data
//! 5  cdr  report  rules  qa  notes          computed from facts; what is made of them; pure
//! 4  gateway  ledger                        the switch without a socket; encoding and recovery of facts
//! 3  call  capture                          one call; agents; what a capture holds
//! 2  media  peer  dialplan  quality         bridge, playout, tap, recording format; trunks; plans and prompts; meters, E-model
//! 1  protocol: sip  sdp  rtp  audio         the standards
//! 0  clock  fault  ids  limits  schedule  written
//! ```
//!
//! # Where to start reading
//!
//! [`call::fact`] (what is known of a call), [`call`] (its machine), [`gateway`] (the switch around it),
//! [`protocol::sip::endpoint`] (SIP), [`media`] (orders and events of the sound), then `tests/calls.rs`.
//!
//! # Glossary
//!
//! | term | is |
//! |---|---|
//! | 工号, agent number | the number by which an agent is known and greeted with: [`ids::AgentNo`] |
//! | 接待员, 客服代表 | agent |
//! | 来电登记, call note | what a caller wanted, as the agent wrote it down: [`notes`] |
//! | 质检, QA | drawing, hearing and scoring recordings |
//! | 放弃, abandon | the caller leaves before an agent answers |
//! | 三声内接听 | answered within three rings; a ring is one period of the ringing tone (`cn`: 5 s) |
//! | *ring*, *answered*, *connected* | our first 180 (or first sample of ringing tone) written; the agent's 2xx read; our 200 written |
//! | trunk | the carrier's SIP peer that calls arrive from, and that targets are called through |
//! | target | a number outside, called through a trunk when no agent is left: the call is an overflow |
//! | leg | one of the two SIP sessions and RTP streams of a call |
//! | attempt | one ring of one agent's phone |
//! | step | a named part of a dialplan that a call comes to: a group, a target, an announcement, a menu, a message |
//! | script | what the gateway does in a talk by itself: for silent, noisy and faint callers, holds, three minutes |
//! | attended | connected, with nobody but the gateway: in a queue, a menu, a message |
//! | sealed | a call whose recording is closed too: nothing more will come |

pub mod app;
pub mod call;
pub mod capture;
pub mod cdr;
pub mod cli;
pub mod clock;
pub mod config;
pub mod dialplan;
pub mod fault;
pub mod gateway;
pub mod ids;
pub mod io;
pub mod ledger;
pub mod limits;
pub mod media;
pub mod metrics;
pub mod notes;
pub mod peer;
pub mod protocol;
pub mod qa;
pub mod quality;
pub mod report;
pub mod rules;
pub mod schedule;
pub mod sim;
pub mod store;
pub mod web;
pub mod written;
