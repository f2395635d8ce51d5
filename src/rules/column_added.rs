//! A column added to a table in use: what is wrong with it is one fault, the gravest.

use super::in_use::{Altered, is_emptied, is_in_use};
use super::{Findings, recipe, say};
use crate::finding::Finding;
use crate::history::Step;
use crate::operation::{
    ColumnDefinition, ConstraintDefinition, ConstraintKind, Ident, Key, Operation, TableActionKind,
};
use crate::schema::{ConstraintRow, RelationId, Schema, TypeKind};
use crate::server::{DataCheckKind, is_constrained_domain};
use crate::version::Major;

/// What a new column does to the rows that are there, gravest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// NOT NULL and no value for them: refused.
    NoValue,
    Sequence,
    Generated,
    Volatile,
    Domain,
    Unique,
    Primary,
    Foreign,
    Check,
}

pub fn not_null_without_default(step: &Step, findings: &mut Findings) {
    each(step, Fault::NoValue, &mut |found| {
        let (table, column) = (found.altered.name(), &found.column.name);
        let message =
            format!("fails where `{table}` holds a row: the new column `{column}` is NOT NULL and has no default");
        let finding = found.report(findings, message);
        let (full, bare) = (found.altered.full_name(), recipe::bare_column(found.column));
        let sample = found.column.data_type.as_ref().and_then(|kind| recipe::value_of(kind, &step.before.schema));
        let mut ways = Vec::new();
        // No one value refers to a row that is there.
        if let Some(value) = sample.filter(|_| !found.becomes_a_key()) {
            ways.push(format!(
                "-- with a value that is right for the rows that are there: stored once, it writes no row\n\
                 ALTER TABLE {full} ADD COLUMN {bare} NOT NULL DEFAULT {value};"
            ));
        }
        let or = if ways.is_empty() { "" } else { "or, " };
        ways.push(format!(
            "-- {or}where each row needs its own: asked for once the application writes it and the old rows have it\n\
             ALTER TABLE {full} ADD COLUMN {bare};\n{}",
            found.asked_later()
        ));
        finding.instead(ways.join("\n"));
        finding.verify(format!("SELECT count(*) FROM {}", found.altered.full_name()));
    });
}

pub fn sequence(step: &Step, findings: &mut Findings) {
    each(step, Fault::Sequence, &mut |found| {
        let (table, column) = (found.altered.full_name(), &found.column.name);
        let message = format!(
            "writes all rows of `{}` anew, to number them in `{column}`, while reads and writes wait",
            found.altered.name()
        );
        let name = &found.altered.relation.name;
        let sequence = crate::operation::QualifiedName::new(
            name.schema.clone(),
            Ident::new(format!("{}_{}_numbers", name.name.as_str(), column.as_str())),
        );
        let numbered = format!(
            "CREATE SEQUENCE {sequence};\n\
             ALTER TABLE {table} ADD COLUMN {}, ALTER COLUMN {column} SET DEFAULT nextval('{sequence}');\n{}",
            recipe::bare_column(found.column),
            found.filled(&format!("{column} = DEFAULT"), &format!("{column} IS NULL")),
        );
        let kept = match &found.column.identity {
            None => format!("ALTER SEQUENCE {sequence} OWNED BY {table}.{column};"),
            Some(identity) => format!(
                "BEGIN;\n\
                 ALTER TABLE {table} ALTER COLUMN {column} DROP DEFAULT, ALTER COLUMN {column} ADD GENERATED {} AS IDENTITY;\n\
                 SELECT setval(pg_get_serial_sequence('{table}', '{}'), nextval('{sequence}'));\n\
                 DROP SEQUENCE {sequence};\n\
                 COMMIT;",
                if identity.always { "ALWAYS" } else { "BY DEFAULT" },
                column.as_str().replace('\'', "''"),
            ),
        };
        found.report(findings, message).instead(format!("{numbered}\n{kept}"));
    });
}

pub fn generated(step: &Step, findings: &mut Findings) {
    each(step, Fault::Generated, &mut |found| {
        let Some(generated) = &found.column.generated else { return };
        let column = &found.column.name;
        let message = format!(
            "writes all rows of `{}` anew, to compute `{column}`, while reads and writes wait",
            found.altered.name()
        );
        let instead = found.computed(column, &generated.expression.text);
        found.report(findings, message).instead(instead);
    });
    let Some(altered) = Altered::of(step) else { return };
    for (at, action) in altered.actions() {
        let TableActionKind::SetExpression { column, .. } = action else { continue };
        let (majors, certain) = altered.rewriting(at);
        if majors.is_empty() {
            continue;
        }
        let message =
            format!("writes all rows of `{}` anew, to compute `{column}`, while reads and writes wait", altered.name());
        let finding = altered.report(findings, at, &majors, certain, message);
        finding.object(format!("{}.{column}", altered.relation.name));
        finding.instead(format!(
            "-- keeps the values that are there, and lets a trigger and batches take over from here\n\
             ALTER TABLE {} ALTER COLUMN {column} DROP EXPRESSION;",
            altered.full_name()
        ));
    }
}

