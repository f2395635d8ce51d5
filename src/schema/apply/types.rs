//! Enums, composites, domains.

use std::sync::Arc;

use super::drop::Object;
use super::resolve::{quoted, quoted_name};
use super::{Change, Outcome, because, duplicate, missing, refused};
use crate::operation::{
    AlterDomain, AlterType, Constant, CreateDomain, CreateType, DomainAction, Expr, Ident, QualifiedName, TypeAction,
    TypeForm,
};
use crate::schema::{Domain, DomainCheck, Existence, Label, Type, TypeId, TypeKind};

impl Change<'_> {
    pub(super) fn edit_type(&mut self, id: TypeId, edit: impl FnOnce(&mut Type)) {
        if let Some(found) = self.schema.types.get_mut(&id) {
            edit(found.edit());
        }
    }

    /// No type has the name; tables have row types of their names.
    pub(super) fn type_is_free(&mut self, name: &QualifiedName) -> Outcome {
        let by = match self.schema.type_names.get(name).and_then(|id| self.schema.types.get(id)) {
            Some(found) => Some(found.existence.clone()),
            None => {
                let relation = self.schema.relation_names.get(name).map(|id| self.schema.relation(*id));
                let has_type = relation.filter(|relation| relation.as_index().is_none());
                has_type.map(|relation| relation.existence.clone())
            }
        };
        let Some(by) = by else { return Ok(()) };
        self.certain &= by.is_certain();
        let message = format!("type {} already exists", quoted(&name.name));
        Err(because(duplicate("42710", name.to_string(), message), Some(by.origin())))
    }

    pub(super) fn create_type(&mut self, create: &CreateType) -> Outcome {
        let full = self.place(&create.name, false)?;
        let kind = match &create.kind {
            TypeForm::Enum { labels } => {
                let by = self.at.clone();
                TypeKind::Enum {
                    labels: labels.iter().map(|text| Label { text: text.clone(), by: by.clone() }).collect(),
                }
            }
            TypeForm::Composite { attributes } => {
                for (_, data_type) in attributes {
                    self.require_type(data_type)?;
                }
                // A composite is a relation without rows: it shares their names.
                self.name_is_free(&full)?;
                TypeKind::Composite { attributes: attributes.clone() }
            }
            TypeForm::Range => TypeKind::Range,
            TypeForm::Base => TypeKind::Base,
        };
        // A shell type is filled by the second CREATE TYPE of its name.
        let filled = matches!(create.kind, TypeForm::Base)
            && self
                .schema
                .type_names
                .get(&full)
                .and_then(|id| self.schema.types.get(id))
                .is_some_and(|found| matches!(found.kind, TypeKind::Base));
        if filled {
            return Ok(());
        }
        self.type_is_free(&full)?;
        self.add_type(full, kind, self.created());
        Ok(())
    }

    pub(super) fn alter_type(&mut self, alter: &AlterType) -> Outcome {
        let Some(id) = self.type_id(&alter.name)? else { return Ok(()) };
        match &alter.action {
            TypeAction::AddValue { label, if_not_exists, position } => {
                let Some(labels) = self.labels(id, &alter.name.to_string())? else { return Ok(()) };
                if labels.contains(label) {
                    let text = format!("enum label \"{label}\" already exists");
                    if *if_not_exists {
                        self.notice(alter.name.to_string(), format!("{text}, skipping"));
                        return Ok(());
                    }
                    return Err(duplicate("42710", alter.name.to_string(), text));
                }
                let at = match position {
                    None => labels.len(),
                    Some(position) => {
                        let Some(at) = labels.iter().position(|one| *one == position.label) else {
                            return Err(self.no_label(&alter.name.to_string(), &position.label));
                        };
                        if position.before { at } else { at + 1 }
                    }
                };
                let new = Label { text: label.clone(), by: self.at.clone() };
                self.edit_type(id, |found| {
                    if let TypeKind::Enum { labels } = &mut found.kind {
                        labels.insert(at.min(labels.len()), new);
                    }
                });
                Ok(())
            }
            TypeAction::RenameValue { from, to } => {
                let Some(labels) = self.labels(id, &alter.name.to_string())? else { return Ok(()) };
                if !labels.contains(from) {
                    return Err(self.no_label(&alter.name.to_string(), from));
                }
                if labels.contains(to) {
                    let text = format!("enum label \"{to}\" already exists");
                    return Err(duplicate("42710", alter.name.to_string(), text));
                }
                self.edit_type(id, |found| {
                    if let TypeKind::Enum { labels } = &mut found.kind {
                        labels.iter_mut().filter(|one| one.text == *from).for_each(|one| one.text = to.clone());
                    }
                });
                self.rename_in_defaults(id, from, to);
                Ok(())
            }
            TypeAction::AddAttribute { name, data_type } => {
                self.require_type(data_type)?;
                self.edit_type(id, |found| {
                    if let TypeKind::Composite { attributes } = &mut found.kind {
                        attributes.push((name.clone(), data_type.clone()));
                    }
                });
                Ok(())
            }
            TypeAction::DropAttribute { name, if_exists } => self.drop_attribute(id, name, *if_exists),
            TypeAction::AlterAttribute { name, data_type } => {
                self.require_type(data_type)?;
                self.edit_type(id, |found| {
                    if let TypeKind::Composite { attributes } = &mut found.kind {
                        let own = attributes.iter_mut().filter(|(one, _)| one == name);
                        own.for_each(|(_, own)| *own = data_type.clone());
                    }
                });
                Ok(())
            }
            TypeAction::Owner(_) | TypeAction::Other => Ok(()),
        }
    }

    /// The server keeps a default as the value that it is: it goes by the new label.
    fn rename_in_defaults(&mut self, id: TypeId, from: &str, to: &str) {
        let literal = |label: &str| format!("'{}'", label.replace('\'', "''"));
        let (old, new) = (literal(from), literal(to));
        let is_it = |tree: &Expr| match tree {
            Expr::Cast { value, .. } => matches!(&**value, Expr::Constant(Constant::String(text)) if **text == *from),
            Expr::Constant(Constant::String(text)) => **text == *from,
            _ => false,
        };
        for object in self.dependents_of_type(id) {
            let Object::Column(table, column) = object else { continue };
            self.schema.edit_column(table, column, |column| {
                let is_plain = column.data_type.as_ref().is_some_and(|one| !one.array);
                let Some(default) = column.default.as_mut().filter(|default| is_plain && is_it(&default.tree)) else {
                    return;
                };
                default.text = default.text.replace(&old, &new).into();
                default.tree = default.tree.map(&mut |one| match one {
                    Expr::Constant(Constant::String(_)) => Some(Expr::Constant(Constant::String(to.into()))),
                    _ => None,
                });
            });
        }
    }

    /// An enum's labels; `None` where the type is assumed.
    fn labels(&self, id: TypeId, name: &str) -> Outcome<Option<Vec<Arc<str>>>> {
        match self.schema.types.get(&id).map(|found| &found.kind) {
            Some(TypeKind::Enum { labels }) => Ok(Some(labels.iter().map(|label| label.text.clone()).collect())),
            Some(TypeKind::Unknown) | None => Ok(None),
            Some(_) => Err(refused("42809", name.to_owned(), format!("{name} is not an enum"))),
        }
    }

    fn no_label(&self, name: &str, label: &str) -> Box<crate::schema::Failure> {
        missing("22023", name.to_owned(), format!("\"{label}\" is not an existing enum label"))
    }

    fn drop_attribute(&mut self, id: TypeId, name: &Ident, if_exists: bool) -> Outcome {
        let mut had = true;
        self.edit_type(id, |found| {
            if let TypeKind::Composite { attributes } = &mut found.kind {
                had = attributes.iter().any(|(one, _)| one == name);
                attributes.retain(|(one, _)| one != name);
            }
        });
        if had {
            return Ok(());
        }
        let text = format!("column {} of relation does not exist", quoted(name));
        if if_exists {
            self.notice(name.to_string(), format!("{text}, skipping"));
            return Ok(());
        }
        Err(missing("42703", name.to_string(), text))
    }

    pub(super) fn create_domain(&mut self, create: &CreateDomain) -> Outcome {
        let full = self.place(&create.name, false)?;
        self.require_type(&create.data_type)?;
        self.type_is_free(&full)?;
        let mut checks: Vec<DomainCheck> = Vec::new();
        for (name, check) in &create.checks {
            let taken: Vec<Ident> = checks.iter().map(|check| check.name.clone()).collect();
            let name = name
                .clone()
                .unwrap_or_else(|| self.choose_constraint(&full.schema, full.name.as_str(), None, "check", &taken));
            self.schema.count_constraint_name(QualifiedName::new(full.schema.clone(), name.clone()));
            checks.push(DomainCheck { name, check: check.clone(), validated: true });
        }
        let domain = Domain {
            data_type: create.data_type.clone(),
            not_null: create.not_null,
            default: create.default.clone(),
            checks,
        };
        self.add_type(full, TypeKind::Domain(domain), self.created());
        Ok(())
    }

    pub(super) fn alter_domain(&mut self, alter: &AlterDomain) -> Outcome {
        let Some(id) = self.type_id(&alter.name)? else { return Ok(()) };
        let Some(found) = self.schema.types.get(&id).cloned() else { return Ok(()) };
        let domain = match &found.kind {
            TypeKind::Domain(domain) => domain,
            TypeKind::Unknown => return Ok(()),
            _ => {
                let message = format!("{} is not a domain", quoted_name(&alter.name));
                return Err(refused("42809", alter.name.to_string(), message));
            }
        };
        let has = |name: &Ident| domain.checks.iter().any(|check| check.name == *name);
        let assumed = matches!(found.existence, Existence::Assumed { .. });
        let require = |name: &Ident| {
            if has(name) || assumed {
                return Ok(());
            }
            let message = format!("constraint {} of domain {} does not exist", quoted(name), quoted_name(&alter.name));
            Err(missing("42704", alter.name.to_string(), message))
        };
        let mut domain = domain.clone();
        match &alter.action {
            DomainAction::SetDefault(default) => domain.default = Some(default.clone()),
            DomainAction::DropDefault => domain.default = None,
            DomainAction::SetNotNull | DomainAction::AddNotNull { .. } => domain.not_null = true,
            DomainAction::DropNotNull => domain.not_null = false,
            DomainAction::AddCheck { name, check, not_valid } => {
                if let Some(name) = name.as_ref().filter(|name| has(name)) {
                    let message =
                        format!("constraint {} for domain {} already exists", quoted(name), quoted(&found.name.name));
                    return Err(duplicate("42710", alter.name.to_string(), message));
                }
                let name = name.clone().unwrap_or_else(|| {
                    self.choose_constraint(&found.name.schema, found.name.name.as_str(), None, "check", &[])
                });
                self.schema.count_constraint_name(QualifiedName::new(found.name.schema.clone(), name.clone()));
                domain.checks.push(DomainCheck { name, check: check.clone(), validated: !not_valid });
            }
            DomainAction::ValidateConstraint(name) => {
                require(name)?;
                domain.checks.iter_mut().filter(|check| check.name == *name).for_each(|check| check.validated = true);
            }
            DomainAction::DropConstraint { name, if_exists } => {
                if !has(name) && *if_exists {
                    let text = format!(
                        "constraint {} of domain {} does not exist, skipping",
                        quoted(name),
                        quoted_name(&alter.name)
                    );
                    self.notice(alter.name.to_string(), text);
                    return Ok(());
                }
                require(name)?;
                self.schema.forget_constraint_name(&QualifiedName::new(found.name.schema.clone(), name.clone()));
                domain.checks.retain(|check| check.name != *name);
            }
            DomainAction::RenameConstraint { from, to } => {
                require(from)?;
                domain.checks.iter_mut().filter(|check| check.name == *from).for_each(|check| check.name = to.clone());
            }
            DomainAction::Owner(_) => {}
        }
        self.edit_type(id, |found| found.kind = TypeKind::Domain(domain));
        Ok(())
    }
}
