//! ALTER … RENAME and SET SCHEMA.

use super::resolve::{Taken, quoted, quoted_name};
use super::{Change, Outcome, because, duplicate, missing, refused};
use crate::operation::{Expr, Expression, Ident, Name, ObjectKind, QualifiedName, Rename, SetSchema};
use crate::schema::{Column, ConstraintId, ConstraintRow, Part, RelationId, RelationKind, TypeKind};

impl Change<'_> {
    pub(super) fn rename(&mut self, rename: &Rename) -> Outcome {
        match (rename.kind, &rename.part) {
            (ObjectKind::Column, Some(part)) => self.rename_column_action(rename, part),
            (ObjectKind::Constraint, Some(part)) => {
                let Some(table) = self.altered(&rename.object, rename.if_exists, ObjectKind::Table)? else {
                    return Ok(());
                };
                self.rename_constraint(table, part, &rename.to, rename.only, false)
            }
            (ObjectKind::Trigger, Some(part)) => self.rename_trigger(rename, part),
            (ObjectKind::Policy | ObjectKind::Rule, Some(part)) => self.rename_part(rename, part),
            (ObjectKind::Type | ObjectKind::Domain, Some(part)) => self.rename_attribute(rename, part),
            (ObjectKind::Type | ObjectKind::Domain, None) => self.rename_type(rename),
            (ObjectKind::Schema, _) => self.rename_schema(&rename.object.name, &rename.to),
            (ObjectKind::Function | ObjectKind::Procedure | ObjectKind::Aggregate | ObjectKind::Routine, _) => {
                self.rename_function(&rename.object, &rename.to)
            }
            (ObjectKind::Extension | ObjectKind::Statistics | ObjectKind::Publication | ObjectKind::Other, _) => Ok(()),
            // ALTER TABLE … RENAME c TO d, whatever the relation is.
            (_, Some(part)) => self.rename_column_action(rename, part),
            (_, None) => self.rename_relation(rename),
        }
    }

    fn rename_column_action(&mut self, rename: &Rename, part: &Ident) -> Outcome {
        let Some(id) = self.altered(&rename.object, rename.if_exists, ObjectKind::Table)? else { return Ok(()) };
        match &self.schema.relation(id).kind {
            RelationKind::Table(_) => self.rename_column(id, rename, part),
            RelationKind::View(view) => {
                let Some(at) = view.columns.iter().position(|column| column == part) else {
                    if !view.columns_known {
                        return Ok(());
                    }
                    return Err(self.no_column(id, part, format!("column {} does not exist", quoted(part))));
                };
                if view.columns.contains(&rename.to) {
                    let message =
                        format!("column {} of relation {} already exists", quoted(&rename.to), quoted(&self.label(id)));
                    return Err(duplicate("42701", self.full(id), message));
                }
                let to = rename.to.clone();
                self.schema.edit_view(id, |view| {
                    if let Some(column) = view.columns.get_mut(at) {
                        *column = to;
                    }
                });
                Ok(())
            }
            RelationKind::Other => {
                self.must_be_table(id)?;
                self.rename_column(id, rename, part)
            }
            RelationKind::Index(_) | RelationKind::Sequence(_) => Err(self.wrong_kind(id, "a table")),
        }
    }

    fn rename_relation(&mut self, rename: &Rename) -> Outcome {
        // ALTER INDEX and ALTER TABLE rename any relation (`RangeVarCallbackForAlterRelation`).
        let target = match rename.kind {
            ObjectKind::Index => ObjectKind::Table,
            other => other,
        };
        let unseen = self.find(&rename.object).is_none();
        if unseen && rename.if_exists {
            // What was never seen most likely is not: its new name must not stand for a table nobody made.
            let text = format!("relation {} does not exist, skipping", quoted_name(&rename.object));
            self.notice(rename.object.to_string(), text);
            return Ok(());
        }
        if unseen
            && rename.kind != ObjectKind::Table
            && !self.schema.complete
            && self.schema.gone(&rename.object).is_none()
        {
            self.assume(&rename.object, Taken::Other);
        }
        let Some(id) = self.altered(&rename.object, rename.if_exists, target)? else { return Ok(()) };
        let to = QualifiedName::new(self.namespace(id), rename.to.clone());
        let makes_type = matches!(self.schema.relation(id).kind, RelationKind::Table(_) | RelationKind::View(_));
        if makes_type {
            self.row_type_is_free(&to)?
        } else {
            self.name_is_free(&to)?
        }
        if let Some(constraint) = self.as_index(id).and_then(|index| index.constraint) {
            self.rename_row(constraint, &rename.to)?;
        }
        self.outdate_views(id, |_| true);
        self.rename_relation_row(id, to);
        Ok(())
    }

    /// `RenameConstraintById`.
    fn rename_row(&mut self, id: ConstraintId, to: &Ident) -> Outcome {
        let Some(table) = self.schema.get_constraint(id).map(|row| row.table) else { return Ok(()) };
        if self.constraint_name_used(table, to) {
            return Err(self.constraint_exists(table, to));
        }
        self.rename_constraint_row(id, to);
        Ok(())
    }

    fn rename_constraint(
        &mut self,
        table: RelationId,
        from: &Ident,
        to: &Ident,
        only: bool,
        recursing: bool,
    ) -> Outcome {
        let Some(row) = self.find_row(table, from).cloned() else {
            if self.may_have_constraint(table, from) {
                return Ok(());
            }
            let gone = self.schema.gone_part(table, Part::Constraint, from).map(|gone| gone.by.clone());
            let message =
                format!("constraint {} for table {} does not exist", quoted(from), quoted(&self.label(table)));
            return Err(because(missing("42704", format!("{}.{from}", self.full(table)), message), gone.as_ref()));
        };
        let handed_down = matches!(row.kind, ConstraintRow::Check { .. } | ConstraintRow::NotNull) && !row.no_inherit;
        if handed_down {
            let children = self.children_in_order(table);
            if only && !children.is_empty() {
                let message = format!("inherited constraint {} must be renamed in child tables too", quoted(from));
                return Err(refused("42P16", format!("{}.{from}", self.full(table)), message));
            }
            if !only {
                for child in children {
                    self.rename_constraint(child, from, to, false, true)?;
                }
            }
            if row.inherited > u16::from(recursing) {
                let message = format!("cannot rename inherited constraint {}", quoted(from));
                return Err(refused("42P16", format!("{}.{from}", self.full(table)), message));
            }
        }
        let index = match row.kind {
            ConstraintRow::Primary { index } | ConstraintRow::Unique { index } | ConstraintRow::Exclude { index } => {
                Some(index)
            }
            _ => None,
        };
        if let Some(index) = index {
            let full = QualifiedName::new(self.namespace(index), to.clone());
            self.name_is_free(&full)?;
            self.rename_row(row.id, to)?;
            self.rename_relation_row(index, full);
            return Ok(());
        }
        self.rename_row(row.id, to)
    }

    fn rename_part(&mut self, rename: &Rename, part: &Ident) -> Outcome {
        let Some(table) = self.altered(&rename.object, rename.if_exists, ObjectKind::Table)? else { return Ok(()) };
        let (from, to) = (part.clone(), rename.to.clone());
        let found = self.schema.table(table);
        let names: Vec<&Ident> = match rename.kind {
            ObjectKind::Policy => found.policies.iter().map(|policy| &policy.name).collect(),
            _ => found.rules.iter().map(|rule| &rule.name).collect(),
        };
        let word = super::index::kind_word(rename.kind);
        if names.contains(&&to) {
            let message = format!("{word} {} for table {} already exists", quoted(&to), quoted(&self.label(table)));
            return Err(duplicate("42710", self.full(table), message));
        }
        if !names.contains(&&from) && !self.is_open(table) {
            let message = format!("{word} {} for table {} does not exist", quoted(&from), quoted(&self.label(table)));
            return Err(missing("42704", self.full(table), message));
        }
        let policy = rename.kind == ObjectKind::Policy;
        self.schema.edit_table(table, |table| {
            if policy {
                table.policies.iter_mut().filter(|one| one.name == from).for_each(|one| one.name = to.clone());
            } else {
                table.rules.iter_mut().filter(|one| one.name == from).for_each(|one| one.name = to.clone());
            }
        });
        Ok(())
    }

    fn rename_attribute(&mut self, rename: &Rename, part: &Ident) -> Outcome {
        let Some(id) = self.type_id(&rename.object)? else { return Ok(()) };
        let to = rename.to.clone();
        self.edit_type(id, |found| match &mut found.kind {
            TypeKind::Composite { attributes } => {
                attributes.iter_mut().filter(|(name, _)| name == part).for_each(|(name, _)| *name = to.clone());
            }
            TypeKind::Domain(domain) => {
                domain.checks.iter_mut().filter(|check| check.name == *part).for_each(|check| check.name = to.clone());
            }
            _ => {}
        });
        Ok(())
    }

    fn rename_type(&mut self, rename: &Rename) -> Outcome {
        let Some(id) = self.type_id(&rename.object)? else { return Ok(()) };
        let Some(from) = self.schema.types.get(&id).map(|found| found.name.clone()) else { return Ok(()) };
        let to = QualifiedName::new(from.schema.clone(), rename.to.clone());
        self.type_is_free(&to)?;
        self.move_type(id, &from, to);
        Ok(())
    }

    /// Columns name their type as written, so those follow too.
    fn move_type(&mut self, id: crate::schema::TypeId, from: &QualifiedName, to: QualifiedName) {
        self.schema.type_names.remove(from);
        let gone = self.gone(Some(to.clone()));
        self.schema.gone_types.insert(from.clone(), gone);
        self.schema.gone_types.remove(&to);
        self.schema.type_names.insert(to.clone(), id);
        let means = |name: &Name| {
            name.name == from.name
                && name
                    .schema
                    .as_ref()
                    .map_or(self.schema.search_path.contains(&from.schema), |one| *one == from.schema)
        };
        let mut columns = Vec::new();
        for (relation, table) in self.schema.tables() {
            for column in &table.columns {
                if column.data_type.as_ref().is_some_and(|one| !one.built_in && means(&one.name)) {
                    columns.push((relation.id, column.id));
                }
            }
        }
        for (table, column) in columns {
            self.schema.edit_column(table, column, |column| {
                if let Some(data_type) = &mut column.data_type {
                    data_type.name.name = to.name.clone();
                    if data_type.name.schema.is_some() || to.schema != from.schema {
                        data_type.name.schema = Some(to.schema.clone());
                    }
                }
            });
        }
        self.edit_type(id, |found| found.name = to);
    }

    fn rename_schema(&mut self, from: &Ident, to: &Ident) -> Outcome {
        self.require_schema(from)?;
        if self.schema.schemas.contains_key(to) || to == "public" && self.schema_exists(to) {
            let message = format!("schema {} already exists", quoted(to));
            return Err(duplicate("42P06", to.to_string(), message));
        }
        let start = QualifiedName::new(from.clone(), "");
        let inside = |name: &QualifiedName| name.schema == *from;
        let names = self.schema.relation_names.range(start.clone()..).take_while(|(name, _)| inside(name));
        let relations: Vec<(QualifiedName, RelationId)> = names.map(|(name, id)| (name.clone(), *id)).collect();
        for (name, id) in relations {
            self.rename_relation_row(id, QualifiedName::new(to.clone(), name.name));
        }
        let counted = self.schema.constraint_names.range(start.clone()..).take_while(|(name, _)| inside(name));
        let counted: Vec<(QualifiedName, u32)> = counted.map(|(name, count)| (name.clone(), *count)).collect();
        for (name, count) in counted {
            self.schema.constraint_names.remove(&name);
            self.schema.constraint_names.insert(QualifiedName::new(to.clone(), name.name), count);
        }
        let types = self.schema.type_names.range(start.clone()..).take_while(|(name, _)| inside(name));
        let types: Vec<(QualifiedName, crate::schema::TypeId)> = types.map(|(name, id)| (name.clone(), *id)).collect();
        for (name, id) in types {
            let to = QualifiedName::new(to.clone(), name.name.clone());
            self.move_type(id, &name, to);
        }
        let functions = self.schema.function_names.range(start..).take_while(|(name, _)| inside(name));
        let functions: Vec<QualifiedName> = functions.map(|(name, _)| name.clone()).collect();
        for name in functions {
            self.move_functions(&name, QualifiedName::new(to.clone(), name.name.clone()));
        }
        let existence = self.schema.schemas.remove(from).unwrap_or_else(|| self.created());
        let gone = self.gone(None);
        self.schema.gone_schemas.insert(from.clone(), gone);
        self.schema.gone_schemas.remove(to);
        self.schema.schemas.insert(to.clone(), existence);
        Ok(())
    }

    pub(super) fn set_schema(&mut self, set: &SetSchema) -> Outcome {
        match set.kind {
            ObjectKind::Type | ObjectKind::Domain => {
                self.require_schema(&set.schema)?;
                let Some(id) = self.type_id(&set.name)? else { return Ok(()) };
                let Some(from) = self.schema.types.get(&id).map(|found| found.name.clone()) else { return Ok(()) };
                let to = QualifiedName::new(set.schema.clone(), from.name.clone());
                if from != to {
                    self.type_is_free(&to)?;
                    self.move_type(id, &from, to);
                }
                Ok(())
            }
            ObjectKind::Function | ObjectKind::Procedure | ObjectKind::Aggregate | ObjectKind::Routine => {
                self.require_schema(&set.schema)?;
                let found = self.schema.find_functions(&set.name).first().map(|function| function.name.clone());
                if let Some(from) = found {
                    let to = QualifiedName::new(set.schema.clone(), from.name.clone());
                    self.move_functions(&from, to);
                }
                Ok(())
            }
            ObjectKind::Extension | ObjectKind::Statistics | ObjectKind::Other => Ok(()),
            _ => {
                let Some(id) = self.altered(&set.name, set.if_exists, set.kind)? else { return Ok(()) };
                self.move_relation(id, &set.schema)
            }
        }
    }

    fn move_relation(&mut self, id: RelationId, schema: &Ident) -> Outcome {
        self.require_schema(schema)?;
        if self.namespace(id) == *schema {
            return Ok(());
        }
        if let RelationKind::Sequence(sequence) = &self.schema.relation(id).kind
            && sequence.owned_by.is_some()
        {
            let message = "cannot move an owned sequence into another schema".to_owned();
            return Err(refused("0A000", self.full(id), message));
        }
        if self.as_index(id).is_some() {
            return Err(self.wrong_kind(id, "a table"));
        }
        let from = self.namespace(id);
        let mut moved = vec![id];
        moved.extend(self.indexes_in_order(id));
        moved.extend(self.schema.table(id).columns.iter().flat_map(Column::sequences));
        for one in moved {
            let to = QualifiedName::new(schema.clone(), self.label(one));
            if self.schema.relation_names.contains_key(&to) {
                let message = format!("relation {} already exists in schema {}", quoted(&to.name), quoted(schema));
                return Err(duplicate("42P07", to.to_string(), message));
            }
            self.rename_relation_row(one, to);
        }
        let table = self.schema.table(id);
        let rows = table.constraints.iter().chain(&table.not_null).chain(&table.derived);
        let rows: Vec<ConstraintId> = rows.copied().collect();
        for row in rows {
            let Some(name) = self.schema.get_constraint(row).map(|row| row.name.clone()) else { continue };
            self.schema.forget_constraint_name(&QualifiedName::new(from.clone(), name.clone()));
            self.schema.count_constraint_name(QualifiedName::new(schema.clone(), name));
        }
        Ok(())
    }

    /// A type by name; `None` where it is assumed.
    pub(super) fn type_id(&mut self, name: &Name) -> Outcome<Option<crate::schema::TypeId>> {
        if let Some(found) = self.schema.find_type(name) {
            let id = found.id;
            self.certain &= found.existence.is_certain();
            return Ok(Some(id));
        }
        let full = self.place_unseen(name);
        let gone = self.schema.gone_types.get(&full).map(|gone| gone.by.clone());
        if self.schema.complete || gone.is_some() {
            let message = format!("type {} does not exist", quoted_name(name));
            return Err(because(missing("42704", name.to_string(), message), gone.as_ref()));
        }
        let existence = crate::schema::Existence::Assumed { first_named: self.at.clone() };
        Ok(Some(self.add_type(full, TypeKind::Unknown, existence)))
    }
}

