//! What becomes of a number that an agent's phone dials.

use std::io::{self, Write};

use crate::config::Loaded;
use crate::dialplan::outbound::NotAllowed;
use crate::gateway::WayOut;
use crate::ids::AgentNo;

/// Says it, if an agent calls; false: somebody else does.
pub(super) fn explain(loaded: &Loaded, to: &str, from: Option<&str>, out: &mut dyn Write) -> io::Result<bool> {
    let Some(agent) = loaded.config.agents.iter().find(|agent| Some(agent.number.as_str()) == from) else {
        return Ok(false);
    };
    let listed = loaded.config.agents.iter().any(|agent| agent.number.as_str() == to)
        || loaded.config.targets.iter().any(|target| target.name == to || target.number == to);
    if listed {
        let recorded = if loaded.config.agents_calls.record { "recorded" } else { "not recorded" };
        writeln!(
            out,
            "Agent {} calls {to}, who is of the configuration: a call of its own kind (internal), {recorded}.",
            agent.number
        )?;
        return Ok(true);
    }
    let Some(way) = &loaded.config.agents_calls.outbound else {
        writeln!(
            out,
            "Agent {} calls {to}: 403, for no [agents_calls] outbound_trunk says how numbers outside are reached.",
            agent.number
        )?;
        return Ok(true);
    };
    match allowed(loaded, way, &agent.number, to) {
        Err(why) => writeln!(out, "Agent {} calls {to}: 403, {why}.", agent.number)?,
        Ok(words) => {
            let pin = if agent.outbound_pin.is_some() { ", after the code and the agent's PIN" } else { "" };
            writeln!(out, "Agent {} calls {to}{pin}: {words}", agent.number)?;
        }
    }
    Ok(true)
}

fn allowed(loaded: &Loaded, way: &WayOut, agent: &AgentNo, number: &str) -> Result<String, NotAllowed> {
    let line = loaded.config.trunks.iter().find(|line| line.name == way.trunk).ok_or(NotAllowed::NoNumber)?;
    let (kept, abroad) = line.identity.kept_of(number);
    let (plan, outbound) = loaded.plans.outbound(agent, &kept, abroad)?;
    let shown = plan.numbers.first().map_or("no number", String::as_str);
    let quota = outbound.quota.map_or_else(
        || "without a bound of minutes".to_owned(),
        |quota| format!("as long as this month's {} minutes are not used up", quota.as_secs() / 60),
    );
    Ok(format!(
        "allowed by [outbound] of the hotline \"{}\", as {kept} through the trunk \"{}\", which shows {shown}; {quota}.",
        plan.id, way.trunk
    ))
}
