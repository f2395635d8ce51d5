//! NOT NULL where some majors keep it as rows of `pg_constraint` and some as a flag of the column alone.

use super::apply::object_name;
use super::model::Part;
use super::{ColumnId, RelationId, Schema};
use crate::operation::{IDENT_BYTES, Ident};

/// A made name that is nearly as long as a name can be may have been cut.
const MAY_BE_CUT: usize = IDENT_BYTES - 3;

impl Schema {
    /// The table has no constraint of this name. Where it may be that of a NOT NULL, given by a statement or made by
    /// PostgreSQL, majors part: those from 18 on have a row there.
    pub fn look_among_not_null_rows(&self, table: RelationId, name: &Ident) {
        if self.not_null_names.contains(name) || self.may_be_made_for_not_null(table, name, None) {
            self.majors.ask_not_null_rows();
        }
    }

    /// Keeps in mind what a statement says of the row of a NOT NULL: before 18 it comes to nothing.
    pub(super) fn note_not_null(
        &mut self,
        table: RelationId,
        column: ColumnId,
        name: Option<&Ident>,
        no_inherit: bool,
    ) {
        if self.majors.has_not_null_rows() {
            return;
        }
        let is_taken = |name: &Ident| {
            self.constraints_of(table).any(|constraint| constraint.name == *name)
                || self.may_be_made_for_not_null(table, name, Some(column))
        };
        if no_inherit || name.is_some_and(is_taken) {
            self.majors.ask_not_null_rows();
        }
        self.not_null_names.extend(name.cloned());
    }

    /// A column of a new table is NOT NULL as that of another is: a row has the other's name.
    pub(super) fn note_not_null_like(&mut self, table: RelationId, column: &Ident) {
        if !self.majors.has_not_null_rows() {
            let label = self.relation(table).name.name.clone();
            self.not_null_names.insert(object_name(label.as_str(), Some(column.as_str()), Some("not_null")));
        }
    }

    /// `{table}_{column}_not_null` and a number where that is taken, by the names that both had when it was made.
    fn may_be_made_for_not_null(&self, table: RelationId, name: &Ident, but: Option<ColumnId>) -> bool {
        let numbered = name.as_str().trim_end_matches(|digit: char| digit.is_ascii_digit());
        let Some(stem) = numbered.strip_suffix("_not_null") else { return false };
        let label = &name.as_str()[stem.len() + 1..];
        let Some((relation, found)) = self.get_relation(table).and_then(|one| Some((one, one.as_table()?))) else {
            return true;
        };
        let other_table = !found.inherits.is_empty()
            || found.partition_of.is_some()
            || self.gone.values().any(|gone| gone.now.as_ref() == Some(&relation.name));
        let is_of = |column: &Ident| match other_table {
            true => stem.ends_with(column.as_str()) || name.as_str().len() >= MAY_BE_CUT,
            false => object_name(relation.name.name.as_str(), Some(column.as_str()), Some(label)) == *name,
        };
        let first = (table, Part::Column, Ident::new(""));
        let former =
            self.gone_parts.range(first..).take_while(|((of, part, _), _)| *of == table && *part == Part::Column);
        !found.columns_known
            || found.columns.iter().any(|one| one.not_null && Some(one.id) != but && is_of(&one.name))
            || former.into_iter().any(|((_, _, column), _)| is_of(column))
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
            ("ALTER TABLE t DROP CONSTRAINT IF EXISTS t_a_not_null1", true),
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