/// Renames a column in an expression, in its tree and in its text.
pub(super) fn rename_in(expression: &mut Expression, from: &Ident, to: &Ident) {
    if !expression.tree.columns().contains(&from) {
        return;
    }
    rename_tree(&mut expression.tree, from, to);
    expression.text = rename_text(&expression.text, from, to).into();
}

fn rename_tree(tree: &mut Expr, from: &Ident, to: &Ident) {
    match tree {
        Expr::Column { name, .. } if name == from => *name = to.clone(),
        Expr::Column { .. } | Expr::Row { .. } | Expr::Constant(_) | Expr::Parameter(_) => {}
        Expr::Exists(_) | Expr::Subquery(_) => {}
        Expr::Call { arguments: list, .. }
        | Expr::And(list)
        | Expr::Or(list)
        | Expr::List(list)
        | Expr::Other { parts: list, .. } => list.iter_mut().for_each(|one| rename_tree(one, from, to)),
        Expr::Unary { operand: one, .. }
        | Expr::Not(one)
        | Expr::IsNull(one)
        | Expr::Cast { value: one, .. }
        | Expr::InQuery { value: one, .. } => rename_tree(one, from, to),
        Expr::Binary { left, right, .. } | Expr::Distinct(left, right) => {
            rename_tree(left, from, to);
            rename_tree(right, from, to);
        }
        Expr::In { value, list } => {
            rename_tree(value, from, to);
            list.iter_mut().for_each(|one| rename_tree(one, from, to));
        }
        Expr::Case { branches, otherwise } => {
            for (condition, value) in branches {
                rename_tree(condition, from, to);
                rename_tree(value, from, to);
            }
            if let Some(otherwise) = otherwise {
                rename_tree(otherwise, from, to);
            }
        }
    }
}

