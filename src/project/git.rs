//! What git knows of a base revision, through plumbing alone: no hook, filter, attribute, text conversion,
//! monitor or network of the checked repository may run.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::error::Error;

/// A repository on disk.
#[derive(Debug)]
pub struct Git<'a> {
    root: &'a Path,
}

/// The commit that judged migrations are compared with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseCommit {
    /// As the user or the CI service named it.
    pub revision: String,
    /// The merge base of it and HEAD.
    pub commit: String,
}

/// A commit and when it was made, in seconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dated {
    pub commit: String,
    pub time: u64,
}

/// A file that differs between two commits, by its blobs.
#[derive(Debug)]
pub struct Changed {
    pub path: String,
    pub before: Option<String>,
    pub after: Option<String>,
}

impl<'a> Git<'a> {
    pub fn at(root: &'a Path) -> Git<'a> {
        Git { root }
    }

    pub fn root(&self) -> &'a Path {
        self.root
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("git");
        command.current_dir(self.root);
        for setting in ["core.hooksPath=/dev/null", "core.fsmonitor=false", "protocol.allow=never"] {
            command.args(["-c", setting]);
        }
        command.arg("--no-pager").args(arguments);
        for (variable, value) in [
            ("GIT_OPTIONAL_LOCKS", "0"),
            ("GIT_TERMINAL_PROMPT", "0"),
            // Without this a partial clone fetches what it lacks.
            ("GIT_NO_LAZY_FETCH", "1"),
            ("GIT_NO_REPLACE_OBJECTS", "1"),
            ("LC_ALL", "C"),
        ] {
            command.env(variable, value);
        }
        command.stdin(Stdio::null()).stderr(Stdio::piped()).stdout(Stdio::piped());
        command
    }

    fn run(&self, arguments: &[&str]) -> Result<Vec<u8>, Error> {
        let output = self.command(arguments).output().map_err(|error| absent(&error))?;
        if output.status.success() {
            return Ok(output.stdout);
        }
        let message = String::from_utf8_lossy(&output.stderr);
        let message =
            message.lines().next().unwrap_or("it failed without a word").trim_start_matches("fatal: ").to_owned();
        let help = if message.contains("dubious ownership") {
            "git trusts this folder only after `git config --global --add safe.directory …`".to_owned()
        } else {
            "plimsoll asks git for the base revision; check that the repository is whole".to_owned()
        };
        Err(Error::Git { message, help })
    }

    /// The merge base of a revision and HEAD.
    pub fn base(&self, revision: &str) -> Result<BaseCommit, Error> {
        let commit = self.known(revision)?;
        let merged = self.run(&["merge-base", &commit, "HEAD"]);
        let merged = merged.ok().and_then(|output| String::from_utf8(output).ok());
        let Some(base) = merged.filter(|base| !base.trim().is_empty()) else {
            let message = format!("`{revision}` and HEAD have no commit in common here");
            let help = if self.is_shallow() {
                "the clone is shallow: run `git fetch --unshallow origin` (or fetch with depth 0 in CI)".to_owned()
            } else {
                "name a revision that HEAD was branched from".to_owned()
            };
            return Err(Error::Git { message, help });
        };
        Ok(BaseCommit { revision: revision.to_owned(), commit: base.trim().to_owned() })
    }

    /// The commit that a revision names; says which fetch is needed where it is not here.
    pub fn known(&self, revision: &str) -> Result<String, Error> {
        self.commit(revision).ok_or_else(|| unknown(revision))
    }

    fn commit(&self, revision: &str) -> Option<String> {
        let wanted = format!("{revision}^{{commit}}");
        let output = self.run(&["rev-parse", "--verify", "--quiet", "--end-of-options", &wanted]).ok()?;
        let commit = String::from_utf8(output).ok()?.trim().to_owned();
        (!commit.is_empty()).then_some(commit)
    }

    /// A commit and those before it, the newest first and each as its own branch came to it.
    pub fn line_of(&self, commit: &str, most: usize, paths: &[&str]) -> Vec<Dated> {
        let most = format!("--max-count={most}");
        let mut arguments = vec!["rev-list", "--first-parent", "--timestamp", &most, commit, "--"];
        arguments.extend(paths);
        let listed = self.run(&arguments).map(|output| String::from_utf8_lossy(&output).into_owned());
        let dated = |line: &str| {
            let (time, commit) = line.split_once(' ')?;
            Some(Dated { time: time.parse().ok()?, commit: commit.to_owned() })
        };
        listed.unwrap_or_default().lines().filter_map(dated).collect()
    }

