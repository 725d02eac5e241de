//! `hotline nuisance`: callers whom agents sent to the desk for nuisance calls, the most frequent first.

use std::io::Write;

use super::reading::ReadingError;
use crate::cdr::Time;
use crate::cdr::ladder::masked;
use crate::clock::Wall;
use crate::store::Reader;

pub(super) fn list(
    reader: &Reader,
    since: Wall,
    (least, numbers): (u32, bool),
    out: &mut dyn Write,
) -> Result<(), ReadingError> {
    for caller in reader.nuisances(since)?.into_iter().filter(|caller| caller.calls >= least) {
        let number = match caller.number {
            Some(number) if numbers => number,
            Some(number) => masked(&number),
            None => "(erased)".to_owned(),
        };
        writeln!(out, "{:>5}  {}  {number}", caller.calls, Time(caller.last))?;
    }
    Ok(())
}
