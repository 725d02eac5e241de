//! `hotline erase --caller N --by NAME`: the receipt is one JSON object.

use std::io::Write;

use super::{Failure, recordings};
use crate::config::Config;
use crate::io::custody::Order;

pub(super) fn run(caller: &str, by: &str, config: &Config, out: &mut dyn Write) -> Result<(), Failure> {
    recordings::order(config, &Order::Erase { caller: caller.to_owned(), by: by.to_owned() }, out)
}
