//! Expressions, queries and writes: as much of them as plimsoll asks about.
//!
//! The trees are ours, so that nothing outside `read::sql` depends on a parser's types. What has no
//! node of its own becomes [`Expr::Other`] with its children: a question about it answers "unknown",
//! never "no".

use std::fmt;
use std::sync::Arc;

use super::{Ident, Name, TypeName};
use crate::source::Span;

/// An expression as written, with its tree.
#[derive(Debug, Clone)]
pub struct Expression {
    /// The source text, without surrounding white space.
    pub text: Arc<str>,
    pub span: Span,
    pub tree: Expr,
}

/// Two expressions are equal where their trees are, wherever they stand.
impl PartialEq for Expression {
    fn eq(&self, other: &Expression) -> bool {
        self.tree == other.tree
    }
}

/// The tree of an expression. Operators are as written; keyword operators are upper case.
#[derive(Debug, Clone, PartialEq)]
pub enum Expr {
    /// `qualifier.name`; `qualifier` is the last part before the name: a table, an alias, `new`, `old`.
    Column {
        qualifier: Option<Ident>,
        name: Ident,
    },
    /// `qualifier.*` as a value: `NEW.*`, a whole row.
    Row {
        qualifier: Ident,
    },
    Constant(Constant),
    /// `$1`, `$2`.
    Parameter(Arc<str>),
    Call {
        function: Name,
        arguments: Vec<Expr>,
    },
    Unary {
        operator: Arc<str>,
        operand: Box<Expr>,
    },
    Binary {
        operator: Arc<str>,
        left: Box<Expr>,
        right: Box<Expr>,
    },
    /// Flattened: never holds another `And` directly.
    And(Vec<Expr>),
    /// Flattened likewise.
    Or(Vec<Expr>),
    Not(Box<Expr>),
    IsNull(Box<Expr>),
    /// `a IS [NOT] DISTINCT FROM b` is `Distinct`, negated by `Not`.
    Distinct(Box<Expr>, Box<Expr>),
    /// `value IN (list)`; `NOT IN` is wrapped in `Not`.
    In {
        value: Box<Expr>,
        list: Vec<Expr>,
    },
    InQuery {
        value: Box<Expr>,
        query: Box<Query>,
    },
    Exists(Box<Query>),
    Subquery(Box<Query>),
    Cast {
        value: Box<Expr>,
        to: TypeName,
    },
    /// A row or list constructor: `(a, b)`, `ARRAY[a, b]`.
    List(Vec<Expr>),
    Case {
        branches: Vec<(Expr, Expr)>,
        otherwise: Option<Box<Expr>>,
    },
    /// Anything else: its text with white space folded, and the expressions in it.
    Other {
        text: Arc<str>,
        parts: Vec<Expr>,
    },
}

/// A literal.
#[derive(Debug, Clone, PartialEq)]
pub enum Constant {
    Null,
    Bool(bool),
    /// As written, without a sign.
    Number(Arc<str>),
    /// Decoded.
    String(Arc<str>),
    /// `DEFAULT` as a value in INSERT or UPDATE.
    Default,
}

impl Expr {
    /// A value that only the program knows: no statement of ours can say it.
    pub fn has_parameter(&self) -> bool {
        let mut found = false;
        self.walk(&mut |one| found |= matches!(one, Expr::Parameter(_)));
        found
    }

    /// Calls `visit` on this expression and all below it, subqueries' own expressions excluded.
    pub fn walk<'a>(&'a self, visit: &mut dyn FnMut(&'a Expr)) {
        visit(self);
        for child in self.children() {
            child.walk(visit);
        }
    }

    /// The expressions directly below, in order of writing.
    pub fn children(&self) -> Vec<&Expr> {
        match self {
            Expr::Column { .. }
            | Expr::Row { .. }
            | Expr::Constant(_)
            | Expr::Parameter(_)
            | Expr::Exists(_)
            | Expr::Subquery(_) => Vec::new(),
            Expr::Call { arguments: list, .. }
            | Expr::And(list)
            | Expr::Or(list)
            | Expr::List(list)
            | Expr::Other { parts: list, .. } => list.iter().collect(),
            Expr::Unary { operand: one, .. }
            | Expr::Not(one)
            | Expr::IsNull(one)
            | Expr::Cast { value: one, .. }
            | Expr::InQuery { value: one, .. } => vec![one],
            Expr::Binary { left, right, .. } | Expr::Distinct(left, right) => vec![left, right],
            Expr::In { value, list } => std::iter::once(&**value).chain(list).collect(),
            Expr::Case { branches, otherwise } => {
                let branches = branches.iter().flat_map(|(condition, value)| [condition, value]);
                branches.chain(otherwise.as_deref()).collect()
            }
        }
    }

