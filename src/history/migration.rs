//! Migrations and how their runner treats them. `project` fills these in.

use std::sync::{Arc, LazyLock};

use super::Application;
use crate::operation::{Comment, Ident, Script};
use crate::rails::Language;
use crate::read::{stopped, unreleased};
use crate::schema::Told;
use crate::source::{SourceId, Span};

pub use crate::settings::{Framework, TransactionUnit};

/// One ordered list of migrations for one set of schemas.
#[derive(Debug, Clone)]
pub struct History {
    /// Folder relative to the repository root; `.` for the root itself.
    pub root: String,
    pub framework: Framework,
    pub runner: Runner,
    /// Names of the databases it runs on; one unnamed database where nothing was said.
    pub databases: Vec<String>,
    /// In the order production sees them: shipped first, then judged.
    pub migrations: Vec<Migration>,
    /// The migrations of the work tree by their numbers, in the order in which a new database runs them.
    pub fresh: Vec<usize>,
    /// The newest version that is shipped at the tip of the base, where one was named.
    pub newest_shipped: Option<String>,
    /// How usual it is here that shipped files are edited, where that was asked and it is.
    pub usual_edits: Option<UsualEdits>,
    /// New migrations whose versions are older than that.
    pub late: Vec<usize>,
    /// The dump that the work tree keeps of what its migrations make, where it is kept up to date.
    pub dump: Option<SchemaDump>,
    /// A dump that holds what this change edits or deletes of the shipped, and that it leaves as it was.
    pub kept_dump: Option<Arc<str>>,
    /// What the code around it says of its tables; empty where nothing asked for it.
    pub application: Application,
    /// No file is missing or unread. Where a history begins cannot be seen from its files all the same: it may build
    /// on an older dump or another folder.
    pub complete: bool,
    /// How its migrations in Ruby are understood.
    pub language: Arc<Language>,
    /// What the checkout shows of its runner ends waits for locks: each session begins with a lock_timeout.
    pub limits_lock_waits: bool,
    /// What is shipped shows that files with statements that no transaction takes run outside of one, whatever the runner
    /// does by itself.
    pub runs_bare: bool,
    /// The search_path that the runner gives to its connection; empty: it leaves it alone.
    pub search_path: Vec<Ident>,
}

/// One migration: one or two files, or a section of a file.
#[derive(Debug, Clone)]
pub struct Migration {
    /// As the runner orders it: `20240101120000`, `V3_1`, `0007`; empty for a lone file.
    pub version: String,
    /// The day it was written, counted from 1970: by its version, or by what its runner noted.
    pub made: Option<u32>,
    /// The rest of its name, without version and ending: part of fingerprints.
    pub name: String,
    pub source: SourceId,
    /// Where in its file it begins: one file may hold several.
    pub starts: u32,
    pub up: Script,
    pub down: Option<Script>,
    /// The way back as it was shipped, where that alone was changed.
    pub shipped_down: Option<Script>,
    pub transaction: TransactionUnit,
    /// Nothing shows what holds its statements together: they are taken to stand alone.
    pub unit_is_guess: bool,
    pub judged: bool,
    /// Which deploy brings it to production, where that is known.
    pub release: Option<String>,
    pub comments: Vec<Comment>,
    /// Runs whenever its text changes (Flyway's `R__`).
    pub repeatable: bool,
    /// On which side of its release's deploy it runs, where the project parts its migrations so.
    pub phase: Option<Phase>,
    pub since_base: SinceBase,
    /// Why hardly a database has run what the base has of it.
    pub hardly_ran: Option<HardlyRan>,
    /// The project releases by tags, and one of the newest holds what the base has of it; asked where something rests on it.
    pub is_released: bool,
    /// Why hardly a database has what it made: its file has no other text that ran before.
    pub hardly_there: Option<HardlyRan>,
    /// It is no migration but a dump of what the shipped ones before it have made: it takes the place of what their
    /// replay comes to.
    pub dump: Option<Told>,
}

impl History {
    /// Why hardly a database has run any of these.
    pub fn hardly_ran(&self, numbers: &[usize]) -> Option<&HardlyRan> {
        let why = |number: &usize| self.migrations[*number].hardly_ran.as_ref();
        if numbers.iter().all(|number| why(number).is_some()) { numbers.last().and_then(why) } else { None }
    }

    /// Other migrations of the same project, run by the same runner: a new database runs them in their order.
    pub fn with(&self, migrations: Vec<Migration>) -> History {
        History {
            root: self.root.clone(),
            framework: self.framework,
            runner: self.runner,
            databases: self.databases.clone(),
            fresh: (0..migrations.len()).collect(),
            migrations,
            newest_shipped: None,
            usual_edits: None,
            late: Vec::new(),
            dump: None,
            kept_dump: None,
            application: Application::default(),
            complete: self.complete,
            language: Arc::clone(&self.language),
            limits_lock_waits: self.limits_lock_waits,
            runs_bare: self.runs_bare,
            search_path: self.search_path.clone(),
        }
    }
}

