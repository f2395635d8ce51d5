//! What tells functions of one name apart: the types of what they are given.

use super::{Function, Schema};
use crate::operation::{Argument, ArgumentMode, TypeName};

impl Schema {
    /// Modifiers of argument types do not count.
    pub fn are_same_types(&self, one: &[&TypeName], other: &[&TypeName]) -> bool {
        let same = |(one, other): (&&TypeName, &&TypeName)| {
            one.array == other.array
                && (one.name == other.name
                    || self.find_type(&one.name).map(|found| found.id)
                        == self.find_type(&other.name).map(|found| found.id)
                        && self.find_type(&one.name).is_some())
        };
        one.len() == other.len() && one.iter().zip(other).all(same)
    }
}

impl Function {
    /// What a call gives it, in order.
    pub fn inputs(&self) -> Vec<&Argument> {
        self.arguments.iter().filter(|one| is_input(one)).collect()
    }

    pub fn input_types(&self) -> Vec<&TypeName> {
        input_types(&self.arguments)
    }
}

pub(in crate::schema) fn is_input(argument: &Argument) -> bool {
    !matches!(argument.mode, ArgumentMode::Out | ArgumentMode::Table)
}

pub(in crate::schema) fn input_types(arguments: &[Argument]) -> Vec<&TypeName> {
    arguments.iter().filter(|one| is_input(one)).map(|one| &one.data_type).collect()
}
