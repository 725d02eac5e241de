//! The life of a score: draft → submitted → acknowledged, or disputed → upheld or changed → closed. Nothing is overwritten: what a
//! change replaces stays as an earlier revision.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::form::{Answers, Score};
use crate::cdr::words;
use crate::clock::Wall;
use crate::ids::AgentNo;

words! {
    State {
        /// Only whoever scores sees it.
        Draft "draft",
        /// The agent sees it and may accept it or object.
        Submitted "submitted",
        Acknowledged "acknowledged",
        /// It waits for another person.
        Disputed "disputed",
        /// The other person left it as it was.
        Upheld "upheld",
        /// The other person scored it anew.
        Changed "changed",
        /// Nothing changes any more.
        Closed "closed",
    }
}

words! {
    Step {
        Submit "submit",
        Acknowledge "acknowledge",
        Dispute "dispute",
        Uphold "uphold",
        Change "change",
        Close "close",
    }
}

/// Who wants to do something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    pub name: String,
    /// The agent that this person is.
    pub agent: Option<AgentNo>,
    /// May decide disputes.
    pub decides: bool,
}

/// Where a review stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    pub state: State,
    pub scorer: String,
    pub agent: AgentNo,
    /// Until when the agent may object; of a submitted one.
    pub until: Option<Wall>,
}

/// A revision of a sheet: the first is what was submitted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Revision {
    pub n: u32,
    pub by: String,
    pub at_us: i64,
    pub why: String,
    pub answers: Answers,
    pub comments: BTreeMap<String, String>,
    pub score: Score,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("a review that is {state} cannot be: {step}")]
    NotNow { state: State, step: Step },
    #[error("only whoever scores this call may")]
    NotTheScorer,
    #[error("only the agent whose call it is may")]
    NotTheAgent,
    #[error("the time for objections is over")]
    TooLate,
    #[error("another person decides: neither whoever scored it nor the agent")]
    NotAnother,
    #[error("the time for objections is not over")]
    TooEarly,
    #[error("say why")]
    NoReason,
}

/// The state that a step leads to. `why` is needed to dispute and to decide; a step of nobody (`by`: `None`) is the clock's.
pub fn step(on: &Standing, step: Step, by: Option<&Person>, why: &str, now: Wall) -> Result<State, Refusal> {
    let own = by.is_some_and(|person| person.agent.as_ref() == Some(&on.agent));
    let scorer = by.is_some_and(|person| person.name == on.scorer);
    let over = on.until.is_some_and(|until| now >= until);
    match (on.state, step) {
        (State::Draft, Step::Submit) if scorer && !own => Ok(State::Submitted),
        (State::Draft, Step::Submit) => Err(Refusal::NotTheScorer),
        (State::Submitted, Step::Acknowledge | Step::Dispute) if !own => Err(Refusal::NotTheAgent),
        (State::Submitted, Step::Acknowledge) => Ok(State::Acknowledged),
        (State::Submitted, Step::Dispute) if over => Err(Refusal::TooLate),
        (State::Submitted, Step::Dispute) => said(why, State::Disputed),
        (State::Disputed, Step::Uphold | Step::Change) if own || scorer || !by.is_some_and(|person| person.decides) => {
            Err(Refusal::NotAnother)
        }
        (State::Disputed, Step::Uphold) => said(why, State::Upheld),
        (State::Disputed, Step::Change) => said(why, State::Changed),
        (State::Submitted, Step::Close) if !over => Err(Refusal::TooEarly),
        (State::Submitted | State::Acknowledged | State::Upheld | State::Changed, Step::Close) => Ok(State::Closed),
        (state, step) => Err(Refusal::NotNow { state, step }),
    }
}

fn said(why: &str, state: State) -> Result<State, Refusal> {
    if why.trim().is_empty() { Err(Refusal::NoReason) } else { Ok(state) }
}

impl State {
    /// Its score counts: it was submitted. One that is disputed counts as it stands until it is decided.
    pub fn counts(self) -> bool {
        self != State::Draft
    }
}

/// What changed between two revisions, by item or flag: before, after.
pub fn changes<'r>(
    before: &'r Revision,
    after: &'r Revision,
) -> BTreeMap<&'r str, (Option<super::form::Answer>, Option<super::form::Answer>)> {
    let ids = before.answers.keys().chain(after.answers.keys());
    ids.map(|id| (id.as_str(), (before.answers.get(id).copied(), after.answers.get(id).copied())))
        .filter(|(_, (before, after))| before != after)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNTIL: Wall = Wall::from_micros(1_000);
    const BEFORE: Wall = Wall::from_micros(999);

    fn person(name: &str, agent: Option<&str>) -> Person {
        Person { name: name.to_owned(), agent: agent.map(AgentNo::from), decides: name == "lead" }
    }

    fn standing(state: State) -> Standing {
        Standing { state, scorer: "wang".to_owned(), agent: AgentNo::from("8"), until: Some(UNTIL) }
    }

    /// Every state × step × person: who may do what, and nobody else anything.
    #[test]
    fn who_may_do_what_when() {
        let people = [person("wang", None), person("li", None), person("lead", None), person("eight", Some("8"))];
        let mut allowed = Vec::new();
        for state in <State as crate::cdr::Word>::ALL {
            for wanted in <Step as crate::cdr::Word>::ALL {
                for by in &people {
                    if let Ok(to) = step(&standing(*state), *wanted, Some(by), "because", BEFORE) {
                        allowed.push(format!("{state} {wanted} {} {to}", by.name));
                    }
                }
            }
        }
        let close =
            |state: &'static str| ["wang", "li", "lead", "eight"].map(|name| format!("{state} close {name} closed"));
        let mut expected = vec![
            "draft submit wang submitted".to_owned(),
            "submitted acknowledge eight acknowledged".to_owned(),
            "submitted dispute eight disputed".to_owned(),
            "disputed uphold lead upheld".to_owned(),
            "disputed change lead changed".to_owned(),
        ];
        expected.extend(["acknowledged", "upheld", "changed"].into_iter().flat_map(close));
        allowed.sort();
        expected.sort();
        assert_eq!(allowed, expected);
    }

    #[test]
    fn the_time_for_objections_ends_and_then_the_clock_closes() {
        let (on, eight) = (standing(State::Submitted), person("eight", Some("8")));
        assert_eq!(step(&on, Step::Dispute, Some(&eight), "why", UNTIL), Err(Refusal::TooLate));
        assert_eq!(step(&on, Step::Acknowledge, Some(&eight), "", UNTIL), Ok(State::Acknowledged));
        assert_eq!(step(&on, Step::Close, None, "", BEFORE), Err(Refusal::TooEarly));
        assert_eq!(step(&on, Step::Close, None, "", UNTIL), Ok(State::Closed));
        assert_eq!(step(&on, Step::Dispute, Some(&eight), " ", BEFORE), Err(Refusal::NoReason));
    }

    /// A lead who scored the call, or is the agent, does not decide on it.
    #[test]
    fn another_person_decides() {
        let mut on = standing(State::Disputed);
        on.scorer = "lead".to_owned();
        assert_eq!(step(&on, Step::Uphold, Some(&person("lead", None)), "w", BEFORE), Err(Refusal::NotAnother));
        on.scorer = "wang".to_owned();
        assert_eq!(step(&on, Step::Uphold, Some(&person("lead", Some("8"))), "w", BEFORE), Err(Refusal::NotAnother));
    }
}
