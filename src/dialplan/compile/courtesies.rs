//! The texts that agents have the gateway say, found among the recordings.

use super::speaker::Speaker;
use crate::dialplan::courtesies::{Courtesies, Said, Sought, Text, TransferRule};
use crate::dialplan::schema::courtesies as written;
use crate::written::At;

/// What stands for the number in `transfer.text`.
const NUMBER: &str = "{number}";

pub(super) fn compile(file: &written::Courtesies, speaker: &mut Speaker<'_, '_>) -> Courtesies {
    let mut texts = Vec::new();
    if let Some(sought) = &file.sought
        && let Some(said) = match sought.policy {
            Sought::Refuse => Some(Said::PersonRefused),
            Sought::Fetch => Some(Said::PersonFetched),
            Sought::Message => None,
        }
    {
        let prompt = sought.text.as_ref().and_then(|text| speaker.one("person_sought.text", text));
        texts.push(Text { key: sought.key.value, said, class: None, prompt });
    }
    let transfer = &file.transfer;
    for (class, number) in &transfer.numbers {
        let text = transfer.text.as_ref().map_or(NUMBER, |text| text.value.as_str());
        let text = At::new(text.replace(NUMBER, &number.value), number.line);
        let prompt = speaker.one("transfer.text", &text);
        texts.push(Text { key: transfer.key.value, said: Said::Number, class: Some(class.clone()), prompt });
    }
    let closings = [("closing.text", &file.closing, Said::Closing)];
    let closings = closings.into_iter().chain([("closing.unresolved", &file.unresolved, Said::ClosingUnresolved)]);
    for (name, text, said) in closings.filter_map(|(name, text, said)| Some((name, text.as_ref()?, said))) {
        let prompt = speaker.one(name, &text.text);
        texts.push(Text { key: text.key.value, said, class: None, prompt });
    }
    let by_class = transfer.by_class.iter().map(|(class, transfer)| (class.clone(), transfer.value));
    Courtesies { texts, transfer: TransferRule { usual: transfer.usual, by_class: by_class.collect() } }
}
