//! The dump that a change commits, beside what its migrations make.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use crate::finding::{Finding, MigrationRef, Severity};
use crate::history::{History, Migration, Plan, SchemaDump, SinceBase, Start, State, replay, replay_from};
use crate::operation::{Node, Origin};
use crate::project::Project;
use crate::rails::active_record::Release;
use crate::read::{on_deep_stack, side_by_side};
use crate::rules::alike::renamed_indexes;
use crate::rules::{Rule, dump_differs};
use crate::schema::difference::{Aspect, Change, ChangeKind, Shared};
use crate::schema::{Column, ConstraintRow, Relation, Schema, Table, Told};
use crate::settings::Settings;
use crate::source::SourceId;
use crate::version::Major;

/// The schema that a dump shows, with all that it has no words for as another schema has it.
pub fn replay_dump(dump: &History, other: &Schema, told: Told, settings: &Settings, major: Major) -> Schema {
    other.as_dumped(&shown_by(dump, settings, major), told)
}

/// The schema that a dump shows by itself.
fn shown_by(dump: &History, settings: &Settings, major: Major) -> Schema {
    let plan = Plan::new(dump, 0, settings, Vec::new());
    let shown = on_deep_stack(|| {
        let start = Start::of(&plan, &[major]).on(Schema::for_dump_beside());
        replay_from(&plan, start, &mut |_| {})
    });
    Arc::unwrap_or_clone(shown.schema)
}

/// What the dump of the work tree shows: it takes a thread of its own while the history runs.
pub(super) fn shown(plan: &Plan) -> Option<Schema> {
    let (dump, settings) = (plan.history.dump.as_ref()?, plan.settings);
    Some(shown_by(&as_history(plan.history, dump), settings, settings.postgres.newest))
}

/// Whether the dump of the work tree is to be compared with what its migrations make.
pub(super) fn is_asked(project: &Project, plan: &Plan) -> bool {
    let migrations = &plan.history.migrations;
    // Where shipped texts changed, dump and databases differ for that reason, which is told.
    let is_plain = |one: &Migration| matches!(one.since_base, SinceBase::Same | SinceBase::Added);
    plan.history.dump.as_ref().is_some_and(|dump| severity(project, plan, dump) > Severity::Off)
        && migrations.iter().any(|one| one.judged)
        && migrations.iter().filter(|one| one.dump.is_none()).all(is_plain)
}

fn severity(project: &Project, plan: &Plan, dump: &SchemaDump) -> Severity {
    let path = project.sources.path(dump.source);
    Rule::find("schema-dump-differs").map_or(Severity::Off, |rule| rule.severity(plan.settings, path))
}

