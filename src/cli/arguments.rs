//! What can be typed. Meaning is given to it elsewhere.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::finding::Severity;
use crate::output::{DriftFormat, Format, GraphFormat, PathsFormat, SchemaFormat};
use crate::settings::{Framework, Preset};
use crate::version::{Major, VersionRange};

/// Says before the merge which database migration will break production, why, and what to do instead.
#[derive(Debug, Parser)]
#[command(name = "plimsoll", version, max_term_width = 100)]
pub struct Arguments {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Judge migrations against the whole history before them
    Check(Box<Check>),
    /// Write down the findings of today as known: runs tell what is new
    Baseline(BaselineArguments),
    /// Print the schema that the migrations make
    Schema(SchemaArguments),
    /// Print what is connected with what: keys, partitions, triggers, functions and their writes
    Graph(GraphArguments),
    /// Print what a write to a table runs into: triggers, their writes, partitions, constraints
    Paths(PathsArguments),
    /// Compare the schema that should be with the one that is; exit with 1 where they differ
    Drift(DriftArguments),
    /// Print the script that takes a migration back, from whatever state it stopped in
    Undo(UndoArguments),
    /// Write a settings file for this project, and on demand the job that runs the check
    Init(InitArguments),
    /// Print the settings in force, or the schema of the settings file
    Config(ConfigArguments),
    /// Print completions for a shell: put them where it looks for such
    Completions { shell: clap_complete::Shell },
    /// Print the manual page
    Man,
    /// Print the page of a rule: why it hurts, what to do instead
    Explain { rule: String },
    /// List all rules
    Rules {
        #[arg(long, value_name = "FORMAT", default_value = "human")]
        format: RulesFormat,
    },
}

/// What is read, and as what.
#[derive(Debug, Args)]
pub struct Input {
    /// Folders of migrations or files; by default those of plimsoll.toml, else what is found from here upwards
    #[arg(value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// Versions of PostgreSQL, such as 14..18, 15.8 or 16 [default: 14..18]
    #[arg(long, value_name = "RANGE")]
    pub postgres: Option<VersionRange>,
    /// How the migrations are run, where it cannot be seen from the files
    #[arg(long, value_parser = framework)]
    pub framework: Option<Framework>,
    /// Settings file [default: plimsoll.toml, looked for upwards]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Take the settings file from this git revision, which the change under review cannot edit
    #[arg(long, value_name = "REV")]
    pub config_from: Option<String>,
    /// Write to a file instead of standard output
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct Check {
    #[command(flatten)]
    pub input: Input,
    /// How findings are written: human, json, sarif, github, gitlab, junit, checkstyle, markdown or html
    #[arg(long, value_name = "FORMAT", value_parser = format, default_value = "human")]
    pub format: Format,
    /// Judge only what the work tree adds or changes since a git revision; `auto` asks the CI service
    #[arg(long, value_name = "REVISION", conflicts_with = "after")]
    pub since: Option<String>,
    /// Judge only migrations after this version
    #[arg(long, value_name = "VERSION")]
    pub after: Option<String>,
    /// Exit with 1 from this severity on: error, warning or note [default: error]
    #[arg(long, value_name = "SEVERITY", value_parser = severity)]
    pub fail_on: Option<Severity>,
    /// Show notes too
    #[arg(long)]
    pub notes: bool,
    /// A judged statement that cannot be read is an error
    #[arg(long)]
    pub strict_reading: bool,
    /// Which rules speak: default, or strict for those that are off by default too
    #[arg(long, value_parser = preset)]
    pub preset: Option<Preset>,
    /// Set a rule's severity: off, note, warning or error
    #[arg(long, value_name = "RULE=SEVERITY", value_parser = rule)]
    pub rule: Vec<(String, Severity)>,
    /// File of findings that are known [default: `baseline` of the settings]
    #[arg(long, value_name = "FILE")]
    pub baseline: Option<PathBuf>,
    /// Judge the SQL of standard input, after what PATH holds; the path `-` means the same
    #[arg(long)]
    pub stdin: bool,
    /// Exit with 0 whatever is found
    #[arg(long)]
    pub exit_zero: bool,
    /// Tell only how often each rule speaks
    #[arg(long, conflicts_with = "all")]
    pub statistics: bool,
    /// Tell every finding, also of a long history that is judged as a whole
    #[arg(long)]
    pub all: bool,
    /// Colour: auto (on terminals, unless NO_COLOR is set), always or never
    #[arg(long, value_name = "WHEN", default_value = "auto", hide_possible_values = true)]
    pub color: Color,
}

#[derive(Debug, Args)]
pub struct BaselineArguments {
    #[command(flatten)]
    pub input: Input,
    /// Which rules speak: default, or strict for those that are off by default too
    #[arg(long, value_parser = preset)]
    pub preset: Option<Preset>,
}

#[derive(Debug, Args)]
pub struct InitArguments {
    /// Folders of migrations; by default what is found from here upwards
    #[arg(value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// Write the job for this service too
    #[arg(long, value_name = "SERVICE")]
    pub ci: Option<Service>,
}

/// Services whose jobs `init` writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Service {
    Github,
    Gitlab,
}

#[derive(Debug, Args)]
pub struct ConfigArguments {
    /// Print what is in force: the settings file, then the defaults
    #[arg(long)]
    pub show: bool,
    /// Print the JSON schema of plimsoll.toml, for editors
    #[arg(long, conflicts_with = "show")]
    pub schema: bool,
    /// Settings file [default: plimsoll.toml, looked for upwards]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Take the settings file from this git revision
    #[arg(long, value_name = "REV")]
    pub config_from: Option<String>,
}

