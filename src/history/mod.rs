//! Histories of migrations, replayed: what a rule sees is a [`Step`], a [`Unit`] or a [`Whole`] migration.

mod condition;
mod migration;
mod plan;
mod replay;
mod session;
mod step;

pub use migration::*;
pub use plan::*;
pub use replay::{Event, Parted, Start, UnreadStep, replay, replay_shared};
pub use session::*;
pub use step::*;