    /// The commit of the work tree.
    pub fn head(&self) -> Option<Dated> {
        let head = self.commit("HEAD")?;
        self.line_of(&head, 1, &[]).pop()
    }

    /// What the project's main branch had come to at a time, by its own line, with the branch's name.
    pub fn main_at(&self, time: u64) -> Option<(String, Dated)> {
        const NAMES: [&str; 5] =
            ["refs/remotes/origin/HEAD", "refs/remotes/origin/main", "refs/remotes/origin/master", "main", "master"];
        let tip = NAMES.into_iter().find_map(|name| Some((name, self.commit(name)?)));
        let (name, tip) = tip?;
        let until = format!("--until={time}");
        let listed = self.run(&["rev-list", "--first-parent", "--max-count=1", &until, &tip, "--"]).ok()?;
        let commit = String::from_utf8(listed).ok()?.trim().to_owned();
        let name = name.strip_prefix("refs/remotes/").unwrap_or(name);
        let dated = if commit.is_empty() { None } else { self.line_of(&commit, 1, &[]).pop() };
        Some((name.to_owned(), dated?))
    }

    /// Where two commits parted; one of them, where it holds the other.
    pub fn parted(&self, one: &str, other: &str) -> Option<String> {
        let output = self.run(&["merge-base", one, other]).ok()?;
        let commit = String::from_utf8(output).ok()?.trim().to_owned();
        (!commit.is_empty()).then_some(commit)
    }

    /// All tags on commits by their names, the newest first.
    pub fn tags(&self) -> Vec<(String, Dated)> {
        let format = "--format=%(creatordate:unix)%00%(objectname)%00%(*objectname)%00%(refname:strip=2)";
        let listed = self.run(&["for-each-ref", "--sort=-creatordate", format, "refs/tags"]);
        let tag = |line: &str| {
            let mut parts = line.split('\0');
            let (time, own, pointed, name) = (parts.next()?.parse().ok()?, parts.next()?, parts.next()?, parts.next()?);
            let commit = if pointed.is_empty() { own } else { pointed };
            Some((name.to_owned(), Dated { time, commit: commit.to_owned() }))
        };
        let listed = listed.map(|output| String::from_utf8_lossy(&output).into_owned()).unwrap_or_default();
        listed.lines().filter_map(tag).collect()
    }

    /// Files that one commit has otherwise than another.
    pub fn changed(&self, from: &str, to: &str) -> Result<Vec<Changed>, Error> {
        let output = self.run(&["diff-tree", "-r", "-z", "--raw", "--no-renames", from, to, "--"])?;
        let text = String::from_utf8_lossy(&output);
        let mut parts = text.split('\0');
        let mut found = Vec::new();
        while let (Some(about), Some(path)) = (parts.next(), parts.next()) {
            found.push(changed_file(about, path));
        }
        Ok(found)
    }

    /// What each commit of a line, the newest first, changes below these paths against the one behind it; nothing of the
    /// last.
    pub fn changes_along(&self, line: &[Dated], paths: &[&str]) -> BTreeMap<String, Vec<Changed>> {
        let pairs = line.iter().zip(line.iter().skip(1));
        let asked: String = pairs.map(|(commit, before)| format!("{} {}\n", commit.commit, before.commit)).collect();
        let mut arguments = vec!["diff-tree", "--stdin", "-r", "-z", "--raw", "--no-renames", "--"];
        arguments.extend(paths);
        let output = self.asked(&arguments, &asked).unwrap_or_default();
        let text = String::from_utf8_lossy(&output);
        let mut found: BTreeMap<String, Vec<Changed>> = BTreeMap::new();
        let mut commit = "";
        let mut parts = text.split('\0');
        while let Some(part) = parts.next() {
            if part.starts_with(':') {
                let path = parts.next().unwrap_or_default();
                found.entry(commit.to_owned()).or_default().push(changed_file(part, path));
            } else {
                commit = part.trim();
            }
        }
        found
    }

