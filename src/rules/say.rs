//! Words that several rules share: names of objects, the path a write takes.

use crate::data::{Copy, Data, Feed, FeedWrite, Fill, Queued, Swap, Value};
use crate::finding::{Finding, LinkKind};
use crate::history::{Context, Framework, Step, TransactionUnit};
use crate::operation::{Action, ForeignKey, Ident, Node, Operation, Transaction};
use crate::schema::difference::Change;
use crate::schema::{ConstraintId, ConstraintRow, Relation, RelationId, Schema, TriggerId};

/// A relation as messages name it, without backticks.
pub fn name(schema: &Schema, relation: RelationId) -> String {
    schema.get_relation(relation).map_or_else(|| "?".to_owned(), |relation| relation.name.short())
}

/// A full name as messages have it: `public` goes without saying.
pub fn short(name: &str) -> &str {
    name.strip_prefix("public.").unwrap_or(name)
}

/// What a change is about; of a function only its name.
pub fn changed(change: &Change) -> &str {
    let name = short(&change.name);
    if change.object == "function" { name.split('(').next().unwrap_or(name) } else { name }
}

/// A list in words: `a`, `b` and `c`; long ones are cut.
pub fn list(names: &[String]) -> String {
    const SHOWN: usize = 4;
    let quoted: Vec<String> = names.iter().take(SHOWN).map(|name| format!("`{name}`")).collect();
    let more = names.len().saturating_sub(SHOWN);
    match quoted.split_last() {
        None => String::new(),
        Some(_) if more > 0 => format!("{} and {more} more", quoted.join(", ")),
        Some((only, [])) => only.clone(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
    }
}

/// One of several in words: `a`, `b` or `c`.
pub fn any_of(names: &[String]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    match quoted.split_last() {
        None => String::new(),
        Some((only, [])) => only.clone(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
    }
}

/// Adds the path of a write: `INSERT source` → trigger → function → table → partition → constraint.
pub fn path(
    finding: &mut Finding,
    schema: &Schema,
    feed: &Feed,
    write: &FeedWrite,
    at: RelationId,
    constraint: Option<ConstraintId>,
) {
    let verb = match (write.events.insert, write.events.update, write.events.delete) {
        (true, _, _) => "INSERT",
        (false, true, _) => "UPDATE",
        (false, false, _) => "DELETE",
    };
    let source = name(schema, feed.source);
    let trigger = schema.trigger(feed.trigger);
    let function = schema.function(feed.function);
    let made = |relation: RelationId| schema.get_relation(relation).map(|found| found.existence.origin().span);
    finding.link(LinkKind::Write, format!("{verb} {source}"), made(feed.source));
    finding.link(LinkKind::Trigger, trigger.name.to_string(), Some(trigger.existence.origin().span));
    finding.link(LinkKind::Function, function.name.short(), Some(write.span));
    finding.link(LinkKind::Table, name(schema, feed.target), made(feed.target));
    if at != feed.target {
        finding.link(LinkKind::Partition, name(schema, at), made(at));
    }
    if let Some(constraint) = constraint.and_then(|id| schema.get_constraint(id)) {
        finding.link(LinkKind::Constraint, constraint.name.to_string(), Some(constraint.existence.origin().span));
    }
}

/// Counts the rows that a foreign key would reject.
pub fn orphans_query(schema: &Schema, table: RelationId, key: &ForeignKey) -> String {
    let child = &schema.relation(table).name;
    let parent = schema.find(&key.references);
    let target = parent.map_or_else(|| key.references.to_string(), |parent| parent.name.to_string());
    let referenced: Vec<String> = if key.referenced_columns.is_empty() {
        let primary = parent.and_then(|parent| primary_key(schema, parent.id));
        primary.unwrap_or_else(|| vec![Ident::new("id")]).iter().map(ToString::to_string).collect()
    } else {
        key.referenced_columns.iter().map(ToString::to_string).collect()
    };
    let equal: Vec<String> =
        key.columns.iter().zip(&referenced).map(|(column, other)| format!("p.{other} = c.{column}")).collect();
    let present: Vec<String> = key.columns.iter().map(|column| format!("c.{column} IS NOT NULL")).collect();
    format!(
        "SELECT count(*) FROM {child} AS c WHERE {} AND NOT EXISTS (SELECT FROM {target} AS p WHERE {})",
        present.join(" AND "),
        equal.join(" AND ")
    )
}

fn primary_key(schema: &Schema, table: RelationId) -> Option<Vec<Ident>> {
    let key =
        schema.constraints_of(table).find(|constraint| matches!(constraint.kind, ConstraintRow::Primary { .. }))?;
    Some(key.columns.iter().map(|column| schema.column_name(table, *column)).collect())
}

/// `FOREIGN KEY (…) REFERENCES … (…)` with its actions, as it was written.
pub fn foreign_key(key: &ForeignKey) -> String {
    let names = |columns: &[Ident]| columns.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let referenced = match key.referenced_columns.as_slice() {
        [] => String::new(),
        columns => format!(" ({})", names(columns)),
    };
    let full = if key.match_full { " MATCH FULL" } else { "" };
    let action = |event: &str, action: Action| match action {
        Action::NoAction => String::new(),
        Action::Restrict => format!(" ON {event} RESTRICT"),
        Action::Cascade => format!(" ON {event} CASCADE"),
        Action::SetNull => format!(" ON {event} SET NULL"),
        Action::SetDefault => format!(" ON {event} SET DEFAULT"),
    };
    format!(
        "FOREIGN KEY ({}) REFERENCES {}{referenced}{full}{}{}",
        names(&key.columns),
        key.references,
        action("UPDATE", key.on_update),
        action("DELETE", key.on_delete),
    )
}

/// Copies what a copy lacks, batch by batch, beside its trigger.
pub fn backfill(schema: &Schema, data: &Data, copy: &Copy) -> String {
    let table = &schema.relation(copy.table).name;
    let source = &schema.relation(copy.source).name;
    let columns = fed_columns(data, copy);
    let list = if columns.is_empty() { "…".to_owned() } else { columns.join(", ") };
    let first = copy.key.first().map(|(_, source)| source.to_string()).unwrap_or_default();
    format!(
        "INSERT INTO {table} ({list})\n\
         SELECT {list}\n\
         FROM {source} WHERE {first} > :last AND {first} <= :last + 1000\n\
         FOR NO KEY UPDATE\n\
         ON CONFLICT DO NOTHING;"
    )
}

/// Likewise, where rows that are there may be old.
pub fn backfill_again(schema: &Schema, data: &Data, copy: &Copy) -> String {
    let is_key = |column: &String| copy.key.iter().any(|(key, _)| key.to_string() == *column);
    let rest: Vec<String> = fed_columns(data, copy).into_iter().filter(|column| !is_key(column)).collect();
    let text = backfill(schema, data, copy);
    if rest.is_empty() {
        return text;
    }
    let key: Vec<String> = copy.key.iter().map(|(column, _)| column.to_string()).collect();
    let set: Vec<String> = rest.iter().map(|column| format!("{column} = excluded.{column}")).collect();
    let update = format!("ON CONFLICT ({}) DO UPDATE SET {}", key.join(", "), set.join(", "));
    text.replace("ON CONFLICT DO NOTHING", &update)
}

/// A queued job and its table, as messages name them.
pub fn job(schema: &Schema, queued: &Queued) -> String {
    let table = queued.job.table.as_ref().and_then(|name| schema.find(name)).map(|one| name(schema, one.id));
    table.map_or_else(|| queued.job.describe(), |table| format!("`{}` of `{table}`", queued.job.class))
}

/// Where the backfill of a table was queued, and taken out of the queue.
pub fn queue(finding: &mut Finding, data: &Data, fill: &Fill, table: &str) {
    let job = fill.job.and_then(|number| data.queued(number));
    let name = job.map(|queued| format!(" {}", queued.job.describe())).unwrap_or_default();
    finding.because(fill.origin.span, format!("the backfill{name} of rows into `{table}` is queued here"));
    match job.and_then(|queued| queued.end.as_ref()) {
        Some(end) if !end.finished => {
            finding.because(end.origin.span, "here it is taken out of the queue, whatever it has not reached");
        }
        Some(_) => {}
        None => {
            finding.because(fill.origin.span, "queueing waits for nothing: only finishing it does");
        }
    }
}

/// Counts the rows of the source that a copy lacks.
pub fn uncopied_query(schema: &Schema, copy: &Copy) -> String {
    let pairs: Vec<String> = copy.key.iter().map(|(copy, source)| format!("c.{copy} = s.{source}")).collect();
    format!(
        "SELECT count(*) FROM {} AS s WHERE NOT EXISTS (SELECT FROM {} AS c WHERE {})",
        schema.relation(copy.source).name,
        schema.relation(copy.table).name,
        pairs.join(" AND ")
    )
}

/// The columns that copy and source have in common, as the feed maps them.
fn fed_columns(data: &Data, copy: &Copy) -> Vec<String> {
    let feeds = data.feeds_of(copy.trigger);
    let insert = feeds
        .iter()
        .flat_map(|feed| &feed.writes)
        .find(|write| write.events.insert && copy.key.iter().all(|(column, _)| write.value_of(column).is_some()));
    let values = insert.map(|write| write.values.as_slice()).unwrap_or_default();
    let same = values.iter().filter_map(|(column, value)| match value {
        Value::Source(source) if source == column => Some(column.to_string()),
        _ => None,
    });
    same.collect()
}

/// The recipe for a key of a partitioned table: NOT VALID and validated on each partition, then the parent's.
pub fn partition_by_partition(
    schema: &Schema,
    table: RelationId,
    name: &str,
    key: &ForeignKey,
    context: &Context,
) -> String {
    let definition = foreign_key(key);
    let leaves = schema.partitions(table).into_iter().filter(|id| !schema.relation(*id).is_partitioned());
    let each = leaves.map(|id| {
        let partition = &schema.relation(id).name;
        format!(
            "ALTER TABLE {partition} ADD CONSTRAINT {name} {definition} NOT VALID;\n\
             ALTER TABLE {partition} VALIDATE CONSTRAINT {name};\n"
        )
    });
    format!(
        "{}\n-- the same definition everywhere, so that the last key takes the others over\n\
         {}ALTER TABLE {} ADD CONSTRAINT {name} {definition};",
        outside_transaction(context),
        each.collect::<String>(),
        schema.relation(table).name,
    )
}

/// How a migration of this runner is kept out of a transaction (docs/runners.md), as a comment above the statements.
pub fn outside_transaction(context: &Context) -> &'static str {
    if context.plan.history.runs_bare {
        return "-- in a migration of its own, without other statements: as the shipped ones show, such a file runs outside of a \
                transaction here";
    }
    let begins = |node: &Node| matches!(node, Node::Statement(one) if one.operation == Operation::Transaction(Transaction::Begin));
    let migration = context.migration;
    let is_bare = migration.transaction == TransactionUnit::Statement && !migration.unit_is_guess;
    let is_bare = is_bare && !migration.up.nodes.iter().any(begins);
    match context.plan.history.framework {
        Framework::Atlas | Framework::Flyway | Framework::Goose if is_bare => {
            "-- in this file, which runs outside of a transaction as it is"
        }
        Framework::Plain => "-- outside of a transaction",
        Framework::Atlas => "-- in a migration of its own, below `-- atlas:txmode none` and an empty line",
        Framework::Concourse | Framework::MaragudkMigrate | Framework::Pop => {
            "-- by hand before the deploy: the runner wraps every file in a transaction; the migration then takes IF NOT EXISTS"
        }
        Framework::Dbmate => "-- each statement in a migration of its own, below `-- migrate:up transaction:false`",
        Framework::Diesel => {
            "-- each statement in a migration of its own, with `run_in_transaction = false` in its metadata.toml"
        }
        Framework::Drizzle => {
            "-- by hand before the deploy: Drizzle runs all pending files in one transaction; the migration then takes IF NOT EXISTS"
        }
        Framework::Flyway if context.migration.transaction == TransactionUnit::AllPending => {
            "-- in a release of its own: `group` runs all pending migrations in one transaction, and this one makes Flyway\n\
             -- refuse them, or with `mixed` run all of them outside of one"
        }
        Framework::Flyway => {
            "-- in a migration of its own, which Flyway then runs outside of a transaction (executeInTransaction=false in its .conf says so outright).\n\
             -- Since 9.1 it waits for Flyway's own lock for ever, unless flyway.postgresql.transactional.lock=false"
        }
        Framework::GolangMigrate => {
            "-- each statement in a migration of its own: several of one file are one transaction"
        }
        Framework::Goose => "-- in a migration of its own, below `-- +goose NO TRANSACTION`",
        Framework::GraphileMigrate => "-- each statement in a migration of its own, below `--! no-transaction`",
        Framework::Hasura => {
            "-- by hand before the deploy: Hasura runs every file in a transaction; then `hasura migrate apply --skip-execution`"
        }
        Framework::Liquibase => "-- in a changeset of its own, with `runInTransaction:false`",
        Framework::NodePgMigrate => {
            "-- in a migration of its own in JavaScript, which says `pgm.noTransaction()`: SQL files cannot"
        }
        Framework::PlayEvolutions => "-- Play commits each statement by itself: no transaction is in the way",
        Framework::Postgrator => {
            "-- each statement in a migration of its own: Postgrator sends a file at once, and one statement alone is in no transaction"
        }
        Framework::PostgresMigrations => {
            "-- each statement in a migration of its own, below `-- postgres-migrations disable-transaction`"
        }
        Framework::Prisma => {
            "-- each statement in a migration of its own: Prisma sends a file at once, and one statement alone is in no transaction"
        }
        Framework::Rails => "-- in a migration of its own that says `disable_ddl_transaction!`",
        Framework::Rambler => "-- each statement below a `-- rambler up` of its own: a section is sent at once",
        Framework::Refinery => {
            "-- by hand before the deploy: Refinery wraps every file in a transaction; the migration then takes IF NOT EXISTS"
        }
        Framework::River => "-- by hand: River runs each version in a transaction",
        Framework::SqlMigrate => "-- in a migration of its own, below `-- +migrate Up notransaction`",
        Framework::Sqitch => "-- in a change of its own, whose script says neither BEGIN nor COMMIT",
        Framework::Sqlx => "-- each statement in a migration of its own, whose first line is `-- no-transaction`",
        Framework::Supabase => {
            "-- each statement in a migration of its own: a file is sent as one pipeline, and one statement alone is in no transaction"
        }
        Framework::Synapse => "-- as a background update: all deltas of an upgrade share a transaction",
        Framework::Temporal => "-- Temporal's tool runs each statement by itself: no transaction is in the way",
        Framework::Tern => "-- in a migration of its own, below `---- tern: disable-tx ----`",
    }
}

/// Likewise for an index over columns that this very migration may add, or whose duplicates it may remove: what must
/// run by hand cannot run before it.
pub fn outside_after(step: &Step, relation: &Relation, columns: &[&Ident], unique: bool) -> String {
    let outside = outside_transaction(&step.context);
    let is_new = |column: &&Ident| {
        let found = relation.as_table().and_then(|table| table.column(column));
        let before = step.session.transaction.as_ref().and_then(|open| open.before.schema.get_relation(relation.id));
        // Added in this release, or renamed in this transaction.
        found.is_some_and(|column| step.context.is_of_this_release(&column.existence))
            || before.and_then(|before| before.as_table()).is_some_and(|before| before.column(column).is_none())
    };
    let mut changes_rows = false;
    for node in &step.context.migration.up.nodes {
        node.statements(&mut |statement| {
            changes_rows |= matches!(&statement.operation, Operation::Write(write)
                if step.before.schema.find(&write.target).is_some_and(|target| target.id == relation.id));
        });
    }
    let by_hand = outside.starts_with("-- by hand before");
    if by_hand && (columns.iter().any(is_new) || (unique && changes_rows)) {
        return "-- two releases: this one without the index; then by hand, outside of a transaction, what follows here; the next \
                one says IF NOT EXISTS, or makes the key USING INDEX"
            .to_owned();
    }
    if unique && changes_rows {
        return format!(
            "-- after what changes rows here is committed: the build reads those that others see\n{outside}"
        );
    }
    outside.to_owned()
}

/// The columns that two tables share by name, as a list; `…` where they are not known.
pub fn shared_columns(schema: &Schema, one: RelationId, other: RelationId) -> String {
    let table = |id: RelationId| schema.get_relation(id).and_then(|relation| relation.as_table());
    let (Some(one), Some(other)) = (table(one), table(other)) else { return "…".to_owned() };
    let shared = one.columns.iter().filter(|column| column.generated.is_none() && other.column(&column.name).is_some());
    let shared: Vec<String> = shared.map(|column| column.name.to_string()).collect();
    if shared.is_empty() { "…".to_owned() } else { shared.join(", ") }
}

/// Which rows a sync trigger has brought along since it came: an old row that is updated comes only where its writes
/// for an UPDATE add what is missing.
pub fn taken_along(data: &Data, trigger: TriggerId) -> &'static str {
    let on_update =
        data.feeds_of(trigger).iter().flat_map(|feed| &feed.writes).any(|write| write.adds_rows_on_update());
    if on_update { "written" } else { "inserted" }
}

/// The original's and the replacement's names before a swap.
pub fn swapped(swap: &Swap, after: &Schema) -> (String, String) {
    (name(&swap.before, swap.original), swap.replacement_name(after).short())
}
