//! `[callback]`, `[survey]` and `[classes]` as written.

use std::collections::BTreeMap;
use std::time::Duration;

use super::hours::week;
use crate::dialplan::after::{Callback, QUESTIONS};
use crate::dialplan::hours::{Span, Week};
use crate::written::{At, Pair, Table};

/// Peers call back within half an hour.
const WITHIN_S: u32 = 1_800;
/// Three days and a little more: the longest time that a rule book gives.
const LONGEST_S: u32 = 4 * 24 * 3_600;
/// When nobody is woken, nor called away from lunch.
const HOURS: [&str; 2] = ["daily 09:00-12:00", "daily 14:00-20:00"];

/// `None`: the file has no `[callback]`.
pub(super) fn callback(mut table: Table<'_>) -> Option<Callback> {
    let within = table.integer("within_s", 60..=LONGEST_S).map_or(WITHIN_S, |at| at.value);
    let attempts = table.integer("attempts", 3..=5).map_or(5, |at| at.value);
    let written = table.strings("hours");
    let hours = match &written {
        Some(at) if at.value.is_empty() => {
            table.fault(at.line, "callback.hours is empty: nobody could ever be called", "add \"daily 09:00-20:00\"");
            Week::default()
        }
        Some(_) => week(&table, "callback.hours", written),
        None => Week(HOURS.iter().filter_map(|text| Span::parse(text).ok()).collect()),
    };
    let callback = Callback { within: Duration::from_secs(within.into()), attempts, hours };
    table.is_present().then_some(callback)
}

/// The texts ask for one to five.
pub(super) fn quota(table: &mut Table<'_>) -> Option<u32> {
    table.integer("quota", 1..=5).map(|at| at.value)
}

#[derive(Debug)]
pub(in crate::dialplan) struct Survey {
    pub(in crate::dialplan) questions: Vec<At<String>>,
    pub(in crate::dialplan) thanks: Option<At<String>>,
    pub(in crate::dialplan) wait: Duration,
    pub(in crate::dialplan) tries: u32,
    pub(in crate::dialplan) key: At<char>,
}

/// `None`: the file has no `[survey]`.
pub(super) fn survey(mut table: Table<'_>) -> Option<Survey> {
    let present = table.is_present();
    let written = if present { table.required_strings("questions") } else { table.strings("questions") };
    if let Some(written) = written.as_ref().filter(|at| at.value.is_empty() || at.value.len() > QUESTIONS) {
        table.fault(written.line, "survey.questions has no text, or more than four", "write one to four questions");
    }
    let survey = Survey {
        questions: written.map_or_else(Vec::new, |at| at.value),
        thanks: table.string("thanks"),
        wait: Duration::from_secs(table.integer("wait_s", 1..=60).map_or(5, |at| at.value).into()),
        tries: table.integer("tries", 1..=5).map_or(2, |at| at.value),
        key: survey_key(&mut table),
    };
    present.then_some(survey)
}

/// `*5`, `*6` and `*8` mean something of their own in a talk.
fn survey_key(table: &mut Table<'_>) -> At<char> {
    let Some(written) = table.string("key") else { return At::new('0', table.line()) };
    match written.value.as_bytes() {
        [b'*', digit @ (b'0'..=b'4' | b'7' | b'9')] => At::new(char::from(*digit), written.line),
        _ => {
            let what = format!("survey.key \"{}\" is no code for a talk", written.value);
            table.fault(written.line, what, "write \"*\" and a digit that is not 5, 6 or 8");
            At::new('0', written.line)
        }
    }
}

/// Longest name of a class, in characters.
const CLASS: usize = 32;

/// `keys` of `[classes]`, or `classes` of a menu: a key, and the class that it makes of a call.
pub(super) fn classes(table: &mut Table<'_>, key: &'static str) -> BTreeMap<char, At<String>> {
    let mut classes = BTreeMap::new();
    for (key_written, class) in table.pairs(key).map_or_else(Vec::new, |at| at.value) {
        if let Some(one) = class_key(table, key, &key_written)
            && is_class(table, key, &(key_written, class.clone()))
        {
            classes.insert(one, class);
        }
    }
    classes
}

fn class_key(table: &Table<'_>, key: &str, written: &At<String>) -> Option<char> {
    match written.value.chars().collect::<Vec<_>>().as_slice() {
        [one] if one.is_ascii_digit() => Some(*one),
        _ => {
            let what = format!("{}: \"{}\" is no digit", table.path(key), written.value);
            table.fault(written.line, what, "keys are 0 to 9");
            None
        }
    }
}

