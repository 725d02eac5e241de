//! RTP streams with exactly known impairment, from a seed, as a capture file. Nothing of the gateway is used.

use std::path::Path;

/// One packet as it arrived.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Packet {
    pub(crate) at_ns: u64,
    pub(crate) payload_type: u8,
    pub(crate) marker: bool,
    pub(crate) sequence: u16,
    pub(crate) timestamp: u32,
    pub(crate) ssrc: u32,
    pub(crate) octets: usize,
}

/// What was done to a stream; all else is as sent: one packet after the other.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Impairment {
    /// Of its sound, whose RTP clock is 8 kHz and which has 8 octets a millisecond; `None`: PCMA.
    pub(crate) payload_type: Option<u8>,
    /// `None`: 20.
    pub(crate) packet_ms: Option<u32>,
    /// Each packet is lost with this chance.
    pub(crate) loss: f64,
    /// Chances to enter and to leave a state in which half of the packets are lost.
    pub(crate) bursty: Option<(f64, f64)>,
    /// Packets lost in a row, from this one on.
    pub(crate) outage: Option<(u64, u64)>,
    /// Delay spread evenly over so many milliseconds; packets keep their order unless `overtaking`.
    pub(crate) jitter_ms: f64,
    pub(crate) overtaking: bool,
    /// Every so many packets all wait so many milliseconds, in order.
    pub(crate) spikes: Option<(u64, f64)>,
    /// The chance that a packet comes 50 ms late, alone.
    pub(crate) late: f64,
    /// The chance that a packet comes twice.
    pub(crate) twice: f64,
    pub(crate) first_sequence: u16,
    pub(crate) first_timestamp: u32,
    /// The sender's clock is fast by this.
    pub(crate) drift_ppm: f64,
    /// From this packet on another SSRC with other numbers.
    pub(crate) other_ssrc_from: Option<u64>,
    /// Speaks for two seconds, then one packet of comfort noise and silence for a second.
    pub(crate) silence: bool,
    /// The timestamps jump by an hour at this packet.
    pub(crate) time_cut_at: Option<u64>,
}

/// What the generator did, a row a SSRC.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Truth {
    pub(crate) ssrc: u32,
    /// Different packets that arrived, those that did not, those that came again.
    pub(crate) packets: u64,
    pub(crate) lost: u64,
    pub(crate) twice: u64,
    /// Runs of losses, and the longest.
    pub(crate) runs: u64,
    pub(crate) longest: u64,
    /// Appendix A.8 in the order of arrival, in milliseconds: over all packets at the end, and at most.
    pub(crate) jitter_ms: f64,
    pub(crate) jitter_max_ms: f64,
}

