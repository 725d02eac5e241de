pub mod fact;
pub mod reason;
