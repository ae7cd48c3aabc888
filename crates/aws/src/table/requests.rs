//! Requests that were made with an `Idempotency-Key`.

use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use headwater_domain::Timestamp;
use headwater_domain::ports::{PortResult, RememberRequests, Remembered};
use serde::{Deserialize, Serialize};

use super::{Put, Table, read, send};
use crate::error::corrupt;
use crate::schema::{Key, TTL};

/// How long a request is remembered.
const REMEMBERED_FOR: Duration = Duration::from_secs(24 * 3600);

#[derive(Serialize, Deserialize)]
struct Stored {
    request: String,
    seed: String,
    at: Timestamp,
}

impl RememberRequests for Table {
    async fn remember(&self, key: &str, request: &Remembered, now: Timestamp) -> PortResult<Remembered> {
        const ACTION: &str = "remember a request";
        let stored = Stored { request: request.request.clone(), seed: request.seed.clone(), at: request.at };
        let put = self
            .put(&Key::Request(key), &stored)
            .item(TTL, AttributeValue::N((now + REMEMBERED_FOR).unix_seconds().to_string()))
            .condition_expression("attribute_not_exists(PK) OR #ttl <= :now")
            .expression_attribute_names("#ttl", TTL)
            .expression_attribute_values(":now", AttributeValue::N(now.unix_seconds().to_string()));
        match send(put, ACTION).await? {
            Put::Done => Ok(request.clone()),
            Put::Refused(Some(there)) => {
                let Stored { request, seed, at } = read(&there, ACTION)?;
                Ok(Remembered { request, seed, at })
            }
            Put::Refused(None) => Err(corrupt(ACTION, "the item that was in the way was not returned")),
        }
    }
}
