//! `[silent]`, `[noise]`, `[low_volume]`, `[hold]`, `[length]`, `[closing]`, and the desks of `[nuisance]`, `[wrong_number]` and `[emergency]` as written.

use std::time::Duration;

use super::courtesies::{self, Courtesies};
use super::one_of;
use crate::dialplan::scripts::{By, Length, Park};
use crate::written::{At, Table};

/// 0 dBm0, the level of a sine, over full scale (ITU-T G.100.1), in dB.
const DBM0_DBOV: f64 = -6.15;

#[derive(Debug)]
pub(in crate::dialplan) struct Scripts {
    pub(in crate::dialplan) silent: Option<Silent>,
    pub(in crate::dialplan) noise: Option<Noise>,
    pub(in crate::dialplan) low: Option<Low>,
    pub(in crate::dialplan) hold: Option<Hold>,
    pub(in crate::dialplan) length: Option<Length>,
    pub(in crate::dialplan) closing: bool,
    pub(in crate::dialplan) desks: Vec<Desk>,
    pub(in crate::dialplan) park_after: Duration,
    pub(in crate::dialplan) courtesies: Courtesies,
}

#[derive(Debug)]
pub(in crate::dialplan) struct Silent {
    pub(in crate::dialplan) by: By,
    pub(in crate::dialplan) wait: Duration,
    pub(in crate::dialplan) asks: Vec<At<String>>,
    pub(in crate::dialplan) farewell: Option<At<String>>,
    pub(in crate::dialplan) last: Duration,
    pub(in crate::dialplan) no_media: Option<At<String>>,
}

#[derive(Debug)]
pub(in crate::dialplan) struct Noise {
    pub(in crate::dialplan) by: By,
    pub(in crate::dialplan) floor_dbov: f64,
    pub(in crate::dialplan) snr_db: f64,
    pub(in crate::dialplan) after: Duration,
    pub(in crate::dialplan) ask: Option<At<String>>,
    pub(in crate::dialplan) patience: Duration,
    pub(in crate::dialplan) farewell: Option<At<String>>,
    pub(in crate::dialplan) last: Duration,
}

#[derive(Debug)]
pub(in crate::dialplan) struct Low {
    pub(in crate::dialplan) by: By,
    pub(in crate::dialplan) level_dbov: f64,
    pub(in crate::dialplan) asks: Vec<At<String>>,
    pub(in crate::dialplan) farewell: Option<At<String>>,
    pub(in crate::dialplan) last: Duration,
}

#[derive(Debug)]
pub(in crate::dialplan) struct Hold {
    pub(in crate::dialplan) comfort: Option<At<String>>,
    pub(in crate::dialplan) every: Duration,
    pub(in crate::dialplan) cues: Vec<Duration>,
    pub(in crate::dialplan) ring: Option<Duration>,
    pub(in crate::dialplan) back: Option<At<String>>,
    pub(in crate::dialplan) back_cue: bool,
}

#[derive(Debug)]
pub(in crate::dialplan) struct Desk {
    /// Of [`DESKS`].
    pub(in crate::dialplan) section: &'static str,
    pub(in crate::dialplan) key: char,
    pub(in crate::dialplan) then: Option<At<String>>,
}

pub(super) fn read(root: &mut Table<'_>) -> Scripts {
    let mut closing = root.section("closing");
    let scripts = Scripts {
        silent: silent(root.section("silent")),
        noise: noise(root.section("noise")),
        low: low(root.section("low_volume")),
        hold: hold(root.section("hold")),
        length: length(root.section("length")),
        closing: closing.boolean("measure").is_some_and(|at| at.value),
        desks: DESKS.iter().filter_map(|(section, usual)| desk(root.section(section), section, *usual)).collect(),
        park_after: seconds(&mut root.section("park"), "after_s", 10, Park::AFTER_S),
        courtesies: courtesies::read(root, &mut closing),
    };
    for (place, desk) in scripts.desks.iter().enumerate() {
        if let Some(other) = scripts.desks.iter().take(place).find(|other| other.key == desk.key) {
            let line = desk.then.as_ref().map_or(1, |then| then.line);
            let what = format!("{}.key is {}.key too", desk.section, other.section);
            root.fault(line, what, "give each a key of its own");
        }
    }
    let desks = scripts.desks.iter().map(|desk| (desk.section, desk.key));
    let courtesies = scripts.courtesies.keys();
    for (place, (section, key)) in courtesies.iter().enumerate() {
        let before = courtesies.iter().take(place).map(|(other, key)| (*other, key.value));
        if let Some((other, _)) = desks.clone().chain(before).find(|(_, other)| *other == key.value) {
            let what = format!("a key of [{section}] is *{}, and so is one of [{other}]", key.value);
            root.fault(key.line, what, "give each a key of its own");
        }
    }
    scripts
}

