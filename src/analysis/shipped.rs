//! Databases that ran what the base ships, beside new ones that run the work tree: where their schemas end.

mod by_dump;
mod edits;
mod ran;

use std::collections::BTreeSet;
use std::sync::OnceLock;

use crate::finding::{Finding, MigrationRef, Severity};
use crate::history::{AfterEdit, Event, Framework, History, Late, Migration, Plan, SinceBase, State, replay};
use crate::operation::Ident;
use crate::project::Project;
use crate::read::{on_deep_stack, unreleased};
use crate::rules::alike::renamed_indexes;
use crate::rules::out_of_order::late_anew;
use crate::rules::shipped::{Gone, deleted, hangs_on_path, if_hardly_ran, renumbered};
use crate::schema::difference::{Aspect, Change, ChangeKind, Shared};
use crate::schema::{Existence, Schema};
use crate::settings::Settings;
use crate::source::{SourceId, Sources, Span};

/// Edited migrations of which each is replayed for itself; what is left then is told of the next.
const MOST_EDITED: usize = 6;

/// What the rules on shipped migrations say.
pub(super) fn check(
    project: &Project,
    settings: &Settings,
    severity: &dyn Fn(&'static str) -> Severity,
) -> Vec<Finding> {
    if project.base.is_none() {
        return Vec::new();
    }
    let severities = [severity("shipped-migration-edited"), severity("shipped-migration-deleted")];
    let if_late = severity("migration-out-of-order");
    let mut found = Vec::new();
    for (index, history) in project.histories.iter().enumerate() {
        let is_told = |one: &Migration| match one.since_base {
            SinceBase::Same | SinceBase::Added | SinceBase::Repeated => false,
            SinceBase::Shipped => !one.repeatable,
            SinceBase::Reformatted | SinceBase::Renumbered | SinceBase::Edited | SinceBase::Deleted => true,
        };
        // Beside what a runner runs, a folder that none runs says what the schema is, and is written anew with it.
        let has_runner = |one: &History| one.framework != Framework::Plain;
        let is_declared = !has_runner(history) && project.histories.iter().any(has_runner);
        if is_declared || !history.migrations.iter().any(is_told) {
            continue;
        }
        let ships = Ships {
            beside: project.base.as_ref().map_or(&[][..], |base| &base.beside),
            history,
            index,
            settings,
            sources: &project.sources,
            severities,
            if_late,
            unread: OnceLock::new(),
            by_dump: OnceLock::new(),
        };
        found.extend(on_deep_stack(|| ships.check()));
    }
    found
}

/// Where a new migration fails on what a deleted one made, the databases that ran that do not come to where they would
/// differ: it is one fault.
pub(super) fn fails_first(findings: &mut Vec<Finding>) {
    // A trigger or a key comes after tables that were guarded: the new text is meant for such databases.
    let is_text_anew = |finding: &&Finding| {
        let whole = ["create-table", "create-type", "create-schema", "create-view", "create-sequence", "add-column"];
        finding.rule == "duplicate-object" && finding.migration.is_some() && whole.contains(&finding.operation)
    };
    let failing = findings.iter().filter(is_text_anew);
    let makers: BTreeSet<_> = failing.flat_map(|finding| &finding.because).map(|because| because.span.source).collect();
    findings.retain(|finding| {
        let is_gone = finding.rule == "shipped-migration-deleted" && finding.operation == "deleted";
        let mut places = finding.because.iter().map(|because| because.span.source).chain([finding.span.source]);
        !(is_gone && places.any(|source| makers.contains(&source)))
    });
}

struct Ships<'a> {
    history: &'a History,
    index: usize,
    settings: &'a Settings,
    sources: &'a Sources,
    severities: [Severity; 2],
    /// Of `migration-out-of-order`.
    if_late: Severity,
    /// Other files of SQL that the change adds or edits.
    beside: &'a [SourceId],
    /// Tables that statements of the shipped texts, and of the new ones, touch in a way that is not known.
    unread: OnceLock<[BTreeSet<String>; 2]>,
    /// What the dump of the base, where there is one, lets databases differ in.
    by_dump: OnceLock<Option<Vec<Change>>>,
}

