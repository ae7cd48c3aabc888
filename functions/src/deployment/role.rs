//! The two roles of a deployment's stacks.

use std::fmt;

/// What a stack is in its deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Primary,
    Secondary,
}

impl Role {
    pub(super) fn read(text: &str) -> Option<Self> {
        [Self::Primary, Self::Secondary].into_iter().find(|role| role.to_string() == text)
    }

    pub(super) fn other(self) -> Self {
        match self {
            Self::Primary => Self::Secondary,
            Self::Secondary => Self::Primary,
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Primary => "primary",
            Self::Secondary => "secondary",
        })
    }
}
