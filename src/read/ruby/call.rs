//! Calls: their arguments, blocks and keyword arguments; attribute and element writes that the parser sees as calls.

use std::sync::Arc;

use ruby_prism::{ArgumentsNode, BlockNode, CallNode, Node};

use super::{Lower, name};
use crate::operation::{Ruby, RubyBlock, RubyCall, RubyKind, RubyPair, RubyTarget};

/// Positional arguments and keyword arguments.
#[derive(Default)]
pub(super) struct Arguments {
    pub positional: Vec<Ruby>,
    pub keywords: Vec<RubyPair>,
}

impl Arguments {
    /// Where there is no place for keywords they are a hash.
    pub fn into_list(self, span: crate::source::Span) -> Vec<Ruby> {
        let mut list = self.positional;
        if !self.keywords.is_empty() {
            list.push(Ruby { span, kind: RubyKind::Hash(self.keywords) });
        }
        list
    }
}

impl Lower<'_> {
    pub(super) fn call(&mut self, node: &Node<'_>) -> Option<RubyKind> {
        if let Some(call) = node.as_call_node() {
            return Some(self.call_node(&call));
        }
        if let Some(written) = node.as_match_write_node() {
            return Some(self.call_node(&written.call()));
        }
        if let Some(yielded) = node.as_yield_node() {
            let span = self.place(&node.location());
            return Some(RubyKind::Yield(self.arguments(yielded.arguments()).into_list(span)));
        }
        if let Some(called) = node.as_super_node() {
            let span = self.place(&node.location());
            return Some(RubyKind::Super(Some(self.arguments(called.arguments()).into_list(span))));
        }
        if node.as_forwarding_super_node().is_some() {
            return Some(RubyKind::Super(None));
        }
        if let Some(splat) = node.as_splat_node() {
            return Some(RubyKind::Splat(splat.expression().map(|inner| self.boxed(&inner))));
        }
        if node.as_forwarding_arguments_node().is_some() {
            return Some(RubyKind::Splat(None));
        }
        None
    }

    fn call_node(&mut self, call: &CallNode<'_>) -> RubyKind {
        let called = name(call.name().as_slice());
        if &*called == "!"
            && call.arguments().is_none()
            && let Some(receiver) = call.receiver()
        {
            return RubyKind::Not(self.boxed(&receiver));
        }
        let receiver = call.receiver().map(|receiver| self.node(&receiver));
        let mut arguments = self.arguments(call.arguments());
        if call.is_attribute_write()
            && let Some(receiver) = receiver
        {
            return self.written_attribute(receiver, &called, arguments, self.place(&call.as_node().location()));
        }
        let (mut block, mut block_argument) = (None, None);
        if let Some(given) = call.block() {
            if let Some(own) = given.as_block_node() {
                block = Some(self.block(&own));
            } else if let Some(passed) = given.as_block_argument_node() {
                let span = self.place(&given.location());
                // `&` alone passes the block on.
                let forwarded = Ruby { span, kind: RubyKind::Other("&".into()) };
                block_argument = Some(passed.expression().map_or(forwarded, |inner| self.node(&inner)));
            }
        }
        let whole = call.as_node().location();
        let name_span = call.message_loc().map_or_else(|| self.place(&whole), |message| self.place(&message));
        let call = RubyCall {
            receiver,
            safe: call.is_safe_navigation(),
            name: called,
            arguments: std::mem::take(&mut arguments.positional),
            keywords: arguments.keywords,
            block,
            block_argument,
            bare: call.is_variable_call(),
            name_span,
        };
        RubyKind::Call(Box::new(call))
    }

    /// `a.b = c`, `a[b] = c`.
    fn written_attribute(
        &mut self,
        receiver: Ruby,
        called: &str,
        arguments: Arguments,
        span: crate::source::Span,
    ) -> RubyKind {
        let mut list = arguments.into_list(span);
        let value = list.pop().unwrap_or(Ruby { span, kind: RubyKind::Nil });
        let target = match called {
            "[]=" => RubyTarget::Element(Box::new(receiver), list),
            name => RubyTarget::Attribute(Box::new(receiver), name.trim_end_matches('=').into()),
        };
        RubyKind::Assign { target, operator: None, value: Box::new(value) }
    }

    pub(super) fn arguments(&mut self, arguments: Option<ArgumentsNode<'_>>) -> Arguments {
        let mut found = Arguments::default();
        let Some(arguments) = arguments else { return found };
        for argument in arguments.arguments().iter() {
            match argument.as_keyword_hash_node() {
                Some(keywords) => found.keywords.extend(self.pairs(&keywords.elements())),
                None => found.positional.push(self.node(&argument)),
            }
        }
        found
    }

    pub(super) fn block(&mut self, block: &BlockNode<'_>) -> Arc<RubyBlock> {
        let parameters = self.block_parameters(block.parameters());
        let body = self.body(block.body());
        Arc::new(RubyBlock { parameters, body, span: self.place(&block.as_node().location()) })
    }
}
