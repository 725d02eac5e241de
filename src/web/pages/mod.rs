//! One file a page, each beside its template in `templates/`.

pub(super) mod account;
pub(super) mod admin;
pub(super) mod home;
pub(super) mod login;
pub(super) mod qa;
