//! `hotline route-test`: what would happen to a call, in words.

use std::io::{self, Write};

use crate::clock::Wall;
use crate::config::Loaded;
use crate::dialplan::plan::{self, Hotline, Next, Ringback, Strategy};
use crate::dialplan::reception::Shut;

mod outside;
mod steps;

use steps::{Words, step};

pub(super) fn explain(
    loaded: &Loaded,
    to: &str,
    from: Option<&str>,
    (at, now): (Option<Wall>, Wall),
    out: &mut dyn Write,
) -> io::Result<()> {
    let instant = at.unwrap_or(now);
    let calling = from;
    let from = from.map_or_else(String::new, |from| format!(" from {from}"));
    let at = at.map_or_else(String::new, |at| format!(" at {at}"));
    let owned = loaded.plans.by_number.get(to);
    if owned.is_none() && outside::explain(loaded, to, calling, out)? {
        return Ok(());
    }
    let Some(hotline) = owned else {
        writeln!(out, "A call to {to}{from}{at}: no dialplan owns this number.")?;
        writeln!(
            out,
            "  The trunk gets 404 Not Found; no call is recorded, it is counted as rejected (unknown_number)."
        )?;
        let known: Vec<&str> = loaded.plans.by_number.keys().map(String::as_str).collect();
        return writeln!(out, "  Numbers that are owned: {}", known.join(", "));
    };
    writeln!(out, "A call to {to}{from}{at} belongs to the hotline \"{}\" ({}).", hotline.id, hotline.org)?;
    let words = Words { loaded, hotline };
    reception(&words, instant, out)?;
    ringing(hotline, out)?;
    agents(&words, &hotline.agents, "  ", out)?;
    writeln!(out, "  With nobody left: {}.", words.way(&hotline.agents.nobody, hotline.agents.ring))?;
    if let Some(queue) = &hotline.agents.queue {
        steps::queue(&words, queue, out)?;
    }
    for one in &hotline.steps {
        step(&words, one, out)?;
    }
    greeting(hotline, out)
}

/// Whether the hotline takes the call, and where it begins.
fn reception(words: &Words<'_>, at: Wall, out: &mut dyn Write) -> io::Result<()> {
    let (hotline, reception) = (words.hotline, &words.hotline.reception);
    if let Some(calendar) = reception.uncovered(at) {
        writeln!(
            out,
            "  The calendar \"{calendar}\" tells nothing of that year: no day of it is known to be a holiday."
        )?;
    }
    if let Some((hours, (date, minute))) = reception.hours.as_ref().and_then(|hours| Some((hours, hours.local(at)?))) {
        let (hour, minute) = (minute / 60, minute % 60);
        let zone = &hotline.time_zone;
        writeln!(out, "  In {zone} it is {date} {hour:02}:{minute:02}; the hours are {}.", hours.week(date))?;
        if hours.guessed(at).is_some() {
            writeln!(out, "  The holidays of that year are a guess: nothing had been published.")?;
        }
    }
    let ring = hotline.agents.ring;
    match reception.shut(at) {
        None if hotline.start == Next::Agents => writeln!(out, "  It is open: the agents are rung."),
        None => writeln!(out, "  It is open, and begins: {}.", words.way(&hotline.start, ring)),
        Some((why, next)) => {
            let why = match why {
                Shut::Outage => "Out of order ([outage] active = true)".to_owned(),
                Shut::Hours => "Closed".to_owned(),
                Shut::Holiday(name) => format!("Closed ({name})"),
            };
            writeln!(out, "  {why}: {}. When it is open:", words.way(next, ring))
        }
    }
}

fn ringing(hotline: &Hotline, out: &mut dyn Write) -> io::Result<()> {
    let answer = &hotline.answer;
    match answer.ringback {
        Ringback::Network => writeln!(
            out,
            "  It rings (180) when the first agent's phone does, after one second at the latest; the caller's network plays the tone."
        )?,
        Ringback::Gateway => writeln!(out, "  The gateway plays the ringing tone as early media (183).")?,
    }
    writeln!(
        out,
        "  A ring is {} ms ({}); the answer is late after {} rings = {} ms. The caller who leaves within {} ms counts as short_abandoned.",
        answer.cadence.period.as_millis(),
        answer.cadence.name,
        answer.max_rings,
        (answer.cadence.period * answer.max_rings).as_millis(),
        answer.short_abandon.as_millis(),
    )?;
    match answer.min_rings {
        0 | 1 => Ok(()),
        least => writeln!(out, "  No agent's phone rings before ring {least} begins."),
    }
}

fn agents(words: &Words<'_>, agents: &plan::Agents, indent: &str, out: &mut dyn Write) -> io::Result<()> {
    let ring_s = agents.ring.as_secs_f64();
    let how = match agents.strategy {
        Strategy::InOrder => "in this order, always from the first",
        Strategy::RoundRobin => "in this order, from the one after the agent who was rung last",
        Strategy::LongestIdle => "beginning with whose last call ended longest ago, else in this order",
        Strategy::FewestCalls => "beginning with who has answered the fewest calls, else in this order",
        Strategy::LeastTalk => "beginning with who has talked least today, else in this order",
        Strategy::Random => "in an order drawn by lot",
        Strategy::RingAll => "",
    };
    match agents.strategy {
        Strategy::RingAll => {
            writeln!(
                out,
                "{indent}All free agents are rung at once for {ring_s} s; the first who answers has the call:"
            )?;
        }
        _ => writeln!(out, "{indent}Free agents are rung one after the other for {ring_s} s each, {how}:")?,
    }
    for number in &agents.numbers {
        let known = words.loaded.config.agents.iter().find(|a| a.number == *number);
        match known.and_then(|a| a.contact.as_ref().map(|contact| (&a.name, contact))) {
            Some((name, contact)) => writeln!(out, "{indent}  {number} {name} at {contact}")?,
            None => writeln!(out, "{indent}  {number}: no phone (not rung)")?,
        }
    }
    Ok(())
}

fn greeting(hotline: &Hotline, out: &mut dyn Write) -> io::Result<()> {
    let Some((agent, greeting)) = hotline.greeting.by_agent.iter().next() else {
        return writeln!(out, "  No greeting is played.");
    };
    let seconds = |samples: usize| samples as f64 / f64::from(crate::media::SAMPLE_RATE_HZ);
    for (when, prompt) in [("When agent", &greeting.normal), ("Late, when agent", &greeting.late)] {
        writeln!(
            out,
            "  {when} {agent} answers, the caller hears for {:.1} s: {} [{}]",
            seconds(prompt.audio.len()),
            prompt.text,
            prompt.files.join(", "),
        )?;
    }
    if !hotline.greeting.variants.is_empty() {
        writeln!(out, "  It is another one by the time of day, or for colleagues.")?;
    }
    Ok(())
}
