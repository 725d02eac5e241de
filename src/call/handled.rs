//! How long calls took lately, and what follows from it for whoever waits.

use std::collections::VecDeque;
use std::time::Duration;

use super::agent::Agents;
use crate::ids::AgentNo;

/// Of each agent so many.
const KEPT: usize = 20;
/// Fewer say nothing of the next one.
const LEAST: usize = 20;
/// Nor does a mean whose standard error is a larger share of it.
const ERROR: f64 = 0.25;

/// The last calls of one agent: talk and wrap-up.
#[derive(Debug, Clone, Default)]
pub(super) struct Handled(VecDeque<Duration>);

impl Handled {
    pub(super) fn note_talk(&mut self, talk: Duration) {
        self.0.push_back(talk);
        if self.0.len() > KEPT {
            self.0.pop_front();
        }
    }

    /// The agent was in peace for so long after the last of them.
    pub(super) fn note_wrap_up(&mut self, wrap_up: Duration) {
        if let Some(last) = self.0.back_mut() {
            *last += wrap_up;
        }
    }
}

impl Agents {
    /// How long whoever stands at this place, from 1, will wait for one of these agents: with all of them busy, so many calls have to
    /// end, one every mean handling time divided by the agents who are there. `None`: the calls of late cannot tell.
    pub(super) fn estimated_wait<'n>(
        &self,
        numbers: impl Iterator<Item = &'n AgentNo>,
        position: u32,
    ) -> Option<Duration> {
        let all: Vec<_> = numbers.filter_map(|number| self.agents.get(number)).collect();
        let there = all.iter().filter(|agent| agent.is_on_duty()).count();
        let times: Vec<f64> = all.iter().flat_map(|agent| &agent.handled.0).map(Duration::as_secs_f64).collect();
        let mean = mean(&times)?;
        (there > 0).then(|| Duration::from_secs_f64(mean * f64::from(position) / there as f64))
    }
}

/// `None`: there are too few, or they differ too much.
fn mean(times: &[f64]) -> Option<f64> {
    if times.len() < LEAST {
        return None;
    }
    let count = times.len() as f64;
    let mean = times.iter().sum::<f64>() / count;
    let variance = times.iter().map(|time| (time - mean).powi(2)).sum::<f64>() / (count - 1.0);
    let error = (variance / count).sqrt();
    (mean > 0.0 && error <= ERROR * mean).then_some(mean)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Wall;
    use crate::dialplan::plan::Plans;
    use crate::ids::Random;

    fn agents(talks: &[(&str, u64)]) -> Agents {
        let mut agents = Agents::new(["7", "8"].map(AgentNo::from), &Plans::default(), Random::from_number(1));
        let now = Wall::from_micros(1_795_226_400_000_000);
        for (agent, s) in talks {
            let from = Wall::from_micros(now.as_micros() - i64::try_from(*s).unwrap() * 1_000_000);
            agents.restore_talk(&(*agent).into(), (from, now), now);
        }
        agents
    }

    #[test]
    fn the_wait_is_the_mean_handling_time_by_place_and_agents() {
        let talks: Vec<(&str, u64)> = (0..20).map(|n| (["7", "8"][n % 2], [100, 140][n % 2])).collect();
        let numbers = ["7", "8"].map(AgentNo::from);
        let wait = |agents: &Agents, position| agents.estimated_wait(numbers.iter(), position);
        assert_eq!(wait(&agents(&talks), 1), Some(Duration::from_secs(60)), "120 s, two agents");
        assert_eq!(wait(&agents(&talks), 3), Some(Duration::from_secs(180)));
        assert_eq!(wait(&agents(&talks[1..]), 1), None, "nineteen calls");
        let mut wild = vec![("7", 1); 10];
        wild.extend([("8", 1); 9]);
        wild.push(("8", 3_600));
        assert_eq!(wait(&agents(&wild), 1), None, "one call says more than all others");
    }

    #[test]
    fn only_the_last_calls_count_and_wrap_up_is_a_part_of_them() {
        let mut handled = Handled::default();
        (0..30).for_each(|s| handled.note_talk(Duration::from_secs(s)));
        handled.note_wrap_up(Duration::from_secs(5));
        assert_eq!((handled.0.len(), handled.0.front()), (KEPT, Some(&Duration::from_secs(10))));
        assert_eq!(handled.0.back(), Some(&Duration::from_secs(34)));
    }
}
