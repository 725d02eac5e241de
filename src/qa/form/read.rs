//! A form from its TOML: every fault at once, with its line.

use std::collections::BTreeSet;
use std::fmt::Display;

use sha2::{Digest as _, Sha256};

use super::{
    Comment, Fatal, Filled, Form, Item, Kind, MOST_ITEMS, MOST_POINTS, MOST_SECTIONS, MOST_WEIGHT, Section, Text,
};
use crate::cdr::Word;
use crate::fault::{Fault, did_you_mean, meant};
use crate::written::{At, Document, Table, text_of};

/// Reads a form. `shown`: the file as faults name it; `is_rule`: whether the rule book has such a rule. The form is whole only
/// if there are no faults.
pub fn read(shown: &str, bytes: &[u8], is_rule: impl Fn(&str) -> bool) -> (Option<Form>, Vec<Fault>) {
    let text = match text_of(shown, bytes) {
        Ok(text) => text,
        Err(fault) => return (None, vec![fault]),
    };
    let document = Document::parse(shown, text);
    let mut reading = Reading { document: &document, is_rule: &is_rule, ids: BTreeSet::new() };
    let form = reading.form(Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect());
    let faults = document.into_faults();
    (form.filter(|_| faults.is_empty()), faults)
}

struct Reading<'d, 't> {
    document: &'d Document<'t>,
    is_rule: &'d dyn Fn(&str) -> bool,
    ids: BTreeSet<String>,
}

impl Reading<'_, '_> {
    fn form(&mut self, version: String) -> Option<Form> {
        let mut root = self.document.root();
        let mut head = root.section("form");
        let (id, name, source) = (head.required_string("id"), text(&mut head, "name", true), head.string("source"));
        drop(head);
        let written = root.sections("section");
        let line = written.get(MOST_SECTIONS).map_or(1, Table::line);
        if written.is_empty() {
            let fault = root.found(1, "no section", "add [[section]] and its [[section.item]]");
            root.tell(fault.said("fault-form-empty", "fault-form-empty-hint", &[]));
        } else if written.len() > MOST_SECTIONS {
            let fault = root.found(line, format!("more than {MOST_SECTIONS} sections"), "put some together");
            root.tell(fault.said("fault-form-sections", "fault-form-sections-hint", &[("most", &MOST_SECTIONS)]));
        }
        let sections: Vec<Section> = written.into_iter().filter_map(|mut table| self.section(&mut table)).collect();
        let fatal: Vec<Fatal> = root.sections("fatal").into_iter().filter_map(|mut t| self.fatal(&mut t)).collect();
        let items: usize = sections.iter().map(|section| section.items.len()).sum();
        if items > MOST_ITEMS {
            let fault = root.found(1, format!("{items} items, at most {MOST_ITEMS}"), "nobody fills more for one call");
            root.tell(fault.said("fault-form-items", "fault-form-items-hint", &[("n", &items), ("most", &MOST_ITEMS)]));
        }
        Some(Form { id: id?.value, version, name: name?, source: source.map(|at| at.value), sections, fatal })
    }

    fn section(&mut self, table: &mut Table<'_>) -> Option<Section> {
        let (id, name) = (self.id(table), text(table, "name", true));
        let weight = required_number(table, "weight", MOST_WEIGHT);
        let written = table.sections("item");
        if written.is_empty() {
            let fault = table.found(table.line(), "a section without items", "add [[section.item]] below it");
            table.tell(fault.said("fault-form-section-empty", "fault-form-section-empty-hint", &[]));
        }
        let items: Vec<Item> = written.into_iter().filter_map(|mut item| self.item(&mut item)).collect();
        let points: u32 = items.iter().map(|item| item.points).sum();
        if points > MOST_POINTS {
            let what = format!("its items give {points} points, at most {MOST_POINTS}");
            let values: [(_, &dyn Display); 2] = [("n", &points), ("most", &MOST_POINTS)];
            let fault = table.found(table.line(), what, "give fewer");
            table.tell(fault.said("fault-form-points", "fault-form-points-hint", &values));
        }
        Some(Section { id: id?, name: name?, weight: weight?, items })
    }

