//! One file a page, each beside its template in `templates/`.

pub(super) mod account;
pub(super) mod admin;
pub(super) mod agent;
pub(super) mod callbacks;
pub(super) mod calls;
pub(super) mod calls_apart;
pub(super) mod home;
pub(super) mod live;
pub(super) mod login;
pub(super) mod notes;
pub(super) mod one_call;
pub(super) mod qa;
pub(super) mod reports;
pub(super) mod sound;
