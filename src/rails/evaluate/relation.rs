//! Relations: rows of a table that meet conditions, and the SQL of what is done to them.

use std::sync::Arc;

use super::Evaluator;
use super::flow::{Flow, Leave};
use super::given::Given;
use super::guard::{quote, quoted};
use super::model::Model;
use super::object::Thing;
use super::row::Row;
use super::unread::table_name;
use crate::operation::{Ident, Reach};
use crate::rails::value::Value;
use crate::schema::IndexKey;
use crate::source::{Piece, Span};

/// Rows of a model's table.
#[derive(Debug, Clone)]
pub(super) struct Relation {
    pub model: Arc<Model>,
    /// Conditions in SQL, all of which hold.
    pub filters: Vec<String>,
    /// What is not worked out, as a parameter, leaves rows out as well.
    limited: bool,
    /// A batch of a loop over the key.
    pub is_batch: bool,
    /// `in_batches` without a block: what is called on it is done batch by batch.
    by_batches: bool,
    /// One row at most: what was looked up, or is new.
    is_one: bool,
}

/// A condition that is not worked out: some rows meet it.
const SOME: &str = "$1::boolean";
/// Rows of one `insert_all` that are written out.
const ROWS: usize = 1000;

impl Relation {
    pub fn all(model: Arc<Model>) -> Relation {
        Relation { model, filters: Vec::new(), limited: false, is_batch: false, by_batches: false, is_one: false }
    }

    fn with(mut self, filter: impl Into<String>) -> Relation {
        self.filters.push(filter.into());
        self
    }

    /// The rows that another row refers to.
    pub fn with_unknown_key(self) -> Relation {
        let table = quoted(self.model.table.as_deref().unwrap_or_default());
        self.with(format!("{table}.\"id\" = $1"))
    }

    /// The rows that refer to another row.
    pub fn with_key(self, key: &str) -> Relation {
        let table = quoted(self.model.table.as_deref().unwrap_or_default());
        self.with(format!("{table}.{} = $1", ident(key)))
    }

    /// One of the rows.
    pub fn of_one(self) -> Relation {
        Relation { is_one: true, ..self }
    }

    pub fn batch(&self) -> Relation {
        Relation { is_batch: true, by_batches: false, limited: false, is_one: false, ..self.clone() }
    }
}

