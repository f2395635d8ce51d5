//! Expected text beside its input. `BLESS=1 cargo test` rewrites it; read the difference before you commit it.

use std::fmt::Write;
use std::path::Path;

/// Compares with a file, or rewrites it under BLESS=1; the error shows the first line that differs.
pub fn same(expected: &Path, actual: &str) -> Result<(), String> {
    let known = std::fs::read_to_string(expected).unwrap_or_default().replace("\r\n", "\n");
    if known == actual {
        return Ok(());
    }
    if std::env::var_os("BLESS").is_some() {
        return std::fs::write(expected, actual).map_err(|fault| format!("{}: {fault}", expected.display()));
    }
    let mut message = format!("{} differs (BLESS=1 cargo test rewrites it)", expected.display());
    let (mut old, mut new) = (known.lines(), actual.lines());
    for number in 1.. {
        match (old.next(), new.next()) {
            (None, None) => break,
            (one, other) if one == other => {}
            (one, other) => {
                let _ = write!(message, "\n  line {number}\n  - {}", one.unwrap_or("(end)"));
                let _ = write!(message, "\n  + {}", other.unwrap_or("(end)"));
                break;
            }
        }
    }
    Err(message)
}

/// All faults at once, not only the first.
#[track_caller]
pub fn none(faults: Vec<String>) {
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}
