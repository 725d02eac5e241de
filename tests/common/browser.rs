//! A real browser, driven by WebDriver (W3C): Debian's chromium and chromedriver.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::child::Process;
use super::{beat, seconds, until as wait_for};

pub(crate) struct Browser {
    _driver: Process,
    port: u16,
    session: String,
}

/// How long a page may take to become what is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

impl Browser {
    /// `language`: what it asks for.
    pub(crate) fn start(directory: &Path, language: &str) -> Browser {
        let mut command = Command::new("chromedriver");
        command.arg("--port=0");
        let driver = Process::start("chromedriver", directory, &mut command);
        let port = wait_for("the port of chromedriver", seconds(30), || {
            let said = driver.printed();
            let (_, rest) = said.split_once("successfully on port ")?;
            rest.split('.').next()?.trim().parse().ok()
        });
        let profile = directory.join(format!("profile-{language}"));
        let arguments = [
            "--headless=new".to_owned(),
            "--no-sandbox".to_owned(),
            "--disable-gpu".to_owned(),
            "--disable-dev-shm-usage".to_owned(),
            "--autoplay-policy=no-user-gesture-required".to_owned(),
            "--window-size=1440,1000".to_owned(),
            format!("--user-data-dir={}", profile.display()),
        ];
        let capabilities = json!({ "capabilities": { "alwaysMatch": {
            "browserName": "chrome",
            "goog:loggingPrefs": { "browser": "ALL" },
            "goog:chromeOptions": { "args": arguments, "prefs": { "intl.accept_languages": language } },
        } } });
        let mut browser = Browser { _driver: driver, port, session: String::new() };
        let made = browser.ask("POST", "/session", Some(&capabilities));
        browser.session = made["sessionId"].as_str().expect("a session").to_owned();
        browser
    }

    fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> Value {
        let body = body.map(Value::to_string).unwrap_or_default();
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("chromedriver");
        stream.set_read_timeout(Some(seconds(90))).expect("a limit");
        let head = format!("{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n");
        let head = format!("{head}Content-Type: application/json\r\nContent-Length: {}\r\n\r\n", body.len());
        stream.write_all((head + &body).as_bytes()).expect("a request");
        let body = body_of(stream);
        let mut value: Value = serde_json::from_str(&body).unwrap_or_else(|error| panic!("{error}: {body}"));
        let value = value["value"].take();
        assert!(value["error"].is_null(), "{method} {path}: {} {}", value["error"], value["message"]);
        value
    }

    fn post(&self, path: &str, body: &Value) -> Value {
        self.ask("POST", &format!("/session/{}{path}", self.session), Some(body))
    }

    pub(crate) fn go(&self, url: &str) {
        self.post("/url", &json!({ "url": url }));
    }

    pub(crate) fn url(&self) -> String {
        let url = self.ask("GET", &format!("/session/{}/url", self.session), None);
        url.as_str().expect("an address").to_owned()
    }

    /// Every document that comes has this function: what a test runs on many pages is sent once.
    pub(crate) fn know(&self, name: &str, script: &str) {
        let source = format!("window.{name} = function () {{ {script} }};");
        self.tools("Page.addScriptToEvaluateOnNewDocument", json!({ "source": source }));
    }

    /// A command of the browser's developers' tools.
    fn tools(&self, command: &str, with: Value) -> Value {
        self.post("/goog/cdp/execute", &json!({ "cmd": command, "params": with }))
    }

    /// What the script returns.
    pub(crate) fn run(&self, script: &str) -> Value {
        self.post("/execute/sync", &json!({ "script": script, "args": [] }))
    }

    /// What the script gives to its last argument.
    pub(crate) fn run_async(&self, script: &str) -> Value {
        self.post("/execute/async", &json!({ "script": script, "args": [] }))
    }

    /// Polls until the expression is true.
    pub(crate) fn until(&self, what: &str) {
        let deadline = Instant::now() + PATIENCE;
        // A page that is still coming has not all that is asked about.
        let asked = format!("try {{ return Boolean({what}); }} catch (missing) {{ return false; }}");
        while self.run(&asked) != Value::Bool(true) {
            assert!(Instant::now() < deadline, "never: {what} on {}\n{}\n{:?}", self.url(), self.text(), self.log());
            beat();
        }
    }

    pub(crate) fn text(&self) -> String {
        self.run("return document.body.innerText;").as_str().unwrap_or_default().to_owned()
    }

