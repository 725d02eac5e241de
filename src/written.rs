//! TOML as written: a reader that reports every fault of a file at once, each with its line.
//!
//! A [`Document`] is parsed with recovery; its tables are then asked for their keys one by one. A [`Table`] remembers
//! what it was asked for, and when it is dropped it reports every key that nobody asked for, with the nearest one that
//! was.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::ops::RangeInclusive;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::fault::{Fault, did_you_mean, line_of, meant, nearest};

/// A value and the line it stands in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct At<T> {
    pub value: T,
    pub line: u32,
}

impl<T> At<T> {
    pub fn new(value: T, line: u32) -> Self {
        At { value, line }
    }
}

/// Key and value, both with their lines.
pub type Pair = (At<String>, At<String>);

/// One TOML file and the faults found in it so far.
pub struct Document<'t> {
    file: String,
    /// Where each line but the first begins.
    lines: Vec<usize>,
    root: DeTable<'t>,
    /// Lines with a syntax error. What was recovered of them is a guess, so nothing else is said about them.
    broken: Vec<u32>,
    faults: RefCell<Vec<Fault>>,
    /// Section and key of everything that was asked for: what a reader knows.
    asked: RefCell<BTreeSet<(String, &'static str)>>,
}

impl<'t> Document<'t> {
    /// Parses `text`; `file` is the name that faults carry.
    pub fn parse(file: &str, text: &'t str) -> Self {
        let (root, errors) = DeTable::parse_recoverable(text);
        let document = Document {
            file: file.to_owned(),
            lines: text.match_indices('\n').map(|(at, _)| at + 1).collect(),
            root: root.into_inner(),
            broken: Vec::new(),
            faults: RefCell::default(),
            asked: RefCell::default(),
        };
        let mut broken = Vec::new();
        for error in errors {
            let line = document.line(error.span().map_or(0, |span| span.start));
            if !broken.contains(&line) {
                document.tell(not_toml(document.file(), line, error.message()));
                broken.push(line);
            }
        }
        Document { broken, ..document }
    }

    pub fn root(&self) -> Table<'_> {
        Table { document: self, name: String::new(), line: 1, table: Some(&self.root), asked: Vec::new() }
    }

    /// Adds a fault, unless its line is broken anyway.
    pub fn fault(&self, line: u32, what: impl Into<String>, hint: impl Into<String>) {
        self.tell(Fault::new(self.file.as_str(), line, what, hint));
    }

    /// The same with a fault of this file that is made already.
    pub fn tell(&self, fault: Fault) {
        if !self.broken.contains(&fault.line) {
            self.faults.borrow_mut().push(fault);
        }
    }

    pub fn file(&self) -> &str {
        &self.file
    }

    /// Every section and key that a reader has asked for so far, with the table's name as faults show it.
    pub fn asked(&self) -> BTreeSet<(String, &'static str)> {
        self.asked.borrow().clone()
    }

    pub fn into_faults(self) -> Vec<Fault> {
        self.faults.into_inner()
    }

    fn line(&self, offset: usize) -> u32 {
        u32::try_from(self.lines.partition_point(|begin| *begin <= offset) + 1).unwrap_or(u32::MAX)
    }
}

/// The text of a file, or where it stops being text.
pub fn text_of<'b>(file: &str, bytes: &'b [u8]) -> Result<&'b str, Fault> {
    std::str::from_utf8(bytes)
        .map(|text| text.strip_prefix('\u{feff}').unwrap_or(text))
        .map_err(|e| Fault::new(file, line_of(bytes, e.valid_up_to()), "not UTF-8", "save the file as UTF-8"))
}

/// One table of a document; an absent section is an empty table.
pub struct Table<'d> {
    document: &'d Document<'d>,
    /// As faults name it: `[sip]`, `[[agent]]`; empty for the root.
    name: String,
    /// Where its header stands (line 1 if the section is absent).
    line: u32,
    table: Option<&'d DeTable<'d>>,
    asked: Vec<&'static str>,
}

impl<'d> Table<'d> {
    pub fn line(&self) -> u32 {
        self.line
    }

    /// Whether the section is in the file at all.
    pub fn is_present(&self) -> bool {
        self.table.is_some()
    }

