//! The dump that a change commits, beside what its migrations make.

use crate::finding::{Finding, MigrationRef, Severity};
use crate::history::{
    History, Migration, Plan, Replayed, SchemaDump, SinceBase, Start, Turns, UnreadStep, replay_shared,
};
use crate::project::Project;
use crate::read::on_deep_stack;
use crate::rules::{Rule, dump_differs};
use crate::schema::difference::{Change, Shared};
use crate::schema::{Schema, Told};
use crate::settings::Settings;
use crate::version::Major;

/// The schema that a dump shows, with all that it has no words for as another schema has it.
pub fn replay_dump(dump: &History, other: &Schema, told: Told, settings: &Settings, major: Major) -> Schema {
    let plan = Plan::new(dump, 0, settings, Vec::new());
    let start = Start::of(&plan, &[major]).on(other.for_dump());
    // One major does not part from itself.
    match on_deep_stack(|| replay_shared(&plan, &start, &Turns::of(&plan), &mut |_| {})) {
        Ok(replayed) => other.as_dumped(&replayed.end.schema, told),
        Err(_) => other.as_dumped(other, told),
    }
}

/// What a run must keep to compare its end with the dump.
#[derive(Debug, Default)]
pub(super) struct Base {
    /// Something that a judged migration does is not known.
    unread: bool,
}

impl Base {
    /// `None` where the dump is not to be compared.
    pub(super) fn of(plan: &Plan, start: &Start) -> Option<Base> {
        let migrations = &plan.history.migrations;
        // Where shipped texts changed, dump and databases differ for that reason, which is told.
        let is_plain = |one: &Migration| matches!(one.since_base, SinceBase::Same | SinceBase::Added);
        let newest = plan.settings.postgres.newest;
        let asked = plan.history.dump.is_some()
            && start.majors.contains(&newest)
            && migrations.iter().filter(|one| one.dump.is_none()).all(is_plain);
        asked.then(Base::default)
    }

    pub(super) fn note(&mut self, unread: &UnreadStep) {
        self.unread |= unread.judged;
    }

    /// What the dump of the work tree says otherwise, of all that this change touches.
    pub(super) fn check(
        self,
        project: &Project,
        plan: &Plan,
        replayed: &Replayed,
        settings: &Settings,
    ) -> Option<Finding> {
        let (before, end) = (replayed.before_judged.as_ref()?, &replayed.end);
        let dump = plan.history.dump.as_ref()?;
        let path = project.sources.path(dump.source);
        let severity = Rule::find("schema-dump-differs").map_or(Severity::Off, |rule| rule.severity(settings, path));
        if severity == Severity::Off {
            return None;
        }
        let shown =
            replay_dump(&as_history(plan.history, dump), &end.schema, dump.told, settings, settings.postgres.newest);
        let of_migrations = changes(&before.schema, &end.schema);
        let of_dump = if dump.since_base { changes(&before.schema, &shown) } else { Vec::new() };
        let touched = |change: &Change| of_migrations.iter().chain(&of_dump).any(|one| is_about(change, one));
        let told = |from: &Schema, to: &Schema| {
            let mut changes = changes(from, to);
            changes.retain(|change| touched(change) && !dump_differs::is_made_name(change));
            changes
        };
        // Both ways: each tells the places of what only its first side has. Where one finds nothing, so does the other.
        let lacks = told(&end.schema, &shown);
        if lacks.is_empty() {
            return None;
        }
        let has = told(&shown, &end.schema);
        let last = plan.history.migrations.iter().rposition(|one| one.judged)?;
        let at = MigrationRef { history: plan.index, migration: last };
        let top = project.sources.line(dump.source, 1);
        let mut finding = dump_differs::finding(path, top, at, &lacks, &has, !of_dump.is_empty(), severity)?;
        finding.if_certain(!self.unread);
        Some(finding)
    }
}

fn changes(from: &Schema, to: &Schema) -> Vec<Change> {
    from.certain_difference(to, Shared::Nothing)
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
    history.with(vec![Migration::of_script(dump.source, dump.up.clone())])
}
