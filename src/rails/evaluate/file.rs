//! The classes, modules, methods and constants of one file.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use crate::operation::{Ruby, RubyClass, RubyFile, RubyKind, RubyMethod, RubyTarget};

/// By full path (`A::B`); a class may be opened several times. The file itself is the class without a name.
#[derive(Debug)]
pub(super) struct Index {
    classes: BTreeMap<Arc<str>, Vec<Arc<RubyClass>>>,
    resolved: RefCell<BTreeMap<Arc<str>, Rc<Resolved>>>,
}

/// A class with all that it has from others.
#[derive(Debug)]
struct Resolved {
    /// The class, what it includes, what it inherits from; those of this file.
    ancestors: Vec<Arc<str>>,
    /// By name, those that count first.
    methods: BTreeMap<Arc<str>, Vec<Known>>,
}

#[derive(Debug)]
struct Known {
    /// The number of the ancestor that defines it.
    owner: usize,
    /// Of the class or of its objects; `None`: of both.
    on_class: Option<bool>,
    method: Arc<RubyMethod>,
}

impl Resolved {
    /// The method of the first ancestor that has one, from that number on.
    fn find(&self, name: &str, on_class: bool, from: usize) -> Option<(Arc<str>, Arc<RubyMethod>)> {
        let matches = |known: &&Known| known.owner >= from && known.on_class.is_none_or(|one| one == on_class);
        let known = self.methods.get(name)?.iter().find(matches)?;
        Some((self.ancestors[known.owner].clone(), known.method.clone()))
    }
}

pub(super) enum Found {
    Class(Arc<str>),
    /// The class that holds it, and its value.
    Value(Arc<str>, Arc<RubyClass>, usize),
}

impl Index {
    pub fn of(file: &RubyFile) -> Index {
        let mut index = Index { classes: BTreeMap::new(), resolved: RefCell::default() };
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
    fn find_ancestors(&self, class: &str) -> Vec<Arc<str>> {
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

    /// What is known of a class, worked out once.
    fn resolved(&self, class: &str) -> Rc<Resolved> {
        if let Some(known) = self.resolved.borrow().get(class) {
            return known.clone();
        }
        let ancestors = self.find_ancestors(class);
        let mut methods: BTreeMap<Arc<str>, Vec<Known>> = BTreeMap::new();
        for (owner, path) in ancestors.iter().enumerate() {
            let parts = self.parts(path);
            // A module's methods are called on itself where it extends itself: the difference is not kept.
            let is_module = parts.first().is_some_and(|part| part.is_module);
            let mut own = Vec::new();
            parts.iter().flat_map(|part| &part.body).for_each(|node| methods_of(node, &mut own));
            // What is defined last counts.
            for (method, on_class) in own.into_iter().rev() {
                let on_class = (!is_module).then_some(on_class);
                methods.entry(method.name.clone()).or_default().push(Known { owner, on_class, method });
            }
        }
        let resolved = Rc::new(Resolved { ancestors, methods });
        self.resolved.borrow_mut().insert(class.into(), resolved.clone());
        resolved
    }

    /// A method, and the class that it is found in.
    pub fn method(&self, class: &str, name: &str, on_class: bool) -> Option<(Arc<str>, Arc<RubyMethod>)> {
        // What is defined outside of any class is everybody's.
        let (top, shared) = ("", false);
        let found = self.resolved(class).find(name, on_class, 0);
        found.or_else(|| self.resolved(top).find(name, shared, 0))
    }

    /// The next method of that name above the one in `owner`.
    pub fn above(&self, class: &str, owner: &str, name: &str, on_class: bool) -> Option<(Arc<str>, Arc<RubyMethod>)> {
        let resolved = self.resolved(class);
        let place = resolved.ancestors.iter().position(|one| &**one == owner)?;
        resolved.find(name, on_class, place + 1)
    }

    /// A constant as code in `from` sees it.
    pub fn constant(&self, from: &str, path: &str) -> Option<Found> {
        let around = lexical(from).map(str::to_owned).collect::<Vec<_>>();
        let resolved = self.resolved(from);
        let above = resolved.ancestors.iter().skip(1).map(|one| one.to_string());
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

/// Methods that a part of a class's body defines, and whether they are the class's own.
pub fn methods_of(node: &Ruby, found: &mut Vec<(Arc<RubyMethod>, bool)>) {
    let method_of = |node: &Ruby| match &node.kind {
        RubyKind::Method(method) => Some(method.clone()),
        _ => None,
    };
    match &node.kind {
        RubyKind::Method(method) => found.push((method.clone(), method.on_class)),
        // class << self
        RubyKind::Class(inner) if inner.name.is_empty() => {
            found.extend(inner.body.iter().filter_map(method_of).map(|method| (method, true)));
        }
        // private def x, memoize def x
        RubyKind::Call(call) if call.receiver.is_none() => {
            let own = call.arguments.iter().filter_map(method_of);
            found.extend(own.map(|method| (method.clone(), method.on_class)));
        }
        _ => {}
    }
}

/// `include A, B` and `extend C` of a class's body.
pub fn mixins(node: &Ruby) -> Vec<Arc<str>> {
    let RubyKind::Call(call) = &node.kind else { return Vec::new() };
    if call.receiver.is_some() || !matches!(&*call.name, "include" | "extend" | "prepend") {
        return Vec::new();
    }
    call.arguments.iter().filter_map(constant_path).collect()
}

/// `A::B` as written.
pub fn constant_path(node: &Ruby) -> Option<Arc<str>> {
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
