//! `hotline`: a telephony gateway and call-quality monitor for customer-service hotlines.

pub mod app;
pub mod call;
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
pub mod peer;
pub mod protocol;
pub mod report;
pub mod schedule;
pub mod sim;
pub mod store;
pub mod web;
pub mod written;
