//! Handing a caller on.

use super::super::judged::{Judged, On, Why};
use super::super::measure::About;
use super::hold::holder;
use crate::call::reason::Reason;

///
pub(in super::super) fn at_most(about: &About<'_>) -> Judged {
    let bound = about.number("transfers");
    if about.seen.transfers.is_empty() {
        return Judged::na(Why::NoTransfer);
    }
    let completed = about.seen.transfers.iter().filter(|transfer| transfer.to.is_some_and(|(_, completed)| completed));
    let beyond: Vec<_> = completed.clone().skip(usize::try_from(bound).unwrap_or(usize::MAX)).collect();
    let judged = Judged::if_kept(beyond.is_empty(), Judged::fail_of(beyond.iter().map(|transfer| transfer.by.clone())));
    let marks = beyond.iter().map(|transfer| transfer.from);
    judged.seen(marks).with("completed", completed.count() as u64).with("transfers", bound)
}

/// Nobody who asked for a transfer answers for the one who did not take the call.
pub(in super::super) fn kept(about: &About<'_>) -> Judged {
    let Some(last) = about.seen.transfers.last() else { return Judged::na(Why::NoTransfer) };
    let ended = about.seen.ended.map(|(_, reason, _)| reason);
    match (last.to, ended) {
        (_, Some(Reason::TransferFailed)) => Judged::fail(On::Hotline).seen([last.from, about.seen.end()]),
        (Some((to, _)), _) => {
            let waited_ms = to.at.millis_since(last.from.at);
            Judged::pass().seen([last.from, to]).with_some("waited_ms", waited_ms)
        }
        (None, Some(Reason::CallerHungUp)) => Judged::na(Why::CallerLeft).seen([last.from]),
        (None, _) => Judged::na(Why::CutShort).seen([last.from]),
    }
}

/// R-219 and its likes: the only trace of a private call is somebody who wants a number that nobody calls for work.
pub(in super::super) fn to_listed(about: &About<'_>) -> Judged {
    let unlisted = &about.seen.unlisted;
    match unlisted.first() {
        Some(first) => Judged::fail_of(holder(about, *first)).seen(unlisted.iter().copied()),
        None if about.seen.transfers.is_empty() => Judged::na(Why::NoTransfer),
        None => Judged::pass().seen(about.seen.transfers.iter().map(|transfer| transfer.from)),
    }
}
