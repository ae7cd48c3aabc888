//! Requests that were made with an `Idempotency-Key`.

use aws_sdk_dynamodb::types::AttributeValue;
use headwater_domain::ports::{PortResult, REMEMBERED_FOR, RememberRequests, Remembered};
use headwater_domain::{Region, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Item, Table, read, send};
use crate::error::port;
use crate::schema::{Key, TTL, request_partition};

#[derive(Serialize, Deserialize)]
struct Stored {
    region: Region,
    request: String,
    at: Timestamp,
}

impl RememberRequests for Table {
    async fn remember(&self, key: &str, request: &Remembered, now: Timestamp) -> PortResult<Vec<Remembered>> {
        const ACTION: &str = "remember a request";
        let Remembered { region, request, at } = request.clone();
        let stored = Stored { region: region.clone(), request, at };
        let put = self
            .put(&Key::Request(key, &region), &stored)
            .item(TTL, AttributeValue::N((now + REMEMBERED_FOR).unix_seconds().to_string()))
            .condition_expression("attribute_not_exists(PK) OR #ttl <= :now")
            .expression_attribute_names("#ttl", TTL)
            .expression_attribute_values(":now", AttributeValue::N(now.unix_seconds().to_string()));
        // What is in the way is this region's first request; it is read with the other region's.
        send(put, ACTION).await?;
        let found = self.query(request_partition(key)).send().await.map_err(port(ACTION))?;
        let of_today = found.items().iter().filter(|item| now.unix_seconds() < expiry(item));
        let all: PortResult<Vec<Stored>> = of_today.map(|item| read(item, ACTION)).collect();
        Ok(all?
            .into_iter()
            .map(|Stored { region, request, at }| Remembered { region, request, at })
            .collect())
    }
}

/// Items are deleted some time after they have expired.
fn expiry(item: &Item) -> u64 {
    item.get(TTL).and_then(|ttl| ttl.as_n().ok()).and_then(|ttl| ttl.parse().ok()).unwrap_or(0)
}
