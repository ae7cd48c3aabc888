//! What gateways and tasks ask: `POST`, IAM-signed.

use std::fmt;
use std::str::FromStr;

use super::UnknownPath;

/// A hook.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HookPath {
    /// An encoder came with a key.
    Publish,
    /// A session has ended.
    Unpublish,
    /// A gateway or a task is alive.
    Heartbeat,
}

impl HookPath {
    /// All that there are.
    pub const ALL: [Self; 3] = [Self::Publish, Self::Unpublish, Self::Heartbeat];

    /// As text.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Publish => "/hooks/publish",
            Self::Unpublish => "/hooks/unpublish",
            Self::Heartbeat => "/hooks/heartbeat",
        }
    }
}

impl fmt::Display for HookPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for HookPath {
    type Err = UnknownPath;

    fn from_str(text: &str) -> Result<Self, UnknownPath> {
        Self::ALL.into_iter().find(|hook| hook.as_str() == text).ok_or(UnknownPath::no("hook"))
    }
}
