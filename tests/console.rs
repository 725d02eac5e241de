//! The console in a real browser, on real calls: first run, people, calls, one call heard, audit; in Chinese and English; without
//! faults of accessibility, and without a complaint of the browser.
//!
//! With `CONSOLE_PICTURES=DIR` it leaves a picture of each page there.

mod common;

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use common::bench::BINARY;
use common::browser::Browser;
use common::child::Process;
use common::{seconds, until};

const PASSWORD: &str = "a long password for tests";

struct Console {
    _scratch: tempfile::TempDir,
    directory: PathBuf,
    config: PathBuf,
    _server: Process,
    address: String,
    setup: String,
}

/// A server on the calls of a demo.
fn console(demo: &[&str]) -> Console {
    let scratch = tempfile::Builder::new().prefix("hotline-test-console-").tempdir().expect("a temporary directory");
    let directory = scratch.path().to_owned();
    let mut command = Command::new(BINARY);
    command.args(["demo", "--exit"]).args(demo).env("TMPDIR", &directory).current_dir(&directory);
    let mut demo = Process::start("demo", &directory, &mut command);
    assert_eq!(demo.wait(seconds(100)), 0, "{}", demo.output());
    let folder = std::fs::read_dir(&directory).expect("the demo's folder").flatten().map(|entry| entry.path());
    let config = folder.map(|path| path.join("hotline.toml")).find(|path| path.exists()).expect("its configuration");
    let mut command = Command::new(BINARY);
    command.arg("serve").arg("--config").arg(&config).current_dir(&directory);
    let server = Process::start("serve", &directory, &mut command);
    let said = until("ready", seconds(30), || Some(server.printed()).filter(|said| said.ends_with("ready\n")));
    let line = |word: &str| Some(said.lines().find_map(|line| line.strip_prefix(word))?.trim().to_owned());
    let address = line("console ").expect("a console").trim_end_matches('/').to_owned();
    // With people from the demo there is nothing to set up.
    let setup = line("setup ").unwrap_or_default();
    Console { directory, config, _server: server, address, setup, _scratch: scratch }
}

impl Console {
    /// Nothing that axe finds, nothing that the browser complains of; and a picture for whoever wants one.
    fn look(&self, browser: &Browser, name: &str) {
        let complaints = browser.log();
        assert!(complaints.is_empty(), "{name}: {complaints:?}");
        browser.run(include_str!("console/axe.min.js"));
        let found = browser.run_async(
            "const done = arguments[arguments.length - 1];
             axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'] }).then((found) =>
               done(found.violations.map((v) => v.id + ': ' + v.nodes.map((n) => n.html.slice(0, 200) + ' ' + n.failureSummary).join(' | '))));",
        );
        if let Ok(pictures) = std::env::var("CONSOLE_PICTURES") {
            browser.screenshot(&Path::new(&pictures).join(format!("{name}.png")));
        }
        assert_eq!(found, Value::Array(Vec::new()), "{name}");
        // What looks for faults puts a style of its own into the page, which the policy forbids.
        browser.log();
    }

    fn visit(&self, browser: &Browser, path: &str, name: &str) {
        browser.go(&format!("{}{path}", self.address));
        browser.until("document.readyState === 'complete'");
        self.look(browser, name);
    }

    fn log_in(&self, browser: &Browser, name: &str) {
        browser.go(&format!("{}/login", self.address));
        browser.type_into("#name", name);
        browser.type_into("#password", PASSWORD);
        browser.follow("form[action='/login'] button.primary");
    }
}

/// From nobody to an admin, who adds somebody for each of these roles.
fn set_up(console: &Console, browser: &Browser) {
    browser.go(&console.setup);
    console.look(browser, "setup");
    for (field, text) in [("#name", "root"), ("#shown", "管理员"), ("#password", PASSWORD), ("#again", PASSWORD)] {
        browser.type_into(field, text);
    }
    browser.follow("form[action='/setup'] button.primary");
    assert!(browser.url().ends_with("/admin/people"), "{}", browser.url());
    for (name, role) in [("wang", "qa"), ("lead", "lead"), ("agent1", "agent")] {
        browser.type_into("#name", name);
        browser.type_into("#agent", "1");
        browser.type_into("#password", PASSWORD);
        browser.click(&format!("form[action='/admin/people'] input[value='{role}']"));
        browser.follow("form[action='/admin/people'] button.primary");
    }
    console.look(browser, "people");
    assert!(browser.text().contains("wang"), "{}", browser.text());
}

