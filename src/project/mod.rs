//! From paths to histories: which files are migrations, in which order, run how, and which are judged.
//! Reads files and asks git; runs nothing else.

mod assemble;
mod code;
mod dialect;
mod dump_file;
mod extra_pages;
mod git;
mod judge;
mod layout;
mod load;
mod lock_waits;
mod manifest;
mod names;
mod order;
mod place;
mod rails;
mod runner;
mod search_path;
mod settings_file;
mod shipped;
mod template;
mod text;
mod texts;
mod unit;
mod walk;

use std::path::PathBuf;

use crate::history::{History, UnreadFile};
use crate::settings::Settings;
use crate::source::{SourceId, Sources};

pub use dump_file::read_dump;
pub use load::load;
pub use place::Place;
pub use runner::compare_versions;
pub use settings_file::read_settings;

/// All that `analyze` works on: files read, histories in production order.
#[derive(Debug, Default)]
pub struct Project {
    pub sources: Sources,
    pub histories: Vec<History>,
    pub unread_files: Vec<UnreadFile>,
    /// What is shipped, where a base was named.
    pub base: Option<Base>,
    /// What the judged range changes of the settings that it is checked by, a sentence each.
    pub changes: Vec<String>,
    /// Sentences that tell what was detected and taken.
    pub remarks: Vec<String>,
}

/// The revision that judged migrations are compared with.
#[derive(Debug, Clone, PartialEq)]
pub struct Base {
    /// As it was named: `origin/main`.
    pub revision: String,
    /// The merge base of it and HEAD.
    pub commit: String,
    pub edited: Vec<Edited>,
    pub deleted: Vec<Deleted>,
    /// Other files of SQL that the work tree adds or edits, where it lacks shipped ones.
    pub beside: Vec<SourceId>,
}

/// A shipped file whose text the work tree changes.
#[derive(Debug, Clone, PartialEq)]
pub struct Edited {
    pub path: String,
    pub source: SourceId,
    /// The text as shipped.
    pub before: SourceId,
}

/// A shipped file that the work tree lacks.
#[derive(Debug, Clone, PartialEq)]
pub struct Deleted {
    pub path: String,
    pub before: SourceId,
}

/// What to load.
#[derive(Debug)]
pub struct Request<'a> {
    /// As typed; none: `paths` of the settings, else detection.
    pub paths: Vec<PathBuf>,
    pub working_directory: PathBuf,
    pub settings: &'a Settings,
    /// Holds the settings file where there is one.
    pub sources: Sources,
    pub since: Option<String>,
    pub after: Option<String>,
    /// A migration given as text; it comes after all others.
    pub stdin: Option<String>,
}
