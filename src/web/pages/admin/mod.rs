//! What is looked after: people, the audit log, storage, health.

pub(in crate::web) mod audit;
pub(in crate::web) mod health;
pub(in crate::web) mod people;
pub(in crate::web) mod prompts;
pub(in crate::web) mod storage;
