//! Cutting a text into the longest texts of a catalogue.
//!
//! Only letters and digits count; punctuation, spaces and case do not. A text is a chain of letters in which each
//! number branches into the ways to say it, and the best path through it is found from the end: least left uncovered,
//! then no last resort, then the fewest pieces, then the longest first.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::ops::Range;

use super::spoken::{Tongue, forms};

/// The texts of a catalogue, by letters. Of equal texts the first wins.
#[derive(Debug, Clone)]
pub(super) struct Texts {
    /// A trie; node 0 is the root.
    nodes: Vec<TrieNode>,
}

#[derive(Debug, Clone, Default)]
struct TrieNode {
    next: BTreeMap<char, usize>,
    /// The entry whose text ends here.
    entry: Option<usize>,
}

/// A text, cut.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Cut {
    /// Entries of the catalogue, in the order of speaking.
    pub(super) entries: Vec<usize>,
    /// Where the text, as written, is not covered.
    pub(super) uncovered: Vec<Range<usize>>,
}

impl Default for Texts {
    fn default() -> Self {
        Texts { nodes: vec![TrieNode::default()] }
    }
}

impl Texts {
    /// Adds an entry; false if its text has no letter or digit.
    pub(super) fn add(&mut self, text: &str, entry: usize) -> bool {
        let mut node = 0;
        for (_, letter) in letters(text) {
            node = match self.nodes[node].next.get(&letter) {
                Some(next) => *next,
                None => {
                    self.nodes.push(TrieNode::default());
                    let new = self.nodes.len() - 1;
                    self.nodes[node].next.insert(letter, new);
                    new
                }
            };
        }
        if node != 0 {
            self.nodes[node].entry.get_or_insert(entry);
        }
        node != 0
    }

    pub(super) fn cut(&self, text: &str, tongue: Tongue) -> Cut {
        let chain = Chain::of(text, tongue);
        let end = chain.nodes.len() - 1;
        let mut best: Vec<Best> = vec![Best::default(); end + 1];
        for node in (0..end).rev() {
            best[node] = self.best_from(node, &chain, &best);
        }
        collect(&best, end)
    }

    fn best_from(&self, node: usize, chain: &Chain, best: &[Best]) -> Best {
        let mut options = Vec::new();
        for step in &chain.nodes[node].steps {
            let after = &best[step.to];
            let cost = Cost { uncovered: after.cost.uncovered + 1, ..after.cost }.with(step.last_resort);
            options.push(Best { cost, choice: Choice::Skip { to: step.to, range: step.range.clone() } });
        }
        // The first of equals is taken, so pieces must come before gaps, and longer ones before shorter ones.
        let mut pieces = Vec::new();
        if !chain.nodes[node].within_word {
            self.pieces(Walk { trie: 0, node, length: 0, last_resort: 0 }, chain, &mut pieces);
        }
        pieces.sort_by_key(|(walk, entry)| (Reverse(walk.length), *entry));
        let spoken = pieces.into_iter().map(|(walk, entry)| {
            let after = &best[walk.node].cost;
            let cost = Cost {
                pieces: after.pieces + 1,
                last_resort: after.last_resort + walk.last_resort,
                uncovered: after.uncovered,
            };
            Best { cost, choice: Choice::Piece { to: walk.node, entry } }
        });
        spoken.chain(options).min_by_key(|b| b.cost).unwrap_or_default()
    }

    /// Every entry that can be spoken from here on.
    fn pieces(&self, walk: Walk, chain: &Chain, found: &mut Vec<(Walk, usize)>) {
        if let Some(entry) = self.nodes[walk.trie].entry
            && !chain.nodes[walk.node].within_word
        {
            found.push((walk, entry));
        }
        for step in &chain.nodes[walk.node].steps {
            if let Some(trie) = self.nodes[walk.trie].next.get(&step.letter) {
                let last_resort = walk.last_resort + u32::from(step.last_resort);
                self.pieces(Walk { trie: *trie, node: step.to, length: walk.length + 1, last_resort }, chain, found);
            }
        }
    }
}

/// The letters and digits of a text with their places: full width as half width, capitals as small letters.
fn letters(text: &str) -> impl Iterator<Item = (Range<usize>, char)> + '_ {
    text.char_indices().flat_map(|(at, written)| {
        let half = match u32::from(written) {
            wide @ 0xFF01..=0xFF5E => char::from_u32(wide - 0xFEE0).unwrap_or(written),
            _ => written,
        };
        let range = at..at + written.len_utf8();
        half.to_lowercase().filter(|c| c.is_alphanumeric()).map(move |c| (range.clone(), c))
    })
}

