//! Where the values of a trigger's writes come from.

use super::walk::{Scope, Walk, plain};
use super::{Conflict, FeedKind, FeedRead, FeedWrite, Value};
use crate::operation::{Expr, FromItem, FromSource, Ident, Output, Query, Rows, Write, WriteKind};
use crate::schema::{Function, Relation, RelationId};
use crate::source::Span;

impl Walk<'_> {
    pub(super) fn write(&mut self, write: &Write, span: Span, scope: &Scope) {
        if !self.names.contains(&write.target.name) {
            self.names.push(write.target.name.clone());
        }
        let Some(target) = self.schema.find_in(&write.target, &self.path) else { return };
        let mut guards = scope.guards.clone();
        let mut surplus = 0;
        let mut key = Vec::new();
        let (kind, values) = match write.kind {
            WriteKind::Insert => {
                let conflict = match &write.on_conflict {
                    None => Conflict::Fails,
                    Some(conflict) if conflict.update.is_none() => Conflict::Ignored,
                    Some(_) => Conflict::Updates,
                };
                (FeedKind::Insert { conflict }, self.inserted(write, target, scope, &mut guards, &mut surplus))
            }
            WriteKind::Update => {
                key = self.compared(write, target, scope);
                let values = write.assignments.iter();
                let values = values.map(|(column, value)| (column.clone(), self.value(value, &[], false, scope)));
                (FeedKind::Update, values.collect())
            }
            WriteKind::Delete => {
                key = self.compared(write, target, scope);
                (FeedKind::Delete, Vec::new())
            }
            WriteKind::Merge => {
                self.unread.push((span, "writes by MERGE"));
                return;
            }
            WriteKind::Copy => return,
        };
        let caught = scope.caught.clone();
        let asked = match &write.filter {
            Some(Expr::And(list)) => list.len(),
            Some(_) => 1,
            None => 0,
        };
        let bounded = scope.bounded || asked > key.len();
        let write = FeedWrite { events: scope.events, kind, values, key, guards, bounded, surplus, caught, span };
        self.found.push((target.id, write));
    }

    /// Column and value of each column that an INSERT sets.
    fn inserted(
        &self,
        write: &Write,
        target: &Relation,
        scope: &Scope,
        guards: &mut Vec<Expr>,
        surplus: &mut usize,
    ) -> Vec<(Ident, Value)> {
        let mut values = Vec::new();
        match &write.rows {
            Rows::Values { first, .. } => {
                for value in first {
                    if !self.expand(value, &[], false, scope, &mut values) {
                        return unknown(&write.columns, target);
                    }
                }
            }
            Rows::Query(query) => {
                let rows = self.row_labels(&query.from);
                // Beside another table a bare name may be either's.
                let alone = rows.len() == 1 && query.from.len() == 1;
                if let Some(filter) = &query.filter {
                    guards.extend(plain(&substitute(filter, scope)));
                }
                for output in &query.outputs {
                    match output {
                        Output::Value { value, .. } => {
                            if !self.expand(value, &rows, alone, scope, &mut values) {
                                return unknown(&write.columns, target);
                            }
                        }
                        Output::All { qualifier } => {
                            let ours = match qualifier {
                                Some(name) => rows.contains(name) || name == "new",
                                None => alone,
                            };
                            if !ours {
                                // How many columns it stands for is not known, nor what comes after it.
                                return unknown(&write.columns, target);
                            }
                            values.extend(self.source_columns().map(Value::Source));
                        }
                    }
                }
            }
            Rows::None | Rows::Defaults => {}
        }
        let columns: Vec<Ident> = match (write.columns.as_slice(), target.as_table()) {
            ([], Some(table)) => table.columns.iter().map(|column| column.name.clone()).collect(),
            (named, _) => named.to_vec(),
        };
        *surplus = values.len().saturating_sub(columns.len());
        columns.into_iter().zip(values).collect()
    }

    /// The aliases under which transition tables stand in FROM.
    fn row_labels(&self, from: &[FromItem]) -> Vec<Ident> {
        let tables = [&self.trigger.new_table, &self.trigger.old_table];
        let ours = from.iter().filter(|item| match &item.source {
            FromSource::Relation { name, .. } => tables.iter().any(|table| table.as_ref() == Some(&name.name)),
            FromSource::Query(_) | FromSource::Function { .. } | FromSource::Other => false,
        });
        ours.filter_map(|item| item.label().cloned()).collect()
    }

    fn source_columns(&self) -> impl Iterator<Item = Ident> {
        let table = self.source.as_table();
        let columns = table.map(|table| table.columns.as_slice()).unwrap_or_default();
        columns.iter().map(|column| column.name.clone())
    }

    /// The values that an expression stands for; false where their number is not known: a row variable's `*`.
    fn expand(&self, value: &Expr, rows: &[Ident], alone: bool, scope: &Scope, values: &mut Vec<Value>) -> bool {
        match value {
            Expr::Row { qualifier } if qualifier == "new" || rows.contains(qualifier) => {
                values.extend(self.source_columns().map(Value::Source));
            }
            Expr::Row { qualifier } if qualifier == "old" => values.extend(self.source_columns().map(Value::Old)),
            Expr::Row { .. } => return false,
            Expr::List(items) => return items.iter().all(|item| self.expand(item, rows, alone, scope, values)),
            other => values.push(self.value(other, rows, alone, scope)),
        }
        true
    }

    fn value(&self, value: &Expr, rows: &[Ident], alone: bool, scope: &Scope) -> Value {
        let value = substitute(value, scope);
        match value.as_column() {
            Some((Some(qualifier), name)) if qualifier == "new" || rows.contains(qualifier) => {
                return Value::Source(name.clone());
            }
            Some((Some(qualifier), name)) if qualifier == "old" => return Value::Old(name.clone()),
            Some((None, name)) if alone => return Value::Source(name.clone()),
            _ => {}
        }
        let mut own = true;
        value.walk(&mut |expr| {
            own &= match expr {
                Expr::Column { qualifier: Some(qualifier), .. } => qualifier == "new" || rows.contains(qualifier),
                Expr::Column { qualifier: None, .. }
                | Expr::Parameter(_)
                | Expr::Row { .. }
                | Expr::Subquery(_)
                | Expr::Exists(_)
                | Expr::InQuery { .. }
                | Expr::Other { .. } => false,
                _ => true,
            }
        });
        if !own {
            return Value::Unknown;
        }
        Value::Computed(strip_qualifiers(&value))
    }

    /// `target.column = NEW.column` of a WHERE.
    fn compared(&self, write: &Write, target: &Relation, scope: &Scope) -> Vec<(Ident, Ident)> {
        let Some(filter) = &write.filter else { return Vec::new() };
        let own = |name: &Ident| {
            *name == target.name.name || write.alias.as_ref() == Some(name) || *name == write.target.name
        };
        self.compared_in(filter, &own, &write.from, scope)
    }

    /// Where the body takes values from rows of a table.
    pub(super) fn reads_of(&self, target: RelationId) -> Vec<FeedRead> {
        let labels = |query: &Query| -> Option<Vec<Ident>> {
            let ours = query.from.iter().filter(|item| match &item.source {
                FromSource::Relation { name, .. } => {
                    self.schema.find_in(name, &self.path).is_some_and(|found| found.id == target)
                }
                FromSource::Query(_) | FromSource::Function { .. } | FromSource::Other => false,
            });
            let labels: Vec<Ident> = ours.filter_map(|item| item.label().cloned()).collect();
            (!labels.is_empty()).then_some(labels)
        };
        let reads = self.taken.iter().filter_map(|(query, scope, span)| {
            let labels = labels(query)?;
            let own = |name: &Ident| labels.contains(name);
            let filter = query.filter.as_ref();
            let key = filter.map(|filter| self.compared_in(filter, &own, &query.from, scope)).unwrap_or_default();
            Some(FeedRead { key, span: *span })
        });
        reads.collect()
    }

    fn compared_in(
        &self,
        filter: &Expr,
        is_target: &dyn Fn(&Ident) -> bool,
        from: &[FromItem],
        scope: &Scope,
    ) -> Vec<(Ident, Ident)> {
        let conjuncts: Vec<&Expr> = match filter {
            Expr::And(list) => list.iter().collect(),
            one => vec![one],
        };
        let own = |qualifier: Option<&Ident>| qualifier.is_none_or(is_target);
        let rows = self.row_labels(from);
        let row = |qualifier: Option<&Ident>| {
            qualifier.is_some_and(|name| name == "new" || name == "old" || rows.contains(name))
        };
        let pairs = conjuncts.into_iter().filter_map(|conjunct| {
            let Expr::Binary { operator, left, right } = conjunct else { return None };
            if &**operator != "=" {
                return None;
            }
            let (left, right) = (substitute(left, scope), substitute(right, scope));
            let (one, other) = (left.as_column()?, right.as_column()?);
            if row(other.0) && own(one.0) {
                Some((one.1.clone(), other.1.clone()))
            } else if row(one.0) && own(other.0) {
                Some((other.1.clone(), one.1.clone()))
            } else {
                None
            }
        });
        pairs.collect()
    }
}