    /// A copy in which `replace` has put other expressions in the place of some; below those it does not look.
    pub fn map(&self, replace: &mut dyn FnMut(&Expr) -> Option<Expr>) -> Expr {
        if let Some(other) = replace(self) {
            return other;
        }
        let mut all = |list: &[Expr]| list.iter().map(|item| item.map(replace)).collect::<Vec<Expr>>();
        match self {
            Expr::Column { .. }
            | Expr::Row { .. }
            | Expr::Constant(_)
            | Expr::Parameter(_)
            | Expr::Exists(_)
            | Expr::Subquery(_) => self.clone(),
            Expr::Call { function, arguments } => Expr::Call { function: function.clone(), arguments: all(arguments) },
            Expr::And(list) => Expr::And(all(list)),
            Expr::Or(list) => Expr::Or(all(list)),
            Expr::List(list) => Expr::List(all(list)),
            Expr::Other { text, parts } => Expr::Other { text: text.clone(), parts: all(parts) },
            Expr::Unary { operator, operand } => {
                Expr::Unary { operator: operator.clone(), operand: Box::new(operand.map(replace)) }
            }
            Expr::Not(one) => Expr::Not(Box::new(one.map(replace))),
            Expr::IsNull(one) => Expr::IsNull(Box::new(one.map(replace))),
            Expr::Cast { value, to } => Expr::Cast { value: Box::new(value.map(replace)), to: to.clone() },
            Expr::InQuery { value, query } => {
                Expr::InQuery { value: Box::new(value.map(replace)), query: query.clone() }
            }
            Expr::Binary { operator, left, right } => Expr::Binary {
                operator: operator.clone(),
                left: Box::new(left.map(replace)),
                right: Box::new(right.map(replace)),
            },
            Expr::Distinct(left, right) => Expr::Distinct(Box::new(left.map(replace)), Box::new(right.map(replace))),
            Expr::In { value, list } => {
                let value = Box::new(value.map(replace));
                Expr::In { value, list: list.iter().map(|item| item.map(replace)).collect() }
            }
            Expr::Case { branches, otherwise } => Expr::Case {
                branches: branches
                    .iter()
                    .map(|(condition, value)| (condition.map(replace), value.map(replace)))
                    .collect(),
                otherwise: otherwise.as_ref().map(|value| Box::new(value.map(replace))),
            },
        }
    }

    /// The queries in this expression, at any depth.
    pub fn queries(&self) -> Vec<&Query> {
        let mut found = Vec::new();
        self.walk(&mut |expr| match expr {
            Expr::InQuery { query, .. } | Expr::Exists(query) | Expr::Subquery(query) => found.push(&**query),
            _ => {}
        });
        found
    }

    /// The columns named, each once, in order of first appearance.
    pub fn columns(&self) -> Vec<&Ident> {
        let mut found: Vec<&Ident> = Vec::new();
        self.walk(&mut |expr| {
            if let Expr::Column { name, .. } = expr
                && !found.contains(&name)
            {
                found.push(name);
            }
        });
        found
    }

    /// The functions called, as named.
    pub fn calls(&self) -> Vec<&Name> {
        self.called().into_iter().map(|(function, _)| function).collect()
    }

    /// The functions called, with their arguments.
    pub fn called(&self) -> Vec<(&Name, &[Expr])> {
        let mut found = Vec::new();
        self.walk(&mut |expr| {
            if let Expr::Call { function, arguments } = expr {
                found.push((function, arguments.as_slice()));
            }
        });
        found
    }

    /// A column by its name alone.
    pub fn bare(name: &Ident) -> Expr {
        Expr::Column { qualifier: None, name: name.clone() }
    }

    pub fn is_not_null(self) -> Expr {
        Expr::Not(Box::new(Expr::IsNull(Box::new(self))))
    }

