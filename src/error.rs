//! Why a run was impossible. Never a finding: those are `finding::Finding`.

use miette::{Diagnostic, NamedSource, SourceSpan};
use thiserror::Error;

/// The exit code of a run that ends with an [`Error`].
pub const EXIT_CODE: u8 = 2;

#[derive(Debug, Error, Diagnostic)]
pub enum Error {
    #[error("{path} does not exist")]
    #[diagnostic(help("name a folder of migrations or a file, or run inside a project"))]
    MissingPath { path: String },

    #[error("{path}: {reason}")]
    Io { path: String, reason: String },

    #[error("nothing to check below {path}")]
    #[diagnostic(help("{help}"))]
    NothingFound { path: String, help: String },

    #[error("{path} holds SQL for {database} only")]
    #[diagnostic(help("plimsoll reads PostgreSQL; name the folder of its migrations"))]
    OtherDatabase { path: String, database: String },

    /// All faults of a settings file at once.
    #[error("{path} has {} {}", faults.len(), if faults.len() == 1 { "fault" } else { "faults" })]
    Settings {
        path: String,
        #[related]
        faults: Vec<SettingsFault>,
    },

    #[error("{message}")]
    #[diagnostic(help("{help}"))]
    Usage { message: String, help: String },

    #[error("git: {message}")]
    #[diagnostic(help("{help}"))]
    Git { message: String, help: String },
}

/// One fault in `plimsoll.toml`, with its place.
#[derive(Debug, Error, Diagnostic)]
#[error("{message}")]
pub struct SettingsFault {
    pub message: String,
    #[help]
    pub help: Option<String>,
    #[source_code]
    pub file: NamedSource<String>,
    #[label]
    pub span: SourceSpan,
}
