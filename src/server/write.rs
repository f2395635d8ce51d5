//! Statements over rows: what they lock, which tables they are bound to read as a whole, and what foreign keys add.
//! What their triggers write is the graph's to say.

use super::facts::{Form, Role};
use super::tally::Tally;
use super::{foreign_key, index};
use crate::operation::{Action, Constant, Expr, Ident, LockMode, Name, Query, Rows, Write, WriteKind};
use crate::schema::{ColumnId, Constraint, IndexKey, RelationId, RelationKind};

/// A SELECT that stands alone.
pub(super) fn select(tally: &mut Tally<'_>, query: &Query) {
    let (form, mode) = match query.row_lock {
        Some(_) => (Form::SelectForUpdate, LockMode::RowShare),
        None => (Form::Select, LockMode::AccessShare),
    };
    read(tally, query, form, mode);
    for own in query.writes() {
        write(tally, own);
    }
}

fn read(tally: &mut Tally<'_>, query: &Query, form: Form, mode: LockMode) {
    for relation in named(tally, &query.reads()) {
        let tree = opened(tally, relation);
        tally.take(form, &[(Role::Source, &tree)]);
        tree.into_iter().for_each(|table| tally.plan(table, mode));
    }
    scan_unfiltered(tally, query);
    for expr in query.expressions() {
        use_sequences(tally, expr);
    }
}

/// A query's relation with all it stands for: partitions, and the tables under views.
fn opened(tally: &Tally<'_>, relation: RelationId) -> Vec<RelationId> {
    let mut found = vec![relation];
    let mut at = 0;
    while let Some(next) = found.get(at).copied() {
        let more = match tally.relation(next).map(|relation| &relation.kind) {
            Some(RelationKind::Table(_)) => tally.below(next),
            Some(RelationKind::View(view)) if !view.materialized => view.reads.iter().map(|(read, _)| *read).collect(),
            _ => Vec::new(),
        };
        for one in more {
            if !found.contains(&one) {
                found.push(one);
            }
        }
        at += 1;
    }
    found
}

fn named(tally: &Tally<'_>, names: &[&Name]) -> Vec<RelationId> {
    names.iter().filter_map(|name| tally.find(name)).collect()
}

/// Without a condition or a limit there is no way round reading it all; nor with one that no index serves.
fn scan_unfiltered(tally: &mut Tally<'_>, query: &Query) {
    if query.limited {
        return;
    }
    let names: Vec<&Name> = query
        .from
        .iter()
        .filter_map(|item| match &item.source {
            crate::operation::FromSource::Relation { name, .. } => Some(name),
            _ => None,
        })
        .collect();
    let alone = query.from.len() == 1;
    for relation in named(tally, &names) {
        for table in opened(tally, relation) {
            let whole = match &query.filter {
                None => true,
                Some(filter) => alone && !serves(tally, table, filter),
            };
            if whole {
                tally.scan(table);
            }
        }
    }
    query.arms.iter().for_each(|arm| scan_unfiltered(tally, arm));
}

/// Some index begins with a column that the condition names, or with an expression.
fn serves(tally: &Tally<'_>, table: RelationId, filter: &Expr) -> bool {
    let Some(of) = tally.table(table) else { return true };
    let columns = filter.columns();
    tally.indexes_of(table).into_iter().any(|index| {
        let Some(index) = tally.relation(index).and_then(|relation| relation.as_index()) else { return false };
        match index.parts.first().map(|part| &part.key) {
            Some(IndexKey::Column(id)) => of.column_by_id(*id).is_some_and(|column| columns.contains(&&column.name)),
            Some(IndexKey::Expression(_)) => true,
            None => false,
        }
    })
}

/// CREATE TABLE AS and CREATE MATERIALIZED VIEW: without data the query is not even planned.
pub(super) fn made_from(tally: &mut Tally<'_>, query: &Query, with_data: bool) {
    if with_data {
        read(tally, query, Form::CreateTableAs, LockMode::AccessShare);
    } else {
        let sources = named(tally, &query.reads());
        tally.take(Form::CreateTableAs, &[(Role::Source, &sources)]);
    }
}

