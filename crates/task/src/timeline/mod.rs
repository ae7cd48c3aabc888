//! From what the engine makes to the timeline: entries, and the objects that they name.

mod object;
mod shape;
mod write;
mod writer;

pub use object::{Object, ObjectKind};
pub use write::Written;
pub use writer::TimelineWriter;

#[cfg(test)]
mod tests;