    /// Files of a commit that match the patterns and hold all of the words, with what they say.
    pub fn files_with(&self, commit: &str, words: &[&str], patterns: &[&str]) -> Result<Vec<(String, String)>, Error> {
        let mut arguments = vec!["grep", "-l", "-z", "-F", "--full-name", "--no-color", "--no-textconv", "--all-match"];
        arguments.extend(words.iter().flat_map(|word| ["-e", *word]));
        arguments.push(commit);
        arguments.push("--");
        arguments.extend(patterns);
        // It fails where nothing is found.
        let output = self.run(&arguments).unwrap_or_default();
        let listed = String::from_utf8_lossy(&output).into_owned();
        let named: Vec<&str> = listed.split('\0').filter(|name| !name.is_empty()).collect();
        let contents = self.contents(&named)?;
        let of = |(name, bytes): (&str, Option<Vec<u8>>)| {
            let (_, path) = name.split_once(':')?;
            Some((path.to_owned(), String::from_utf8_lossy(&bytes?).into_owned()))
        };
        Ok(named.into_iter().zip(contents).filter_map(of).collect())
    }

    /// What a command says that reads what it is asked. The question is short: no pipe is full before it is read.
    fn asked(&self, arguments: &[&str], question: &str) -> std::io::Result<Vec<u8>> {
        let mut child = self.command(arguments).stdin(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        if let Some(mut input) = child.stdin.take() {
            input.write_all(question.as_bytes())?;
        }
        Ok(child.wait_with_output()?.stdout)
    }

    fn is_shallow(&self) -> bool {
        self.run(&["rev-parse", "--is-shallow-repository"]).is_ok_and(|output| output.starts_with(b"true"))
    }

    /// Regular files of a commit: path to blob.
    pub fn files(&self, commit: &str) -> Result<BTreeMap<String, String>, Error> {
        self.listed(&["ls-tree", "-r", "-z", "--full-tree", commit])
    }

    /// Those of them that have one of these paths, or lie in a folder named with `/` at its end.
    pub fn files_at(&self, commit: &str, paths: &[&str]) -> Result<BTreeMap<String, String>, Error> {
        let mut arguments = vec!["ls-tree", "-z", "--full-tree", commit, "--"];
        arguments.extend(paths);
        self.listed(&arguments)
    }

    fn listed(&self, arguments: &[&str]) -> Result<BTreeMap<String, String>, Error> {
        let output = self.run(arguments)?;
        let text = String::from_utf8_lossy(&output);
        let rows = text.split('\0').filter_map(|row| row.split_once('\t'));
        let files = rows.filter_map(|(about, path)| {
            let mut about = about.split(' ');
            let is_file = about.next()?.starts_with("100");
            (is_file && about.next()? == "blob").then_some(())?;
            Some((path.to_owned(), about.next()?.to_owned()))
        });
        Ok(files.collect())
    }

    /// The contents of blobs, in the order asked; `None` for one that is not here.
    pub fn contents(&self, blobs: &[&str]) -> Result<Vec<Option<Vec<u8>>>, Error> {
        if blobs.is_empty() {
            return Ok(Vec::new());
        }
        let mut command = self.command(&["cat-file", "--batch"]);
        let mut child = command.stdin(Stdio::piped()).stderr(Stdio::null()).spawn().map_err(|error| absent(&error))?;
        let contents = exchange(&mut child, blobs);
        // It ends when its input does; what it said of that is of no use.
        let _ = child.wait();
        let help = "plimsoll asks git for the base revision; check that the repository is whole".to_owned();
        contents.map_err(|error| Error::Git { message: format!("cat-file: {}", error.kind()), help })
    }
}

/// `:100644 100644 <before> <after> M` and a path; what is not there has no name but zeros.
fn changed_file(about: &str, path: &str) -> Changed {
    let mut blobs = about.split(' ').skip(2);
    let mut blob = || blobs.next().filter(|blob| blob.contains(|one| one != '0')).map(str::to_owned);
    Changed { before: blob(), after: blob(), path: path.to_owned() }
}

/// Asks for one object after the other: neither side waits on a full pipe.
fn exchange(child: &mut Child, blobs: &[&str]) -> std::io::Result<Vec<Option<Vec<u8>>>> {
    let broken = || std::io::Error::from(std::io::ErrorKind::BrokenPipe);
    let mut input = child.stdin.take().ok_or_else(broken)?;
    let mut output = BufReader::new(child.stdout.take().ok_or_else(broken)?);
    let mut contents = Vec::with_capacity(blobs.len());
    for blob in blobs {
        writeln!(input, "{blob}")?;
        input.flush()?;
        let mut header = String::new();
        output.read_line(&mut header)?;
        let mut words = header.split_whitespace().skip(1);
        let size = match (words.next(), words.next()) {
            (Some("blob"), Some(size)) => size.parse::<u64>().map_err(|_| broken())?,
            (Some("missing"), _) => {
                contents.push(None);
                continue;
            }
            _ => return Err(broken()),
        };
        let mut bytes = Vec::new();
        (&mut output).take(size + 1).read_to_end(&mut bytes)?;
        bytes.pop();
        contents.push(Some(bytes));
    }
    Ok(contents)
}

fn absent(error: &std::io::Error) -> Error {
    Error::Git {
        message: format!("it cannot be started: {}", error.kind()),
        help: "install git, or judge by `--after VERSION`, which needs none".to_owned(),
    }
}

fn unknown(revision: &str) -> Error {
    let help = match revision.strip_prefix("origin/") {
        Some(branch) => format!("run `git fetch origin {branch}:refs/remotes/origin/{branch}` before the check"),
        None => format!("run `git fetch origin {revision}` before the check, or name another revision"),
    };
    Error::Git { message: format!("`{revision}` is no commit that is here"), help }
}

/// The base that the CI service names for a merge request.
pub fn base_of_ci(variable: impl Fn(&str) -> Option<String>) -> Option<String> {
    let set = |name: &str| variable(name).filter(|value| !value.trim().is_empty() && value != "false");
    // GitLab's is the merge base itself; it may be a commit of a fetch that this clone lacks.
    const COMMITS: &[&str] = &["CI_MERGE_REQUEST_DIFF_BASE_SHA"];
    const BRANCHES: &[&str] = &[
        "CI_MERGE_REQUEST_TARGET_BRANCH_NAME",
        "GITHUB_BASE_REF",
        "BITBUCKET_PR_DESTINATION_BRANCH",
        "BUILDKITE_PULL_REQUEST_BASE_BRANCH",
        "SYSTEM_PULLREQUEST_TARGETBRANCH",
        "CHANGE_TARGET",
        "DRONE_TARGET_BRANCH",
        "CI_COMMIT_TARGET_BRANCH",
    ];
    if let Some(commit) = COMMITS.iter().find_map(|name| set(name)) {
        return Some(commit);
    }
    let branch = BRANCHES.iter().find_map(|name| set(name)).or_else(|| {
        // Travis sets the branch for every build, and it is the target only for a pull request's.
        set("TRAVIS_PULL_REQUEST").and_then(|_| set("TRAVIS_BRANCH"))
    })?;
    let branch = branch.trim_start_matches("refs/heads/");
    Some(format!("origin/{branch}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ci_services_name_their_base() {
        let base = |set: &[(&str, &str)]| {
            base_of_ci(|name| set.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()))
        };
        assert_eq!(base(&[("GITHUB_BASE_REF", "main")]).as_deref(), Some("origin/main"));
        assert_eq!(base(&[("GITHUB_BASE_REF", "")]), None);
        assert_eq!(base(&[("SYSTEM_PULLREQUEST_TARGETBRANCH", "refs/heads/dev")]).as_deref(), Some("origin/dev"));
        let gitlab = [("CI_MERGE_REQUEST_TARGET_BRANCH_NAME", "main"), ("CI_MERGE_REQUEST_DIFF_BASE_SHA", "abc")];
        assert_eq!(base(&gitlab).as_deref(), Some("abc"));
        assert_eq!(base(&[("TRAVIS_BRANCH", "main"), ("TRAVIS_PULL_REQUEST", "false")]), None);
        assert_eq!(base(&[("TRAVIS_BRANCH", "main"), ("TRAVIS_PULL_REQUEST", "7")]).as_deref(), Some("origin/main"));
    }
}