    /// A plain column reference, whatever its qualifier; casts are looked through.
    pub fn as_column(&self) -> Option<(Option<&Ident>, &Ident)> {
        match self {
            Expr::Column { qualifier, name } => Some((qualifier.as_ref(), name)),
            Expr::Cast { value, .. } => value.as_column(),
            _ => None,
        }
    }

    pub fn is_null_constant(&self) -> bool {
        match self {
            Expr::Constant(Constant::Null) => true,
            Expr::Cast { value, .. } => value.is_null_constant(),
            _ => false,
        }
    }
}

/// A SELECT, or several joined by UNION and the like.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Query {
    pub with: Vec<CommonTable>,
    pub outputs: Vec<Output>,
    pub from: Vec<FromItem>,
    pub filter: Option<Expr>,
    /// DISTINCT, GROUP BY, HAVING or an aggregate: rows are merged.
    pub merges_rows: bool,
    /// LIMIT, OFFSET or FETCH.
    pub limited: bool,
    /// FOR UPDATE and the like, the strongest named.
    pub row_lock: Option<RowLock>,
    /// UNION, INTERSECT, EXCEPT: the other arms; `outputs`, `from` and `filter` are the first one's.
    pub arms: Vec<Query>,
    /// Rows written out: `VALUES (…), (…)`.
    pub values: Vec<Vec<Expr>>,
    /// `INTO target` of PL/pgSQL: a variable. SELECT INTO of a table is read as CREATE TABLE AS.
    pub into: Option<Name>,
    /// PL/pgSQL's further targets, one per further output.
    pub into_rest: Vec<Name>,
}

/// One column of a query's result.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    Value {
        value: Expr,
        alias: Option<Ident>,
    },
    /// `*` or `qualifier.*`.
    All {
        qualifier: Option<Ident>,
    },
}

/// `WITH name AS (…)`.
#[derive(Debug, Clone, PartialEq)]
pub struct CommonTable {
    pub name: Ident,
    pub body: CommonTableBody,
}

#[derive(Debug, Clone, PartialEq)]
pub enum CommonTableBody {
    Query(Box<Query>),
    Write(Box<Write>),
}

/// One item of FROM or USING, with how it is joined to those before it.
#[derive(Debug, Clone, PartialEq)]
pub struct FromItem {
    pub source: FromSource,
    pub alias: Option<Ident>,
    pub join: Join,
    pub on: Option<Expr>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum FromSource {
    Relation {
        name: Name,
        only: bool,
    },
    Query(Box<Query>),
    Function {
        name: Name,
        arguments: Vec<Expr>,
    },
    /// `(VALUES …)`, table samples and others.
    Other,
}

impl FromItem {
    /// Rows that stand in the statement itself, here or in its WITH: VALUES, an array, a SELECT of no table.
    pub fn is_list(&self, with: &[CommonTable]) -> bool {
        match &self.source {
            FromSource::Query(query) => query.is_list(),
            FromSource::Function { name, arguments } => {
                let is_given = |one: &Expr| one.columns().is_empty() && one.queries().is_empty();
                name.name.as_str() != "generate_series" && arguments.iter().all(is_given)
            }
            FromSource::Relation { name, .. } => with.iter().any(|table| {
                let list = matches!(&table.body, CommonTableBody::Query(query) if query.is_list());
                list && name.schema.is_none() && table.name == name.name
            }),
            FromSource::Other => false,
        }
    }

    /// The name that column references use for this item.
    pub fn label(&self) -> Option<&Ident> {
        self.alias.as_ref().or(match &self.source {
            FromSource::Relation { name, .. } | FromSource::Function { name, .. } => Some(&name.name),
            FromSource::Query(_) | FromSource::Other => None,
        })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Join {
    /// The first item, or one after a comma.
    None,
    Inner,
    Left,
    Right,
    Full,
    Cross,
}

/// Row locks, weakest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RowLock {
    KeyShare,
    Share,
    NoKeyUpdate,
    Update,
}

impl Query {
    /// The relations read by this query at any depth, as named; names of its own WITH are left out.
    pub fn reads(&self) -> Vec<&Name> {
        let mut found = Vec::new();
        self.collect_reads(&mut found);
        let own: Vec<&Ident> = self.with.iter().map(|table| &table.name).collect();
        found.retain(|name| name.schema.is_some() || !own.contains(&&name.name));
        found
    }