impl Evaluator<'_> {
    /// A call on a relation.
    pub(super) fn on_relation(&mut self, relation: Relation, name: &Arc<str>, given: Given, at: Span) -> Flow {
        if let Some(flow) = self.own_query(&relation, name, &given, at) {
            return flow;
        }
        if let Some(narrowed) = self.narrowed(&relation, name, &given) {
            return Ok(self.make(Thing::Relation(Box::new(narrowed))));
        }
        match &**name {
            "in_batches" | "find_in_batches" | "each_batch" | "find_all_in_batches" => {
                self.batch_by_batch(relation, given, at)
            }
            "find_each" | "each_row" | "each_record" => self.row_by_row(relation, given, at),
            "each" | "each_with_index" | "map" | "flat_map" | "each_entry" | "filter_map" | "each_slice" => {
                match relation.by_batches || relation.is_batch && &**name == "each_slice" {
                    true => self.batch_by_batch(relation, given, at),
                    false => self.row_by_row(relation, given, at),
                }
            }
            "update_all" => self.update_all(&relation, &given, at),
            "delete_all" | "delete_by" | "truncate" => {
                let relation =
                    self.narrowed(&relation, "where", &given).filter(|_| name.ends_with("by")).unwrap_or(relation);
                self.delete_all(&relation, at)
            }
            "destroy_all" | "destroy_by" => {
                let relation =
                    self.narrowed(&relation, "where", &given).filter(|_| name.ends_with("by")).unwrap_or(relation);
                let batch = relation.batch();
                self.round_of_unknown(at, &mut |evaluator| evaluator.delete_all(&batch, at))
            }
            "update" | "update!" if given.arguments.is_empty() && !given.keywords.is_empty() => {
                let batch = relation.batch();
                self.round_of_unknown(at, &mut |evaluator| evaluator.update_all(&batch, &given, at))
            }
            "touch_all" => {
                let given =
                    Given { keywords: vec![(Value::symbol("updated_at"), Value::unknown("now"))], ..Given::default() };
                self.update_all(&relation, &given, at)
            }
            "create" | "create!" | "find_or_create_by" | "find_or_create_by!" | "first_or_create"
            | "first_or_create!" | "create_or_find_by" | "create_or_find_by!" | "insert" | "insert!" => {
                let once = !matches!(&**name, "create" | "create!" | "insert!");
                self.create(&relation, &given, once, at)
            }
            "insert_all" | "insert_all!" | "upsert_all" => self.insert_all(&relation, name, &given, at),
            "upsert" => {
                let rows = given.first().cloned().unwrap_or_else(|| Value::Hash(Arc::new(given.keywords.clone())));
                let rows = Value::Array(Arc::new(vec![rows]));
                self.insert_all(&relation, "upsert_all", &Given { arguments: vec![rows], ..given }, at)
            }
            "find" | "find_by" | "find_by!" | "first" | "first!" | "last" | "last!" | "take" | "take!" | "second"
            | "sole" | "find_sole_by" => self.one_row(relation, name, &given),
            "new" | "build" | "find_or_initialize_by" | "first_or_initialize" => {
                Ok(self.new_row(relation.model.clone(), &given))
            }
            "to_a" | "load" | "itself" | "tap" | "reload" => Ok(self.make(Thing::Relation(Box::new(relation)))),
            "table_name" => {
                Ok(relation.model.table.as_ref().map_or_else(|| Value::unknown("a table"), |one| Value::text(&**one)))
            }
            "connection" => Ok(self.make(Thing::Connection)),
            "transaction" => self.transaction(given.block.clone(), &given, at),
            "columns" | "column_names" | "primary_key" => {
                let table =
                    relation.model.table.clone().map_or_else(|| Value::unknown("a table"), |one| Value::text(&*one));
                let answer = self.question(name, &Given::of(vec![table]), at);
                answer.unwrap_or_else(|| Ok(Value::unknown("columns")))
            }
            "reset_counters" => {
                let table = relation.model.table.clone().unwrap_or_default();
                let names = given.arguments.iter().skip(1).filter_map(Value::name).map(|name| format!("{name}_count"));
                let counters = names.filter(|name| self.has_column(&table, name));
                let keywords: Vec<_> =
                    counters.map(|name| (Value::symbol(name), Value::unknown("how many there are"))).collect();
                match keywords.is_empty() {
                    true => self.on_unknown("counters".into(), given, at),
                    false => {
                        let one = relation.with_unknown_key();
                        self.update_all(&one, &Given { keywords, ..Given::default() }, at)
                    }
                }
            }
            other if super::model::WRITES.contains(&other) => {
                let reason = format!("what `{other}` writes to {} is not worked out", shown(&relation));
                self.unread_rows(&relation, reason, at);
                self.on_unknown("rows of a table".into(), given, at)
            }
            other if given.block.is_none() && columns_found_by(other).len() == given.arguments.len().max(1) => {
                let columns = columns_found_by(other).into_iter().map(Value::symbol);
                let keywords = columns.zip(given.arguments.iter().cloned()).collect();
                let name = if other.ends_with('!') { "find_by!" } else { "find_by" };
                self.one_row(relation, name, &Given { keywords, ..Given::default() })
            }
            // A scope of the application's: which rows it leaves out is not known, nor whether it gives rows at all.
            other if given.block.is_none() && super::model::may_be_scope(other) => {
                Ok(self.make_perhaps(Thing::Relation(Box::new(relation.with(SOME)))))
            }
            _ => self.on_unknown(format!("what the rows of {} hold", shown(&relation)).into(), given, at),
        }
    }

    /// The relation that a query method makes of another.
    fn narrowed(&mut self, relation: &Relation, name: &str, given: &Given) -> Option<Relation> {
        let relation = relation.clone();
        Some(match name {
            "all"
            | "scoped"
            | "includes"
            | "preload"
            | "eager_load"
            | "left_joins"
            | "left_outer_joins"
            | "order"
            | "reorder"
            | "readonly"
            | "references"
            | "extending"
            | "lock"
            | "distinct"
            | "in_order_of"
            | "strict_loading"
            | "uncached"
            | "create_with"
            | "select"
            | "reselect"
            | "reverse_order"
            | "with_deleted"
            | "with_discarded"
            | "without_default_scope"
                if given.block.is_none() || name == "uncached" =>
            {
                relation
            }
            "where" | "and" => match given.arguments.is_empty() && given.keywords.is_empty() {
                true => relation,
                false => {
                    let filters = self.conditions(&relation, given);
                    filters.into_iter().fold(relation, Relation::with)
                }
            },
            "not" => {
                let filters = self.conditions(&relation, given);
                relation.with(negated(filters))
            }
            "unscoped" => Relation { filters: Vec::new(), limited: false, ..relation },
            "limit" => Relation { limited: true, ..relation },
            "none" => relation.with("FALSE"),
            "joins" | "merge" | "or" | "from" | "group" | "having" | "offset" | "rewhere" | "unscope"
            | "invert_where" | "except" | "only" | "with" | "missing" | "associated" => relation.with(SOME),
            _ => return None,
        })
    }

    /// `where(…)` as conditions.
    fn conditions(&mut self, relation: &Relation, given: &Given) -> Vec<String> {
        let table = relation.model.table.clone().unwrap_or_else(|| "?".into());
        let mut found = Vec::new();
        match given.first() {
            None => {}
            Some(Value::Hash(pairs)) => self.hash_conditions(&table, pairs, &mut found),
            Some(Value::Text(text) | Value::Sql(text)) => {
                let binds = &given.arguments[1..];
                found.push(format!("({})", bound(text.as_str(), binds, &given.keywords)));
                return found;
            }
            Some(Value::Array(items)) => match items.split_first() {
                Some((Value::Text(text), binds)) => found.push(format!("({})", bound(text.as_str(), binds, &[]))),
                _ => found.push(SOME.to_owned()),
            },
            Some(_) => found.push(SOME.to_owned()),
        }
        self.hash_conditions(&table, &given.keywords, &mut found);
        found
    }

    fn hash_conditions(&mut self, table: &str, pairs: &[(Value, Value)], found: &mut Vec<String>) {
        for (key, value) in pairs {
            let Some(key) = key.name() else {
                found.push(SOME.to_owned());
                continue;
            };
            if let Value::Hash(inner) = value {
                // Of a table that is joined, which may leave rows out by itself.
                self.hash_conditions(key, inner, found);
                continue;
            }
            let column = match key.contains('.') {
                true => quoted(key),
                false => format!("{}.{}", quoted(table), ident(&self.column(table, key))),
            };
            found.push(self.compared(&column, value));
        }
    }

    /// A column, or the key of an association of that name.
    pub(super) fn column(&self, table: &str, name: &str) -> String {
        let schema = self.world.schema();
        let found = schema.find_table(&table_name(table)).and_then(|relation| relation.as_table());
        let has = |name: &str| found.is_some_and(|table| table.column(&Ident::new(name)).is_some());
        let key = format!("{name}_id");
        if !has(name) && has(&key) { key } else { name.to_owned() }
    }

    fn compared(&mut self, column: &str, value: &Value) -> String {
        match value {
            Value::Nil => format!("{column} IS NULL"),
            Value::Array(items) if items.is_empty() => "FALSE".to_owned(),
            Value::Array(items) => {
                let known: Option<Vec<String>> =
                    items.iter().filter(|item| !item.is_nil()).map(|item| quote(item, true)).collect();
                let Some(known) = known else { return format!("{column} = ANY ($1)") };
                let has_null = items.iter().any(Value::is_nil);
                match (known.is_empty(), has_null) {
                    (true, _) => format!("{column} IS NULL"),
                    (false, true) => format!("({column} IN ({}) OR {column} IS NULL)", known.join(", ")),
                    (false, false) => format!("{column} IN ({})", known.join(", ")),
                }
            }
            Value::Range { from, to, exclusive } => {
                let bound = |value: &Value| quote(value, true).unwrap_or_else(|| "$1".to_owned());
                let end = if *exclusive { "<" } else { "<=" };
                match (from.is_nil(), to.is_nil()) {
                    (false, false) => format!("{column} >= {} AND {column} {end} {}", bound(from), bound(to)),
                    (false, true) => format!("{column} >= {}", bound(from)),
                    (true, false) => format!("{column} {end} {}", bound(to)),
                    (true, true) => "TRUE".to_owned(),
                }
            }
            Value::Object(object) => match self.thing(*object) {
                Some(Thing::Relation(inner)) if inner.model.table.is_some() => {
                    let inner = inner.clone();
                    let table = quoted(inner.model.table.as_deref().unwrap_or_default());
                    let filter = self.filter_of(&inner);
                    format!("{column} IN (SELECT {} FROM {table}{filter})", ident(&self.key_of(&inner)))
                }
                _ => format!("{column} = $1"),
            },
            other => match quote(other, true) {
                Some(value) => format!("{column} = {value}"),
                None => format!("{column} = $1"),
            },
        }
    }

    /// The key that batches go along.
    fn key_of(&self, relation: &Relation) -> String {
        let table = relation.model.table.clone().unwrap_or_default();
        let key = self.question_list("primary_key", &table);
        match key {
            Some(Value::Text(name)) => name.as_str().to_owned(),
            _ => "id".to_owned(),
        }
    }

    /// ` WHERE …`, or nothing.
    fn filter_of(&self, relation: &Relation) -> String {
        let mut all = relation.filters.clone();
        let table = relation.model.table.as_deref().unwrap_or_default();
        if relation.is_batch {
            let key = format!("{}.{}", quoted(table), ident(&self.key_of(relation)));
            all.push(format!("{key} >= $1"));
            all.push(format!("{key} < $2"));
        }
        if relation.limited {
            let key = ident(&self.key_of(relation));
            let inner = if all.is_empty() { String::new() } else { format!(" WHERE {}", all.join(" AND ")) };
            return format!(" WHERE {key} IN (SELECT {key} FROM {}{inner} LIMIT 1000)", quoted(table));
        }
        if all.is_empty() { String::new() } else { format!(" WHERE {}", all.join(" AND ")) }
    }

    /// Sends what changes rows; batch by batch where it is asked of `in_batches`.
    pub(super) fn send_write(
        &mut self,
        relation: &Relation,
        at: Span,
        sql: &dyn Fn(&Self, &Relation) -> String,
    ) -> Flow {
        if relation.model.table.is_none() {
            let reason = format!("which table `{}` stands for is not known", relation.model.class);
            self.unread_rows(relation, reason, at);
            return Ok(Value::unknown("how many rows there are"));
        }
        if relation.by_batches {
            let batch = relation.batch();
            self.round_of_unknown(at, &mut |evaluator| evaluator.send_write(&batch, at, sql))?;
            return Ok(Value::unknown("how many rows there are"));
        }
        let sql = sql(self, relation);
        self.budget.bytes(sql.len(), at)?;
        self.counting(at, None, |evaluator| evaluator.world.send(&Piece::made_at(&sql, at)));
        Ok(Value::unknown("how many rows there are"))
    }

    pub(super) fn unread_rows(&mut self, relation: &Relation, reason: String, at: Span) {
        let touches: Vec<_> = relation.model.table.iter().map(|table| table_name(table)).collect();
        let reach = if relation.is_one { Reach::OneRow } else { Reach::Rows };
        self.counting(at, None, |evaluator| evaluator.unread_writes(reason, touches, reach, at));
    }

    pub(super) fn update_all(&mut self, relation: &Relation, given: &Given, at: Span) -> Flow {
        let Some(set) = self.assignments(relation, given) else {
            let reason = format!("what is set in the rows of {} is not known", shown(relation));
            self.unread_rows(relation, reason, at);
            return Ok(Value::unknown("how many rows there are"));
        };
        self.send_write(relation, at, &|evaluator, relation| {
            let table = quoted(relation.model.table.as_deref().unwrap_or_default());
            format!("UPDATE {table} SET {set}{}", evaluator.filter_of(relation))
        })
    }

    pub(super) fn delete_all(&mut self, relation: &Relation, at: Span) -> Flow {
        self.send_write(relation, at, &|evaluator, relation| {
            let table = quoted(relation.model.table.as_deref().unwrap_or_default());
            format!("DELETE FROM {table}{}", evaluator.filter_of(relation))
        })
    }

    /// `a = 1, b = $1` of a hash, a text, an array with binds.
    fn assignments(&mut self, relation: &Relation, given: &Given) -> Option<String> {
        let table = relation.model.table.clone().unwrap_or_default();
        let pairs = match given.first() {
            Some(Value::Text(text) | Value::Sql(text)) => {
                return Some(bound(text.as_str(), &given.arguments[1..], &given.keywords));
            }
            Some(Value::Array(items)) => {
                let (Value::Text(text), binds) = items.split_first()? else { return None };
                return Some(bound(text.as_str(), binds, &[]));
            }
            Some(Value::Hash(pairs)) => pairs.to_vec(),
            Some(_) => return None,
            None => given.keywords.clone(),
        };
        self.sets(&table, &pairs)
    }

    pub(super) fn sets(&self, table: &str, pairs: &[(Value, Value)]) -> Option<String> {
        let one = |(key, value): &(Value, Value)| {
            let key = key.name().filter(|key| *key != "**")?;
            Some(format!("{} = {}", ident(&self.column(table, key)), stored(value)))
        };
        let sets: Vec<String> = pairs.iter().map(one).collect::<Option<_>>()?;
        (!sets.is_empty()).then(|| sets.join(", "))
    }

    fn create(&mut self, relation: &Relation, given: &Given, once: bool, at: Span) -> Flow {
        let model = relation.model.clone();
        let row = self.new_row(model, given);
        if let Some(block) = &given.block {
            self.call_block(block, Given::of(vec![row.clone()]), at)?;
        }
        let sets = match self.thing_of(&row) {
            Some(Thing::Row(row)) => row.sets.clone(),
            _ => None,
        };
        self.insert(relation, sets, once, at)?;
        Ok(row)
    }

    /// One new row; `None`: its columns are not known.
    pub(super) fn insert(
        &mut self,
        relation: &Relation,
        sets: Option<Vec<(Value, Value)>>,
        once: bool,
        at: Span,
    ) -> Result<(), Leave> {
        let relation = &relation.clone().of_one();
        if let Some(strange) = sets.as_ref().and_then(|sets| self.virtual_attribute(relation, sets)) {
            let reason = format!("what the model of {} writes for `{strange}` is not known", shown(relation));
            self.unread_rows(relation, reason, at);
            return Ok(());
        }
        let named = sets.map(|sets| self.as_columns(relation, sets)).and_then(|sets| {
            let one = |(key, value): (Value, Value)| Some((key.name().filter(|key| *key != "**")?.to_owned(), value));
            sets.into_iter().map(one).collect::<Option<Vec<_>>>()
        });
        let Some(named) = named else {
            self.unread_rows(relation, format!("which columns of {} are written is not known", shown(relation)), at);
            return Ok(());
        };
        let conflict = if once { " ON CONFLICT DO NOTHING" } else { "" };
        self.send_write(relation, at, &|evaluator, relation| {
            let table = relation.model.table.as_deref().unwrap_or_default();
            let mut columns: Vec<String> = named.iter().map(|(name, _)| evaluator.column(table, name)).collect();
            let mut values: Vec<String> = named.iter().map(|(_, value)| stored(value)).collect();
            for stamp in ["created_at", "updated_at"] {
                if evaluator.has_column(table, stamp) && !columns.iter().any(|name| name == stamp) {
                    columns.push(stamp.to_owned());
                    values.push("now()".to_owned());
                }
            }
            let table = quoted(table);
            if columns.is_empty() {
                return format!("INSERT INTO {table} DEFAULT VALUES");
            }
            let columns: Vec<String> = columns.iter().map(|name| ident(name)).collect();
            format!("INSERT INTO {table} ({}) VALUES ({}){conflict}", columns.join(", "), values.join(", "))
        })?;
        Ok(())
    }

    fn has_column(&self, table: &str, name: &str) -> bool {
        let found = self.world.schema().find_table(&table_name(table)).and_then(|relation| relation.as_table());
        found.is_some_and(|table| table.column(&Ident::new(name)).is_some())
    }

    fn insert_all(&mut self, relation: &Relation, name: &str, given: &Given, at: Span) -> Flow {
        let rows = match given.first() {
            Some(Value::Array(rows)) if rows.len() <= ROWS => rows.clone(),
            _ => {
                self.unread_rows(
                    relation,
                    format!("which rows `{name}` writes to {} is not known", shown(relation)),
                    at,
                );
                return Ok(Value::unknown("rows of a table"));
            }
        };
        let mut columns: Vec<String> = Vec::new();
        for row in rows.iter() {
            let Value::Hash(pairs) = row else { continue };
            for (key, _) in pairs.iter() {
                if let Some(key) = key.name().filter(|key| !columns.iter().any(|known| known == key)) {
                    columns.push(key.to_owned());
                }
            }
        }
        let value = |row: &Value, column: &str| match row {
            Value::Hash(pairs) => {
                let found = pairs.iter().find(|(key, _)| key.name() == Some(column));
                found.map_or_else(|| "DEFAULT".to_owned(), |(_, value)| stored(value))
            }
            _ => "$1".to_owned(),
        };
        if rows.is_empty() || columns.is_empty() {
            return Ok(Value::Nil);
        }
        let lists: Vec<String> = rows
            .iter()
            .map(|row| format!("({})", columns.iter().map(|one| value(row, one)).collect::<Vec<_>>().join(", ")))
            .collect();
        let conflict = match name {
            "upsert_all" => self.on_conflict(relation, &columns, given),
            _ if name.ends_with('!') => String::new(),
            _ => " ON CONFLICT DO NOTHING".to_owned(),
        };
        self.send_write(relation, at, &|_, relation| {
            let table = quoted(relation.model.table.as_deref().unwrap_or_default());
            let names: Vec<String> = columns.iter().map(|name| ident(name)).collect();
            format!("INSERT INTO {table} ({}) VALUES {}{conflict}", names.join(", "), lists.join(", "))
        })
    }

    /// What `upsert_all` does with rows that are there.
    fn on_conflict(&self, relation: &Relation, columns: &[String], given: &Given) -> String {
        let key = match given.keyword("unique_by").filter(|value| !value.is_nil()) {
            None => vec![self.key_of(relation)],
            Some(value) => self.unique_columns(relation, value),
        };
        if given.keyword("on_duplicate").and_then(Value::name) == Some("skip") || key.is_empty() {
            return " ON CONFLICT DO NOTHING".to_owned();
        }
        let only = given.keyword("update_only").map(|value| match value {
            Value::Array(items) => items.iter().filter_map(|item| Some(item.name()?.to_owned())).collect(),
            one => one.name().map(str::to_owned).into_iter().collect::<Vec<String>>(),
        });
        let updated = only.unwrap_or_else(|| columns.to_vec());
        let sets: Vec<String> = updated
            .iter()
            .filter(|name| !key.contains(name))
            .map(|name| format!("{0} = excluded.{0}", ident(name)))
            .collect();
        let target: Vec<String> = key.iter().map(|name| ident(name)).collect();
        match (given.keyword("on_duplicate"), sets.is_empty()) {
            (Some(Value::Sql(sql)), _) => {
                format!(" ON CONFLICT ({}) DO UPDATE SET {}", target.join(", "), sql.as_str())
            }
            (_, true) => " ON CONFLICT DO NOTHING".to_owned(),
            _ => format!(" ON CONFLICT ({}) DO UPDATE SET {}", target.join(", "), sets.join(", ")),
        }
    }

    /// `unique_by:` names columns, or an index of the table.
    fn unique_columns(&self, relation: &Relation, value: &Value) -> Vec<String> {
        let table = relation.model.table.clone().unwrap_or_default();
        let items = match value {
            Value::Array(items) => items.to_vec(),
            one => vec![one.clone()],
        };
        let names: Vec<String> = items.iter().filter_map(|one| Some(one.name()?.to_owned())).collect();
        let [name] = names.as_slice() else { return names };
        if self.has_column(&table, name) {
            return names;
        }
        let schema = self.world.schema();
        let found = schema.find_table(&table_name(&table));
        let ids = found.and_then(|relation| relation.as_table()).map(|table| table.indexes.clone()).unwrap_or_default();
        let index = ids.iter().filter_map(|id| schema.get_relation(*id)).find(|one| one.name.name == Ident::new(name));
        let Some(index) = index.and_then(|one| one.as_index()) else { return Vec::new() };
        let columns = index.parts.iter().filter_map(|part| match &part.key {
            IndexKey::Column(column) => Some(schema.column_name(index.table, *column).as_str().to_owned()),
            IndexKey::Expression(_) => None,
        });
        columns.collect()
    }

    /// `in_batches do |batch|`
    fn batch_by_batch(&mut self, relation: Relation, given: Given, at: Span) -> Flow {
        let Some(block) = given.block else {
            let by_batches = Relation { by_batches: true, ..relation };
            return Ok(self.make(Thing::Relation(Box::new(by_batches))));
        };
        let batch = self.make(Thing::Relation(Box::new(relation.batch())));
        self.round_of_unknown(at, &mut |evaluator| {
            let number = Value::unknown("the number of a batch");
            evaluator.call_block(&block, Given::of(vec![batch.clone(), number]), at)
        })
    }

    /// `find_each do |row|`
    fn row_by_row(&mut self, relation: Relation, given: Given, at: Span) -> Flow {
        let Some(block) = given.block else { return Ok(self.make(Thing::Relation(Box::new(relation)))) };
        let row = self.make(Thing::Row(Row::of(relation.batch())));
        self.round_of_unknown(at, &mut |evaluator| {
            let number = Value::unknown("the number of a row");
            evaluator.call_block(&block, Given::of(vec![row.clone(), number]), at)
        })
    }

    fn one_row(&mut self, relation: Relation, name: &str, given: &Given) -> Flow {
        let relation = match name {
            "find_by" | "find_by!" | "find_sole_by" => self.narrowed(&relation, "where", given).unwrap_or(relation),
            "find" => match given.first() {
                Some(Value::Array(_)) => return Ok(Value::unknown("rows of a table")),
                Some(key) => {
                    let table = relation.model.table.clone().unwrap_or_default();
                    let column = format!("{}.{}", quoted(&table), ident(&self.key_of(&relation)));
                    let filter = self.compared(&column, key);
                    relation.with(filter)
                }
                None => relation,
            },
            _ => Relation { limited: true, ..relation },
        };
        let row = Thing::Row(Row::of(relation));
        Ok(match name.ends_with('!') || matches!(name, "find" | "sole" | "find_sole_by") {
            true => self.make(row),
            false => self.make_perhaps(row),
        })
    }

    pub(super) fn new_row(&mut self, model: Arc<Model>, given: &Given) -> Value {
        let sets = match given.first() {
            None => Some(given.keywords.clone()),
            Some(Value::Hash(pairs)) => Some(pairs.to_vec()),
            Some(_) => None,
        };
        self.make(Thing::Row(Row { relation: Relation::all(model).of_one(), sets, is_new: true }))
    }
}