pub fn volatile(step: &Step, findings: &mut Findings) {
    each(step, Fault::Volatile, &mut |found| {
        let Some(default) = &found.column.default else { return };
        let (table, column) = (found.altered.full_name(), &found.column.name);
        let message = if found.certain {
            format!(
                "writes all rows of `{}` anew while reads and writes wait: `{}` gives each row a value of its own",
                found.altered.name(),
                default.text
            )
        } else {
            format!(
                "may write all rows of `{}` anew while reads and writes wait: whether `{}` is volatile is not known",
                found.altered.name(),
                default.text
            )
        };
        found.report(findings, message).instead(format!(
            "ALTER TABLE {table} ADD COLUMN {}, ALTER COLUMN {column} SET DEFAULT {};\n{}",
            recipe::bare_column(found.column),
            default.text,
            found.filled(&format!("{column} = DEFAULT"), &format!("{column} IS NULL")),
        ));
    });
}

pub fn domain(step: &Step, findings: &mut Findings) {
    each(step, Fault::Domain, &mut |found| {
        let Some(kind) = &found.column.data_type else { return };
        let message = format!(
            "writes all rows of `{}` anew while reads and writes wait, as the domain `{}` has conditions of its own",
            found.altered.name(),
            kind.name.name
        );
        let base = base_type(kind, &step.before.schema);
        found.report(findings, message).instead(format!(
            "-- the domain's conditions as checks of the table, which can be NOT VALID at first\n\
             ALTER TABLE {table} ADD COLUMN {column} {base};\n{}",
            recipe::validated_later(
                found.altered.step,
                &found.altered.full_name(),
                &Ident::new(format!(
                    "{}_{}_check",
                    found.altered.relation.name.name.as_str(),
                    found.column.name.as_str()
                )),
                "CHECK (…)"
            ),
            table = found.altered.full_name(),
            column = found.column.name,
        ));
    });
}

fn base_type(kind: &crate::operation::TypeName, schema: &Schema) -> String {
    match schema.find_type(&kind.name).map(|found| &found.kind) {
        Some(TypeKind::Domain(domain)) => domain.data_type.to_string(),
        _ => kind.to_string(),
    }
}

pub fn unique(step: &Step, findings: &mut Findings) {
    each(step, Fault::Unique, &mut |found| found.keyed(findings));
}

pub fn primary_key(step: &Step, findings: &mut Findings) {
    each(step, Fault::Primary, &mut |found| found.keyed(findings));
}

pub fn foreign_key(step: &Step, findings: &mut Findings) {
    each(step, Fault::Foreign, &mut |found| {
        let message = format!(
            "looks up every row of `{}` for the foreign key of `{}` while its reads and writes wait",
            found.altered.name(),
            found.column.name
        );
        let instead = found.without_constraints();
        let referred = found.referred();
        let fails = referred.as_ref().and_then(|(fails, _)| fails.as_deref()).unwrap_or_default();
        let finding = found.report(findings, format!("{message}{fails}"));
        finding.instead(instead);
        if let Some((_, query)) = referred {
            finding.verify(query);
        }
    });
}

pub fn check(step: &Step, findings: &mut Findings) {
    each(step, Fault::Check, &mut |found| {
        let message = format!(
            "reads all of `{}` for the check on the new column `{}` while reads and writes wait",
            found.altered.name(),
            found.column.name
        );
        let instead = found.without_constraints();
        // Several checks of one statement are one reading.
        let statement = format!("{} {}", step.origin.span.start, found.altered.relation.name);
        found.report(findings, message).one_per(statement).instead(instead);
    });
}

fn is_primary(schema: &Schema, table: RelationId, name: &Ident) -> bool {
    let found = schema.find_constraint(table, name);
    found.is_some_and(|constraint| matches!(constraint.kind, ConstraintRow::Primary { .. }))
}

/// A new column with its fault.
struct Found<'s, 'a> {
    altered: &'s Altered<'a>,
    at: usize,
    column: &'a ColumnDefinition,
    majors: Vec<Major>,
    certain: bool,
}

fn each(step: &Step, wanted: Fault, tell: &mut dyn FnMut(Found)) {
    let Some(altered) = Altered::of(step) else { return };
    for (at, action) in altered.actions() {
        let TableActionKind::AddColumn { column, .. } = action else { continue };
        let Some((fault, majors, certain)) = fault_of(&altered, at, column) else { continue };
        if fault == wanted {
            tell(Found { altered: &altered, at, column, majors, certain });
        }
    }
}

