//! A headless Chromium, spoken to over its debugging pipe. A test that needs one fails where there is none, unless
//! `PLIMSOLL_CHROMIUM=skip` says that it may go without; it then says so on standard error. The same variable names
//! another program.

use std::cell::{Cell, RefCell};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

pub struct Browser {
    child: Child,
    profile: PathBuf,
    to: RefCell<ChildStdin>,
    from: RefCell<BufReader<ChildStdout>>,
    session: RefCell<Option<String>>,
    number: Cell<u64>,
    /// What the page complained of.
    complaints: RefCell<Vec<String>>,
}

impl Browser {
    /// Opens a page and waits until it is loaded.
    pub fn open(name: &str, page: &str) -> Option<Browser> {
        let wanted = std::env::var("PLIMSOLL_CHROMIUM").ok();
        if wanted.as_deref() == Some("skip") {
            // Not `eprintln!`: the test runner swallows that for tests that pass.
            let _ = writeln!(std::io::stderr(), "not proven (no Chromium wanted): {name}");
            return None;
        }
        let known = ["chromium", "chromium-browser", "google-chrome"].map(str::to_owned);
        let program = wanted.into_iter().chain(known).find(|program| {
            Command::new(program)
                .arg("--version")
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status()
                .is_ok_and(|status| status.success())
        });
        let program = program.expect(
            "no Chromium: install it (Debian's package is `chromium`), name one in PLIMSOLL_CHROMIUM, or set it to skip",
        );
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("pages").join(name);
        let _ = std::fs::remove_dir_all(&folder);
        let profile = folder.join("profile");
        std::fs::create_dir_all(&profile).unwrap();
        let file = folder.join("page.html");
        std::fs::write(&file, page).unwrap();
        // The pipe is descriptors 3 and 4 of the browser.
        let mut child = Command::new("sh")
            .args(["-c", "exec \"$0\" \"$@\" 3<&0 4>&1 </dev/null >/dev/null 2>&1", &program])
            .args([
                "--headless=new",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--remote-debugging-pipe",
            ])
            .arg(format!("--user-data-dir={}", profile.display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (to, from) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        let browser = Browser {
            child,
            profile,
            to: RefCell::new(to),
            from: RefCell::new(from),
            session: RefCell::new(None),
            number: Cell::new(0),
            complaints: RefCell::new(Vec::new()),
        };
        browser.load(&format!("file://{}", file.display()));
        Some(browser)
    }

    fn load(&self, address: &str) {
        let target = self.ask("Target.createTarget", json!({"url": "about:blank"}));
        let session = self.ask("Target.attachToTarget", json!({"targetId": target["targetId"], "flatten": true}));
        *self.session.borrow_mut() = session["sessionId"].as_str().map(str::to_owned);
        for domain in ["Page.enable", "Runtime.enable", "Log.enable"] {
            self.ask(domain, json!({}));
        }
        self.ask("Page.navigate", json!({"url": address}));
        while self.evaluate("document.readyState") != "complete" {
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }

    /// Sends a command and gives its result; what the page complains of meanwhile is kept.
    pub fn ask(&self, method: &str, params: Value) -> Value {
        self.number.set(self.number.get() + 1);
        let mut message = json!({"id": self.number.get(), "method": method, "params": params});
        if let Some(session) = &*self.session.borrow() {
            message["sessionId"] = json!(session);
        }
        let mut to = self.to.borrow_mut();
        to.write_all(message.to_string().as_bytes()).unwrap();
        to.write_all(&[0]).unwrap();
        to.flush().unwrap();
        loop {
            let mut bytes = Vec::new();
            self.from.borrow_mut().read_until(0, &mut bytes).unwrap();
            assert_eq!(bytes.pop(), Some(0), "the browser went away");
            let told: Value = serde_json::from_slice(&bytes).unwrap();
            if told["id"] == self.number.get() {
                assert!(told.get("error").is_none(), "{method}: {told}");
                return told["result"].clone();
            }
            if matches!(
                told["method"].as_str(),
                Some("Log.entryAdded" | "Runtime.exceptionThrown" | "Runtime.consoleAPICalled")
            ) {
                self.complaints.borrow_mut().push(told["params"].to_string());
            }
        }
    }

    /// The value of an expression; promises are waited for.
    pub fn evaluate(&self, expression: &str) -> Value {
        let asked = json!({"expression": expression, "awaitPromise": true, "returnByValue": true, "userGesture": true});
        let told = self.ask("Runtime.evaluate", asked);
        assert!(told.get("exceptionDetails").is_none(), "{expression}: {told}");
        told["result"]["value"].clone()
    }

    pub fn press(&self, key: &str) {
        let text = if key.len() == 1 { key } else { "" };
        let code = if key == "Tab" { 9 } else { 0 };
        for kind in ["keyDown", "keyUp"] {
            let event = json!({"type": kind, "key": key, "text": text, "windowsVirtualKeyCode": code});
            self.ask("Input.dispatchKeyEvent", event);
        }
    }

    pub fn resize(&self, width: u32) {
        let metrics = json!({"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 500});
        self.ask("Emulation.setDeviceMetricsOverride", metrics);
    }

    pub fn complaints(&self) -> Vec<String> {
        self.evaluate("1");
        self.complaints.borrow().clone()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.profile);
    }
}
