//! The API's Lambda authorizer: is this the deployment's admin token? (HTTP API, payload 2.0, simple responses.)
//!
//! API Gateway caches its answer, so nothing that must hold at once (stream keys) depends on it.

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use headwater_domain::ClockReader;
use headwater_domain::hooks::Secret;
use headwater_domain::key_attempts::{AddressGroup, AttemptCounter};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

/// Wrong tokens from one address in each [`WINDOW`], at one instance of the function. The token has 256 random bits; this
/// is so that guessing shows in the log once, and is not worth the while.
const MAX_WRONG: u32 = 30;
/// Addresses remembered for the right token: more than administrators have.
const MAX_KNOWN: usize = 1_024;
/// What they are counted over.
const WINDOW: Duration = Duration::from_secs(60);

/// What API Gateway sends; we look at one header, and where it comes from.
#[derive(Debug, Deserialize)]
pub struct Event {
    #[serde(default)]
    headers: std::collections::HashMap<String, Secret>,
    #[serde(default, rename = "requestContext")]
    context: RequestContext,
}

#[derive(Debug, Default, Deserialize)]
struct RequestContext {
    #[serde(default)]
    http: Http,
}

#[derive(Debug, Default, Deserialize)]
struct Http {
    #[serde(default, rename = "sourceIp")]
    source_ip: String,
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
    token: Secret,
    clock: ClockReader,
    callers: Arc<Mutex<Callers>>,
}

#[derive(Debug)]
struct Callers {
    key_attempts: AttemptCounter<AddressGroup>,
    /// Addresses that brought the right token: wrong ones beside it lock nobody out.
    known: HashSet<AddressGroup>,
}

impl AuthorizerFunction {
    /// `token` opens the API.
    pub fn new(token: Secret, clock: ClockReader) -> Self {
        let callers = Callers { key_attempts: AttemptCounter::new(MAX_WRONG, WINDOW), known: HashSet::new() };
        Self { token, clock, callers: Arc::new(Mutex::new(callers)) }
    }

    /// Judges one request. An address that has only guessed, and too often, waits, even with the right token.
    pub fn handle(&self, event: &Event) -> Answer {
        let Ok(address) = event.context.http.source_ip.parse::<IpAddr>() else { return self.judge(event) };
        let (address, now) = (AddressGroup::from(address), (self.clock)());
        let mut callers = self.callers.lock();
        let Callers { key_attempts, known } = &mut *callers;
        if known.contains(&address) {
            return self.judge(event);
        }
        if !key_attempts.begin(&address, now) {
            return Answer { is_authorized: false };
        }
        let answer = self.judge(event);
        if answer.is_authorized {
            key_attempts.take_back(&address);
            if known.len() < MAX_KNOWN {
                known.insert(address);
            }
        } else if key_attempts.is_used_up(&address) {
            tracing::warn!(?address, "too many wrong admin tokens; this address has to wait");
        }
        answer
    }

    /// `Authorization: Bearer <token>`, compared in constant time.
    fn judge(&self, event: &Event) -> Answer {
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
    use headwater_domain::Timestamp;

    use super::*;

    fn judge(header: &str) -> bool {
        let event =
            serde_json::json!({"version": "2.0", "type": "REQUEST", "headers": {"authorization": header}});
        let function = AuthorizerFunction::new(Secret::new("right"), || Timestamp(0));
        function.handle(&serde_json::from_value(event).unwrap()).is_authorized
    }

    #[test]
    fn only_the_right_bearer_token_opens() {
        assert!(judge("Bearer right") && judge("bearer right"));
        for bad in ["Bearer wrong", "right", "Basic right", "Bearer", "", "Bearer rightright"] {
            assert!(!judge(bad), "{bad}");
        }
        let function = AuthorizerFunction::new(Secret::new("right"), || Timestamp(0));
        assert!(!function.handle(&serde_json::from_str("{}").unwrap()).is_authorized);
    }

    #[test]
    fn an_address_that_guesses_waits_and_others_do_not() {
        use std::cell::Cell;
        thread_local!(static NOW: Cell<u64> = const { Cell::new(5_000) });
        let function = AuthorizerFunction::new(Secret::new("right"), || Timestamp(NOW.get()));
        let judge = |token: &str, address: &str| {
            let event = serde_json::json!({
                "headers": { "authorization": format!("Bearer {token}") },
                "requestContext": { "http": { "sourceIp": address } },
            });
            function.handle(&serde_json::from_value(event).unwrap()).is_authorized
        };
        assert!(judge("right", "192.0.2.3"));
        assert!((0..100).all(|n| !judge(&n.to_string(), "192.0.2.3")));
        assert!(judge("right", "192.0.2.3"), "it is known");
        assert!((0..MAX_WRONG).all(|n| !judge(&n.to_string(), "192.0.2.1")));
        assert!(!judge("right", "192.0.2.1"));
        assert!(judge("right", "192.0.2.2"));
        NOW.set(65_000);
        assert!(judge("right", "192.0.2.1"));
    }
}