fn is_class(table: &Table<'_>, key: &str, (_, class): &Pair) -> bool {
    let good = !class.value.trim().is_empty()
        && class.value.chars().count() <= CLASS
        && !class.value.chars().any(char::is_control);
    if !good {
        let what = format!("{}: \"{}\" cannot be a class", table.path(key), class.value.escape_debug());
        table.fault(class.line, what, "write a name of at most 32 characters");
    }
    good
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Wall;
    use crate::written::Document;

    fn parse(text: &str) -> (Option<Callback>, Vec<String>) {
        let document = Document::parse("p", text);
        let found = callback(document.root().section("callback"));
        (found, document.into_faults().iter().map(ToString::to_string).collect())
    }

    #[test]
    fn nobody_is_called_in_hours_of_rest() {
        assert_eq!(parse(""), (None, Vec::new()));
        let (found, faults) = parse("[callback]\n");
        let callback = found.expect("a callback");
        assert_eq!((callback.within, callback.attempts, faults.len()), (Duration::from_secs(1_800), 5, 0));
        let zone = jiff::tz::TimeZone::get("Asia/Shanghai").expect("a zone");
        let may = |time: &str| {
            let at: jiff::Timestamp = format!("2026-11-21T{time}+08:00").parse().expect("a time");
            callback.may_call(Wall::from_micros(at.as_microsecond()), &zone)
        };
        for (time, expected) in [
            ("08:59:59", false),
            ("09:00:00", true),
            ("11:59:59", true),
            ("12:00:00", false),
            ("14:00:00", true),
            ("19:59:59", true),
            ("20:00:00", false),
        ] {
            assert_eq!(may(time), expected, "{time}");
        }
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        let (_, faults) = parse("[callback]\nattempts = 2\nhours = []\n");
        assert_eq!(faults.len(), 2, "{faults:?}");
        assert!(faults[0].starts_with("p:2:") || faults[1].starts_with("p:2:"), "{faults:?}");
        assert!(faults.iter().any(|fault| fault.starts_with("p:3: callback.hours is empty")), "{faults:?}");
        assert_eq!(parse("[callback]\nhours = [\"never\"]\n").1.len(), 1);
        assert_eq!(parse("[callback]\nwithin_s = 30\n").1.len(), 1);
    }

    #[test]
    fn a_survey_has_one_to_four_questions_and_a_code_of_its_own() {
        let parse = |text: &str| {
            let document = Document::parse("p", text);
            let found = survey(document.root().section("survey"));
            (found, document.into_faults().len())
        };
        assert!(parse("").0.is_none());
        let (found, faults) = parse("[survey]\nquestions = [\"a\"]\n");
        let found = found.expect("a survey");
        assert_eq!((found.questions.len(), found.tries, found.key.value, faults), (1, 2, '0', 0));
        for wrong in ["", "questions = []", "questions = [\"a\"]\nkey = \"*6\"", "questions = [\"a\"]\nkey = \"7\""] {
            assert!(parse(&format!("[survey]\n{wrong}\n")).1 > 0, "{wrong}");
        }
        assert!(parse("[survey]\nquestions = [\"a\", \"b\", \"c\", \"d\", \"e\"]\n").1 > 0);
    }

    #[test]
    fn of_an_agent_one_to_five_calls_are_heard() {
        let parse = |text: &str| {
            let document = Document::parse("p", text);
            let found = quota(&mut document.root().section("qa"));
            (found, document.into_faults().len())
        };
        assert_eq!(
            [parse(""), parse("[qa]\nquota = 1\n"), parse("[qa]\nquota = 5\n")],
            [(None, 0), (Some(1), 0), (Some(5), 0)]
        );
        assert!(parse("[qa]\nquota = 0\n").1 == 1 && parse("[qa]\nquota = 6\n").1 == 1);
    }

    #[test]
    fn a_class_has_a_digit_and_a_name() {
        let parse = |text: &str| {
            let document = Document::parse("p", text);
            let found = classes(&mut document.root().section("classes"), "keys");
            let found: Vec<(char, String)> = found.into_iter().map(|(key, class)| (key, class.value)).collect();
            (found, document.into_faults().len())
        };
        let good = parse("[classes]\nkeys = { 1 = \"技术质量\", 2 = \"sales\" }\n");
        assert_eq!(good, (vec![('1', "技术质量".to_owned()), ('2', "sales".to_owned())], 0));
        assert_eq!(parse("[classes]\nkeys = { a = \"x\", 1 = \" \" }\n"), (Vec::new(), 2));
    }
}
