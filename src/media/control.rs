//! RTCP of one leg (RFC 3550 section 6): when we report, what the peer reports, and the round trip.

use std::net::SocketAddr;
use std::time::Duration;

use crate::clock::{Instant, Now};
use crate::ids::Random;
use crate::protocol::rtp::rtcp::{self, Block, Compound, Outgoing, SenderInfo};
use crate::protocol::rtp::{Receiver, Sender, xr};
use crate::quality::Reported;

/// Mean time between two reports (section 6.2), in microseconds; half of it before the first one.
const INTERVAL_US: u64 = 5_000_000;

/// Our reports that a peer may still answer.
const REMEMBERED: usize = 4;

/// Seconds from 1900 to 1970 (RFC 5905 figure 4).
const NTP_EPOCH_S: u64 = 2_208_988_800;

#[derive(Debug)]
pub(super) struct Control {
    random: Random,
    /// Random as well: it must not tell who or where we are (RFC 7022).
    cname: String,
    state: State,
    /// Where the peer's reports come from.
    source: Option<SocketAddr>,
    /// The middle of the peer's last sender report, and its arrival.
    heard: Option<(u32, Instant)>,
    /// The same of our last ones.
    sent: [Option<(u32, Instant)>; REMEMBERED],
    /// Packets that the peer has sent, as it says.
    theirs: Option<u32>,
    /// Packets that we had sent at our last two reports.
    counts: [u32; 2],
    round_trip: Option<Duration>,
    /// What the peer reports of our stream.
    reported: Reported,
}

#[derive(Debug, Clone, Copy)]
enum State {
    /// Next is known whom a report could be for.
    Waiting,
    Reporting {
        last: Instant,
        due: Instant,
        /// The first report comes sooner.
        first: bool,
    },
}

impl Control {
    pub(super) fn new(random: &mut Random) -> Self {
        let mut random = Random::from_seed(random.bytes());
        Control {
            cname: random.token(),
            random,
            state: State::Waiting,
            source: None,
            heard: None,
            sent: [None; REMEMBERED],
            theirs: None,
            counts: [0; 2],
            round_trip: None,
            reported: Reported::default(),
        }
    }

    /// The peer is known from now on.
    pub(super) fn begin(&mut self, now: Instant) {
        if let State::Waiting = self.state {
            self.state = State::Reporting { last: now, due: now + self.interval(true), first: true };
        }
    }

    /// The peer moved: its reports may come from elsewhere.
    pub(super) fn unlatch(&mut self) {
        self.source = None;
    }

    pub(super) fn source(&self) -> Option<SocketAddr> {
        self.source
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        match self.state {
            State::Waiting => None,
            State::Reporting { due, .. } => Some(due),
        }
    }

    /// Whether a report is due, with timer reconsideration (section 6.3.6).
    pub(super) fn is_due(&mut self, now: Instant) -> bool {
        let State::Reporting { last, due, first } = self.state else { return false };
        if due > now {
            return false;
        }
        let again = last + self.interval(first);
        if again > now {
            self.state = State::Reporting { last, due: again, first };
            return false;
        }
        self.state = State::Reporting { last: now, due: now + self.interval(false), first: false };
        true
    }

    /// Appends a report to `out`, and BYE if it is the last one.
    pub(super) fn report(&mut self, now: Now, sender: &Sender, receiver: &mut Receiver, bye: bool, out: &mut Vec<u8>) {
        let ntp = ntp(now);
        let lately = sender.packets() != self.counts[0];
        self.counts = [self.counts[1], sender.packets()];
        let info = sender.timestamp(now.mono).filter(|_| lately).map(|timestamp| SenderInfo {
            ntp,
            timestamp,
            packets: sender.packets(),
            octets: sender.octets(),
        });
        if info.is_some() {
            self.sent.rotate_left(1);
            self.sent[REMEMBERED - 1] = Some((rtcp::middle(ntp), now.mono));
        }
        let heard = self.heard;
        let block = receiver.report().map(|block| Block {
            last_report: heard.map_or(0, |(middle, _)| middle),
            delay: heard.map_or(0, |(_, at)| rtcp::delay(now.mono.since(at))),
            ..block
        });
        let outgoing = Outgoing { ssrc: sender.ssrc(), sender: info, block, cname: &self.cname, bye };
        rtcp::write(&outgoing, out);
    }