    fn collect_reads<'a>(&'a self, found: &mut Vec<&'a Name>) {
        for table in &self.with {
            match &table.body {
                CommonTableBody::Query(query) => found.extend(query.reads()),
                CommonTableBody::Write(write) => found.extend(write.reads()),
            }
        }
        for item in &self.from {
            item.collect_reads(found);
        }
        for expr in self.expressions() {
            for query in expr.queries() {
                found.extend(query.reads());
            }
        }
        for arm in &self.arms {
            found.extend(arm.reads());
        }
    }

    /// It reads no table.
    fn is_list(&self) -> bool {
        self.from.is_empty() && self.arms.iter().all(Query::is_list)
    }

    /// The expressions of this query's own level: outputs, filter, VALUES.
    pub fn expressions(&self) -> Vec<&Expr> {
        let outputs = self.outputs.iter().filter_map(|output| match output {
            Output::Value { value, .. } => Some(value),
            Output::All { .. } => None,
        });
        outputs.chain(&self.filter).chain(self.values.iter().flatten()).collect()
    }

    /// The writes in this query's WITH.
    pub fn writes(&self) -> Vec<&Write> {
        let own = self.with.iter().filter_map(|table| match &table.body {
            CommonTableBody::Write(write) => Some(&**write),
            CommonTableBody::Query(_) => None,
        });
        own.collect()
    }

    /// The functions called anywhere in this query, subqueries included.
    pub fn calls(&self) -> Vec<&Name> {
        self.called().into_iter().map(|(function, _)| function).collect()
    }

    /// The functions called, with their arguments; those that a write in WITH calls have none here.
    pub fn called(&self) -> Vec<(&Name, &[Expr])> {
        let mut found = Vec::new();
        for expr in self.expressions() {
            found.extend(expr.called());
            for query in expr.queries() {
                found.extend(query.called());
            }
        }
        for item in &self.from {
            match &item.source {
                FromSource::Function { name, arguments } => {
                    found.push((name, arguments));
                    found.extend(arguments.iter().flat_map(Expr::called));
                }
                FromSource::Query(query) => found.extend(query.called()),
                FromSource::Relation { .. } | FromSource::Other => {}
            }
            found.extend(item.on.iter().flat_map(Expr::called));
        }
        for table in &self.with {
            match &table.body {
                CommonTableBody::Query(query) => found.extend(query.called()),
                CommonTableBody::Write(write) => found.extend(write.calls().into_iter().map(|name| (name, &[][..]))),
            }
        }
        found.extend(self.arms.iter().flat_map(Query::called));
        found
    }
}

impl FromItem {
    fn collect_reads<'a>(&'a self, found: &mut Vec<&'a Name>) {
        match &self.source {
            FromSource::Relation { name, .. } => found.push(name),
            FromSource::Query(query) => found.extend(query.reads()),
            FromSource::Function { arguments, .. } => {
                found.extend(arguments.iter().flat_map(Expr::queries).flat_map(Query::reads));
            }
            FromSource::Other => {}
        }
        if let Some(on) = &self.on {
            found.extend(on.queries().into_iter().flat_map(Query::reads));
        }
    }
}