/// The columns that `find_by_login_and_name` looks at.
fn columns_found_by(name: &str) -> Vec<&str> {
    let columns = name.strip_prefix("find_by_").map(|rest| rest.trim_end_matches('!'));
    columns.map(|rest| rest.split("_and_").collect()).unwrap_or_default()
}

pub(super) fn shown(relation: &Relation) -> String {
    match &relation.model.table {
        Some(table) => format!("`{table}`"),
        None => format!("`{}`", relation.model.class),
    }
}

fn ident(name: &str) -> String {
    quoted(name)
}

/// A value as it is written to a column.
pub(super) fn stored(value: &Value) -> String {
    quote(value, true).unwrap_or_else(|| "$1".to_owned())
}

/// `NOT` of conditions that hold together.
fn negated(filters: Vec<String>) -> String {
    let [one] = filters.as_slice() else { return format!("NOT ({})", filters.join(" AND ")) };
    match one.strip_suffix(" IS NULL").filter(|rest| !rest.starts_with('(')) {
        Some(column) => format!("{column} IS NOT NULL"),
        None => format!("NOT ({one})"),
    }
}

/// SQL with `?` and `:name` filled in; what is not known is a parameter.
pub(super) fn bound(sql: &str, binds: &[Value], keywords: &[(Value, Value)]) -> String {
    let named = match binds {
        [Value::Hash(pairs)] => pairs.as_slice(),
        _ => keywords,
    };
    let as_list = |value: &Value| match value {
        Value::Array(items) if !items.is_empty() => {
            let all: Option<Vec<String>> = items.iter().map(|item| quote(item, true)).collect();
            all.map_or_else(|| "$1".to_owned(), |all| all.join(", "))
        }
        other => stored(other),
    };
    if binds.is_empty() && named.is_empty() {
        return sql.to_owned();
    }
    let mut out = String::with_capacity(sql.len() + 16);
    let mut positional = binds.iter();
    let mut letters = sql.char_indices().peekable();
    let mut in_text = false;
    while let Some((at, letter)) = letters.next() {
        match letter {
            '\'' => {
                in_text = !in_text;
                out.push(letter);
            }
            '?' if !in_text && named.is_empty() => {
                out.push_str(&positional.next().map_or_else(|| "?".to_owned(), as_list));
            }
            ':' if !in_text && !named.is_empty() => {
                let rest = &sql[at + 1..];
                let end = rest.find(|one: char| !one.is_ascii_alphanumeric() && one != '_').unwrap_or(rest.len());
                let value = named.iter().find(|(key, _)| key.name() == Some(&rest[..end]));
                // `::text` is a cast.
                if let (Some((_, value)), false) = (value, out.ends_with(':')) {
                    out.push_str(&as_list(value));
                    for _ in 0..end {
                        letters.next();
                    }
                } else {
                    out.push(letter);
                }
            }
            other => out.push(other),
        }
    }
    out
}
