//! Real trees on disk: which migrations are found, in which order, run how, and which are judged.

#![allow(clippy::unwrap_used)]

mod detect;
mod judged;
mod marked;
mod more_runners;
mod rails;
mod runners;
mod templates;
mod tree;
