//! Stream keys and their revocations.

use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::types::AttributeValue;
use headwater_domain::key::{KeyRecord, KeyRing};
use headwater_domain::ports::{PortError, PortResult, ReadKeys, Write, WriteKeys};
use headwater_domain::{KeyId, Region, StreamId, Timestamp};

use super::{Table, read, send, send_once, text};
use crate::error::{corrupt, port};
use crate::schema::{Key, SK, keys_partition, stream_key_sort_key};

impl ReadKeys for Table {
    async fn key_ring(&self, stream: &StreamId) -> PortResult<KeyRing> {
        ring_of(self.query(keys_partition(stream))).await
    }

    async fn key(&self, stream: &StreamId, key: &KeyId) -> PortResult<KeyRing> {
        let query = self
            .query(keys_partition(stream))
            .key_condition_expression("PK = :pk AND begins_with(SK, :key)")
            .expression_attribute_values(":key", AttributeValue::S(stream_key_sort_key(key)));
        ring_of(query).await
    }
}

async fn ring_of(query: QueryFluentBuilder) -> PortResult<KeyRing> {
    const ACTION: &str = "read stream keys";
    let mut ring = KeyRing::default();
    let mut pages = query.into_paginator().send();
    while let Some(page) = pages.next().await {
        for item in page.map_err(port(ACTION))?.items() {
            let mut place = text(item, SK, ACTION)?.split('#').skip(1);
            let key = place.next().unwrap_or_default();
            match place.next() {
                None => ring.keys.push(read(item, ACTION)?),
                Some(_) => {
                    let key = key.parse().map_err(|error| corrupt(ACTION, error))?;
                    ring.revoked.push((key, read(item, ACTION)?));
                }
            }
        }
    }
    Ok(ring)
}

impl WriteKeys for Table {
    async fn add_key(&self, record: &KeyRecord) -> PortResult<()> {
        const ACTION: &str = "add a stream key";
        let request = self
            .put(&Key::StreamKey(&record.stream, &record.id), record)
            .condition_expression("attribute_not_exists(PK)");
        match send_once(request, record, ACTION).await? {
            Write::Stored => Ok(()),
            // 40 random bits met: as good as never, but never to be passed over.
            Write::Lost => Err(PortError {
                kind: headwater_domain::ports::FaultKind::Unavailable,
                action: ACTION,
                source: "the key id is taken; try again".into(),
            }),
        }
    }

    async fn revoke_key(
        &self,
        stream: &StreamId,
        key: &KeyId,
        region: &Region,
        at: Timestamp,
    ) -> PortResult<()> {
        let request = self
            .put(&Key::Revocation(stream, key, region), &at)
            .condition_expression("attribute_not_exists(PK)");
        send(request, "revoke a stream key").await?;
        Ok(())
    }
}
