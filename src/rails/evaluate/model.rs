//! Models: the tables that classes stand for, and the relations that their queries make.

use std::sync::Arc;

use super::file::Found;
use super::flow::Flow;
use super::given::Given;
use super::object::Thing;
use super::relation::Relation;
use super::unread::table_name;
use super::{Activation, Evaluator};
use crate::operation::{Reach, Ruby, RubyClass, RubyKind, RubyTarget};
use crate::rails::active_record::ModelTable;
use crate::rails::value::{Object, Value};
use crate::source::Span;

/// A class of rows.
#[derive(Debug, Clone)]
pub(super) struct Model {
    /// Empty for a class without a name.
    pub class: Arc<str>,
    /// `None`: which table it is of is not known.
    pub table: Option<Arc<str>>,
}

/// Methods that ask a model or a relation for another relation.
const NARROWS: &[&str] = &[
    "all",
    "and",
    "create_with",
    "distinct",
    "eager_load",
    "except",
    "extending",
    "from",
    "group",
    "having",
    "in_order_of",
    "includes",
    "invert_where",
    "joins",
    "left_joins",
    "left_outer_joins",
    "limit",
    "lock",
    "merge",
    "none",
    "not",
    "offset",
    "only",
    "or",
    "order",
    "preload",
    "readonly",
    "references",
    "reorder",
    "reselect",
    "reverse_order",
    "rewhere",
    "scoped",
    "select",
    "strict_loading",
    "uncached",
    "unscope",
    "unscoped",
    "where",
    "with",
    "with_deleted",
    "with_discarded",
    "without_default_scope",
];

/// Methods that go through rows, in batches or one by one.
const LOOPS: &[&str] = &[
    "each",
    "each_batch",
    "each_row",
    "each_with_index",
    "find_each",
    "find_in_batches",
    "in_batches",
    "map",
    "flat_map",
    "each_entry",
    "find_all_in_batches",
    "each_slice",
    "in_batches_with_index",
    "each_record",
];

/// Methods that change rows.
pub(super) const WRITES: &[&str] = &[
    "bulk_import",
    "bulk_import!",
    "bulk_insert",
    "bulk_insert!",
    "create",
    "create!",
    "create_or_find_by",
    "create_or_find_by!",
    "decrement!",
    "decrement_counter",
    "delete",
    "delete_all",
    "delete_by",
    "destroy",
    "destroy!",
    "destroy_all",
    "destroy_by",
    "find_or_create_by",
    "find_or_create_by!",
    "first_or_create",
    "first_or_create!",
    "import",
    "import!",
    "increment!",
    "increment_counter",
    "insert",
    "insert!",
    "insert_all",
    "insert_all!",
    "reset_counters",
    "save",
    "save!",
    "toggle!",
    "touch",
    "touch_all",
    "truncate",
    "update",
    "update!",
    "update_all",
    "update_attribute",
    "update_attributes",
    "update_attributes!",
    "update_column",
    "update_columns",
    "update_counters",
    "upsert",
    "upsert_all",
];

/// Those of a class or relation that make one row, or change one by its key.
const MAKES_ONE: &[&str] = &[
    "create",
    "create!",
    "create_or_find_by",
    "create_or_find_by!",
    "decrement_counter",
    "find_or_create_by",
    "find_or_create_by!",
    "first_or_create",
    "first_or_create!",
    "increment_counter",
    "insert",
    "insert!",
    "reset_counters",
    "update_counters",
    "upsert",
];

/// Those of a row. What goes with one that is destroyed may be many more.
const WRITES_ONE: &[&str] = &[
    "decrement!",
    "increment!",
    "save!",
    "toggle!",
    "update_attribute",
    "update_attributes",
    "update_attributes!",
    "update_column",
    "update_columns",
];

/// How far a method goes that only rows have.
pub(super) fn reach_of_row(name: &str) -> Reach {
    if WRITES_ONE.contains(&name) { Reach::OneRow } else { Reach::Rows }
}

