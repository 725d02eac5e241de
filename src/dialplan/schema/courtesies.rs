//! `[person_sought]`, `[transfer]` and the texts of `[closing]` as written: what is done with a caller who asks for somebody else (C8, C9),
//! and the texts that the agent has the gateway say, each by `*` and a key.

use std::collections::BTreeMap;

use super::callers::is_number;
use super::one_of;
use crate::dialplan::courtesies::{Sought, Transfer};
use crate::written::{At, Table};

#[derive(Debug)]
pub(in crate::dialplan) struct Courtesies {
    pub(in crate::dialplan) sought: Option<PersonSought>,
    pub(in crate::dialplan) transfer: TransferRule,
    /// The farewell, and the one for whoever got no answer yet.
    pub(in crate::dialplan) closing: Option<Text>,
    pub(in crate::dialplan) unresolved: Option<Text>,
}

#[derive(Debug)]
pub(in crate::dialplan) struct PersonSought {
    pub(in crate::dialplan) policy: Sought,
    pub(in crate::dialplan) key: At<char>,
    pub(in crate::dialplan) text: Option<At<String>>,
    pub(in crate::dialplan) then: Option<At<String>>,
}

#[derive(Debug)]
pub(in crate::dialplan) struct TransferRule {
    pub(in crate::dialplan) usual: Transfer,
    pub(in crate::dialplan) by_class: BTreeMap<String, At<Transfer>>,
    pub(in crate::dialplan) key: At<char>,
    pub(in crate::dialplan) text: Option<At<String>>,
    /// By class.
    pub(in crate::dialplan) numbers: BTreeMap<String, At<String>>,
}

#[derive(Debug)]
pub(in crate::dialplan) struct Text {
    pub(in crate::dialplan) key: At<char>,
    pub(in crate::dialplan) text: At<String>,
}

/// `table`: `[closing]`.
pub(super) fn read(root: &mut Table<'_>, table: &mut Table<'_>) -> Courtesies {
    let (sought, transfer) = (sought(root.section("person_sought")), transfer(root.section("transfer")));
    let closing = text(table, "text", "key", '3');
    let unresolved = text(table, "unresolved", "unresolved_key", '0');
    Courtesies { sought, transfer, closing, unresolved }
}

fn sought(mut table: Table<'_>) -> Option<PersonSought> {
    let words = [("refuse", Sought::Refuse), ("fetch", Sought::Fetch), ("message", Sought::Message)];
    let policy = one_of(&mut table, "policy", &words, &[], "");
    let sought = PersonSought {
        policy: policy.unwrap_or(Sought::Message),
        key: key(&mut table, "key", '2'),
        text: table.string("text"),
        then: table.string("then"),
    };
    let (line, message) = (table.line(), sought.policy == Sought::Message);
    match (&sought.then, &sought.text) {
        _ if !table.is_present() => return None,
        (None, _) if message => {
            let what = "person_sought.policy is \"message\", and where the caller goes is not told";
            table.fault(line, what, "add then = \"…\": the step that takes the message");
        }
        (Some(then), _) if !message => {
            let what = "person_sought.then is told, and the caller stays with the agent";
            table.fault(then.line, what, "leave it out, or write policy = \"message\"");
        }
        (_, Some(text)) if message => {
            table.fault(
                text.line,
                "person_sought.text is told, and nobody says it",
                "write it into the step of \"then\"",
            );
        }
        _ => {}
    }
    Some(sought)
}

const TRANSFERS: [(&str, Transfer); 3] =
    [("direct", Transfer::Direct), ("ticket", Transfer::Ticket), ("tell_number", Transfer::TellNumber)];

fn transfer(mut table: Table<'_>) -> TransferRule {
    let mut by_class = BTreeMap::new();
    for (class, written) in table.pairs("classes").map_or_else(Vec::new, |at| at.value) {
        match TRANSFERS.iter().find(|(word, _)| *word == written.value) {
            Some((_, transfer)) => drop(by_class.insert(class.value, At::new(*transfer, class.line))),
            None => {
                let what = format!("transfer.classes: \"{}\" is not known", written.value);
                table.fault(written.line, what, "write \"direct\", \"ticket\" or \"tell_number\"");
            }
        }
    }
    let mut numbers = BTreeMap::new();
    for (class, number) in table.pairs("numbers").map_or_else(Vec::new, |at| at.value) {
        if is_number(&number.value) {
            numbers.insert(class.value, number);
        } else {
            let what = format!("transfer.numbers: \"{}\" is no telephone number", number.value);
            table.fault(number.line, what, "write the digits without spaces or dashes");
        }
    }
    let rule = TransferRule {
        usual: one_of(&mut table, "policy", &TRANSFERS, &[], "").unwrap_or_default(),
        by_class,
        key: key(&mut table, "key", '4'),
        text: table.string("text"),
        numbers,
    };
    for (class, transfer) in rule.by_class.iter().filter(|(_, transfer)| transfer.value == Transfer::TellNumber) {
        if !rule.numbers.contains_key(class) {
            let what = format!("transfer.classes: \"{class}\" is told a number, and there is none");
            table.fault(transfer.line, what, format!("add numbers = {{ \"{class}\" = \"…\" }}"));
        }
    }
    rule
}

fn text(table: &mut Table<'_>, name: &'static str, of_key: &'static str, usual: char) -> Option<Text> {
    let (key, text) = (key(table, of_key, usual), table.string(name));
    text.map(|text| Text { key, text })
}

/// `*` and a digit that means nothing else in a talk: 5 pauses the recording, 6 mutes, 8 tells the class.
fn key(table: &mut Table<'_>, name: &'static str, usual: char) -> At<char> {
    let Some(written) = table.string(name) else { return At::new(usual, table.line()) };
    match written.value.as_bytes() {
        [b'*', digit @ (b'0'..=b'4' | b'7' | b'9')] => At::new(char::from(*digit), written.line),
        _ => {
            let what = format!("{} \"{}\" is no code for a talk", table.path(name), written.value);
            table.fault(written.line, what, "write \"*\" and a digit that is not 5, 6 or 8");
            At::new(usual, written.line)
        }
    }
}

impl Courtesies {
    /// The keys that do something, with the section of each.
    pub(super) fn keys(&self) -> Vec<(&'static str, &At<char>)> {
        let sought = self.sought.iter().map(|sought| ("person_sought", &sought.key));
        let number = (!self.transfer.numbers.is_empty()).then_some(("transfer", &self.transfer.key));
        let closing = self.closing.iter().chain(&self.unresolved).map(|text| ("closing", &text.key));
        sought.chain(number).chain(closing).collect()
    }

    /// Each class that is named is one of the hotline's.
    pub(super) fn check_classes(&self, root: &Table<'_>, known: &[&str]) {
        let named = self.transfer.by_class.iter().map(|(class, at)| (class, at.line));
        for (class, line) in named.chain(self.transfer.numbers.iter().map(|(class, at)| (class, at.line))) {
            if !known.contains(&class.as_str()) {
                let what = format!("transfer: no call is of the class \"{class}\"");
                root.fault(line, what, "name a class of [classes] or of a menu");
            }
        }
    }
}