    fn element(&self, css: &str) -> String {
        let found = self.post("/element", &json!({ "using": "css selector", "value": css }));
        let id = found.as_object().and_then(|found| found.values().next()).and_then(Value::as_str);
        id.unwrap_or_else(|| panic!("no {css} on {}", self.url())).to_owned()
    }

    pub(crate) fn click(&self, css: &str) {
        self.post(&format!("/element/{}/click", self.element(css)), &json!({}));
    }

    /// Types into what it finds; a name of the keyboard (`\u{e007}`: Enter) is a key.
    pub(crate) fn type_into(&self, css: &str, text: &str) {
        self.post(&format!("/element/{}/value", self.element(css)), &json!({ "text": text }));
    }

    /// Presses these keys one after the other, wherever the focus is; a name of the keyboard (`\u{e007}`: Enter) is a key.
    pub(crate) fn press(&self, keys: &str) {
        let strokes = keys.chars().flat_map(|key| {
            let key = key.to_string();
            [json!({ "type": "keyDown", "value": key }), json!({ "type": "keyUp", "value": key })]
        });
        self.strokes(strokes.collect());
    }

    /// Presses a key while Control is held.
    pub(crate) fn press_with_control(&self, key: &str) {
        let (down, up) = ("keyDown", "keyUp");
        let strokes = [(down, "\u{e009}"), (down, key), (up, key), (up, "\u{e009}")];
        self.strokes(strokes.iter().map(|(kind, key)| json!({ "type": kind, "value": key })).collect());
    }

    fn strokes(&self, strokes: Vec<Value>) {
        let keyboard = json!({ "type": "key", "id": "keyboard", "actions": strokes });
        self.post("/actions", &json!({ "actions": [keyboard] }));
    }

    /// The page as it would be printed: a PDF.
    pub(crate) fn print(&self) -> Vec<u8> {
        let encoded = self.post("/print", &json!({ "page": { "width": 21.0, "height": 29.7 } }));
        decoded(encoded.as_str().unwrap_or_default())
    }

    /// Clicks what leads to another page, and waits until that is there.
    pub(crate) fn follow(&self, css: &str) {
        self.run("window.isOld = true;");
        self.click(css);
        self.until("!window.isOld && document.readyState === 'complete'");
    }

    /// What the browser complained of since the last call, refused requests of our own tests aside.
    pub(crate) fn log(&self) -> Vec<String> {
        let entries = self.post("/se/log", &json!({ "type": "browser" }));
        let entries = entries.as_array().into_iter().flatten();
        // Hints of its developers' tools are no complaints.
        let complaints = entries.filter(|entry| entry["level"] != "DEBUG");
        complaints.filter_map(|entry| Some(entry["message"].as_str()?.to_owned())).collect()
    }

    /// The whole page, in a window that is so wide.
    pub(crate) fn screenshot(&self, path: &Path, width: u32) {
        let screen = json!({ "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false });
        self.tools("Emulation.setDeviceMetricsOverride", screen);
        // They are gone once the whole page is taken: the page would be cut where they were.
        self.tools("Emulation.setScrollbarsHidden", json!({ "hidden": true }));
        let taken = self.tools("Page.captureScreenshot", json!({ "captureBeyondViewport": true }));
        self.tools("Emulation.setScrollbarsHidden", json!({ "hidden": false }));
        self.tools("Emulation.clearDeviceMetricsOverride", json!({}));
        std::fs::write(path, decoded(taken["data"].as_str().unwrap_or_default())).expect("a picture");
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if !self.session.is_empty() && !std::thread::panicking() {
            self.ask("DELETE", &format!("/session/{}", self.session), None);
        }
    }
}

/// The body of an answer, by its Content-Length: the driver may keep the connection.
fn body_of(stream: TcpStream) -> String {
    let mut reader = BufReader::new(stream);
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).expect("a header");
        let Some((name, value)) = line.trim_end().split_once(':') else {
            if line.trim_end().is_empty() {
                break;
            }
            continue;
        };
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().expect("a length");
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).expect("a body");
    String::from_utf8(body).expect("UTF-8")
}

/// Base64 (RFC 4648 section 4).
fn decoded(text: &str) -> Vec<u8> {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (mut out, mut bits, mut held) = (Vec::new(), 0_u32, 0);
    for value in text.bytes().filter_map(|letter| LETTERS.iter().position(|known| *known == letter)) {
        bits = bits << 6 | u32::try_from(value).expect("below 64");
        held += 6;
        if held >= 8 {
            held -= 8;
            out.push((bits >> held & 0xff) as u8);
        }
    }
    out
}
