//! Metrics. Names are data: one table, [`METRICS`], drives registration, the listing of `hotline metrics` and the
//! tests.
//!
//! Call metrics are computed from facts by the same fold as the call record ([`CallMetrics`]); counters of SIP, RTP,
//! the recorder and the ledger are direct ([`Counters`]). The only user of the crate `prometheus`.

pub mod alerts;
pub mod boards;
mod calls;
pub mod catalogue;
mod counters;
mod exemplars;
mod openmetrics;
mod registry;
mod staffing;
mod table;

pub use calls::CallMetrics;
pub use counters::{Counters, Direction, Method, Reload, SipRejection};
pub use registry::{LabelSets, Metrics, MetricsError};
pub use table::{AgentCall, AgentState, CallState, Kind, METRICS, Metric};

#[cfg(test)]
mod open_tests;
#[cfg(test)]
mod tests;
