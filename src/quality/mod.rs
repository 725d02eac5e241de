//! The quality of one direction of a call, from the packets that arrived. Pure: time is the packets' own.
//!
//! [`StreamMeter`] is fed each packet of a direction and counts; [`Measured`] is what it counted; [`score`] makes an
//! E-model rating of that. The gateway's media threads and `hotline analyze` use the same meter, so that a live call and
//! its capture have the same figures.

mod buffer;
mod burst;
pub mod codec;
mod drift;
pub mod emodel;
mod figures;
mod heard;
mod jitter;
mod measured;
mod meter;
mod rest;
mod runs;
mod score;
mod sent;
pub mod speech;
mod status;
mod upset;

pub use buffer::{ADAPTIVE_MAX_MS, Buffered, FIXED_LONG_MS, FIXED_SHORT_MS};
pub use drift::Drift;
pub use emodel::Scale;
pub use figures::{Figures, More};
pub use heard::{Decoded, Heard, INTERVAL, Line};
pub use measured::{JitterNs, Measured};
pub use meter::{Kind, StreamMeter};
pub use rest::{Rests, SHORTEST_REST};
pub use runs::{GMIN, Losses, OUTAGE_MS};
pub use score::{ASSUMED_NETWORK_MS, Delay, Score, score};
pub use sent::{Reported, Sent};
pub use status::{LEAST_PACKETS, SHORTEST_MS, Seen, Status, status};
pub use upset::Upset;
