//! A Chromium that a test drives by its own protocol, over a pipe: mouse, keys, media, the tree of a screen reader.

use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Chromium, if it is installed (see `tests/setup/browser.sh`).
pub(crate) fn installed() -> Option<PathBuf> {
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let path = std::env::var_os("PATH")?;
    let places = std::env::split_paths(&path);
    let found = places
        .flat_map(|dir| names.map(|n| dir.join(n)))
        .find(|p| p.is_file());
    if found.is_none() {
        println!("skipped: no Chromium found; tests/setup/browser.sh installs it");
    }
    found
}

/// A screen that a page is opened on.
#[derive(Clone, Copy)]
pub(crate) struct Screen {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) is_dark: bool,
}

pub(crate) const DESK: Screen = Screen {
    width: 1280,
    height: 900,
    is_dark: false,
};
pub(crate) const PHONE: Screen = Screen {
    width: 390,
    height: 844,
    is_dark: false,
};

/// A browser with one page.
pub(crate) struct Browser {
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
    session: Option<String>,
    next: u64,
    /// What the page said and asked for since it was opened.
    pub(crate) events: Vec<Value>,
    dir: TempDir,
}

impl Browser {
    /// Starts it; it takes commands from its third file and answers to its fourth.
    pub(crate) fn start(program: &Path) -> Self {
        let dir = TempDir::new().unwrap();
        let mut child = Command::new("sh")
            .args(["-c", "exec \"$@\" 3<&0 4>&1 >/dev/null 2>&1", "sh"])
            .arg(program)
            .args([
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--no-first-run",
            ])
            .args([
                "--disable-background-networking",
                "--disable-component-update",
            ])
            .args([
                "--disable-sync",
                "--disable-dev-shm-usage",
                "--hide-scrollbars",
            ])
            .arg("--remote-debugging-pipe")
            .arg(format!("--user-data-dir={}", dir.path().display()))
            .arg("about:blank")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (to, from) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        Browser {
            child,
            to,
            from: BufReader::new(from),
            session: None,
            next: 0,
            events: Vec::new(),
            dir,
        }
    }

    fn read(&mut self) -> Value {
        let mut bytes = Vec::new();
        self.from.read_until(0, &mut bytes).unwrap();
        assert_eq!(bytes.pop(), Some(0), "the browser ended");
        serde_json::from_slice(&bytes).unwrap()
    }

    /// Calls a method of the protocol and returns its answer.
    pub(crate) fn call(&mut self, method: &str, params: Value) -> Value {
        self.next += 1;
        let mut message = json!({ "id": self.next, "method": method, "params": params });
        if let Some(session) = &self.session {
            message["sessionId"] = json!(session);
        }
        let mut bytes = serde_json::to_vec(&message).unwrap();
        bytes.push(0);
        self.to.write_all(&bytes).unwrap();
        loop {
            let mut answer = self.read();
            if answer["id"] == json!(self.next) {
                assert!(answer.get("error").is_none(), "{method}: {answer}");
                return answer["result"].take();
            }
            self.events.push(answer);
        }
    }

