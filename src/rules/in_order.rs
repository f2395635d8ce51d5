//! Statements that are advised are run on a replay first, in the order in which they pass there.

use crate::operation::{Node, Origin};
use crate::read::sql;
use crate::schema::{Applied, Schema};
use crate::source::{Sources, Span};

/// More are given as they are: each failure is tried again.
const MOST: usize = 100;

/// A statement that no order lets pass, and what the server says to it.
#[derive(Debug, PartialEq, Eq)]
pub struct Stuck {
    pub sql: String,
    pub why: String,
}

impl Stuck {
    /// What stands in the way is for a person to see, on one line: it is no statement to run.
    pub fn words(&self) -> String {
        let words: Vec<&str> = self.sql.trim_end_matches(';').split_whitespace().collect();
        format!("-- not as it stands: `{}`, {}", words.join(" "), self.why)
    }
}

/// The statements in an order in which they pass on a schema, as they came where that is one, and those that pass in none.
pub fn in_order(mut statements: Vec<String>, schema: &Schema) -> (Vec<String>, Vec<Stuck>) {
    if statements.len() > MOST {
        return (statements, Vec::new());
    }
    let mut state = schema.clone();
    let mut ordered = Vec::with_capacity(statements.len());
    loop {
        let count = statements.len();
        let (mut later, mut stuck) = (Vec::new(), Vec::new());
        for statement in statements {
            match run(&state, &statement) {
                Ok(after) => {
                    state = after;
                    ordered.push(statement);
                }
                Err(why) => {
                    stuck.push(Stuck { sql: statement.clone(), why });
                    later.push(statement);
                }
            }
        }
        if later.len() == count || later.is_empty() {
            return (ordered, stuck);
        }
        statements = later;
    }
}

/// The schema after all that a text does; why not.
fn run(schema: &Schema, text: &str) -> Result<Schema, String> {
    let mut sources = Sources::default();
    let source = sources.add("advice", text);
    let mut after = schema.clone();
    let mut failed = None;
    for node in &sql::read(&sources.piece(source)).nodes {
        let Node::Statement(statement) = node else { continue };
        let at = Origin::at(Span { source, start: 0, end: 0 });
        if let Applied::Failed(failure) = after.apply(&statement.operation, &at) {
            failed = failed.or(Some(failure.message));
        }
    }
    failed.map_or(Ok(after), Err)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::version::Major;

    fn schema(text: &str) -> Schema {
        run(&Schema::new(Major::NEWEST), text).unwrap_or_else(|why| panic!("{why}"))
    }

    #[test]
    fn what_others_need_goes_last() {
        let base = schema(
            "CREATE TABLE a (id bigint PRIMARY KEY); CREATE TABLE b (id bigint, a_id bigint REFERENCES a (id)); \
             CREATE SEQUENCE s; CREATE TABLE c (n bigint DEFAULT nextval('s'));",
        );
        let given =
            ["DROP TABLE a;", "DROP TABLE b;", "DROP SEQUENCE s;", "ALTER TABLE c ALTER COLUMN n DROP DEFAULT;"];
        let given: Vec<String> = given.map(str::to_owned).to_vec();
        let (ordered, stuck) = in_order(given.clone(), &base);
        assert_eq!(stuck, []);
        assert_eq!(ordered, [&*given[1], &given[3], &given[0], &given[2]]);
        assert_eq!(in_order(ordered.clone(), &base).0, ordered, "what passes stays as it is");
    }

    #[test]
    fn what_does_not_run_is_a_comment_to_its_end() {
        let sql = "CREATE VIEW v AS\nSELECT a\nFROM gone;".to_owned();
        let told = Stuck { sql, why: "relation \"gone\" does not exist".to_owned() }.words();
        assert_eq!(
            told,
            "-- not as it stands: `CREATE VIEW v AS SELECT a FROM gone`, relation \"gone\" does not exist"
        );
    }

    #[test]
    fn what_passes_in_no_order_is_said() {
        let base = schema("CREATE TABLE a (id bigint PRIMARY KEY); CREATE TABLE b (a_id bigint REFERENCES a (id));");
        let given = ["DROP TABLE a;", "ALTER TABLE b ADD COLUMN n int;"].map(str::to_owned).to_vec();
        let (ordered, stuck) = in_order(given.clone(), &base);
        assert_eq!(ordered, given[1..]);
        assert!(stuck.len() == 1 && stuck[0].sql == given[0] && stuck[0].why.contains("depend"), "{stuck:?}");
    }
}
