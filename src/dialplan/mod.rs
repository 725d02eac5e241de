//! What happens to a call: dialplans as written ([`schema`]), checked and compiled ([`compile`]) into plans that cannot fail
//! while a call is handled ([`plan`]). Pure: files come in as bytes, prompts through a [`prompt::Folder`].


mod cut;
mod join;
pub mod plan;


mod spoken;
