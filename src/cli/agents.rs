//! `hotline agents`: who is there for callers, and what their phones are doing; read beside a running server.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;

use super::reading::{ReadingError, Style, json_line};
use crate::call::agent;
use crate::call::presence::{self, PhoneDoes, Presence, Shown};
use crate::cdr::Fold;
use crate::clock::{Now, Wall};
use crate::config::Loaded;
use crate::ids::{AgentNo, CallId};
use crate::store::Reader;

/// Every agent of the configuration, by number. `reader`: `None` before the first start.
pub(super) fn agents(
    loaded: &Loaded,
    reader: Option<&Reader>,
    now: Now,
    style: Style,
    out: &mut dyn Write,
) -> Result<(), ReadingError> {
    let known = reader.map(|reader| Known::read(reader, now)).transpose()?.unwrap_or_default();
    let rules = agent::rules(&loaded.plans);
    let mut rows: Vec<(Shown, &str)> = Vec::new();
    for settings in &loaded.config.agents {
        let rules = rules.get(&settings.number).cloned().unwrap_or_default();
        rows.push((known.shown(&settings.number, &rules), &settings.name));
    }
    rows.sort_by(|a, b| a.0.agent.cmp(&b.0.agent));
    match style {
        Style::Json => rows.iter().try_for_each(|(shown, _)| json_line(shown, out)),
        Style::Text => {
            writeln!(
                out,
                "{:<8} {:<10} {:<8} {:<12} {:<24} name",
                "agent", "presence", "phone", "reason", "until (UTC)"
            )?;
            for (row, name) in &rows {
                let missing = row.misses_shift.as_ref().map(|begins| format!("  MISSES SHIFT of {begins}"));
                let phone = if row.reachable == Some(false) { "none" } else { row.phone.word() };
                let (reason, until) = (row.reason.as_deref().unwrap_or("-"), row.until.as_deref().unwrap_or("-"));
                let (agent, presence) = (row.agent.as_str(), row.presence.word());
                writeln!(
                    out,
                    "{agent:<8} {presence:<10} {phone:<8} {reason:<12} {until:<24} {name}{}",
                    missing.unwrap_or_default()
                )?;
            }
            Ok(())
        }
    }
}

/// What the ledger knows.
#[derive(Default)]
struct Known {
    presences: BTreeMap<AgentNo, (Presence, String)>,
    unreachable: BTreeSet<AgentNo>,
    heard_of: BTreeSet<AgentNo>,
    phones: BTreeMap<AgentNo, (PhoneDoes, CallId)>,
    missed: BTreeMap<AgentNo, Wall>,
}

impl Known {
    fn read(reader: &Reader, now: Now) -> Result<Known, ReadingError> {
        let run = reader.last_run()?;
        let mut known = Known::default();
        for fact in reader.presences()? {
            let since = Wall::from_micros(fact.at.wall_us).to_string();
            let presence = fact.what.presence(now).map(|presence| (presence, since));
            known.presences.extend(presence.map(|presence| (fact.agent, presence)));
        }
        for fact in reader.missed_shifts()?.into_iter().filter(|fact| Some(fact.at.run) == run) {
            if let presence::What::MissesShift { begins_us, .. } = fact.what {
                known.missed.insert(fact.agent, Wall::from_micros(begins_us));
            }
        }
        for fact in reader.reachability()?.into_iter().filter(|fact| Some(fact.at.run) == run) {
            known.heard_of.insert(fact.agent.clone());
            if fact.what == presence::What::Unreachable {
                known.unreachable.insert(fact.agent);
            }
        }
        for facts in reader.live_facts()? {
            // What an earlier run left open is nobody's call.
            let Some((first, rest)) = facts.split_first().filter(|(first, _)| Some(first.at.run) == run) else {
                continue;
            };
            let Some(mut fold) = Fold::begin(first) else { continue };
            rest.iter().for_each(|fact| fold.push(fact));
            let ringing = fold.ringing_agents().map(|agent| (agent.clone(), PhoneDoes::Ringing));
            let talking = fold.talking_agent().into_iter().chain(fold.calling_agent());
            let talking = talking.map(|agent| (agent.clone(), PhoneDoes::Talking));
            known.phones.extend(ringing.chain(talking).map(|(agent, does)| (agent, (does, first.call))));
        }
        Ok(known)
    }

