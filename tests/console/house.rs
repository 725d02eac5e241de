//! A gateway whose console a browser looks at: on real calls of its own, or on the month that a demo made up.

use std::path::{Path, PathBuf};
use std::process::Command;

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::common::bench::BINARY;
use crate::common::browser::Browser;
use crate::common::child::Process;
use crate::common::{Bench, Gateway, seconds, until};

pub(crate) const PASSWORD: &str = "a long password for tests";

/// What a server printed at its start.
fn line_of(said: &str, word: &str) -> Option<String> {
    Some(said.lines().find_map(|line| line.strip_prefix(word))?.trim().to_owned())
}

pub(crate) struct Console {
    pub(crate) directory: PathBuf,
    pub(crate) config: PathBuf,
    pub(crate) address: String,
    /// Where the first admin is made; empty: there is somebody.
    pub(crate) setup: String,
    runs: Runs,
}

enum Runs {
    OnAMonth { _scratch: tempfile::TempDir, _server: Process },
    OnCalls(Box<Gateway>),
}

impl Console {
    /// On a made-up month and its people.
    pub(crate) fn on_a_month() -> Console {
        let scratch =
            tempfile::Builder::new().prefix("hotline-test-console-").tempdir().expect("a temporary directory");
        let directory = scratch.path().to_owned();
        let mut command = Command::new(BINARY);
        let arguments = ["demo", "--exit", "--calls", "1", "--month", "--seed", "7"];
        command.args(arguments).env("TMPDIR", &directory).current_dir(&directory);
        let mut demo = Process::start("demo", &directory, &mut command);
        assert_eq!(demo.wait(seconds(100)), 0, "{}", demo.output());
        let folder = std::fs::read_dir(&directory).expect("the demo's folder").flatten().map(|entry| entry.path());
        let config =
            folder.map(|path| path.join("hotline.toml")).find(|path| path.exists()).expect("its configuration");
        let mut command = Command::new(BINARY);
        command.arg("serve").arg("--config").arg(&config).current_dir(&directory);
        let server = Process::start("serve", &directory, &mut command);
        let said = until("ready", seconds(30), || Some(server.printed()).filter(|said| said.ends_with("ready\n")));
        let address = line_of(&said, "console ").expect("a console").trim_end_matches('/').to_owned();
        let runs = Runs::OnAMonth { _scratch: scratch, _server: server };
        Console { directory, config, address, setup: String::new(), runs }
    }

    /// On nothing but what will be called.
    pub(crate) fn on_calls(bench: Bench) -> Console {
        let gateway = bench.serve();
        let said = gateway.process.printed();
        let address = line_of(&said, "console ").expect("a console").trim_end_matches('/').to_owned();
        Console {
            directory: gateway.bench.path().to_owned(),
            config: gateway.config.clone(),
            address,
            setup: line_of(&said, "setup ").expect("nobody is there yet"),
            runs: Runs::OnCalls(Box::new(gateway)),
        }
    }

    /// The gateway ends and comes up again so much later by its clock.
    pub(crate) fn starts_again_after(&mut self, later_s: i64) {
        let Runs::OnCalls(gateway) = &mut self.runs else { panic!("it has no calls of its own") };
        gateway.process.signal(Signal::SIGTERM);
        assert_eq!(gateway.process.wait(seconds(20)), 0, "{}", gateway.process.output());
        gateway.restart_after(later_s);
    }

    pub(crate) fn gateway(&self) -> &Gateway {
        let Runs::OnCalls(gateway) = &self.runs else { panic!("it has no calls of its own") };
        gateway
    }

    /// What a command prints, and whether it went well.
    pub(crate) fn hotline(&self, arguments: &[&str]) -> (bool, String) {
        let mut command = Command::new(BINARY);
        let output = command.args(arguments).arg("--config").arg(&self.config).output().expect("hotline");
        let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
        (output.status.success(), text(&output.stdout) + &text(&output.stderr))
    }

    /// `language`: what it asks for.
    pub(crate) fn browser(&self, language: &str) -> Browser {
        let browser = Browser::start(&self.directory, language);
        browser.know("loadAxe", include_str!("axe.min.js"));
        browser
    }

    /// Nothing that axe finds, nothing that the browser complains of; and a picture for whoever wants one.
    pub(crate) fn look(&self, browser: &Browser, name: &str) {
        let complaints = browser.log();
        assert!(complaints.is_empty(), "{name}: {complaints:?}");
        let found = browser.run_async(
            "const done = arguments[arguments.length - 1];
             const runOnly = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'];
             if (!window.axe) window.loadAxe();
             // What is fine is counted only: nobody reads it.
             axe.run(document, { runOnly, resultTypes: ['violations'] }).then((found) =>
               done(found.violations.map((v) => v.id + ': ' + v.nodes.map((n) => n.html.slice(0, 200) + ' ' + n.failureSummary).join(' | '))));",
        );
        if let Ok(pictures) = std::env::var("CONSOLE_PICTURES") {
            for width in [1280, 390] {
                browser.screenshot(&Path::new(&pictures).join(format!("{name}-{width}.png")), width);
            }
        }
        assert_eq!(found, Value::Array(Vec::new()), "{name}");
        // What looks for faults puts a style of its own into the page, which the policy forbids.
        browser.log();
    }

    pub(crate) fn visit(&self, browser: &Browser, path: &str, name: &str) {
        browser.go(&format!("{}{path}", self.address));
        browser.until("document.readyState === 'complete'");
        self.look(browser, name);
    }

    pub(crate) fn log_in(&self, browser: &Browser, name: &str) {
        browser.go(&format!("{}/login", self.address));
        browser.type_into("#name", name);
        browser.type_into("#password", PASSWORD);
        browser.follow("form[action='/login'] button.primary");
    }

    /// Somebody of the demo gets a password.
    pub(crate) fn give_password(&self, name: &str) {
        let file = self.directory.join("password");
        std::fs::write(&file, PASSWORD).expect("a file");
        let mut command = Command::new(BINARY);
        command.args(["user", "password", name, "--password-file"]).arg(&file).arg("--config").arg(&self.config);
        let output = command.output().expect("hotline");
        assert!(output.status.success(), "{output:?}");
    }

    pub(crate) fn log_out(&self, browser: &Browser) {
        browser.go(&format!("{}/account", self.address));
        browser.log();
        if browser.run("return Boolean(document.querySelector(\"form[action='/logout']\"))") == Value::Bool(true) {
            browser.follow("form[action='/logout'] button");
        }
    }

    pub(crate) fn as_another(&self, browser: &Browser, name: &str) {
        self.log_out(browser);
        self.log_in(browser, name);
    }

    /// The text of the page on paper.
    pub(crate) fn printed(&self, browser: &Browser) -> String {
        let file = self.directory.join("page.pdf");
        std::fs::write(&file, browser.print()).expect("a file");
        let output = Command::new("pdftotext").args(["-layout", "-enc", "UTF-8"]).arg(&file).arg("-").output();
        String::from_utf8_lossy(&output.expect("pdftotext").stdout).into_owned()
    }
}
