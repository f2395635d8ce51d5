//! From paths to histories: which files are migrations, in which order, run how.

use crate::history::{History, UnreadFile};
use crate::source::Sources;

/// All that `analyze` works on: files read, histories in production order.
#[derive(Debug, Default)]
pub struct Project {
    pub sources: Sources,
    pub histories: Vec<History>,
    pub unread_files: Vec<UnreadFile>,
    /// Sentences that tell what was detected and taken.
    pub remarks: Vec<String>,
}