/// The newest call that was answered: its page, drawn, played, and moved to its middle.
fn listen(console: &Console, browser: &Browser, language: &str) {
    console.visit(browser, "/calls?outcome=answered", &format!("calls-{language}"));
    browser.follow("#rows a");
    browser.until("document.querySelector('#wave').dataset.ready");
    browser.until("document.querySelector('[data-curves]').dataset.ready");
    console.look(browser, &format!("call-{language}"));
    browser.click("#play");
    browser.until("!document.querySelector('#clock').textContent.startsWith('0:00')");
    browser.click("#play");
    let clock = || browser.run("return Number(document.querySelector('#seek').value)").as_f64().unwrap_or_default();
    let before = clock();
    // To the middle, by the keyboard.
    browser.run(
        "document.querySelector('#seek').value = 0; document.querySelector('#seek').dispatchEvent(new Event('input'));",
    );
    browser.until("document.querySelector('#seek').value === '0'");
    browser.run("document.activeElement.blur();");
    browser.type_into("body", "l");
    browser.until("Number(document.querySelector('#seek').value) >= 40");
    assert!(before > 0.0 && browser.run("return document.querySelector('#sound-fault').hidden") == Value::Bool(true));
    browser.run("document.querySelectorAll('details').forEach((all) => { all.open = true; });");
    console.look(browser, &format!("call-open-{language}"));
}

#[test]
fn from_the_first_run_to_a_call_that_is_heard() {
    let console = console(&["--calls", "2"]);
    let browser = Browser::start(&console.directory, "zh-CN");
    set_up(&console, &browser);
    // The admin says who may do what, and hears nothing.
    for (path, name) in [
        ("/admin/audit", "audit"),
        ("/admin/storage", "storage"),
        ("/admin/health", "health"),
        ("/admin/metrics", "metrics"),
        ("/account", "account"),
    ] {
        console.visit(&browser, path, name);
    }
    browser.go(&format!("{}/calls", console.address));
    assert!(browser.text().contains("没有这项权限"), "{}", browser.text());
    browser.log();
    browser.follow("form[action='/logout'] button");
    console.look(&browser, "login");

    console.log_in(&browser, "wang");
    assert!(browser.url().ends_with("/calls"), "{}", browser.url());
    listen(&console, &browser, "zh");
    browser.follow("form[action='/language'] button");
    assert!(browser.text().contains("What the rules say") || browser.text().contains("Calls"), "{}", browser.text());
    listen(&console, &browser, "en");
    browser.follow("form[action='/logout'] button");

    console.log_in(&browser, "lead");
    browser.until("document.querySelector('#board .figures')");
    console.look(&browser, "live");
    console.visit(&browser, "/live?kiosk", "kiosk");
    browser.go(&format!("{}/calls", console.address));
    browser.follow("form[action='/logout'] button");

    console.log_in(&browser, "agent1");
    assert!(browser.url().ends_with("/agent"), "{}", browser.url());
    console.look(&browser, "agent");
    browser.follow("form[action='/agent/pause'] button");
    browser.until("document.querySelector('#state h2').textContent.match(/paused|小休/)");
    browser.follow("form[action='/agent/ready'] button");
    drop(browser);
    audited(&console);
}

/// One row for each of the two visits of one listener is one listen, and the chain is whole.
fn audited(console: &Console) {
    let hotline = |arguments: &[&str]| {
        let output =
            Command::new(BINARY).args(arguments).arg("--config").arg(&console.config).output().expect("hotline");
        (
            output.status.success(),
            String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr),
        )
    };
    let (_, listed) = hotline(&["audit", "list", "--json"]);
    let rows: Vec<Value> = listed.lines().map(|line| serde_json::from_str(line).expect("a row")).collect();
    let listens: Vec<&Value> = rows.iter().filter(|row| row["what"] == "recording.listened").collect();
    assert_eq!(listens.len(), 1, "{listed}");
    assert_eq!(listens[0]["who"], "wang");
    let (whole, said) = hotline(&["audit", "verify"]);
    assert!(whole && said.contains(&format!("{} rows", rows.len())), "{said}");
    let (_, people) = hotline(&["user", "list"]);
    assert!(people.contains("root") && people.contains("wang"), "{people}");
}

impl Console {
    /// Somebody of the demo gets a password.
    fn give_password(&self, name: &str) {
        let file = self.directory.join("password");
        std::fs::write(&file, PASSWORD).expect("a file");
        let mut command = Command::new(BINARY);
        command.args(["user", "password", name, "--password-file"]).arg(&file).arg("--config").arg(&self.config);
        let output = command.output().expect("hotline");
        assert!(output.status.success(), "{output:?}");
    }

    fn as_another(&self, browser: &Browser, name: &str) {
        browser.go(&format!("{}/account", self.address));
        browser.log();
        if browser.run("return Boolean(document.querySelector(\"form[action='/logout']\"))") == Value::Bool(true) {
            browser.follow("form[action='/logout'] button");
        }
        self.log_in(browser, name);
    }

    /// The text of the page on paper.
    fn printed(&self, browser: &Browser) -> String {
        let file = self.directory.join("page.pdf");
        std::fs::write(&file, browser.print()).expect("a file");
        let output = Command::new("pdftotext").args(["-layout", "-enc", "UTF-8"]).arg(&file).arg("-").output();
        String::from_utf8_lossy(&output.expect("pdftotext").stdout).into_owned()
    }
}

