//! What a frame of a capture costs: 100 streams of G.711, side by side, in a pcap in memory.

use std::hint::black_box;

use hotline::capture::analyze;

use crate::measure::Report;

const STREAMS: u32 = 100;
const PACKETS: u32 = 500;
const ROUNDS: usize = 20;
const FRAME: usize = 14 + 20 + 8 + 12 + 160;

pub(crate) fn read(report: &mut Report) {
    let (file, frames) = (pcap(), (STREAMS * PACKETS) as usize);
    let bytes = file.len() / frames;
    let mut copy = vec![0; file.len()];
    report.row(&format!("first: copy of a frame's {bytes} bytes"), frames, ROUNDS, |_| {
        copy.copy_from_slice(black_box(&file));
        black_box(&mut copy);
    });
    report.row(&format!("frame analysed ({bytes} bytes in the file)"), frames, ROUNDS, |_| {
        let analysis = analyze(black_box(&file[..])).expect("a capture");
        assert_eq!((analysis.streams.len(), analysis.frames), (STREAMS as usize, frames as u64));
    });
}

fn pcap() -> Vec<u8> {
    let mut file = Vec::new();
    [0xa1b2_c3d4_u32, 2 | 4 << 16, 0, 0, 65_535, 1].iter().for_each(|word| file.extend(word.to_le_bytes()));
    for n in 0..PACKETS {
        for stream in 0..STREAMS {
            let us = n * 20_000 + stream * 100;
            let head = [1_767_225_600 + us / 1_000_000, us % 1_000_000, FRAME as u32, FRAME as u32];
            head.iter().for_each(|word| file.extend(word.to_le_bytes()));
            frame(stream, n, &mut file);
        }
    }
    file
}

fn frame(stream: u32, n: u32, file: &mut Vec<u8>) {
    let from = file.len();
    file.extend([2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0, 0x45, 0]);
    file.extend(((FRAME - 14) as u16).to_be_bytes());
    file.extend([0, 0, 0x40, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
    let port = (20_000 + 2 * stream as u16).to_be_bytes();
    file.extend([port, port].concat());
    file.extend(((FRAME - 34) as u16).to_be_bytes());
    file.extend([0, 0, 0x80, 8]);
    file.extend((n as u16).to_be_bytes());
    file.extend((n * 160).to_be_bytes());
    file.extend((7 + stream).to_be_bytes());
    file.resize(from + FRAME, 0xd5);
}
