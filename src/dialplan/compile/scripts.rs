//! What the gateway does in a talk: its texts said, its steps looked up.

use super::courtesies;
use super::speaker::Speaker;
use super::steps::Ways;
use crate::dialplan::courtesies::Sought;
use crate::dialplan::plan::{Next, Prompt};
use crate::dialplan::schema::courtesies::Courtesies;
use crate::dialplan::schema::scripts as written;
use crate::dialplan::scripts::{Desk, Desks, Hold, Low, Noise, Park, Scripts, Silent};
use crate::written::At;

impl Ways<'_> {
    /// A script whose texts have a fault is left out; nobody runs the plan then.
    pub(super) fn scripts(&self, file: &written::Scripts, speaker: &mut Speaker<'_, '_>) -> Scripts {
        Scripts {
            silent: file.silent.as_ref().and_then(|script| silent(script, speaker)),
            noise: file.noise.as_ref().and_then(|script| noise(script, speaker)),
            low: file.low.as_ref().and_then(|script| low(script, speaker)),
            hold: file.hold.as_ref().map(|script| hold(script, speaker)),
            length: file.length,
            closing: file.closing,
            desks: Desks { person_sought: self.messages(&file.courtesies), ..self.desks(&file.desks) },
            park: Park { after: file.park_after, slots: speaker.digits() },
            courtesies: courtesies::compile(&file.courtesies, speaker),
        }
    }

    fn desks(&self, written: &[written::Desk]) -> Desks {
        let one = |section| written.iter().find(|desk| desk.section == section).map(|desk| self.desk(desk));
        let (nuisance, wrong_number, emergency) = (one("nuisance"), one("wrong_number"), one("emergency"));
        Desks { nuisance, wrong_number, emergency, person_sought: None }
    }

    /// Where a caller goes who asked for somebody and may leave a message.
    fn messages(&self, written: &Courtesies) -> Option<Desk> {
        let sought = written.sought.as_ref().filter(|sought| sought.policy == Sought::Message)?;
        let desk = written::Desk { section: "person_sought", key: sought.key.value, then: sought.then.clone() };
        Some(self.desk(&desk))
    }

    fn desk(&self, desk: &written::Desk) -> Desk {
        let key = format!("{}.then", desk.section);
        let then = self.next(&key, desk.then.as_ref(), Next::HangUp);
        if let (Some(written), Next::Agents) = (&desk.then, &then) {
            self.document.fault(written.line, format!("{key} leads back to the agents"), "lead to a step");
        }
        Desk { key: desk.key, then }
    }
}

fn silent(file: &written::Silent, speaker: &mut Speaker<'_, '_>) -> Option<Silent> {
    let asks = said(speaker, "silent.ask", &file.asks);
    let farewell = file.farewell.as_ref().and_then(|text| speaker.one("silent.farewell", text));
    let no_media = file.no_media.as_ref().and_then(|text| speaker.one("silent.no_media", text));
    Some(Silent { by: file.by, wait: file.wait, asks, farewell: farewell?, last: file.last, no_media })
}

fn noise(file: &written::Noise, speaker: &mut Speaker<'_, '_>) -> Option<Noise> {
    let ask = file.ask.as_ref().and_then(|text| speaker.one("noise.ask", text));
    let farewell = file.farewell.as_ref().and_then(|text| speaker.one("noise.farewell", text));
    Some(Noise {
        by: file.by,
        floor_dbov: file.floor_dbov,
        snr_db: file.snr_db,
        after: file.after,
        ask,
        patience: file.patience,
        farewell: farewell?,
        last: file.last,
    })
}

fn low(file: &written::Low, speaker: &mut Speaker<'_, '_>) -> Option<Low> {
    let asks = said(speaker, "low_volume.ask", &file.asks);
    let farewell = file.farewell.as_ref().and_then(|text| speaker.one("low_volume.farewell", text));
    Some(Low { by: file.by, level_dbov: file.level_dbov, asks, farewell: farewell?, last: file.last })
}

fn hold(file: &written::Hold, speaker: &mut Speaker<'_, '_>) -> Hold {
    Hold {
        comfort: file.comfort.as_ref().and_then(|text| speaker.one("hold.comfort", text)),
        every: file.every,
        cues: file.cues.clone(),
        ring: file.ring,
        back: file.back.as_ref().and_then(|text| speaker.one("hold.back", text)),
        back_cue: file.back_cue,
    }
}

fn said(speaker: &mut Speaker<'_, '_>, key: &str, texts: &[At<String>]) -> Vec<Prompt> {
    texts.iter().filter_map(|text| speaker.one(key, text)).collect()
}
