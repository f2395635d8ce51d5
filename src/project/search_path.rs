//! The search_path that shipped statements show: they ran, so what they name alone lies where their connection looks.

use std::collections::{BTreeMap, BTreeSet};

use super::assemble::Draft;
use crate::history::SinceBase;
use crate::operation::{Ident, Name, ObjectKind, Operation};

const PUBLIC: &str = "public";

/// The one schema beside `public` in which statements found what they name without a schema. Nothing where they set the
/// path themselves, or where anything speaks for `public`.
pub fn shown(drafts: &[Draft]) -> Option<Ident> {
    let ran = |draft: &&Draft| !draft.migration.judged && draft.migration.since_base != SinceBase::Added;
    let mut seen = Seen::default();
    for draft in drafts.iter().filter(ran) {
        draft.migration.up.nodes.iter().for_each(|node| node.statements(&mut |one| seen.read(&one.operation)));
    }
    seen.schema()
}

/// Names of tables and indexes.
#[derive(Default)]
struct Seen<'a> {
    /// With the schemas in which they are made; `None`: they are made where the path says.
    made: BTreeMap<&'a Ident, BTreeSet<Option<&'a Ident>>>,
    /// Those that must be there, named alone.
    alone: BTreeSet<&'a Ident>,
    /// Those that must be in a schema that is named.
    within: BTreeSet<(&'a Ident, &'a Ident)>,
    sets_path: bool,
}

impl<'a> Seen<'a> {
    fn read(&mut self, operation: &'a Operation) {
        match operation {
            Operation::CreateTable(create) => self.makes(&create.name.name, &create.name),
            Operation::CreateIndex(create) => {
                self.needs(&create.table);
                if let Some(name) = &create.name {
                    self.makes(name, &create.table);
                }
            }
            Operation::AlterTable(alter) if !alter.if_exists => self.needs(&alter.table),
            Operation::Drop(drop) if !drop.if_exists && matches!(drop.kind, ObjectKind::Table | ObjectKind::Index) => {
                drop.targets.iter().for_each(|target| self.needs(&target.name));
            }
            Operation::Rename(rename) if rename.part.is_none() => self.makes(&rename.to, &rename.object),
            // Where it lies hangs on what ran by then.
            Operation::SetSchema(set) => {
                self.made.entry(&set.name.name).or_default().extend([set.name.schema.as_ref(), Some(&set.schema)]);
            }
            Operation::Set(set) => self.sets_path |= &*set.name == "search_path",
            _ => {}
        }
    }

    fn makes(&mut self, name: &'a Ident, beside: &'a Name) {
        self.made.entry(name).or_default().insert(beside.schema.as_ref());
    }

    fn needs(&mut self, name: &'a Name) {
        match &name.schema {
            None => drop(self.alone.insert(&name.name)),
            Some(schema) => drop(self.within.insert((schema, &name.name))),
        }
    }

    fn schema(&self) -> Option<Ident> {
        let made = |name: &Ident| self.made.get(name).filter(|schemas| schemas.len() == 1)?.first().copied();
        let named = self.alone.iter().filter_map(|name| made(name)?);
        // Made where the path says, and found in the schema that another statement names.
        let found = self.within.iter().filter(|(_, name)| made(name) == Some(None)).map(|(schema, _)| *schema);
        let shown: BTreeSet<&Ident> = named.chain(found).collect();
        let only = shown.first().filter(|only| shown.len() == 1 && only.as_str() != PUBLIC)?;
        (!self.sets_path).then(|| (*only).clone())
    }
}
