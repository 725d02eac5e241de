//! `hotline rules book`: the whole book as Markdown. `docs/rules.md` is what it prints of the built-in pack; a test holds it to that.

use std::fmt::Write as _;
use std::io::Write;

use crate::cdr::Word as _;
use crate::rules::measure::MEASURES;
use crate::rules::{KEYS, Pack, Rule, Slot, State};

const THEMES: [(&str, &str); 19] = [
    ("ANS", "Ringing, answering, reachability · 振铃与接听"),
    ("GRT", "Greeting and self-identification · 报号与开头语"),
    ("SPK", "Speech and manners · 通话中的语音与态度"),
    ("AUD", "Silent, low, noisy callers, dialects · 无声、音小、杂音、方言"),
    ("HLD", "Hold and waiting · 等待与恢复"),
    ("TRF", "First responsibility, transfer, messages · 首问负责、转接、留言"),
    ("REG", "Registration of calls and tickets · 登记与工单"),
    ("END", "Closing, hanging up, length · 结束语、挂机次序、时长"),
    ("USE", "Private, wrong, nuisance and difficult calls · 占线、误拨、骚扰"),
    ("CMP", "Complaints and time limits · 投诉与时限"),
    ("CBK", "Callbacks and calls to customers · 回访与外呼"),
    ("ESC", "Escalation · 请示报告与上报"),
    ("DUT", "Duty, shifts, hand-over · 值班、交接、排班"),
    ("QA", "Inspection and rating · 质检、监听、客户评价"),
    ("PAY", "Grades, rewards, penalties · 等级、晋升、奖惩"),
    ("RPT", "Reports and meetings · 报表、统计、会议"),
    ("SEC", "Confidentiality and retention · 保密、查阅、保存、销毁"),
    ("KNW", "Knowledge and agreed answers · 知识库与统一口径"),
    ("SYS", "Equipment · 设备与系统"),
];

/// What each state is, in a sentence.
fn meaning(state: State) -> &'static str {
    match state {
        State::Machine => "the facts of a call decide it",
        State::Hinted => "the facts give a hint; a failure counts only once a person has confirmed it",
        State::Transcript => "decided as a hint as soon as there is a transcript of the call, unknown without one",
        State::Unknown => "facts that it needs are not there; they are named",
        State::Words => "needs the sense of what was said, which a list of phrases does not tell",
        State::KeptRecord => "needs a record that is kept elsewhere: ticket, roster, form",
        State::Human => "for a person alone",
        State::Product => "no single call decides it: the product keeps or shows it, and the row says where",
        State::Elsewhere => "nothing of it passes the gateway; the row says why",
    }
}

pub(super) fn write(pack: &Pack, out: &mut dyn Write) -> std::io::Result<()> {
    out.write_all(markdown(pack).as_bytes())
}

fn markdown(pack: &Pack) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = head(pack, &mut text);
    for (theme, title) in THEMES {
        let rules = pack.rules().filter(|rule| rule.theme == theme);
        let _ = writeln!(
            text,
            "\n## {theme}: {title}\n\n| rule | clause | asks | state | how, or why not |\n|---|---|---|---|---|"
        );
        for rule in rules {
            let asks = format!("{}<br>{}", rule.zh, rule.en);
            let cells = [&*rule.id, &*rule.source, &*asks, rule.state().word(), &*how(pack, rule)].map(cell);
            let _ = writeln!(text, "| {} |", cells.join(" | "));
        }
    }
    text
}

fn head(pack: &Pack, text: &mut String) -> std::fmt::Result {
    writeln!(text, "# The rule book\n\n<!-- Written by `hotline rules book`; do not edit. -->\n")?;
    let total = pack.rules().count();
    writeln!(
        text,
        "All {total} rules of pack `{}`. Severity, and a rule in full: `hotline rules explain R-001`.\n",
        pack.hash()
    )?;
    writeln!(text, "| state | rules | is |\n|---|---|---|")?;
    for &state in State::ALL {
        let count = pack.rules().filter(|rule| rule.state() == state).count();
        writeln!(text, "| {state} | {count} | {} |", meaning(state))?;
    }
    writeln!(text, "\n## Conditions\n\n| measure | holds if | reads |\n|---|---|---|")?;
    for measure in MEASURES {
        writeln!(text, "| `{}` | {}<br>{} | {} |", measure.word, measure.en, measure.zh, measure.reads.join(", "))?;
    }
    writeln!(text, "\n## Parameters\n\n| parameter | is | range |\n|---|---|---|")?;
    for key in KEYS {
        writeln!(text, "| `{}` | {} | {} to {} |", key.name, key.text, key.least, key.most)?;
    }
    writeln!(text, "\n## Phrases\n\n| phrase | any of |\n|---|---|")?;
    for (name, phrase) in pack.phrases() {
        writeln!(text, "| `{name}` | {} |", phrase.written.join("、"))?;
    }
    Ok(())
}

/// Measure, parameters and phrases; what is missing; the reason.
fn how(pack: &Pack, rule: &Rule) -> String {
    let mut parts = Vec::new();
    if let Some(measure) = rule.measure {
        let number = |name: &&str| Some(format!("{name} {}", pack.parameter(rule, name)?));
        let numbers: Vec<String> = measure.parameters.iter().filter_map(number).collect();
        let numbers = if numbers.is_empty() { String::new() } else { format!(" ({})", numbers.join(", ")) };
        parts.push(format!("`{}`{numbers}", measure.word));
    }
    for &slot in Slot::ALL.iter().filter(|slot| !rule.phrases(**slot).is_empty()) {
        parts.push(format!("{slot}: {}", rule.phrases(slot).join(", ")));
    }
    if rule.state() == State::Unknown {
        parts.extend(rule.missing.as_ref().map(|missing| format!("lacks {missing}")));
    }
    parts.extend(rule.reason.clone());
    parts.join("; ")
}

/// A cell of a table is one line, and a bar would end it.
fn cell(text: &(impl AsRef<str> + ?Sized)) -> String {
    text.as_ref().replace('|', "\\|").replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `cargo run -- rules book > docs/rules.md` writes it anew.
    #[test]
    fn the_book_in_docs_is_that_of_the_built_in_pack() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/rules.md");
        let (printed, kept) = (markdown(&Pack::built_in()), std::fs::read_to_string(file).unwrap());
        let differs = printed.lines().zip(kept.lines()).find(|(printed, kept)| printed != kept);
        assert_eq!(differs, None, "run `hotline rules book > docs/rules.md`");
        assert_eq!(printed.lines().count(), kept.lines().count());
        assert_eq!(printed.matches("\n| R-").count(), 496);
    }
}