impl Migration {
    /// What people call it: its version and its name.
    pub fn title(&self) -> String {
        let parts = [self.version.as_str(), self.name.as_str()];
        parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("_")
    }

    /// The comment above its first statement that says that the application is stopped while it runs.
    pub fn is_said_to_stop(&self) -> Option<Span> {
        let source = self.source;
        let mut first = None;
        for node in &self.up.nodes {
            node.places(&mut |span| first = first.or(Some(span).filter(|span| span.source == source)));
        }
        stopped::said(&self.comments, first?)
    }

    /// The comment that says that no production has it yet.
    pub fn is_said_unreleased(&self) -> Option<Span> {
        unreleased::said(&self.comments)
    }

    /// A script that stands for itself: shipped, without a name, a version or a way back, each statement on its own.
    pub fn of_script(source: SourceId, up: Script) -> Migration {
        Migration {
            version: String::new(),
            made: None,
            name: String::new(),
            source,
            starts: 0,
            up,
            down: None,
            shipped_down: None,
            transaction: TransactionUnit::Statement,
            unit_is_guess: false,
            judged: false,
            release: None,
            comments: Vec::new(),
            repeatable: false,
            phase: None,
            since_base: SinceBase::Same,
            hardly_ran: None,
            is_released: false,
            hardly_there: None,
            dump: None,
        }
    }
}

/// A dump that a project commits beside its migrations.
#[derive(Debug, Clone)]
pub struct SchemaDump {
    pub source: SourceId,
    /// Read when it is first asked for.
    pub up: Arc<LazyLock<Script, Reader>>,
    pub told: Told,
    /// The shipped state was taken from the dump of the base: what this one says otherwise is this change's.
    pub since_base: bool,
}

/// Reads a script that is large, and not always needed.
pub type Reader = Box<dyn FnOnce() -> Script + Send>;

/// How a migration stands to the base revision, where one was named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SinceBase {
    #[default]
    Same,
    /// Only the work tree has it.
    Added,
    /// Another text that says the same.
    Reformatted,
    /// The text of the base under another version.
    Renumbered,
    /// Another text: no database that has run the shipped one runs this.
    Edited,
    /// Another text of a repeatable migration: its runner runs it where the shipped one ran.
    Repeated,
    /// The shipped text of the edited migration just before it, or of a repeated one.
    Shipped,
    /// Only the base has it; databases have run it.
    Deleted,
}

impl SinceBase {
    /// Databases have run it, and the work tree lacks it.
    pub fn is_of_base(self) -> bool {
        matches!(self, SinceBase::Shipped | SinceBase::Deleted)
    }
}

/// Why hardly a database has run a text that the base holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HardlyRan {
    /// It came there so many minutes before this change, and no tag lies between.
    For { minutes: u64 },
    /// The project tags what it releases: none of its tags holds the text, up to this one.
    Untagged { newest: String },
    /// It came on a branch that this one had not taken in when the change was made.
    Unmerged { main: String },
    /// Nothing in the repository has a tag yet, and its first migration came so many days before this change.
    FirstDays { days: u64 },
    /// The base is deployed by this file to an environment before production, and by none to production.
    BeforeProduction { path: String },
    /// Sqitch's plan has it behind its last tag: until the next one it may be changed.
    BehindLastTag,
    /// Sqitch's plan has no tag: by its own rule nothing is released.
    NoTagYet,
    /// PostgreSQL refuses a statement of it in what its runner sends at once, and nothing shows another runner.
    Refused { runner: &'static str },
}

impl HardlyRan {
    /// As the end of a sentence that says what holds on databases that ran it.
    pub fn words(&self) -> String {
        match self {
            HardlyRan::For { minutes: 0 } => {
                "it was committed in the minute in which this change was, so that hardly a database ran it".to_owned()
            }
            HardlyRan::For { minutes: 1 } => {
                "it had been there for a minute when this change was made, and is in no tag, so that hardly a database \
                 ran it"
                    .to_owned()
            }
            HardlyRan::For { minutes } => format!(
                "it had been there for {minutes} minutes when this change was made, and is in no tag, so that hardly a \
                 database ran it"
            ),
            HardlyRan::Untagged { newest } => format!(
                "no tag holds it up to `{newest}`, so that no database ran it where only what has a tag is released"
            ),
            HardlyRan::Unmerged { main } => format!(
                "it stands on a branch that `{main}` had not taken in when this change was made, so that hardly a database \
                 but those of developers ran it"
            ),
            HardlyRan::BeforeProduction { path } => format!(
                "`{path}` deploys it, and no file beside it deploys anything to production, so that hardly a database ran it"
            ),
            HardlyRan::FirstDays { days } => format!(
                "the first migration came {days} days before this change and nothing has a tag yet, so that hardly a \
                 database ran it"
            ),
            HardlyRan::BehindLastTag => {
                "it stands behind the last tag of the plan, and may be changed until the next one".to_owned()
            }
            HardlyRan::NoTagYet => {
                "the plan has no tag yet, and a change may be edited until a tag says that it is released".to_owned()
            }
            HardlyRan::Refused { runner } => {
                format!("PostgreSQL refuses the shipped text as {runner} sends it, so that no database got past it")
            }
        }
    }
}

