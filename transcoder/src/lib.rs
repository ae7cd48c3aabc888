//! The media container.

pub mod media;
