//! What there is to compare: of two states of one history only what they do not share.

use imbl::OrdMap;

use super::Shared;
use crate::schema::kept::{Kept, apart};

/// Objects of one kind on both sides, in the order of their ids.
#[derive(Debug)]
pub struct Sides<'a, T> {
    pub from: Vec<&'a T>,
    pub to: Vec<&'a T>,
}

impl<'a, T> Sides<'a, T> {
    pub fn new<K: Ord>(from: &'a OrdMap<K, Kept<T>>, to: &'a OrdMap<K, Kept<T>>, shared: Shared<'_>) -> Sides<'a, T> {
        if matches!(shared, Shared::Nothing) {
            let all = |map: &'a OrdMap<K, Kept<T>>| map.values().map(|one| &**one).collect();
            return Sides { from: all(from), to: all(to) };
        }
        let mut sides = Sides { from: Vec::new(), to: Vec::new() };
        for (one, other) in apart(from, to) {
            sides.from.extend(one.map(|(_, one)| &**one));
            sides.to.extend(other.map(|(_, one)| &**one));
        }
        sides
    }

    /// Those of them that are so.
    pub fn that(mut self, is_so: impl Fn(&T) -> bool) -> Sides<'a, T> {
        self.from.retain(|one| is_so(one));
        self.to.retain(|one| is_so(one));
        self
    }
}

impl<T> Clone for Sides<'_, T> {
    fn clone(&self) -> Self {
        Sides { from: self.from.clone(), to: self.to.clone() }
    }
}