    /// Opens a page on a screen and waits until it is there.
    pub(crate) fn open(&mut self, file: &Path, screen: Screen) {
        self.session = None;
        let target = self.call("Target.createTarget", json!({ "url": "about:blank" }));
        let id = target["targetId"].clone();
        let attached = self.call(
            "Target.attachToTarget",
            json!({ "targetId": id, "flatten": true }),
        );
        self.session = attached["sessionId"].as_str().map(str::to_owned);
        for domain in ["Page", "Runtime", "Log", "Network", "Accessibility"] {
            self.call(&format!("{domain}.enable"), json!({}));
        }
        let Screen {
            width,
            height,
            is_dark,
        } = screen;
        self.call(
            "Emulation.setDeviceMetricsOverride",
            json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 640 }),
        );
        let scheme = if is_dark { "dark" } else { "light" };
        self.media("screen", scheme);
        let downloads = self.downloads();
        self.call(
            "Page.setDownloadBehavior",
            json!({ "behavior": "allow", "downloadPath": downloads }),
        );
        self.events.clear();
        self.call(
            "Page.navigate",
            json!({ "url": format!("file://{}", file.display()) }),
        );
        while !self
            .events
            .iter()
            .any(|e| e["method"] == "Page.loadEventFired")
        {
            let event = self.read();
            self.events.push(event);
        }
        // What moves slowly to its place is not there when a test points at it.
        self.js("document.documentElement.style.scrollBehavior = 'auto'");
    }

    /// Opens the page once more with scripts switched off, and waits until it is there.
    pub(crate) fn reload_without_scripts(&mut self) {
        self.call(
            "Emulation.setScriptExecutionDisabled",
            json!({ "value": true }),
        );
        self.events.clear();
        self.call("Page.reload", json!({}));
        while !self
            .events
            .iter()
            .any(|e| e["method"] == "Page.loadEventFired")
        {
            let event = self.read();
            self.events.push(event);
        }
    }

    /// Shows the page as on paper or on a screen, in light or dark colours.
    pub(crate) fn media(&mut self, media: &str, scheme: &str) {
        let scheme = json!({ "name": "prefers-color-scheme", "value": scheme });
        self.call(
            "Emulation.setEmulatedMedia",
            json!({ "media": media, "features": [scheme] }),
        );
    }

    /// The value of an expression in the page.
    pub(crate) fn js(&mut self, expression: &str) -> Value {
        let mut answer = self.call(
            "Runtime.evaluate",
            json!({ "expression": expression, "returnByValue": true, "awaitPromise": true }),
        );
        let wrong = answer.get("exceptionDetails");
        assert!(wrong.is_none(), "{expression}: {answer}");
        answer["result"]["value"].take()
    }

    /// Where the middle of what an expression names is on the screen, to which it is brought.
    pub(crate) fn middle(&mut self, element: &str) -> (f64, f64) {
        let at = self.js(&format!(
            "(() => {{ const e = {element}; e.scrollIntoView({{ block: 'center', behavior: 'instant' }});
               const r = e.getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2]; }})()"
        ));
        // A frame, so that the scroll event is over.
        self.js(
            "new Promise((r) => requestAnimationFrame(() => requestAnimationFrame(() => r(0))))",
        );
        (at[0].as_f64().unwrap(), at[1].as_f64().unwrap())
    }

    /// Moves the mouse.
    pub(crate) fn point(&mut self, (x, y): (f64, f64)) {
        self.mouse("mouseMoved", (x, y));
    }

    /// Clicks what an expression names.
    pub(crate) fn click(&mut self, element: &str) {
        let at = self.middle(element);
        for kind in ["mouseMoved", "mousePressed", "mouseReleased"] {
            self.mouse(kind, at);
        }
    }

    fn mouse(&mut self, kind: &str, (x, y): (f64, f64)) {
        let button = if kind == "mouseMoved" { "none" } else { "left" };
        self.call(
            "Input.dispatchMouseEvent",
            json!({ "type": kind, "x": x, "y": y, "button": button, "clickCount": 1 }),
        );
    }

    /// Presses a key: `Tab`, `ArrowRight`, `Escape`, or a space.
    pub(crate) fn press(&mut self, key: &str) {
        let code = match key {
            "Tab" => 9,
            "Enter" => 13,
            "Escape" => 27,
            " " => 32,
            "ArrowLeft" => 37,
            "ArrowRight" => 39,
            "End" => 35,
            "Home" => 36,
            _ => panic!("{key}"),
        };
        let text = match key {
            " " => " ",
            "Enter" => "\r",
            _ => "",
        };
        for kind in ["keyDown", "keyUp"] {
            let mut event = json!({ "type": kind, "key": key, "windowsVirtualKeyCode": code });
            if kind == "keyDown" && !text.is_empty() {
                event["text"] = json!(text);
            }
            self.call("Input.dispatchKeyEvent", event);
        }
    }

    /// Role and name of everything that a screen reader is told of.
    pub(crate) fn tree(&mut self) -> Vec<(String, String)> {
        let tree = self.call("Accessibility.getFullAXTree", json!({}));
        let nodes = tree["nodes"].as_array().unwrap().iter();
        let text = |v: &Value| v["value"].as_str().unwrap_or_default().to_owned();
        nodes
            .filter(|n| n["ignored"] != json!(true))
            .map(|n| (text(&n["role"]), text(&n["name"])))
            .collect()
    }

    /// Messages of the console, and what it asked of the network or the disk besides itself.
    pub(crate) fn complaints(&self) -> Vec<&Value> {
        let said = [
            "Runtime.consoleAPICalled",
            "Runtime.exceptionThrown",
            "Log.entryAdded",
        ];
        let is_own = |e: &Value| {
            let url = e["params"]["request"]["url"].as_str().unwrap_or_default();
            url.ends_with(".html") || url.starts_with("data:") || url.starts_with("blob:")
        };
        let is_complaint = |e: &&Value| {
            let method = e["method"].as_str().unwrap_or_default();
            said.contains(&method) || method == "Network.requestWillBeSent" && !is_own(e)
        };
        self.events.iter().filter(is_complaint).collect()
    }

    fn downloads(&self) -> PathBuf {
        self.dir.path().join("downloads")
    }

    /// A file that was downloaded, when it is there.
    pub(crate) fn downloaded(&self, name: &str) -> Vec<u8> {
        let path = self.downloads().join(name);
        let start = Instant::now();
        while !path.is_file() && start.elapsed() < Duration::from_secs(20) {
            std::thread::sleep(Duration::from_millis(50));
        }
        std::fs::read(&path).unwrap_or_else(|e| panic!("{name}: {e}"))
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The page must have said nothing on the console and asked for nothing.
pub(crate) fn assert_quiet(browser: &Browser) {
    let none: [&Value; 0] = [];
    assert_eq!(browser.complaints(), none);
}

/// What a function of the harness returns.
pub(crate) fn harness(browser: &mut Browser, call: &str) -> Value {
    let script = include_str!("../browser/harness.js");
    browser.js(&format!("(() => {{ {script}\n return {call}; }})()"))
}