/// What REFRESH reads: the query as it was resolved when the view was made.
pub(super) fn refresh_reads(tally: &mut Tally<'_>, view: RelationId, form: Form) {
    let Some(view) = tally.relation(view).and_then(|relation| relation.as_view()) else { return };
    for (relation, _) in &view.reads {
        for table in opened(tally, *relation) {
            tally.take(form, &[(Role::Source, &[table])]);
            tally.plan(table, LockMode::AccessShare);
            if view.query.filter.is_none() && !view.query.limited {
                tally.scan(table);
            }
        }
    }
}

pub(super) fn write(tally: &mut Tally<'_>, write: &Write) {
    for nested in write.all().into_iter().filter(|nested| !std::ptr::eq(*nested, write)) {
        self::write(tally, nested);
    }
    if let Rows::Query(query) = &write.rows {
        read(tally, query, Form::Select, LockMode::AccessShare);
    }
    for source in named(tally, &write.reads()) {
        let tree = opened(tally, source);
        tally.take(Form::Write, &[(Role::Source, &tree)]);
        tree.into_iter().for_each(|table| tally.plan(table, LockMode::AccessShare));
    }
    write.expressions().into_iter().for_each(|expr| use_sequences(tally, expr));
    let Some(target) = tally.find(&write.target) else { return };
    let below = if write.only { Vec::new() } else { reached(tally, target, write.kind) };
    tally.take(Form::Write, &[(Role::Target, &[target]), (Role::Partitions, &below)]);
    // ON CONFLICT (columns) looks through all indexes; ON CONSTRAINT names its own.
    // A row written straight into a partition is held against its bound, which the parents have. Before 14 the
    // planner asks for the bound in any case.
    let bounded = match write.kind {
        WriteKind::Insert | WriteKind::Copy | WriteKind::Update | WriteKind::Merge => true,
        WriteKind::Delete => !tally.since(14),
    };
    if bounded {
        tally.above(target).into_iter().for_each(|above| tally.lock(above, LockMode::AccessShare));
    }
    let infers = write.on_conflict.as_ref().is_some_and(|on| !on.columns.is_empty());
    if let Some(name) = write.on_conflict.as_ref().and_then(|on| on.constraint.as_ref())
        && let Some(index) = tally.schema.find_constraint(target, name).and_then(index::behind)
    {
        tally.lock(index, LockMode::RowExclusive);
    }
    if !matches!(write.kind, WriteKind::Insert | WriteKind::Copy) || infers {
        for table in std::iter::once(target).chain(below.clone()) {
            tally.plan(table, LockMode::RowExclusive);
        }
    }
    if matches!(write.kind, WriteKind::Update | WriteKind::Delete) && write.from.is_empty() {
        for table in std::iter::once(target).chain(below) {
            if write.filter.as_ref().is_none_or(|filter| !serves(tally, table, filter)) {
                tally.scan(table);
            }
        }
    }
    key_checks(tally, target, write);
}

/// An INSERT goes on to the partition that the row belongs to, and names none of the children by INHERITS.
fn reached(tally: &Tally<'_>, target: RelationId, kind: WriteKind) -> Vec<RelationId> {
    match kind {
        WriteKind::Insert | WriteKind::Copy => tally.partitions(target),
        WriteKind::Update | WriteKind::Delete | WriteKind::Merge => tally.below(target),
    }
}

