//! The runners whose files plimsoll reads. How each orders and runs them is told in `history`.

/// Where migrations come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Framework {
    /// SQL files in natural order.
    Plain,
    Diesel,
    Sqlx,
    GolangMigrate,
    Goose,
    Flyway,
}

impl Framework {
    pub const ALL: [Framework; 6] = [
        Framework::Plain,
        Framework::Diesel,
        Framework::Sqlx,
        Framework::GolangMigrate,
        Framework::Goose,
        Framework::Flyway,
    ];

    /// As `plimsoll.toml` and reports name it.
    pub fn word(self) -> &'static str {
        match self {
            Framework::Plain => "plain",
            Framework::Diesel => "diesel",
            Framework::Sqlx => "sqlx",
            Framework::GolangMigrate => "golang-migrate",
            Framework::Goose => "goose",
            Framework::Flyway => "flyway",
        }
    }

    pub fn named(word: &str) -> Option<Framework> {
        Framework::ALL.into_iter().find(|framework| framework.word() == word)
    }
}
