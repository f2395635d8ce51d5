//! Functions and procedures: identity by argument types, kept by OR REPLACE.

use crate::schema::kept::Kept;

use super::resolve::{quoted, quoted_name};
use super::{Change, Outcome, because, duplicate, missing, refused};
use crate::operation::{
    Argument, CreateFunction, Drop, DropTarget, Ident, Name, ObjectKind, QualifiedName, RoutineKind, TypeName,
};
use crate::schema::routine::{input_types, is_input};
use crate::schema::{Function, FunctionId};

impl Change<'_> {
    pub(super) fn create_function(&mut self, create: &CreateFunction) -> Outcome {
        let full = self.place(&create.name, false)?;
        let arguments = self.of_columns(&create.arguments);
        for argument in &arguments {
            self.require_type(&argument.data_type)?;
        }
        let existing = self.same_signature(&full, &arguments);
        let mut function = Function {
            id: FunctionId(0),
            name: full.clone(),
            existence: self.created(),
            kind: create.kind,
            arguments,
            returns: create.returns.clone(),
            language: create.language.clone(),
            body: create.body.clone(),
            security_definer: create.security_definer,
            search_path: create.search_path.clone(),
            volatility: create.volatility,
            triggers: Vec::new(),
        };
        if let Some(existing) = existing {
            if !create.or_replace {
                let message = format!("function {} already exists with same argument types", quoted(&create.name.name));
                return Err(because(duplicate("42723", full.to_string(), message), Some(existing.existence.origin())));
            }
            self.may_replace(&existing, create)?;
            function.id = existing.id;
            function.triggers = existing.triggers.clone();
            self.schema.functions.insert(existing.id, Kept::new(function));
            return Ok(());
        }
        function.id = FunctionId(self.schema.fresh());
        self.schema.gone_functions.remove(&full);
        self.schema.function_names.entry(full).or_default().push(function.id);
        self.schema.functions.insert(function.id, Kept::new(function));
        Ok(())
    }

    /// `t.c%TYPE` is the type that the column has now: the server keeps nothing else of it.
    fn of_columns(&self, arguments: &[Argument]) -> Vec<Argument> {
        let settled = |argument: &Argument| match self.type_of_column(&argument.data_type) {
            Some(data_type) => Argument { data_type, ..argument.clone() },
            None => argument.clone(),
        };
        arguments.iter().map(settled).collect()
    }

    fn type_of_column(&self, data_type: &TypeName) -> Option<TypeName> {
        let written = data_type.name.name.as_str();
        let at = written.len().checked_sub("%type".len())?;
        let path = written.get(..at).filter(|_| written[at..].eq_ignore_ascii_case("%type"))?;
        let ident = |part: &str| match part.strip_prefix('"').and_then(|part| part.strip_suffix('"')) {
            Some(quoted) => Ident::new(quoted),
            None => Ident::new(part.to_lowercase()),
        };
        let mut parts: Vec<Ident> = path.split('.').map(|part| ident(part.trim())).collect();
        let (column, table) = (parts.pop()?, parts.pop()?);
        let found = self.schema.find_table(&Name { schema: parts.pop(), name: table })?;
        let found = found.as_table()?.column(&column)?.data_type.clone()?;
        Some(TypeName { modifiers: Vec::new(), ..found })
    }

    fn same_signature(&self, name: &QualifiedName, arguments: &[Argument]) -> Option<Kept<Function>> {
        let wanted = input_types(arguments);
        let ids = self.schema.function_names.get(name)?;
        let mut found = ids.iter().filter_map(|id| self.schema.functions.get(id));
        found.find(|function| self.schema.are_same_types(&input_types(&function.arguments), &wanted)).cloned()
    }

    fn may_replace(&self, existing: &Function, create: &CreateFunction) -> Outcome {
        let object = existing.name.to_string();
        if existing.kind != create.kind {
            return Err(refused("42809", object, "cannot change routine kind".to_owned()));
        }
        let same = existing.returns.eq_ignore_ascii_case(&create.returns);
        if !same && create.kind == RoutineKind::Function {
            return Err(refused("42P13", object, "cannot change return type of existing function".to_owned()));
        }
        let inputs = |arguments: &[Argument]| -> Vec<Option<Ident>> {
            arguments.iter().filter(|one| is_input(one)).map(|one| one.name.clone()).collect()
        };
        for (old, new) in inputs(&existing.arguments).into_iter().zip(inputs(&create.arguments)) {
            if let Some(old) = old.filter(|old| new.as_ref() != Some(old)) {
                let message = format!("cannot change name of input parameter {}", quoted(&old));
                return Err(refused("42P13", object, message));
            }
        }
        let defaults = |arguments: &[Argument]| arguments.iter().filter(|one| one.has_default).count();
        if defaults(&create.arguments) < defaults(&existing.arguments) {
            let message = "cannot remove parameter defaults from existing function".to_owned();
            return Err(refused("42P13", object, message));
        }
        Ok(())
    }

    pub(super) fn dropped_function(&mut self, drop: &Drop, target: &DropTarget) -> Outcome<Option<FunctionId>> {
        let wanted = |kind: RoutineKind| match drop.kind {
            ObjectKind::Procedure => kind == RoutineKind::Procedure,
            ObjectKind::Aggregate => kind == RoutineKind::Aggregate,
            ObjectKind::Function => kind == RoutineKind::Function,
            _ => true,
        };
        let all = self.schema.find_functions(&target.name);
        let matching: Vec<(FunctionId, RoutineKind)> = match &target.arguments {
            None => all.iter().filter(|one| wanted(one.kind)).map(|one| (one.id, one.kind)).collect(),
            Some(arguments) => {
                let arguments = self.of_columns(arguments);
                let wanted = input_types(&arguments);
                let same = all.iter().filter(|one| self.schema.are_same_types(&input_types(&one.arguments), &wanted));
                same.map(|one| (one.id, one.kind)).collect()
            }
        };
        let word = super::index::kind_word(drop.kind);
        match matching.as_slice() {
            [(id, kind)] if wanted(*kind) => Ok(Some(*id)),
            [(_, _)] => {
                let message = format!("{} is not a {word}", target.name);
                Err(refused("42809", target.name.to_string(), message))
            }
            [] => self.no_function(drop, target, word).map(|()| None),
            _ => {
                let message = format!("{word} name {} is not unique", quoted_name(&target.name));
                Err(refused("42725", target.name.to_string(), message))
            }
        }
    }

    fn no_function(&mut self, drop: &Drop, target: &DropTarget, word: &str) -> Outcome {
        let full = self.place_unseen(&target.name);
        let gone = self.schema.gone_functions.get(&full).map(|gone| gone.by.clone());
        if gone.is_none() && !self.schema.complete {
            return Ok(());
        }
        let message = match &target.arguments {
            Some(arguments) => {
                let types: Vec<String> = input_types(arguments).iter().map(|one| one.to_string()).collect();
                format!("{word} {}({}) does not exist", target.name, types.join(", "))
            }
            None => format!("could not find a {word} named {}", quoted_name(&target.name)),
        };
        if drop.if_exists {
            self.notice(target.name.to_string(), format!("{message}, skipping"));
            return Ok(());
        }
        Err(because(missing("42883", target.name.to_string(), message), gone.as_ref()))
    }

    pub(super) fn rename_function(&mut self, name: &Name, to: &Ident) -> Outcome {
        let found = self.schema.find_functions(name);
        let Some(from) = found.first().map(|function| function.name.clone()) else {
            if !self.schema.complete {
                return Ok(());
            }
            let message = format!("could not find a function named {}", quoted_name(name));
            return Err(missing("42883", name.to_string(), message));
        };
        if found.len() > 1 {
            let message = format!("function name {} is not unique", quoted_name(name));
            return Err(refused("42725", name.to_string(), message));
        }
        let to = QualifiedName::new(from.schema.clone(), to.clone());
        let arguments = found.first().map(|function| function.arguments.clone()).unwrap_or_default();
        if self.same_signature(&to, &arguments).is_some() {
            let message = format!("function {} already exists in schema {}", to.name, quoted(&to.schema));
            return Err(duplicate("42723", to.to_string(), message));
        }
        self.move_functions(&from, to);
        Ok(())
    }

    /// All overloads of a name get another.
    pub(super) fn move_functions(&mut self, from: &QualifiedName, to: QualifiedName) {
        let Some(ids) = self.schema.function_names.remove(from) else { return };
        let gone = self.gone(Some(to.clone()));
        self.schema.gone_functions.insert(from.clone(), gone);
        self.schema.gone_functions.remove(&to);
        for id in &ids {
            let Some(function) = self.schema.functions.get_mut(id) else { continue };
            let function = function.edit();
            function.name = to.clone();
            for trigger in function.triggers.clone() {
                self.schema.edit_trigger(trigger, |row| row.function_name = to.clone());
            }
        }
        self.schema.function_names.entry(to).or_default().extend(ids);
    }
}
