//! Texts of files, each read once, within the run's cap.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::text::{RUN_CAP, Text, read};
use super::walk::Found;
use crate::read::each;

/// Of a file that is not read yet.
pub const FILE_BYTES: usize = 2 * 1024;

/// What was read so far.
#[derive(Debug, Default)]
pub struct Texts {
    known: HashMap<PathBuf, Arc<Result<Text, String>>>,
    bytes: u64,
}

impl Texts {
    /// A text that is not the disk's.
    pub fn know(&mut self, file: &Found, text: Result<Text, String>) {
        self.known.insert(file.disk.clone(), Arc::new(text));
    }

    /// Reads files side by side that are all asked for soon.
    pub fn read_ahead<'a>(&mut self, files: impl Iterator<Item = &'a Found>) {
        let files: Vec<&Found> = files.filter(|file| !self.known.contains_key(&file.disk)).collect();
        let bytes = AtomicU64::new(self.bytes);
        // What comes to more is refused when it is asked for.
        let read = each(
            &files,
            |_| FILE_BYTES,
            |file| {
                let is_within = bytes.load(Ordering::Relaxed) <= RUN_CAP;
                let text = is_within.then(|| read(&file.disk))?;
                bytes.fetch_add(text.as_ref().map_or(0, |text| text.text.len() as u64), Ordering::Relaxed);
                Some(text)
            },
        );
        for (file, text) in files.into_iter().zip(read) {
            let Some(text) = text else { break };
            self.know(file, text);
        }
        self.bytes = bytes.into_inner();
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