    /// A packet from an address that may send; false if it is no RTCP or says farewell.
    pub(super) fn hear(&mut self, source: SocketAddr, arrival: Instant, bytes: &[u8], ours: &Sender) -> bool {
        let Ok(compound) = Compound::parse(bytes) else { return false };
        self.source = Some(source);
        for report in compound.reports() {
            if let Some(info) = report.sender {
                self.heard = Some((rtcp::middle(info.ntp), arrival));
                self.theirs = Some(info.packets);
            }
            for block in report.blocks().filter(|block| block.ssrc == ours.ssrc()) {
                self.reported.block(&block, ours.first());
                self.round_trip = self.measure(&block, arrival).or(self.round_trip);
            }
        }
        for metrics in xr::voip_metrics(&compound).filter(|metrics| metrics.ssrc == ours.ssrc()) {
            self.reported.voip(metrics);
        }
        !compound.says_bye()
    }

    /// Packets that the peer has sent, as its last sender report says.
    pub(super) fn theirs(&self) -> Option<u32> {
        self.theirs
    }

    pub(super) fn reported(&self) -> &Reported {
        &self.reported
    }

    /// The last round trip that was measured.
    pub(super) fn round_trip(&self) -> Option<Duration> {
        self.round_trip
    }

    /// Section 6.4.1, on the monotonic clock: a report counts only if it answers one of ours.
    fn measure(&self, block: &Block, arrival: Instant) -> Option<Duration> {
        let (_, sent) = self.sent.iter().flatten().find(|(middle, _)| *middle == block.last_report)?;
        arrival.since(*sent).checked_sub(block.delay())
    }

    /// Between half and one and a half of the interval, less what reconsideration adds (section 6.3.1: e − 3/2).
    fn interval(&mut self, first: bool) -> Duration {
        let mean = if first { INTERVAL_US / 2 } else { INTERVAL_US };
        let share = 500_000 + u64::from(self.random.below(1_000_001));
        Duration::from_micros(mean * share / 1_218_282)
    }
}

/// Wall time as RTCP writes it: seconds since 1900 and 32 bits of fraction.
fn ntp(now: Now) -> u64 {
    let us = u64::try_from(now.wall.as_micros()).unwrap_or(0);
    let (seconds, rest) = (us / 1_000_000 + NTP_EPOCH_S, us % 1_000_000);
    (seconds << 32) | ((rest << 32) / 1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_are_five_seconds_apart_in_the_mean_and_never_in_step() {
        let mut control = Control::new(&mut Random::from_number(3));
        assert_eq!(control.deadline(), None, "not before the peer is known");
        control.begin(Instant::START);
        let mut reports = Vec::new();
        while reports.len() < 1_000 {
            let due = control.deadline().unwrap();
            if control.is_due(due) {
                reports.push(due);
            }
        }
        let gaps: Vec<u64> = reports.windows(2).map(|p| p[1].since(p[0]).as_micros() as u64).collect();
        let mean = gaps.iter().sum::<u64>() / gaps.len() as u64;
        assert!((4_700_000..5_300_000).contains(&mean), "{mean}");
        assert!(gaps.iter().all(|gap| (2_052_000..=6_157_000).contains(gap)));
        assert!((1_026..=3_079).contains(&(reports[0].as_nanos() / 1_000_000)));
    }

    #[test]
    fn wall_time_as_ntp() {
        use crate::clock::Wall;
        let now = |us| Now { mono: Instant::START, wall: Wall::from_micros(us) };
        assert_eq!(ntp(now(500_000)), (2_208_988_800 << 32) | (1 << 31));
    }
}
