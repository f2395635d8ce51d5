//! Texts become scripts: SQL and the bodies of routines. Nothing here knows a schema or an opinion.

pub mod dialect;
pub mod directives;
pub mod dynamic;
pub mod foreign;
pub mod holes;
pub mod plpgsql;
pub mod ruby;
pub mod sql;
pub mod stopped;
pub mod unreleased;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// Trees of expressions are walked by recursion: threads that read or replay have stacks for the deepest that is read.
pub const STACK: usize = 256 << 20;

/// Does something on such a stack; on the one at hand where no thread is to be had.
pub fn on_deep_stack<T: Send>(work: impl Fn() -> T + Sync) -> T {
    let work = &work;
    thread::scope(|scope| match thread::Builder::new().stack_size(STACK).spawn_scoped(scope, work) {
        Ok(thread) => thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
        Err(_) => work(),
    })
}
/// Does one thing on a thread of its own, on such a stack, while another goes on here.
pub fn side_by_side<A: Send, B>(one: impl Fn() -> A + Sync, other: impl FnOnce() -> B) -> (A, B) {
    let one = &one;
    thread::scope(|scope| {
        let thread = thread::Builder::new().stack_size(STACK).spawn_scoped(scope, one).ok();
        let other = other();
        let one = match thread.map(thread::ScopedJoinHandle::join) {
            Some(Ok(done)) => done,
            Some(Err(panic)) => std::panic::resume_unwind(panic),
            // No thread to be had.
            None => one(),
        };
        (one, other)
    })
}

/// Less text than this is read sooner than threads start.
const WORTH_THREADS: usize = 32 * 1024;

/// Reads texts of these lengths, as many at once as the machine has processors; in their order.
pub fn each<T: Sync, R: Send>(texts: &[T], length: impl Fn(&T) -> usize, read: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let threads = thread::available_parallelism().map_or(1, |count| count.get()).min(texts.len());
    if threads < 2 || texts.iter().map(length).sum::<usize>() < WORTH_THREADS {
        return texts.iter().map(read).collect();
    }
    let next = AtomicUsize::new(0);
    let work = || {
        std::iter::from_fn(|| {
            let at = next.fetch_add(1, Ordering::Relaxed);
            texts.get(at).map(|one| (at, read(one)))
        })
        .collect::<Vec<_>>()
    };
    let mut done = thread::scope(|scope| {
        let start = |_| thread::Builder::new().stack_size(STACK).spawn_scoped(scope, work).ok();
        let threads: Vec<_> = (0..threads).filter_map(start).collect();
        // No thread to be had: this one does it.
        let mut done = if threads.is_empty() { work() } else { Vec::new() };
        for thread in threads {
            match thread.join() {
                Ok(part) => done.extend(part),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        done
    });
    done.sort_unstable_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, read)| read).collect()
}
