//! PostgreSQL majors and ranges of them. What differs between majors is told in `schema` and `server`.

use std::cell::Cell;
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

/// The first major that keeps NOT NULL as rows of `pg_constraint`.
const NOT_NULL_ROWS: Major = Major(18);

thread_local! {
    /// The first major that a question on this thread told from those before it.
    static PARTED: Cell<Option<Major>> = const { Cell::new(None) };
}

/// The first major that follows other rules than those before it, of all that was asked on this thread since this was
/// taken last: the first question is enough, those that come after are asked again.
pub fn take_parted() -> Option<Major> {
    PARTED.take()
}

/// The same, left for others to see.
pub fn parted() -> Option<Major> {
    PARTED.get()
}

/// What was seen on this thread does not hold from this major on.
pub fn part(major: Major) {
    PARTED.set(PARTED.get().or(Some(major)));
}

/// Majors that one state stands for. It follows the rules of the oldest; who asks where they differ parts them, and
/// looks at [`take_parted`] when it is done.
#[derive(Debug, Clone, Copy)]
pub struct Standing {
    oldest: Major,
    newest: Major,
}

impl Standing {
    /// `majors` in order, without gaps.
    pub fn of(majors: &[Major]) -> Standing {
        let oldest = majors.first().copied().unwrap_or(Major::NEWEST);
        Standing { oldest, newest: majors.last().copied().unwrap_or(oldest) }
    }

    /// Whether a rule holds that this major brought. Where it holds on some of them only, they part.
    pub fn since(self, major: Major) -> bool {
        if self.oldest < major && major <= self.newest {
            part(major);
        }
        self.oldest >= major
    }

    /// Each NOT NULL is a row of `pg_constraint`, as from 18 on.
    pub fn has_not_null_rows(self) -> bool {
        self.oldest >= NOT_NULL_ROWS
    }

    /// Some of the majors have such rows: they are kept. Where others have none, nobody sees them, and all go together as
    /// long as nothing asks for one. Those left over from majors that have since parted are never seen.
    pub fn keeps_not_null_rows(self) -> bool {
        self.newest >= NOT_NULL_ROWS
    }

    /// Something comes to another end by a row of a NOT NULL: majors that have none part from those that do.
    pub fn ask_not_null_rows(self) -> bool {
        self.since(NOT_NULL_ROWS)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn majors_part_at_the_first_rule_that_tells_them_apart() {
        let all: Vec<Major> = (14..=17).map(Major).collect();
        let standing = Standing::of(&all);
        assert!(standing.since(Major(13)) && !standing.since(Major(18)));
        assert_eq!(take_parted(), None);
        assert!(!standing.since(Major(17)));
        assert!(!standing.since(Major(15)));
        assert_eq!((parted(), take_parted(), take_parted()), (Some(Major(17)), Some(Major(17)), None));
    }

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
