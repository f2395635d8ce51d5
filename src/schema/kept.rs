//! An object that the states of a history share for as long as no step changes it.

use std::ops::Deref;
use std::sync::Arc;

use imbl::OrdMap;
use imbl::ordmap::DiffItem;

/// Equal to another where it is the same one in memory: comparing two states then costs what was changed between them,
/// not what they hold.
#[derive(Debug)]
pub struct Kept<T>(Arc<T>);

impl<T> Kept<T> {
    pub fn new(object: T) -> Kept<T> {
        Kept(Arc::new(object))
    }
}

impl<T: Clone> Kept<T> {
    /// The object to change: a copy of its own, where others hold it too.
    pub fn edit(&mut self) -> &mut T {
        Arc::make_mut(&mut self.0)
    }
}

impl<T> Clone for Kept<T> {
    fn clone(&self) -> Kept<T> {
        Kept(self.0.clone())
    }
}

impl<T> PartialEq for Kept<T> {
    fn eq(&self, other: &Kept<T>) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl<T> Eq for Kept<T> {}

impl<T> Deref for Kept<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

/// An entry that a map may have.
type Entry<'m, K, V> = Option<(&'m K, &'m V)>;

/// Entries that two maps do not share, in the order of their keys: what each of them has.
pub fn apart<'a, 'b, K: Ord, V: PartialEq>(
    one: &'a OrdMap<K, V>,
    other: &'b OrdMap<K, V>,
) -> impl Iterator<Item = (Entry<'a, K, V>, Entry<'b, K, V>)> {
    one.diff(other).map(|change| match change {
        DiffItem::Add(key, value) => (None, Some((key, value))),
        DiffItem::Update { old, new } => (Some(old), Some(new)),
        DiffItem::Remove(key, value) => (Some((key, value)), None),
    })
}
