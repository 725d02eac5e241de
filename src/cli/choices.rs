//! Who was rung, and why this one: the facts `chosen` of a call in words.

use std::io::{self, Write};

use crate::call::choice::{Choice, Why};
use crate::call::fact::{Fact, What};
use crate::ids::AgentNo;

pub(super) fn tell(facts: &[Fact], out: &mut dyn Write) -> io::Result<()> {
    let chosen = facts.iter().filter_map(|fact| match &fact.what {
        What::Chosen { attempt, choice } => Some((*attempt, choice)),
        _ => None,
    });
    for (n, (attempt, choice)) in chosen.enumerate() {
        if n == 0 {
            writeln!(out, "\nwho was rung, and why")?;
        }
        writeln!(out, "  {attempt:>3} {}", sentence(choice))?;
    }
    Ok(())
}

/// `8 by least_talk, of 8 (0.0 s), 7 (3.2 s) and 1 more; not 9 (paused)`.
fn sentence(choice: &Choice) -> String {
    let measure = |place: usize| choice.compared.get(place).map(|value| figure(&choice.strategy, *value));
    let one = |(place, agent): (usize, &AgentNo)| match measure(place) {
        Some(measure) => format!("{agent} ({measure})"),
        None => agent.to_string(),
    };
    let mut text = format!("{} by {}, of ", choice.agent, choice.strategy);
    if let Some(asked) = &choice.skill {
        text += &format!("those with {} at level {} or more: ", asked.skill, asked.level);
    }
    text += &listed(choice.eligible.iter().enumerate().map(one).collect(), choice.more_eligible);
    if !choice.skipped.is_empty() {
        let skipped = choice.skipped.iter().map(|(agent, why)| format!("{agent} ({})", reason(*why)));
        text += &format!("; not {}", listed(skipped.collect(), choice.more_skipped));
    }
    text
}

fn listed(all: Vec<String>, more: u32) -> String {
    let all = all.join(", ");
    if more > 0 { format!("{all} and {more} more") } else { all }
}

fn figure(strategy: &str, value: u64) -> String {
    match strategy {
        "least_talk" => format!("{:.1} s", value as f64 / 1_000.0),
        _ => format!("{value} calls"),
    }
}

fn reason(why: Why) -> &'static str {
    match why {
        Why::Tried => "rung before",
        Why::Ringing => "rings",
        Why::Talking => "in a call",
        Why::LoggedOut => "logged out",
        Why::Paused => "paused",
        Why::WrapUp => "in wrap-up",
        Why::Away => "away",
        Why::Unknown => "no longer configured",
        Why::Unskilled => "lacks the skill",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::choice::AskedFor;

    #[test]
    fn the_choice_in_words() {
        let choice = Choice {
            agent: "8".into(),
            strategy: "least_talk".to_owned(),
            eligible: vec!["7".into(), "8".into()],
            compared: vec![3_210, 0],
            skipped: vec![("9".into(), Why::Paused)],
            skill: None,
            more_eligible: 1,
            more_skipped: 0,
        };
        assert_eq!(sentence(&choice), "8 by least_talk, of 7 (3.2 s), 8 (0.0 s) and 1 more; not 9 (paused)");
        let choice = Choice { strategy: "in_order".to_owned(), compared: Vec::new(), skipped: Vec::new(), ..choice };
        assert_eq!(sentence(&choice), "8 by in_order, of 7, 8 and 1 more");
        let skill = Some(AskedFor { skill: "billing".to_owned(), level: 2 });
        let skipped = vec![("9".into(), Why::Unskilled)];
        let choice = Choice { skill, skipped, more_eligible: 0, ..choice };
        let told = "8 by in_order, of those with billing at level 2 or more: 7, 8; not 9 (lacks the skill)";
        assert_eq!(sentence(&choice), told);
    }
}
