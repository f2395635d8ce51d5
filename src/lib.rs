//! plimsoll reads a project's migration history and says which migration will break production.

pub mod error;
pub mod finding;
pub mod graph;
pub mod history;
pub mod operation;
pub mod output;
pub mod project;
pub mod read;
pub mod report;
pub mod rules;
pub mod schema;
pub mod server;
pub mod settings;
pub mod source;
pub mod version;
