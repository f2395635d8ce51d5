//! ALTER COLUMN … TYPE on a table in use: rows written anew, indexes built anew, or checks read anew.

use super::in_use::Altered;
use super::{Findings, recipe, say};
use crate::history::Step;
use crate::operation::{Expr, Expression, Ident, QualifiedName, TableActionKind, TypeName};
use crate::schema::{ConstraintRow, Table};
use crate::server::{SessionFacts, TimeZone, TypeChange, type_change};
use crate::version::Major;

pub fn check(step: &Step, findings: &mut Findings) {
    let Some(altered) = Altered::of(step) else { return };
    // One statement rewrites once, whatever the number of columns.
    let mut told = false;
    for (at, action) in altered.actions() {
        let TableActionKind::AlterColumnType { column, data_type, using, .. } = action else { continue };
        let change = Change { altered, at, column, to: data_type, using: using.as_ref() };
        let (rewriting, certain) = altered.rewriting(at);
        if !rewriting.is_empty() {
            change.rewrites(findings, &rewriting, certain);
            told = true;
            continue;
        }
        if told {
            continue;
        }
        let building = altered.building(at);
        let scanning = altered.scanning(at);
        if !building.is_empty() {
            change.builds(findings, &building);
        } else if !scanning.is_empty() {
            change.reads(findings, &scanning);
        }
    }
}

struct Change<'a> {
    altered: Altered<'a>,
    at: usize,
    column: &'a Ident,
    to: &'a TypeName,
    using: Option<&'a Expression>,
}