impl Ships<'_> {
    fn numbers(&self, wanted: impl Fn(&Migration) -> bool) -> Vec<usize> {
        let all = self.history.migrations.iter().enumerate();
        all.filter(|(_, one)| one.dump.is_none() && wanted(one)).map(|(number, _)| number).collect()
    }

    fn check(&self) -> Vec<Finding> {
        let is = |kind: SinceBase| move |one: &Migration| one.since_base == kind;
        let edited = self.numbers(is(SinceBase::Edited));
        let mut gone = self.numbers(is(SinceBase::Deleted));
        let mut fresh = self.fresh();
        if self.is_tidied(&gone) {
            fresh.splice(0..0, gone.drain(..));
        }
        let mut found = Vec::new();
        if !edited.is_empty() || !gone.is_empty() {
            let (new, unread_now) = self.end_of(&fresh);
            let (shipped, unread_before) = self.end_of(&self.numbers(|one| one.since_base != SinceBase::Edited));
            self.unread.get_or_init(|| [unread_before, unread_now]);
            self.by_dump.get_or_init(|| self.changes_by_dump(&new));
            let all = self.differences(&shipped, &new);
            let mut edits = self.edited((&edited, &gone, &fresh), (&shipped, &new), &all);
            if let Some(schema) = self.lies_in_path(&fresh, &shipped, &all) {
                edits.iter_mut().for_each(|finding| hangs_on_path(finding, &schema));
            }
            found.extend(edits);
            found.extend(self.deleted((&edited, &gone), (&shipped, &new), all));
        }
        found.extend(self.alike(&self.numbers(is(SinceBase::Reformatted)), true));
        found.extend(self.renumbered(&self.numbers(is(SinceBase::Renumbered))));
        found.extend(self.late(&self.numbers(is(SinceBase::Renumbered))));
        found
    }

    /// The one schema of all tables, where both texts come to the same once names without a schema are looked for in it:
    /// nobody says along which search_path the runner's connection looks.
    fn lies_in_path(&self, fresh: &[usize], shipped: &State, all: &[Change]) -> Option<Ident> {
        let says = !self.settings.search_path.is_empty() || !self.history.search_path.is_empty();
        if says || all.is_empty() || self.history.runner.after_edit != AfterEdit::Nothing {
            return None;
        }
        let schemas: BTreeSet<&Ident> = shipped.schema.tables().map(|(relation, _)| &relation.name.schema).collect();
        let only = schemas.first().filter(|only| schemas.len() == 1 && only.as_str() != "public")?;
        let end = |numbers: &[usize]| {
            let search_path = vec![(*only).clone(), Ident::new("public")];
            let history = History { search_path, ..self.of(numbers) };
            replay(&Plan::new(&history, 0, self.settings, Vec::new()), self.settings.postgres.newest, &mut |_| {})
        };
        let before = end(&self.numbers(|one| one.since_base != SinceBase::Edited));
        differences(&before, &end(fresh)).is_empty().then(|| (*only).clone())
    }

    /// As a new database runs them. A repeatable migration runs its shipped text first here: that another text of it
    /// leaves something behind is no edit of what is shipped.
    fn fresh(&self) -> Vec<usize> {
        let twin = |number: usize| {
            let own = &self.history.migrations[number];
            let is_twin = |one: &Migration| {
                one.since_base == SinceBase::Shipped
                    && one.repeatable
                    && one.version == own.version
                    && one.name == own.name
            };
            let found = self.history.migrations.iter().position(is_twin);
            found.filter(|_| own.since_base == SinceBase::Repeated)
        };
        self.history.fresh.iter().flat_map(|number| twin(*number).into_iter().chain([*number])).collect()
    }

    /// Rails loads its dump into new databases: the oldest migrations may go.
    fn is_tidied(&self, gone: &[usize]) -> bool {
        let first_kept = self.numbers(|one| one.since_base != SinceBase::Deleted).first().copied();
        self.history.framework == crate::history::Framework::Rails
            && gone.last().zip(first_kept).is_some_and(|(last, kept)| *last < kept)
    }

    /// The state after some of the migrations.
    fn end(&self, numbers: &[usize]) -> State {
        self.end_of(numbers).0
    }

    /// The same, with the tables that unread statements touch in what is not the same in both.
    fn end_of(&self, numbers: &[usize]) -> (State, BTreeSet<String>) {
        let history = self.of(numbers);
        let plan = Plan::new(&history, 0, self.settings, Vec::new());
        let mut unread = BTreeSet::new();
        let end = replay(&plan, self.settings.postgres.newest, &mut |event| {
            let Event::Unread(step) = event else { return };
            let number = numbers.get(step.at.migration).and_then(|number| self.history.migrations.get(*number));
            let is_common = |one: &Migration| matches!(one.since_base, SinceBase::Same | SinceBase::Reformatted);
            if number.is_some_and(|one| !is_common(one)) {
                unread.extend(step.touches.iter().cloned());
            }
        });
        (end, unread)
    }

    /// What brings the one schema to the other, where that is certain: what is lacking may be made by a statement that
    /// was not understood, and what is left may be taken away by one.
    fn differences(&self, from: &State, to: &State) -> Vec<Change> {
        let mut changes = differences(from, to);
        let [before, now] = self.unread.get().map_or([None, None], |[before, now]| [Some(before), Some(now)]);
        let touched = |change: &Change, tables: Option<&BTreeSet<String>>| {
            let owner = change.name.rsplit_once('.').map_or("", |(table, _)| table);
            let is = |table: &String| owner == table || owner.strip_prefix("public.") == Some(table);
            tables.is_some_and(|tables| tables.iter().any(is))
        };
        changes.retain(|change| match change.kind {
            ChangeKind::Missing => !touched(change, before),
            ChangeKind::Extra => !touched(change, now),
            ChangeKind::Differs => true,
        });
        self.agreed(renamed_indexes(changes, &from.schema, &to.schema))
    }

    fn of(&self, numbers: &[usize]) -> History {
        // Each text is run for itself.
        let one = |number: &usize| Migration {
            judged: false,
            since_base: SinceBase::Same,
            ..self.history.migrations[*number].clone()
        };
        self.history.with(numbers.iter().map(one).collect())
    }

    /// What databases keep of deleted migrations.
    fn left_by(&self, gone: &[usize], new: &State) -> Vec<Change> {
        let is_edited = |one: &Migration| one.since_base == SinceBase::Shipped && !one.repeatable;
        let mut left = self.differences(&self.end(&self.numbers(|one| !is_edited(one))), new);
        left.retain(|change| !gone.is_empty() && change.kind == ChangeKind::Extra);
        left
    }

    /// The shipped text of an edited migration stands right behind it, where there is one.
    fn shipped(&self, edited: usize) -> Option<usize> {
        let behind = self.history.migrations.get(edited + 1)?;
        (behind.since_base == SinceBase::Shipped).then_some(edited + 1)
    }

    fn deleted(
        &self,
        (edited, gone): (&[usize], &[usize]),
        (before, new): (&State, &State),
        all: Vec<Change>,
    ) -> Option<Finding> {
        if gone.is_empty() || all.is_empty() {
            return None;
        }
        let changes = match edited.is_empty() {
            true => all,
            false => {
                let is_edited = |one: &Migration| one.since_base == SinceBase::Shipped && !one.repeatable;
                self.differences(&self.end(&self.numbers(|one| !is_edited(one))), new)
            }
        };
        let places: Vec<_> =
            gone.iter().map(|number| (self.at(*number), self.first(&self.history.migrations[*number]))).collect();
        if changes.is_empty() {
            return None;
        }
        let framework = self.history.framework;
        let taken_over = if self.are_oldest(gone) { self.taken_over(&changes) } else { None };
        let gone = Gone {
            places: &places,
            framework,
            hardly_ran: self.history.hardly_ran(gone),
            said_unreleased: self.said_unreleased(None),
            kept_dump: self.history.kept_dump.as_deref(),
            there: Some(&before.schema),
            taken_over,
        };
        deleted(&gone, &changes, self.severities[1])
    }

    /// None that stays is older.
    fn are_oldest(&self, gone: &[usize]) -> bool {
        let kept = self.numbers(|one| !matches!(one.since_base, SinceBase::Deleted | SinceBase::Added));
        gone.last().is_some_and(|last| kept.first().is_none_or(|first| last < first))
    }

    /// The file beside the migrations in which all that databases keep stands now.
    fn taken_over(&self, changes: &[Change]) -> Option<(&str, Span)> {
        // The others have names that PostgreSQL may have made.
        let named = |change: &&Change| matches!(change.object, "table" | "type" | "column" | "view" | "function");
        let kept = changes.iter().filter(|change| change.kind == ChangeKind::Extra);
        let names: Vec<&str> = kept.filter(named).map(|change| own_name(&change.name)).collect();
        let is_kept = changes.iter().all(|change| change.kind != ChangeKind::Missing || !named(&change));
        let holds = |source: &&SourceId| {
            let text = &self.sources.get(**source).text;
            let is_letter = |one: char| one.is_alphanumeric() || one == '_';
            let words: BTreeSet<&str> = text.split(|one: char| !is_letter(one)).collect();
            names.iter().all(|name| words.contains(name))
        };
        let found = self.beside.iter().find(holds).filter(|_| is_kept && !names.is_empty())?;
        Some((self.sources.path(*found), self.sources.line(*found, 1)))
    }

    /// Those that fail where they have run already, or change the schema once more.
    fn renumbered(&self, numbers: &[usize]) -> Option<Finding> {
        if numbers.is_empty() {
            return None;
        }
        let own = self.numbers(|one| one.since_base != SinceBase::Edited);
        let history = self.of(&own);
        let plan = Plan::new(&history, 0, self.settings, Vec::new());
        let majors = [self.settings.postgres.newest];
        let end = replay(&plan, majors[0], &mut |_| {});
        let again = numbers.iter().filter_map(|number| {
            // It goes by the newest version that ran: it takes this one for done, or stops before it runs any.
            if self.history.runner.late != Late::Runs && self.history.late.contains(number) {
                return None;
            }
            let place = own.iter().position(|one| one == number)?;
            let course = plan.run_from(place, &end, &majors);
            let fails = match &course.failed {
                Some((_, failure)) => format!("and it fails: {}", failure.message),
                None if differences(&course.end, &end).is_empty() => return None,
                None => "and it changes the schema again".to_owned(),
            };
            Some((self.at(*number), self.first(&self.history.migrations[*number]), fails))
        });
        let why = (self.history.hardly_ran(numbers), self.said_unreleased(None));
        renumbered(&again.collect::<Vec<_>>(), why, self.severities[1])
    }

    /// A comment says that no production has this yet: one of its own, or at the head of a file that the change brings.
    fn said_unreleased(&self, own: Option<usize>) -> Option<Span> {
        let migrations = &self.history.migrations;
        if let Some(said) = own.and_then(|number| migrations[number].is_said_unreleased()) {
            return Some(said);
        }
        use SinceBase::{Added, Edited, Reformatted};
        let is_of_change = |one: &&Migration| matches!(one.since_base, Added | Edited | Reformatted);
        let brought = migrations.iter().filter(is_of_change).map(|one| one.source);
        brought.chain(self.beside.iter().copied()).find_map(|source| {
            let line = unreleased::said_at_head(&self.sources.get(source).text)?;
            Some(self.sources.line(source, line))
        })
    }

    /// Under its new version it sorts before what databases ran: a runner that allows no gap runs nothing any more.
    fn late(&self, numbers: &[usize]) -> Option<Finding> {
        if self.history.runner.late != Late::Refuses || self.if_late == Severity::Off {
            return None;
        }
        let newest = self.history.newest_shipped.as_ref()?;
        let number = numbers.iter().find(|number| self.history.late.contains(number))?;
        let migration = &self.history.migrations[*number];
        let mut finding =
            late_anew((self.at(*number), self.first(migration)), (self.history.framework.name(), newest), self.if_late);
        let newest = self.numbers(|one| one.version == *newest && one.since_base != SinceBase::Added);
        if_hardly_ran(&mut finding, self.history.hardly_ran(&newest));
        Some(finding)
    }

    fn at(&self, number: usize) -> MigrationRef {
        MigrationRef { history: self.index, migration: number }
    }

    /// The first line of a migration's text.
    fn first(&self, migration: &Migration) -> Span {
        let start =
            self.sources.start(Span { source: migration.source, start: migration.starts, end: migration.starts });
        self.sources.line(migration.source, start.line)
    }

    /// The first line that the shipped text has not.
    fn place(&self, migration: &Migration, shipped: Option<usize>) -> Span {
        let Some(shipped) = shipped.map(|number| &self.history.migrations[number]) else {
            return self.first(migration);
        };
        let (now, before) = (&self.sources.get(migration.source).text, &self.sources.get(shipped.source).text);
        let (mut lines, mut old) = (now.lines(), before.lines());
        let mut line = 1;
        while let (Some(one), Some(other)) = (lines.next(), old.next())
            && one == other
        {
            line += 1;
        }
        let last = now.lines().count().max(1) as u32;
        self.sources.line(migration.source, line.min(last))
    }
}

