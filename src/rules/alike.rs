//! What two schemas have under two names: a table or column that an edit calls otherwise keeps its rows by a RENAME.

use super::back::printed;
use crate::schema::difference::{Aspect, Change, ChangeKind, Repair, Stage, same_index};
use crate::schema::{Index, Schema, Table};

/// One object with its two names.
#[derive(Debug)]
pub struct Renamed {
    from: String,
    to: String,
    pub sql: String,
}

impl Renamed {
    /// The change is told by the rename: of the object itself, or of what belongs to it.
    pub fn covers(&self, change: &Change) -> bool {
        let is_own =
            |name: &str| change.name.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
        // A table's sequences have its name in theirs.
        let is_sequence = |name: &str| change.object == "sequence" && change.name.starts_with(&format!("{name}_"));
        [&self.from, &self.to].iter().any(|name| is_own(name) || is_sequence(name))
    }
}

/// The one that a database of the first schema keeps is the one that it lacks, by all that is seen.
pub fn renamed(from: &Schema, to: &Schema, changes: &[Change]) -> Vec<Renamed> {
    let of = |kind: ChangeKind, object: &'static str| -> Vec<&Change> {
        changes.iter().filter(|change| change.kind == kind && change.object == object).collect()
    };
    let mut found = Vec::new();
    let tables = (of(ChangeKind::Extra, "table"), of(ChangeKind::Missing, "table"));
    if let ([kept], [lacking]) = (tables.0.as_slice(), tables.1.as_slice())
        && let (Some(now), Some(then)) = (table(from, &kept.name), table(to, &lacking.name))
        && columns(now) == columns(then)
        && let Some((schema, name)) = lacking.name.rsplit_once('.')
        && kept.name.rsplit_once('.').is_some_and(|(other, _)| other == schema)
    {
        let sql = format!("ALTER TABLE {} RENAME TO {name}", kept.name);
        found.push(Renamed { from: kept.name.clone(), to: lacking.name.clone(), sql });
    }
    let kept = of(ChangeKind::Extra, "column");
    for one in &kept {
        let Some((owner, name)) = one.name.rsplit_once('.') else { continue };
        let is_sibling = |change: &&&Change| change.name.rsplit_once('.').is_some_and(|(table, _)| table == owner);
        let lacking = of(ChangeKind::Missing, "column");
        let mut lacking = lacking.iter().filter(is_sibling);
        let (Some(other), None, 1) = (lacking.next(), lacking.next(), kept.iter().filter(is_sibling).count()) else {
            continue;
        };
        let Some((_, wanted)) = other.name.rsplit_once('.') else { continue };
        let of_name = |schema: &Schema, name: &str| {
            let own = table(schema, owner)?.columns.iter().find(|column| printed(&column.name) == name)?;
            Some((own.data_type.clone()?, own.not_null))
        };
        let both = (of_name(from, name), of_name(to, wanted));
        if both.0.is_some() && both.0 == both.1 {
            let sql = format!("ALTER TABLE {owner} RENAME COLUMN {name} TO {wanted}");
            found.push(Renamed { from: one.name.clone(), to: other.name.clone(), sql });
        }
    }
    found
}

/// An index that stands on both sides, under another name, is one index.
pub fn renamed_indexes(changes: Vec<Change>, end: &Schema, before: &Schema) -> Vec<Change> {
    let index = |schema: &Schema, name: &str| {
        let found = schema.relations().find(|one| one.as_index().is_some() && one.name.prints_as(name));
        found.and_then(|one| Some((one.name.clone(), one.as_index()?.clone())))
    };
    let (mut kept, mut gone): (Vec<Change>, Vec<usize>) = (Vec::new(), Vec::new());
    let is = |change: &Change, kind: ChangeKind| change.object == "index" && change.kind == kind;
    for change in &changes {
        let now = index(end, &change.name).filter(|_| is(change, ChangeKind::Extra));
        let then = now.as_ref().and_then(|(_, now)| {
            let others =
                changes.iter().enumerate().filter(|(at, one)| is(one, ChangeKind::Missing) && !gone.contains(at));
            others.filter_map(|(at, one)| Some((at, index(before, &one.name)?))).find(|(_, (_, then))| {
                let of = |schema: &Schema, index: &Index| schema.get_relation(index.table).map(|one| one.name.clone());
                let same_table = now.table == then.table || of(end, now) == of(before, then);
                same_table && now.valid == then.valid && same_index((end, now), (before, then))
            })
        });
        let (Some((from, _)), Some((at, (to, _)))) = (now, then) else {
            kept.push(change.clone());
            continue;
        };
        gone.push(at);
        let sql = format!("ALTER INDEX {from} RENAME TO {}", to.name);
        kept.push(Change {
            kind: ChangeKind::Differs,
            aspect: Aspect::Name,
            name: to.to_string(),
            text: format!("is called {}", from.name),
            repairs: vec![Repair::new(Stage::Rename, sql)],
            ..change.clone()
        });
    }
    let names: Vec<&String> = gone.iter().filter_map(|at| changes.get(*at)).map(|change| &change.name).collect();
    kept.retain(|change| !(is(change, ChangeKind::Missing) && names.contains(&&change.name)));
    kept
}

fn table<'a>(schema: &'a Schema, name: &str) -> Option<&'a Table> {
    schema.tables().find(|(relation, _)| relation.name.prints_as(name)).map(|(_, table)| table)
}

/// Names and types: what tells two tables apart.
fn columns(table: &Table) -> Vec<(String, Option<String>)> {
    let of =
        |column: &crate::schema::Column| (column.name.to_string(), column.data_type.as_ref().map(ToString::to_string));
    table.columns.iter().map(of).collect()
}
