//! Texts become scripts: SQL and the bodies of routines. Nothing here knows a schema or an opinion.

pub mod dialect;
pub mod directives;
pub mod dynamic;
pub mod foreign;
pub mod plpgsql;
pub mod sql;
