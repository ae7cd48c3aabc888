//! A problem document (RFC 9457): what every refusal over HTTP says, whoever makes it, and as whoever asked reads it.
//! Must not know what HTTP library carries it.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The media type of the document.
pub const MEDIA_TYPE: &str = "application/problem+json";
/// What stands before the name in a problem's type.
const TYPE_PREFIX: &str = "urn:headwater:problem:";

/// A problem.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProblemDocument {
    /// `urn:headwater:problem:<slug>`: stable, to be compared with.
    #[serde(rename = "type")]
    kind: Cow<'static, str>,
    /// The type in words.
    pub title: Cow<'static, str>,
    /// The answer's status, for who has the document only.
    pub status: u16,
    /// What is wrong with this request, and what to do.
    pub detail: Cow<'static, str>,
    /// Further members of this type of problem.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

impl ProblemDocument {
    /// A problem of the type with this name.
    pub fn new(
        status: u16,
        slug: &str,
        title: impl Into<Cow<'static, str>>,
        detail: impl Into<Cow<'static, str>>,
    ) -> Self {
        let kind = Cow::Owned(format!("{TYPE_PREFIX}{slug}"));
        Self { kind, title: title.into(), status, detail: detail.into(), more: Map::new() }
    }

    /// The name of its type; `None` if it is not one of ours.
    pub fn slug(&self) -> Option<&str> {
        self.kind.strip_prefix(TYPE_PREFIX)
    }

    /// The problem in an answer's body; `None` if that is no such document.
    pub fn read(body: &[u8]) -> Option<Self> {
        serde_json::from_slice(body).ok()
    }

    /// As an answer's body.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("a problem is a map with text keys")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_reads_back_what_it_says() {
        let mut problem = ProblemDocument::new(409, "too-many-keys", "Too many keys", "revoke one");
        problem.more.insert("most".into(), 50.into());
        let text = problem.to_json();
        let expected = r#"{"type":"urn:headwater:problem:too-many-keys","title":"Too many keys","status":409,"detail":"revoke one","most":50}"#;
        assert_eq!(text, expected);
        let read = ProblemDocument::read(text.as_bytes()).unwrap();
        assert_eq!((read.slug(), &read), (Some("too-many-keys"), &problem));
    }

    #[test]
    fn what_is_no_problem_of_ours_has_no_slug() {
        let gateway = r#"{"type":"about:blank","title":"Bad Gateway","status":502,"detail":"x"}"#;
        assert_eq!(ProblemDocument::read(gateway.as_bytes()).unwrap().slug(), None);
        for body in ["", "null", "[]", "<b>", r#"{"message":"Forbidden"}"#, r#"{"type":5}"#] {
            assert_eq!(ProblemDocument::read(body.as_bytes()), None, "{body}");
        }
    }
}