/// Methods that read rows: what they give is known only where the rows are.
const READS: &[&str] = &[
    "any?",
    "arel_table",
    "average",
    "calculate",
    "column_names",
    "columns",
    "columns_hash",
    "count",
    "empty?",
    "exists?",
    "fifth",
    "find",
    "find_by",
    "find_by!",
    "find_by_sql",
    "find_or_initialize_by",
    "find_sole_by",
    "first",
    "first!",
    "first_or_initialize",
    "ids",
    "last",
    "last!",
    "length",
    "load",
    "many?",
    "maximum",
    "minimum",
    "new",
    "none?",
    "one?",
    "pick",
    "pluck",
    "second",
    "size",
    "sole",
    "sum",
    "take",
    "take!",
    "to_a",
    "to_sql",
    "explain",
    "build",
    "attribute_names",
    "primary_key",
    "inheritance_column",
    "model_name",
    "sanitize_sql",
    "sanitize_sql_array",
    "sanitize_sql_for_conditions",
    "table_exists?",
    "quoted_table_name",
    "table_name",
    "arel",
    "find_or_initialize_by!",
];

pub(super) fn is_query(name: &str) -> bool {
    NARROWS.contains(&name) || LOOPS.contains(&name) || WRITES.contains(&name) || READS.contains(&name)
}

