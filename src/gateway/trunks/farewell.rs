//! The end of a drain: with the last call over, registrars are told that nobody is here any more, so that the carrier sends
//! its calls elsewhere at once.

use super::super::Gateway;
use super::{Trunks, What};
use crate::clock::Now;
use crate::peer::registration::Registration;

impl Gateway {
    /// True if a registrar was told something.
    pub(in crate::gateway) fn say_farewell(&mut self, now: Now) -> bool {
        if !self.draining || !self.calls.is_empty() {
            return false;
        }
        let mut told = false;
        for i in 0..self.trunks.lines.len() {
            let Trunks { lines, random, .. } = &mut self.trunks;
            let Some(registration) = lines[i].registration.as_mut().filter(|r| !r.has_left()) else { continue };
            let ask = registration.leave(now.mono, random);
            self.forget(i, What::Register);
            self.send_register(now, i, ask);
            told = true;
        }
        if told {
            self.show_trunks(now);
        }
        told
    }

    /// A registrar has not yet answered our farewell.
    pub fn is_leaving(&self) -> bool {
        self.trunks.lines.iter().filter_map(|line| line.registration.as_ref()).any(Registration::is_leaving)
    }
}
