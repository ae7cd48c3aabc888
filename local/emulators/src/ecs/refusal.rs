//! An error answer of ECS.

use serde_json::{Value, json};

/// An error answer.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) kind: &'static str,
    pub(super) message: String,
    pub(super) resource_ids: Vec<String>,
}

impl Refusal {
    pub(super) fn json(&self) -> Value {
        json!({ "__type": self.kind, "message": self.message, "resourceIds": self.resource_ids })
    }
}

pub(super) fn refusal(kind: &'static str, message: &str) -> Refusal {
    Refusal { kind, message: message.to_owned(), resource_ids: Vec::new() }
}
