//! The house's order, held by the text of `src` (and, where it applies, of `benches`): floors, clocks, sizes, names, one place for each protocol crate.
//!
//! Each rule is a function from sources to faults, and each is shown to fail on a made-up text below.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Lower floors know nothing of higher ones. A new module gets its floor here.
const FLOORS: &[(usize, &[&str])] = &[
    (0, &["clock", "ids", "limits", "fault", "schedule", "written"]),
    (1, &["protocol"]),
    (2, &["media", "peer", "dialplan", "quality"]),
    (3, &["call", "capture"]),
    (4, &["gateway", "ledger"]),
    (5, &["cdr", "rules", "report", "qa", "notes"]),
    (6, &["store", "metrics"]),
    (7, &["io", "web"]),
    (8, &["app", "config", "sim"]),
    (9, &["cli", "main"]),
];
const CLOCKS: [&str; 5] = ["Instant::now", "SystemTime::now", "Utc::now", "Timestamp::now", "Zoned::now"];
/// Files that may read a clock, and why. An entry that is not needed fails.
const CLOCK_READERS: &[(&str, &str)] = &[
    ("media/tests.rs", "`packet_cost`, ignored by default, measures the machine"),
    ("qa/draw/tests.rs", "`measure_draw`, ignored by default, measures the machine"),
    ("store/qa/tests.rs", "`measure_a_months_draw`, ignored by default, measures the machine"),
    ("store/tests.rs", "`measure_appending`, ignored by default, measures the machine"),
];
/// The same for `benches`.
const CLOCK_READERS_OF_BENCHES: &[(&str, &str)] =
    &[("../benches/step/measure.rs", "it measures the machine; what is measured gets its time as an argument")];
const BANNED: [&str; 6] = ["util", "utils", "helper", "helpers", "manager", "managers"];
const ONE_PLACE: [&str; 4] = ["rsip", "rtp_rs", "hound", "prometheus"];
const LONGEST_FUNCTION: usize = 70;
const LONGEST_FILE: usize = 800;
/// What is longer today, with its length. This list may only shrink: an entry that is too large or not needed fails.
const LONG: &[(&str, usize)] = &[];

struct Source {
    /// From `src`, with `/`.
    path: String,
    text: String,
    /// The text with comments and literals blanked out, octet for octet.
    code: String,
}

impl Source {
    fn new(path: &str, text: &str) -> Source {
        Source { path: path.to_owned(), text: text.to_owned(), code: blank(text) }
    }

    /// The module's path: `call/fact.rs` is `call::fact`, `call/mod.rs` is `call`.
    fn module(&self) -> Vec<&str> {
        let mut parts: Vec<&str> = self.path.trim_end_matches(".rs").split('/').collect();
        if parts.last() == Some(&"mod") {
            parts.pop();
        }
        parts
    }

    fn fault(&self, at: usize, what: &str) -> String {
        format!("src/{}:{}: {what}", self.path, line_at(&self.code, at))
    }
}

fn line_at(code: &str, at: usize) -> usize {
    1 + code[..at].matches('\n').count()
}

fn sources() -> Vec<Source> {
    let found = sources_below("");
    assert!(found.len() > 5, "found only {} sources", found.len());
    found
}

