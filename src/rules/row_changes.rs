//! Statements that change many rows of a table in use at once.

use super::Findings;
use super::in_use::{because_in_use, is_costly};
use super::locks_held::apart;
use super::weight::{held, on_purpose, size};
use crate::finding::{Finding, Severity};
use crate::history::{Passed, Step, TransactionUnit, Unit};
use crate::operation::{
    Constant, Expr, Frame, FrameKind, FromSource, Ident, Node, Operation, TableActionKind, Write, WriteKind,
};
use crate::schema::{Relation, Schema};
use crate::server::{KnownVolatility, volatility_of};

/// Which rows a statement over a whole table changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach<'a> {
    All,
    /// A join may find few partners, or many: nothing in the files tells.
    Joined,
    /// Rows in which the column has a value that is given to another: few or all.
    Valued(&'a Ident),
    /// Rows in which a column as old as its table has no value: few or all.
    Missing(&'a Ident),
}

impl Reach<'_> {
    fn rows(self) -> String {
        match self {
            Reach::All => "every row".to_owned(),
            Reach::Joined => "every row that the join finds".to_owned(),
            Reach::Valued(column) => format!("every row in which `{column}` has a value"),
            Reach::Missing(column) => format!("every row in which `{column}` has no value"),
        }
    }
}

/// The UPDATE or DELETE of a step that reaches (nearly) every row of its table, with all rounds of the loop that it is in.
pub(super) fn whole_table<'a>(step: &'a Step) -> Option<(&'a Write, &'a Relation, Reach<'a>)> {
    let Operation::Write(write) = step.operation else { return None };
    if step.applied.failure().is_some() || !matches!(write.kind, WriteKind::Update | WriteKind::Delete) {
        return None;
    }
    let relation = step.before.schema.find_table(&write.target)?;
    let mut reach = reach(write, is_round(step))?;
    // One that came later has a value in hardly any row; one as old as its table in those that somebody gave it.
    if let (Reach::All, Some(Expr::IsNull(column))) = (reach, &write.filter)
        && let Some((_, name)) = column.as_column()
        && let Some(found) = relation.as_table().and_then(|table| table.column(name))
        && found.existence.origin().span == relation.existence.origin().span
    {
        reach = Reach::Missing(name);
    }
    is_costly(step, relation.id).then_some((write, relation, reach))
}

/// A round of a loop in Ruby, in the transaction of its migration.
pub(super) fn is_round(step: &Step) -> bool {
    let frames = || step.origin.frames.iter().map(|frame| &frame.kind);
    let is_sql = |kind: &FrameKind| matches!(kind, FrameKind::DoBlock | FrameKind::Function(_));
    step.in_transaction() && frames().any(|kind| matches!(kind, FrameKind::Loop(_))) && !frames().any(is_sql)
}

/// It runs, or does so in each round of a loop: whether there is a round hangs on the rows alone.
pub(super) fn runs(step: &Step) -> bool {
    let frames = &step.origin.frames;
    let is_of_loop =
        |frame: &Frame| frames.iter().any(|one| matches!(one.kind, FrameKind::Loop(_)) && one.span == frame.span);
    step.certain || frames.iter().filter(|frame| frame.kind == FrameKind::Undecided).all(is_of_loop)
}

/// `id >= $1`: what bounds a round is no condition on its rows.
fn is_bound(expr: &Expr) -> bool {
    let Expr::Binary { operator, left, right } = expr else { return false };
    matches!(&**operator, ">" | ">=" | "<" | "<=")
        && left.as_column().is_some()
        && matches!(**right, Expr::Parameter(_))
}

/// No condition, one that only the rows already done fail or that asks for the value to be given on, or a join with
/// whole tables; of a round, but for what bounds it.
fn reach(write: &Write, round: bool) -> Option<Reach<'_>> {
    let tables = write.from.iter().all(|item| matches!(item.source, FromSource::Relation { .. }));
    let conjuncts: &[Expr] = match &write.filter {
        None => return write.from.is_empty().then_some(Reach::All),
        Some(Expr::And(list)) => list,
        Some(one) => std::slice::from_ref(one),
    };
    let to_do = |expr: &Expr| match expr {
        Expr::Constant(Constant::Bool(true)) => true,
        Expr::Binary { .. } if round && is_bound(expr) => true,
        Expr::IsNull(column) => {
            column.as_column().is_some_and(|(_, name)| write.assignments.iter().any(|(assigned, _)| assigned == name))
        }
        Expr::Binary { operator, left, right } => {
            &**operator == "=" && !write.from.is_empty() && left.as_column().is_some() && right.as_column().is_some()
        }
        _ => given(write, expr).is_some(),
    };
    if !tables || !write.with.is_empty() || !conjuncts.iter().all(to_do) {
        return None;
    }
    let valued = conjuncts.iter().find_map(|expr| given(write, expr)).map(Reach::Valued);
    Some(if write.from.is_empty() { valued.unwrap_or(Reach::All) } else { Reach::Joined })
}