/// The queries that foreign keys run for each row.
fn key_checks(tally: &mut Tally<'_>, target: RelationId, write: &Write) {
    let kinds: Vec<WriteKind> = if write.kind == WriteKind::Merge { write.merge.clone() } else { vec![write.kind] };
    let updates = write.on_conflict.as_ref().is_some_and(|on| on.update.is_some());
    let makes = kinds.iter().any(|kind| matches!(kind, WriteKind::Insert | WriteKind::Copy));
    let assigned: Vec<&Ident> = write
        .assignments
        .iter()
        .chain(write.on_conflict.iter().filter_map(|on| on.update.as_ref()).flatten())
        .map(|(column, _)| column)
        .collect();
    let changes = |tally: &Tally<'_>, columns: &[ColumnId]| {
        (updates || kinds.contains(&WriteKind::Update))
            && tally
                .table(target)
                .is_some_and(|table| foreign_key::names(table, columns).iter().any(|name| assigned.contains(&name)))
    };
    let keys: Vec<&Constraint> = tally.schema.constraints_of(target).filter(|one| one.enforced).collect();
    for key in keys {
        let Some(foreign) = key.as_foreign() else { continue };
        if makes || changes(tally, &key.columns) {
            for table in tally.tree(foreign.references) {
                tally.take(Form::WriteReferencing, &[(Role::Referenced, &[table])]);
                tally.plan(table, LockMode::RowShare);
            }
        }
    }
    for key in foreign_key::keys_to_tree(tally, target) {
        let Some(foreign) = key.as_foreign().filter(|_| key.enforced) else { continue };
        if kinds.contains(&WriteKind::Delete) {
            referencing(tally, key, foreign.on_delete);
        } else if changes(tally, &foreign.referenced_columns) {
            referencing(tally, key, foreign.on_update);
        }
    }
}

/// For each row that goes, the rows that refer to it are looked for: without an index by reading them all.
fn referencing(tally: &mut Tally<'_>, key: &Constraint, action: Action) {
    let (form, mode) = match action {
        Action::NoAction | Action::Restrict => (Form::DeleteReferenced, LockMode::RowShare),
        Action::Cascade | Action::SetNull | Action::SetDefault => {
            (Form::DeleteReferencedActing, LockMode::RowExclusive)
        }
    };
    for table in tally.tree(key.table) {
        tally.take(form, &[(Role::Referencing, &[table])]);
        tally.plan(table, mode);
        if !leads_with(tally, table, &key.columns) {
            tally.scan(table);
        }
    }
}

fn leads_with(tally: &Tally<'_>, table: RelationId, columns: &[ColumnId]) -> bool {
    tally.indexes_of(table).into_iter().any(|index| {
        let Some(index) = tally.relation(index).and_then(|relation| relation.as_index()) else { return false };
        matches!(index.parts.first().map(|part| &part.key), Some(IndexKey::Column(id)) if columns.contains(id))
    })
}

/// nextval('s'), setval('s', …), currval('s'): the sequence is locked until the transaction ends.
pub(super) fn use_sequences(tally: &mut Tally<'_>, expr: &Expr) {
    let mut found = Vec::new();
    expr.walk(&mut |expr| {
        if let Expr::Call { function, arguments } = expr
            && matches!(function.name.as_str(), "nextval" | "setval" | "currval")
            && let Some(name) = arguments.first().and_then(text)
        {
            found.push(relation_name(name));
        }
    });
    for name in found {
        if let Some(sequence) = tally.find(&name) {
            tally.take(Form::UseSequence, &[(Role::Sequence, &[sequence])]);
        }
    }
}

fn text(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Constant(Constant::String(text)) => Some(text),
        Expr::Cast { value, .. } => text(value),
        _ => None,
    }
}

/// A name inside a string, as regclass reads it: folded unless quoted.
fn relation_name(text: &str) -> Name {
    let mut parts: Vec<String> = vec![String::new()];
    let mut quoted = false;
    for letter in text.chars() {
        match letter {
            '"' => quoted = !quoted,
            '.' if !quoted => parts.push(String::new()),
            other => {
                let part = parts.last_mut();
                part.into_iter().for_each(|part| part.push(if quoted { other } else { other.to_ascii_lowercase() }));
            }
        }
    }
    let name = Ident::new(parts.pop().unwrap_or_default());
    Name { schema: parts.pop().map(Ident::new), name }
}
