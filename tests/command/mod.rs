//! Runs the command line in this process, on a stack as large as the program's own.

#![allow(dead_code)]

use plimsoll::cli::{Console, run};
use serde_json::Value;

/// What a run printed, and its exit code.
#[derive(Debug)]
pub struct Ran {
    pub code: u8,
    pub out: String,
    pub err: String,
}

impl Ran {
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|fault| panic!("{fault}\n{}\n{}", self.out, self.err))
    }

    /// Rules that reported something.
    #[track_caller]
    pub fn rules(&self) -> Vec<String> {
        let document = self.json();
        let findings = document["findings"].as_array().into_iter().flatten();
        let mut rules: Vec<String> = findings.filter_map(|one| one["rule"].as_str()).map(str::to_owned).collect();
        rules.sort();
        rules.dedup();
        rules
    }
}

pub fn plimsoll(arguments: &[&str]) -> Ran {
    plimsoll_reading("", arguments)
}

pub fn plimsoll_reading(stdin: &str, arguments: &[&str]) -> Ran {
    let arguments: Vec<String> =
        std::iter::once("plimsoll").chain(arguments.iter().copied()).map(str::to_owned).collect();
    let stdin = stdin.to_owned();
    let thread = std::thread::Builder::new().stack_size(64 * 1024 * 1024).spawn(move || {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let console = Console {
            stdin: &mut stdin.as_bytes(),
            stdout: &mut out,
            stderr: &mut err,
            terminal: false,
            error_terminal: false,
        };
        let code = run(arguments.into_iter().map(Into::into), console);
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Ran { code, out: text(out), err: text(err) }
    });
    thread.map(|thread| thread.join()).ok().and_then(Result::ok).unwrap_or_else(|| panic!("the run panicked"))
}

/// Flags that let one rule speak alone, also where it is off by default.
pub fn only(rule: &str) -> Vec<String> {
    use plimsoll::finding::Severity;
    use plimsoll::rules::BUILT_IN;
    let flags = BUILT_IN.iter().filter_map(|one| {
        let severity = match one.page().severity {
            _ if one.id != rule => Severity::Off,
            Severity::Off => Severity::Warning,
            _ => return None,
        };
        Some(format!("--rule={}={severity}", one.id))
    });
    flags.collect()
}