/// `a IS NOT NULL` where the UPDATE gives `a` to another column: what has a value is moved.
fn given<'a>(write: &Write, expr: &'a Expr) -> Option<&'a Ident> {
    let Expr::Not(inner) = expr else { return None };
    let Expr::IsNull(column) = &**inner else { return None };
    let (_, name) = column.as_column()?;
    let gives = |(target, value): &(Ident, Expr)| target != name && value.columns().contains(&name);
    write.assignments.iter().any(gives).then_some(name)
}

pub fn unbatched(step: &Step, findings: &mut Findings) {
    let Some((write, relation, reach)) = whole_table(step) else { return };
    // Under a lock of this transaction it is worse: backfill-in-schema-transaction. What comes round by round is for
    // loop-without-batching.
    if is_round(step) || step.context.is_small(&step.before.schema, relation.id) || held(step, relation.id).is_some() {
        return;
    }
    let table = relation.name.short();
    let what = verb(write);
    let message = format!(
        "{what} {} of `{table}` in one go; each stays locked against other writers until the end",
        reach.rows()
    );
    let finding = findings.report(step.origin, "write", step.certain && reach == Reach::All, message);
    finding.one_per(&table);
    tell(finding, relation);
    size(step, finding, relation.id);
    if let Some(advice) = at_once(step, write, relation) {
        finding.instead(advice);
    } else if reach == Reach::Joined {
        finding.instead(format!("-- the same, for one range of the key of {} at a time", relation.name));
    } else {
        finding.instead(batches(step, write, relation));
    }
}

fn verb(write: &Write) -> &'static str {
    if write.kind == WriteKind::Delete { "deletes" } else { "rewrites" }
}

pub(super) fn tell(finding: &mut Finding, relation: &Relation) {
    finding.object(&relation.name);
    because_in_use(finding, relation);
}

fn batches(step: &Step, write: &Write, relation: &Relation) -> String {
    let table = &relation.name;
    let part = "-- again and again, each in a transaction of its own, until no row is left\n";
    if write.kind == WriteKind::Delete {
        return format!("{part}DELETE FROM {table} WHERE ctid = ANY (ARRAY(SELECT ctid FROM {table} LIMIT 1000));");
    }
    let assigned = |name: &Ident| write.assignments.iter().any(|(column, _)| column == name);
    let texts = write.assignments.iter().map(|(column, value)| {
        // What is made of its own old value must not be made twice.
        let again = write.filter.is_none() && value.columns().into_iter().any(assigned);
        Some((column, value, write.text_of(column).filter(|_| !again)?))
    });
    let Some(texts) = texts.collect::<Option<Vec<_>>>() else {
        return format!("-- the same, for one range of the key of {table} at a time");
    };
    let as_alias = write.alias.as_ref().map(|alias| format!(" AS {alias}")).unwrap_or_default();
    let set: Vec<String> = texts.iter().map(|(column, _, text)| format!("{column} = {text}")).collect();
    // What changes from call to call is never what it was: such a column is done once it has a value.
    let is_steady = |value: &Expr| {
        matches!(volatility_of(value, &step.before.schema), KnownVolatility::Immutable | KnownVolatility::Unknown)
    };
    let left: Vec<String> = match &write.filter {
        Some(filter) => vec![filter.to_string()],
        None => {
            let open = texts.iter().map(|(column, value, text)| match is_steady(value) {
                true => Some(differs(relation, column, text)),
                false => unfilled(relation, column),
            });
            let Some(open) = open.collect::<Option<_>>() else {
                return format!("-- the same, for one range of the key of {table} at a time");
            };
            open
        }
    };
    format!(
        "{part}UPDATE {table}{as_alias} SET {} WHERE ctid = ANY (ARRAY(SELECT ctid FROM {table}{as_alias} WHERE {} LIMIT 1000));",
        set.join(", "),
        left.join(" OR ")
    )
}