/// How far a walk through trie and chain has come.
#[derive(Debug, Clone, Copy)]
struct Walk {
    trie: usize,
    node: usize,
    length: usize,
    last_resort: u32,
}

/// In the order of importance.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Cost {
    uncovered: u32,
    last_resort: u32,
    pieces: u32,
}

impl Cost {
    fn with(self, last_resort: bool) -> Cost {
        Cost { last_resort: self.last_resort + u32::from(last_resort), ..self }
    }
}

/// The best way from a node to the end.
#[derive(Debug, Clone, Default)]
struct Best {
    cost: Cost,
    choice: Choice,
}

#[derive(Debug, Clone, Default)]
enum Choice {
    #[default]
    End,
    Piece {
        to: usize,
        entry: usize,
    },
    Skip {
        to: usize,
        range: Range<usize>,
    },
}

fn collect(best: &[Best], end: usize) -> Cut {
    let mut cut = Cut { entries: Vec::new(), uncovered: Vec::new() };
    let (mut node, mut in_gap) = (0, false);
    while node != end {
        match &best[node].choice {
            Choice::End => break,
            Choice::Piece { to, entry } => {
                cut.entries.push(*entry);
                (node, in_gap) = (*to, false);
            }
            Choice::Skip { to, range } => {
                match cut.uncovered.last_mut() {
                    Some(gap) if in_gap => gap.end = range.end,
                    _ => cut.uncovered.push(range.clone()),
                }
                (node, in_gap) = (*to, true);
            }
        }
    }
    cut
}

/// A text as steps from node to node, all leading forward.
#[derive(Debug)]
struct Chain {
    nodes: Vec<ChainNode>,
}

#[derive(Debug, Default)]
struct ChainNode {
    steps: Vec<Step>,
    /// Between two letters of one word (of a script that has words): no piece begins or ends here.
    within_word: bool,
}

#[derive(Debug)]
struct Step {
    to: usize,
    letter: char,
    /// The letter's place in the text as written; for a number that of the number.
    range: Range<usize>,
    last_resort: bool,
}

impl Chain {
    fn of(text: &str, tongue: Tongue) -> Chain {
        let letters: Vec<(Range<usize>, char)> = letters(text).collect();
        let mut chain = Chain { nodes: vec![ChainNode::default()] };
        let mut i = 0;
        while i < letters.len() {
            let digits = adjacent_digits(&letters[i..]);
            if digits > 0 {
                chain.number(&letters[i..i + digits], tongue);
                i += digits;
                continue;
            }
            let (range, letter) = letters[i].clone();
            if i > 0 && letters[i - 1].0.end == range.start && has_words(letter) && has_words(letters[i - 1].1) {
                chain.last_mut().within_word = true;
            }
            chain.step(letter, range, false);
            i += 1;
        }
        chain
    }

    /// Branches into every form of a number, and joins them again.
    fn number(&mut self, digits: &[(Range<usize>, char)], tongue: Tongue) {
        let written: String = digits.iter().map(|(_, digit)| *digit).collect();
        let range = digits[0].0.start..digits[digits.len() - 1].0.end;
        let start = self.nodes.len() - 1;
        let mut ends = Vec::new();
        for form in forms(&written, tongue) {
            let mut node = start;
            for word in &form.words {
                for (n, letter) in word.chars().enumerate() {
                    self.nodes.push(ChainNode { within_word: n + 1 < word.chars().count(), ..ChainNode::default() });
                    let to = self.nodes.len() - 1;
                    let last_resort = form.last_resort && node == start;
                    self.nodes[node].steps.push(Step { to, letter, range: range.clone(), last_resort });
                    node = to;
                }
            }
            ends.push(node);
        }
        // The last node of every form is one and the same: that of the last form, which lies behind all others.
        let join = self.nodes.len() - 1;
        for node in &mut self.nodes {
            for step in &mut node.steps {
                if ends.contains(&step.to) {
                    step.to = join;
                }
            }
        }
    }

    fn step(&mut self, letter: char, range: Range<usize>, last_resort: bool) {
        let to = self.nodes.len();
        self.last_mut().steps.push(Step { to, letter, range, last_resort });
        self.nodes.push(ChainNode::default());
    }

    fn last_mut(&mut self) -> &mut ChainNode {
        let last = self.nodes.len() - 1;
        &mut self.nodes[last]
    }
}