impl Evaluator<'_> {
    /// A call on a class that is a model; `None` where it is none.
    pub(super) fn model_call(&mut self, class: &Arc<str>, name: &Arc<str>, given: &Given, at: Span) -> Option<Flow> {
        let is_setting = name.ends_with('=') && !matches!(&**name, "==" | "!=");
        if is_setting && self.index.has(class) {
            return Some(Ok(Value::Nil));
        }
        let known = self.model_of(class);
        if !is_query(name) && !self.has_scope(class, name) {
            // A scope of the application's, or any other method of it: as a statement it is said.
            let relation = Relation::all(Arc::new(known.filter(|_| given.block.is_none() && may_be_scope(name))?));
            let flow = self.on_relation(relation, name, given.clone(), at);
            self.foreign = Some((at, format!("{class}.{name}").into()));
            return Some(flow);
        }
        let model = known.unwrap_or_else(|| Model { class: class.clone(), table: None });
        if model.table.is_none() && !is_query_only(name) {
            return None;
        }
        Some(self.on_model(model, name, given.clone(), at))
    }

    /// The model that a class is, where it is one.
    pub(super) fn model_of(&self, class: &str) -> Option<Model> {
        if !self.index.has(class) {
            return self.model_outside(class);
        }
        if let Some(table) = self.stated_table(class, 0) {
            return Some(Model { class: class.into(), table: Some(table) });
        }
        let above = self.superclass(class)?;
        if !is_base(&above) && !self.index.has(&above) {
            let known = self.model_outside(&above)?;
            return Some(Model { class: class.into(), table: known.table });
        }
        is_base(&self.base_of(class)?).then(|| Model { class: class.into(), table: Some(self.table_of(class).into()) })
    }

    /// A class of the application: the table that it states, or else that of its name, where the history has it.
    fn model_outside(&self, class: &str) -> Option<Model> {
        self.model_by_name(class).or_else(|| self.model_as_stated(class, 0))
    }

    fn model_as_stated(&self, class: &str, level: usize) -> Option<Model> {
        match self.dialect.models.get(class)? {
            ModelTable::Named(table) => Some(Model { class: class.into(), table: Some(table.clone()) }),
            ModelTable::Of(above) if level < 8 && self.dialect.models.contains_key(above) => {
                let known = self.model_by_name(above).or_else(|| self.model_as_stated(above, level + 1))?;
                Some(Model { class: class.into(), table: known.table })
            }
            // The table of its name, though the history has none.
            ModelTable::Of(above) if is_base(above) => {
                Some(Model { class: class.into(), table: Some(self.table_of(class).into()) })
            }
            ModelTable::Of(_) => None,
        }
    }

    fn model_by_name(&self, class: &str) -> Option<Model> {
        let schema = self.world.schema();
        let path = super::names::underscore(class).replace('/', "_");
        let whole = self.dialect.inflections.pluralize(&path);
        let short = self.table_of(class);
        let prefix = &self.dialect.table_name_prefix;
        let found = [whole, short].into_iter().map(|name| format!("{prefix}{name}"));
        let mut found = found.filter(|name| schema.find_table(&table_name(name)).is_some());
        Some(Model { class: class.into(), table: Some(found.next()?.into()) })
    }

    /// `self.table_name = …` in a class of this file or above it.
    fn stated_table(&self, class: &str, level: usize) -> Option<Arc<str>> {
        if level > 8 {
            return None;
        }
        for part in self.index.parts(class) {
            if let Some(table) = stated_in(&part.body) {
                return Some(table);
            }
        }
        let above = self.superclass(class)?;
        let above = self.resolve(class, &above)?;
        self.stated_table(&above, level + 1)
    }

    fn resolve(&self, from: &str, name: &str) -> Option<Arc<str>> {
        match self.index.constant(from, name)? {
            Found::Class(path) => Some(path),
            Found::Value(..) => None,
        }
    }

    /// The first class above that is not in this file.
    fn base_of(&self, class: &str) -> Option<Arc<str>> {
        let mut above = self.superclass(class)?;
        for _ in 0..8 {
            match self.resolve(class, &above).filter(|path| **path != *class) {
                Some(path) => above = self.superclass(&path)?,
                None => return Some(above),
            }
        }
        None
    }

    fn superclass(&self, class: &str) -> Option<Arc<str>> {
        self.index
            .parts(class)
            .iter()
            .find_map(|part: &Arc<RubyClass>| super::file::constant_path(part.superclass.as_ref()?))
    }

    fn has_scope(&self, class: &str, name: &str) -> bool {
        self.scope_of(class, name).is_some()
    }

    /// `scope :name, -> { … }`
    fn scope_of(&self, class: &str, name: &str) -> Option<Ruby> {
        let body = self.index.parts(class).iter().flat_map(|part| &part.body);
        let found = body.filter_map(|node| match &node.kind {
            RubyKind::Call(call) if &*call.name == "scope" && call.receiver.is_none() => Some(call),
            _ => None,
        });
        let mut named = found.filter(|call| call.arguments.first().and_then(symbol).as_deref() == Some(name));
        named.next()?.arguments.get(1).cloned()
    }

    /// A call on a model.
    pub(super) fn on_model(&mut self, model: Model, name: &Arc<str>, given: Given, at: Span) -> Flow {
        if model.table.is_none() {
            let class = &model.class;
            if WRITES.contains(&&**name) {
                let reason = format!("which table `{class}` stands for is not known");
                let reach = if MAKES_ONE.contains(&&**name) { Reach::OneRow } else { Reach::Rows };
                self.counting(at, None, |evaluator| evaluator.unread_writes(reason, Vec::new(), reach, at));
            }
        }
        self.on_relation(Relation::all(Arc::new(model)), name, given, at)
    }

    /// A method of a relation that is none of Active Record's: a scope or a class method of its model.
    pub(super) fn own_query(&mut self, relation: &Relation, name: &Arc<str>, given: &Given, at: Span) -> Option<Flow> {
        let class = relation.model.class.clone();
        if class.is_empty() {
            return None;
        }
        let me = self.make(Thing::Relation(Box::new(relation.clone())));
        if let Some(lambda) = self.scope_of(&class, name) {
            let inner = Activation {
                scope: self.scopes.open(None, self.things.len()),
                class,
                on_class: true,
                block: None,
                site: self.here.site,
                me: Some(me),
                method: name.clone(),
            };
            let given = given.clone();
            return Some(self.activation(inner, at, &mut |evaluator| {
                let lambda = evaluator.node(&lambda)?;
                evaluator.call_block(&lambda, given.clone(), at)
            }));
        }
        let (owner, method) = self.index.method(&class, name, true).filter(|_| self.index.has(&class))?;
        let outer = self.here.me.replace(me);
        let ran = self.own_method(&owner, &method, true, given.clone(), at);
        self.here.me = outer;
        Some(ran)
    }

    /// `Class.new(ActiveRecord::Base) { self.table_name = 'x' }`
    pub(super) fn new_class(&mut self, given: &Given, at: Span) -> Flow {
        let table = match given.first() {
            Some(Value::Constant(above)) if !is_base(above) => self.model_of(above).and_then(|model| model.table),
            Some(Value::Object(object)) => match self.thing(*object) {
                Some(Thing::Model(model)) => model.table.clone(),
                _ => None,
            },
            _ => None,
        };
        let class = self.make(Thing::Model(Model { class: "".into(), table }));
        if let Some(block) = &given.block {
            self.call_with_self(block, class.clone(), at)?;
        }
        Ok(class)
    }

    /// `Name = Class.new(…)` names it.
    pub(super) fn name_model(&mut self, value: &Value, path: &str) {
        let Value::Object(object) = value else { return };
        let table = self.table_of(path);
        if let Some(Thing::Model(model)) = self.things.get_mut(object.number as usize)
            && model.class.is_empty()
        {
            model.class = path.into();
            model.table.get_or_insert_with(|| table.into());
        }
    }

    pub(super) fn model_object(&mut self, object: Object, name: &Arc<str>, given: Given, at: Span) -> Flow {
        let Some(Thing::Model(model)) = self.thing(object) else { return Ok(Value::Nil) };
        let model = model.clone();
        match &**name {
            "table_name=" => {
                let table = given.first().and_then(Value::to_text);
                if let Some(Thing::Model(model)) = self.things.get_mut(object.number as usize) {
                    model.table = table;
                }
                Ok(Value::Nil)
            }
            "connection" => Ok(self.make(Thing::Connection)),
            "transaction" => self.transaction(given.block.clone(), &given, at),
            "name" | "to_s" => Ok(Value::text(&*model.class)),
            "reset_column_information"
            | "include"
            | "extend"
            | "scope"
            | "belongs_to"
            | "has_many"
            | "has_one"
            | "enum"
            | "attribute"
            | "serialize"
            | "store_accessor"
            | "default_scope"
            | "validates" => Ok(Value::Nil),
            other if other.ends_with('=') => Ok(Value::Nil),
            "new" => Ok(self.new_row(Arc::new(model), &given)),
            _ => self.on_model(model, name, given, at),
        }
    }

    /// Runs a block with another `self`.
    pub(super) fn call_with_self(&mut self, block: &Value, me: Value, at: Span) -> Flow {
        let Some(Thing::Procedure { block: body, around, is_lambda }) = self.thing_of(block).cloned() else {
            return Ok(Value::Nil);
        };
        let around = Activation { me: Some(me.clone()), ..around };
        let bound = self.make(Thing::Procedure { block: body, around, is_lambda });
        self.call_block(&bound, Given::of(vec![me]), at)
    }
}