/// Replaces whole identifiers outside string literals; a name before a parenthesis is a function's.
fn rename_text(text: &str, from: &Ident, to: &Ident) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let (token, is_name) = next_token(rest, first);
        let after = &rest[token.len()..];
        let name = match token.strip_prefix('"').and_then(|token| token.strip_suffix('"')) {
            Some(inner) => inner.replace("\"\"", "\""),
            None => token.to_lowercase(),
        };
        let is_call = after.trim_start().starts_with('(');
        if is_name && !is_call && name == from.as_str() {
            out.push_str(&to.to_string());
        } else {
            out.push_str(token);
        }
        rest = after;
    }
    out
}

/// The next token, and whether it is an identifier.
fn next_token(text: &str, first: char) -> (&str, bool) {
    if first == '\'' || first == '"' {
        let mut chars = text.char_indices().skip(1).peekable();
        while let Some((at, found)) = chars.next() {
            if found != first {
                continue;
            }
            if chars.peek().is_some_and(|(_, next)| *next == first) {
                chars.next();
                continue;
            }
            return (&text[..at + 1], first == '"');
        }
        return (text, false);
    }
    if first.is_alphabetic() || first == '_' {
        let end = text.find(|found: char| !(found.is_alphanumeric() || found == '_' || found == '$'));
        return (&text[..end.unwrap_or(text.len())], true);
    }
    if first.is_ascii_digit() {
        let end = text.find(|found: char| !(found.is_alphanumeric() || found == '.' || found == '_'));
        return (&text[..end.unwrap_or(text.len())], false);
    }
    (&text[..first.len_utf8()], false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn renames_names_only() {
        let renamed =
            rename_text("lower(name) <> 'name' and t.name > name(1) or \"name\" = 2", &"name".into(), &"Full".into());
        assert_eq!(renamed, "lower(\"Full\") <> 'name' and t.\"Full\" > name(1) or \"Full\" = 2");
    }
}
