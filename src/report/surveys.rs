//! What callers said after their calls, each share with its n and Wilson's interval.

use serde::Serialize;

use super::interval::{Ratio, wilson};
use crate::call::fact::SurveyEnd;
use crate::cdr::Record;
use crate::dialplan::after::QUESTIONS;

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Surveys {
    /// Callers who were asked.
    pub asked: u64,
    /// Of them those who gave a grade: 70 % is the aim.
    pub returned: Option<Ratio>,
    /// Who answered every question.
    pub complete: u64,
    /// In the order of the dialplan.
    pub questions: Vec<Question>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Question {
    pub n: u64,
    /// Very satisfied, satisfied, average, poor.
    pub grades: [u64; 4],
    /// The first two.
    pub satisfied: Option<Ratio>,
    /// 1 is the best.
    pub mean: Option<f64>,
}

impl Surveys {
    /// `None`: nobody was asked.
    pub fn of(records: &[&Record]) -> Option<Surveys> {
        let mut grades = [[0u64; 4]; QUESTIONS];
        let (mut asked, mut returned, mut complete, mut questions) = (0, 0, 0, 0);
        for survey in records.iter().filter_map(|record| record.survey.as_ref()) {
            asked += 1;
            returned += u64::from(survey.grades.iter().any(Option::is_some));
            complete += u64::from(survey.end == Some(SurveyEnd::Complete));
            questions = questions.max(survey.grades.len().min(QUESTIONS));
            for (counts, grade) in grades.iter_mut().zip(&survey.grades) {
                let index = grade.and_then(|grade| (grade as usize).checked_sub(1));
                if let Some(count) = index.and_then(|index| counts.get_mut(index)) {
                    *count += 1;
                }
            }
        }
        (asked > 0).then(|| Surveys {
            asked,
            returned: wilson(returned, asked),
            complete,
            questions: grades.iter().take(questions).map(|counts| Question::of(*counts)).collect(),
        })
    }
}

impl Question {
    fn of(grades: [u64; 4]) -> Question {
        let n: u64 = grades.iter().sum();
        let sum: u64 = grades.iter().zip(1..).map(|(count, grade)| count * grade).sum();
        let mean = (n > 0).then(|| sum as f64 / n as f64);
        Question { n, grades, satisfied: wilson(grades[0] + grades[1], n), mean }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cdr::Survey;
    use crate::ledger::story::Story;

    fn graded(grades: &[Option<u32>], end: SurveyEnd) -> Record {
        let mut record = Record::from_facts(&Story::new(1).facts()).expect("a call");
        record.survey = Some(Survey { grades: grades.to_vec(), end: Some(end) });
        record
    }

    #[test]
    fn each_question_has_its_own_n() {
        let records = [
            graded(&[Some(1), Some(2)], SurveyEnd::Complete),
            graded(&[Some(4), None], SurveyEnd::NoGrade),
            graded(&[None, None], SurveyEnd::HungUp),
            Record::from_facts(&Story::new(2).facts()).expect("a call"),
        ];
        let surveys = Surveys::of(&records.iter().collect::<Vec<_>>()).expect("some");
        assert_eq!((surveys.asked, surveys.complete), (3, 1));
        let returned = surveys.returned.expect("a share");
        assert_eq!((returned.count, returned.n), (2, 3));
        assert!(returned.low > 0.2 && returned.high < 0.95 && returned.low < returned.ratio, "{returned:?}");
        let [first, second] = &surveys.questions[..] else { panic!("{surveys:?}") };
        assert_eq!((first.n, first.grades, first.mean), (2, [1, 0, 0, 1], Some(2.5)));
        assert_eq!((second.n, second.grades, second.mean), (1, [0, 1, 0, 0], Some(2.0)));
        assert_eq!(second.satisfied.expect("a share").ratio, 1.0);
        assert_eq!(Surveys::of(&[&records[3]]), None);
    }
}
