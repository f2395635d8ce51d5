//! Runs the command line in this process, on a stack as large as the program's own.

#![allow(dead_code, clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

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

/// A case with a folder `base` as a repository of its own: that folder is what its one commit holds, and the rest is the
/// work tree. `None` where a case has no base.
pub fn repository(case: &Path) -> Option<PathBuf> {
    let base = case.join("base");
    if !base.is_dir() {
        return None;
    }
    let name = case.display().to_string().replace(['/', '\\', ':'], "-");
    let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join("repositories").join(name);
    let _ = fs::remove_dir_all(&root);
    copy(&base, &root);
    git(&root, &["init", "-q", "-b", "main"]);
    git(&root, &["add", "-A"]);
    git(&root, &["commit", "-q", "--no-verify", "-m", "base"]);
    for entry in entries(&base) {
        let path = root.join(entry.file_name().unwrap());
        let _ = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    }
    for entry in entries(case).iter().filter(|entry| !entry.ends_with("base") && !entry.ends_with("expected.txt")) {
        copy(entry, &root.join(entry.file_name().unwrap()));
    }
    Some(root)
}

/// Runs the program itself inside a folder.
pub fn plimsoll_in(folder: &Path, arguments: &[&str]) -> Ran {
    let ran = Command::new(env!("CARGO_BIN_EXE_plimsoll")).current_dir(folder).args(arguments).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ran { code: ran.status.code().unwrap() as u8, out: text(ran.stdout), err: text(ran.stderr) }
}

fn git(root: &Path, arguments: &[&str]) {
    let mut command = Command::new("git");
    command.current_dir(root).args(["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]);
    // The same commit on every machine: reports name it.
    command.envs([("GIT_AUTHOR_DATE", "2024-01-01T00:00:00Z"), ("GIT_COMMITTER_DATE", "2024-01-01T00:00:00Z")]);
    let output = command.args(arguments).output().unwrap();
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
}

fn copy(from: &Path, to: &Path) {
    if from.is_dir() {
        fs::create_dir_all(to).unwrap();
        entries(from).iter().for_each(|entry| copy(entry, &to.join(entry.file_name().unwrap())));
    } else {
        fs::copy(from, to).unwrap();
    }
}