/// A row that no batch has reached: its column is NULL, or what ADD COLUMN gave it where it cannot be NULL.
fn unfilled(relation: &Relation, column: &Ident) -> Option<String> {
    let found = relation.as_table()?.column(column)?;
    if !found.not_null {
        return Some(format!("{column} IS NULL"));
    }
    let default = found.default.as_ref().filter(|default| matches!(default.tree, Expr::Constant(_)))?;
    Some(format!("{column} = {}", default.text))
}

/// A column that this release adds, filled with one constant: ADD COLUMN … NOT NULL DEFAULT gives it to every row without
/// writing one (PG >= 11, ALTER TABLE, "Notes").
fn at_once(step: &Step, write: &Write, relation: &Relation) -> Option<String> {
    let [(column, Expr::Constant(_))] = write.assignments.as_slice() else { return None };
    let to_do =
        |filter: &Expr| matches!(filter, Expr::IsNull(one) if one.as_column().is_some_and(|(_, name)| name == column));
    if !write.filter.as_ref().is_none_or(to_do) {
        return None;
    }
    let found = relation.as_table()?.column(column)?;
    let value = write.text_of(column)?;
    if write.kind != WriteKind::Update || !write.from.is_empty() || !step.context.is_of_this_release(&found.existence) {
        return None;
    }
    let kind = found.data_type.as_ref()?;
    let (and_so, required) = match is_required(step, relation, column) {
        true => (", this UPDATE and SET NOT NULL", " NOT NULL"),
        false => (" and this UPDATE", ""),
    };
    Some(format!(
        "-- in place of ADD COLUMN{and_so}: gives it to every row and writes none\n\
         ALTER TABLE {} ADD COLUMN {column} {kind}{required} DEFAULT {value};\n\
         -- DROP DEFAULT one release later, where none is wanted",
        relation.name
    ))
}

/// The migration makes the column NOT NULL, above or below.
fn is_required(step: &Step, relation: &Relation, column: &Ident) -> bool {
    let schema = &step.before.schema;
    let mut found = false;
    for node in &step.context.migration.up.nodes {
        // What Ruby does is not looked into.
        found |= matches!(node, Node::Ruby(_));
        node.statements(&mut |statement| {
            if let Operation::AlterTable(alter) = &statement.operation {
                let asks = |kind: &TableActionKind| {
                    matches!(kind, TableActionKind::SetNotNull { column: name } if name == column)
                };
                let is_it = schema.find(&alter.table).is_some_and(|one| one.id == relation.id);
                found |= is_it && alter.actions.iter().any(|action| asks(&action.kind));
            }
        });
    }
    found
}

/// `IS DISTINCT FROM`, also for the types that have no equality.
fn differs(relation: &Relation, column: &Ident, text: &str) -> String {
    let found = relation.as_table().and_then(|table| table.column(column)).and_then(|column| column.data_type.as_ref());
    let by_text = found.is_some_and(|kind| matches!(kind.name.name.as_str(), "json" | "xml" | "point" | "polygon"));
    match by_text {
        true => format!("{column}::text IS DISTINCT FROM ({text})::text"),
        false => format!("{column} IS DISTINCT FROM ({text})"),
    }
}

/// A forgotten WHERE. On all but small tables unbatched-update says more.
pub fn without_where(step: &Step, findings: &mut Findings) {
    let Some((write, relation, _)) = whole_table(step) else { return };
    if write.filter.is_some() {
        return;
    }
    let table = relation.name.short();
    let message = format!("{} every row of `{table}`: there is no WHERE", verb(write));
    let finding = findings.report(step.origin, "write", step.certain, message);
    tell(finding, relation);
    finding.instead("-- WHERE true, where all rows are meant");
}