    fn item(&mut self, table: &mut Table<'_>) -> Option<Item> {
        let (id, name, help) = (self.id(table), text(table, "name", true), text(table, "help", false));
        let kind = one_of(table, "kind").unwrap_or(Kind::Pass);
        let points = required_number(table, "points", MOST_POINTS);
        let each = table.integer("each", 1..=MOST_POINTS);
        match (kind, &each) {
            (Kind::Deduct, None) => {
                let hint = "add each = 1: the points off each time";
                let fault = table.found(table.line(), "kind \"deduct\" needs \"each\"", hint);
                table.tell(fault.said("fault-form-each-lacks", "fault-form-each-lacks-hint", &[]));
            }
            (Kind::Pass | Kind::Scale, Some(at)) => {
                let hint = "leave it out, or write kind = \"deduct\"";
                let fault = table.found(at.line, "\"each\" is for kind \"deduct\"", hint);
                table.tell(fault.said("fault-form-each", "fault-form-each-hint", &[]));
            }
            _ => {}
        }
        let na = table.boolean("na").is_some_and(|at| at.value);
        let comment = one_of(table, "comment").unwrap_or(Comment::Lost);
        let rules = self.rules(table);
        let filled = one_of(table, "filled").unwrap_or(Filled::Person);
        if filled != Filled::Person && rules.is_empty() {
            let what = format!("filled = \"{filled}\" without rules");
            let fault = table.found(table.line(), what, "add rules = [\"R-…\"]");
            table.tell(fault.said("fault-form-rules", "fault-form-rules-hint", &[("filled", &filled)]));
        }
        let (each, help) = (each.map_or(0, |at| at.value), help.unwrap_or_default());
        Some(Item { id: id?, name: name?, help, kind, points: points?, each, na, comment, filled, rules })
    }

    fn fatal(&mut self, table: &mut Table<'_>) -> Option<Fatal> {
        let (id, name, help) = (self.id(table), text(table, "name", true), text(table, "help", false));
        let rules = self.rules(table);
        Some(Fatal { id: id?, name: name?, help: help.unwrap_or_default(), rules })
    }

    fn id(&mut self, table: &mut Table<'_>) -> Option<String> {
        let id = table.required_string("id")?;
        let plain = |c: char| c.is_ascii_alphanumeric() || ['.', '_', '-'].contains(&c);
        if !id.value.chars().all(plain) || id.value.len() > 32 {
            let hint = "up to 32 letters, digits, '.', '_' or '-'";
            let fault = table.found(id.line, format!("\"{}\" is no id", id.value), hint);
            table.tell(fault.said("fault-form-id", "fault-form-id-hint", &[("id", &id.value)]));
            return None;
        }
        if !self.ids.insert(id.value.clone()) {
            let what = format!("the id \"{}\" is there twice", id.value);
            let fault = table.found(id.line, what, "answers are known by it: write another");
            table.tell(fault.said("fault-form-id-twice", "fault-form-id-twice-hint", &[("id", &id.value)]));
        }
        Some(id.value)
    }

    fn rules(&self, table: &mut Table<'_>) -> Vec<String> {
        let written = table.strings("rules").map_or_else(Vec::new, |at| at.value);
        for rule in written.iter().filter(|rule| !(self.is_rule)(&rule.value)) {
            let fault = table.found(rule.line, format!("no rule {}", rule.value), "`hotline rules list` has them all");
            table.tell(fault.said("fault-form-rule", "fault-form-rule-hint", &[("rule", &rule.value)]));
        }
        written.into_iter().map(|at| at.value).collect()
    }
}

/// `name_zh` and `name_en`, `help_zh` and `help_en`.
fn text(table: &mut Table<'_>, key: &str, needed: bool) -> Option<Text> {
    let keys = if key == "name" { ("zh", "en") } else { ("help_zh", "help_en") };
    let mut get = |key: &'static str| if needed { table.required_string(key) } else { table.string(key) };
    let (zh, en) = (get(keys.0), get(keys.1));
    Some(Text { zh: zh?.value, en: en?.value })
}

fn required_number(table: &mut Table<'_>, key: &'static str, most: u32) -> Option<u32> {
    if table.line_of(key).is_none() {
        let fault = table.found(table.line(), format!("no \"{key}\""), format!("add {key} = … (1 to {most})"));
        table.tell(fault.said("fault-form-number", "fault-form-number-hint", &[("key", &key), ("most", &most)]));
        return None;
    }
    table.integer(key, 1..=most).map(|at| at.value)
}

fn one_of<W: Word>(table: &mut Table<'_>, key: &'static str) -> Option<W> {
    let At { value, line } = table.string(key)?;
    let found = W::ALL.iter().find(|word| word.word() == value);
    if found.is_none() {
        let known: Vec<&str> = W::ALL.iter().map(|word| word.word()).collect();
        let path = table.path(key);
        let (hint, known_word) = meant(&value, &known);
        let fault = table.found(line, format!("{path} is \"{value}\""), did_you_mean(&value, &known));
        let values: [(_, &dyn Display); 3] = [("path", &path), ("word", &value), ("value", &known_word)];
        table.tell(fault.said("fault-form-word", hint, &values));
    }
    found.copied()
}
