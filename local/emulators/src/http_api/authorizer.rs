//! Decides who may pass: asks a function, or checks a signature. Must not know what the route does.

use super::config::{Authorizer, HttpApiConfig};
use super::event::{ACCOUNT, Inbound, Matched};
use super::response::Own;
use super::sigv4;
use crate::calls::Call;
use crate::lambda::{InvokeError, Lambda};
use bytes::Bytes;
use parking_lot::Mutex;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// Results kept for authorizers with a cache time; beyond it the cache is emptied.
const MAX_CACHED: usize = 10_000;

/// What an authorizer function answers (simple response format 2.0).
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Decision {
    is_authorized: bool,
    #[serde(default)]
    context: Map<String, Value>,
}

/// All authorizers of one API.
#[derive(Debug, Default)]
pub(super) struct Authorizers {
    cache: Mutex<HashMap<CacheKey, (Instant, Decision)>>,
}

/// Function, route and identity: API Gateway caches by identity source, and routes are part of it by default advice.
type CacheKey = (String, String, String);

impl Authorizers {
    /// `requestContext.authorizer` for a caller that may pass, or the answer for one that may not.
    pub(super) async fn admit(
        &self,
        api: &HttpApiConfig,
        lambda: &Lambda,
        authorizer: &Authorizer,
        request: &Inbound,
        route: &Matched<'_>,
    ) -> Result<Option<Value>, Own> {
        match authorizer {
            Authorizer::None => Ok(None),
            Authorizer::Iam => {
                sigv4::verify(request, &api.credentials, &api.region, crate::clock::now()).map_err(
                    |refused| {
                        tracing::debug!(%refused, route = route.key, "signature not accepted");
                        Own::Forbidden
                    },
                )?;
                let call = Call::new(&request.headers, "execute-api:Invoke", request.arn(route));
                api.calls.record(call);
                Ok(Some(json!({ "iam": identity(&api.credentials.access_key_id) })))
            }
            Authorizer::Lambda { function, cache_for } => {
                let verdict = self.ask(lambda, function, *cache_for, request, route).await?;
                if !verdict.is_authorized {
                    return Err(Own::Forbidden);
                }
                Ok(Some(json!({ "lambda": verdict.context })))
            }
        }
    }

    async fn ask(
        &self,
        lambda: &Lambda,
        function: &str,
        cache_for: Duration,
        request: &Inbound,
        route: &Matched<'_>,
    ) -> Result<Decision, Own> {
        // A missing identity source is refused without asking (developer guide, "Identity sources").
        let identity =
            request.header("authorization").filter(|value| !value.is_empty()).ok_or(Own::Unauthorized)?;
        let key = (function.to_owned(), route.key.to_owned(), identity.to_owned());
        if let Some(verdict) = self.cached(&key, cache_for) {
            return Ok(verdict);
        }
        let event = request.authorization(route, identity);
        let answer = lambda.invoke(function, Bytes::from(event.to_string())).await.map_err(|error| {
            tracing::warn!(function, %error, "the authorizer failed");
            if matches!(error, InvokeError::Throttled) { Own::Unavailable } else { Own::Internal }
        })?;
        let verdict: Decision = serde_json::from_slice(&answer.payload).map_err(|_| Own::Internal)?;
        if !cache_for.is_zero() {
            let mut cache = self.cache.lock();
            if cache.len() >= MAX_CACHED {
                cache.clear();
            }
            cache.insert(key, (Instant::now(), verdict.clone()));
        }
        Ok(verdict)
    }

    fn cached(&self, key: &CacheKey, cache_for: Duration) -> Option<Decision> {
        let cache = self.cache.lock();
        let (since, verdict) = cache.get(key)?;
        (since.elapsed() < cache_for).then(|| verdict.clone())
    }
}

fn identity(access_key: &str) -> Value {
    json!({
        "accessKey": access_key,
        "accountId": ACCOUNT,
        "callerId": access_key,
        "cognitoIdentity": null,
        "principalOrgId": null,
        "userArn": format!("arn:aws:iam::{ACCOUNT}:user/local"),
        "userId": access_key,
    })
}