/// A backfill of a table under the lock that this transaction took on it.
pub fn backfill_in_schema_transaction(step: &Step, findings: &mut Findings) {
    let Some((write, relation, reach)) = whole_table(step) else { return };
    if step.context.is_small(&step.before.schema, relation.id) {
        return;
    }
    let Some(held) = held(step, relation.id) else { return };
    let table = relation.name.short();
    let waits = if held.mode.blocks_reads() { "reads and writes" } else { "writes" };
    let rows = if reach == Reach::All { "every row of it".to_owned() } else { reach.rows() };
    let message = format!("all {waits} of `{table}` wait while {rows} is changed: this transaction has locked it");
    let finding = findings.report(step.origin, "write", runs(step) && reach == Reach::All, message);
    finding.object(&relation.name);
    finding.one_per(&table);
    finding.because(held.by.span, format!("takes {} on `{table}` until the transaction ends", held.mode));
    if held.is_explicit() {
        on_purpose(finding, held);
    }
    size(step, finding, relation.id);
    finding.instead(at_once(step, write, relation).unwrap_or_else(|| apart(step, &[relation.id])));
}

/// Rows changed by a search over the table, and then a strong lock on it, in one transaction.
pub fn mixed(unit: &Unit, findings: &mut Findings) {
    let schema = &unit.before.schema;
    for (place, step) in unit.steps.iter().enumerate() {
        let Operation::Write(write) = &step.operation else { continue };
        if step.applied.failure().is_some() || !matches!(write.kind, WriteKind::Update | WriteKind::Delete) {
            continue;
        }
        let Some(relation) = schema.find_table(&write.target) else { continue };
        let few = write.filter.as_ref().is_some_and(|filter| picks_by_key(filter, schema, relation));
        if few || unit.context.is_new(unit.before, relation.id) || unit.context.is_small(schema, relation.id) {
            continue;
        }
        // Under a lock that an earlier statement took nobody holds the table against the later one.
        if unit.steps[..place].iter().any(|earlier| locks(earlier, schema, relation)) {
            continue;
        }
        let later = unit.steps[place + 1..].iter().find(|later| alters(later, schema, relation));
        let Some(later) = later else { continue };
        let table = relation.name.short();
        let message = format!(
            "rows of `{table}` are locked here, and the table itself below: a transaction that reads `{table}` and then \
             changes one of these rows is a deadlock, and all other writers of them wait for both"
        );
        let finding = findings.report(&step.origin, "write", step.certain && later.certain, message);
        // One transaction is one fault.
        finding.one_per(format!("{table} {}", unit.steps[0].origin.span.start));
        finding.object(&relation.name);
        finding.because(later.origin.span, format!("waits until no other transaction has used `{table}`"));
        finding.instead(match unit.context.migration.transaction {
            TransactionUnit::AllPending => {
                "-- the change of rows in an earlier release: all that is pending shares one transaction"
            }
            _ => "-- the change of rows in a migration of its own, before this one",
        });
        finding.severity = finding.severity.min(Severity::Warning);
    }
}

fn alters(step: &Passed, schema: &Schema, relation: &Relation) -> bool {
    let Operation::AlterTable(alter) = &step.operation else { return false };
    step.applied.failure().is_none() && schema.find(&alter.table).is_some_and(|one| one.id == relation.id)
}

fn locks(step: &Passed, schema: &Schema, relation: &Relation) -> bool {
    let named = match &step.operation {
        Operation::Lock(lock) => {
            lock.tables.iter().any(|table| schema.find(&table.name).is_some_and(|one| one.id == relation.id))
        }
        _ => false,
    };
    named || alters(step, schema, relation)
}

/// `key = constant`, `key IN (constants)`: a few rows by a unique key.
fn picks_by_key(filter: &Expr, schema: &Schema, relation: &Relation) -> bool {
    let unique = |column: &Expr| {
        let Some((_, name)) = column.as_column() else { return false };
        let id = relation.as_table().and_then(|table| table.column(name)).map(|column| column.id);
        let indexes = relation.as_table().map(|table| table.indexes.as_slice()).unwrap_or_default();
        let first = |index: &crate::schema::Index| match index.parts.first().map(|part| &part.key) {
            Some(crate::schema::IndexKey::Column(first)) => Some(*first) == id,
            _ => false,
        };
        indexes.iter().filter_map(|index| schema.get_relation(*index)?.as_index()).any(first)
    };
    match filter {
        Expr::And(list) => list.iter().any(|one| picks_by_key(one, schema, relation)),
        Expr::Binary { operator, left, right } => {
            &**operator == "="
                && (unique(left) || unique(right))
                && (left.columns().is_empty() || right.columns().is_empty())
        }
        Expr::In { value, list } => unique(value) && list.iter().all(|one| one.columns().is_empty()),
        _ => false,
    }
}