/// The sources below a folder that is named from `src`.
fn sources_below(folder: &str) -> Vec<Source> {
    fn walk(root: &Path, directory: &Path, found: &mut Vec<Source>) {
        for entry in std::fs::read_dir(directory).expect("a directory of sources").flatten() {
            let path = entry.path();
            if path.is_dir() {
                walk(root, &path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).expect("a source in UTF-8");
                let name = path.strip_prefix(root).expect("below the root").to_string_lossy().replace('\\', "/");
                found.push(Source::new(&name, &text));
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    walk(&root, &root.join(folder), &mut found);
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

/// The text with comments, strings and characters replaced by spaces; every line stays where it is.
fn blank(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let length = skipped(&text[at..], at == 0 || !is_word(bytes[at - 1]));
        for octet in &mut out[at..at + length] {
            if *octet != b'\n' {
                *octet = b' ';
            }
        }
        at += length.max(1);
        while !text.is_char_boundary(at) {
            at += 1;
        }
    }
    String::from_utf8(out).expect("whole characters were blanked")
}

/// The length of the comment or literal that `rest` begins with; 0 if it begins with neither.
fn skipped(rest: &str, fresh: bool) -> usize {
    let to = |end: Option<usize>, extra: usize| end.map_or(rest.len(), |end| end + extra);
    if rest.starts_with("//") {
        return to(rest.find('\n'), 0);
    }
    if rest.starts_with("/*") {
        return block_comment(rest);
    }
    if rest.starts_with('"') {
        return quoted(rest, 1);
    }
    let raw = rest.strip_prefix('b').unwrap_or(rest);
    if fresh && raw.starts_with('r') {
        let hashes = raw[1..].bytes().take_while(|octet| *octet == b'#').count();
        if raw[1 + hashes..].starts_with('"') {
            let begin = rest.len() - raw.len() + 2 + hashes;
            let end = format!("\"{}", "#".repeat(hashes));
            return to(rest[begin..].find(&end).map(|found| begin + found), end.len());
        }
    }
    // A character, not a lifetime.
    if let Some(escape) = rest.strip_prefix("'\\") {
        return to(escape.char_indices().skip(1).find(|(_, c)| *c == '\'').map(|(i, _)| i + 2), 1);
    }
    let mut characters = rest.chars();
    if characters.next() == Some('\'') && characters.next().is_some() && characters.next() == Some('\'') {
        return rest.char_indices().nth(2).map_or(rest.len(), |(i, _)| i + 1);
    }
    0
}

fn quoted(rest: &str, begin: usize) -> usize {
    let mut escaped = false;
    for (i, octet) in rest.bytes().enumerate().skip(begin) {
        match octet {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return i + 1,
            _ => {}
        }
    }
    rest.len()
}

fn block_comment(rest: &str) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < rest.len() {
        if rest.as_bytes()[at..].starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if rest.as_bytes()[at..].starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    rest.len()
}

fn is_word(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || octet == b'_'
}

/// Where `word` stands as a whole word.
fn words<'a>(code: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    code.match_indices(word).map(|(at, _)| at).filter(move |at| {
        let bytes = code.as_bytes();
        let before = *at == 0 || !is_word(bytes[at - 1]);
        before && bytes.get(at + word.len()).is_none_or(|octet| !is_word(*octet))
    })
}

fn word_at(code: &str, at: usize) -> &str {
    let rest = &code[at..];
    &rest[..rest.bytes().take_while(|octet| is_word(*octet)).count()]
}

/// The first names behind a `…::`: one, or each of a group `{a, b::c}`.
fn names_behind(code: &str, at: usize) -> Vec<&str> {
    let Some(group) = code[at..].strip_prefix('{') else { return vec![word_at(code, at)] };
    let (mut depth, mut fresh, mut names) = (0, true, Vec::new());
    for (i, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => fresh = true,
            c if c.is_whitespace() => {}
            _ if fresh => {
                names.push(word_at(group, i));
                fresh = false;
            }
            _ => {}
        }
    }
    names
}

/// Paths from the root of the crate: each with its place and the names that follow (`crate::a`, `hotline::a`,
/// `super::a` where `super` is the root), and those below `parent` for the floor of the protocols.
fn paths<'a>(source: &'a Source, parent: &[&str]) -> Vec<(usize, Vec<&'a str>)> {
    let code = source.code.as_str();
    let below: String = parent.iter().map(|name| format!("{name}::")).collect();
    let mut found = Vec::new();
    for root in ["crate::", "hotline::"] {
        let whole = format!("{root}{below}");
        let whole = code.match_indices(&whole).map(|(at, text)| (at, at + text.len())).collect::<Vec<_>>();
        for (at, end) in whole {
            if at == 0 || !is_word(code.as_bytes()[at - 1]) {
                found.push((at, names_behind(code, end)));
            }
        }
    }
    let module = source.module();
    if let Some(climbs) = module.len().checked_sub(parent.len()).filter(|_| module.starts_with(parent)) {
        let climb = "super::".repeat(climbs);
        for (at, text) in code.match_indices(&climb).filter(|_| climbs > 0) {
            let whole = at == 0 || !(is_word(code.as_bytes()[at - 1]) || code[..at].ends_with("super::"));
            if whole && !code[at + text.len()..].starts_with("super") {
                found.push((at, names_behind(code, at + text.len())));
            }
        }
    }
    found
}

fn floor_of(module: &str) -> Option<usize> {
    FLOORS.iter().find(|(_, modules)| modules.contains(&module)).map(|(floor, _)| *floor)
}

