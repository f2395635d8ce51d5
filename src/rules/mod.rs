//! Opinions: one page each in `rules/`, and the checks behind them.

pub mod page;