/// How many ASCII digits follow each other without anything between them.
fn adjacent_digits(letters: &[(Range<usize>, char)]) -> usize {
    let mut count = 0;
    for (i, (range, letter)) in letters.iter().enumerate() {
        let joined = i == 0 || letters[i - 1].0.end == range.start;
        if !letter.is_ascii_digit() || !joined {
            break;
        }
        count += 1;
    }
    count
}

/// Scripts written with spaces between words; Chinese is not.
fn has_words(letter: char) -> bool {
    letter.is_alphabetic() && u32::from(letter) < 0x2E80
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The texts it was cut into, then `!` and what is left.
    fn cut(texts: &[&str], text: &str, tongue: Tongue) -> String {
        let mut catalogue = Texts::default();
        for (i, t) in texts.iter().enumerate() {
            catalogue.add(t, i);
        }
        let cut = catalogue.cut(text, tongue);
        let mut shown: Vec<String> = cut.entries.iter().map(|i| texts[*i].to_owned()).collect();
        shown.extend(cut.uncovered.iter().map(|range| format!("!{}", &text[range.clone()])));
        shown.join("|")
    }

    #[test]
    fn the_longest_texts_win() {
        let texts = ["您好", "您好,物业", "物业客户服务中心", "客户服务中心", "八号", "号接待员", "八"];
        let zh = |text| cut(&texts, text, Tongue::Chinese);
        assert_eq!(zh("您好!物业客户服务中心"), "您好,物业|客户服务中心");
        assert_eq!(zh("您好,物业客户服务中心8号"), "您好,物业|客户服务中心|八号");
        assert_eq!(zh("8号接待员"), "八|号接待员");
        assert_eq!(zh("您好,后勤客户服务中心9号,再见"), "您好|客户服务中心|!后勤|!9号,再见");
    }

    #[test]
    fn a_greedy_dead_end_is_avoided() {
        assert_eq!(cut(&["甲乙", "甲乙丙", "丙丁"], "甲乙丙丁", Tongue::Chinese), "甲乙|丙丁");
    }

    #[test]
    fn the_first_of_equal_texts_wins() {
        assert_eq!(cut(&["您好!", "您好"], "您好", Tongue::Chinese), "您好!");
    }

    #[test]
    fn numbers_in_every_form() {
        let zh = |texts: &[&str], text| cut(texts, text, Tongue::Chinese);
        assert_eq!(zh(&["号", "8号", "八"], "8号"), "8号");
        assert_eq!(zh(&["幺零幺号", "一", "零"], "101号"), "幺零幺号");
        assert_eq!(zh(&["十", "一", "二", "幺"], "12"), "十|二");
        assert_eq!(zh(&["一", "二", "幺"], "12"), "幺|二");
        assert_eq!(zh(&["十", "一"], "12"), "十|!12");
        assert_eq!(zh(&["八百"], "8百"), "八百");
        assert_eq!(zh(&["8"], "8"), "8");
        assert_eq!(zh(&["8"], "八"), "!八");
        assert_eq!(zh(&["一", "二", "号"], "1号2号"), "一|号|二|号");
    }

    #[test]
    fn words_are_not_cut_within() {
        let en = |text| {
            cut(&["one", "some", "Agent", "speaking", "I'm", "twelve", "two", "thank you"], text, Tongue::English)
        };
        assert_eq!(en("Agent one speaking."), "Agent|one|speaking");
        assert_eq!(en("AGENT 12 SPEAKING"), "Agent|twelve|speaking");
        assert_eq!(en("Agent 21 speaking"), "Agent|two|one|speaking");
        assert_eq!(en("Someone speaking"), "speaking|!Someone");
        assert_eq!(en("I’m one, thank you"), "I'm|one|thank you");
        assert_eq!(en("Welcome to ACME, Agent one"), "Agent|one|!Welcome to ACME");
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_cut_within_its_bounds(text in "\\PC{0,40}|[ aA一1012İß８,。-]{0,30}", entry in "\\PC{0,6}|[a一12]{1,3}") {
            let mut catalogue = Texts::default();
            catalogue.add(&entry, 0);
            catalogue.add("一", 1);
            for tongue in [Tongue::Chinese, Tongue::English, Tongue::Other] {
                let cut = catalogue.cut(&text, tongue);
                assert!(cut.uncovered.iter().all(|gap| text.get(gap.clone()).is_some_and(|t| !t.is_empty())));
            }
        }
    }

    #[test]
    fn full_width_is_half_width() {
        assert_eq!(cut(&["Ａ座", "八号"], "a座８号", Tongue::Chinese), "Ａ座|八号");
        assert_eq!(cut(&["a"], "", Tongue::Chinese), "");
    }
}
