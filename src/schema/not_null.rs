//! NOT NULL where some majors keep it as rows of `pg_constraint` and some as a flag of the column alone: the rows are
//! there, and nobody sees them. Who comes upon one parts the majors.

use super::{Constraint, ConstraintId, ConstraintRow, Schema};
use crate::operation::{Ident, QualifiedName};

/// All constraints of a table, in the order they were made.
pub(super) fn in_order(others: &[ConstraintId], rows: &[ConstraintId]) -> impl Iterator<Item = ConstraintId> {
    let (mut others, mut rows) = (others.iter().copied().peekable(), rows.iter().copied().peekable());
    std::iter::from_fn(move || match (others.peek(), rows.peek()) {
        (Some(other), Some(row)) if row < other => rows.next(),
        (Some(_), _) => others.next(),
        (None, _) => rows.next(),
    })
}

impl Schema {
    /// All majors have it.
    pub(in crate::schema) fn shows(&self, row: &Constraint) -> bool {
        !matches!(row.kind, ConstraintRow::NotNull) || self.majors.has_not_null_rows()
    }

    /// The same of one that was asked for: where only some of the majors have it, they part.
    pub(in crate::schema) fn is_shown(&self, row: &Constraint) -> bool {
        self.shows(row) || self.majors.ask_not_null_rows()
    }

    /// The first of that name that all majors have. Where some have another one, they part.
    pub(in crate::schema) fn named<'a>(
        &self,
        rows: impl Iterator<Item = &'a Constraint>,
        name: &Ident,
    ) -> Option<&'a Constraint> {
        let mut unseen = None;
        for row in rows.filter(|row| row.name == *name) {
            if self.shows(row) {
                return Some(row);
            }
            unseen = Some(row);
        }
        unseen.filter(|row| self.is_shown(row))
    }

    /// Whether a constraint of the schema has the name, as [`Schema::is_shown`].
    pub(in crate::schema) fn shows_constraint_named(&self, name: &QualifiedName) -> bool {
        if !self.constraint_names.contains_key(name) {
            return false;
        }
        let is_it = |row: &&Constraint| row.name == name.name && self.relation(row.table).name.schema == name.schema;
        let all = || self.constraints.values().map(|row| &**row).filter(is_it);
        all().any(|row| self.shows(row)) || all().all(|row| self.is_shown(row))
    }

    /// A constraint was looked for among those of all tables, and none was seen.
    pub fn look_among_not_null_rows(&self, name: &Ident) {
        if self.constraints.values().any(|row| row.name == *name) {
            self.majors.ask_not_null_rows();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operation::{Node, Origin};
    use crate::read::sql;
    use crate::source::Sources;
    use crate::version::{Major, Standing};

    fn part(script: &str) -> bool {
        let mut sources = Sources::default();
        let id = sources.add("a.sql", script);
        let mut schema = Schema::new(Major(14));
        let majors: Vec<Major> = (14..=18).map(Major).collect();
        schema.stand_for(Standing::of(&majors));
        crate::version::take_parted();
        for node in sql::read(&sources.piece(id)).nodes {
            if let Node::Statement(statement) = node {
                schema.apply(&statement.operation, &Origin::at(statement.span));
            }
        }
        crate::version::take_parted() == Some(Major(18))
    }

    #[test]
    fn majors_go_together_until_a_row_of_not_null_is_asked_for() {
        let table = "CREATE TABLE t (id int PRIMARY KEY, a int NOT NULL, b int); \
                     CREATE TABLE p (k int NOT NULL, v int) PARTITION BY LIST (k); \
                     CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1);";
        for (script, parts) in [
            ("ALTER TABLE t ALTER a DROP NOT NULL, ALTER b SET NOT NULL, DROP COLUMN a", false),
            ("ALTER TABLE t ADD c int CONSTRAINT c_there NOT NULL", false),
            ("ALTER TABLE t ADD c int CONSTRAINT c_there NOT NULL; ALTER TABLE t DROP CONSTRAINT c_there", true),
            ("ALTER TABLE t ADD c int CONSTRAINT t_c_not_null NOT NULL", false),
            ("ALTER TABLE t ADD c int CONSTRAINT t_a_not_null NOT NULL", true),
            ("ALTER TABLE t ADD c int CONSTRAINT t_pkey NOT NULL", true),
            ("ALTER TABLE t DROP CONSTRAINT t_a_not_null", true),
            ("ALTER TABLE t ADD CONSTRAINT it_a_not_null CHECK (b > 0)", false),
            ("CREATE TABLE u (LIKE t); ALTER TABLE u DROP CONSTRAINT t_a_not_null", true),
            ("CREATE TABLE u (a int NOT NULL, CONSTRAINT u_a_not_null CHECK (a > 0))", true),
            ("CREATE TABLE u (a int NOT NULL, CONSTRAINT what_a_not_null CHECK (a > 0))", false),
            ("ALTER TABLE t DROP CONSTRAINT IF EXISTS t_a_not_null1", false),
            (
                "ALTER TABLE t RENAME TO was; CREATE TABLE t (a int NOT NULL); \
              ALTER TABLE t DROP CONSTRAINT IF EXISTS t_a_not_null1",
                true,
            ),
            ("ALTER TABLE t RENAME TO u; ALTER TABLE u RENAME CONSTRAINT t_id_not_null TO x", true),
            ("ALTER TABLE t RENAME a TO z; ALTER TABLE t ADD CONSTRAINT t_a_not_null CHECK (b > 0)", true),
            ("ALTER TABLE t ADD CONSTRAINT t_b_not_null CHECK (b IS NOT NULL) NOT VALID", false),
            (
                "ALTER TABLE t ADD CONSTRAINT t_b_not_null CHECK (b > 0); ALTER TABLE t ALTER b SET NOT NULL; \
              ALTER TABLE t DROP CONSTRAINT t_b_not_null",
                false,
            ),
            ("ALTER TABLE t ADD CONSTRAINT has_b NOT NULL b", false),
            ("ALTER TABLE t ADD CONSTRAINT has_a NOT NULL a", true),
            ("ALTER TABLE t ADD CONSTRAINT has_b NOT NULL b NOT VALID", true),
            ("ALTER TABLE t ADD CONSTRAINT has_b NOT NULL b; ALTER TABLE t DROP CONSTRAINT has_b", true),
            ("CREATE TABLE child () INHERITS (t)", false),
            ("CREATE TABLE child () INHERITS (t); ALTER TABLE t ALTER a DROP NOT NULL", true),
            ("CREATE TABLE u (a int NOT NULL NO INHERIT)", true),
            ("ALTER TABLE p ALTER k DROP NOT NULL; ALTER TABLE p ALTER k SET NOT NULL", false),
            ("ALTER TABLE p1 ALTER k DROP NOT NULL", true),
            ("ALTER TABLE p1 ALTER k SET NOT NULL", true),
            ("ALTER TABLE p1 ALTER v SET NOT NULL", false),
            ("ALTER TABLE p1 ALTER v SET NOT NULL; ALTER TABLE p ALTER v SET NOT NULL", true),
            ("ALTER TABLE ONLY p ADD PRIMARY KEY (k)", false),
            ("ALTER TABLE p ADD PRIMARY KEY (k, v)", false),
            ("CREATE TABLE p2 PARTITION OF p (v NOT NULL) FOR VALUES IN (2)", true),
        ] {
            assert_eq!(part(&format!("{table} {script}")), parts, "{script}");
        }
    }
}
