//! How starting a host and invoking a function fail.

use crate::listen::ListenError;
use crate::process::{Exit, ProcessError};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use thiserror::Error;

/// Why the host could not be started.
#[derive(Debug, Error)]
pub enum LambdaError {
    /// The Runtime API's listener.
    #[error(transparent)]
    Listen(#[from] ListenError),
}

/// Why an invocation gave no payload.
#[derive(Debug, Error)]
pub enum InvokeError {
    /// No function of that name.
    #[error("there is no function {0:?}")]
    NotFound(String),
    /// Over the function's or the account's concurrency: Lambda's `TooManyRequestsException`, 429.
    #[error("rate exceeded")]
    Throttled,
    /// The region's Lambda is stopped.
    #[error("the service is unavailable")]
    Unavailable,
    /// The payload is over 6 MB.
    #[error("a payload of {0} bytes is over the limit")]
    TooLarge(usize),
    /// The process could not be started.
    #[error("cannot start the function")]
    Spawn(#[source] ProcessError),
    /// It did not ask for its first request within the init limit.
    #[error("the function did not initialise within {0:?}")]
    InitTimeout(Duration),
    /// It ended before it answered; its slot is gone.
    #[error("the function's process ended with {0}")]
    Crashed(Exit),
    /// It took longer than its timeout; its slot is gone.
    #[error("task timed out after {0:?}")]
    TimedOut(Duration),
    /// It reported an error.
    #[error("the function failed: {0}")]
    Function(FunctionError),
}

impl InvokeError {
    /// Status of the Invoke API for it (Lambda API reference, Invoke). Failures inside a function are 200 there with
    /// `X-Amz-Function-Error`; here they are 502, which is what front ends make of them.
    pub fn status(&self) -> u16 {
        match self {
            Self::NotFound(_) => 404,
            Self::Throttled => 429,
            Self::TooLarge(_) => 413,
            Self::Unavailable => 503,
            Self::Spawn(_)
            | Self::InitTimeout(_)
            | Self::Crashed(_)
            | Self::TimedOut(_)
            | Self::Function(_) => 502,
        }
    }
}

/// What a function reports to `/error`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FunctionError {
    /// Name of the error.
    #[serde(default)]
    pub error_type: String,
    /// What happened.
    #[serde(default)]
    pub error_message: String,
}

impl std::fmt::Display for FunctionError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.error_type, self.error_message)
    }
}