fn upward_uses(sources: &[Source]) -> Vec<String> {
    let mut faults = Vec::new();
    for source in sources.iter().filter(|source| source.path != "lib.rs") {
        let own = source.module()[0].to_owned();
        let Some(floor) = floor_of(&own) else {
            faults.push(source.fault(0, &format!("`{own}` has no floor; give it one in tests/tidy.rs and the house")));
            continue;
        };
        for (at, names) in paths(source, &[]) {
            for name in names.into_iter().filter(|name| *name != own) {
                if let Some(other) = floor_of(name).filter(|other| *other > floor) {
                    let what = format!("`{own}` (floor {floor}) uses `{name}` (floor {other})");
                    faults.push(source.fault(at, &what));
                }
            }
        }
        if let Some(own) = source.module().get(1).filter(|_| own == "protocol") {
            for (at, names) in paths(source, &["protocol"]) {
                for name in
                    names.into_iter().filter(|name| ["sip", "sdp", "rtp", "audio"].contains(name) && name != own)
                {
                    faults.push(
                        source.fault(at, &format!("the protocols know nothing of each other: `{own}` uses `{name}`")),
                    );
                }
            }
        }
    }
    faults
}

fn clock_reads(sources: &[Source], readers: &[(&str, &str)]) -> Vec<String> {
    let mut faults = Vec::new();
    let mut unused: BTreeSet<&str> = readers.iter().map(|(path, _)| *path).collect();
    for source in sources.iter().filter(|source| source.module()[0] != "io") {
        let reads = CLOCKS.iter().flat_map(|clock| words(&source.code, clock).map(move |at| (clock, at)));
        let mut reads = reads.peekable();
        if reads.peek().is_some() && readers.iter().any(|(path, _)| *path == source.path) {
            unused.remove(source.path.as_str());
            continue;
        }
        faults.extend(reads.map(|(clock, at)| source.fault(at, &format!("`{clock}` outside io: time is an argument"))));
    }
    faults.extend(unused.iter().map(|path| format!("{path} reads no clock: shrink the list")));
    faults
}

/// Where each function with a body begins, its name and its lines of code: comments and long texts do not count.
fn functions(code: &str) -> Vec<(usize, &str, usize)> {
    let mut found = Vec::new();
    for at in words(code, "fn") {
        let rest = &code[at..];
        let Some(open) = rest.find(['{', ';']).filter(|open| rest.as_bytes()[*open] == b'{') else { continue };
        let name = word_at(code, at + 3);
        let mut depth = 0_usize;
        let end = rest[open..].char_indices().find_map(|(i, c)| {
            match c {
                '{' => depth += 1,
                '}' => depth -= 1,
                _ => {}
            }
            (depth == 0).then_some(open + i)
        });
        let body = &rest[..end.map_or(rest.len(), |end| end + 1)];
        let lines = body.lines().filter(|line| !line.trim().is_empty()).count();
        if !name.is_empty() {
            found.push((at, name, lines));
        }
    }
    found
}

fn overlong(sources: &[Source], allowed: &[(&str, usize)]) -> Vec<String> {
    let mut faults = Vec::new();
    let mut unused: BTreeMap<&str, usize> = allowed.iter().copied().collect();
    let mut judge = |source: &Source, at: usize, name: String, lines: usize, bound: usize| {
        let most = unused.remove(name.as_str());
        match most {
            Some(most) if most == lines && lines > bound => {}
            Some(most) if lines < most || lines <= bound => {
                faults.push(
                    source.fault(at, &format!("{name} has {lines} lines now, no longer {most}: shrink the list")),
                );
            }
            _ if lines > bound => {
                faults.push(source.fault(at, &format!("{name} has {lines} lines, {bound} are enough")))
            }
            _ => {}
        }
    };
    for source in sources {
        judge(source, 0, source.path.clone(), source.code.lines().count(), LONGEST_FILE);
        for (at, function, lines) in functions(&source.code) {
            judge(source, at, format!("{}::{function}", source.path), lines, LONGEST_FUNCTION);
        }
    }
    faults.extend(unused.keys().map(|name| format!("{name} is gone: shrink the list")));
    faults
}

