//! PostgreSQL majors and ranges of them. What differs between majors is told in `schema` and `server`.

use std::fmt;
use std::str::FromStr;

/// A PostgreSQL major release.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Major(pub u8);

impl Major {
    pub const OLDEST: Major = Major(12);
    pub const NEWEST: Major = Major(18);

    /// Each major that plimsoll knows, oldest first.
    pub fn all() -> impl DoubleEndedIterator<Item = Major> {
        (Major::OLDEST.0..=Major::NEWEST.0).map(Major)
    }
}

impl fmt::Display for Major {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// The servers a project runs on: `14..18`, both ends included. A minor may be named (`15.8..17`);
/// a bare major means its newest minor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VersionRange {
    pub oldest: Major,
    pub newest: Major,
    /// Named with a minor: `(major, minor)` of either end.
    pub minors: [Option<u8>; 2],
}

impl VersionRange {
    pub fn majors(self) -> impl DoubleEndedIterator<Item = Major> {
        (self.oldest.0..=self.newest.0).map(Major)
    }

    pub fn only(major: Major) -> VersionRange {
        VersionRange { oldest: major, newest: major, minors: [None, None] }
    }
}

impl Default for VersionRange {
    fn default() -> VersionRange {
        VersionRange { oldest: Major(14), newest: Major(18), minors: [None, None] }
    }
}

impl fmt::Display for VersionRange {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = |major: Major, minor: Option<u8>| match minor {
            Some(minor) => format!("{major}.{minor}"),
            None => major.to_string(),
        };
        let oldest = end(self.oldest, self.minors[0]);
        let newest = end(self.newest, self.minors[1]);
        if oldest == newest { write!(formatter, "{oldest}") } else { write!(formatter, "{oldest}..{newest}") }
    }
}

impl FromStr for VersionRange {
    type Err = String;

    fn from_str(text: &str) -> Result<VersionRange, String> {
        let (oldest, newest) = text.split_once("..").unwrap_or((text, text));
        let newest = newest.strip_prefix('=').unwrap_or(newest);
        let (oldest, first) = version(oldest.trim())?;
        let (newest, last) = version(newest.trim())?;
        if oldest > newest {
            return Err(format!("`{text}` runs backwards: write the older version first"));
        }
        Ok(VersionRange { oldest, newest, minors: [first, last] })
    }
}

fn version(text: &str) -> Result<(Major, Option<u8>), String> {
    let (major, minor) = match text.split_once('.') {
        Some((major, minor)) => (major, Some(minor)),
        None => (text, None),
    };
    let wrong = || format!("`{text}` is no PostgreSQL version: write `14`, `15.8` or a range such as `14..18`");
    let major: u8 = major.parse().map_err(|_| wrong())?;
    let minor = minor.map(|minor| minor.parse().map_err(|_| wrong())).transpose()?;
    if !(Major::OLDEST.0..=Major::NEWEST.0).contains(&major) {
        let (oldest, newest) = (Major::OLDEST, Major::NEWEST);
        return Err(format!("PostgreSQL {major} is not known: plimsoll knows {oldest} to {newest}"));
    }
    Ok((Major(major), minor))
}

impl VersionRange {
    /// The majors of the range in groups whose catalogs follow the same rules: what a replay of one says holds for
    /// its group. Differences: triggers of partitions (13, 15), keys of partitioned tables (17), NOT NULL rows and
    /// merging of keys (18).
    pub fn state_classes(self) -> Vec<Vec<Major>> {
        let class = |major: Major| match major.0 {
            ..=12 => 0,
            13 | 14 => 1,
            15 | 16 => 2,
            17 => 3,
            _ => 4,
        };
        let mut classes: Vec<Vec<Major>> = Vec::new();
        for major in self.majors() {
            match classes.last_mut() {
                Some(last) if class(last[0]) == class(major) => last.push(major),
                _ => classes.push(vec![major]),
            }
        }
        classes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_read_and_print() {
        for text in ["14..18", "15.8..17", "16", "16.4"] {
            assert_eq!(text.parse::<VersionRange>().map(|range| range.to_string()), Ok(text.to_owned()));
        }
        assert!("18..14".parse::<VersionRange>().is_err());
        assert!("11".parse::<VersionRange>().is_err());
        assert!("next".parse::<VersionRange>().is_err());
    }
}
