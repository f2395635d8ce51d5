//! Methods, classes, lambdas and their parameters.

use std::sync::Arc;

use ruby_prism::{Node, ParametersNode};

use super::{Lower, name};
use crate::operation::{RubyBlock, RubyClass, RubyKind, RubyMethod, RubyParameters, RubyTarget, RubyVariable};

impl Lower<'_> {
    pub(super) fn definition(&mut self, node: &Node<'_>) -> Option<RubyKind> {
        let span = self.place(&node.location());
        if let Some(method) = node.as_def_node() {
            return Some(RubyKind::Method(Arc::new(RubyMethod {
                name: name(method.name().as_slice()),
                on_class: method.receiver().is_some(),
                parameters: method.parameters().map(|all| self.parameters(&all)).unwrap_or_default(),
                body: self.body(method.body()),
                span,
            })));
        }
        if let Some(class) = node.as_class_node() {
            let (_, path) = self.constant(&class.constant_path()).unwrap_or_default();
            let superclass = class.superclass().map(|one| self.node(&one));
            let body = self.body(class.body());
            return Some(RubyKind::Class(Arc::new(RubyClass {
                name: path.into(),
                is_module: false,
                superclass,
                body,
                span,
            })));
        }
        if let Some(module) = node.as_module_node() {
            let (_, path) = self.constant(&module.constant_path()).unwrap_or_default();
            let body = self.body(module.body());
            let module = RubyClass { name: path.into(), is_module: true, superclass: None, body, span };
            return Some(RubyKind::Class(Arc::new(module)));
        }
        if let Some(class) = node.as_singleton_class_node() {
            let body = self.body(class.body());
            let class = RubyClass { name: "".into(), is_module: false, superclass: None, body, span };
            return Some(RubyKind::Class(Arc::new(class)));
        }
        let lambda = node.as_lambda_node()?;
        let parameters = self.block_parameters(lambda.parameters());
        Some(RubyKind::Lambda(Arc::new(RubyBlock { parameters, body: self.body(lambda.body()), span })))
    }

    pub(super) fn block_parameters(&mut self, node: Option<Node<'_>>) -> RubyParameters {
        let Some(node) = node else { return RubyParameters::default() };
        if let Some(block) = node.as_block_parameters_node() {
            return block.parameters().map(|all| self.parameters(&all)).unwrap_or_default();
        }
        let local = |name: &str| RubyTarget::Variable(RubyVariable::Local(name.into()));
        let mut parameters = RubyParameters::default();
        if let Some(numbered) = node.as_numbered_parameters_node() {
            parameters.required = (1..=numbered.maximum()).map(|number| local(&format!("_{number}"))).collect();
        } else if node.as_it_parameters_node().is_some() {
            parameters.required = vec![local("it")];
        }
        parameters
    }

    fn parameters(&mut self, all: &ParametersNode<'_>) -> RubyParameters {
        let mut parameters = RubyParameters {
            required: all.requireds().iter().map(|one| self.target(&one)).collect(),
            after_rest: all.posts().iter().map(|one| self.target(&one)).collect(),
            ..RubyParameters::default()
        };
        for optional in all.optionals().iter() {
            if let Some(optional) = optional.as_optional_parameter_node() {
                let default = self.node(&optional.value());
                parameters.optional.push((name(optional.name().as_slice()), default));
            }
        }
        let rest = all.rest().and_then(|rest| rest.as_rest_parameter_node());
        parameters.rest = rest.map(|rest| rest.name().map_or("*".into(), |given| name(given.as_slice())));
        for keyword in all.keywords().iter() {
            if let Some(required) = keyword.as_required_keyword_parameter_node() {
                parameters.keywords.push((name(required.name().as_slice()), None));
            } else if let Some(optional) = keyword.as_optional_keyword_parameter_node() {
                let default = self.node(&optional.value());
                parameters.keywords.push((name(optional.name().as_slice()), Some(default)));
            }
        }
        if let Some(rest) = all.keyword_rest() {
            if let Some(rest) = rest.as_keyword_rest_parameter_node() {
                parameters.keyword_rest = Some(rest.name().map_or("**".into(), |given| name(given.as_slice())));
            } else if rest.as_forwarding_parameter_node().is_some() {
                parameters.rest = Some("*".into());
                parameters.keyword_rest = Some("**".into());
                parameters.block = Some("&".into());
            }
        }
        let block = all.block().and_then(|block| block.as_block_parameter_node());
        if let Some(block) = block {
            parameters.block = Some(block.name().map_or("&".into(), |given| name(given.as_slice())));
        }
        parameters
    }
}