/// What asks for rows without a doubt: other classes have `new`, `find` and `import` too.
fn is_query_only(name: &str) -> bool {
    matches!(
        name,
        "where"
            | "find_each"
            | "in_batches"
            | "find_in_batches"
            | "update_all"
            | "delete_all"
            | "destroy_all"
            | "insert_all"
            | "insert_all!"
            | "upsert_all"
            | "find_by"
            | "find_by!"
            | "find_or_create_by"
            | "find_or_create_by!"
            | "pluck"
            | "unscoped"
            | "joins"
            | "create!"
            | "update_counters"
            | "each_batch"
    )
}

/// Classes that others are rows of.
fn is_base(class: &str) -> bool {
    let last = class.rsplit("::").next().unwrap_or(class);
    matches!(class, "ActiveRecord::Base" | "::ActiveRecord::Base")
        || matches!(last, "ApplicationRecord" | "MigrationRecord" | "BaseRecord" | "SharedModel")
        || (last.ends_with("Record") && last.len() > 6)
        || class.ends_with("::ApplicationRecord")
}

fn stated_in(body: &[Ruby]) -> Option<Arc<str>> {
    body.iter().find_map(|node| match &node.kind {
        RubyKind::Assign { target: RubyTarget::Attribute(object, name), value, .. }
            if &**name == "table_name" && object.kind == RubyKind::SelfObject =>
        {
            symbol(value)
        }
        _ => None,
    })
}

/// A string or symbol without code in it.
pub(super) fn symbol(node: &Ruby) -> Option<Arc<str>> {
    match &node.kind {
        RubyKind::String(parts) | RubyKind::Symbol(parts) => match parts.as_slice() {
            [crate::operation::RubyPart::Text(text)] => Some(text.text().into()),
            _ => None,
        },
        RubyKind::Call(call) if &*call.name == "freeze" => symbol(call.receiver.as_ref()?),
        _ => None,
    }
}

/// What changes rows whatever it is called on.
pub(super) fn changes_rows(name: &str) -> bool {
    WRITES.contains(&name) && !matches!(name, "insert" | "delete" | "update" | "import" | "create" | "save" | "touch")
}

/// It may give rows: a word without an end that says that it asks, sets or changes something.
pub(super) fn may_be_scope(name: &str) -> bool {
    let is_word = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    is_word && !READS.contains(&name) && !WRITES.contains(&name) && !name.starts_with("sanitize")
}
