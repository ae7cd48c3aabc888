//! The media container.

pub mod gateway;
