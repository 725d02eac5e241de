//! Recordings as they lie on a disk: plain, sealed and rolled, of the same sound.

use std::fs::{self, File};

use super::*;
use crate::clock::Wall;
use crate::io::recording::{Disk, Recording};
use crate::io::vault::MasterKey;
use crate::ledger::story::Story;
use crate::media::record::path;
use crate::media::{Block, wav};
use crate::quality::speech::Span;

/// The caller speaks from 1 s on, the agent from 8 s on, each as long as the prompt; 16 s in all.
fn talk() -> Vec<i16> {
    let mut frames = vec![0; 16 * 8_000 * 2];
    for (name, from_s, side) in [("msg.invite.wav", 1, 0), ("hold.lookup.wav", 8, 1)] {
        let prompt = Path::new(env!("CARGO_MANIFEST_DIR")).join("dialplans/prompts/zh-CN").join(name);
        let (samples, rate_hz) = wav::read_mono(File::open(prompt).unwrap()).unwrap();
        let step = rate_hz as usize / 8_000;
        for (n, sample) in samples.iter().step_by(step).enumerate() {
            frames[(from_s * 8_000 + n) * 2 + side] = *sample;
        }
    }
    frames
}

fn write(path: &Path, frames: &[i16]) {
    let mut writer = wav::Writer::create(File::create(path).unwrap(), 8_000).unwrap();
    writer.frames(frames).unwrap();
    writer.finish().unwrap();
}

#[test]
fn a_sealed_and_a_rolled_recording_sound_as_the_plain_one() {
    let folder = tempfile::tempdir().unwrap();
    let vault = Vault::new(folder.path(), &[MasterKey::new([5; 32])]);
    let scene = Scene { talks: vec![Span::new(0, 16_000)], ..Scene::default() };
    let call = Story::new(1).facts()[0].call;
    let first = folder.path().join(path::recording(Wall::from_micros(0), call));
    fs::create_dir_all(first.parent().unwrap()).unwrap();
    let frames = talk();

    write(&first, &frames);
    let plain = hear(std::slice::from_ref(&first), &vault, &scene).unwrap();
    assert_eq!(plain.length_ms, 16_000);
    let together = plain.together.as_ref().unwrap();
    assert!(together.caller_ms > 1_000 && together.agent_ms > 1_000 && together.responses.count == 1, "{together:?}");

    // Cut within what the agent says.
    let files = [first.clone(), path::numbered(&first, 2), path::numbered(&first, 3)];
    for (file, piece) in files.iter().zip([&frames[..40_002], &frames[40_002..137_770], &frames[137_770..]]) {
        write(file, piece);
    }
    assert_eq!(hear(&files, &vault, &scene).unwrap(), plain);
    assert!(hear(&[], &vault, &scene).is_err());
    fs::remove_file(&files[1]).unwrap();
    assert!(hear(&files, &vault, &scene).is_err(), "half a recording is none");

    fs::remove_file(&first).unwrap();
    let key = vault.fresh(call, &first).unwrap();
    let mut recording = Recording::begin(&Disk, call, &first, key);
    for (n, samples) in frames.chunks(3_200).enumerate() {
        let block = Block { call, first_frame: n as u64 * 1_600, rate_hz: 8_000, samples: samples.to_vec() };
        recording.block(&Disk, &block);
    }
    recording.end(16 * 8_000);
    assert!(!first.exists());
    assert_eq!(hear(std::slice::from_ref(&first), &vault, &scene).unwrap(), plain);
    assert!(hear(&[first], &Vault::new(folder.path(), &[]), &scene).is_err(), "without the key");
}
