//! Recordings: where they lie and how a cut one is mended. [`super::wav`] writes them; `io::disk` owns the files.

pub mod path;
pub mod peaks;
pub mod repair;
pub mod sealed;
