//! The classes, modules, methods and constants of one file.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::operation::{Ruby, RubyClass, RubyFile, RubyKind, RubyMethod, RubyTarget};

/// By full path (`A::B`); a class may be opened several times. The file itself is the class without a name.
#[derive(Debug)]
pub(super) struct Index {
    classes: BTreeMap<Arc<str>, Vec<Arc<RubyClass>>>,
}

pub(super) enum Found {
    Class(Arc<str>),
    /// The class that holds it, and its value.
    Value(Arc<str>, Arc<RubyClass>, usize),
}

impl Index {
    pub fn of(file: &RubyFile) -> Index {
        let mut index = Index { classes: BTreeMap::new() };
        let Some(first) = file.body.first() else { return index };
        let whole =
            RubyClass { name: "".into(), is_module: true, superclass: None, body: file.body.clone(), span: first.span };
        index.add("", Arc::new(whole));
        index
    }

    fn add(&mut self, path: &str, class: Arc<RubyClass>) {
        for node in &class.body {
            if let RubyKind::Class(inner) = &node.kind
                && !inner.name.is_empty()
            {
                self.add(&nested(path, &inner.name), inner.clone());
            }
        }
        self.classes.entry(path.into()).or_default().push(class);
    }

    pub fn parts(&self, path: &str) -> &[Arc<RubyClass>] {
        self.classes.get(path).map_or(&[], Vec::as_slice)
    }

    pub fn has(&self, path: &str) -> bool {
        self.classes.contains_key(path)
    }

    /// The class, what it includes, what it inherits from; those of this file.
    fn ancestors(&self, class: &str) -> Vec<Arc<str>> {
        let mut found: Vec<Arc<str>> = vec![class.into()];
        let mut at = 0;
        while at < found.len() && found.len() < 64 {
            let path = found[at].clone();
            for part in self.parts(&path) {
                let mixed = part.body.iter().flat_map(mixins);
                let above = part.superclass.iter().filter_map(constant_path);
                for name in mixed.chain(above) {
                    let known = self.resolve_class(&path, &name).filter(|one| !found.contains(one));
                    found.extend(known);
                }
            }
            at += 1;
        }
        found
    }

    fn resolve_class(&self, from: &str, name: &str) -> Option<Arc<str>> {
        lexical(from).map(|scope| nested(scope, name)).find(|path| self.has(path)).map(Into::into)
    }

    /// A method, and the class that it is found in.
    pub fn method(&self, class: &str, name: &str, on_class: bool) -> Option<(Arc<str>, Arc<RubyMethod>)> {
        for owner in self.ancestors(class) {
            if let Some(method) = self.own(&owner, name, on_class) {
                return Some((owner, method));
            }
        }
        // What is defined outside of any class is everybody's.
        let (top, shared) = ("", false);
        self.own(top, name, shared).map(|method| (top.into(), method))
    }

    /// The next method of that name above the one in `owner`.
    pub fn above(&self, class: &str, owner: &str, name: &str, on_class: bool) -> Option<(Arc<str>, Arc<RubyMethod>)> {
        let all = self.ancestors(class);
        let place = all.iter().position(|one| &**one == owner)?;
        all[place + 1..].iter().find_map(|owner| Some((owner.clone(), self.own(owner, name, on_class)?)))
    }

    fn own(&self, owner: &str, name: &str, on_class: bool) -> Option<Arc<RubyMethod>> {
        let parts = self.parts(owner);
        let is_module = parts.first().is_some_and(|part| part.is_module);
        let matches = |method: &Arc<RubyMethod>, is_on_class: bool| {
            // A module's methods are called on itself where it extends itself: the difference is not kept.
            &*method.name == name && (is_on_class == on_class || is_module)
        };
        let mut found = None;
        for node in parts.iter().flat_map(|part| &part.body) {
            match &node.kind {
                RubyKind::Method(method) if matches(method, method.on_class) => found = Some(method.clone()),
                RubyKind::Class(inner) if inner.name.is_empty() => {
                    let mut inner = inner.body.iter().filter_map(method_of);
                    found = inner.rfind(|method| matches(method, true)).or(found);
                }
                // private def x, memoize def x
                RubyKind::Call(call) if call.receiver.is_none() => {
                    let inner = call.arguments.iter().filter_map(method_of);
                    let mut own = inner.filter(|method| matches(method, method.on_class));
                    found = own.next_back().or(found);
                }
                _ => {}
            }
        }
        found
    }

    /// A constant as code in `from` sees it.
    pub fn constant(&self, from: &str, path: &str) -> Option<Found> {
        let around = lexical(from).map(str::to_owned).collect::<Vec<_>>();
        let above = self.ancestors(from).into_iter().skip(1).map(|one| one.to_string());
        for scope in around.into_iter().chain(above) {
            let full = nested(&scope, path);
            let (owner, name) = full.rsplit_once("::").unwrap_or(("", &full));
            if let Some(found) = self.value(owner, name) {
                return Some(found);
            }
            if self.has(&full) {
                return Some(Found::Class(full.into()));
            }
        }
        None
    }

    fn value(&self, owner: &str, name: &str) -> Option<Found> {
        for part in self.parts(owner).iter().rev() {
            let place = part.body.iter().rposition(|node| {
                matches!(&node.kind, RubyKind::Assign { target: RubyTarget::Constant(known), .. } if &**known == name)
            });
            if let Some(place) = place {
                return Some(Found::Value(owner.into(), part.clone(), place));
            }
        }
        None
    }
}

fn method_of(node: &Ruby) -> Option<Arc<RubyMethod>> {
    match &node.kind {
        RubyKind::Method(method) => Some(method.clone()),
        _ => None,
    }
}

/// `include A, B` and `extend C` of a class's body.
pub(super) fn mixins(node: &Ruby) -> Vec<Arc<str>> {
    let RubyKind::Call(call) = &node.kind else { return Vec::new() };
    if call.receiver.is_some() || !matches!(&*call.name, "include" | "extend" | "prepend") {
        return Vec::new();
    }
    call.arguments.iter().filter_map(constant_path).collect()
}

pub(super) fn constant_path(node: &Ruby) -> Option<Arc<str>> {
    match &node.kind {
        RubyKind::Constant { scope: None, path } => Some(path.clone()),
        _ => None,
    }
}

fn nested(scope: &str, name: &str) -> String {
    if scope.is_empty() { name.to_owned() } else { format!("{scope}::{name}") }
}

/// `A::B`, `A`, and the file.
fn lexical(class: &str) -> impl Iterator<Item = &str> {
    let mut next = Some(class);
    std::iter::from_fn(move || {
        let here = next?;
        next = match here.rsplit_once("::") {
            Some((around, _)) => Some(around),
            None => (!here.is_empty()).then_some(""),
        };
        Some(here)
    })
}
