//! sqlparser's expressions become ours. Knows no text but what it is given; never panics, refuses what is too deep.

use sqlparser::ast;

use super::types;
use crate::operation::{Constant, Expr, Ident, Name, TypeName};

/// Deepest tree that is made; whoever walks it may recurse.
const DEPTH: usize = 450;
/// Largest expression that is written twice where PostgreSQL evaluates it once (BETWEEN, CASE x WHEN).
const REPEATED_NODES: usize = 64;

pub(super) type Lowered<T> = Result<T, String>;

/// What one statement may cost, and what was seen on the way.
#[derive(Debug)]
pub(super) struct Lowering {
    /// Bytes that texts of [`Expr::Other`] may still take: each holds its parts' text again.
    text: usize,
    /// An aggregate was called at the level of the query being read.
    pub aggregates: bool,
    /// A table sample was read.
    pub sampled: bool,
    /// Row assignments being read.
    pub rows_open: usize,
    /// Targets of ON CONFLICT that `prepare` read, by their numbers.
    pub conflicts: Vec<ConflictTarget>,
    /// A name given to a table or query, without quotes, that is none to PostgreSQL.
    pub reserved: Option<String>,
}

/// `(columns, expressions) WHERE filter` of ON CONFLICT.
#[derive(Debug, Default)]
pub(super) struct ConflictTarget {
    pub columns: Vec<Ident>,
    pub expressions: Vec<Expr>,
    pub filter: Option<Expr>,
}

/// Begins quoted names that stand for something sqlparser has no syntax for; see `prepare`.
pub(super) const MARK: char = '\u{1}';

impl Lowering {
    pub fn new(length: usize, conflicts: Vec<ConflictTarget>) -> Lowering {
        Lowering {
            text: 8 * length + 65_536,
            aggregates: false,
            sampled: false,
            rows_open: 0,
            conflicts,
            reserved: None,
        }
    }

    pub fn expr(&mut self, expr: &ast::Expr, depth: usize) -> Lowered<Expr> {
        if depth > DEPTH {
            return Err("nested too deeply".to_owned());
        }
        match expr {
            ast::Expr::Nested(inner) => self.nested(inner, depth),
            ast::Expr::Identifier(name) => Ok(identifier(name)),
            ast::Expr::CompoundIdentifier(parts) => Ok(compound(parts)),
            ast::Expr::QualifiedWildcard(name, _) => Ok(Expr::Row { qualifier: self::name(name).name }),
            ast::Expr::Value(value) => Ok(constant(&value.value)),
            ast::Expr::BinaryOp { .. } => self.binary(expr, depth),
            ast::Expr::UnaryOp { op, expr } => self.unary(*op, expr, depth),
            ast::Expr::Function(function) => self.function(function, depth),
            ast::Expr::Cast { expr, data_type, .. } => self.cast(expr, data_type, depth),
            ast::Expr::Exists { subquery, negated } => self.exists(subquery, *negated, depth),
            ast::Expr::Subquery(query) => Ok(Expr::Subquery(Box::new(self.query(query, depth + 1)?))),
            ast::Expr::Case { .. } => self.case(expr, depth),
            ast::Expr::Tuple(list) => Ok(Expr::List(self.list(list, depth)?)),
            ast::Expr::Array(array) => Ok(Expr::List(self.list(&array.elem, depth)?)),
            ast::Expr::InList { .. }
            | ast::Expr::InSubquery { .. }
            | ast::Expr::Between { .. }
            | ast::Expr::Like { .. }
            | ast::Expr::ILike { .. }
            | ast::Expr::SimilarTo { .. }
            | ast::Expr::AnyOp { .. }
            | ast::Expr::AllOp { .. } => self.comparison(expr, depth),
            ast::Expr::IsNull(_)
            | ast::Expr::IsNotNull(_)
            | ast::Expr::IsTrue(_)
            | ast::Expr::IsNotTrue(_)
            | ast::Expr::IsFalse(_)
            | ast::Expr::IsNotFalse(_)
            | ast::Expr::IsUnknown(_)
            | ast::Expr::IsNotUnknown(_)
            | ast::Expr::IsDistinctFrom(..)
            | ast::Expr::IsNotDistinctFrom(..)
            | ast::Expr::IsJson { .. }
            | ast::Expr::IsNormalized { .. } => self.test(expr, depth),
            ast::Expr::CompoundFieldAccess { root, access_chain } => self.access(root, access_chain, depth),
            _ => self.special(expr, depth),
        }
    }

    pub fn boxed(&mut self, expr: &ast::Expr, depth: usize) -> Lowered<Box<Expr>> {
        Ok(Box::new(self.expr(expr, depth + 1)?))
    }

