//! The history of broadcasts.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::AttributeValue;
use headwater_domain::control::End;
use headwater_domain::ports::{BroadcastRecord, Page, PortResult, ReadBroadcasts, WriteBroadcasts};
use headwater_domain::{BroadcastId, Region, StreamId, Timestamp};

use super::{Table, read, send, text};
use crate::error::{corrupt, port};
use crate::schema::{Key, SK, broadcasts_partition};

/// Items that one broadcast has at most: a start and an end of each region.
const ITEMS_EACH: usize = 4;

impl ReadBroadcasts for Table {
    async fn broadcasts(
        &self,
        stream: &StreamId,
        after: Option<&BroadcastId>,
        limit: usize,
    ) -> PortResult<Page<BroadcastRecord>> {
        const ACTION: &str = "list broadcasts";
        let mut query = self
            .query(broadcasts_partition(stream))
            .scan_index_forward(false)
            .limit(i32::try_from((limit + 1) * ITEMS_EACH).unwrap_or(i32::MAX));
        if let Some(after) = after {
            query = query
                .key_condition_expression("PK = :pk AND SK < :after")
                .expression_attribute_values(":after", AttributeValue::S(after.to_string()));
        }
        let found = query.send().await.map_err(port(ACTION))?;
        let mut records: BTreeMap<BroadcastId, (Option<Timestamp>, Option<End>)> = BTreeMap::new();
        for item in found.items() {
            let sort_key = text(item, SK, ACTION)?;
            let id = sort_key
                .split('#')
                .next()
                .unwrap_or_default()
                .parse()
                .map_err(|error| corrupt(ACTION, error))?;
            let record = records.entry(id).or_default();
            if sort_key.ends_with("#START") {
                let started: Timestamp = read(item, ACTION)?;
                record.0 = Some(record.0.map_or(started, |known| known.min(started)));
            } else {
                let end: End = read(item, ACTION)?;
                record.1 = Some(record.1.take().filter(|known| known.at <= end.at).unwrap_or(end));
            }
        }
        let more = records.len() > limit;
        let items = records
            .into_iter()
            .rev()
            .take(limit)
            .map(|(id, (started_at, end))| {
                // Whoever opened it may have died before it told the history; its id says when that was.
                let started_at = started_at.unwrap_or(Timestamp(id.unix_ms()));
                BroadcastRecord { id, started_at, end }
            })
            .collect();
        Ok(Page { items, more })
    }
}

impl WriteBroadcasts for Table {
    async fn record_start(&self, broadcast: &BroadcastId, region: &Region, at: Timestamp) -> PortResult<()> {
        let request = self
            .put(&Key::BroadcastStart(broadcast, region), &at)
            .condition_expression("attribute_not_exists(PK)");
        send(request, "record a broadcast's start").await?;
        Ok(())
    }

    async fn record_end(&self, end: &End, region: &Region) -> PortResult<()> {
        let request = self
            .put(&Key::BroadcastEnd(&end.broadcast, region), end)
            .condition_expression("attribute_not_exists(PK)");
        send(request, "record a broadcast's end").await?;
        Ok(())
    }
}