/// A statement that changes rows.
#[derive(Debug, Clone, PartialEq)]
pub struct Write {
    pub kind: WriteKind,
    pub target: Name,
    pub alias: Option<Ident>,
    pub only: bool,
    pub with: Vec<CommonTable>,
    /// INSERT and COPY: the column list; empty means all columns in order.
    pub columns: Vec<Ident>,
    /// INSERT: where its rows come from.
    pub rows: Rows,
    /// UPDATE: `SET column = value`, in order. A row assignment from a subquery has one entry per column.
    pub assignments: Vec<(Ident, Expr)>,
    /// Those of the values that are more than a column or a constant, as written.
    pub worded: Vec<(Ident, Arc<str>)>,
    /// UPDATE … FROM, DELETE … USING, MERGE … USING.
    pub from: Vec<FromItem>,
    pub filter: Option<Expr>,
    pub on_conflict: Option<OnConflict>,
    /// MERGE: what its WHEN branches do.
    pub merge: Vec<WriteKind>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WriteKind {
    Insert,
    Update,
    Delete,
    Merge,
    /// COPY … FROM.
    Copy,
}

/// The rows of an INSERT.
#[derive(Debug, Clone, PartialEq)]
pub enum Rows {
    /// Not an INSERT, or rows given at run time (COPY, MERGE).
    None,
    /// DEFAULT VALUES.
    Defaults,
    /// Literal rows: the first one, and how many there are. Later ones say nothing new.
    Values {
        first: Vec<Expr>,
        count: usize,
    },
    Query(Box<Query>),
}

/// `ON CONFLICT (columns) | ON CONSTRAINT name DO …`.
#[derive(Debug, Clone, PartialEq)]
pub struct OnConflict {
    pub columns: Vec<Ident>,
    /// Elements of the target that are no plain columns.
    pub expressions: Vec<Expr>,
    /// `ON CONFLICT (…) WHERE …`: only a partial unique index with this predicate is meant.
    pub index_filter: Option<Expr>,
    pub constraint: Option<Ident>,
    /// `None`: DO NOTHING.
    pub update: Option<Vec<(Ident, Expr)>>,
    pub filter: Option<Expr>,
}

impl Write {
    pub fn new(kind: WriteKind, target: Name) -> Write {
        Write {
            kind,
            target,
            alias: None,
            only: false,
            with: Vec::new(),
            columns: Vec::new(),
            rows: Rows::None,
            assignments: Vec::new(),
            worded: Vec::new(),
            from: Vec::new(),
            filter: None,
            on_conflict: None,
            merge: Vec::new(),
        }
    }

    /// The value that an UPDATE gives a column, as SQL; `None` where its text was not kept.
    pub fn text_of(&self, column: &Ident) -> Option<String> {
        if let Some((_, text)) = self.worded.iter().find(|(name, _)| name == column) {
            return Some(text.to_string());
        }
        let (_, value) = self.assignments.iter().find(|(name, _)| name == column)?;
        matches!(value, Expr::Column { .. } | Expr::Constant(_)).then(|| value.to_string())
    }

    /// The expressions of this write's own level.
    pub fn expressions(&self) -> Vec<&Expr> {
        let assigned = self.assignments.iter().map(|(_, value)| value);
        let values = match &self.rows {
            Rows::Values { first, .. } => first.as_slice(),
            Rows::None | Rows::Defaults | Rows::Query(_) => &[],
        };
        let conflict = self.on_conflict.iter().flat_map(|conflict| {
            let updates = conflict.update.iter().flatten().map(|(_, value)| value);
            updates.chain(&conflict.filter)
        });
        assigned.chain(values).chain(conflict).chain(&self.filter).collect()
    }

    /// The relations read (not the target), as named.
    pub fn reads(&self) -> Vec<&Name> {
        let mut found = Vec::new();
        for table in &self.with {
            match &table.body {
                CommonTableBody::Query(query) => found.extend(query.reads()),
                CommonTableBody::Write(write) => found.extend(write.reads()),
            }
        }
        if let Rows::Query(query) = &self.rows {
            found.extend(query.reads());
        }
        for item in &self.from {
            item.collect_reads(&mut found);
        }
        found.extend(self.expressions().into_iter().flat_map(Expr::queries).flat_map(Query::reads));
        let own: Vec<&Ident> = self.with.iter().map(|table| &table.name).collect();
        found.retain(|name| name.schema.is_some() || !own.contains(&&name.name));
        found
    }

    /// This write and those in its WITH, in the order they run.
    pub fn all(&self) -> Vec<&Write> {
        let nested = self.with.iter().filter_map(|table| match &table.body {
            CommonTableBody::Write(write) => Some(write.all()),
            CommonTableBody::Query(_) => None,
        });
        nested.flatten().chain(std::iter::once(self)).collect()
    }

    pub fn calls(&self) -> Vec<&Name> {
        let mut found: Vec<&Name> = self.expressions().into_iter().flat_map(Expr::calls).collect();
        if let Rows::Query(query) = &self.rows {
            found.extend(query.calls());
        }
        found
    }
}

impl fmt::Display for WriteKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            WriteKind::Insert => "INSERT",
            WriteKind::Update => "UPDATE",
            WriteKind::Delete => "DELETE",
            WriteKind::Merge => "MERGE",
            WriteKind::Copy => "COPY",
        })
    }
}