pub(super) fn input_names(function: &Function) -> impl Iterator<Item = Ident> {
    use crate::operation::ArgumentMode;
    let inputs = function.arguments.iter().filter(|argument| match argument.mode {
        ArgumentMode::In | ArgumentMode::InOut | ArgumentMode::Variadic => true,
        ArgumentMode::Out | ArgumentMode::Table => false,
    });
    inputs.map(|argument| argument.name.clone().unwrap_or_else(|| Ident::new("")))
}

/// Every column that an INSERT sets, with nothing known of the values.
fn unknown(columns: &[Ident], target: &Relation) -> Vec<(Ident, Value)> {
    let all = target.as_table().map(|table| table.columns.as_slice()).unwrap_or_default();
    let names: Vec<Ident> =
        if columns.is_empty() { all.iter().map(|column| column.name.clone()).collect() } else { columns.to_vec() };
    names.into_iter().map(|name| (name, Value::Unknown)).collect()
}

/// Puts known expressions in the place of variables and `$n`.
pub(super) fn substitute(expr: &Expr, scope: &Scope) -> Expr {
    if scope.values.is_empty() && scope.fields.is_empty() && scope.using.is_empty() {
        return expr.clone();
    }
    expr.map(&mut |node| match node {
        Expr::Column { qualifier: None, name } => scope.values.get(name).cloned(),
        Expr::Column { qualifier: Some(row), name } => scope.fields.get(&(row.clone(), name.clone())).cloned(),
        Expr::Parameter(number) => {
            let number: usize = number.trim_start_matches('$').parse().ok()?;
            scope.using.get(number.checked_sub(1)?).cloned()
        }
        _ => None,
    })
}

/// `NEW.a` as `a`; OLD keeps its name, for it is another row.
pub fn strip_qualifiers(expr: &Expr) -> Expr {
    expr.map(&mut |node| match node {
        Expr::Column { qualifier: Some(qualifier), name } if qualifier != "old" => Some(Expr::bare(name)),
        _ => None,
    })
}
