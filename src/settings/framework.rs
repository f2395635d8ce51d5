//! The runners whose files plimsoll reads. How each orders and runs them is told in `project::runner`.

/// Where migrations come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Framework {
    /// SQL files in natural order.
    Plain,
    Atlas,
    /// Concourse's own, `voyager`.
    Concourse,
    Dbmate,
    Diesel,
    Drizzle,
    Flyway,
    GolangMigrate,
    Goose,
    GraphileMigrate,
    Hasura,
    /// Its formatted SQL.
    Liquibase,
    MaragudkMigrate,
    /// Its SQL files.
    NodePgMigrate,
    PlayEvolutions,
    /// Pop and Soda; fizz is not read.
    Pop,
    Postgrator,
    PostgresMigrations,
    Prisma,
    /// Active Record's migrations.
    Rails,
    Rambler,
    Refinery,
    River,
    SqlMigrate,
    Sqitch,
    Sqlx,
    Supabase,
    /// Synapse's own schema deltas.
    Synapse,
    /// Temporal's own versioned schemas.
    Temporal,
    Tern,
}

impl Framework {
    pub const ALL: [Framework; 30] = [
        Framework::Plain,
        Framework::Atlas,
        Framework::Concourse,
        Framework::Dbmate,
        Framework::Diesel,
        Framework::Drizzle,
        Framework::Flyway,
        Framework::GolangMigrate,
        Framework::Goose,
        Framework::GraphileMigrate,
        Framework::Hasura,
        Framework::Liquibase,
        Framework::MaragudkMigrate,
        Framework::NodePgMigrate,
        Framework::PlayEvolutions,
        Framework::Pop,
        Framework::Postgrator,
        Framework::PostgresMigrations,
        Framework::Prisma,
        Framework::Rails,
        Framework::Rambler,
        Framework::Refinery,
        Framework::River,
        Framework::SqlMigrate,
        Framework::Sqitch,
        Framework::Sqlx,
        Framework::Supabase,
        Framework::Synapse,
        Framework::Temporal,
        Framework::Tern,
    ];

    /// As `plimsoll.toml` and reports name it.
    pub fn word(self) -> &'static str {
        match self {
            Framework::Plain => "plain",
            Framework::Atlas => "atlas",
            Framework::Concourse => "concourse",
            Framework::Dbmate => "dbmate",
            Framework::Diesel => "diesel",
            Framework::Drizzle => "drizzle",
            Framework::Flyway => "flyway",
            Framework::GolangMigrate => "golang-migrate",
            Framework::Goose => "goose",
            Framework::GraphileMigrate => "graphile-migrate",
            Framework::Hasura => "hasura",
            Framework::Liquibase => "liquibase",
            Framework::MaragudkMigrate => "maragudk-migrate",
            Framework::NodePgMigrate => "node-pg-migrate",
            Framework::PlayEvolutions => "play-evolutions",
            Framework::Pop => "pop",
            Framework::Postgrator => "postgrator",
            Framework::PostgresMigrations => "postgres-migrations",
            Framework::Prisma => "prisma",
            Framework::Rails => "rails",
            Framework::Rambler => "rambler",
            Framework::Refinery => "refinery",
            Framework::River => "river",
            Framework::SqlMigrate => "sql-migrate",
            Framework::Sqitch => "sqitch",
            Framework::Sqlx => "sqlx",
            Framework::Supabase => "supabase",
            Framework::Synapse => "synapse",
            Framework::Temporal => "temporal",
            Framework::Tern => "tern",
        }
    }

    /// As sentences name it.
    pub fn name(self) -> &'static str {
        match self {
            Framework::Plain => "the runner",
            Framework::Atlas => "Atlas",
            Framework::Concourse => "Concourse",
            Framework::Dbmate => "dbmate",
            Framework::Diesel => "Diesel",
            Framework::Drizzle => "Drizzle",
            Framework::Flyway => "Flyway",
            Framework::GolangMigrate => "golang-migrate",
            Framework::Goose => "goose",
            Framework::GraphileMigrate => "graphile-migrate",
            Framework::Hasura => "Hasura",
            Framework::Liquibase => "Liquibase",
            Framework::MaragudkMigrate => "maragudk/migrate",
            Framework::NodePgMigrate => "node-pg-migrate",
            Framework::PlayEvolutions => "Play",
            Framework::Pop => "pop",
            Framework::Postgrator => "Postgrator",
            Framework::PostgresMigrations => "postgres-migrations",
            Framework::Prisma => "Prisma",
            Framework::Rails => "Rails",
            Framework::Rambler => "rambler",
            Framework::Refinery => "Refinery",
            Framework::River => "River",
            Framework::SqlMigrate => "sql-migrate",
            Framework::Sqitch => "Sqitch",
            Framework::Sqlx => "sqlx",
            Framework::Supabase => "Supabase",
            Framework::Synapse => "Synapse",
            Framework::Temporal => "Temporal",
            Framework::Tern => "tern",
        }
    }

    pub fn named(word: &str) -> Option<Framework> {
        Framework::ALL.into_iter().find(|framework| framework.word() == word)
    }
}