/// What the dump of the work tree says otherwise than the end of its history on the newest major, of all that this
/// change touches. `certain`: all that judged migrations do is known.
pub(super) fn check(project: &Project, plan: &Plan, end: &Start, shown: &Schema, certain: bool) -> Option<Finding> {
    if !end.majors.contains(&plan.settings.postgres.newest) {
        return None;
    }
    let (before, end) = (end.before_judged()?, end.state());
    let dump = plan.history.dump.as_ref()?;
    let (path, severity) = (project.sources.path(dump.source), severity(project, plan, dump));
    // A dump that shows everything takes nothing from the history that a comparison by names could tell.
    let takes = |shown: &Schema| end.schema.as_dumped(shown, dump.told);
    let bare = dump.told == Told::Everything;
    let compare = || {
        let shown = if bare { Cow::Borrowed(shown) } else { Cow::Owned(takes(shown)) };
        let lacks = changes(&end.schema, &shown);
        (shown, lacks)
    };
    let ((shown, mut lacks), of_migrations) = side_by_side(compare, || changes_of_history(&before.schema, &end.schema));
    let of_dump = if dump.since_base { changes(&before.schema, &shown) } else { Vec::new() };
    let touched = |change: &Change| of_migrations.iter().chain(&of_dump).any(|one| is_about(change, one));
    let counted =
        |change: &Change| touched(change) && !dump_differs::is_made_name(change) && !dump_differs::is_rails_own(change);
    lacks.retain(counted);
    if lacks.is_empty() {
        return None;
    }
    let shown = if bare { takes(&shown) } else { shown.into_owned() };
    let makers = Makers { plan, shown: &shown, end: &end.schema };
    let of_another_server = dump.told == Told::Tables && is_of_another_server(&project.sources.get(dump.source).text);
    let is_type = |change: &Change| change.object == "column" && change.text.contains(" rather than ");
    let is_untold = |change: &Change| dump.told == Told::Tables && makers.is_name_of_key(change);
    let is_elsewhere = |change: &Change| of_another_server && is_type(change) || is_untold(change);
    let tells_valid = dump.told == Told::Everything || tells_validity(&project.sources.get(dump.source).text);
    let is_told = |change: &Change| tells_valid || !matches!(change.aspect, Aspect::Valid { .. });
    lacks.retain(is_told);
    // Both ways: each tells the places of what only its first side has. Where one finds nothing, so does the other.
    lacks.retain(|change| !(makers.is_cleared(change) || is_elsewhere(change)));
    let mended = lacks.iter().any(|change| change.kind != ChangeKind::Extra).then(|| Mended::of(plan, &shown));
    let is_mended = |change: &Change| mended.as_ref().is_some_and(|mended| mended.holds(change));
    let constraints = lacks.iter().filter(|change| change.object == "constraint" && is_mended(change));
    let constraints: Vec<String> = constraints.map(|change| own_name(&change.name).to_owned()).collect();
    // The dump of the base had the constraint as the index behind it.
    let is_behind = |change: &Change| {
        change.object == "index" && constraints.iter().any(|constraint| constraint == own_name(&change.name))
    };
    lacks.retain(|change| !is_mended(change) && !is_behind(change));
    if lacks.is_empty() {
        return None;
    }
    let mut has = changes(&shown, &end.schema);
    has.retain(|change| {
        counted(change) && is_told(change) && !is_elsewhere(change) && !is_mended(change) && !is_behind(change)
    });
    let last = plan.history.migrations.iter().rposition(|one| one.judged)?;
    let at = MigrationRef { history: plan.index, migration: last };
    let top = project.sources.line(dump.source, 1);
    let only_names = renamed_indexes(lacks.clone(), &end.schema, &shown).iter().all(|one| one.aspect == Aspect::Name);
    // A setting of the application may name them.
    let severity = if only_names { severity.min(Severity::Note) } else { severity };
    let mut finding = dump_differs::finding(path, top, at, &lacks, &has, severity)?;
    finding.if_certain(certain);
    Some(finding)
}

/// Who made what a dump shows.
struct Makers<'a> {
    plan: &'a Plan<'a>,
    shown: &'a Schema,
    end: &'a Schema,
}

impl Makers<'_> {
    fn is_migrations(&self, origin: &Origin) -> bool {
        let number = self.plan.migration_of(origin.span);
        number.and_then(|number| self.plan.history.migrations.get(number)).is_some_and(|one| one.dump.is_none())
    }

    /// The dump of the base alone had it, no migration makes it, and the new one has it no more: a dump that was
    /// written on another branch's database is mended. Where migrations make no more than a part of the tables that stay,
    /// older ones are gone, and no one can tell; a few come from gems, or under names that are worked out.
    fn is_cleared(&self, change: &Change) -> bool {
        if change.kind != ChangeKind::Extra || change.made.as_ref().is_none_or(|made| self.is_migrations(made)) {
            return false;
        }
        let is_made = |relation: &Relation| self.is_migrations(relation.existence.origin());
        let owner = self.end.tables().find(|(relation, _)| {
            change.name.strip_prefix(&relation.name.to_string()).is_some_and(|rest| rest.starts_with('.'))
        });
        match owner {
            Some((table, _)) => is_made(table),
            None => {
                let (made, others): (Vec<_>, Vec<_>) =
                    self.shown.tables().map(|(relation, _)| relation).partition(|relation| is_made(relation));
                others.len() * 5 <= made.len()
            }
        }
    }

    fn table<'s>(schema: &'s Schema, name: &str) -> Option<(&'s Relation, &'s Table)> {
        schema.tables().find(|(relation, _)| relation.name.prints_as(name))
    }

    /// The same primary key under two names: `schema.rb` has no words for its name.
    fn is_name_of_key(&self, change: &Change) -> bool {
        let Some((owner, _)) = change.name.rsplit_once('.').filter(|_| change.object == "constraint") else {
            return false;
        };
        let key = |schema: &Schema| {
            let (relation, _) = Self::table(schema, owner)?;
            let mut rows = schema.constraints_of(relation.id);
            let row = rows.find(|row| matches!(row.kind, ConstraintRow::Primary { .. }))?;
            let columns: Vec<_> = row.columns.iter().map(|column| schema.column_name(relation.id, *column)).collect();
            Some((format!("{owner}.{}", row.name), columns))
        };
        let (Some((one, columns)), Some((other, same))) = (key(self.shown), key(self.end)) else { return false };
        columns == same && [one, other].contains(&change.name)
    }
}