/// Even numbers from 0 to 1, the same for the same seed everywhere (SplitMix64).
#[derive(Debug)]
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn roll(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// A stream of `count` packets, as it arrives, and what is true of it. The first and the last of an SSRC are never lost.
pub(crate) fn stream(seed: u64, ssrc: u32, count: u64, how: &Impairment) -> (Vec<Packet>, Vec<Truth>) {
    let mut dice = Dice(seed);
    let packet_ms = how.packet_ms.unwrap_or(20);
    let units = 8 * packet_ms;
    let (mut arrived, mut truths) = (Vec::new(), vec![Truth { ssrc, ..Truth::default() }]);
    let (mut bad, mut run, mut last_at, mut wait_until) = (false, 0, 0_u64, 0_f64);
    let (mut clock, mut spoke) = (0_u64, 0);
    for n in 0..count {
        let changed = how.other_ssrc_from.is_some_and(|from| n >= from);
        if changed && truths.len() == 1 {
            truths.push(Truth { ssrc: ssrc + 1, ..Truth::default() });
        }
        let edge = n == 0 || n + 1 == count || how.other_ssrc_from.is_some_and(|from| n + 1 == from || n == from);
        let noise = how.silence && spoke == 100;
        let marker = n == 0 || how.silence && spoke == 0;
        let sent_ns = (clock as f64 * f64::from(packet_ms) * 1e6 / (1.0 + how.drift_ppm / 1e6)) as u64;
        let cut = if how.time_cut_at.is_some_and(|at| n >= at) { 3_600 * 8_000 } else { 0 };
        let packet = Packet {
            at_ns: 0,
            payload_type: if noise { 13 } else { how.payload_type.unwrap_or(8) },
            marker,
            sequence: (n as u16).wrapping_add(how.first_sequence).wrapping_add(if changed { 7_777 } else { 0 }),
            timestamp: (clock as u32).wrapping_mul(units).wrapping_add(how.first_timestamp).wrapping_add(cut),
            ssrc: ssrc + u32::from(changed),
            octets: if noise { 1 } else { units as usize },
        };
        (clock, spoke) = if noise { (clock + 50, 0) } else { (clock + 1, spoke + 1) };
        if let Some((enter, leave)) = how.bursty {
            bad = if bad { dice.roll() >= leave } else { dice.roll() < enter };
        }
        let outage = how.outage.is_some_and(|(from, length)| (from..from + length).contains(&n));
        let chance = if bad { 0.5 } else { how.loss };
        let truth = truths.last_mut().expect("there is one");
        if !edge && (outage || chance > 0.0 && dice.roll() < chance) {
            truth.lost += 1;
            run += 1;
            truth.runs += u64::from(run == 1);
            truth.longest = truth.longest.max(run);
            continue;
        }
        run = 0;
        truth.packets += 1;
        let mut delay_ms = 30.0 + dice.roll() * how.jitter_ms;
        if let Some((every, ms)) = how.spikes
            && n % every == every - 1
        {
            wait_until = sent_ns as f64 + 30e6 + ms * 1e6;
        }
        if !edge && how.late > 0.0 && dice.roll() < how.late {
            delay_ms += 50.0;
            let at_ns = sent_ns + (delay_ms * 1e6) as u64;
            arrived.push(Packet { at_ns, ..packet });
        } else {
            let at_ns = (sent_ns + (delay_ms * 1e6) as u64).max(wait_until as u64);
            let at_ns = if how.overtaking { at_ns } else { at_ns.max(last_at + 1_000) };
            last_at = last_at.max(at_ns);
            arrived.push(Packet { at_ns, ..packet });
        }
        if how.twice > 0.0 && dice.roll() < how.twice {
            truth.twice += 1;
            let first = arrived[arrived.len() - 1];
            arrived.push(Packet { at_ns: first.at_ns + 2_000, ..first });
        }
    }
    arrived.sort_by_key(|packet| packet.at_ns);
    truths.iter_mut().for_each(|truth| tell_jitter(truth, &arrived));
    (arrived, truths)
}

/// Appendix A.8, as it is written there but for real numbers.
fn tell_jitter(truth: &mut Truth, arrived: &[Packet]) {
    let mut last: Option<(f64, u32)> = None;
    for packet in arrived.iter().filter(|packet| packet.ssrc == truth.ssrc) {
        let at_ms = packet.at_ns as f64 / 1e6;
        if let Some((before_ms, timestamp)) = last {
            let sampled_ms = f64::from(packet.timestamp.wrapping_sub(timestamp) as i32) / 8.0;
            let difference = (at_ms - before_ms - sampled_ms).abs();
            truth.jitter_ms += (difference - truth.jitter_ms) / 16.0;
            truth.jitter_max_ms = truth.jitter_max_ms.max(truth.jitter_ms);
        }
        last = Some((at_ms, packet.timestamp));
    }
}

/// A UDP datagram in an Ethernet frame from `10.0.0.1:port` to `10.0.0.2:port`.
pub(crate) fn frame(port: u16, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0, 0x45, 0];
    frame.extend(((28 + payload.len()) as u16).to_be_bytes());
    frame.extend([0, 0, 0x40, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
    frame.extend(port.to_be_bytes());
    frame.extend(port.to_be_bytes());
    frame.extend(((8 + payload.len()) as u16).to_be_bytes());
    frame.extend([0, 0]);
    frame.extend(payload);
    frame
}

pub(crate) fn rtp(packet: &Packet) -> Vec<u8> {
    let mut bytes = vec![0x80, packet.payload_type | if packet.marker { 0x80 } else { 0 }];
    bytes.extend(packet.sequence.to_be_bytes());
    bytes.extend(packet.timestamp.to_be_bytes());
    bytes.extend(packet.ssrc.to_be_bytes());
    bytes.resize(12 + packet.octets, 0xd5);
    bytes
}

/// Writes frames as pcap with nanoseconds; stamps count from 2026.
pub(crate) fn write_pcap(path: &Path, frames: &[(u64, Vec<u8>)]) {
    let mut file = Vec::new();
    [0xa1b2_3c4d_u32, 2 | 4 << 16, 0, 0, 65_535, 1].iter().for_each(|word| file.extend(word.to_le_bytes()));
    for (at_ns, frame) in frames {
        let seconds = 1_767_225_600 + at_ns / 1_000_000_000;
        let head = [seconds as u32, (at_ns % 1_000_000_000) as u32, frame.len() as u32, frame.len() as u32];
        head.iter().for_each(|word| file.extend(word.to_le_bytes()));
        file.extend(frame);
    }
    std::fs::write(path, file).expect("a file can be written");
}
