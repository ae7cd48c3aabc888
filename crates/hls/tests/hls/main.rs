//! Playlists as text, as values that are read back, and over a life of segments.

#![allow(clippy::unwrap_used, reason = "test code")]

mod common;
mod low_latency;
mod media;
mod multivariant;
mod read_back;
mod reference;
mod sliding;
mod text;
