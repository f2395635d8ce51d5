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

/// Trees of expressions are walked by recursion: threads that read or replay have stacks for the deepest that is read.
pub const STACK: usize = 256 << 20;

/// Does something on such a stack; on the one at hand where no thread is to be had.
pub fn on_deep_stack<T: Send>(work: impl Fn() -> T + Sync) -> T {
    let work = &work;
    std::thread::scope(|scope| match std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, work) {
        Ok(thread) => thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
        Err(_) => work(),
    })
}