    fn shown(&self, agent: &AgentNo, rules: &presence::Rules) -> Shown {
        let (presence, since) = match self.presences.get(agent) {
            // Nobody asks for a login any more.
            Some((Presence::LoggedOut, _)) | None if !rules.login => (Presence::Ready, None),
            Some((presence, since)) => (presence.clone(), Some(since.clone())),
            None => (rules.start(), None),
        };
        let (phone, call) = self.phones.get(agent).map_or((PhoneDoes::Free, None), |(does, call)| (*does, Some(*call)));
        let reachable = self.heard_of.contains(agent).then(|| !self.unreachable.contains(agent));
        let shown = Shown::new(agent.clone(), &presence, since, (phone, call), reachable);
        // Who logged out again since is missed no more.
        let missed = self.missed.get(agent).filter(|_| presence.misses_shifts()).copied();
        let said_since = |begins: &Wall| shown.since.as_ref().is_none_or(|since| *since <= begins.to_string());
        let missed = missed.filter(said_since);
        shown.missing(missed)
    }
}

impl PhoneDoes {
    fn word(self) -> &'static str {
        match self {
            PhoneDoes::Free => "free",
            PhoneDoes::Ringing => "ringing",
            PhoneDoes::Talking => "talking",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::presence::{AgentFact, By, Kind, What};
    use crate::clock::{Instant, RunId, Stamp, Wall};
    use crate::store::{SubjectKey, Writer};

    fn fact(n: u32, run: RunId, agent: &str, what: What) -> AgentFact {
        let at = Stamp { run, mono_ns: n.into(), wall_us: 1_795_226_400_000_000 };
        AgentFact { agent: agent.into(), n, at, what }
    }

    #[test]
    fn the_last_word_of_each_agent_and_the_phones_of_live_calls() {
        let data = tempfile::tempdir().unwrap();
        let mut writer = Writer::open(data.path(), SubjectKey::new([0; 32])).unwrap();
        let run = writer.begin_run(Wall::from_micros(0)).unwrap();
        let until_us = Some(1_795_226_400_000_000 + 60_000_000);
        let facts = [
            fact(0, run, "8", What::LoggedIn { by: By::Phone }),
            fact(1, run, "8", What::Paused { reason: Some("lunch".into()), until_us, by: By::Phone }),
            fact(2, run, "9", What::Ready { by: By::Api }),
            fact(3, run, "9", What::Unreachable),
        ];
        // Given twice, as after a commit whose answer was lost.
        writer.append_agents(&facts).unwrap();
        writer.append_agents(&facts).unwrap();
        let call = crate::ledger::story::Story::talking(1).facts();
        writer.append(&call, &[]).unwrap();
        let reader = Reader::open(data.path()).unwrap();
        let at = |s: i64| Now { mono: Instant::START, wall: Wall::from_micros(1_795_226_400_000_000 + s * 1_000_000) };
        let known = Known::read(&reader, at(10)).unwrap();
        let login = presence::Rules { login: true, ..presence::Rules::default() };
        let eight = known.shown(&"8".into(), &login);
        assert_eq!((eight.presence, eight.reason.as_deref()), (Kind::Paused, Some("lunch")));
        assert_eq!(eight.until.as_deref(), Some("2026-11-21T02:01:00.000Z"));
        assert_eq!((eight.phone, eight.call), (PhoneDoes::Talking, Some(call[0].call)));
        let nine = known.shown(&"9".into(), &login);
        assert_eq!((nine.presence, nine.phone, nine.reachable), (Kind::Ready, PhoneDoes::Free, Some(false)));
        assert_eq!(known.shown(&"7".into(), &login).presence, Kind::LoggedOut);
        assert_eq!(known.shown(&"7".into(), &presence::Rules::default()).presence, Kind::Ready);
        assert_eq!(Known::read(&reader, at(61)).unwrap().shown(&"8".into(), &login).presence, Kind::Away);
    }
}