fn fault_of(altered: &Altered, at: usize, column: &ColumnDefinition) -> Option<(Fault, Vec<Major>, bool)> {
    let step = altered.step;
    let refused = super::in_use::majors_where(step, |effects| {
        let mut checks = effects.validates.iter().filter(|check| check.action == Some(at));
        checks.any(|check| {
            let filled = is_in_use(step, check.relation) && !is_emptied(step, check.relation, false);
            check.kind == DataCheckKind::NotNull && filled
        })
    });
    if !refused.is_empty() {
        return Some((Fault::NoValue, refused, true));
    }
    let (rewriting, certain) = altered.rewriting(at);
    if !rewriting.is_empty() {
        let domain = column.data_type.as_ref().is_some_and(|kind| is_constrained_domain(kind, &step.before.schema));
        let fault = match () {
            () if column.serial || column.identity.is_some() => Fault::Sequence,
            () if column.generated.is_some() => Fault::Generated,
            () if domain => Fault::Domain,
            () => Fault::Volatile,
        };
        return Some((fault, rewriting, certain));
    }
    let has = |wanted: fn(&ConstraintKind) -> bool| column.constraints.iter().any(|one| wanted(&one.kind));
    let building = altered.building(at);
    if !building.is_empty() {
        let primary = has(|kind| matches!(kind, ConstraintKind::Primary(_)));
        return Some((if primary { Fault::Primary } else { Fault::Unique }, building, true));
    }
    let scanning = altered.scanning(at);
    let fault = match () {
        () if has(|kind| matches!(kind, ConstraintKind::Foreign(_))) => Fault::Foreign,
        () if has(|kind| matches!(kind, ConstraintKind::Check(_))) => Fault::Check,
        () => return None,
    };
    (!scanning.is_empty()).then_some((fault, scanning, true))
}

