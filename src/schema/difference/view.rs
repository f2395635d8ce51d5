//! Views and triggers.

use std::collections::{BTreeMap, BTreeSet};

use super::pairs::is_shared;
use super::same::same_text;
use super::{Aspect, Comparison, Guard, Repair, Shared, Stage, name_in};
use crate::operation::QualifiedName;
use crate::schema::definition::relation_name;
use crate::schema::statement;
use crate::schema::{Existence, Relation, RelationId, Trigger, TriggerId, View};

impl<'a> Comparison<'a> {
    pub(super) fn views(&mut self) {
        let view = |relation: &'a Relation| Some((relation, relation.as_view()?));
        let to = self.to;
        let sides = self.relations.clone();
        for (relation, now) in sides.from.into_iter().filter_map(view) {
            match self.pairs.to(relation.id).and_then(|id| to.get_relation(id)).and_then(view) {
                Some((other, then)) => self.view(relation, now, other, then),
                None => self.extra_view(relation, now),
            }
        }
        for (relation, then) in sides.to.into_iter().filter_map(view) {
            let assumed = matches!(relation.existence, Existence::Assumed { .. });
            if self.pairs.from(relation.id).is_none() && !assumed {
                let repairs = self.make_view(relation, then);
                self.missing("view", relation.name.to_string(), &relation.existence, repairs);
            }
        }
    }

    fn extra_view(&mut self, relation: &Relation, view: &View) {
        if matches!(relation.existence, Existence::Assumed { .. }) {
            return;
        }
        let drop = self.drop_view(relation, view);
        let mut repairs = self.around(relation.id, None, &drop);
        repairs.push(drop);
        self.extra("view", relation.name.to_string(), &relation.existence, repairs);
    }

    fn view(&mut self, relation: &Relation, now: &View, other: &Relation, then: &View) {
        let words = if then.materialized { "MATERIALIZED VIEW" } else { "VIEW" };
        self.renamed("view", words, relation, other);
        if now.materialized != then.materialized || !self.selects_same(now, then) {
            let repairs = self.replace_view(relation, now, other, then);
            let both = (&relation.existence, &other.existence);
            self.differs_in(Aspect::Query, "view", other.name.to_string(), "selects something else", both, repairs);
        }
    }

    /// In place where its columns stay as they are, which keeps its privileges and whoever reads it.
    fn replace_view(&self, relation: &Relation, now: &View, other: &Relation, then: &View) -> Vec<Repair> {
        let known = |view: &View| view.columns_known && view.column_types.iter().all(Option::is_some);
        let is_longer = then.columns.starts_with(&now.columns) && then.column_types.starts_with(&now.column_types);
        let plain = !now.materialized && !then.materialized;
        if plain && known(now) && known(then) && is_longer && relation.name == other.name {
            let make = self.make_view(other, then).into_iter().take(1);
            let replace = |sql: &str| sql.replacen("CREATE VIEW", "CREATE OR REPLACE VIEW", 1);
            return make.map(|make| Repair { sql: replace(&make.sql), guards: Vec::new(), ..make }).collect();
        }
        let drop = self.drop_view(relation, now);
        let mut repairs = self.around(relation.id, None, &drop);
        repairs.extend(self.made_anew(drop, other, then));
        repairs
    }

    /// A dump prints a query anew, from its tree: of one from elsewhere only what it reads and gives can be compared.
    fn selects_same(&self, now: &View, then: &View) -> bool {
        let same_columns = !now.columns_known || !then.columns_known || now.columns == then.columns;
        if same_text(&now.text, &then.text)
            || same_columns && same_text(&without_implied_names(&now.text), &without_implied_names(&then.text))
        {
            return true;
        }
        let reads = |view: &View, name: &dyn Fn(RelationId) -> String| -> BTreeSet<String> {
            view.reads.iter().map(|(read, _)| name(*read)).collect()
        };
        let read_now = reads(now, &|id| self.name_then(id).to_string());
        let read_then = reads(then, &|id| relation_name(self.to, id));
        // Nor can the text of one that is older than the names in it.
        let is_unlike = now.is_older_than_names != then.is_older_than_names;
        (is_unlike || !matches!(self.shared, Shared::Since(_))) && same_columns && read_now == read_then
    }

    pub(super) fn triggers(&mut self) {
        let to = self.to;
        let sides = self.trigger_rows.clone();
        let mut taken: BTreeMap<TriggerId, &Trigger> = BTreeMap::new();
        for trigger in sides.from {
            let same = to.get_trigger(trigger.id).filter(|_| is_shared(self.shared, trigger.id.0));
            let table = self.pairs.to(trigger.table);
            let by_name = || to.triggers_of(table?).into_iter().find(|one| one.name == trigger.name);
            match same.or_else(by_name).filter(|found| !taken.contains_key(&found.id)) {
                Some(found) => {
                    taken.insert(found.id, trigger);
                    self.trigger(trigger, found);
                }
                None => self.extra_trigger(trigger),
            }
        }
        for trigger in sides.to.into_iter().filter(|trigger| !taken.contains_key(&trigger.id)) {
            let Some(relation) = to.get_relation(trigger.table) else { continue };
            let is_assumed = matches!(relation.existence, Existence::Assumed { .. });
            if trigger.parent.is_some() || !is_assumed && self.pairs.from(trigger.table).is_none() {
                continue;
            }
            let mut repairs = vec![self.make_trigger(trigger)];
            repairs.extend(statement::trigger_state(to, trigger).map(|sql| Repair::new(Stage::AlterTable, sql)));
            let name = format!("{}.{}", relation.name, trigger.name);
            self.missing("trigger", name, &trigger.existence, repairs);
        }
    }