/// Edits of shipped files that a project makes as a habit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UsualEdits {
    /// Different files that were edited.
    pub files: usize,
    /// Commits that edited them.
    pub by: usize,
    /// Commits that brought or edited any, back to as far as was looked.
    pub commits: usize,
}

impl UsualEdits {
    /// As the end of a sentence that says what an edit comes to.
    pub fn words(&self) -> String {
        let UsualEdits { files, by, commits } = self;
        format!(
            "such edits are usual here: {by} of the last {commits} commits to these files edited {files} that had been \
             there for a day at least"
        )
    }
}

/// The day that a version names, counted from 1970: `20240131…`, `2024-01-31…`, seconds or milliseconds since 1970. Ten
/// digits are seconds up to the year 2033, and from 2010 on a date with a number: `2024013100`.
pub fn day_of(version: &str) -> Option<u32> {
    let digits: String = version.chars().filter(|one| !matches!(one, '-' | '_' | '.' | 'V' | 'T')).collect();
    if digits.is_empty() || !digits.bytes().all(|one| one.is_ascii_digit()) {
        return None;
    }
    let number = |from: usize, to: usize| digits.get(from..to)?.parse::<u32>().ok();
    match digits.len() {
        10 if number(0, 4)? >= 2010 => day_of_date(number(0, 4)?, number(4, 6)?, number(6, 8)?),
        10 => Some(digits.parse::<u32>().ok()? / 86_400).filter(|day| SINCE_2010.contains(day)),
        13 => Some((digits.parse::<u64>().ok()? / 86_400_000) as u32).filter(|day| SINCE_2010.contains(day)),
        8 | 12 | 14 | 17 => day_of_date(number(0, 4)?, number(4, 6)?, number(6, 8)?),
        _ => None,
    }
}

/// Days for which a count of seconds is taken: 2010 to 2100. Others are numbers that mean no time.
const SINCE_2010: std::ops::Range<u32> = 14_610..47_482;

/// Days since 1970 in the Gregorian calendar.
fn day_of_date(year: u32, month: u32, day: u32) -> Option<u32> {
    if !(2000..2100).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    // Years that begin in March: a leap day is their last.
    let (year, month) = if month < 3 { (year - 1, month + 9) } else { (year, month - 3) };
    let days = year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + day - 1;
    Some(days - 719_468)
}

/// Migrations that run before the code of their release is deployed, and those that wait until it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    BeforeDeploy,
    AfterDeploy,
}

/// What a runner does beside running statements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Runner {
    pub after_failure: AfterFailure,
    /// Shipped files must not change: allows belong into `plimsoll.toml`.
    pub checksums: bool,
    pub after_edit: AfterEdit,
    pub late: Late,
    pub has_down: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AfterFailure {
    /// The next run starts the failed migration again from its first statement.
    RunsAgain,
    /// The next run goes on behind the last statement that succeeded.
    Continues,
    /// The database is marked dirty: a person must repair it.
    MarkedDirty,
}

/// What a runner does with a migration that it has run and whose text has changed since.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AfterEdit {
    Nothing,
    /// No migration runs any more.
    Refuses,
    /// The same, but how lines end, and lines without anything in them, may change.
    RefusesOtherLines,
    /// The same, but comments and blanks may change.
    RefusesOtherWords,
    /// It runs the down that it keeps, and the new up.
    RunsAgain,
}

/// What a runner does with a migration that it has not run and whose version is older than the newest that ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Late {
    Runs,
    Skips,
    Refuses,
}

/// A file that could not be read as a migration.
#[derive(Debug, Clone)]
pub struct UnreadFile {
    pub path: String,
    pub span: Option<Span>,
    pub reason: String,
    pub judged: bool,
    /// The base has a file of its name, with another text.
    pub shipped: bool,
}

#[cfg(test)]
mod tests {
    use super::day_of;

    #[test]
    fn versions_name_days() {
        assert_eq!(day_of("20241207142023"), Some(20_064));
        assert_eq!(day_of("2024-12-07-142023"), Some(20_064));
        assert_eq!(day_of("1733580023"), Some(20_064), "seconds");
        assert_eq!(day_of("2024120701"), Some(20_064), "the first of a day");
        assert_eq!(day_of("2024.12.07.02"), Some(20_064), "the second");
        assert_eq!(day_of("20240301").zip(day_of("20240228")), Some((19_783, 19_781)), "2024 is a leap year");
        for none in ["0042", "V3_1", "20241307142023", "2024130701", "12345678", "x20241207"] {
            assert_eq!(day_of(none), None, "{none}");
        }
    }
}