impl Found<'_, '_> {
    fn report<'f>(&self, findings: &'f mut Findings, message: String) -> &'f mut Finding {
        let finding = self.altered.report(findings, self.at, &self.majors, self.certain, message);
        finding.object(format!("{}.{}", self.altered.relation.name, self.column.name))
    }

    /// Batches that fill the column, then NOT NULL and the constraints that were written with it.
    fn filled(&self, set: &str, unfilled: &str) -> String {
        let mut steps =
            vec![recipe::batches(&self.altered.step.before.schema, self.altered.relation.id, set, unfilled)];
        let primary = self.column.constraints.iter().any(|one| matches!(one.kind, ConstraintKind::Primary(_)));
        if self.column.not_null.is_some() || self.column.serial || self.column.identity.is_some() || primary {
            steps.push(recipe::not_null(self.altered.step, self.altered.relation.id, &[&self.column.name]));
        }
        steps.extend(self.column.constraints.iter().map(|one| self.added_later(one)));
        steps.join("\n")
    }

    /// A foreign key is on it, or comes with this release.
    fn becomes_a_key(&self) -> bool {
        let is_foreign = |one: &ConstraintDefinition| matches!(one.kind, ConstraintKind::Foreign(_));
        let (schema, table) = (&self.altered.step.before.schema, self.altered.relation.id);
        let adds = |operation: &Operation| {
            operation.added_foreign_keys().iter().any(|added| {
                let is_here = schema.find_table(added.table).is_some_and(|one| one.id == table);
                is_here && added.key.columns.contains(&self.column.name)
            })
        };
        let context = &self.altered.step.context;
        self.column.constraints.iter().any(is_foreign) || context.plan.any_in_release(context.at.migration, &adds)
    }

    /// The one row that all rows refer to by a constant default: how it fails where no migration has put a row there, and
    /// the query that counts them.
    fn referred(&self) -> Option<(Option<String>, String)> {
        let state = self.altered.step.before;
        let schema = &state.schema;
        let default = self.column.default.as_ref().filter(|default| crate::data::is_constant(&default.tree))?;
        let key = self.column.constraints.iter().find_map(|one| match &one.kind {
            ConstraintKind::Foreign(key) => Some(key),
            _ => None,
        })?;
        let target = schema.find_table(&key.references).filter(|_| !default.tree.is_null_constant())?;
        let primary = || {
            let keys = schema.constraints_of(target.id);
            let primary = keys
                .filter(|row| matches!(row.kind, ConstraintRow::Primary { .. }))
                .find(|row| row.columns.len() == 1)?;
            Some(schema.column_name(target.id, *primary.columns.first()?))
        };
        let column = key.referenced_columns.first().cloned().or_else(primary)?;
        let (value, name) = (&default.text, target.name.short());
        let fails = format!(
            "; it fails unless `{name}` has a row with `{column}` {value} (23503): all rows refer to it, and no migration puts one there"
        );
        let query = format!(
            "SELECT count(*) FROM {} WHERE NOT EXISTS (SELECT FROM {} WHERE {column} = {value})",
            self.altered.full_name(),
            target.name
        );
        Some(((!state.data.is_fed(schema, target.id)).then_some(fails), query))
    }

    /// NOT NULL and the constraints that were written with the column, each in a way that makes nobody wait.
    fn asked_later(&self) -> String {
        let mut steps = vec![recipe::not_null(self.altered.step, self.altered.relation.id, &[&self.column.name])];
        steps.extend(self.column.constraints.iter().map(|one| self.added_later(one)));
        steps.join("\n")
    }

    fn without_constraints(&self) -> String {
        let not_null = if self.column.not_null.is_some() { " NOT NULL" } else { "" };
        let default =
            self.column.default.as_ref().map(|default| format!(" DEFAULT {}", default.text)).unwrap_or_default();
        let added = format!(
            "ALTER TABLE {} ADD COLUMN {}{not_null}{default};",
            self.altered.full_name(),
            recipe::bare_column(self.column)
        );
        let later = self.column.constraints.iter().map(|one| self.added_later(one));
        std::iter::once(added).chain(later).collect::<Vec<_>>().join("\n")
    }

    /// One inline constraint, in the way that makes nobody wait.
    fn added_later(&self, definition: &ConstraintDefinition) -> String {
        let (schema, relation) = (&self.altered.step.before.schema, self.altered.relation);
        let context = &self.altered.step.context;
        let own = vec![self.column.name.clone()];
        match &definition.kind {
            ConstraintKind::Check(expression) => {
                let name = recipe::name_of(definition, schema, relation.id);
                recipe::validated_later(
                    self.altered.step,
                    &self.altered.full_name(),
                    &name,
                    &format!("CHECK ({})", expression.text),
                )
            }
            ConstraintKind::Foreign(key) => {
                let key = crate::operation::ForeignKey { columns: own, ..key.clone() };
                let kind = ConstraintKind::Foreign(key.clone());
                let name = recipe::name_of(&ConstraintDefinition { kind, ..definition.clone() }, schema, relation.id);
                if relation.is_partitioned() {
                    return say::partition_by_partition(schema, relation.id, &name.to_string(), &key, context);
                }
                recipe::validated_later(self.altered.step, &self.altered.full_name(), &name, &say::foreign_key(&key))
            }
            ConstraintKind::Unique(key) | ConstraintKind::Primary(key) => {
                let key = Key { columns: own, ..key.clone() };
                let primary = matches!(definition.kind, ConstraintKind::Primary(_));
                let kind =
                    if primary { ConstraintKind::Primary(key.clone()) } else { ConstraintKind::Unique(key.clone()) };
                let definition = ConstraintDefinition { kind, ..definition.clone() };
                // Only the old key makes way for it; the first of several takes it along.
                let mut dropped = recipe::replaced_constraints(self.altered, &definition);
                let is_there = |name: &Ident| schema.constraints_of(relation.id).any(|one| one.name == *name);
                dropped.retain(|name| !is_there(name) || primary && is_primary(schema, relation.id, name));
                let outside = say::outside_transaction(context);
                recipe::key_from_index(schema, relation.id, &definition, &key, &dropped, outside)
            }
            ConstraintKind::NotNull(_) | ConstraintKind::Exclude { .. } => String::new(),
        }
    }

    fn keyed(&self, findings: &mut Findings) {
        let message = format!(
            "builds an index over the new column `{}` while reads and writes of `{}` wait",
            self.column.name,
            self.altered.name()
        );
        self.report(findings, message).instead(self.without_constraints());
    }

    /// A column computed by a trigger, or on reading where every server can (18).
    fn computed(&self, column: &Ident, expression: &str) -> String {
        let (table, name) = (self.altered.full_name(), &self.altered.relation.name);
        let bare = recipe::bare_column(self.column);
        if self.altered.step.context.settings.postgres.majors().all(|major| major >= Major(18)) {
            return format!("ALTER TABLE {table} ADD COLUMN {bare} GENERATED ALWAYS AS ({expression}) VIRTUAL;");
        }
        let function = crate::operation::QualifiedName::new(
            name.schema.clone(),
            Ident::new(format!("{}_{}", name.name.as_str(), column.as_str())),
        );
        format!(
            "ALTER TABLE {table} ADD COLUMN {bare};\n\
             CREATE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql AS $$\n\
             BEGIN\n  NEW.{column} := (SELECT {expression} FROM (SELECT NEW.*) AS row);\n  RETURN NEW;\nEND $$;\n\
             CREATE TRIGGER {trigger} BEFORE INSERT OR UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION {function}();\n{}",
            self.filled(&format!("{column} = ({expression})"), &format!("{column} IS DISTINCT FROM ({expression})")),
            trigger = function.name,
        )
    }
}
