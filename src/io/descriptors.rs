//! How many files the process may have open.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Takes as many as the system grants: a call has up to six sockets, a connection one. How many it is now.
pub fn raise() -> usize {
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return 1_024 };
    let granted = if setrlimit(Resource::RLIMIT_NOFILE, hard, hard).is_ok() { hard } else { soft };
    usize::try_from(granted).unwrap_or(usize::MAX)
}
