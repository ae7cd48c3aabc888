//! Why a distribution cannot be written down.

use std::fmt;
use thiserror::Error;

/// A setting that cannot be written down for nginx.
#[derive(Debug, Error)]
pub enum RenderError {
    /// It has a character with a meaning in nginx's configuration.
    #[error("{0:?} cannot be used in the edge's configuration")]
    Unusable(String),
    /// A behaviour names an origin that is not there.
    #[error("behaviour {pattern:?} names the unknown origin {origin:?}")]
    UnknownOrigin {
        /// The behaviour's pattern.
        pattern: String,
        /// The name.
        origin: String,
    },
    /// Writing to a string failed.
    #[error(transparent)]
    Format(#[from] fmt::Error),
}
