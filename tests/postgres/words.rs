//! Words that are no names.

use std::collections::BTreeSet;

use crate::command::plimsoll_reading;
use crate::server::{Server, run};

/// Each word of the grammar as the name of a table in FROM, and of a query in WITH: what is said to fail does.
#[test]
fn proves_unread_statement_of_reserved_names() {
    let Some(server) = Server::get() else { return };
    let database = server.database();
    let words = database.strings("SELECT word FROM pg_get_keywords() ORDER BY word");
    let texts: Vec<String> = words
        .iter()
        .flat_map(|word| [format!("SELECT 1 FROM pg_class AS {word};"), format!("WITH {word} AS (SELECT 1) SELECT 2;")])
        .collect();
    let document = plimsoll_reading(&texts.join("\n"), &["check", "-", "--format=json", "--exit-zero"]).json();
    let findings = document["findings"].as_array().into_iter().flatten();
    let refused = findings.filter(|one| one["message"].as_str().is_some_and(|text| text.contains("42601")));
    let lines: BTreeSet<usize> = refused.filter_map(|one| one["line"].as_u64()).map(|line| line as usize - 1).collect();
    assert!(lines.len() > 100, "{document:#}");
    let mut client = database.client();
    for line in lines {
        let refusal = run(&mut client, &texts[line]).expect_err(&texts[line]);
        assert_eq!(refusal.code, "42601", "{}", texts[line]);
    }
}
