//! Assignments, and what is assigned to.

use std::sync::Arc;

use ruby_prism::{Node, NodeList};

use super::{Lower, name};
use crate::operation::{Ruby, RubyKind, RubyTarget, RubyVariable};

fn local(bytes: &[u8]) -> RubyTarget {
    RubyTarget::Variable(RubyVariable::Local(name(bytes)))
}

fn instance(bytes: &[u8]) -> RubyTarget {
    RubyTarget::Variable(RubyVariable::Instance(name(bytes)))
}

fn global(bytes: &[u8]) -> RubyTarget {
    RubyTarget::Variable(RubyVariable::Global(name(bytes)))
}

fn constant(bytes: &[u8]) -> RubyTarget {
    RubyTarget::Constant(name(bytes))
}

impl Lower<'_> {
    pub(super) fn assignment(&mut self, node: &Node<'_>) -> Option<RubyKind> {
        let plain = self.plain_write(node);
        plain.or_else(|| self.operator_write(node)).or_else(|| self.attribute_write(node)).or_else(|| self.many(node))
    }

    fn assign(&mut self, target: RubyTarget, operator: Option<&[u8]>, value: &Node<'_>) -> RubyKind {
        RubyKind::Assign { target, operator: operator.map(name), value: self.boxed(value) }
    }

    fn plain_write(&mut self, node: &Node<'_>) -> Option<RubyKind> {
        if let Some(write) = node.as_local_variable_write_node() {
            return Some(self.assign(local(write.name().as_slice()), None, &write.value()));
        }
        if let Some(write) = node.as_constant_write_node() {
            return Some(self.assign(constant(write.name().as_slice()), None, &write.value()));
        }
        if let Some(write) = node.as_instance_variable_write_node() {
            return Some(self.assign(instance(write.name().as_slice()), None, &write.value()));
        }
        if let Some(write) = node.as_class_variable_write_node() {
            return Some(self.assign(instance(write.name().as_slice()), None, &write.value()));
        }
        if let Some(write) = node.as_global_variable_write_node() {
            return Some(self.assign(global(write.name().as_slice()), None, &write.value()));
        }
        if let Some(write) = node.as_constant_path_write_node() {
            let (_, path) = self.constant(&write.target().as_node()).unwrap_or_default();
            return Some(self.assign(constant(path.as_bytes()), None, &write.value()));
        }
        let shared = node.as_shareable_constant_node()?;
        Some(self.node(&shared.write()).kind)
    }

    /// `a += 1`, `a ||= 1`, `a &&= 1`.
    fn operator_write(&mut self, node: &Node<'_>) -> Option<RubyKind> {
        macro_rules! writes {
            ($($or:ident, $and:ident, $operator:ident, $target:ident;)*) => {$(
                if let Some(write) = node.$or() {
                    return Some(self.assign($target(write.name().as_slice()), Some(b"||"), &write.value()));
                }
                if let Some(write) = node.$and() {
                    return Some(self.assign($target(write.name().as_slice()), Some(b"&&"), &write.value()));
                }
                if let Some(write) = node.$operator() {
                    let operator = write.binary_operator().as_slice();
                    return Some(self.assign($target(write.name().as_slice()), Some(operator), &write.value()));
                }
            )*};
        }
        writes! {
            as_local_variable_or_write_node, as_local_variable_and_write_node,
                as_local_variable_operator_write_node, local;
            as_instance_variable_or_write_node, as_instance_variable_and_write_node,
                as_instance_variable_operator_write_node, instance;
            as_class_variable_or_write_node, as_class_variable_and_write_node,
                as_class_variable_operator_write_node, instance;
            as_global_variable_or_write_node, as_global_variable_and_write_node,
                as_global_variable_operator_write_node, global;
            as_constant_or_write_node, as_constant_and_write_node, as_constant_operator_write_node, constant;
        }
        None
    }

    /// `a.b += 1`, `a[b] ||= 1`.
    fn attribute_write(&mut self, node: &Node<'_>) -> Option<RubyKind> {
        if let Some(write) = node.as_call_or_write_node() {
            let target = self.attribute(write.receiver(), write.read_name().as_slice(), node);
            return Some(self.assign(target, Some(b"||"), &write.value()));
        }
        if let Some(write) = node.as_call_and_write_node() {
            let target = self.attribute(write.receiver(), write.read_name().as_slice(), node);
            return Some(self.assign(target, Some(b"&&"), &write.value()));
        }
        if let Some(write) = node.as_call_operator_write_node() {
            let target = self.attribute(write.receiver(), write.read_name().as_slice(), node);
            return Some(self.assign(target, Some(write.binary_operator().as_slice()), &write.value()));
        }
        if let Some(write) = node.as_index_or_write_node() {
            let target = self.element(write.receiver(), write.arguments(), node);
            return Some(self.assign(target, Some(b"||"), &write.value()));
        }
        if let Some(write) = node.as_index_and_write_node() {
            let target = self.element(write.receiver(), write.arguments(), node);
            return Some(self.assign(target, Some(b"&&"), &write.value()));
        }
        let write = node.as_index_operator_write_node()?;
        let target = self.element(write.receiver(), write.arguments(), node);
        Some(self.assign(target, Some(write.binary_operator().as_slice()), &write.value()))
    }

    fn receiver(&mut self, receiver: Option<Node<'_>>, node: &Node<'_>) -> Box<Ruby> {
        match receiver {
            Some(receiver) => self.boxed(&receiver),
            None => Box::new(Ruby { span: self.place(&node.location()), kind: RubyKind::SelfObject }),
        }
    }

    fn attribute(&mut self, receiver: Option<Node<'_>>, called: &[u8], node: &Node<'_>) -> RubyTarget {
        RubyTarget::Attribute(self.receiver(receiver, node), name(called))
    }

    fn element(
        &mut self,
        receiver: Option<Node<'_>>,
        arguments: Option<ruby_prism::ArgumentsNode<'_>>,
        node: &Node<'_>,
    ) -> RubyTarget {
        let receiver = self.receiver(receiver, node);
        let span = self.place(&node.location());
        RubyTarget::Element(receiver, self.arguments(arguments).into_list(span))
    }

    fn many(&mut self, node: &Node<'_>) -> Option<RubyKind> {
        let write = node.as_multi_write_node()?;
        let targets = self.targets(&write.lefts(), write.rest(), &write.rights());
        Some(RubyKind::MultipleAssign { targets, value: self.boxed(&write.value()) })
    }

    fn targets(&mut self, lefts: &NodeList<'_>, rest: Option<Node<'_>>, rights: &NodeList<'_>) -> Vec<RubyTarget> {
        let mut targets: Vec<RubyTarget> = lefts.iter().map(|one| self.target(&one)).collect();
        targets.extend(rest.map(|rest| self.target(&rest)));
        targets.extend(rights.iter().map(|one| self.target(&one)));
        targets
    }

    pub(super) fn target(&mut self, node: &Node<'_>) -> RubyTarget {
        if let Some(one) = node.as_required_parameter_node() {
            return local(one.name().as_slice());
        }
        if let Some(one) = node.as_local_variable_target_node() {
            return local(one.name().as_slice());
        }
        if let Some(one) = node.as_instance_variable_target_node() {
            return instance(one.name().as_slice());
        }
        if let Some(one) = node.as_class_variable_target_node() {
            return instance(one.name().as_slice());
        }
        if let Some(one) = node.as_global_variable_target_node() {
            return global(one.name().as_slice());
        }
        if let Some(one) = node.as_constant_target_node() {
            return constant(one.name().as_slice());
        }
        if let Some(many) = node.as_multi_target_node() {
            if self.depth >= super::DEPTH_LIMIT {
                return RubyTarget::Splat(None);
            }
            self.depth += 1;
            let inner = self.targets(&many.lefts(), many.rest(), &many.rights());
            self.depth -= 1;
            return RubyTarget::Nested(inner);
        }
        if let Some(splat) = node.as_splat_node() {
            return RubyTarget::Splat(splat.expression().map(|inner| Box::new(self.target(&inner))));
        }
        if let Some(call) = node.as_call_target_node() {
            let called: Arc<str> = name(call.name().as_slice()).trim_end_matches('=').into();
            return RubyTarget::Attribute(self.boxed(&call.receiver()), called);
        }
        if let Some(index) = node.as_index_target_node() {
            return self.element(Some(index.receiver()), index.arguments(), node);
        }
        RubyTarget::Splat(None)
    }
}