/// `MailHelper` and `mail_helper` are `mail` and `helper`.
fn parts_of_name(name: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    for c in name.chars() {
        if c == '_' || c.is_uppercase() {
            parts.push(String::new());
        }
        if c != '_' {
            parts.last_mut().expect("never empty").extend(c.to_lowercase());
        }
    }
    parts
}

fn banned_names(sources: &[Source]) -> Vec<String> {
    let banned = |name: &str| parts_of_name(name).iter().any(|part| BANNED.contains(&part.as_str()));
    let mut faults = Vec::new();
    for source in sources {
        faults.extend(
            source
                .module()
                .iter()
                .filter(|name| banned(name))
                .map(|name| source.fault(0, &format!("the name `{name}` says nothing"))),
        );
        for keyword in ["mod", "struct", "enum", "trait", "type", "fn"] {
            for at in words(&source.code, keyword) {
                let name = word_at(&source.code, (at + keyword.len() + 1).min(source.code.len()));
                if banned(name) {
                    faults.push(source.fault(at, &format!("the name `{name}` says nothing")));
                }
            }
        }
    }
    faults
}

/// The files that use a crate: `name::…` or `use name`.
fn users<'a>(sources: &'a [Source], name: &str) -> BTreeSet<&'a str> {
    let used = |source: &Source| {
        words(&source.code, name).any(|at| {
            let path = source.code[at + name.len()..].starts_with("::") && !source.code[..at].ends_with("::");
            path || source.code[..at].trim_end().ends_with("use")
        })
    };
    sources.iter().filter(|source| used(source)).map(|source| source.path.as_str()).collect()
}

fn scattered_crates(sources: &[Source]) -> Vec<String> {
    let mut faults = Vec::new();
    for name in ONE_PLACE {
        let files = users(sources, name);
        if files.len() != 1 {
            faults.push(format!("{name} belongs into exactly one file, it is in {files:?}"));
        }
    }
    faults
}

fn unsafe_code(sources: &[Source]) -> Vec<String> {
    let each = |source: &Source| words(&source.code, "unsafe").map(|at| source.fault(at, "unsafe")).collect::<Vec<_>>();
    sources.iter().flat_map(each).collect()
}

/// The file of `#[path = "…"]` right before a `mod`.
fn path_attribute(before: &str) -> Option<&str> {
    before.trim_end().strip_suffix("\"]")?.rsplit_once("#[path = \"").map(|(_, file)| file)
}

fn dead_modules(sources: &[Source]) -> Vec<String> {
    let mut reached = BTreeSet::new();
    let mut open = vec!["lib.rs".to_owned(), "main.rs".to_owned()];
    while let Some(path) = open.pop() {
        let Some(source) = sources.iter().find(|source| source.path == path) else { continue };
        if !reached.insert(path.clone()) {
            continue;
        }
        let root = ["lib.rs", "main.rs"].contains(&path.as_str());
        let folder = if root { String::new() } else { source.module().join("/") + "/" };
        for at in words(&source.code, "mod") {
            let name = word_at(&source.code, (at + 4).min(source.code.len()));
            if source.code[(at + 4 + name.len()).min(source.code.len())..].trim_start().starts_with(';') {
                if let Some(file) = path_attribute(&source.text[..at]) {
                    let folder = source.path.rsplit_once('/').map_or(String::new(), |(folder, _)| format!("{folder}/"));
                    open.push(format!("{folder}{file}"));
                }
                open.push(format!("{folder}{name}.rs"));
                open.push(format!("{folder}{name}/mod.rs"));
            }
        }
    }
    let lost = sources.iter().filter(|source| !reached.contains(&source.path));
    lost.map(|source| source.fault(0, "no `mod` leads to this file")).collect()
}

