//! 质检, quality inspection by people: which calls are heard ([`draw`]), what is asked of them ([`form`]), what became of a score
//! ([`review`]), how well two who score agree ([`agreement`]), and what a month of few scores tells ([`estimate`],
//! [`scorecard`], [`summary`]); [`whole`] is a period's report. Pure: seeds, clocks and rows come in as arguments.
//!
//! Two rules hold everywhere. What is measured on all calls and what is judged on a sample never mix in one figure; and calls that
//! were picked for a reason (the targeted pool) never enter an estimate, only those drawn by lot do.

pub mod agreement;
pub mod backlog;
pub mod deadline;
pub mod draw;
pub mod due;
pub mod estimate;
pub mod fill;
pub mod form;
pub mod review;
pub mod scorecard;
pub mod summary;
pub mod whole;
