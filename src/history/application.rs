//! What the code of an application says of its tables: `project` reads it where what is judged gives reason to.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::operation::Ident;
use crate::source::Span;

/// The application around a history.
#[derive(Debug, Clone, Default)]
pub struct Application {
    /// Classes that stand for tables.
    pub models: Vec<Model>,
    /// Columns that code shared by models ignores: for any of them.
    pub ignored_by_all: Vec<Arc<str>>,
    /// What the base's code was looked through for.
    pub unnamed: Option<Unnamed>,
}

/// Names that judged migrations take away and that no file of the code they meet has.
#[derive(Debug, Clone)]
pub struct Unnamed {
    /// The base as it was named.
    pub revision: String,
    pub names: BTreeSet<Ident>,
}

/// One class and its table.
#[derive(Debug, Clone)]
pub struct Model {
    /// `Ci::Runner`
    pub class: Arc<str>,
    /// The class's name in its file.
    pub span: Span,
    /// Names that its table may have: one where the class names it, else the likeliest first.
    pub tables: Vec<Arc<str>>,
    pub ignored: Vec<Ignored>,
    /// It ignores columns that are not written out.
    pub ignores_more: bool,
}

/// A column that a model looks away from.
#[derive(Debug, Clone)]
pub struct Ignored {
    pub column: Arc<str>,
    pub span: Span,
    /// The code that runs now ignores it already; `None`: no base tells.
    pub shipped: Option<bool>,
}

/// What the code makes of one column.
#[derive(Debug, Clone, Copy)]
pub enum Use<'a> {
    /// A model has the table and does not ignore the column.
    Used(&'a Model),
    /// Every model of the table ignores it.
    Ignored(&'a Model, &'a Ignored),
    /// No model of the table is known, or it ignores what cannot be told.
    Unknown,
}

impl Model {
    fn ignored(&self, column: &Ident) -> Option<&Ignored> {
        self.ignored.iter().find(|one| *one.column == *column.as_str())
    }
}

impl Application {
    /// The models of a table: those that name it, else those whose names come closest.
    pub fn models_of(&self, table: &Ident) -> Vec<&Model> {
        let place = |model: &Model| model.tables.iter().position(|name| **name == *table.as_str());
        let best = self.models.iter().filter_map(place).min();
        self.models.iter().filter(|model| best.is_some() && place(model) == best).collect()
    }

    /// The base whose code names none of these, where that is known.
    pub fn names_none<'a>(&self, mut names: impl Iterator<Item = &'a Ident>) -> Option<&str> {
        let unnamed = self.unnamed.as_ref()?;
        names.all(|name| unnamed.names.contains(name)).then_some(unnamed.revision.as_str())
    }

    pub fn use_of(&self, table: &Ident, column: &Ident) -> Use<'_> {
        let models = self.models_of(table);
        // A class may be written in several places.
        let ignores =
            |model: &Model| models.iter().any(|one| one.class == model.class && one.ignored(column).is_some());
        match models.iter().find(|model| !ignores(model)) {
            Some(model) if model.ignores_more || self.ignored_by_all.iter().any(|one| **one == *column.as_str()) => {
                Use::Unknown
            }
            Some(model) => Use::Used(model),
            None => {
                let found = models.iter().find_map(|model| Some((*model, model.ignored(column)?)));
                found.map_or(Use::Unknown, |(model, ignored)| Use::Ignored(model, ignored))
            }
        }
    }
}
