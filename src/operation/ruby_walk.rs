//! Walks a tree of Ruby: every expression, whatever it stands in.

use super::ruby::{Ruby, RubyBlock, RubyCall, RubyKind, RubyPair, RubyParameters, RubyPart, RubyTarget};

/// Calls `visit` on each expression, outer ones first.
pub fn walk<'a>(nodes: &'a [Ruby], visit: &mut dyn FnMut(&'a Ruby)) {
    for node in nodes {
        one(node, visit);
    }
}

fn one<'a>(node: &'a Ruby, visit: &mut dyn FnMut(&'a Ruby)) {
    visit(node);
    match &node.kind {
        RubyKind::String(parts) | RubyKind::Symbol(parts) | RubyKind::Regex { parts, .. } => {
            for part in parts {
                if let RubyPart::Code(code) = part {
                    walk(code, visit);
                }
            }
        }
        RubyKind::Array(nodes) | RubyKind::Sequence(nodes) | RubyKind::Yield(nodes) => walk(nodes, visit),
        RubyKind::Hash(pairs) => walk_pairs(pairs, visit),
        RubyKind::Range { from, to, .. } => from.iter().chain(to).for_each(|node| one(node, visit)),
        RubyKind::Constant { scope, .. } => scope.iter().for_each(|node| one(node, visit)),
        RubyKind::Call(call) => walk_call(call, visit),
        RubyKind::And(left, right) | RubyKind::Or(left, right) => {
            one(left, visit);
            one(right, visit);
        }
        RubyKind::Not(inner) | RubyKind::Defined(inner) => one(inner, visit),
        RubyKind::If { condition, then, otherwise } => {
            one(condition, visit);
            walk(then, visit);
            walk(otherwise, visit);
        }
        RubyKind::Case { subject, branches, otherwise } => {
            subject.iter().for_each(|node| one(node, visit));
            for branch in branches {
                walk(&branch.values, visit);
                walk(&branch.body, visit);
            }
            walk(otherwise, visit);
        }
        RubyKind::While { condition, body } => {
            one(condition, visit);
            walk(body, visit);
        }
        RubyKind::For { variables, over, body } => {
            variables.iter().for_each(|target| walk_target(target, visit));
            one(over, visit);
            walk(body, visit);
        }
        RubyKind::Assign { target, value, .. } => {
            walk_target(target, visit);
            one(value, visit);
        }
        RubyKind::MultipleAssign { targets, value } => {
            targets.iter().for_each(|target| walk_target(target, visit));
            one(value, visit);
        }
        RubyKind::Begin(begin) => {
            walk(&begin.body, visit);
            for (classes, body) in &begin.rescues {
                walk(classes, visit);
                walk(body, visit);
            }
            walk(&begin.otherwise, visit);
            walk(&begin.ensure, visit);
        }
        RubyKind::Lambda(block) => walk_block(block, visit),
        RubyKind::Method(method) => {
            walk_parameters(&method.parameters, visit);
            walk(&method.body, visit);
        }
        RubyKind::Class(class) => {
            class.superclass.iter().for_each(|node| one(node, visit));
            walk(&class.body, visit);
        }
        RubyKind::Return(value) | RubyKind::Next(value) | RubyKind::Break(value) | RubyKind::Splat(value) => {
            value.iter().for_each(|node| one(node, visit));
        }
        RubyKind::Super(arguments) => arguments.iter().for_each(|nodes| walk(nodes, visit)),
        RubyKind::Nil
        | RubyKind::True
        | RubyKind::False
        | RubyKind::SelfObject
        | RubyKind::Integer(_)
        | RubyKind::Float(_)
        | RubyKind::Variable(_)
        | RubyKind::Other(_) => {}
    }
}

fn walk_call<'a>(call: &'a RubyCall, visit: &mut dyn FnMut(&'a Ruby)) {
    call.receiver.iter().for_each(|node| one(node, visit));
    walk(&call.arguments, visit);
    walk_pairs(&call.keywords, visit);
    call.block_argument.iter().for_each(|node| one(node, visit));
    if let Some(block) = &call.block {
        walk_block(block, visit);
    }
}

fn walk_pairs<'a>(pairs: &'a [RubyPair], visit: &mut dyn FnMut(&'a Ruby)) {
    for pair in pairs {
        match pair {
            RubyPair::Pair(key, value) => {
                one(key, visit);
                one(value, visit);
            }
            RubyPair::Splat(value) => value.iter().for_each(|node| one(node, visit)),
        }
    }
}

fn walk_block<'a>(block: &'a RubyBlock, visit: &mut dyn FnMut(&'a Ruby)) {
    walk_parameters(&block.parameters, visit);
    walk(&block.body, visit);
}

fn walk_parameters<'a>(parameters: &'a RubyParameters, visit: &mut dyn FnMut(&'a Ruby)) {
    parameters.optional.iter().for_each(|(_, value)| one(value, visit));
    parameters.keywords.iter().filter_map(|(_, value)| value.as_ref()).for_each(|value| one(value, visit));
}

fn walk_target<'a>(target: &'a RubyTarget, visit: &mut dyn FnMut(&'a Ruby)) {
    match target {
        RubyTarget::Variable(_) | RubyTarget::Constant(_) => {}
        RubyTarget::Attribute(object, _) => one(object, visit),
        RubyTarget::Element(object, indexes) => {
            one(object, visit);
            walk(indexes, visit);
        }
        RubyTarget::Nested(targets) => targets.iter().for_each(|target| walk_target(target, visit)),
        RubyTarget::Splat(target) => target.iter().for_each(|target| walk_target(target, visit)),
    }
}