    pub fn list<'a>(&mut self, list: impl IntoIterator<Item = &'a ast::Expr>, depth: usize) -> Lowered<Vec<Expr>> {
        list.into_iter().map(|one| self.expr(one, depth + 1)).collect()
    }

    fn nested(&mut self, inner: &ast::Expr, depth: usize) -> Lowered<Expr> {
        let mut at = inner;
        while let ast::Expr::Nested(inner) = at {
            at = inner;
        }
        self.expr(at, depth)
    }

    fn binary(&mut self, expr: &ast::Expr, depth: usize) -> Lowered<Expr> {
        let ast::Expr::BinaryOp { left, op, right } = expr else { return self.other(expr, Vec::new()) };
        use ast::BinaryOperator as Op;
        let (operator, negated) = match op {
            Op::And | Op::Or => return self.chain(expr, op, depth),
            Op::PGLikeMatch => ("LIKE".into(), false),
            Op::PGNotLikeMatch => ("LIKE".into(), true),
            Op::PGILikeMatch => ("ILIKE".into(), false),
            Op::PGNotILikeMatch => ("ILIKE".into(), true),
            Op::PGCustomBinaryOperator(parts) => (parts.last().map_or("", String::as_str).into(), false),
            other => (other.to_string().into(), false),
        };
        let binary = Expr::Binary { operator, left: self.boxed(left, depth)?, right: self.boxed(right, depth)? };
        Ok(negate(binary, negated))
    }

    /// AND and OR, flattened. The parser's trees lean to the left, so a long row needs no recursion.
    fn chain(&mut self, expr: &ast::Expr, operator: &ast::BinaryOperator, depth: usize) -> Lowered<Expr> {
        let mut operands = Vec::new();
        let mut at = expr;
        loop {
            match at {
                ast::Expr::Nested(inner) => at = inner,
                ast::Expr::BinaryOp { left, op, right } if op == operator => {
                    operands.push(&**right);
                    at = left;
                }
                last => {
                    operands.push(last);
                    break;
                }
            }
        }
        let and = *operator == ast::BinaryOperator::And;
        let mut flat = Vec::with_capacity(operands.len());
        for operand in operands.into_iter().rev() {
            match self.expr(operand, depth + 1)? {
                Expr::And(inner) if and => flat.extend(inner),
                Expr::Or(inner) if !and => flat.extend(inner),
                one => flat.push(one),
            }
        }
        Ok(if and { Expr::And(flat) } else { Expr::Or(flat) })
    }

    fn unary(&mut self, operator: ast::UnaryOperator, operand: &ast::Expr, depth: usize) -> Lowered<Expr> {
        let operand = self.boxed(operand, depth)?;
        Ok(match operator {
            ast::UnaryOperator::Not => Expr::Not(operand),
            other => Expr::Unary { operator: other.to_string().into(), operand },
        })
    }

    fn cast(&mut self, value: &ast::Expr, to: &ast::DataType, depth: usize) -> Lowered<Expr> {
        Ok(Expr::Cast { value: self.boxed(value, depth)?, to: types::type_name(to) })
    }

    fn exists(&mut self, query: &ast::Query, negated: bool, depth: usize) -> Lowered<Expr> {
        Ok(negate(Expr::Exists(Box::new(self.query(query, depth + 1)?)), negated))
    }

    fn case(&mut self, expr: &ast::Expr, depth: usize) -> Lowered<Expr> {
        let ast::Expr::Case { operand, conditions, else_result, .. } = expr else {
            return self.other(expr, Vec::new());
        };
        let operand = operand.as_ref().map(|operand| self.expr(operand, depth + 1)).transpose()?;
        let small = operand.as_ref().is_none_or(is_small);
        let mut branches = Vec::new();
        for branch in conditions {
            let condition = self.expr(&branch.condition, depth + 2)?;
            let condition = match &operand {
                Some(operand) if small => compare("=", operand.clone(), condition),
                _ => condition,
            };
            branches.push((condition, self.expr(&branch.result, depth + 1)?));
        }
        let otherwise = else_result.as_ref().map(|value| self.boxed(value, depth)).transpose()?;
        match operand {
            Some(operand) if !small => {
                let inner = branches.into_iter().flat_map(|(condition, value)| [condition, value]);
                let parts = std::iter::once(operand).chain(inner).chain(otherwise.map(|value| *value));
                self.other(expr, parts.collect())
            }
            _ => Ok(Expr::Case { branches, otherwise }),
        }
    }

    /// `value[1]`, `(row).field`.
    fn access(&mut self, root: &ast::Expr, chain: &[ast::AccessExpr], depth: usize) -> Lowered<Expr> {
        let mut value = self.expr(root, depth + chain.len().min(DEPTH))?;
        for access in chain {
            value = match access {
                ast::AccessExpr::Dot(ast::Expr::Identifier(field)) => match value {
                    // `(NEW).field` is `NEW.field`.
                    Expr::Column { qualifier: None, name } if name == "new" || name == "old" => {
                        Expr::Column { qualifier: Some(name), name: ident(field) }
                    }
                    value => Expr::Unary { operator: format!(".{}", ident(field)).into(), operand: Box::new(value) },
                },
                ast::AccessExpr::Subscript(ast::Subscript::Index { index }) => {
                    compare("[]", value, self.expr(index, depth + 1)?)
                }
                other => {
                    let text = self.folded(other)?;
                    Expr::Unary { operator: text.into(), operand: Box::new(value) }
                }
            };
        }
        Ok(value)
    }

    pub fn other(&mut self, expr: &ast::Expr, parts: Vec<Expr>) -> Lowered<Expr> {
        Ok(Expr::Other { text: self.folded(expr)?.into(), parts })
    }

    /// The text of a node, folded; an error once all such texts together grow out of proportion.
    pub fn folded(&mut self, node: &impl std::fmt::Display) -> Lowered<String> {
        let mut text = Folded { text: String::new(), space: false, left: self.text };
        let fits = std::fmt::write(&mut text, format_args!("{node}")).is_ok();
        self.text = text.left;
        if fits { Ok(text.text) } else { Err("too much to keep".to_owned()) }
    }
}

