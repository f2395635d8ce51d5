//! Histories of migrations, replayed: what a rule sees is a [`Step`], a [`Unit`] or a [`Whole`] migration.

mod ahead;
mod application;
mod condition;
mod migration;
mod plan;
mod replay;
mod session;
mod step;
mod stop;

pub use application::*;
pub use migration::*;
pub use plan::*;
pub use replay::{
    Course, Event, Follows, Parted, Passage, Replay, Start, Told, UnreadRows, UnreadStep, course, replay, replay_from,
};
pub use session::*;
pub use step::*;
pub use stop::*;
