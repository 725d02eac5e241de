//! A fault of the configuration: where it stands, what is wrong, and what would be right.

use std::fmt;

/// One fault of one file. Printed as `file:line: what: hint`, the form that editors jump to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fault {
    /// The file as the user would name it.
    pub file: String,
    /// Counts from 1; faults of a file as a whole stand in line 1.
    pub line: u32,
    pub what: String,
    /// What to do about it.
    pub hint: String,
    /// The same for whoever reads another language; `None`: there are only our words.
    pub said: Option<Box<Said>>,
}

/// A fault without its words: keys of texts that the console has in every language, and what is filled into them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Said {
    pub what: &'static str,
    pub hint: &'static str,
    pub values: Vec<(&'static str, String)>,
}

impl Fault {
    pub fn new(file: impl Into<String>, line: u32, what: impl Into<String>, hint: impl Into<String>) -> Self {
        Fault { file: file.into(), line, what: what.into(), hint: hint.into(), said: None }
    }

    /// The same fault, told by keys too.
    pub fn said(self, what: &'static str, hint: &'static str, values: &[(&'static str, &dyn fmt::Display)]) -> Self {
        let values = values.iter().map(|(name, value)| (*name, value.to_string())).collect();
        Fault { said: Some(Box::new(Said { what, hint, values })), ..self }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}: {}", self.file, self.line, self.what, self.hint)
    }
}

impl std::error::Error for Fault {}

/// The line (from 1) in which the byte at `offset` stands.
pub fn line_of(bytes: &[u8], offset: usize) -> u32 {
    let before = &bytes[..offset.min(bytes.len())];
    1 + u32::try_from(before.iter().filter(|b| **b == b'\n').count()).unwrap_or(u32::MAX - 1)
}

/// The one of `known` that `written` was most likely meant to be, if any is near enough.
pub fn nearest<'k>(written: &str, known: &[&'k str]) -> Option<&'k str> {
    let written = written.to_lowercase();
    let near = |word: &&'k str| {
        let word_small = word.to_lowercase();
        let distance = edits(&written, &word_small);
        let longer = word.chars().count().max(written.chars().count());
        let begun = written.len() >= 4 && word_small.starts_with(&written);
        (begun || distance * 3 <= longer + 1).then_some((distance, *word))
    };
    known.iter().filter_map(near).min_by_key(|(distance, _)| *distance).map(|(_, word)| word)
}

/// `did you mean "contact"?`, or the whole list when nothing is near.
pub fn did_you_mean(written: &str, known: &[&str]) -> String {
    match nearest(written, known) {
        Some(word) => format!("did you mean \"{word}\"?"),
        None => format!("known here: {}", known.join(", ")),
    }
}

/// The same as a key and what is filled into it.
pub fn meant(written: &str, known: &[&str]) -> (&'static str, String) {
    match nearest(written, known) {
        Some(word) => ("fault-hint-meant", word.to_owned()),
        None => ("fault-hint-known", known.join(", ")),
    }
}

/// Edits between two words: insertion, removal, exchange, and swap of neighbours (optimal string alignment).
fn edits(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (bounded(a), bounded(b));
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let exchange = last[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = exchange.min(last[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(before_last[j - 2] + 1);
            }
            row.push(best);
        }
        before_last = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

/// No key is longer than this, and the table above grows with the square.
fn bounded(word: &str) -> Vec<char> {
    word.chars().take(64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_as_editors_read_it() {
        let fault = Fault::new("hotline.toml", 7, "unknown key \"contcat\"", "did you mean \"contact\"?");
        assert_eq!(fault.to_string(), "hotline.toml:7: unknown key \"contcat\": did you mean \"contact\"?");
    }

    #[test]
    fn finds_the_nearest_word() {
        let keys = ["number", "name", "contact", "password_file"];
        assert_eq!(nearest("contcat", &keys), Some("contact"));
        assert_eq!(nearest("nmae", &keys), Some("name"));
        assert_eq!(nearest("Numbers", &keys), Some("number"));
        assert_eq!(nearest("password", &keys), Some("password_file"));
        assert_eq!(nearest("colour", &keys), None);
        assert_eq!(did_you_mean("colour", &["a", "b"]), "known here: a, b");
    }

    #[test]
    fn lines_count_from_one() {
        let text = b"a\nb\nc";
        assert_eq!([0, 1, 2, 4, 99].map(|at| line_of(text, at)), [1, 1, 2, 3, 3]);
    }
}