fn silent(mut table: Table<'_>) -> Option<Silent> {
    let present = table.is_present();
    let silent = Silent {
        by: by(&mut table, "by"),
        wait: seconds(&mut table, "wait_s", 2, 5),
        asks: asks(&mut table, present),
        farewell: farewell(&mut table, present),
        last: seconds(&mut table, "last_s", 1, 5),
        no_media: table.string("no_media"),
    };
    present.then_some(silent)
}

fn noise(mut table: Table<'_>) -> Option<Noise> {
    let present = table.is_present();
    let noise = Noise {
        by: by(&mut table, "by"),
        floor_dbov: dbov(&mut table, "above_minus_dbm0", 34),
        snr_db: f64::from(table.integer("snr_db", 3..=30).map_or(10, |at| at.value)),
        after: seconds(&mut table, "after_s", 2, 5),
        ask: table.string("ask"),
        patience: seconds(&mut table, "patience_s", 2, 10),
        farewell: farewell(&mut table, present),
        last: seconds(&mut table, "last_s", 1, 5),
    };
    present.then_some(noise)
}

fn low(mut table: Table<'_>) -> Option<Low> {
    let present = table.is_present();
    let low = Low {
        by: by(&mut table, "by"),
        level_dbov: dbov(&mut table, "below_minus_dbm0", 35),
        asks: asks(&mut table, present),
        farewell: farewell(&mut table, present),
        last: seconds(&mut table, "last_s", 1, 5),
    };
    present.then_some(low)
}

fn hold(mut table: Table<'_>) -> Option<Hold> {
    let mut after = |key, usual| {
        let s = table.integer(key, 0..=3_600).map_or(usual, |at| at.value);
        (s > 0).then(|| Duration::from_secs(s.into()))
    };
    let mut cues: Vec<Duration> = [after("cue_s", 60), after("cue_again_s", 120)].into_iter().flatten().collect();
    cues.sort_unstable();
    let ring = after("ring_s", 180);
    let hold = Hold {
        comfort: table.string("comfort"),
        every: seconds(&mut table, "every_s", 5, 30),
        cues,
        ring,
        back: table.string("back"),
        back_cue: table.boolean("back_cue").is_some_and(|at| at.value),
    };
    table.is_present().then_some(hold)
}

fn length(mut table: Table<'_>) -> Option<Length> {
    let near = seconds(&mut table, "cue_s", 1, 150);
    let at = seconds(&mut table, "mark_s", 1, 180);
    if near >= at {
        table.fault(table.line(), "length.cue_s is not before length.mark_s", "write cue_s = 150 and mark_s = 180");
    }
    table.is_present().then_some(Length { near, at })
}

/// The section of each desk, and its key.
const DESKS: [(&str, char); 3] = [("nuisance", '7'), ("wrong_number", '9'), ("emergency", '1')];

fn desk(mut table: Table<'_>, section: &'static str, usual: char) -> Option<Desk> {
    let present = table.is_present();
    let key = match table.string("key") {
        None => usual,
        Some(written) => match written.value.as_bytes() {
            // *5 pauses the recording, *6 keeps the agent's voice from the caller.
            [b'*', digit @ (b'0'..=b'4' | b'7'..=b'9')] => char::from(*digit),
            _ => {
                let what = format!("{} \"{}\" is no code for a talk", table.path("key"), written.value);
                table.fault(written.line, what, "write \"*\" and a digit that is neither 5 nor 6");
                usual
            }
        },
    };
    let then = if present { table.required_string("then") } else { table.string("then") };
    present.then_some(Desk { section, key, then })
}

