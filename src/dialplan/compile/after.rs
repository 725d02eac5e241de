//! What comes after a call, its texts said and its codes told apart.

use std::collections::BTreeMap;

use super::speaker::Speaker;
use crate::dialplan::after::{After, Survey};
use crate::dialplan::outbound::Outbound;
use crate::dialplan::schema::{self, after as written};
use crate::written::At;

pub(super) fn compile(file: &schema::Written, speaker: &mut Speaker<'_, '_>) -> After {
    let survey = file.survey.as_ref().map(|survey| {
        for desk in file.scripts.desks.iter().filter(|desk| desk.key == survey.key.value) {
            let what = format!("survey.key is {}.key too", desk.section);
            speaker.document.fault(survey.key.line, what, "give each a key of its own");
        }
        said(survey, speaker)
    });
    let outbound = file.outbound.as_ref().map(|written| outbound(written, file, speaker));
    After { callback: file.callback.clone(), outbound, survey, classes: classes(&file.classes), quota: file.quota }
}

/// Whoever serves the hotline, or those of them who are named.
fn outbound(written: &schema::outbound::Outbound, file: &schema::Written, speaker: &Speaker<'_, '_>) -> Outbound {
    let everybody = schema::everybody(file);
    for stranger in written.agents.iter().filter(|agent| !everybody.iter().any(|own| own.value == agent.value)) {
        let what = format!("outbound.agents: {} does not serve this hotline", stranger.value);
        speaker.document.fault(stranger.line, what, "name agents whom this dialplan rings, or leave the key out");
    }
    let named = if written.agents.is_empty() { everybody } else { written.agents.iter().collect() };
    Outbound {
        agents: named.into_iter().map(|agent| agent.value.as_str().into()).collect(),
        prefixes: written.prefixes.clone(),
        quota: written.quota,
        abroad: written.abroad,
    }
}

/// A question without its recording has its fault; nobody runs the plan then.
fn said(survey: &written::Survey, speaker: &mut Speaker<'_, '_>) -> Survey {
    let mut one = |text: &At<String>| speaker.one("survey.questions", text);
    let questions = survey.questions.iter().filter_map(&mut one).collect();
    let thanks = survey.thanks.as_ref().and_then(|text| speaker.one("survey.thanks", text));
    Survey { questions, thanks, wait: survey.wait, tries: survey.tries, key: survey.key.value }
}

pub(super) fn classes(written: &BTreeMap<char, At<String>>) -> BTreeMap<char, String> {
    written.iter().map(|(key, class)| (*key, class.value.clone())).collect()
}
