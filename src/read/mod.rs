//! Texts become scripts: SQL and the bodies of routines. Nothing here knows a schema or an opinion.

pub mod dialect;
pub mod directives;
pub mod dynamic;
pub mod foreign;
pub mod holes;
pub mod plpgsql;
pub mod ruby;
pub mod sql;

/// Trees of expressions are walked by recursion: threads that read or replay have stacks for the deepest that is read.
pub const STACK: usize = 256 << 20;