/// The pages of inspection, notes and reports: all of them in Chinese, those with the most words in English too.
const PAGES: [(&str, &str, bool); 11] = [
    ("/qa/sampling", "sampling", true),
    ("/qa/targeted", "targeted", true),
    ("/qa/disputes", "disputes", false),
    ("/qa/agreement", "agreement", false),
    ("/qa/forms", "forms", false),
    ("/scorecards", "team", false),
    ("/scorecards/2", "scorecard", true),
    ("/training", "training", false),
    ("/notes", "notes", true),
    ("/notes?show=carried", "notes-carried", false),
    ("/reports", "reports", false),
];

fn look_around(console: &Console, browser: &Browser, language: &str) {
    for (path, name, _) in PAGES.iter().filter(|(.., both)| language == "zh" || *both) {
        console.visit(browser, path, &format!("{name}-{language}"));
    }
}

/// The newest closed report: computed again it is the same, and on paper it says what the page says.
fn report(console: &Console, browser: &Browser, words: [&str; 3]) {
    browser.go(&format!("{}/reports", console.address));
    browser.follow("table a");
    let hash = browser.run("return document.querySelector('code.long').textContent").as_str().unwrap_or("").to_owned();
    console.look(browser, &format!("report-{}", words[0]));
    let offered = browser.run("return document.querySelectorAll('section.card table')[0].rows[1].cells[1].textContent");
    let paper = console.printed(browser);
    assert!(paper.contains(words[1]) && paper.contains(&hash), "{paper}");
    assert!(paper.contains(offered.as_str().unwrap_or("?")), "{offered} {paper}");
    browser.follow("a[href$='?again']");
    let again = browser.run("return document.querySelector('#again').textContent");
    assert!(again.as_str().unwrap_or_default().contains(words[2]), "{again}");
    console.look(browser, &format!("report-again-{}", words[0]));
}

/// The next open task, from the list to the submitted sheet, without a mouse.
fn score_by_keyboard(console: &Console, browser: &Browser) {
    console.visit(browser, "/qa/tasks", "tasks");
    browser.press("\u{e007}");
    browser.until("document.querySelector('#sheet') && document.querySelector('#lanes')?.dataset.ready");
    console.look(browser, "review");
    let here = browser.url();
    browser.run("document.activeElement?.blur();");
    let open = "document.querySelectorAll('fieldset.item[data-item]').length \
                - document.querySelectorAll('fieldset.item[data-item]:has(input:checked)').length";
    while browser.run(&format!("return {open};")).as_i64().unwrap_or(0) > 0 {
        browser.press("1");
    }
    // A comment pinned to the moment.
    browser.press("m");
    browser.press("listen\u{e007}");
    browser.until("document.querySelector('#pins li')");
    console.look(browser, "review-filled");
    browser.press_with_control("\u{e007}");
    browser.until(&format!("location.href !== '{here}' || document.querySelector('#lacking')"));
    assert_ne!(browser.url(), here, "{}", browser.text());
}

#[test]
fn a_month_is_scored_objected_to_noted_and_reported() {
    let console = console(&["--calls", "1", "--month", "--seed", "7"]);
    for name in ["demo-zhao", "demo-wang", "demo-agent2"] {
        console.give_password(name);
    }
    let browser = Browser::start(&console.directory, "zh-CN");
    console.log_in(&browser, "demo-zhao");
    look_around(&console, &browser, "zh");
    report(&console, &browser, ["zh", "来电统计", "完全一致"]);
    // Whoever is to hear a call gets it by the lead's word.
    browser.go(&format!("{}/qa/targeted", console.address));
    browser.run("document.querySelector(\"form[action='/qa/targeted'] select\").value = 'demo-wang';");
    browser.follow("form[action='/qa/targeted'] button");

    console.as_another(&browser, "demo-wang");
    score_by_keyboard(&console, &browser);

    console.as_another(&browser, "demo-agent2");
    // What was left over comes first.
    let url = browser.url();
    assert!(url.ends_with("/agent") || url.ends_with("/notes?show=carried"), "{url}");
    if url.ends_with("carried") {
        console.look(&browser, "left-over");
        browser.follow("form[action='/notes/seen'] button");
    }
    console.visit(&browser, "/agent", "desk");
    console.visit(&browser, "/notes/new", "note-new");
    browser.type_into("#note-caller", "13900001111");
    browser.run("document.querySelector('#note-class').selectedIndex = 1;");
    browser.type_into("#note-content", "门禁卡失灵");
    browser.follow("form[action='/notes'] button.primary");
    console.look(&browser, "note");
    assert!(browser.text().contains("门禁卡失灵") && browser.text().contains("-2-0"), "{}", browser.text());
    browser.follow("button[formaction$='/done']");
    console.look(&browser, "note-done");
    console.visit(&browser, "/scorecards/2", "scorecard-own");

    console.as_another(&browser, "demo-zhao");
    browser.follow("form[action='/language'] button");
    look_around(&console, &browser, "en");
    report(&console, &browser, ["en", "Telephone statistics", "the same"]);
}
