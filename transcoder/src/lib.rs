//! The media container.