/// Collects a text with its white space folded, up to a limit.
struct Folded {
    text: String,
    space: bool,
    left: usize,
}

impl std::fmt::Write for Folded {
    fn write_str(&mut self, part: &str) -> std::fmt::Result {
        self.left = self.left.checked_sub(part.len()).ok_or(std::fmt::Error)?;
        for one in part.chars() {
            if one.is_ascii_whitespace() {
                self.space = true;
                continue;
            }
            if std::mem::take(&mut self.space) && !self.text.is_empty() {
                self.text.push(' ');
            }
            self.text.push(one);
        }
        Ok(())
    }
}

pub(super) fn call(function: &str, arguments: Vec<Expr>) -> Expr {
    Expr::Call { function: Name::bare(function), arguments }
}

pub(super) fn compare(operator: &str, left: Expr, right: Expr) -> Expr {
    Expr::Binary { operator: operator.into(), left: Box::new(left), right: Box::new(right) }
}

pub(super) fn negate(expr: Expr, negated: bool) -> Expr {
    if negated { Expr::Not(Box::new(expr)) } else { expr }
}

pub(super) fn is_small(expr: &Expr) -> bool {
    fn count(expr: &Expr, left: &mut usize) -> bool {
        let Some(fewer) = left.checked_sub(1) else { return false };
        *left = fewer;
        match expr {
            Expr::Subquery(_) | Expr::Exists(_) | Expr::InQuery { .. } => false,
            _ => expr.children().into_iter().all(|child| count(child, left)),
        }
    }
    count(expr, &mut REPEATED_NODES.clone())
}

/// Unquoted names are folded in ASCII, as PostgreSQL does in multibyte encodings (`downcase_identifier()`).
pub(super) fn ident(ident: &ast::Ident) -> Ident {
    match ident.quote_style {
        None => Ident::new(ident.value.to_ascii_lowercase()),
        Some(_) => Ident::new(&ident.value),
    }
}

/// The last two parts of a name: a database in front says nothing.
pub(super) fn name(name: &ast::ObjectName) -> Name {
    let mut parts = name.0.iter().rev().filter_map(ast::ObjectNamePart::as_ident).map(ident);
    let last = parts.next().unwrap_or_else(|| Ident::new(""));
    Name { schema: parts.next(), name: last }
}

fn identifier(name: &ast::Ident) -> Expr {
    match name.quote_style {
        None if name.value.eq_ignore_ascii_case("default") => Expr::Constant(Constant::Default),
        Some(_) if name.value.starts_with(MARK) => {
            Expr::Other { text: name.value[MARK.len_utf8()..].into(), parts: Vec::new() }
        }
        _ => Expr::Column { qualifier: None, name: ident(name) },
    }
}

fn compound(parts: &[ast::Ident]) -> Expr {
    match parts {
        [.., qualifier, last] => Expr::Column { qualifier: Some(ident(qualifier)), name: ident(last) },
        [only] => identifier(only),
        [] => Expr::Constant(Constant::Null),
    }
}

pub(super) fn constant(value: &ast::Value) -> Expr {
    match value {
        ast::Value::Null => Expr::Constant(Constant::Null),
        ast::Value::Boolean(value) => Expr::Constant(Constant::Bool(*value)),
        ast::Value::Number(digits, _) => Expr::Constant(Constant::Number(digits.as_str().into())),
        ast::Value::Placeholder(name) => Expr::Parameter(name.as_str().into()),
        ast::Value::SingleQuotedByteStringLiteral(bits) => bit_string(bits),
        ast::Value::HexStringLiteral(digits) => bit_string(&format!("x{digits}")),
        other => {
            let text = other.clone().into_string().unwrap_or_else(|| other.to_string());
            Expr::Constant(Constant::String(text.into()))
        }
    }
}

fn bit_string(bits: &str) -> Expr {
    let value = Box::new(Expr::Constant(Constant::String(bits.into())));
    Expr::Cast { value, to: TypeName::built_in("bit") }
}
