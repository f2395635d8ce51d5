//! CREATE INDEX without CONCURRENTLY on a table that is in use: writes wait for the whole build.

use super::in_use::is_costly;
use super::weight::{held, held_alone, on_purpose, soften};
use super::{Findings, say};
use crate::history::Step;
use crate::operation::{CreateIndex, Ident, IndexPart, KeyPart, Operation, QualifiedName};
use crate::schema::{IndexKey, Relation};

const OTHERS_SHOWN: usize = 3;

pub fn check(step: &Step, findings: &mut Findings) {
    let Operation::CreateIndex(create) = step.operation else { return };
    if create.concurrently || step.applied.failure().is_some() {
        return;
    }
    let schema = &step.before.schema;
    let Some(relation) = schema.find(&create.table) else { return };
    if !is_costly(step, relation.id) {
        return;
    }
    let partitioned = relation.is_partitioned();
    // ON ONLY a partitioned table builds nothing: the first step of the way out. Nobody writes it of another table.
    if create.only {
        return;
    }
    if partitioned && schema.partitions(relation.id).iter().all(|partition| !is_costly(step, *partition)) {
        return;
    }
    // IF NOT EXISTS over an index that is there takes its lock for a moment only.
    // Nor does one build anything that takes over what each partition has already.
    let made = step.after.schema.relations_since(schema).len();
    if made == 0 || partitioned && made == 1 {
        return;
    }
    let table = relation.name.short();
    let message = if partitioned {
        format!("writes to `{table}` and all its partitions wait while the index is built on each of them")
    } else if held_alone(step, relation.id).is_some() {
        format!("reads and writes of `{table}` wait while the index is built: this transaction has locked it")
    } else {
        format!("writes to `{table}` wait while the index is built")
    };
    let finding = findings.report(step.origin, "create-index", step.certain, message);
    finding.one_per(relation.name.to_string());
    if let Some(held) = held_alone(step, relation.id).filter(|held| !held.is_explicit()) {
        finding.because(held.by.span, format!("takes ACCESS EXCLUSIVE on `{table}` until the transaction ends"));
    }
    soften(step, finding, relation.id);
    // Writers wait for a lock that was taken to stop them, and this one stops nobody else.
    if let Some(held) = held(step, relation.id).filter(|held| held.is_explicit() && !held.mode.blocks_reads()) {
        on_purpose(finding, held);
    }
    // What else stands still all that time.
    let others = step.session.transaction.iter().flat_map(|open| &open.locks).filter(|other| {
        other.relation != relation.id && other.mode.blocks_reads() && other.named && is_costly(step, other.relation)
    });
    for other in others.take(OTHERS_SHOWN) {
        let name = say::name(schema, other.relation);
        finding.because(
            other.by.span,
            format!("`{name}` stays locked meanwhile: {} until the transaction ends", other.mode),
        );
    }
    finding
        .because(relation.existence.origin().span, format!("`{table}` is older than this release and may hold rows"));
    finding.object(&relation.name);
    if let Some(name) = &create.name {
        finding.object(name);
    }
    if partitioned {
        finding.instead(partition_by_partition(step, create, relation));
    } else {
        let columns: Vec<&Ident> = create.parts.iter().filter_map(column_of).chain(&create.include).collect();
        let outside = say::outside_after(step, relation, &columns, create.unique);
        finding.instead(match create.name.as_ref().filter(|name| is_replaced(step, relation, name)) {
            Some(name) => beside_the_old(create, name, relation, &outside),
            None => format!(
                "{outside}\n{};{}",
                definition(create, create.name.clone(), &relation.name, "CONCURRENTLY "),
                only_then(step, create, relation)
            ),
        });
    }
}

/// The transaction has dropped an index of that name: without it, the old one is there still.
fn is_replaced(step: &Step, relation: &Relation, name: &Ident) -> bool {
    let name = QualifiedName::new(relation.name.schema.clone(), name.clone()).as_name();
    let before = step.session.transaction.as_ref().map(|open| &open.before.schema);
    before.and_then(|schema| schema.find(&name)?.as_index()).is_some_and(|index| index.table == relation.id)
}

