//! The arithmetic of a sheet, exact in whole numbers: a section is what was given of what its applicable items could give; the
//! total is 100 times the mean of the kept sections by their weights. A section without an applicable item is dropped.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Comment, Form, Item, Kind, Section};

/// What a person or the verdicts say of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// It does not apply to this call.
    Na,
    Pass,
    Fail,
    /// Of a scale.
    Points(u32),
    /// How often it happened.
    Times(u32),
}

/// Item or fatal flag → answer; a fatal flag that stands is `Fail`.
pub type Answers = BTreeMap<String, Answer>;

/// A score in hundredths of a point: 0 to 10,000.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Hundredths(pub u32);

impl Hundredths {
    pub fn points(self) -> f64 {
        f64::from(self.0) / 100.0
    }
}

/// `87.5`, `100`: as many digits as there are.
impl std::fmt::Display for Hundredths {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.0 / 100, self.0 % 100) {
            (whole, 0) => write!(f, "{whole}"),
            (whole, rest) if rest % 10 == 0 => write!(f, "{whole}.{}", rest / 10),
            (whole, rest) => write!(f, "{whole}.{rest:02}"),
        }
    }
}

/// The two results of a sheet; neither changes the other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Score {
    /// Null if nothing applied. Rounded half up.
    pub total: Option<Hundredths>,
    /// Section → its part of 100; null if it was dropped.
    pub sections: BTreeMap<String, Option<Hundredths>>,
    /// The flags that stand: with any, the call has failed whatever its total.
    pub fatal: Vec<String>,
}

/// What a sheet still lacks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Gap {
    Unanswered(String),
    /// The answer is not one that the item takes.
    Unfit(String),
    CommentMissing(String),
    /// The form has no such item.
    Unknown(String),
}

/// Points given of points possible; `None`: it does not apply, or the answer does not fit.
pub fn share(item: &Item, answer: Answer) -> Option<(u32, u32)> {
    let given = match (item.kind, answer) {
        (Kind::Pass, Answer::Pass) => item.points,
        (Kind::Pass, Answer::Fail) => 0,
        (Kind::Scale, Answer::Points(points)) if points <= item.points => points,
        (Kind::Deduct, Answer::Times(times)) => item.points.saturating_sub(item.each.saturating_mul(times)),
        _ => return None,
    };
    Some((given, item.points))
}

/// Whether the item takes this answer.
pub fn fits(item: &Item, answer: Answer) -> bool {
    if answer == Answer::Na { item.na } else { share(item, answer).is_some() }
}

/// The least that an item can be answered with: what a failed rule fills in.
pub fn worst(item: &Item) -> Answer {
    match item.kind {
        Kind::Pass => Answer::Fail,
        Kind::Scale => Answer::Points(0),
        Kind::Deduct => Answer::Times(item.points.div_ceil(item.each.max(1))),
    }
}

/// All points.
pub fn best(item: &Item) -> Answer {
    match item.kind {
        Kind::Pass => Answer::Pass,
        Kind::Scale => Answer::Points(item.points),
        Kind::Deduct => Answer::Times(0),
    }
}

/// The score of what is answered so far; of a whole sheet it is the score.
pub fn score(form: &Form, answers: &Answers) -> Score {
    let parts: Vec<(&Section, Option<(u128, u128)>)> =
        form.sections.iter().map(|section| (section, part(section, answers))).collect();
    // Σ w·given/possible over one denominator: at most ten sections of at most 100 points keep it far below 2^128.
    let common = parts.iter().filter_map(|(_, part)| *part).fold(1, |common, (_, possible)| lcm(common, possible));
    let (mut sum, mut weights) = (0_u128, 0_u128);
    for (section, part) in &parts {
        if let Some((given, possible)) = part {
            sum += u128::from(section.weight) * given * (common / possible);
            weights += u128::from(section.weight);
        }
    }
    let fatal = form.fatal.iter().filter(|flag| answers.get(&flag.id) == Some(&Answer::Fail));
    Score {
        total: rounded(sum, weights * common),
        sections: parts
            .iter()
            .map(|(section, part)| (section.id.clone(), part.and_then(|(given, possible)| rounded(given, possible))))
            .collect(),
        fatal: fatal.map(|flag| flag.id.clone()).collect(),
    }
}

fn part(section: &Section, answers: &Answers) -> Option<(u128, u128)> {
    let shares = section.items.iter().filter_map(|item| share(item, *answers.get(&item.id)?));
    let (given, possible) = shares.fold((0, 0), |(a, b), (given, of)| (a + u128::from(given), b + u128::from(of)));
    (possible > 0).then_some((given, possible))
}

/// 10,000 · given / of, rounded half up.
fn rounded(given: u128, of: u128) -> Option<Hundredths> {
    let hundredths = (given * 20_000 + of).checked_div(of * 2)?;
    u32::try_from(hundredths).ok().map(Hundredths)
}

fn lcm(a: u128, b: u128) -> u128 {
    let (mut x, mut y) = (a, b);
    while y != 0 {
        (x, y) = (y, x % y);
    }
    a / x * b
}

/// What keeps a sheet from being submitted, in the order of the form. `filled`: what the verdicts had filled in; whoever says
/// otherwise says why.
pub fn gaps(form: &Form, answers: &Answers, comments: &BTreeMap<String, String>, filled: &Answers) -> Vec<Gap> {
    let said = |id: &str| comments.get(id).is_some_and(|comment| !comment.trim().is_empty());
    let mut found = Vec::new();
    for item in form.items() {
        let Some(answer) = answers.get(&item.id).copied() else {
            found.push(Gap::Unanswered(item.id.clone()));
            continue;
        };
        if !fits(item, answer) {
            found.push(Gap::Unfit(item.id.clone()));
            continue;
        }
        let lost = share(item, answer).is_some_and(|(given, of)| given < of);
        let overruled = filled.get(&item.id).is_some_and(|filled| *filled != answer);
        // What a verdict took needs no words of a person: it has its evidence.
        let taken = filled.get(&item.id) == Some(&answer);
        let needed = match item.comment {
            Comment::Always => true,
            Comment::Lost => lost && !taken,
            Comment::Never => false,
        };
        if (needed || overruled) && !said(&item.id) {
            found.push(Gap::CommentMissing(item.id.clone()));
        }
    }
    for flag in form.fatal.iter().filter(|flag| answers.get(&flag.id) == Some(&Answer::Fail) && !said(&flag.id)) {
        found.push(Gap::CommentMissing(flag.id.clone()));
    }
    let known = |id: &str| form.item(id).is_some() || form.fatal.iter().any(|flag| flag.id == id);
    found.extend(answers.keys().filter(|id| !known(id)).map(|id| Gap::Unknown(id.clone())));
    found
}
