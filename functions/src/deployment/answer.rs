//! The answer to a custom resource's request (CloudFormation user guide, "Custom resource response objects"). Must not
//! know how it gets to CloudFormation.

use bytes::Bytes;
use serde::Serialize;

use super::request::{Request, RequestKind};
use super::{Data, Failure};

/// CloudFormation's limit for the whole answer, in bytes.
const MAX_ANSWER: usize = 4096;
/// Longest reason, in bytes; with ids and braces around it the answer stays well under its limit.
const MAX_REASON: usize = 1000;
/// Longest id that we echo, in bytes; CloudFormation's own limit is 1 KB.
const MAX_ID: usize = 1024;

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ResourceAnswer<'a> {
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    physical_resource_id: String,
    stack_id: &'a str,
    request_id: &'a str,
    logical_resource_id: &'a str,
    #[serde(skip_serializing_if = "Data::is_empty")]
    data: Data,
}

impl<'a> ResourceAnswer<'a> {
    pub(super) fn new(request: &'a Request, outcome: Result<Data, Failure>) -> Self {
        let answer = Self::unchecked(request, outcome);
        match answer.to_vec().len() {
            length if length > MAX_ANSWER && !answer.data.is_empty() => {
                Self::unchecked(request, Err(Failure::TooLong(length)))
            }
            _ => answer,
        }
    }

    fn unchecked(request: &'a Request, outcome: Result<Data, Failure>) -> Self {
        let made = outcome.is_ok();
        let (data, reason) = match outcome {
            Ok(data) => (data, None),
            Err(failure) => (Data::new(), Some(cut(&failure.to_string(), MAX_REASON))),
        };
        // A stack whose resource cannot be deleted stays for ever; the log has the reason.
        let succeeds = made || request.kind == RequestKind::Delete;
        Self {
            status: if succeeds { "SUCCESS" } else { "FAILED" },
            reason,
            physical_resource_id: cut(&request.physical_id(made), MAX_ID),
            stack_id: &request.stack,
            request_id: &request.request,
            logical_resource_id: &request.logical,
            data,
        }
    }

    pub(super) fn into_body(self) -> Bytes {
        Bytes::from(self.to_vec())
    }

    fn to_vec(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("an answer is a map with text keys")
    }
}

/// The start of `text` that has at most `max` bytes in JSON.
fn cut(text: &str, max: usize) -> String {
    let length = |text: &str| serde_json::Value::from(text).to_string().len() - 2;
    if length(text) <= max {
        return text.to_owned();
    }
    let mut room = max - "…".len();
    let fits = |character: &char| {
        let rest = room.checked_sub(length(character.encode_utf8(&mut [0; 4])));
        room = rest.unwrap_or(0);
        rest.is_some()
    };
    text.chars().take_while(fits).chain(std::iter::once('…')).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_cut_has_its_size_in_json() {
        for text in ["a".repeat(5000), "é".repeat(5000), "\"".repeat(5000), "\u{1}".repeat(5000)] {
            let cut = cut(&text, MAX_REASON);
            let length = serde_json::to_string(&cut).unwrap().len() - 2;
            assert!((MAX_REASON - 6..=MAX_REASON).contains(&length), "{length}");
            assert!(cut.ends_with('…'));
        }
        assert_eq!(cut("short", MAX_REASON), "short");
    }
}