#[derive(Debug, Args)]
pub struct SchemaArguments {
    /// Folders of migrations or files; by default those of plimsoll.toml, else what is found from here upwards
    #[arg(value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// json, or sql for statements that make the schema
    #[arg(long, value_name = "FORMAT", value_parser = schema_format, default_value = "json")]
    pub format: SchemaFormat,
    /// The PostgreSQL whose rules count [default: the newest of the settings]
    #[arg(long, value_name = "MAJOR", value_parser = major)]
    pub postgres: Option<Major>,
    /// How the migrations are run, where it cannot be seen from the files
    #[arg(long, value_parser = framework)]
    pub framework: Option<Framework>,
    /// Settings file [default: plimsoll.toml, looked for upwards]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Write to a file instead of standard output
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct DriftArguments {
    /// What should be: a folder of migrations, or a dump: structure.sql, schema.rb, `pg_dump --schema-only`
    #[arg(long, value_name = "PATH")]
    pub expected: PathBuf,
    /// What is: the same, most often `pg_dump --schema-only` of a database
    #[arg(long, value_name = "FILE")]
    pub actual: PathBuf,
    /// human, json, or sql for the script that mends the difference
    #[arg(long, value_name = "FORMAT", value_parser = drift_format, default_value = "human")]
    pub format: DriftFormat,
    /// The PostgreSQL whose rules count [default: the newest of the settings]
    #[arg(long, value_name = "MAJOR", value_parser = major)]
    pub postgres: Option<Major>,
    /// How the migrations are run, where it cannot be seen from the files
    #[arg(long, value_parser = framework)]
    pub framework: Option<Framework>,
    /// Settings file [default: plimsoll.toml, looked for upwards]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Write to a file instead of standard output
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct UndoArguments {
    /// The migration: its version, its file or its path
    pub migration: String,
    /// Folders of migrations or files; by default those of plimsoll.toml, else what is found from here upwards
    #[arg(value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// The PostgreSQL whose rules count [default: the newest of the settings]
    #[arg(long, value_name = "MAJOR", value_parser = major)]
    pub postgres: Option<Major>,
    /// How the migrations are run, where it cannot be seen from the files
    #[arg(long, value_parser = framework)]
    pub framework: Option<Framework>,
    /// Settings file [default: plimsoll.toml, looked for upwards]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Write to a file instead of standard output
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct GraphArguments {
    #[command(flatten)]
    pub input: Input,
    /// Show what is near this table; all that is connected without it
    #[arg(long)]
    pub table: Option<String>,
    /// How many tables away from it
    #[arg(long, value_name = "N", default_value_t = 2, requires = "table")]
    pub depth: usize,
    /// Show only the shortest way that a write to the first table takes to the second
    #[arg(long, num_args = 2, value_names = ["FROM", "TO"], conflicts_with = "table")]
    pub path: Vec<String>,
    /// dot, mermaid, svg or json
    #[arg(long, value_name = "FORMAT", value_parser = graph_format, default_value = "dot")]
    pub format: GraphFormat,
}

#[derive(Debug, Args)]
pub struct PathsArguments {
    /// The table, or the view, that is written
    pub table: String,
    #[command(flatten)]
    pub input: Input,
    /// How many further tables away to follow a write [default: to its end]
    #[arg(long, value_name = "N")]
    pub depth: Option<usize>,
    /// human, json or svg
    #[arg(long, value_name = "FORMAT", value_parser = paths_format, default_value = "human")]
    pub format: PathsFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Color {
    Auto,
    Always,
    Never,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum RulesFormat {
    Human,
    Json,
    Markdown,
}

/// The one among `all` whose word this is; else a sentence with all words.
fn one_of<T: Copy>(text: &str, all: &[T], word: impl Fn(T) -> &'static str) -> Result<T, String> {
    let words: Vec<&str> = all.iter().map(|one| word(*one)).collect();
    let found = all.iter().find(|one| word(**one) == text).copied();
    found.ok_or_else(|| format!("write one of {}", words.join(", ")))
}

fn format(text: &str) -> Result<Format, String> {
    one_of(text, &Format::ALL, Format::word)
}

fn schema_format(text: &str) -> Result<SchemaFormat, String> {
    one_of(text, &SchemaFormat::ALL, SchemaFormat::word)
}

fn drift_format(text: &str) -> Result<DriftFormat, String> {
    one_of(text, &DriftFormat::ALL, DriftFormat::word)
}

fn graph_format(text: &str) -> Result<GraphFormat, String> {
    one_of(text, &GraphFormat::ALL, GraphFormat::word)
}

fn paths_format(text: &str) -> Result<PathsFormat, String> {
    one_of(text, &PathsFormat::ALL, PathsFormat::word)
}

fn framework(text: &str) -> Result<Framework, String> {
    one_of(text, &Framework::ALL, Framework::word)
}

fn severity(text: &str) -> Result<Severity, String> {
    one_of(text, &[Severity::Error, Severity::Warning, Severity::Note], Severity::word)
}

fn preset(text: &str) -> Result<Preset, String> {
    one_of(text, &[Preset::Default, Preset::Strict], |preset| match preset {
        Preset::Default => "default",
        Preset::Strict => "strict",
    })
}

fn rule(text: &str) -> Result<(String, Severity), String> {
    let (rule, level) = text.split_once('=').ok_or("write a rule, `=` and a severity: drop-column=off")?;
    let levels = [Severity::Off, Severity::Note, Severity::Warning, Severity::Error];
    super::rules::find(rule).map_err(|unknown| unknown.to_string())?;
    Ok((rule.to_owned(), one_of(level, &levels, Severity::word)?))
}

fn major(text: &str) -> Result<Major, String> {
    let range: VersionRange = text.parse()?;
    if range.oldest == range.newest { Ok(range.newest) } else { Err("name one version".to_owned()) }
}
