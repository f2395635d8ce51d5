//! One source that several threads draw from.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError, TryLockError};
use std::thread;

/// So many wait to be taken: who comes while another works the next one out finds one.
const READY: usize = 2;

/// Whoever comes for more works out what comes next, unless another is at it.
pub struct Ahead<I: Iterator> {
    source: Mutex<I>,
    ready: Mutex<Ready<I::Item>>,
    changed: Condvar,
}

struct Ready<T> {
    items: VecDeque<T>,
    is_over: bool,
}

impl<I: Iterator> Ahead<I> {
    pub fn of(source: I) -> Ahead<I> {
        let ready = Ready { items: VecDeque::new(), is_over: false };
        Ahead { source: Mutex::new(source), ready: Mutex::new(ready), changed: Condvar::new() }
    }

    /// What comes next; in order where one thread asks.
    pub fn next(&self) -> Option<I::Item> {
        let mut ready = lock(&self.ready);
        loop {
            if !ready.is_over && ready.items.len() < READY {
                match self.source.try_lock() {
                    Ok(mut source) => {
                        drop(ready);
                        ready = self.work(&mut source);
                        continue;
                    }
                    Err(TryLockError::WouldBlock) => {}
                    Err(TryLockError::Poisoned(_)) => ready.is_over = true,
                }
            }
            match ready.items.pop_front() {
                Some(item) => return Some(item),
                None if ready.is_over => return None,
                None => ready = self.changed.wait(ready).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }

    fn work(&self, source: &mut I) -> MutexGuard<'_, Ready<I::Item>> {
        let over = Over(self);
        let item = source.next();
        std::mem::forget(over);
        let mut ready = lock(&self.ready);
        match item {
            Some(item) => ready.items.push_back(item),
            None => ready.is_over = true,
        }
        self.changed.notify_all();
        ready
    }

    /// The source itself, once nobody draws from it.
    pub fn source(&self) -> MutexGuard<'_, I> {
        lock(&self.source)
    }
}

/// Nobody waits for what a panic has ended.
struct Over<'a, I: Iterator>(&'a Ahead<I>);

impl<I: Iterator> Drop for Over<'_, I> {
    fn drop(&mut self) {
        if thread::panicking() {
            lock(&self.0.ready).is_over = true;
            self.0.changed.notify_all();
        }
    }
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What each of three threads draws; a panic draws nothing more.
    fn draw(source: impl Iterator<Item = u32> + Send) -> Vec<u32> {
        let ahead = Ahead::of(source);
        thread::scope(|scope| {
            let draws = || std::iter::from_fn(|| ahead.next()).collect::<Vec<_>>();
            let threads: Vec<_> = (0..3).map(|_| scope.spawn(draws)).collect();
            threads.into_iter().flat_map(|thread| thread.join().unwrap_or_default()).collect()
        })
    }

    #[test]
    fn each_item_is_drawn_once() {
        let mut drawn = draw(0..1000);
        drawn.sort_unstable();
        assert_eq!(drawn, (0..1000).collect::<Vec<_>>());
        let alone = Ahead::of(0..10);
        assert_eq!(std::iter::from_fn(|| alone.next()).collect::<Vec<_>>(), (0..10).collect::<Vec<_>>());
    }

    #[test]
    fn nobody_waits_for_a_source_that_panicked() {
        let drawn = draw((0..100).inspect(|one| assert!(*one < 50, "the fiftieth is bad")));
        assert!(drawn.iter().all(|one| *one < 50));
    }
}
