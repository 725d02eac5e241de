//! What the listener needs for a second of a recording, both channels together: its items a second are how many times faster than
//! life it hears on one core.

use std::fs::File;
use std::hint::black_box;
use std::path::Path;

use hotline::media::wav;
use hotline::quality::speech::{Ear, Scene, Span, listen};

use crate::measure::Report;

const SECONDS: usize = 120;
const ROUNDS: usize = 10;

pub(crate) fn hear(report: &mut Report) {
    for rate_hz in [8_000, 16_000] {
        let sides = [talk(rate_hz, 0), talk(rate_hz, 1)];
        let mut copy = sides.clone();
        report.row(&format!("copy of a second's samples, {rate_hz} Hz"), SECONDS, ROUNDS, |_| {
            copy.clone_from(black_box(&sides));
            black_box(&mut copy);
        });
        let scene = Scene { talks: vec![Span::new(0, SECONDS as u64 * 1_000)], ..Scene::default() };
        report.row(&format!("a second heard, {rate_hz} Hz, two channels"), SECONDS, ROUNDS, |_| {
            let [caller, agent] = [0, 1].map(|side| {
                let mut ear = Ear::new(rate_hz);
                black_box(&sides[side]).chunks(16_000).for_each(|piece| ear.hear(piece));
                ear.finish()
            });
            let heard = listen(&caller, Some(&agent), &scene);
            assert_eq!(heard.length_ms, SECONDS as u64 * 1_000);
            assert!(heard.together.is_some_and(|both| both.responses.count > 5));
        });
    }
}

/// The two speak in turn, for some four seconds each, over a faint noise.
fn talk(rate_hz: u32, side: usize) -> Vec<i16> {
    let prompt = Path::new(env!("CARGO_MANIFEST_DIR")).join("dialplans/prompts/zh-CN");
    let prompt = prompt.join(["msg.invite.wav", "hold.lookup.wav"][side]);
    let (voice, voice_hz) = wav::read_mono(File::open(prompt).expect("a prompt")).expect("a WAV file");
    let (turn, ours) = (rate_hz as usize * 4, |n: usize| n / (rate_hz as usize * 4) % 2 == side);
    let said = |n: usize| voice.get((n % turn) * voice_hz as usize / rate_hz as usize).copied().unwrap_or(0);
    let mut noise = 1_u32;
    (0..rate_hz as usize * SECONDS)
        .map(|n| {
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let faint = (noise >> 27) as i16 - 16;
            if ours(n) { said(n).saturating_add(faint) } else { faint }
        })
        .collect()
}
