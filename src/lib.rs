//! plimsoll reads a project's whole migration history, works out what PostgreSQL and the running application will go
//! through, and says before the merge which migration will break production, why, and what to do instead.
//!
//! ```text
//! paths ─project→ histories ─read→ scripts ─history, against schema and data→ steps ─rules→ findings ─report→ output
//! ```
//!
//! A module uses only what stands above it in this order: `source`, `error`, `version`, `finding`, `operation`,
//! `settings`, `read`, `schema`, `predicate`, `data`, `server`, `graph`, `rails`, `history`, `rules`, `report`, `project`,
//! `output`, `cli`. The middle is pure: [`analyze`] does no I/O and gives the same report for the same input.

pub mod cli;
pub mod data;
pub mod error;
pub mod finding;
pub mod graph;
pub mod history;
pub mod operation;
pub mod output;
pub mod predicate;
pub mod project;
pub mod rails;
pub mod read;
pub mod report;
pub mod rules;
pub mod schema;
pub mod server;
pub mod settings;
pub mod source;
pub mod version;

mod analysis;

pub use analysis::{analyze, dump::replay_dump, replay_to_end, replay_to_ends};
