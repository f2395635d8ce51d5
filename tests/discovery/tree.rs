//! Trees of files in a folder of their own, and questions to what is found there.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use plimsoll::error::Error;
use plimsoll::history::{Framework, History, TransactionUnit};
use plimsoll::project::{Project, Request, load, read_settings};
use plimsoll::settings::Flags;

pub const SQL: &str = "create table a (b int);\n";

/// A folder that is gone after the test.
pub struct Tree(pub PathBuf);

impl Tree {
    pub fn new(files: &[(&str, &str)]) -> Tree {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let root = std::env::temp_dir().join(format!("plimsoll-discovery-{}-{number}", std::process::id()));
        fs::create_dir_all(root.join(".git")).unwrap();
        let tree = Tree(root);
        tree.write(files);
        tree
    }

    /// Inside a repository with one commit of the files on `main`.
    pub fn committed(files: &[(&str, &str)]) -> Tree {
        let tree = Tree::new(&[]);
        fs::remove_dir(tree.0.join(".git")).unwrap();
        tree.git(&["init", "-q", "-b", "main"]);
        tree.write(files);
        tree.commit();
        tree
    }

    pub fn write(&self, files: &[(&str, &str)]) {
        for (path, text) in files {
            self.write_bytes(path, text.as_bytes());
        }
    }

    pub fn write_bytes(&self, path: &str, bytes: &[u8]) {
        let path = self.0.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    pub fn git(&self, arguments: &[&str]) -> String {
        let mut command = Command::new("git");
        command.current_dir(&self.0).args(["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]);
        let output = command.args(arguments).output().unwrap();
        assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    pub fn commit(&self) {
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "--no-verify", "-m", "x"]);
    }

    pub fn load(&self, paths: &[&str]) -> Result<Project, Error> {
        self.load_in("", paths, &Flags::default(), None)
    }

    pub fn load_with(&self, paths: &[&str], flags: &Flags) -> Result<Project, Error> {
        self.load_in("", paths, flags, None)
    }

    pub fn load_in(&self, folder: &str, paths: &[&str], flags: &Flags, stdin: Option<&str>) -> Result<Project, Error> {
        let working_directory = self.0.join(folder);
        let (settings, sources) = read_settings(&working_directory, flags, &[])?;
        load(Request {
            paths: paths.iter().map(PathBuf::from).collect(),
            working_directory,
            settings: &settings,
            sources,
            since: flags.since.clone(),
            after: flags.after.clone(),
            stdin: stdin.map(str::to_owned),
        })
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

pub fn only(project: &Project) -> &History {
    assert_eq!(project.histories.len(), 1, "{:?}", project.remarks);
    &project.histories[0]
}

pub fn versions(history: &History) -> Vec<&str> {
    history.migrations.iter().map(|migration| migration.version.as_str()).collect()
}

pub fn names(history: &History) -> Vec<&str> {
    history.migrations.iter().map(|migration| migration.name.as_str()).collect()
}

pub fn units(history: &History) -> Vec<TransactionUnit> {
    history.migrations.iter().map(|migration| migration.transaction).collect()
}

pub fn judged(history: &History) -> Vec<&str> {
    let judged = history.migrations.iter().filter(|migration| migration.judged);
    judged.map(|migration| migration.name.as_str()).collect()
}

pub fn says(project: &Project, words: &str) -> bool {
    project.remarks.iter().any(|remark| remark.contains(words))
}

pub const FILE: TransactionUnit = TransactionUnit::File;
pub const BARE: TransactionUnit = TransactionUnit::Statement;
pub const QUERY: TransactionUnit = TransactionUnit::SimpleQuery;
pub const PENDING: TransactionUnit = TransactionUnit::AllPending;
pub const CONCURRENTLY: &str = "create index concurrently i on a (b);\n";

/// Detected without help, and the same where it is named.
#[track_caller]
pub fn load_as(files: &[(&str, &str)], framework: Framework) -> (Tree, Project) {
    let tree = Tree::new(files);
    let project = tree.load(&[]).unwrap();
    assert_eq!(only(&project).framework, framework, "{:?}", project.remarks);
    assert!(says(&project, framework.word()), "the run says what was taken");
    let named = Flags { framework: Some(framework), ..Flags::default() };
    let again = tree.load_with(&[only(&project).root.as_str()], &named).unwrap();
    assert_eq!(versions(only(&again)), versions(only(&project)));
    (tree, project)
}

pub fn downs(history: &History) -> Vec<bool> {
    history.migrations.iter().map(|migration| migration.down.is_some()).collect()
}

pub fn unread(project: &Project) -> Vec<(&str, &str)> {
    project.unread_files.iter().map(|file| (file.path.as_str(), file.reason.as_str())).collect()
}
