//! Whose work waits when there are fewer cores than threads.

use rustix::process::setpriority_process;
use rustix::thread::gettid;

/// Above the default of 0: of a core that is full, a thread at 10 gets about a tenth of what one at 0 gets, and yields to
/// it at once when it wakes.
const BEHIND: i32 = 10;

/// Of what is left behind, the ledger's facts go before: of a full core a thread at 19 gets a seventh of what one at 10 gets.
const LAST: i32 = 19;

/// Below it: of a full core a thread at −10 gets what it needs before one at 0 does.
const AHEAD: i32 = -10;

/// The calling thread works before the others. For voice, which nothing makes up for when it is late.
pub(super) fn ahead() {
    // Needs a right (CAP_SYS_NICE, or LimitNICE of the service); without it voice waits for its turn.
    if let Err(error) = setpriority_process(Some(gettid()), AHEAD) {
        tracing::debug!(%error, "a media thread keeps its priority");
    }
}

/// The calling thread works when the others leave time. For what has queues and no deadline: a voice that is late is a
/// gap, a fact that is late by a few milliseconds, or a recording that is closed a second later, is nothing. What is not written when a
/// crash comes is lost, so the recorder's writing is not behind.
pub(super) fn behind() {
    step_back(BEHIND);
}

/// The calling thread works when nobody else wants to. For what nobody waits for: listening to recordings may be done minutes later,
/// while a ledger that falls behind has new calls refused.
pub(super) fn last() {
    step_back(LAST);
}

/// Whoever waits for this core has it before the calling thread goes on.
///
/// A priority is a share, not a turn: Linux 6.6 and later (EEVDF) let even a thread of the lowest finish its slice of about 3 ms before
/// one of the highest that has just woken, and a voice would wait so long. To be called about every 0.3 ms of work. It costs its
/// caller the rest of its slice, so whoever is behind with work that may be lost does not call it.
pub(super) fn give_way() {
    std::thread::yield_now();
}

fn step_back(to: i32) {
    // Lowering oneself needs no right; if the system refuses all the same, everything works, a little less smoothly.
    if let Err(error) = setpriority_process(Some(gettid()), to) {
        tracing::debug!(%error, "a thread keeps its priority");
    }
}

#[cfg(test)]
mod tests {
    use rustix::process::getpriority_process;

    use super::*;

    #[test]
    fn only_the_calling_thread_steps_back() {
        let before = getpriority_process(Some(gettid())).unwrap();
        let lowered = std::thread::spawn(|| {
            behind();
            getpriority_process(Some(gettid())).unwrap()
        });
        assert_eq!(lowered.join().unwrap(), BEHIND);
        let last = std::thread::spawn(|| {
            last();
            getpriority_process(Some(gettid())).unwrap()
        });
        assert_eq!(last.join().unwrap(), LAST);
        assert_eq!(getpriority_process(Some(gettid())).unwrap(), before);
    }
}
