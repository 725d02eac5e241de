//! Recordings of calls that never were: a few takes made of the built-in voices, each the recording of many calls by a hard link.

use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use sha2::{Digest as _, Sha256};

use crate::ids::{CallId, Random};
use crate::media::record::peaks::Peaks;
use crate::media::wav;
use crate::sim::live::voice;

const RATE_HZ: u32 = 8_000;
const TAKES: usize = 8;

pub(super) struct Take {
    pub(super) duration_ms: u64,
    /// Of the file, in lower-case hex.
    pub(super) sha256: String,
    file: Vec<u8>,
    peaks: Vec<u8>,
}

pub(super) struct Takes(Vec<Take>);

impl Takes {
    pub(super) fn make(random: &mut Random) -> Takes {
        let caller = voice(include_bytes!("../../sim/voices/caller.wav"));
        let agent = voice(include_bytes!("../../sim/voices/agent.wav"));
        Takes((0..TAKES).filter_map(|_| take(random, &caller, &agent)).collect())
    }

    /// The take of a call: by its id, so always the same.
    pub(super) fn of(&self, call: CallId) -> &Take {
        &self.0[usize::from(call.0.as_bytes()[15]) % self.0.len()]
    }

    pub(super) fn lay_out(&self, data: &Path) -> Files {
        Files { data: data.to_owned(), first: Vec::new() }
    }
}

/// The two take turns; the caller begins, after the greeting.
fn take(random: &mut Random, caller: &[i16], agent: &[i16]) -> Option<Take> {
    let seconds = 32 + random.below(58);
    let frames = (seconds * RATE_HZ) as usize;
    let mut sound = vec![[0_i16; 2]; frames];
    let mut at = 0;
    let mut channel = 1;
    while at < frames {
        let voice = if channel == 0 { caller } else { agent };
        for (frame, sample) in sound.iter_mut().skip(at).zip(voice) {
            frame[channel] = *sample;
        }
        at += voice.len() + (RATE_HZ / 4 + random.below(RATE_HZ)) as usize;
        channel = 1 - channel;
    }
    let mut file = Cursor::new(Vec::new());
    let mut writer = wav::Writer::create(&mut file, RATE_HZ).ok()?;
    let mut peaks = Peaks::new(RATE_HZ);
    let interleaved: Vec<i16> = sound.iter().flatten().copied().collect();
    writer.frames(&interleaved).ok()?;
    writer.finish().ok()?;
    sound.into_iter().for_each(|frame| peaks.frame(frame));
    let file = file.into_inner();
    let sha256 = Sha256::digest(&file).iter().map(|octet| format!("{octet:02x}")).collect();
    Some(Take { duration_ms: u64::from(seconds) * 1_000, sha256, file, peaks: peaks.finish() })
}

/// Where each take lies already.
pub(super) struct Files {
    data: PathBuf,
    first: Vec<(String, PathBuf)>,
}

impl Files {
    /// The recording at this path of the data directory, and its waveform.
    pub(super) fn lay(&mut self, path: &Path, take: &Take) -> Result<()> {
        let path = self.data.join(path);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let there = self.first.iter().find(|(sha256, _)| *sha256 == take.sha256).map(|(_, path)| path.clone());
        match there {
            Some(first) => {
                link(&first, &path)?;
                link(&first.with_extension("peaks"), &path.with_extension("peaks"))?;
            }
            None => {
                fs::write(&path, &take.file).with_context(|| format!("cannot write {}", path.display()))?;
                fs::write(path.with_extension("peaks"), &take.peaks)?;
                self.first.push((take.sha256.clone(), path));
            }
        }
        Ok(())
    }
}

fn link(from: &Path, to: &Path) -> Result<()> {
    // A disk that has no links has room for copies, or the demo says so.
    if fs::hard_link(from, to).is_err() {
        fs::copy(from, to).with_context(|| format!("cannot write {}", to.display()))?;
    }
    Ok(())
}
