//! What is done with a caller who asks for somebody else (C8, C9), and the texts that the agent has the gateway say by a key.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::plan::Prompt;

#[derive(Debug, Clone, Default)]
pub struct Courtesies {
    pub texts: Vec<Text>,
    pub transfer: TransferRule,
}

/// The policy for a caller who asks for a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sought {
    /// The caller is asked to call another time, and stays with the agent.
    Refuse,
    /// The agent goes to look, and the caller does not hear the agent meanwhile.
    Fetch,
    /// The caller leaves a message.
    Message,
}

/// What an agent may do with a caller whom somebody else should serve.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Transfer {
    /// Hand the caller on.
    #[default]
    Direct,
    /// Take the matter down: nobody is handed on.
    Ticket,
    /// Tell the number of whoever is in charge.
    TellNumber,
}

#[derive(Debug, Clone, Default)]
pub struct TransferRule {
    pub usual: Transfer,
    /// Of calls of a class.
    pub by_class: BTreeMap<String, Transfer>,
}

impl TransferRule {
    /// What holds for a call of this class.
    pub fn of(&self, class: Option<&str>) -> Transfer {
        class.and_then(|class| self.by_class.get(class)).copied().unwrap_or(self.usual)
    }
}

/// What the agent has the gateway say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Said {
    /// The person who is asked for cannot come to the phone.
    PersonRefused,
    /// The agent goes to look.
    PersonFetched,
    /// The number of whoever is in charge.
    Number,
    Closing,
    /// The farewell to whoever got no answer yet.
    ClosingUnresolved,
}

#[derive(Debug, Clone)]
pub struct Text {
    /// Pressed after `*`.
    pub key: char,
    pub said: Said,
    /// Only in calls of this class.
    pub class: Option<String>,
    /// `None`: the agent says it, and only that it was done is noted.
    pub prompt: Option<Prompt>,
}

impl Courtesies {
    /// What this key has the gateway say in a call of this class.
    pub fn by_key(&self, key: char, class: Option<&str>) -> Option<&Text> {
        let fits = |text: &&Text| text.key == key && (text.class.is_none() || text.class.as_deref() == class);
        self.texts.iter().find(fits)
    }
}
