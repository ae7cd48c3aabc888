//! `Idempotency-Key`: a repeated POST gets what the first one made, whichever region is asked.
//!
//! Ids and stream keys are derived from the request's key and body and the deployment's pepper. So both regions make the same
//! of one request, also if neither has heard of the other's yet; and the repeated answer can show the same stream key
//! although only its hash is stored. A day after it was made a request with the same key is a new one.

use headwater_domain::key::Pepper;
use headwater_domain::ports::{REMEMBERED_FOR, RememberRequests, Remembered};
use headwater_domain::{KeyId, StreamId, Timestamp};
use http::StatusCode;
use lambda_http::Request;

use crate::context::Context;
use crate::reply::Problem;

/// Longest `Idempotency-Key`; a UUID has 36 characters.
const MAX_KEY: usize = 255;
/// Days on which one key may be used for the same request. Each costs a read.
const MAX_USES: u32 = 32;

/// Where the ids and secrets of one POST come from: entropy, or the request itself.
pub(super) struct Origin {
    seed: String,
    /// Which of the requests it is that were made with this key, each more than a day after the one before.
    use_of_key: u32,
    is_repeatable: bool,
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
        let now = context.now();
        let Some(header) = request.headers().get("idempotency-key") else {
            let seed = format!("{:032x}", (context.random)());
            return Ok(Self { seed, use_of_key: 0, is_repeatable: false, pepper: pepper.clone(), at: now });
        };
        let key = header.to_str().ok().filter(|key| is_key(key)).ok_or_else(|| {
            let detail =
                format!("Idempotency-Key is 1 to {MAX_KEY} printable ASCII characters, such as a UUID");
            Problem::new(StatusCode::BAD_REQUEST, "bad-idempotency-key", "Bad Idempotency-Key", detail)
        })?;
        let body: &[u8] = request.body();
        let asked = Remembered {
            region: context.region.clone(),
            request: format!("{:032x}", pepper.derive("request", &String::from_utf8_lossy(body))),
            at: now,
        };
        let fingerprint = format!("{:032x}", pepper.derive("idempotency", &format!("{scope}|{key}")));
        let remembered = table.remember(&fingerprint, &asked, now).await?;
        // Of two bodies that the regions were asked with before they knew of each other, both take the same for the first.
        let first = remembered.iter().min_by_key(|request| (request.at, &request.region)).unwrap_or(&asked);
        if first.request != asked.request {
            let detail = "this Idempotency-Key was used with another body; use a new key for a new request";
            return Err(Problem::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "idempotency-key-reused",
                "Key reused",
                detail,
            ));
        }
        // The body, too: before the regions know of each other's requests, another one is another stream, not half of this one.
        let seed = format!("{fingerprint}|{}", asked.request);
        Ok(Self { seed, use_of_key: 0, is_repeatable: true, pepper: pepper.clone(), at: first.at })
    }

    /// Whether what was made at `created_at` by a request with this key was made by this very request; otherwise that was
    /// a request of some other day, and the next use of the key is to be tried.
    pub(super) fn is_of_this_request(&self, created_at: Timestamp, now: Timestamp) -> bool {
        !self.is_repeatable || now.since(created_at) < REMEMBERED_FOR
    }

    /// Derives everything anew, for the next use of the key.
    pub(super) fn next_use(&mut self) -> Result<(), Problem> {
        self.use_of_key += 1;
        if self.use_of_key < MAX_USES {
            return Ok(());
        }
        let detail = "this Idempotency-Key was used on too many days; use a new key for a new request";
        Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "idempotency-key-reused", "Key reused", detail))
    }

    /// Whether a request like this can have been made before.
    pub(super) fn is_repeatable(&self) -> bool {
        self.is_repeatable
    }

    pub(super) fn stream_id(&self) -> StreamId {
        StreamId::from_random(self.derive("stream id"))
    }

    pub(super) fn key_id(&self) -> KeyId {
        KeyId::from_random(self.derive("key id"))
    }

    pub(super) fn key_secret(&self) -> u128 {
        self.derive("key secret")
    }

    fn derive(&self, purpose: &str) -> u128 {
        self.pepper.derive(purpose, &format!("{}|{}", self.seed, self.use_of_key))
    }
}
