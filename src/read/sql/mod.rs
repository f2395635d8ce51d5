//! SQL text to operations: lexer, statements, PostgreSQL's grammar of definitions and utilities.

pub mod expression;
pub mod lexer;
pub mod literal;
