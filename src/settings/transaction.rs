//! What statements of a migration share a transaction: what runners do, and what a person may say of one of their own.

/// What statements share a transaction, unless the script says BEGIN itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransactionUnit {
    /// Each statement on its own, as `psql -f` does.
    Statement,
    /// The whole file is sent as one query: several statements are one implicit transaction, a single one
    /// (CREATE INDEX CONCURRENTLY) is on its own.
    SimpleQuery,
    /// The runner wraps the file in BEGIN … COMMIT.
    File,
    /// All pending files share one transaction.
    AllPending,
}

impl TransactionUnit {
    pub const ALL: [TransactionUnit; 4] =
        [TransactionUnit::Statement, TransactionUnit::SimpleQuery, TransactionUnit::File, TransactionUnit::AllPending];

    /// As the settings name it.
    pub fn word(self) -> &'static str {
        match self {
            TransactionUnit::Statement => "statement",
            TransactionUnit::SimpleQuery => "query",
            TransactionUnit::File => "file",
            TransactionUnit::AllPending => "all",
        }
    }

    /// How a migration runs, in a sentence.
    pub fn words(self) -> &'static str {
        match self {
            TransactionUnit::Statement => "each statement on its own",
            TransactionUnit::SimpleQuery => "each file as one simple query",
            TransactionUnit::File => "each file in a transaction",
            TransactionUnit::AllPending => "all pending files in one transaction",
        }
    }
}
