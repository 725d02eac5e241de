//! `hotline analyze FILE.wav`: what can be heard in it.

use std::fs::File;
use std::io::{self, BufReader, Write};
use std::path::Path;

use serde_json::{Value, json};

use super::Failure;
use super::reading::Style;
use crate::ids::Side;
use crate::media::sound_file::{SoundError, SoundFile};
use crate::quality::speech::{Cause, Ear, Heard, LONGEST_S, Listening, Quiet, Scene, SideFigures, Span, listen};

/// What a user has to know of the right channel.
const MIXED: &str = "the right channel of a recording of hotline is mixed: the agent and what was played to the caller; \
                     `hotline call` leaves out the times of prompts";

pub(super) fn run(path: &Path, file: File, style: Style, out: &mut dyn Write) -> Result<(), Failure> {
    let failed = |error: SoundError| Failure::Failed(anyhow::anyhow!("{} {error}", path.display()));
    let mut sound = SoundFile::open(BufReader::new(file)).map_err(failed)?;
    let (left, right) = hear(&mut sound).map_err(|error| failed(error.into()))?;
    let listening = listen(&left, right.as_ref(), &Scene::default());
    let keys = [Some(&left), right.as_ref()].map(|heard| heard.map(Heard::keys));
    match style {
        Style::Json => {
            let line = json!({
                "kind": "sound", "rate_hz": sound.rate_hz(), "channels": sound.channels(),
                "encoding": sound.encoding().as_str(), "truncated": sound.is_cut(), "keys": keys,
                "note": right.as_ref().map(|_| MIXED),
            });
            writeln!(out, "{}", joined(line, &listening)?)?;
        }
        Style::Text => {
            let seconds = listening.length_ms as f64 / 1e3;
            let Some(kind) = sound.channels().checked_sub(1).map(|n| ["mono", "stereo"][n.min(1)]) else {
                return Ok(());
            };
            writeln!(out, "{seconds:.1} s, {} Hz, {kind}, {}", sound.rate_hz(), sound.encoding().as_str())?;
            text(&listening, out)?;
            for (side, keys) in ["left", "right"].iter().zip(keys) {
                let keys: String = keys.unwrap_or_default().iter().map(|key| key.key).collect();
                if !keys.is_empty() {
                    writeln!(out, "keys that sound in the {side} channel: {keys}")?;
                }
            }
            if right.is_some() {
                writeln!(out, "note: {MIXED}")?;
            }
            if sound.is_cut() {
                writeln!(out, "note: the file is shorter than its header says")?;
            }
        }
    }
    if listening.length_ms >= LONGEST_S * 1_000 {
        writeln!(out, "note: only the first {} h were heard", LONGEST_S / 3_600)?;
    }
    Ok(())
}

fn hear(sound: &mut SoundFile<BufReader<File>>) -> io::Result<(Heard, Option<Heard>)> {
    let mut ears = [Ear::new(sound.rate_hz()), Ear::new(sound.rate_hz())];
    let (mut left, mut right) = (Vec::new(), Vec::new());
    loop {
        sound.read(&mut left, &mut right)?;
        if left.is_empty() {
            break;
        }
        ears[0].hear(&left);
        ears[1].hear(&right);
    }
    let [left, right] = ears.map(Ear::finish);
    Ok((left, (sound.channels() == 2).then_some(right)))
}

fn joined(mut line: Value, listening: &Listening) -> Result<Value, Failure> {
    let figures = serde_json::to_value(listening).map_err(|error| Failure::Failed(error.into()))?;
    if let (Value::Object(line), Value::Object(figures)) = (&mut line, figures) {
        line.extend(figures);
    }
    Ok(line)
}

/// The figures as a table; the left column is the caller.
pub(super) fn text(listening: &Listening, out: &mut dyn Write) -> io::Result<()> {
    let sides = [Some(&listening.caller), listening.agent.as_ref()];
    if listening.agent.is_some() {
        writeln!(out, "  {:26} {:>16} {:>16}", "", "left (caller)", "right (agent)")?;
    }
    type Cell = fn(&SideFigures) -> String;
    let rows: [(&str, Cell); 12] = [
        ("speech s", |side| seconds(side.speech_ms)),
        ("active level dBov (P.56)", |side| number(side.level_dbov)),
        ("speech less noise dBov", |side| number(side.speech_dbov)),
        ("noise dBov", |side| number(side.noise_dbov)),
        ("SNR dB", |side| number(side.snr_db)),
        ("peak dBov", |side| number(side.peak_dbov)),
        ("clipped samples", |side| side.clipped.to_string()),
        ("syllables/min (estimate)", |side| side.syllables_per_min.map_or_else(dash, |n| n.to_string())),
        ("longest silence s", |side| side.longest_silence.as_ref().map_or_else(dash, at)),
        ("digital silence s", |side| seconds(side.digital_silence_ms)),
        ("music s, tones s", |side| format!("{}, {}", seconds(side.music_ms), seconds(side.tones_ms))),
        ("keys in the voice", |side| side.keys.len().to_string()),
    ];
    for (name, cell) in rows {
        let cells: String = sides.iter().flatten().map(|side| format!(" {:>16}", cell(side))).collect();
        writeln!(out, "  {name:26}{cells}")?;
    }
    let Some(together) = &listening.together else { return Ok(()) };
    let ratio = together.talk_ratio.map_or_else(dash, |share| format!("{:.0} %", share * 100.0));
    writeln!(out, "  agent's share of speech {ratio}, both at once {} s", seconds(together.double_talk_ms))?;
    let response = &together.responses;
    if let (Some(median), Some(longest)) = (response.median_ms, response.longest_ms) {
        let (median, longest) = (seconds(median), seconds(longest));
        writeln!(out, "  agent answers after {median} s (median of {}), at most {longest} s", response.count)?;
    }
    for cut in &together.cut_in {
        let (who, whom) = match cut.by {
            Side::Agent => ("agent", "caller"),
            Side::Caller => ("caller", "agent"),
        };
        writeln!(out, "  at {} s the {who} cut in on the {whom} ({} ms)", seconds(cut.at_ms), cut.overlap_ms)?;
    }
    together.silences.iter().try_for_each(|quiet| silence(quiet, out))?;
    if let Some(slam) = &together.slam {
        writeln!(out, "  at {} s a bang of {} dBov on the agent's side", seconds(slam.at_ms), slam.peak_dbov)?;
    }
    Ok(())
}

fn silence(quiet: &Quiet, out: &mut dyn Write) -> io::Result<()> {
    if quiet.is_paused() {
        return writeln!(out, "  the recording was paused {}", at(&quiet.span));
    }
    let [caller, agent] = [quiet.caller, quiet.agent].map(word);
    let hold = if quiet.hold { ", on hold" } else { "" };
    writeln!(out, "  nobody speaks {} (caller: {caller}, agent: {agent}{hold})", at(&quiet.span))
}

fn word(cause: Cause) -> &'static str {
    match cause {
        Cause::Paused => "paused",
        Cause::NoPackets => "no packets",
        Cause::ComfortNoise => "comfort noise",
        Cause::DigitalSilence => "digital silence",
        Cause::Music => "music",
        Cause::Tone => "tone",
        Cause::Quiet => "quiet",
    }
}

fn at(span: &Span) -> String {
    format!("{} at {}", seconds(span.ms()), seconds(span.from_ms))
}

fn seconds(ms: u64) -> String {
    format!("{:.1}", ms as f64 / 1e3)
}

fn number(value: Option<f64>) -> String {
    value.map_or_else(dash, |value| format!("{value:.1}"))
}

fn dash() -> String {
    "-".to_owned()
}
