//! For how long the objects of a rendition are kept; [`crate::objects`] says where they lie by it.

use serde::{Deserialize, Serialize};

/// How long the objects of a rendition are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Retention {
    /// As long as recordings are.
    #[default]
    Recorded,
    /// A day: for viewers of the running broadcast only.
    Unrecorded,
}

impl Retention {
    /// Whether it can be watched when the broadcast is over.
    pub fn is_recorded(&self) -> bool {
        *self == Self::Recorded
    }
}
