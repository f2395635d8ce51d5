//! One file's text, or why it cannot be had. Nothing is read beyond the caps.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::Path;

/// Larger files are no migrations; reading one would take the memory of the run.
pub const FILE_CAP: u64 = 64 * 1024 * 1024;

/// All files of a run together.
pub const RUN_CAP: u64 = 256 * 1024 * 1024;

/// A file's text without its byte order mark.
#[derive(Debug, Clone)]
pub struct Text {
    pub text: String,
    pub had_mark: bool,
}

/// Reads a file, or says why it is not read.
pub fn read(path: &Path) -> Result<Text, String> {
    let known = std::fs::metadata(path).map_err(|error| reason(&error))?;
    // Opening a pipe or a device would wait or never end.
    if !known.is_file() {
        return Err("it is no regular file".to_owned());
    }
    let too_large = || format!("it is larger than {} MiB", FILE_CAP / 1024 / 1024);
    if known.len() > FILE_CAP {
        return Err(too_large());
    }
    let mut bytes = Vec::with_capacity(known.len() as usize + 1);
    let file = File::open(path).map_err(|error| reason(&error))?;
    file.take(FILE_CAP + 1).read_to_end(&mut bytes).map_err(|error| reason(&error))?;
    if bytes.len() as u64 > FILE_CAP {
        return Err(too_large());
    }
    decode(bytes)
}

/// The bytes of a regular file within the cap, to compare with what is shipped.
pub fn bytes(path: &Path) -> Option<Vec<u8>> {
    let known = std::fs::metadata(path).ok()?;
    (known.is_file() && known.len() <= FILE_CAP).then(|| std::fs::read(path).ok())?
}

/// Bytes to text: UTF-8, with or without its mark.
pub fn decode(bytes: Vec<u8>) -> Result<Text, String> {
    if bytes.starts_with(&[0xFF, 0xFE]) || bytes.starts_with(&[0xFE, 0xFF]) {
        // Runners hand the bytes to a connection whose encoding is UTF-8: the server would refuse them too.
        return Err("it is UTF-16; save it as UTF-8".to_owned());
    }
    if let Some(at) = bytes.iter().position(|byte| *byte == 0) {
        return Err(format!("it is not text: byte {at} is NUL"));
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        format!("it is not UTF-8: byte {} is no part of a character", error.utf8_error().valid_up_to())
    })?;
    if text.starts_with("version https://git-lfs.github.com/spec/") {
        return Err("it is a Git LFS pointer; fetch its content first".to_owned());
    }
    Ok(match text.strip_prefix('\u{FEFF}') {
        Some(stripped) => Text { text: stripped.to_owned(), had_mark: true },
        None => Text { text, had_mark: false },
    })
}

/// The start of a small file that is not a migration (a manifest); nothing where it cannot be read.
pub fn peek(path: &Path) -> Option<String> {
    const PEEK_CAP: u64 = 1024 * 1024;
    if !std::fs::metadata(path).ok()?.is_file() {
        return None;
    }
    let mut bytes = Vec::new();
    File::open(path).ok()?.take(PEEK_CAP).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// An I/O error without the system's number, the same on every machine.
pub fn reason(error: &std::io::Error) -> String {
    match error.kind() {
        ErrorKind::NotFound => "it leads nowhere".to_owned(),
        ErrorKind::PermissionDenied => "it may not be read: permission denied".to_owned(),
        _ => format!("it cannot be read: {}", error.kind()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_utf8_text_is_read() {
        assert!(decode(b"\xEF\xBB\xBFselect 1".to_vec()).is_ok_and(|text| text.had_mark && text.text == "select 1"));
        for (bytes, word) in [
            (&b"\xFF\xFEs\0"[..], "UTF-16"),
            (b"\xFE\xFF\0s", "UTF-16"),
            (b"a\0b", "NUL"),
            (b"ab\xC3(", "byte 2"),
            (b"version https://git-lfs.github.com/spec/v1\noid sha256:00", "LFS"),
        ] {
            assert!(decode(bytes.to_vec()).is_err_and(|reason| reason.contains(word)), "{word}");
        }
    }
}