/// Who speaks, by this key.
pub(super) fn by(table: &mut Table<'_>, key: &'static str) -> By {
    one_of(table, key, &[("gateway", By::Gateway), ("agent", By::Agent)], &[], "").unwrap_or(By::Gateway)
}

/// At least one text.
fn asks(table: &mut Table<'_>, present: bool) -> Vec<At<String>> {
    let asks = if present { table.required_strings("ask") } else { table.strings("ask") };
    if let Some(asks) = asks.as_ref().filter(|asks| asks.value.is_empty() || asks.value.len() > 9) {
        table.fault(asks.line, format!("{} has no text, or more than nine", table.path("ask")), "write one or two");
    }
    asks.map_or_else(Vec::new, |at| at.value)
}

fn farewell(table: &mut Table<'_>, present: bool) -> Option<At<String>> {
    if present { table.required_string("farewell") } else { table.string("farewell") }
}

fn seconds(table: &mut Table<'_>, key: &'static str, least: u32, usual: u32) -> Duration {
    Duration::from_secs(table.integer(key, least..=3_600).map_or(usual, |at| at.value).into())
}

/// A level that is written as dB below 0 dBm0.
fn dbov(table: &mut Table<'_>, key: &'static str, usual: u32) -> f64 {
    DBM0_DBOV - f64::from(table.integer(key, 10..=50).map_or(usual, |at| at.value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::written::Document;

    fn parse(text: &str) -> (Scripts, Vec<String>) {
        let document = Document::parse("p", text);
        let scripts = read(&mut document.root());
        (scripts, document.into_faults().iter().map(ToString::to_string).collect())
    }

    #[test]
    fn all_is_off_unless_it_is_written() {
        let (scripts, faults) = parse("");
        assert_eq!(faults, [""; 0]);
        assert!(scripts.silent.is_none() && scripts.noise.is_none() && scripts.low.is_none());
        assert!(scripts.hold.is_none() && scripts.length.is_none() && !scripts.closing && scripts.desks.is_empty());
    }

    #[test]
    fn numbers_of_the_rule_books_are_the_defaults() {
        let (scripts, faults) =
            parse("[silent]\nask = [\"a\"]\nfarewell = \"b\"\n[noise]\nfarewell = \"b\"\n[hold]\n[length]\n");
        assert_eq!(faults, [""; 0]);
        let s = Duration::from_secs;
        let (silent, noise) = (scripts.silent.unwrap(), scripts.noise.unwrap());
        assert_eq!((silent.by, silent.wait, silent.last), (By::Gateway, s(5), s(5)));
        assert_eq!((noise.patience, noise.last, noise.floor_dbov), (s(10), s(5), -40.15));
        let hold = scripts.hold.unwrap();
        assert_eq!((hold.cues, hold.ring), (vec![s(60), s(120)], Some(s(180))));
        assert_eq!(scripts.length, Some(Length { near: s(150), at: s(180) }));
    }

    #[test]
    fn what_cannot_be_is_told() {
        for (wrong, told) in [
            ("[silent]\n", "has no \"ask\""),
            ("[silent]\nask = []\nfarewell = \"b\"\n", "is empty"),
            ("[low_volume]\nask = [\"a\"]\n", "farewell"),
            ("[length]\ncue_s = 200\n", "not before"),
            ("[nuisance]\nkey = \"*6\"\nthen = \"x\"\n", "no code"),
            ("[nuisance]\nthen = \"x\"\n[wrong_number]\nkey = \"*7\"\nthen = \"x\"\n", "too"),
            ("[silent]\nask = [\"a\"]\nfarewell = \"b\"\nby = \"nobody\"\n", "not known"),
        ] {
            let (_, faults) = parse(wrong);
            assert!(faults.iter().any(|fault| fault.contains(told)), "{wrong}: {faults:?}");
        }
    }
}
