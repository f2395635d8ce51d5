//! Histories of migrations, replayed: what a rule sees is a [`Step`].

mod migration;

pub use migration::*;