    pub fn fault(&self, line: u32, what: impl Into<String>, hint: impl Into<String>) {
        self.document.fault(line, what, hint);
    }

    /// A fault of this file that is not told yet.
    pub fn found(&self, line: u32, what: impl Into<String>, hint: impl Into<String>) -> Fault {
        Fault::new(self.document.file(), line, what, hint)
    }

    pub fn tell(&self, fault: Fault) {
        self.document.tell(fault);
    }

    /// The section `[key]`; empty if it is absent.
    pub fn section(&mut self, key: &'static str) -> Table<'d> {
        let name = format!("[{key}]");
        let mut found = Table { document: self.document, name, line: 1, table: None, asked: Vec::new() };
        if let Some((line, value)) = self.get(key) {
            match value.get_ref() {
                DeValue::Table(table) => (found.line, found.table) = (line, Some(table)),
                other => self.wrong_type(key, line, other, "a section", &format!("write [{key}] and its keys below")),
            }
        }
        found
    }

    /// The sections `[[key]]`, in order.
    pub fn sections(&mut self, key: &'static str) -> Vec<Table<'d>> {
        let Some((line, value)) = self.get(key) else { return Vec::new() };
        let hint = format!("write [[{key}]] and its keys below");
        let DeValue::Array(array) = value.get_ref() else {
            self.wrong_type(key, line, value.get_ref(), "a list of sections", &hint);
            return Vec::new();
        };
        let mut found = Vec::new();
        for element in array.iter() {
            let line = self.document.line(element.span().start);
            match element.get_ref() {
                DeValue::Table(table) => {
                    let name = format!("[[{key}]]");
                    found.push(Table { document: self.document, name, line, table: Some(table), asked: Vec::new() });
                }
                other => self.wrong_type(key, line, other, "a section", &hint),
            }
        }
        found
    }

    pub fn boolean(&mut self, key: &'static str) -> Option<At<bool>> {
        let (line, value) = self.get(key)?;
        match value.get_ref() {
            DeValue::Boolean(flag) => Some(At::new(*flag, line)),
            other => {
                self.wrong_type(key, line, other, "true or false", "write it without quotes");
                None
            }
        }
    }

    /// No key of this table is unknown: what it may hold depends on a value that has a fault.
    pub fn ask_for_all(&mut self) {
        self.table = None;
    }

    /// The sections `[key.NAME]`, in the order of the file.
    pub fn named_sections(&mut self, key: &'static str) -> Vec<(At<String>, Table<'d>)> {
        let Some((line, value)) = self.get(key) else { return Vec::new() };
        let hint = format!("write [{key}.NAME] and its keys below");
        let DeValue::Table(all) = value.get_ref() else {
            self.wrong_type(key, line, value.get_ref(), "sections with names", &hint);
            return Vec::new();
        };
        let mut found = Vec::new();
        for (name, value) in all.iter() {
            let (line, written) = (self.document.line(name.span().start), name.get_ref().as_ref());
            match value.get_ref() {
                DeValue::Table(table) => {
                    let name = format!("[{key}.{written}]");
                    let table = Table { document: self.document, name, line, table: Some(table), asked: Vec::new() };
                    found.push((At::new(written.to_owned(), line), table));
                }
                other => self.wrong_type(key, line, other, "a section", &hint),
            }
        }
        found.sort_by_key(|(name, _)| name.line);
        found
    }

    /// `key = { NAME = "…", NAME = "…" }`, in the order of the file.
    pub fn pairs(&mut self, key: &'static str) -> Option<At<Vec<Pair>>> {
        let (line, value) = self.get(key)?;
        let hint = format!("write {key} = {{ NAME = \"…\" }}");
        let DeValue::Table(all) = value.get_ref() else {
            self.wrong_type(key, line, value.get_ref(), "a table", &hint);
            return None;
        };
        let mut found: Vec<(usize, Pair)> = Vec::new();
        for (name, value) in all.iter() {
            let start = name.span().start;
            let line = self.document.line(start);
            match value.get_ref() {
                DeValue::String(text) => {
                    let name = At::new(name.get_ref().clone().into_owned(), line);
                    found.push((start, (name, At::new(text.clone().into_owned(), line))));
                }
                other => self.wrong_type(key, line, other, "a table of strings", &hint),
            }
        }
        found.sort_by_key(|(start, _)| *start);
        Some(At::new(found.into_iter().map(|(_, pair)| pair).collect(), line))
    }

    /// `key = { NAME = 2, NAME = 1 }`, by name: whole numbers within `range`.
    pub fn counts(&mut self, key: &'static str, range: RangeInclusive<u32>) -> Option<At<BTreeMap<String, u32>>> {
        let (line, value) = self.get(key)?;
        let hint = format!("write {key} = {{ NAME = {} }}, with whole numbers up to {}", range.start(), range.end());
        let DeValue::Table(all) = value.get_ref() else {
            self.wrong_type(key, line, value.get_ref(), "a table", &hint);
            return None;
        };
        let mut found = BTreeMap::new();
        for (name, value) in all.iter() {
            let count = match value.get_ref() {
                DeValue::Integer(written) => u32::from_str_radix(written.as_str(), written.radix()).ok(),
                _ => None,
            };
            match count.filter(|count| range.contains(count)) {
                Some(count) => drop(found.insert(name.get_ref().clone().into_owned(), count)),
                None => {
                    let line = self.document.line(name.span().start);
                    self.fault(line, format!("{}: \"{}\" has no such number", self.path(key), name.get_ref()), &hint);
                }
            }
        }
        Some(At::new(found, line))
    }

    /// The line of a key, whatever its value.
    pub fn line_of(&mut self, key: &'static str) -> Option<u32> {
        self.get(key).map(|(line, _)| line)
    }

    pub fn string(&mut self, key: &'static str) -> Option<At<String>> {
        let (line, value) = self.get(key)?;
        match value.get_ref() {
            DeValue::String(text) => Some(At::new(text.clone().into_owned(), line)),
            other => {
                self.wrong_type(key, line, other, "a string", &quoted(key, other));
                None
            }
        }
    }

    /// A string that must be there and must not be empty.
    pub fn required_string(&mut self, key: &'static str) -> Option<At<String>> {
        self.required(key, "\"…\"");
        let found = self.string(key)?;
        if found.value.trim().is_empty() {
            let fault = self.found(found.line, format!("{} is empty", self.path(key)), "write it between the quotes");
            self.tell(fault.said("fault-empty", "fault-hint-quotes", &[("path", &self.path(key))]));
            return None;
        }
        Some(found)
    }

    /// A list of strings, each with its own line. A single string is not a list.
    pub fn strings(&mut self, key: &'static str) -> Option<At<Vec<At<String>>>> {
        let (line, value) = self.get(key)?;
        let DeValue::Array(array) = value.get_ref() else {
            self.wrong_type(key, line, value.get_ref(), "a list of strings", &format!("write {key} = [\"…\"]"));
            return None;
        };
        let mut found = Vec::new();
        for element in array.iter() {
            let line = self.document.line(element.span().start);
            match element.get_ref() {
                DeValue::String(text) => found.push(At::new(text.clone().into_owned(), line)),
                other => self.wrong_type(key, line, other, "a list of strings", &format!("write {key} = [\"…\"]")),
            }
        }
        Some(At::new(found, line))
    }

    /// A list of strings that must be there and must not be empty.
    pub fn required_strings(&mut self, key: &'static str) -> Option<At<Vec<At<String>>>> {
        self.required(key, "[\"…\"]");
        let DeValue::Array(array) = self.get(key)?.1.get_ref() else { return self.strings(key) };
        let empty = array.is_empty();
        let found = self.strings(key)?;
        if empty {
            self.fault(found.line, format!("{} is empty", self.path(key)), format!("write {key} = [\"…\"]"));
            return None;
        }
        Some(found)
    }

    /// A whole number within `range`.
    pub fn integer(&mut self, key: &'static str, range: RangeInclusive<u32>) -> Option<At<u32>> {
        let (line, value) = self.get(key)?;
        let hint = format!("a whole number from {} to {}", range.start(), range.end());
        let DeValue::Integer(written) = value.get_ref() else {
            self.wrong_type(key, line, value.get_ref(), "an integer", &hint);
            return None;
        };
        match u32::from_str_radix(written.as_str(), written.radix()) {
            Ok(number) if range.contains(&number) => Some(At::new(number, line)),
            _ => {
                let path = self.path(key);
                let fault = self.found(line, format!("{path} is out of range: {written}"), hint);
                let values: [(_, &dyn Display); 4] =
                    [("path", &path), ("n", written), ("from", range.start()), ("to", range.end())];
                self.tell(fault.said("fault-range", "fault-hint-whole", &values));
                None
            }
        }
    }

    /// Reports the key as missing if it is.
    fn required(&mut self, key: &'static str, sample: &str) {
        let absent = self.get(key).is_none();
        // With a syntax error in the file the key may well be there, only unreadable.
        if absent && self.document.broken.is_empty() {
            let section = if self.name.is_empty() { "the file" } else { self.name.as_str() };
            let what = format!("{section} has no \"{key}\"");
            let fault = self.found(self.line, what, format!("add {key} = {sample}{}", self.below()));
            self.tell(fault.said(
                "fault-lacks",
                "fault-hint-add",
                &[("section", &self.name), ("key", &key), ("sample", &sample)],
            ));
        }
    }

    fn below(&self) -> String {
        if self.is_present() { String::new() } else { format!(" below {}", self.name) }
    }

    fn get(&mut self, key: &'static str) -> Option<(u32, &'d Spanned<DeValue<'d>>)> {
        if !self.asked.contains(&key) {
            self.asked.push(key);
        }
        let (name, value) = self.table?.get_key_value(key)?;
        Some((self.document.line(name.span().start), value))
    }

    fn wrong_type(&self, key: &str, line: u32, found: &DeValue<'_>, wanted: &str, hint: &str) {
        let (path, type_of) = (self.path(key), found.type_str());
        let fault = self.found(line, format!("{path} is {}, not {wanted}", with_article(type_of)), hint);
        // As Fluent names its cases.
        let case = wanted.replace(' ', "-");
        let values: [(_, &dyn Display); 4] = [("path", &path), ("key", &key), ("found", &type_of), ("wanted", &case)];
        self.tell(fault.said("fault-type", "fault-hint-type", &values));
    }

    /// `sip.listen`, `agent.number`, `hotline`.
    pub fn path(&self, key: &str) -> String {
        match self.name.trim_matches(['[', ']']) {
            "" => key.to_owned(),
            section => format!("{section}.{key}"),
        }
    }

    fn report_unknown(&self) {
        let Some(table) = self.table else { return };
        for (key, value) in table.iter() {
            let written: &str = key.get_ref().as_ref();
            if self.asked.contains(&written) {
                continue;
            }
            let line = self.document.line(key.span().start);
            let is_section = match value.get_ref() {
                DeValue::Table(_) => true,
                DeValue::Array(array) => array.iter().any(|e| e.get_ref().is_table()),
                _ => false,
            };
            if self.name.is_empty() {
                let noun = if is_section { format!("section [{written}]") } else { format!("key \"{written}\"") };
                let hint = match nearest(written, &self.asked) {
                    Some(word) => format!("did you mean [{word}]?"),
                    None => format!("the sections are {}", self.asked.join(", ")),
                };
                let (key, value) = meant(written, &self.asked);
                let fault = self.found(line, format!("unknown {noun}"), hint);
                self.tell(fault.said("fault-unknown-section", key, &[("key", &written), ("value", &value)]));
            } else {
                let what = format!("unknown key \"{written}\" in {}", self.name);
                let (key, value) = meant(written, &self.asked);
                let values: [(_, &dyn Display); 3] = [("key", &written), ("section", &self.name), ("value", &value)];
                let fault = self.found(line, what, did_you_mean(written, &self.asked));
                self.tell(fault.said("fault-unknown-key", key, &values));
            }
        }
    }
}

impl Drop for Table<'_> {
    fn drop(&mut self) {
        self.report_unknown();
        let asked = self.asked.iter().map(|key| (self.name.clone(), *key));
        self.document.asked.borrow_mut().extend(asked);
    }
}

fn not_toml(file: &str, line: u32, message: &str) -> Fault {
    let (hint, key) = if message.contains("duplicate key") {
        ("keep one of the two", "fault-hint-twice")
    } else if message.contains("quote") || message.contains("string") {
        ("texts stand in double quotes", "fault-hint-quotes")
    } else {
        ("lines are: [section], key = value, or # comment", "fault-hint-lines")
    };
    let message = message.lines().next().unwrap_or_default();
    Fault::new(file, line, format!("not TOML: {message}"), hint).said("fault-toml", key, &[("message", &message)])
}

/// A number where a string belongs is nearly always an agent's or a telephone number without its quotes.
fn quoted(key: &str, found: &DeValue<'_>) -> String {
    match found {
        DeValue::Integer(number) => format!("write {key} = \"{number}\""),
        _ => format!("write {key} = \"…\""),
    }
}

fn with_article(noun: &str) -> String {
    let article = if noun.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
    let noun = if noun == "array" { "list" } else { noun };
    if noun == "list" { "a list".to_owned() } else { format!("{article} {noun}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(text: &str, read: impl Fn(&mut Table<'_>)) -> Vec<String> {
        let document = Document::parse("f", text);
        read(&mut document.root());
        let mut faults = document.into_faults();
        faults.sort();
        faults.iter().map(Fault::to_string).collect()
    }

    fn sip(root: &mut Table<'_>) {
        let mut sip = root.section("sip");
        sip.required_strings("listen");
        sip.string("advertise");
        sip.integer("limit", 1..=9);
        for mut agent in root.sections("agent") {
            agent.required_string("number");
            agent.string("name");
        }
    }

    #[test]
    fn every_fault_at_once_with_its_line() {
        let text = "[sip]\n\nlisten = \"x\"\nadvertize = \"y\"\nlimit = 10\n[[agent]]\nname = 3\n[[agent]]\n\
                    number = 8\n[sipp]\na = 1\n";
        assert_eq!(
            faults(text, sip),
            [
                "f:3: sip.listen is a string, not a list of strings: write listen = [\"…\"]",
                "f:4: unknown key \"advertize\" in [sip]: did you mean \"advertise\"?",
                "f:5: sip.limit is out of range: 10: a whole number from 1 to 9",
                "f:6: [[agent]] has no \"number\": add number = \"…\"",
                "f:7: agent.name is an integer, not a string: write name = \"3\"",
                "f:9: agent.number is an integer, not a string: write number = \"8\"",
                "f:10: unknown section [sipp]: did you mean [sip]?",
            ]
        );
    }

    #[test]
    fn lines_of_elements_and_of_missing_sections() {
        let text = "# only a comment\n[[agent]]\nnumber = \"\"\n";
        assert_eq!(
            faults(text, sip),
            [
                "f:1: [sip] has no \"listen\": add listen = [\"…\"] below [sip]",
                "f:3: agent.number is empty: write it between the quotes",
            ]
        );
        let text = "[sip]\nlisten = [\n \"a\",\n 5,\n]\nlimit = -1\n";
        assert_eq!(
            faults(text, sip),
            [
                "f:4: sip.listen is an integer, not a list of strings: write listen = [\"…\"]",
                "f:6: sip.limit is out of range: -1: a whole number from 1 to 9",
            ]
        );
    }

    #[test]
    fn syntax_errors_are_told_with_the_others() {
        let found = faults("[sip]\nlisten = [\"a\"]\nlisten = [\"b\"]\nadvertise = \nlimt = 3\n[[agent]\n", sip);
        let lines: Vec<&str> = found.iter().map(|f| &f[..4]).collect();
        assert_eq!(lines, ["f:3:", "f:4:", "f:5:", "f:6:"], "{found:#?}");
        assert!(found[0].ends_with("keep one of the two"), "{}", found[0]);
        assert!(found[2].ends_with("did you mean \"limit\"?"), "{}", found[2]);
    }

    #[test]
    fn bytes_that_are_not_text() {
        let fault = text_of("f", b"a = 1\nb = \"\xff\"\n").err();
        assert_eq!(fault.map(|f| f.line), Some(2));
        assert_eq!(text_of("f", b"\xef\xbb\xbfa"), Ok("a"));
    }
}
