//! Texts of files, each read once, within the run's cap.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use super::text::{RUN_CAP, Text, read};
use super::walk::Found;

/// What was read so far.
#[derive(Debug, Default)]
pub struct Texts {
    known: BTreeMap<PathBuf, Arc<Result<Text, String>>>,
    bytes: u64,
}

impl Texts {
    /// A text that is not the disk's.
    pub fn know(&mut self, file: &Found, text: Result<Text, String>) {
        self.known.insert(file.disk.clone(), Arc::new(text));
    }

    /// The file's text, or why it cannot be had.
    pub fn get(&mut self, file: &Found) -> Arc<Result<Text, String>> {
        if let Some(known) = self.known.get(&file.disk) {
            return known.clone();
        }
        let text = if self.bytes > RUN_CAP {
            Err(format!("all files together are larger than {} MiB", RUN_CAP / 1024 / 1024))
        } else {
            read(&file.disk)
        };
        self.bytes += text.as_ref().map_or(0, |text| text.text.len() as u64);
        let text = Arc::new(text);
        self.known.insert(file.disk.clone(), text.clone());
        text
    }
}
