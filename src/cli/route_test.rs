//! `hotline route-test`: what would happen to a call, in words.

use std::io::{self, Write};

use crate::clock::Wall;
use crate::config::Loaded;
use crate::dialplan::plan::{Hotline, Next, Ringback, Strategy};

pub(super) fn explain(
    loaded: &Loaded,
    to: &str,
    from: Option<&str>,
    at: Option<Wall>,
    out: &mut dyn Write,
) -> io::Result<()> {
    let from = from.map_or_else(String::new, |from| format!(" from {from}"));
    let at = at.map_or_else(String::new, |at| format!(" at {at}"));
    let Some(hotline) = loaded.plans.by_number.get(to) else {
        writeln!(out, "A call to {to}{from}{at}: no dialplan owns this number.")?;
        writeln!(
            out,
            "  The trunk gets 404 Not Found; no call is recorded, it is counted as rejected (unknown_number)."
        )?;
        let known: Vec<&str> = loaded.plans.by_number.keys().map(String::as_str).collect();
        return writeln!(out, "  Numbers that are owned: {}", known.join(", "));
    };
    writeln!(out, "A call to {to}{from}{at} belongs to the hotline \"{}\" ({}).", hotline.id, hotline.org)?;
    ringing(hotline, out)?;
    agents(loaded, hotline, out)?;
    greeting(hotline, out)
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
    )
}

fn agents(loaded: &Loaded, hotline: &Hotline, out: &mut dyn Write) -> io::Result<()> {
    let agents = &hotline.agents;
    let ring_s = agents.ring.as_secs_f64();
    let how = match agents.strategy {
        Strategy::InOrder => "in this order, always from the first",
        Strategy::RoundRobin => "in this order, from the one after the agent who was rung last",
        Strategy::LongestIdle => "beginning with whose last call ended longest ago, else in this order",
        Strategy::FewestCalls => "beginning with who has answered the fewest calls, else in this order",
        Strategy::Random => "in an order drawn by lot",
        Strategy::RingAll => "",
    };
    match agents.strategy {
        Strategy::RingAll => {
            writeln!(out, "  All free agents are rung at once for {ring_s} s; the first who answers has the call:")?;
        }
        _ => writeln!(out, "  Free agents are rung one after the other for {ring_s} s each, {how}:")?,
    }
    for number in &agents.numbers {
        let known = loaded.config.agents.iter().find(|a| a.number == *number);
        match known.and_then(|a| a.contact.as_ref().map(|contact| (&a.name, contact))) {
            Some((name, contact)) => writeln!(out, "    {number} {name} at {contact}")?,
            None => writeln!(out, "    {number}: no phone (not rung)")?,
        }
    }
    let nobody = match &agents.nobody {
        Next::BusyTone => "486 Busy Here, and the caller's network plays the busy tone",
        Next::Unavailable | Next::HangUp => "480 Temporarily Unavailable",
        Next::Agents => "the agents once more",
        Next::Step(no) => {
            let name = no.of(hotline).map_or("", |step| step.name.as_str());
            return writeln!(out, "  With nobody left the call goes on with step \"{name}\".");
        }
        Next::Target(name) => {
            let Some(target) = loaded.config.targets.iter().find(|t| t.name == name.as_str()) else { return Ok(()) };
            return writeln!(
                out,
                "  With nobody left the target \"{name}\" is called for {ring_s} s: {} over the trunk {}. Its answer makes the call an overflow; without one the caller gets 480 Temporarily Unavailable.",
                target.number, target.trunk
            );
        }
    };
    writeln!(out, "  With nobody left the caller gets {nobody}.")
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
    Ok(())
}
