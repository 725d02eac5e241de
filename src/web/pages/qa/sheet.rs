//! A sheet as a form of the browser: `a.ITEM` holds an answer, `c.ITEM` its comment, `f.FLAG` a flag that stands, `pin` a comment
//! about a moment.

use crate::qa::form::{Answer, Form, Item, Kind};
use crate::store::qa::{Pin, Sheet};
use crate::web::page::Fields;

/// Comments are cut there; a page of words about one item is enough.
const COMMENT: usize = 2_000;
const PINS: usize = 200;

/// One choice of an item.
pub(super) struct Choice {
    pub(super) value: String,
    /// What it gives; empty: it takes the item out.
    pub(super) shown: String,
    pub(super) chosen: bool,
}

/// Answers as they stand in the field's value: `na`, `pass`, `fail`, `p3` (points), `t2` (times).
pub(super) fn written(answer: Answer) -> String {
    match answer {
        Answer::Na => "na".to_owned(),
        Answer::Pass => "pass".to_owned(),
        Answer::Fail => "fail".to_owned(),
        Answer::Points(points) => format!("p{points}"),
        Answer::Times(times) => format!("t{times}"),
    }
}

fn answer(text: &str) -> Option<Answer> {
    match text {
        "na" => Some(Answer::Na),
        "pass" => Some(Answer::Pass),
        "fail" => Some(Answer::Fail),
        _ => {
            let (kind, number) = text.split_at_checked(1)?;
            let number = number.parse().ok()?;
            match kind {
                "p" => Some(Answer::Points(number)),
                "t" => Some(Answer::Times(number)),
                _ => None,
            }
        }
    }
}

/// What was sent; fields that the form does not have are left out.
pub(super) fn read(form: &Form, fields: &Fields) -> Sheet {
    let mut sheet = Sheet::default();
    let mut comment = |id: &str| {
        let text: String = fields.get(&format!("c.{id}")).chars().take(COMMENT).collect();
        if !text.is_empty() {
            sheet.comments.insert(id.to_owned(), text);
        }
    };
    form.items().for_each(|item| comment(&item.id));
    form.fatal.iter().for_each(|flag| comment(&flag.id));
    for item in form.items() {
        if let Some(answer) = answer(fields.get(&format!("a.{}", item.id))) {
            sheet.answers.insert(item.id.clone(), answer);
        }
    }
    for flag in form.fatal.iter().filter(|flag| fields.get(&format!("f.{}", flag.id)) == "fail") {
        sheet.answers.insert(flag.id.clone(), Answer::Fail);
    }
    let pin = |text: &str| serde_json::from_str::<Pin>(text).ok();
    sheet.pins = fields.all("pin").take(PINS).filter_map(pin).collect();
    for pin in &mut sheet.pins {
        pin.text = pin.text.chars().take(COMMENT).collect();
    }
    sheet
}

/// The choices of an item, the best first. Deductions are offered until nothing is left.
pub(super) fn choices(item: &Item, chosen: Option<Answer>) -> Vec<Choice> {
    let mut answers = match item.kind {
        Kind::Pass => vec![(Answer::Pass, item.points), (Answer::Fail, 0)],
        Kind::Scale => (0..=item.points).rev().map(|points| (Answer::Points(points), points)).collect(),
        Kind::Deduct => (0..=item.points.div_ceil(item.each.max(1)))
            .map(|times| (Answer::Times(times), item.points.saturating_sub(item.each * times)))
            .collect(),
    };
    if item.na {
        answers.push((Answer::Na, 0));
    }
    let choice = |(answer, points): (Answer, u32)| Choice {
        value: written(answer),
        shown: if answer == Answer::Na { String::new() } else { points.to_string() },
        chosen: chosen == Some(answer),
    };
    answers.into_iter().map(choice).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::qa::form::score::best;

    #[test]
    fn what_a_browser_sends_is_what_was_chosen() {
        let text = include_str!("../../../../dialplans/scorecards/appraisal.toml");
        let form = crate::qa::form::read("f", text.as_bytes(), |_| true).0.unwrap();
        let item = form.item("1.4").unwrap();
        let shown: Vec<String> =
            choices(item, Some(best(item))).iter().map(|c| format!("{} {} {}", c.value, c.shown, c.chosen)).collect();
        assert_eq!(shown, ["p3 3 true", "p2 2 false", "p1 1 false", "p0 0 false"]);
        assert_eq!(choices(form.item("1.2").unwrap(), None).last().map(|c| c.value.as_str()), Some("na"));
        let sent = "a.1.1=pass&a.1.4=p2&a.1.2=na&a.2.1=p99x&a.9=pass&c.1.4=two%20times&c.2.1=+&f.abuse=fail&f.private=no\
                    &pin=%7B%22at_ms%22%3A41000%2C%22text%22%3A%22x%22%2C%22shown%22%3Atrue%7D&pin=nonsense";
        let sheet = read(&form, &Fields::parse(sent.as_bytes()));
        let expected =
            [("1.1", Answer::Pass), ("1.2", Answer::Na), ("1.4", Answer::Points(2)), ("abuse", Answer::Fail)];
        assert_eq!(sheet.answers, expected.map(|(id, answer)| (id.to_owned(), answer)).into());
        assert_eq!(sheet.comments, [("1.4".to_owned(), "two times".to_owned())].into());
        assert_eq!(sheet.pins, [Pin { at_ms: 41_000, text: "x".to_owned(), shown: true }]);
        for answer in sheet.answers.values() {
            assert_eq!(super::answer(&written(*answer)), Some(*answer));
        }
    }
}