    fn extra_trigger(&mut self, trigger: &Trigger) {
        // With a table that is there anyway it does not go.
        let table = self.from.get_relation(trigger.table);
        let is_assumed = table.is_some_and(|table| matches!(table.existence, Existence::Assumed { .. }));
        if trigger.parent.is_some() || !is_assumed && self.is_extra(trigger.table) {
            return;
        }
        let name = format!("{}.{}", self.name_now(trigger.table), trigger.name);
        self.extra("trigger", name, &trigger.existence, vec![self.drop_trigger(trigger)]);
    }

    pub(super) fn drop_trigger(&self, trigger: &Trigger) -> Repair {
        let now = self.name_now(trigger.table);
        let drop = Repair::new(Stage::DropTrigger, format!("DROP TRIGGER IF EXISTS {} ON {now}", trigger.name));
        drop.when(Guard::Trigger { table: now, name: trigger.name.clone(), exists: true })
    }

    pub(super) fn make_trigger(&self, trigger: &Trigger) -> Repair {
        let make = Repair::new(Stage::CreateTrigger, statement::create_trigger(self.to, trigger));
        let table = name_in(self.to, trigger.table);
        make.when(Guard::Trigger { table, name: trigger.name.clone(), exists: false })
    }

    fn trigger(&mut self, trigger: &Trigger, other: &Trigger) {
        let Some(relation) = self.to.get_relation(other.table) else { return };
        let table = relation.name.clone();
        let name = format!("{table}.{}", other.name);
        let both = (&trigger.existence, &other.existence);
        if trigger.parent.is_some() || other.parent.is_some() {
            if trigger.enabled != other.enabled {
                let sql = statement::set_trigger(self.to, other, other.enabled);
                self.differs("trigger", name, "fires at other times", both, vec![Repair::new(Stage::AlterTable, sql)]);
            }
            return;
        }
        let there = |name, exists| Guard::Trigger { table: table.clone(), name, exists };
        if trigger.name != other.name {
            let sql = format!("ALTER TRIGGER {} ON {table} RENAME TO {}", trigger.name, other.name);
            let repair = Repair::new(Stage::Rename, sql).when(there(trigger.name.clone(), true));
            let repair = repair.when(there(other.name.clone(), false));
            self.differs("trigger", name.clone(), format!("is called {}", trigger.name), both, vec![repair]);
        }
        let words = |text: String, trigger: &Trigger, table: &QualifiedName| {
            // Whatever the two are called: only what follows the names counts.
            text.replacen(&trigger.name.to_string(), "", 1).replacen(&table.to_string(), "", 1)
        };
        let now = words(statement::create_trigger(self.from, trigger), trigger, &self.name_now(trigger.table));
        let then = words(statement::create_trigger(self.to, other), other, &table);
        if !same_text(&now, &then) {
            let drop = Repair { guards: Vec::new(), ..self.drop_trigger(trigger) };
            let repairs = vec![drop, self.make_trigger(other)];
            self.differs("trigger", name.clone(), "does something else", both, repairs);
        }
        if trigger.enabled != other.enabled {
            let sql = statement::set_trigger(self.to, other, other.enabled);
            self.differs("trigger", name, "fires at other times", both, vec![Repair::new(Stage::AlterTable, sql)]);
        }
    }
}

/// `t.a AS a` and `t AS t` say no more than `t.a` and `t`, and `AS` itself may be left out.
fn without_implied_names(text: &str) -> String {
    const AS: &str = "as";
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '"');
    let bare = |name: &str| name.trim_matches('"').to_lowercase();
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let ahead = kept.trim_end().len();
        let is_word = ahead < kept.len() && rest.get(..AS.len()).is_some_and(|word| word.eq_ignore_ascii_case(AS));
        if let Some(after) = rest.get(AS.len()..).filter(|after| is_word && after.starts_with(char::is_whitespace)) {
            let name = after.trim_start();
            let (name, behind) = name.split_at(name.find(|c| !is_part(c)).unwrap_or(name.len()));
            let named = &kept[kept[..ahead].rfind(|c| !is_part(c)).map_or(0, |at| at + 1)..ahead];
            let is_implied = !name.is_empty() && bare(named) == bare(name);
            kept.truncate(ahead);
            rest = if is_implied { behind } else { after };
            continue;
        }
        kept.push(first);
        rest = &rest[first.len_utf8()..];
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::without_implied_names;

    #[test]
    fn a_name_that_is_implied_is_no_difference() {
        let same = |one: &str, other: &str| assert_eq!(without_implied_names(one), other);
        same("SELECT ad.tags AS tags, b AS c FROM ads AS ad", "SELECT ad.tags, b c FROM ads ad");
        same("SELECT \"Tags\" as tags, aas as b", "SELECT \"Tags\", aas b");
    }
}
