//! Classes of background work, in the folders that vocabularies name: what they write is read from them.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use super::super::text::peek;
use super::super::texts::FILE_BYTES;
use crate::operation::RubyFile;
use crate::rails::Vocabularies;
use crate::rails::evaluate::camelize;
use crate::read::{each, ruby};
use crate::source::Sources;

/// Files that are read of such folders.
const FILE_CAP: usize = 5_000;

/// By class, as its file is named.
pub fn read(app: &Path, vocabularies: &Vocabularies) -> BTreeMap<Arc<str>, Arc<RubyFile>> {
    let folders = vocabularies.job_folders().filter_map(|folder| fs::read_dir(app.join(folder)).ok());
    let files = folders.flatten().filter_map(Result::ok).map(|entry| entry.path());
    let mut files: Vec<_> = files.filter(|path| path.extension().is_some_and(|ending| ending == "rb")).collect();
    files.sort();
    files.truncate(FILE_CAP);
    let mut found: BTreeMap<Arc<str>, Arc<RubyFile>> = BTreeMap::new();
    for (class, file) in each(&files, |_| FILE_BYTES, |path| class_in(path)).into_iter().flatten() {
        // The first folder's counts: later ones hold what is mixed into it.
        found.entry(class).or_insert(file);
    }
    found
}

fn class_in(path: &Path) -> Option<(Arc<str>, Arc<RubyFile>)> {
    let stem = path.file_stem()?.to_str()?;
    // Nothing of it is shown: it needs no place among the run's sources.
    let mut sources = Sources::default();
    let id = sources.add(stem, peek(path)?);
    let file = ruby::read(&sources.piece(id));
    file.errors.is_empty().then(|| (camelize(stem, true).into(), Arc::new(file)))
}
