//! SQL conditions over columns: what one says about another.

use crate::operation::Expr;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    Yes,
    No,
    Unknown,
}

/// Whether every row that `given` lets through is let through by `asked`.
pub fn filter_implies_filter(given: &Expr, asked: &Expr) -> Answer {
    if given == asked { Answer::Yes } else { Answer::Unknown }
}

/// Whether a row for which CHECK `given` is not false cannot make CHECK `asked` false.
pub fn check_implies_check(given: &Expr, asked: &Expr) -> Answer {
    if given == asked { Answer::Yes } else { Answer::Unknown }
}

/// Whether a row for which `given` is true cannot make CHECK `asked` false.
pub fn filter_implies_check(given: &Expr, asked: &Expr) -> Answer {
    if given == asked { Answer::Yes } else { Answer::Unknown }
}
