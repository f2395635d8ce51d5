//! Types and domains that a migration makes.

use std::sync::Arc;

use super::{Expression, Ident, Name, TypeName};

#[derive(Debug, Clone, PartialEq)]
pub struct CreateType {
    pub name: Name,
    pub kind: TypeForm,
}

#[derive(Debug, Clone, PartialEq)]
pub enum TypeForm {
    Enum {
        labels: Vec<Arc<str>>,
    },
    Composite {
        attributes: Vec<(Ident, TypeName)>,
    },
    Range,
    /// Base and shell types.
    Base,
}

#[derive(Debug, Clone, PartialEq)]
pub struct AlterType {
    pub name: Name,
    pub action: TypeAction,
}

#[derive(Debug, Clone, PartialEq)]
pub enum TypeAction {
    AddValue {
        label: Arc<str>,
        if_not_exists: bool,
        position: Option<ValuePosition>,
    },
    /// Labels are text, not identifiers, hence not [`Rename`].
    RenameValue {
        from: Arc<str>,
        to: Arc<str>,
    },
    AddAttribute {
        name: Ident,
        data_type: TypeName,
    },
    DropAttribute {
        name: Ident,
        if_exists: bool,
    },
    AlterAttribute {
        name: Ident,
        data_type: TypeName,
    },
    Owner(Ident),
    Other,
}

#[derive(Debug, Clone, PartialEq)]
pub struct ValuePosition {
    pub before: bool,
    pub label: Arc<str>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct CreateDomain {
    pub name: Name,
    pub data_type: TypeName,
    pub not_null: bool,
    pub default: Option<Expression>,
    pub checks: Vec<(Option<Ident>, Expression)>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct AlterDomain {
    pub name: Name,
    pub action: DomainAction,
}

#[derive(Debug, Clone, PartialEq)]
pub enum DomainAction {
    SetDefault(Expression),
    DropDefault,
    SetNotNull,
    DropNotNull,
    AddCheck { name: Option<Ident>, check: Expression, not_valid: bool },
    AddNotNull { name: Option<Ident> },
    ValidateConstraint(Ident),
    DropConstraint { name: Ident, if_exists: bool },
    RenameConstraint { from: Ident, to: Ident },
    Owner(Ident),
}