/// What the migrations make where no dump takes their place: where the dump comes back to that, the one of the base was
/// written from something else.
struct Mended {
    left: Vec<Change>,
    end: State,
    /// Files of migrations that name the release of Active Record which they are written for: 5.0 and later.
    with_release: BTreeSet<SourceId>,
}

impl Mended {
    fn of(plan: &Plan, shown: &Schema) -> Mended {
        let all = plan.history.migrations.iter().filter(|one| one.dump.is_none());
        let bare = plan.history.with(all.map(|one| Migration { judged: false, ..one.clone() }).collect());
        let bare = Plan::new(&bare, plan.index, plan.settings, Vec::new());
        let end = on_deep_stack(|| replay(&bare, plan.settings.postgres.newest, &mut |_| {}));
        let names_release = |one: &&Migration| {
            let mut scripts = one.up.nodes.iter().filter_map(|node| match node {
                Node::Ruby(script) => Some(script),
                _ => None,
            });
            scripts.any(|script| script.inherits.ends_with(']'))
        };
        let with_release = plan.history.migrations.iter().filter(names_release).map(|one| one.source).collect();
        Mended { left: end.schema.difference(shown, Shared::Nothing), end, with_release }
    }

    /// The column was made for a release that gives no limit.
    fn has_release(&self, change: &Change) -> bool {
        let Some((table, name)) = change.name.rsplit_once('.') else { return false };
        let table = Makers::table(&self.end.schema, table);
        let is_it = |column: &&Column| column.name.to_string().as_str() == name;
        let column = table.and_then(|(_, table)| table.columns.iter().find(is_it));
        column.is_some_and(|column| self.with_release.contains(&column.existence.origin().span.source))
    }

    /// The dump has it as they make it. That both lack something says nothing: older migrations may be gone.
    fn holds(&self, change: &Change) -> bool {
        let is_it = |one: &Change| one.object == change.object && one.name == change.name;
        // Rails before 4.2 made this of what makes no limit now: databases have what they were given then.
        let is_old_limit = matches!(change.aspect, Aspect::Type { .. })
            && change.text.contains("character varying(255)")
            && !self.has_release(change);
        change.kind != ChangeKind::Extra && !is_old_limit && !self.left.iter().any(is_it)
    }
}

/// Up to 7.0 Active Record wrote no `validate: false` into its dumps; since then the release stands in their first line.
fn tells_validity(dump: &str) -> bool {
    let release =
        dump.split_once("ActiveRecord::Schema[").and_then(|(_, rest)| Release::parse(rest.split_once(']')?.0));
    release.is_some_and(|release| release >= Release(7, 1))
}

fn own_name(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}

/// Active Record writes the extensions of a PostgreSQL database first, and none is without `plpgsql`; its references are
/// `bigint`. SQLite has one type for all whole numbers.
fn is_of_another_server(dump: &str) -> bool {
    let is_reference = |line: &str| line.contains("t.bigint") && line.contains("_id\"");
    !dump.contains("enable_extension") && !dump.lines().any(is_reference)
}

fn changes(from: &Schema, to: &Schema) -> Vec<Change> {
    from.certain_difference(to, Shared::Nothing)
}

/// The same of two states of one history, whose cost is what was changed between them.
fn changes_of_history(from: &Schema, to: &Schema) -> Vec<Change> {
    from.certain_difference(to, if from.keeps_names(to) { Shared::Names } else { Shared::Nothing })
}

/// The same object, or a part of a table that is new or gone as a whole.
fn is_about(change: &Change, touched: &Change) -> bool {
    let is_part = || {
        touched.object == "table" && change.name.strip_prefix(&touched.name).is_some_and(|rest| rest.starts_with('.'))
    };
    change.object == touched.object && change.name == touched.name || is_part()
}

/// A dump as a history of one script.
fn as_history(history: &History, dump: &SchemaDump) -> History {
    history.with(vec![Migration::of_script(dump.source, (**dump.up).clone())])
}
