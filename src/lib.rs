//! `hotline`: a telephony gateway and call-quality monitor for customer-service hotlines.

pub mod call;
pub mod clock;
pub mod dialplan;
pub mod ids;
pub mod io;
pub mod media;
pub mod protocol;
