//! Stream keys and their revocations.

use headwater_domain::key::{KeyRecord, KeyRing};
use headwater_domain::ports::{PortError, PortResult, ReadKeys, Write, WriteKeys};
use headwater_domain::{KeyId, Region, StreamId, Timestamp};

use super::{Table, read, send, send_once, text};
use crate::error::{corrupt, port};
use crate::schema::{Key, SK, keys_partition};

impl ReadKeys for Table {
    async fn key_ring(&self, stream: &StreamId) -> PortResult<KeyRing> {
        const ACTION: &str = "read stream keys";
        let mut ring = KeyRing::default();
        let mut pages = self.query(keys_partition(stream)).into_paginator().send();
        while let Some(page) = pages.next().await {
            for item in page.map_err(port(ACTION))?.items() {
                let sort_key = text(item, SK, ACTION)?;
                if let Some(rest) = sort_key.strip_prefix("REVOKED#") {
                    let key = rest.split('#').next().unwrap_or_default();
                    ring.revoked
                        .push((key.parse().map_err(|error| corrupt(ACTION, error))?, read(item, ACTION)?));
                } else {
                    ring.keys.push(read(item, ACTION)?);
                }
            }
        }
        Ok(ring)
    }
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