impl Change<'_> {
    fn table(&self) -> Option<&Table> {
        self.altered.relation.as_table()
    }

    fn from(&self) -> Option<&TypeName> {
        self.table()?.column(self.column)?.data_type.as_ref()
    }

    fn rewrites(&self, findings: &mut Findings, majors: &[Major], certain: bool) {
        let (name, column) = (self.altered.name(), self.column);
        let to = self.to;
        let why = match self.from() {
            _ if !certain && self.by_time_zone() => " unless the session's time zone is UTC".to_owned(),
            _ if !certain => String::new(),
            Some(from) if from == to => format!(" as `{column}` is computed anew"),
            Some(from) => format!(" as `{column}` goes from {from} to {to}"),
            None => format!(" as `{column}` becomes {to}"),
        };
        let (may, builds) = if certain { ("writes", "builds") } else { ("may write", "build") };
        let indexed = self.table().is_some_and(|table| !table.indexes.is_empty());
        let indexes = if indexed { format!(" and {builds} its indexes") } else { String::new() };
        let message = format!("{may} all rows of `{name}` anew{indexes} while reads and writes wait{why}");
        let finding = self.altered.report(findings, self.at, majors, certain, message);
        finding.object(format!("{}.{column}", self.altered.relation.name));
        finding.instead(self.way_out());
    }

    /// `USING at AT TIME ZONE 'UTC'` is what the change does by itself in a session in UTC.
    fn says_utc(&self) -> bool {
        let Some(using) = self.using else { return false };
        let words: Vec<String> = using.text.split_whitespace().map(str::to_lowercase).collect();
        words.join(" ").trim_matches(['(', ')'])
            == format!("{} at time zone 'utc'", self.column.to_string().to_lowercase())
    }

    /// With the session's time zone set to UTC nothing is written.
    fn by_time_zone(&self) -> bool {
        let Some(from) = self.from() else { return false };
        let using = self.using.filter(|_| !self.says_utc());
        let facts = SessionFacts { time_zone: TimeZone::Utc };
        let schema = &self.altered.step.before.schema;
        let timestamps =
            from.name.name.as_str().starts_with("timestamp") && self.to.name.name.as_str().starts_with("timestamp");
        timestamps && type_change(from, self.to, using, schema, &facts) < TypeChange::Unknown
    }

    fn way_out(&self) -> String {
        let (table, column, to) = (self.altered.full_name(), self.column, self.to);
        if self.by_time_zone() {
            let meant = if self.says_utc() { "this means the same" } else { "where the times are meant as UTC" };
            return format!(
                "-- {meant}: no row is written\n\
                 SET timezone = 'UTC';\n\
                 ALTER TABLE {table} ALTER COLUMN {column} TYPE {to};"
            );
        }
        if let Some(limit) = self.shorter() {
            let name = Ident::new(format!("{}_{}_length", self.altered.relation.name.name.as_str(), column.as_str()));
            return format!(
                "-- the same limit as a check, which can be NOT VALID at first\n{}",
                recipe::validated_later(
                    self.altered.step,
                    &table,
                    &name,
                    &format!("CHECK (char_length({column}) <= {limit})")
                )
            );
        }
        self.by_new_column()
    }

    /// `varchar(n)` from text or a longer one: only a limit.
    fn shorter(&self) -> Option<&str> {
        let from = self.from()?;
        let is_text = |kind: &TypeName| {
            kind.built_in && !kind.array && matches!(kind.name.name.as_str(), "text" | "character varying")
        };
        let limit = self.to.modifiers.first()?;
        (is_text(from) && is_text(self.to) && self.using.is_none()).then_some(limit)
    }

    fn by_new_column(&self) -> String {
        let (table, column, to) = (self.altered.full_name(), self.column, self.to);
        let relation = &self.altered.relation.name;
        let new = Ident::new(format!("{}_new", column.as_str()));
        let old = Ident::new(format!("{}_old", column.as_str()));
        // NOT NULL on the column that steps aside would refuse every row that the application adds.
        let found = self.altered.relation.as_table().and_then(|table| table.column(column));
        let not_null = found.is_some_and(|column| column.not_null);
        let mut constraints = self.altered.step.before.schema.constraints_of(self.altered.relation.id);
        // A column of the primary key gives that up first, as the comment says.
        let in_key = constraints.any(|one| {
            matches!(one.kind, ConstraintRow::Primary { .. })
                && found.is_some_and(|column| one.columns.contains(&column.id))
        });
        let loosened = if not_null && !in_key {
            format!("ALTER TABLE {table} ALTER COLUMN {column} DROP NOT NULL;\n")
        } else {
            String::new()
        };
        // One value for all rows needs no trigger and no batches: a default is stored once.
        if let Some(using) = self.using.filter(|using| matches!(using.tree, Expr::Constant(_)) && !in_key) {
            let null = if not_null { " NOT NULL" } else { "" };
            return format!(
                "-- the same value for all rows: stored once, it writes none\n\
                 BEGIN;\n\
                 ALTER TABLE {table} ADD COLUMN {new} {to}{null} DEFAULT {};\n\
                 {loosened}ALTER TABLE {table} RENAME COLUMN {column} TO {old};\n\
                 ALTER TABLE {table} RENAME COLUMN {new} TO {column};\n\
                 COMMIT;\n\
                 -- in a later release: ALTER TABLE {table} DROP COLUMN {old};",
                using.text
            );
        }
        let value = self.using.map_or_else(|| format!("{column}::{to}"), |using| using.text.to_string());
        let function = QualifiedName::new(
            relation.schema.clone(),
            Ident::new(format!("{}_{}", relation.name.as_str(), new.as_str())),
        );
        let trigger = &function.name;
        let batches = recipe::batches(
            &self.altered.step.before.schema,
            self.altered.relation.id,
            &format!("{new} = {value}"),
            &format!("{new} IS DISTINCT FROM ({value})"),
        );
        format!(
            "ALTER TABLE {table} ADD COLUMN {new} {to};\n\
             CREATE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql AS $$\n\
             BEGIN\n  NEW.{new} := (SELECT {value} FROM (SELECT NEW.*) AS row);\n  RETURN NEW;\nEND $$;\n\
             CREATE TRIGGER {trigger} BEFORE INSERT OR UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION {function}();\n\
             {batches}\n\
             -- then its default, NOT NULL, indexes and keys, none of them under a long lock; then, at once:\n\
             BEGIN;\n\
             DROP TRIGGER {trigger} ON {table};\n\
             {loosened}ALTER TABLE {table} RENAME COLUMN {column} TO {old};\n\
             ALTER TABLE {table} RENAME COLUMN {new} TO {column};\n\
             COMMIT;\n\
             -- in a later release: ALTER TABLE {table} DROP COLUMN {old};"
        )
    }

    fn builds(&self, findings: &mut Findings, majors: &[Major]) {
        let schema = &self.altered.step.before.schema;
        let effects = self.altered.step.effects(majors[0]);
        let built = effects.index_builds.iter().filter(|build| build.action == Some(self.at));
        let relations: Vec<_> = built.filter_map(|build| schema.get_relation(build.index?)).collect();
        let names: Vec<String> = relations.iter().map(|index| index.name.name.as_str().to_owned()).collect();
        let message = format!(
            "builds {} anew while reads and writes of `{}` wait, as `{}` changes its type",
            say::list(&names),
            self.altered.name(),
            self.column
        );
        let finding = self.altered.report(findings, self.at, majors, true, message);
        finding.object(format!("{}.{}", self.altered.relation.name, self.column));
        for index in &relations {
            finding.object(&index.name);
        }
        let drops: Vec<String> =
            relations.iter().map(|index| format!("DROP INDEX CONCURRENTLY {};", index.name)).collect();
        let context = &self.altered.step.context;
        finding.instead(format!(
            "{}\n-- the index makes way first, and is built again without a lock; or a copy of it in between\n{}\n\
             ALTER TABLE {} ALTER COLUMN {} TYPE {}{};\n\
             -- then CREATE INDEX CONCURRENTLY again",
            say::outside_transaction(context),
            drops.join("\n"),
            self.altered.full_name(),
            self.column,
            self.to,
            self.using.map(|using| format!(" USING {}", using.text)).unwrap_or_default(),
        ));
    }

    fn reads(&self, findings: &mut Findings, majors: &[Major]) {
        let schema = &self.altered.step.before.schema;
        let message = format!(
            "reads all of `{}` while reads and writes wait: the checks and keys over `{}` are tested again",
            self.altered.name(),
            self.column
        );
        let finding = self.altered.report(findings, self.at, majors, true, message);
        finding.object(format!("{}.{}", self.altered.relation.name, self.column));
        let checks = schema.constraints_of(self.altered.relation.id).filter(|one| one.validated && one.enforced);
        let again: Vec<String> = checks
            .filter_map(|one| match &one.kind {
                ConstraintRow::Check { expression } if expression.tree.columns().contains(&self.column) => {
                    Some((one.name.clone(), format!("CHECK ({})", expression.text)))
                }
                _ => None,
            })
            .map(|(name, definition)| {
                let table = self.altered.full_name();
                format!(
                    "ALTER TABLE {table} DROP CONSTRAINT {name}, ALTER COLUMN {} TYPE {}, ADD CONSTRAINT {name} {definition} NOT VALID;\n\
                     {}\nALTER TABLE {table} VALIDATE CONSTRAINT {name};",
                    self.column,
                    self.to,
                    recipe::meanwhile(self.altered.step),
                )
            })
            .collect();
        if let [only] = again.as_slice() {
            finding.instead(only.clone());
        }
    }
}