/// The unique key whose place the new index takes, which the transaction has dropped: it goes when that one is there, or
/// nothing keeps doubles out meanwhile.
fn only_then(step: &Step, create: &CreateIndex, relation: &Relation) -> String {
    let before = step.session.transaction.as_ref().map(|open| &open.before.schema);
    let Some(before) = before.filter(|_| create.unique) else { return String::new() };
    let Some(table) = before.get_relation(relation.id).and_then(Relation::as_table) else { return String::new() };
    let wanted: Vec<&Ident> = create.parts.iter().filter_map(column_of).collect();
    let gone = table.indexes.iter().filter_map(|id| before.get_relation(*id)).find(|one| {
        one.as_index().is_some_and(|index| {
            let shares = index.parts.iter().any(|part| match &part.key {
                IndexKey::Column(id) => table.column_by_id(*id).is_some_and(|column| wanted.contains(&&column.name)),
                IndexKey::Expression(_) => false,
            });
            index.unique && shares && step.before.schema.get_relation(one.id).is_none()
        })
    });
    match gone {
        Some(old) if old.as_index().is_some_and(|index| index.constraint.is_some()) => {
            let drop = format!("ALTER TABLE {} DROP CONSTRAINT {};", relation.name, old.name.name);
            format!("\n-- and when it is there, in a migration after it, what it replaces\n{drop}")
        }
        Some(old) => format!("\n-- and when it is there, what it replaces\nDROP INDEX CONCURRENTLY {};", old.name),
        None => String::new(),
    }
}

/// The new index under a name of its own, so that one of the two always serves.
fn beside_the_old(create: &CreateIndex, name: &Ident, relation: &Relation, outside: &str) -> String {
    let own = Ident::new(format!("{}_new", name.as_str()));
    let schema = &relation.name.schema;
    let (old, new) =
        (QualifiedName::new(schema.clone(), name.clone()), QualifiedName::new(schema.clone(), own.clone()));
    format!(
        "{outside}\n{};\nDROP INDEX CONCURRENTLY {old};\nALTER INDEX {new} RENAME TO {name};",
        definition(create, Some(own), &relation.name, "CONCURRENTLY ")
    )
}

fn column_of(part: &IndexPart) -> Option<&Ident> {
    match &part.key {
        KeyPart::Column(column) => Some(column),
        KeyPart::Expression(_) => None,
    }
}

/// ON ONLY the parent, concurrently on each partition, then attached.
pub(super) fn partition_by_partition(step: &Step, create: &CreateIndex, relation: &Relation) -> String {
    let schema = &step.before.schema;
    let own = create.name.clone().unwrap_or_else(|| Ident::new(format!("{}_idx", relation.name.name.as_str())));
    let mut steps = vec![format!("{};", definition(create, Some(own.clone()), &format!("ONLY {}", relation.name), ""))];
    for partition in schema.partitions(relation.id) {
        let partition = &schema.relation(partition).name;
        let name = Ident::new(format!("{}_{}", partition.name.as_str(), own.as_str()));
        steps.push(format!("{};", definition(create, Some(name.clone()), partition, "CONCURRENTLY ")));
        steps.push(format!("ALTER INDEX {own} ATTACH PARTITION {name};"));
    }
    format!("{}\n{}", say::outside_transaction(&step.context), steps.join("\n"))
}

/// The statement again, for another name and table.
pub(super) fn definition(
    create: &CreateIndex,
    name: Option<Ident>,
    table: &dyn std::fmt::Display,
    concurrently: &str,
) -> String {
    let unique = if create.unique { "UNIQUE " } else { "" };
    let name = name.map(|name| format!("{name} ")).unwrap_or_default();
    let method = if create.method == "btree" { String::new() } else { format!("USING {} ", create.method) };
    let parts: Vec<String> = create.parts.iter().map(part).collect();
    let include: Vec<String> = create.include.iter().map(ToString::to_string).collect();
    let include = if include.is_empty() { String::new() } else { format!(" INCLUDE ({})", include.join(", ")) };
    let nulls = if create.nulls_not_distinct { " NULLS NOT DISTINCT" } else { "" };
    let filter = create.filter.as_ref().map(|filter| format!(" WHERE {}", filter.text)).unwrap_or_default();
    format!(
        "CREATE {unique}INDEX {concurrently}{name}ON {table} {method}({}){include}{nulls}{filter}",
        parts.join(", ")
    )
}

fn part(part: &IndexPart) -> String {
    let key = match &part.key {
        KeyPart::Column(column) => column.to_string(),
        KeyPart::Expression(expression) => format!("({})", expression.text),
    };
    let collation = part.collation.as_ref().map(|name| format!(" COLLATE {name}")).unwrap_or_default();
    let options = part.class_options.as_ref().map(|given| format!(" ({given})")).unwrap_or_default();
    let class = part.operator_class.as_ref().map(|name| format!(" {name}{options}")).unwrap_or_default();
    let order = if part.descending { " DESC" } else { "" };
    let nulls = match part.nulls_first {
        Some(true) => " NULLS FIRST",
        Some(false) => " NULLS LAST",
        None => "",
    };
    format!("{key}{collation}{class}{order}{nulls}")
}