/// The last part of a name, without its arguments and quotes.
fn own_name(name: &str) -> &str {
    let name = name.split('(').next().unwrap_or(name);
    name.rsplit('.').next().unwrap_or(name).trim_matches('"')
}

/// What brings the one schema to the other, where that is certain.
fn differences(from: &State, to: &State) -> Vec<Change> {
    let mut changes = from.schema.certain_difference(&to.schema, Shared::Nothing);
    changes.retain(|change| !is_unknown(change, &from.schema, &to.schema));
    changes
}

/// A table that new databases are known to have from mere use may have all that its CREATE TABLE gives others; and where a
/// column is known from use, so that it may be NULL is a guess.
fn is_unknown(change: &Change, from: &Schema, to: &Schema) -> bool {
    let Some((owner, name)) = change.name.rsplit_once('.') else { return false };
    let table =
        |schema: &Schema| schema.tables().find(|(relation, _)| relation.name.prints_as(owner)).map(|(one, _)| one.id);
    let (Some(now), Some(then)) = (table(from), table(to)) else { return false };
    let (now, then) = (from.relation(now), to.relation(then));
    let is_assumed = |existence: &Existence| matches!(existence, Existence::Assumed { .. });
    if is_assumed(&then.existence) && !is_assumed(&now.existence) {
        return true;
    }
    let may_be_null = match change.aspect {
        Aspect::NotNull { now: true } => then,
        Aspect::NotNull { now: false } => now,
        _ => return false,
    };
    let mut columns = may_be_null.as_table().into_iter().flat_map(|table| &table.columns);
    columns.any(|column| column.name.as_str() == name.trim_matches('"') && is_assumed(&column.existence))
}
