//! Score forms: what is asked of a call that is heard, as data; and the arithmetic of a filled sheet.
//!
//! A version is known by the SHA-256 of its text: a sheet names the version that it was filled by, and a version that was used is
//! never changed.

mod read;
pub mod score;

pub use read::read;
pub use score::{Answer, Answers, Gap, Score};

use serde::Serialize;

use crate::cdr::words;

/// Bounds of a form, so that the arithmetic is exact in whole numbers.
pub const MOST_SECTIONS: usize = 10;
pub const MOST_ITEMS: usize = 40;
pub const MOST_POINTS: u32 = 100;
pub const MOST_WEIGHT: u32 = 1_000;

/// A form that was checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Form {
    pub id: String,
    /// SHA-256 of the file, in lower-case hex.
    pub version: String,
    pub name: Text,
    /// Which text asks for it.
    pub source: Option<String>,
    pub sections: Vec<Section>,
    /// Flags apart from the score: any one that a person confirms fails the call.
    pub fatal: Vec<Fatal>,
}

/// The same in both languages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Default)]
pub struct Text {
    pub zh: String,
    pub en: String,
}

impl Text {
    pub fn in_language(&self, chinese: bool) -> &str {
        if chinese { &self.zh } else { &self.en }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Section {
    pub id: String,
    pub name: Text,
    /// Against the other sections; they need not add up to 100.
    pub weight: u32,
    pub items: Vec<Item>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Item {
    pub id: String,
    pub name: Text,
    /// What is asked, in whole sentences.
    pub help: Text,
    pub kind: Kind,
    /// The most that it gives.
    pub points: u32,
    /// Off each time, for [`Kind::Deduct`].
    pub each: u32,
    /// It may not apply.
    pub na: bool,
    pub comment: Comment,
    pub filled: Filled,
    /// Rules of the book whose verdicts fill it or hint at it.
    pub rules: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fatal {
    pub id: String,
    pub name: Text,
    pub help: Text,
    pub rules: Vec<String>,
}

words! {
    /// How an item is answered.
    Kind {
        /// All points or none.
        Pass "pass",
        /// 0 to the points, whole.
        Scale "scale",
        /// The points, less `each` for every time that it happened, not below 0.
        Deduct "deduct",
    }
}

words! {
    /// When an answer needs a comment.
    Comment {
        Never "never",
        /// When points are lost.
        Lost "lost",
        Always "always",
    }
}

words! {
    /// Who answers an item first.
    Filled {
        /// The verdicts, if they are clear; a person may overrule them with a comment.
        Machine "machine",
        /// A person, with the verdicts shown.
        Hint "hint",
        Person "person",
    }
}

impl Form {
    pub fn items(&self) -> impl Iterator<Item = &Item> {
        self.sections.iter().flat_map(|section| &section.items)
    }

    pub fn item(&self, id: &str) -> Option<&Item> {
        self.items().find(|item| item.id == id)
    }
}

#[cfg(test)]
mod tests;
