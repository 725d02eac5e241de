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

/// A server with nobody in it, on the calls of a demo.
fn console() -> Console {
    let scratch = tempfile::Builder::new().prefix("hotline-test-console-").tempdir().expect("a temporary directory");
    let directory = scratch.path().to_owned();
    let mut command = Command::new(BINARY);
    command.args(["demo", "--calls", "2", "--exit"]).env("TMPDIR", &directory).current_dir(&directory);
    let mut demo = Process::start("demo", &directory, &mut command);
    assert_eq!(demo.wait(seconds(60)), 0, "{}", demo.output());
    let folder = std::fs::read_dir(&directory).expect("the demo's folder").flatten().map(|entry| entry.path());
    let config = folder.map(|path| path.join("hotline.toml")).find(|path| path.exists()).expect("its configuration");
    let mut command = Command::new(BINARY);
    command.arg("serve").arg("--config").arg(&config).current_dir(&directory);
    let server = Process::start("serve", &directory, &mut command);
    let said = until("ready", seconds(30), || Some(server.printed()).filter(|said| said.ends_with("ready\n")));
    let line = |word: &str| {
        let found =
            said.lines().find_map(|line| line.strip_prefix(word)).unwrap_or_else(|| panic!("no {word}: {said}"));
        found.trim().to_owned()
    };
    let address = line("console ").trim_end_matches('/').to_owned();
    Console { directory, config, _server: server, address, setup: line("setup "), _scratch: scratch }
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
    let console = console();
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
