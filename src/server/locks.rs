//! The table lock modes: which of them exclude each other, and what the manual calls them.

use std::fmt;

use crate::operation::LockMode;

impl LockMode {
    pub const ALL: [LockMode; 8] = [
        LockMode::AccessShare,
        LockMode::RowShare,
        LockMode::RowExclusive,
        LockMode::ShareUpdateExclusive,
        LockMode::Share,
        LockMode::ShareRowExclusive,
        LockMode::Exclusive,
        LockMode::AccessExclusive,
    ];

    /// Whether two sessions cannot hold them on one table at once (manual, table 13.2, "Conflicting Lock Modes").
    pub fn conflicts_with(self, other: LockMode) -> bool {
        use LockMode::*;
        let weakest_excluded = match self {
            AccessShare => AccessExclusive,
            RowShare => Exclusive,
            RowExclusive => Share,
            ShareUpdateExclusive => ShareUpdateExclusive,
            // The one mode that stands beside itself and yet excludes a weaker one.
            Share => return matches!(other, RowExclusive | ShareUpdateExclusive) || other > Share,
            ShareRowExclusive => RowExclusive,
            Exclusive => RowShare,
            AccessExclusive => AccessShare,
        };
        other >= weakest_excluded
    }

    /// A SELECT must wait for it.
    pub fn blocks_reads(self) -> bool {
        self.conflicts_with(LockMode::AccessShare)
    }

    /// INSERT, UPDATE and DELETE must wait for it.
    pub fn blocks_writes(self) -> bool {
        self.conflicts_with(LockMode::RowExclusive)
    }

    /// As LOCK TABLE and the manual write it.
    pub fn words(self) -> &'static str {
        match self {
            LockMode::AccessShare => "ACCESS SHARE",
            LockMode::RowShare => "ROW SHARE",
            LockMode::RowExclusive => "ROW EXCLUSIVE",
            LockMode::ShareUpdateExclusive => "SHARE UPDATE EXCLUSIVE",
            LockMode::Share => "SHARE",
            LockMode::ShareRowExclusive => "SHARE ROW EXCLUSIVE",
            LockMode::Exclusive => "EXCLUSIVE",
            LockMode::AccessExclusive => "ACCESS EXCLUSIVE",
        }
    }
}

impl fmt::Display for LockMode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.words())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conflicts_are_those_of_the_manual() {
        // Rows and columns in the manual's order, weakest first.
        let table = [".......x", "......xx", "....xxxx", "...xxxxx", "..xx.xxx", "..xxxxxx", ".xxxxxxx", "xxxxxxxx"];
        for (one, row) in LockMode::ALL.iter().zip(table) {
            for (other, mark) in LockMode::ALL.iter().zip(row.chars()) {
                assert_eq!(one.conflicts_with(*other), mark == 'x', "{one} and {other}");
                assert_eq!(one.conflicts_with(*other), other.conflicts_with(*one));
            }
        }
    }

    #[test]
    fn readers_wait_for_one_mode_only() {
        let blocking: Vec<_> = LockMode::ALL.into_iter().filter(|mode| mode.blocks_reads()).collect();
        assert_eq!(blocking, [LockMode::AccessExclusive]);
        assert!(!LockMode::ShareUpdateExclusive.blocks_writes() && LockMode::Share.blocks_writes());
    }
}
