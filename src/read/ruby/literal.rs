//! Numbers, collections, constants and variables.

use ruby_prism::Node;

use super::{Lower, name};
use crate::operation::{Ruby, RubyKind, RubyPair, RubyVariable};

impl Lower<'_> {
    pub(super) fn literal(&mut self, node: &Node<'_>) -> Option<RubyKind> {
        if let Some(string) = self.string(node) {
            return Some(string);
        }
        if let Some(constant) = node.as_constant_read_node() {
            return Some(RubyKind::Constant { scope: None, path: name(constant.name().as_slice()) });
        }
        if node.as_constant_path_node().is_some() {
            let (scope, path) = self.constant(node)?;
            return Some(RubyKind::Constant { scope, path: path.into() });
        }
        if let Some(hash) = node.as_hash_node() {
            return Some(RubyKind::Hash(self.pairs(&hash.elements())));
        }
        if let Some(hash) = node.as_keyword_hash_node() {
            return Some(RubyKind::Hash(self.pairs(&hash.elements())));
        }
        if let Some(array) = node.as_array_node() {
            return Some(RubyKind::Array(self.nodes(&array.elements())));
        }
        if node.as_integer_node().is_some() {
            return Some(self.integer(node));
        }
        if node.as_float_node().is_some() {
            return Some(RubyKind::Float(self.written(node).replace('_', "").into()));
        }
        if let Some(range) = node.as_range_node() {
            let from = range.left().map(|left| self.boxed(&left));
            let to = range.right().map(|right| self.boxed(&right));
            return Some(RubyKind::Range { from, to, exclusive: range.is_exclude_end() });
        }
        Some(match node {
            Node::NilNode { .. } => RubyKind::Nil,
            Node::TrueNode { .. } => RubyKind::True,
            Node::FalseNode { .. } => RubyKind::False,
            Node::SelfNode { .. } => RubyKind::SelfObject,
            _ => return None,
        })
    }

    fn written(&self, node: &Node<'_>) -> String {
        String::from_utf8_lossy(node.location().as_slice()).into_owned()
    }

    fn integer(&self, node: &Node<'_>) -> RubyKind {
        let text = self.written(node).replace('_', "").to_ascii_lowercase();
        let (sign, digits) = match text.strip_prefix('-') {
            Some(digits) => ("-", digits),
            None => ("", text.strip_prefix('+').unwrap_or(&text)),
        };
        let (radix, digits) = match digits.get(..2) {
            Some("0x") => (16, &digits[2..]),
            Some("0b") => (2, &digits[2..]),
            Some("0o") => (8, &digits[2..]),
            Some("0d") => (10, &digits[2..]),
            Some(octal) if octal.starts_with('0') => (8, &digits[1..]),
            _ => (10, digits),
        };
        match i64::from_str_radix(&format!("{sign}{digits}"), radix) {
            Ok(number) => RubyKind::Integer(number),
            Err(_) => RubyKind::Float(text.into()),
        }
    }

    pub(super) fn pairs(&mut self, elements: &ruby_prism::NodeList<'_>) -> Vec<RubyPair> {
        let mut pairs = Vec::with_capacity(elements.len());
        for element in elements.iter() {
            if let Some(pair) = element.as_assoc_node() {
                let key = self.node(&pair.key());
                let value = pair.value();
                // `{ name: }` is `{ name: name }`.
                let value = value.as_implicit_node().map_or(value, |implicit| implicit.value());
                pairs.push(RubyPair::Pair(key, self.node(&value)));
            } else if let Some(splat) = element.as_assoc_splat_node() {
                pairs.push(RubyPair::Splat(splat.value().map(|value| self.node(&value))));
            } else {
                let key = self.node(&element);
                let value = Ruby { span: key.span, kind: RubyKind::Other("a broken pair".into()) };
                pairs.push(RubyPair::Pair(key, value));
            }
        }
        pairs
    }

    /// The path of a constant, and what is asked for it where that is no constant.
    pub(super) fn constant(&mut self, node: &Node<'_>) -> Option<(Option<Box<Ruby>>, String)> {
        // Paths nest to the left: `A::B::C` is walked without recursion.
        let mut names: Vec<String> = Vec::new();
        let mut scope = None;
        let mut next = Some(ConstantPart::of(node)?);
        while let Some(part) = next.take() {
            match part {
                ConstantPart::Name(name) => names.push(name),
                ConstantPart::Path(path) => {
                    names.push(String::from_utf8_lossy(path.name()?.as_slice()).into_owned());
                    if let Some(parent) = path.parent() {
                        match ConstantPart::of(&parent) {
                            Some(part) => next = Some(part),
                            None => scope = Some(self.boxed(&parent)),
                        }
                    }
                }
            }
        }
        names.reverse();
        Some((scope, names.join("::")))
    }

    pub(super) fn variable(&mut self, node: &Node<'_>) -> Option<RubyKind> {
        let local = |bytes: &[u8]| Some(RubyKind::Variable(RubyVariable::Local(name(bytes))));
        let instance = |bytes: &[u8]| Some(RubyKind::Variable(RubyVariable::Instance(name(bytes))));
        let global = |bytes: &[u8]| Some(RubyKind::Variable(RubyVariable::Global(name(bytes))));
        if let Some(read) = node.as_local_variable_read_node() {
            return local(read.name().as_slice());
        }
        if let Some(read) = node.as_instance_variable_read_node() {
            return instance(read.name().as_slice());
        }
        if let Some(read) = node.as_class_variable_read_node() {
            return instance(read.name().as_slice());
        }
        if let Some(read) = node.as_global_variable_read_node() {
            return global(read.name().as_slice());
        }
        if let Some(read) = node.as_numbered_reference_read_node() {
            return global(format!("${}", read.number()).as_bytes());
        }
        if let Some(read) = node.as_back_reference_read_node() {
            return global(read.name().as_slice());
        }
        node.as_it_local_variable_read_node().and_then(|_| local(b"it"))
    }
}

enum ConstantPart<'pr> {
    Name(String),
    Path(ruby_prism::ConstantPathNode<'pr>),
}

impl<'pr> ConstantPart<'pr> {
    fn of(node: &Node<'pr>) -> Option<ConstantPart<'pr>> {
        if let Some(read) = node.as_constant_read_node() {
            return Some(ConstantPart::Name(String::from_utf8_lossy(read.name().as_slice()).into_owned()));
        }
        node.as_constant_path_node().map(ConstantPart::Path)
    }
}
