//! The standards. Pure; the four know nothing of each other.

pub mod audio;
pub mod rtp;
pub mod sdp;
pub mod sip;
