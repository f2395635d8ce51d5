//! Rails migrations: the Ruby they are written in, worked out without running it, and what their calls send to the
//! server.
//!
//! [`value`] holds what Ruby's expressions come to, `evaluate` works them out against a [`World`], `active_record`
//! turns one call into the SQL that Active Record would send, `vocabulary` does so for what gems and projects add.

pub mod active_record;
pub mod call;
pub mod value;
pub mod world;

pub use call::{Answer, Call, Options};
pub use value::{Text, Value};
pub use world::World;
