//! How far the replay of a project's migrations is the schema that its dump shows.
//!
//! ```text
//! cargo run --example dump_fidelity -- db/migrate db/schema.rb
//! ```
//!
//! Prints what differs, each with the line that made it, and a summary: objects of the dump, and how many are the same.
//! What a dump in Ruby cannot say (defaults it does not write, constraints that are not validated, objects that Active
//! Record does not know) is told like everything else: the line decides.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use plimsoll::history::State;
use plimsoll::operation::Origin;
use plimsoll::project::{Project, Request, load};
use plimsoll::replay_to_end;
use plimsoll::schema::Schema;
use plimsoll::schema::difference::{Change, ChangeKind, Shared};
use plimsoll::settings::Settings;
use plimsoll::source::Sources;
use plimsoll::version::Major;

fn main() -> io::Result<()> {
    let mut out = io::stdout().lock();
    let paths: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let [migrations, dump] = paths.as_slice() else {
        fail("usage: dump_fidelity MIGRATIONS DUMP");
    };
    let (made, replayed) = read(migrations);
    let (dumped, wanted) = read(dump);
    let changes = replayed.schema.difference(&wanted.schema, Shared::Nothing);
    let ruby = dump.extension().is_some_and(|ending| ending == "rb");
    let told = |change: &&Change| !(is_of_the_runner(&change.name) || (ruby && is_unsaid(change)));
    let changes: Vec<&Change> = changes.iter().filter(told).collect();
    for change in &changes {
        writeln!(out, "{}", line(change, &made, &dumped))?;
    }
    let (all, missing) = (objects(&wanted.schema), of(&changes, ChangeKind::Missing));
    let differs = of(&changes, ChangeKind::Differs);
    let same = all.saturating_sub(missing + differs);
    writeln!(
        out,
        "{}: {same} of {all} objects of the dump are the same ({:.2} %); {differs} differ, {missing} are only in the \
         dump, {} only in the replay",
        migrations.display(),
        100.0 * same as f64 / all.max(1) as f64,
        of(&changes, ChangeKind::Extra),
    )
}

fn fail(why: &str) -> ! {
    let _ = writeln!(io::stderr(), "{why}");
    std::process::exit(2)
}

fn read(path: &Path) -> (Project, State) {
    let settings = Settings::default();
    let working_directory = std::env::current_dir().unwrap_or_default();
    let request = Request {
        paths: vec![path.to_path_buf()],
        working_directory,
        settings: &settings,
        sources: Sources::default(),
        since: None,
        after: None,
        stdin: None,
    };
    let project = load(request).unwrap_or_else(|fault| fail(&format!("{}: {fault}", path.display())));
    let [history] = project.histories.as_slice() else {
        fail(&format!("{} holds {} histories", path.display(), project.histories.len()));
    };
    let state = replay_to_end(history, &settings, Major(15));
    (project, state)
}

/// Active Record's own tables and the language that every database has are in no migration.
fn is_of_the_runner(name: &str) -> bool {
    ["schema_migrations", "ar_internal_metadata", "data_migrations", "plpgsql"].iter().any(|own| name.contains(own))
}

/// A dump in Ruby leaves out the names that Active Record makes: whoever loads it makes them anew, from what tables and
/// columns are called by then.
fn is_unsaid(change: &Change) -> bool {
    let made = |name: &str| name.contains("fk_rails_") || name.contains("chk_rails_");
    made(&change.name) && change.text.strip_prefix("is called ").is_some_and(made)
}

fn of(changes: &[&Change], kind: ChangeKind) -> usize {
    changes.iter().filter(|change| change.kind == kind).count()
}

/// Tables, columns, constraints, indexes, views, types, functions.
fn objects(schema: &Schema) -> usize {
    let tables = schema.tables().map(|(_, table)| 1 + table.columns.len()).sum::<usize>();
    let indexes = schema.relations().filter(|one| one.as_index().is_some_and(|index| index.constraint.is_none()));
    let views = schema.relations().filter(|one| one.as_view().is_some());
    tables
        + schema.constraints().count()
        + indexes.count()
        + views.count()
        + schema.types().count()
        + schema.functions().count()
}

fn line(change: &Change, made: &Project, dumped: &Project) -> String {
    let (sign, by) = match change.kind {
        ChangeKind::Extra => ('+', made),
        ChangeKind::Missing => ('-', dumped),
        ChangeKind::Differs => ('!', made),
    };
    let place = change.made.as_ref().map(|origin| place(origin, by)).unwrap_or_default();
    let sure = if change.certain { "" } else { " (perhaps)" };
    format!("{sign} {} {} {}{sure}{place}", change.object, change.name, change.text)
}

fn place(origin: &Origin, project: &Project) -> String {
    let at = project.sources.start(origin.span);
    format!("  [{}:{}]", project.sources.path(origin.span.source), at.line)
}
