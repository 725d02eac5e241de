//! What the agent has the gateway say to the caller, by `*` and a key; and callers who are not to be handed on.

use std::sync::Arc;

use super::Call;
use super::fact::{ClassedBy, What};
use super::leg::Callee;
use super::talking::{Stage, Talking};
use crate::clock::Now;
use crate::dialplan::courtesies::{Said, Transfer};
use crate::media::Play;

impl Call {
    /// The agent has pressed `*` and this key. Nobody is sent away and nothing ends by it.
    pub(super) fn say_by_key(&mut self, talking: &mut Talking, key: char, at: Now) {
        let (Stage::Connected, Callee::Agent(agent), true) =
            (&talking.stage, talking.callee.clone(), self.is_hotlines())
        else {
            return;
        };
        let hotline = Arc::clone(&self.hotline);
        let Some(text) = hotline.scripts.courtesies.by_key(key, self.class.as_ref().map(|(class, _)| class.as_str()))
        else {
            return;
        };
        self.fact(at, What::SaidForAgent { said: text.said, agent });
        if let Some(prompt) = &text.prompt {
            self.order_play(Play::Announcement, prompt, None, false);
        }
        // Who goes to look leaves the receiver lying.
        if text.said == Said::PersonFetched {
            self.mute(talking, at, true);
        }
    }

    /// The agent may hand this caller on.
    pub(super) fn may_be_handed_on(&self) -> bool {
        let class = self.class.as_ref().map(|(class, _)| class.as_str());
        !self.is_hotlines() || self.hotline.scripts.courtesies.transfer.of(class) == Transfer::Direct
    }

    /// An agent's word counts, and before it a menu's.
    pub(super) fn note_class(&mut self, class: &str, by: ClassedBy) {
        if by == ClassedBy::Agent || self.class.as_ref().is_none_or(|(_, by)| *by == ClassedBy::Menu) {
            self.class = Some((class.to_owned(), by));
        }
    }
}
