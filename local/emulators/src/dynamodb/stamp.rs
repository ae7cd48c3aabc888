//! Which write of an item is newer, and what an item's key is as text. Pure.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// When and where an item was written. The order of these decides which write wins.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Stamp {
    pub(super) micros: u64,
    pub(super) region: String,
}

/// A key as text that does not depend on the order in which its attributes were sent.
pub(super) fn canonical(key: &Value) -> String {
    let sorted: BTreeMap<_, _> = key.as_object().into_iter().flatten().collect();
    serde_json::to_string(&sorted).unwrap_or_default()
}
