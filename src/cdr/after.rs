//! What a call says of itself in the end: its class, and how the caller graded.

use serde::{Deserialize, Serialize};

use crate::call::fact::{ClassedBy, Fact, SurveyEnd, What};
use crate::clock::Stamp;

/// The survey after a talk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Survey {
    /// For each question the grade: 1 very satisfied, 2 satisfied, 3 average, 4 poor; null: none was given.
    pub grades: Vec<Option<u32>>,
    /// Null while it lasts.
    pub end: Option<SurveyEnd>,
}

#[derive(Debug, Clone, Default)]
pub(super) struct After {
    survey: Option<(Stamp, Survey)>,
    class: Option<(ClassedBy, String)>,
}

impl After {
    pub(super) fn push(&mut self, fact: &Fact) {
        match &fact.what {
            What::SurveyStarted { questions, .. } => {
                let grades = vec![None; (*questions as usize).min(crate::dialplan::after::QUESTIONS)];
                self.survey.get_or_insert((fact.at, Survey { grades, end: None }));
            }
            What::SurveyGraded { question, grade } => {
                let index = (*question as usize).checked_sub(1);
                let grades = self.survey.as_mut().map(|(_, survey)| &mut survey.grades);
                if let Some(place) = index.zip(grades).and_then(|(index, grades)| grades.get_mut(index)) {
                    *place = Some(*grade);
                }
            }
            What::SurveyEnded { by } => {
                if let Some((_, survey)) = &mut self.survey {
                    survey.end = Some(*by);
                }
            }
            // What the agent has heard counts before what the caller chose.
            What::Classed { class, by } => match &self.class {
                Some((ClassedBy::Agent, _)) if *by == ClassedBy::Menu => {}
                _ => self.class = Some((*by, class.clone())),
            },
            _ => {}
        }
    }

    pub(super) fn survey(&self) -> Option<Survey> {
        self.survey.as_ref().map(|(_, survey)| survey.clone())
    }

    /// The talk was over then: what follows is the survey.
    pub(super) fn surveyed_at(&self) -> Option<Stamp> {
        self.survey.as_ref().map(|(at, _)| *at)
    }

    pub(super) fn class(&self) -> Option<String> {
        self.class.as_ref().map(|(_, class)| class.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::fact::SurveyBy;
    use crate::call::reason::{EndedBy, Reason};
    use crate::cdr::{Outcome, Record};
    use crate::ledger::story::Story;

    #[test]
    fn the_survey_is_no_part_of_the_talk() {
        let story = Story::talking(1)
            .at(20_000, What::AgentLeft { attempt: 1, agent: "8".into() })
            .at(20_000, What::SurveyStarted { questions: 4, by: SurveyBy::HangUp })
            .at(24_000, What::SurveyGraded { question: 1, grade: 2 })
            .at(29_000, What::SurveyGraded { question: 2, grade: 4 })
            .at(40_000, What::SurveyEnded { by: SurveyEnd::NoGrade })
            .ended(40_000, Reason::SurveyOver, EndedBy::Gateway);
        let record = Record::from_facts(&story.facts()).expect("a call");
        assert_eq!((record.outcome, record.talk_ms, record.hold_ms), (Some(Outcome::Answered), Some(16_000), Some(0)));
        assert_eq!(record.segments[0].talk_ms, Some(16_000));
        assert_eq!(record.duration_ms, Some(40_000));
        let survey = record.survey.expect("a survey");
        assert_eq!((survey.grades, survey.end), (vec![Some(2), Some(4), None, None], Some(SurveyEnd::NoGrade)));
    }

    #[test]
    fn the_agents_word_counts_before_the_callers_key() {
        let classed = |class: &str, by| What::Classed { class: class.to_owned(), by };
        let class = |facts: &[What]| {
            let story = facts.iter().fold(Story::new(1), |story, what| story.at(100, what.clone()));
            Record::from_facts(&story.facts()).expect("a call").class
        };
        let (menu, agent) = (ClassedBy::Menu, ClassedBy::Agent);
        assert_eq!(class(&[]), None);
        assert_eq!(class(&[classed("a", menu), classed("b", menu)]).as_deref(), Some("b"));
        assert_eq!(class(&[classed("a", menu), classed("b", agent)]).as_deref(), Some("b"));
        assert_eq!(class(&[classed("b", agent), classed("a", menu)]).as_deref(), Some("b"));
    }
}
