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

/// Rules that speak when one is tested: it, and those that the texts allow, since what holds nothing back is unused.
pub fn speaking<'a>(rule: &str, texts: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut rules = vec![rule.to_owned()];
    for text in texts {
        for (at, comment) in text.match_indices("plimsoll:allow") {
            let rest = text[at + comment.len()..].trim_start_matches("-file").trim_start();
            rules.push(rest.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '-').collect());
        }
    }
    rules
}

/// Flags that silence all rules but these, and let the first speak also where it is off by default.
pub fn only(speaking: &[String]) -> Vec<String> {
    use plimsoll::finding::Severity;
    use plimsoll::rules::BUILT_IN;
    let flags = BUILT_IN.iter().filter_map(|one| {
        let severity = match one.page().severity {
            _ if !speaking.iter().any(|rule| rule == one.id) => Severity::Off,
            Severity::Off if speaking[0] == one.id => Severity::Warning,
            _ => return None,
        };
        Some(format!("--rule={}={severity}", one.id))
    });
    flags.collect()
}
