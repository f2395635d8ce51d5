//! Who writes migrations in Ruby is advised in Ruby.

use std::collections::BTreeMap;

use crate::finding::Finding;
use crate::history::{Framework, Migration};
use crate::operation::{Ident, Name, Node, RubyScript};
use crate::project::Project;
use crate::rails::write::{Writer, dropped_indexes};
use crate::rules::Rule;
use crate::schema::Schema;

/// The tables of indexes that are advised to go, by history: those that a replay has met.
pub type Tables = BTreeMap<(usize, Ident), Name>;

/// Takes down the tables of the indexes that a finding drops.
pub(super) fn note_tables<'a>(
    finding: &Finding,
    schemas: impl Iterator<Item = &'a Schema> + Clone,
    tables: &mut Tables,
) {
    let (Some(at), Some(advice)) = (finding.migration, &finding.instead) else { return };
    if !advice.contains("DROP INDEX") {
        return;
    }
    for index in dropped_indexes(advice, finding.span) {
        let table = |schema: &Schema| {
            let index = schema.find(&Name::bare(index.clone()))?.as_index()?;
            Some(schema.get_relation(index.table)?.name.as_name())
        };
        if let Some(table) = schemas.clone().find_map(table) {
            tables.insert((at.history, index), table);
        }
    }
}

/// Writes what findings of Rails migrations advise as such a migration has it.
pub(super) fn speak_as_they_do(project: &Project, tables: &Tables, findings: &mut [Finding]) {
    for finding in findings {
        let (Some(at), Some(advice)) = (finding.migration, &finding.instead) else { continue };
        let history = &project.histories[at.history];
        // A rule of the project's own speaks in its own words.
        if history.framework != Framework::Rails || Rule::find(finding.rule).is_none() {
            continue;
        }
        let Some(script) = script(&history.migrations[at.migration]) else { continue };
        let active = history.language.vocabularies.active(script);
        let dialect = history.language.dialect_of(script, &active);
        let table_of = |index: &Ident| tables.get(&(at.history, index.clone())).cloned();
        let writer = Writer { dialect: &dialect, table_of: &table_of, at: finding.span };
        finding.instead = writer.ruby(advice).or_else(|| finding.instead.take());
    }
}

fn script(migration: &Migration) -> Option<&RubyScript> {
    migration.up.nodes.iter().find_map(|node| match node {
        Node::Ruby(script) => Some(&**script),
        _ => None,
    })
}
