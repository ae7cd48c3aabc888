//! `Idempotency-Key`: a repeated POST gets what the first one made.
//!
//! Ids and stream keys are derived from a stored seed and the deployment's pepper, so that the repeated answer can show
//! the same stream key although only its hash is stored.

use headwater_domain::key::Pepper;
use headwater_domain::ports::{RememberRequests, Remembered};
use headwater_domain::{KeyId, StreamId, Timestamp};
use http::StatusCode;
use lambda_http::Request;

use crate::context::Context;
use crate::reply::Problem;

/// Longest `Idempotency-Key`; a UUID has 36 characters.
const MAX_KEY: usize = 255;

/// Where the ids and secrets of one POST come from: dice, or the seed of the first such request.
pub(super) struct Origin {
    seed: String,
    pepper: Pepper,
    /// When the request was first made.
    pub(super) at: Timestamp,
}

/// `HeaderValue::to_str` lets tabs through.
fn is_key(text: &str) -> bool {
    (1..=MAX_KEY).contains(&text.len()) && text.bytes().all(|byte| (b' '..=b'~').contains(&byte))
}

impl Origin {
    /// Of this request; `scope` keeps equal keys for different resources apart.
    pub(super) async fn of(
        request: &Request,
        scope: &str,
        table: &impl RememberRequests,
        pepper: &Pepper,
        context: &Context,
    ) -> Result<Self, Problem> {
        let (now, seed) = (context.now(), format!("{:032x}", (context.random)()));
        let Some(header) = request.headers().get("idempotency-key") else {
            return Ok(Self { seed, pepper: pepper.clone(), at: now });
        };
        let key = header.to_str().ok().filter(|key| is_key(key)).ok_or_else(|| {
            let detail =
                format!("Idempotency-Key is 1 to {MAX_KEY} printable ASCII characters, such as a UUID");
            Problem::new(StatusCode::BAD_REQUEST, "bad-idempotency-key", "Bad Idempotency-Key", detail)
        })?;
        let body: &[u8] = request.body();
        let asked = Remembered {
            request: format!("{:032x}", pepper.derive("request", &String::from_utf8_lossy(body))),
            seed,
            at: now,
        };
        let fingerprint = format!("{:032x}", pepper.derive("idempotency", &format!("{scope}|{key}")));
        let first = table.remember(&fingerprint, &asked, now).await?;
        if first.request != asked.request {
            let detail = "this Idempotency-Key was used with another body; use a new key for a new request";
            return Err(Problem::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "idempotency-key-reused",
                "Key reused",
                detail,
            ));
        }
        Ok(Self { seed: first.seed, pepper: pepper.clone(), at: first.at })
    }

    pub(super) fn stream_id(&self) -> StreamId {
        StreamId::from_random(self.pepper.derive("stream id", &self.seed))
    }

    pub(super) fn key_id(&self) -> KeyId {
        KeyId::from_random(self.pepper.derive("key id", &self.seed))
    }

    pub(super) fn key_secret(&self) -> u128 {
        self.pepper.derive("key secret", &self.seed)
    }
}