#[track_caller]
fn clean(faults: &[String]) {
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

#[test]
fn no_module_uses_a_higher_floor() {
    clean(&upward_uses(&sources()));
}

#[test]
fn only_io_reads_a_clock() {
    clean(&clock_reads(&sources(), CLOCK_READERS));
}

#[test]
fn files_and_functions_stay_small() {
    clean(&overlong(&sources(), LONG));
}

#[test]
fn names_say_what_a_thing_is() {
    clean(&banned_names(&sources()));
}

#[test]
fn each_protocol_crate_has_one_place() {
    clean(&scattered_crates(&sources()));
}

#[test]
fn there_is_no_unsafe_code() {
    clean(&unsafe_code(&sources()));
}

/// Benches stand above all floors and belong to no module tree of ours; everything else holds for them too.
#[test]
fn benches_keep_the_same_order() {
    let benches = sources_below("../benches");
    assert!(!benches.is_empty());
    clean(&clock_reads(&benches, CLOCK_READERS_OF_BENCHES));
    clean(&overlong(&benches, &[]));
    clean(&banned_names(&benches));
    clean(&unsafe_code(&benches));
    for name in ONE_PLACE {
        assert_eq!(users(&benches, name), BTreeSet::new(), "{name} has its place in src");
    }
}

#[test]
fn every_file_is_part_of_the_program() {
    clean(&dead_modules(&sources()));
}

/// Each rule on texts that break it: the place and the words of what it says.
mod each_rule_can_fail {
    use super::*;

    #[track_caller]
    fn finds(faults: &[String], expected: &[&str]) {
        assert_eq!(faults.len(), expected.len(), "{faults:#?}");
        for (fault, part) in faults.iter().zip(expected) {
            assert!(fault.contains(part), "{fault:?} should say {part:?}");
        }
    }

    #[test]
    fn floors() {
        let bad = "\nuse crate::{clock::Now, gateway::{Gateway, call}, ids};\nfn a() { crate::io::send() }\n";
        finds(
            &upward_uses(&[Source::new("call/leg.rs", bad)]),
            &["src/call/leg.rs:2: `call` (floor 3) uses `gateway`", "src/call/leg.rs:3: `call` (floor 3) uses `io`"],
        );
        let climbs =
            Source::new("call/leg.rs", "use super::super::store::Row;\nuse super::queue;\nuse super::super::media;");
        finds(&upward_uses(&[climbs]), &["leg.rs:1: `call` (floor 3) uses `store`"]);
        finds(&upward_uses(&[Source::new("clock.rs", "use super::web;")]), &["clock.rs:1"]);
        finds(&upward_uses(&[Source::new("sim/mod.rs", "use hotline::cli::Cli;")]), &["`sim` (floor 8) uses `cli`"]);
        finds(&upward_uses(&[Source::new("attic.rs", "")]), &["`attic` has no floor"]);
        let known = "// crate::web\n/* crate::web */ const A: &str = \"crate::web\"; use crate::media::Play;\n";
        finds(&upward_uses(&[Source::new("call/mod.rs", known)]), &[]);
    }

    #[test]
    fn protocols_apart() {
        let bad = Source::new(
            "protocol/sip/dialog.rs",
            "use crate::protocol::sdp::Offer;\nuse super::super::rtp;\nuse super::timers;",
        );
        finds(&upward_uses(&[bad]), &["dialog.rs:1: the protocols", "dialog.rs:2: the protocols"]);
        finds(&upward_uses(&[Source::new("protocol/rtp/packet.rs", "use crate::protocol::rtp::Ssrc;")]), &[]);
    }

    #[test]
    fn clocks() {
        let text = "fn a() {\n    let t = std::time::Instant::now();\n    // SystemTime::now\n}\n";
        finds(&clock_reads(&[Source::new("media/bridge.rs", text)], &[]), &["src/media/bridge.rs:2: `Instant::now`"]);
        finds(&clock_reads(&[Source::new("io/udp.rs", text)], &[]), &[]);
        finds(
            &clock_reads(
                &[Source::new("app.rs", "use jiff::Timestamp; fn f() { Timestamp::now(); MyInstant::nowhere() }")],
                &[],
            ),
            &["app.rs:1"],
        );
        let known = [("media/bridge.rs", "a reason")];
        finds(&clock_reads(&[Source::new("media/bridge.rs", text)], &known), &[]);
        finds(&clock_reads(&[Source::new("media/bridge.rs", "")], &known), &["media/bridge.rs reads no clock"]);
    }

    #[test]
    fn sizes() {
        let long = |lines: usize| {
            format!("fn short() {{}}\npub fn long(a: &str) -> bool {{\n{}}}\n", "    a;\n".repeat(lines - 2))
        };
        finds(&overlong(&[Source::new("a.rs", &long(70))], &[]), &[]);
        finds(&overlong(&[Source::new("a.rs", &long(71))], &[]), &["src/a.rs:2: a.rs::long has 71 lines"]);
        finds(&overlong(&[Source::new("a.rs", &long(71))], &[("a.rs::long", 71)]), &[]);
        finds(&overlong(&[Source::new("a.rs", &long(71))], &[("a.rs::long", 80)]), &["shrink the list"]);
        finds(&overlong(&[Source::new("a.rs", &long(90))], &[("a.rs::long", 80)]), &["has 90 lines, 70 are enough"]);
        finds(&overlong(&[Source::new("a.rs", &long(9))], &[("a.rs::long", 80)]), &["shrink the list"]);
        finds(&overlong(&[Source::new("a.rs", &long(9))], &[("b.rs", 900)]), &["b.rs is gone"]);
        finds(&overlong(&[Source::new("a.rs", &"\n".repeat(801))], &[]), &["a.rs has 801 lines"]);
        let texts = format!("fn a() {{\n// b\n\nlet c = \"{}\";\n}}\n", "d\n".repeat(90));
        finds(&overlong(&[Source::new("a.rs", &texts)], &[]), &[]);
        let brace = "fn a() {\n    let b = '{';\n    let c = \"}}}{\";\n}\nfn d() {}\n";
        assert_eq!(functions(&blank(brace)).iter().map(|f| f.2).collect::<Vec<_>>(), [4, 1]);
    }

    #[test]
    fn names() {
        let text = "mod text_utils;\npub struct CallManager;\nfn helper_of() {}\n// a manager\nlet manager = 1;\n";
        finds(
            &banned_names(&[Source::new("call/mod.rs", text)]),
            &["mod.rs:1: the name `text_utils`", "mod.rs:2: the name `CallManager`", "mod.rs:3: the name `helper_of`"],
        );
        finds(&banned_names(&[Source::new("media/helpers.rs", "")]), &["the name `helpers`"]);
        finds(&banned_names(&[Source::new("media/utilisation.rs", "struct Management;")]), &[]);
    }

    #[test]
    fn crates_in_one_place() {
        let wav = || Source::new("media/wav.rs", "use hound::WavWriter;");
        let others = || Source::new("a.rs", "use {rtp_rs::Seq, prometheus::Counter}; type A = rsip::Uri;");
        finds(&scattered_crates(&[wav(), others()]), &[]);
        let more = || Source::new("b.rs", "fn f() -> hound::Error {}");
        finds(
            &scattered_crates(&[wav(), others(), more()]),
            &["hound belongs into exactly one file, it is in {\"b.rs\", \"media/wav.rs\"}"],
        );
        finds(&scattered_crates(&[others()]), &["hound belongs into exactly one file, it is in {}"]);
        finds(
            &scattered_crates(&[
                wav(),
                others(),
                Source::new("c.rs", "// hound::x\nuse crate::hound::x;\nlet s = \"rsip::\";"),
            ]),
            &[],
        );
    }

    #[test]
    fn unsafe_blocks() {
        finds(
            &unsafe_code(&[Source::new("a.rs", "#![forbid(unsafe_code)]\n// unsafe\nfn f() { unsafe { g() } }\n")]),
            &["a.rs:3"],
        );
    }

    #[test]
    fn modules() {
        let tree = || {
            vec![
                Source::new("lib.rs", "pub mod call;\n// mod lost;\nmod inline { }"),
                Source::new("call/mod.rs", "mod leg;"),
                Source::new("call/leg.rs", ""),
            ]
        };
        finds(&dead_modules(&tree()), &[]);
        let mut aside = tree();
        aside.push(Source::new("call/aside.rs", ""));
        finds(&dead_modules(&aside), &["src/call/aside.rs:1"]);
        aside[2] = Source::new("call/leg.rs", "#[cfg(test)]\n#[path = \"aside.rs\"]\nmod tests;");
        finds(&dead_modules(&aside), &[]);
        let mut more = tree();
        more.push(Source::new("lost.rs", ""));
        more.push(Source::new("call/old/leg.rs", ""));
        finds(&dead_modules(&more), &["src/lost.rs:1: no `mod`", "src/call/old/leg.rs:1"]);
    }

    #[test]
    fn blanking_keeps_lines_and_code() {
        let text = "a<'x>('\\'', '\"', b\"//\", r#\"\"/*\"#) // end\n/* /* */ \n */ b";
        let blanked = blank(text);
        assert_eq!(blanked.len(), text.len());
        assert_eq!(blanked.split_whitespace().collect::<String>(), "a<'x>(,,b,)b");
        assert_eq!(blanked.matches('\n').count(), 2);
    }
}
