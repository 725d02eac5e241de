//! The table hotline × rule of `dialplans/README.md`: which rules each shipped plan says it sets, and which tests call it. Written anew
//! with `HOTLINE_WRITE_DEPLOY=1`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use hotline::io::dialplans::BuiltIn;

/// The tests that call shipped hotlines.
const TESTS: [&str; 3] = [include_str!("sixteen.rs"), include_str!("own_rules.rs"), include_str!("real.rs")];
const HEAD: &str = "| 热线 hotline | 规则 rules | 测试 tests |\n|---|---|---|\n";

/// The rules that a text names.
fn rules(text: &str) -> BTreeSet<String> {
    let number = |at: usize| text.get(at..at + 5).filter(|rule| rule[2..].bytes().all(|b| b.is_ascii_digit()));
    text.match_indices("R-").filter_map(|(at, _)| number(at)).map(str::to_owned).collect()
}

/// What stands at the margin of a file, with its name: `fn`, `const` and the like, a test by its mark.
fn items(file: &str) -> Vec<(String, String)> {
    let mut items: Vec<String> = Vec::new();
    for line in file.lines() {
        let begins =
            ["fn ", "const ", "static ", "impl", "struct ", "#[test]"].iter().any(|word| line.starts_with(word));
        match items.last_mut() {
            Some(item) if !begins || item.as_str() == "#[test]\n" => *item += line,
            _ => items.push(line.to_owned()),
        }
        items.iter_mut().last().into_iter().for_each(|item| item.push('\n'));
    }
    let name = |item: &String| {
        let line = item.trim_start_matches("#[test]\n").lines().next()?;
        let (_, rest) = line.split_once(' ')?;
        Some(rest.split([':', '(', '<', ' ']).next()?.to_owned())
    };
    items.into_iter().filter_map(|item| Some((name(&item)?, item))).collect()
}

/// Each test with its text, and that of the constants that it names.
fn tests() -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for file in TESTS {
        let items = items(file);
        for (name, test) in items.iter().filter(|(_, item)| item.starts_with("#[test]")) {
            let used = items.iter().filter(|(other, item)| item.starts_with("const ") && test.contains(other.as_str()));
            let text = used.fold(test.clone(), |text, (_, item)| text + item);
            found.insert(name.clone(), text);
        }
    }
    found
}

/// The section of the README, as it should be.
fn table() -> String {
    let tests = tests();
    let mut table = HEAD.to_owned();
    for file in BuiltIn::examples() {
        let text = String::from_utf8(file.bytes).expect("text");
        let plan: toml::Table = text.parse().expect("a dialplan");
        let numbers = plan["hotline"]["numbers"].as_array().expect("numbers");
        let numbers: Vec<&str> = numbers.iter().filter_map(|number| number.as_str()).collect();
        let set = rules(text.split("# not yet").next().unwrap_or_default());
        let calls = |of: &str| numbers.iter().any(|number| of.contains(number)) || of.contains("shipped()");
        let by: Vec<(&String, &String)> = tests.iter().filter(|(_, of)| calls(of)).collect();
        let shown: BTreeSet<String> = by.iter().flat_map(|(_, of)| rules(of)).collect();
        let one = |rule: &String| if shown.contains(rule) { format!("**{rule}**") } else { rule.clone() };
        let rules: Vec<String> = set.iter().map(one).collect();
        let names: Vec<String> = by.iter().map(|(name, _)| format!("`{name}`")).collect();
        let hotline = file.name.rsplit('/').next().unwrap_or_default().trim_end_matches(".toml");
        let _ = writeln!(table, "| {hotline} | {} | {} |", rules.join(", "), names.join(", "));
    }
    table
}

#[test]
fn the_readme_tells_which_rules_each_hotline_sets_and_which_tests_call_it() {
    let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/dialplans/README.md"));
    let readme = std::fs::read_to_string(path).expect("the README");
    let (before, rest) = readme.split_once(HEAD).expect("the table");
    let end = rest.find("\n\n").expect("its end") + 1;
    let wanted = table();
    if std::env::var_os("HOTLINE_WRITE_DEPLOY").is_some() {
        std::fs::write(path, format!("{before}{wanted}{}", &rest[end..])).expect("writing the README");
        return;
    }
    assert_eq!(format!("{HEAD}{}", &rest[..end]), wanted, "write it anew with HOTLINE_WRITE_DEPLOY=1");
    for line in wanted.lines().skip(2) {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        assert!(cells[3].matches('`').count() >= 4, "too few tests call {}: {line}", cells[1]);
    }
}
