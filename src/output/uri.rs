//! Paths as relative references (RFC 3986).

use std::fmt::Write;

/// A path with `/`, every other character that a reference cannot hold escaped.
pub(super) fn encoded(path: &str) -> String {
    let mut uri = String::with_capacity(path.len());
    // A colon in the first part would make a scheme of it.
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(uri, "%{byte:02X}");
        }
    }
    uri
}
