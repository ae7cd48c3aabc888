//! The API's Lambda authorizer: is this the deployment's admin token? (HTTP API, payload 2.0, simple responses.)
//!
//! API Gateway caches its answer, so nothing that must hold at once (stream keys) depends on it.

use headwater_domain::hooks::Secret;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

/// What API Gateway sends; we look at one header.
#[derive(Debug, Deserialize)]
pub struct Event {
    #[serde(default)]
    headers: std::collections::HashMap<String, Secret>,
}

/// What API Gateway wants back.
#[derive(Debug, Serialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    /// Whether the request may go on.
    pub is_authorized: bool,
}

/// The authorizer function.
#[derive(Debug, Clone)]
pub struct AuthorizerFunction {
    /// The token that opens the API.
    pub token: Secret,
}

impl AuthorizerFunction {
    /// Judges one request: `Authorization: Bearer <token>`, compared in constant time.
    pub fn handle(&self, event: &Event) -> Answer {
        let given = event.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("authorization"));
        let bearer = given.and_then(|(_, value)| value.expose().split_once(' '));
        let is_authorized = bearer.is_some_and(|(scheme, token)| {
            scheme.eq_ignore_ascii_case("bearer")
                && bool::from(token.trim().as_bytes().ct_eq(self.token.expose().as_bytes()))
        });
        Answer { is_authorized }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(header: &str) -> bool {
        let event =
            serde_json::json!({"version": "2.0", "type": "REQUEST", "headers": {"authorization": header}});
        let function = AuthorizerFunction { token: Secret::new("right") };
        function.handle(&serde_json::from_value(event).unwrap()).is_authorized
    }

    #[test]
    fn only_the_right_bearer_token_opens() {
        assert!(judge("Bearer right") && judge("bearer right"));
        for bad in ["Bearer wrong", "right", "Basic right", "Bearer", "", "Bearer rightright"] {
            assert!(!judge(bad), "{bad}");
        }
        let function = AuthorizerFunction { token: Secret::new("right") };
        assert!(!function.handle(&serde_json::from_str("{}").unwrap()).is_authorized);
    }
}
