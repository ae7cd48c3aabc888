//! A RunTask request, read and checked. Must not know how tasks live.

use super::refusal::{Refusal, refusal};
use serde_json::{Value, json};

/// Longest client token (API reference, RunTask).
const MAX_CLIENT_TOKEN: usize = 64;

/// Most tasks of one RunTask (API reference, RunTask).
const MAX_COUNT: u64 = 10;

/// Longest overrides of a task, in characters (API reference, TaskOverride).
const MAX_OVERRIDES: usize = 8192;

/// A RunTask request, checked.
#[derive(Debug)]
pub(super) struct RunTask {
    pub(super) client_token: String,
    /// The whole request but for the token; what a second use of the token is compared with.
    pub(super) parameters: Value,
    pub(super) count: usize,
    pub(super) overrides: Value,
    pub(super) started_by: Option<String>,
    pub(super) group: Option<String>,
    pub(super) tags: Value,
}

impl RunTask {
    pub(super) fn read(mut request: Value) -> Result<Self, Refusal> {
        let invalid = |message: &str| Err(refusal("InvalidParameterException", message));
        let token = request.as_object_mut().and_then(|request| request.remove("clientToken"));
        let client_token = token.as_ref().and_then(Value::as_str).unwrap_or_default().to_owned();
        let count = request["count"].as_u64().unwrap_or(1);
        let overrides =
            request.get("overrides").cloned().unwrap_or_else(|| json!({ "containerOverrides": [] }));
        if client_token.len() > MAX_CLIENT_TOKEN {
            return invalid("clientToken is longer than 64 characters");
        }
        if !(1..=MAX_COUNT).contains(&count) {
            return invalid("count must be between 1 and 10");
        }
        if overrides.to_string().len() > MAX_OVERRIDES {
            return invalid("overrides are longer than 8192 characters");
        }
        let text = |name: &str| request[name].as_str().map(str::to_owned);
        Ok(Self {
            client_token,
            count: usize::try_from(count).unwrap_or(1),
            overrides,
            started_by: text("startedBy"),
            group: text("group"),
            tags: request.get("tags").cloned().unwrap_or_else(|| json!([])),
            parameters: request,
        })
    }
}
