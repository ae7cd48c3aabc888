//! Timelines.

use headwater_domain::BroadcastId;
use headwater_domain::ports::{Commit, PortResult, ReadTimeline, Write, WriteTimeline};
use headwater_domain::timeline::Entry;

use super::{Table, read, send_once};
use crate::error::port;
use crate::schema::{Key, timeline_partition};

const READ: &str = "read a timeline";

impl ReadTimeline for Table {
    async fn newest(&self, broadcast: &BroadcastId, limit: usize) -> PortResult<Vec<Entry>> {
        let query = self.query(timeline_partition(broadcast)).scan_index_forward(false);
        let found = query.limit(i32::try_from(limit).unwrap_or(i32::MAX)).send().await.map_err(port(READ))?;
        found.items().iter().map(|item| read(item, READ)).collect()
    }

    async fn all(&self, broadcast: &BroadcastId) -> PortResult<Vec<Entry>> {
        let mut entries = Vec::new();
        let mut pages = self.query(timeline_partition(broadcast)).into_paginator().send();
        while let Some(page) = pages.next().await {
            for item in page.map_err(port(READ))?.items() {
                entries.push(read(item, READ)?);
            }
        }
        Ok(entries)
    }
}

impl WriteTimeline for Table {
    async fn commit(&self, entry: &Entry) -> PortResult<Commit> {
        let request = self
            .put(&Key::Entry(&entry.broadcast, &entry.lease, entry.number), entry)
            .condition_expression("attribute_not_exists(PK)");
        Ok(match send_once(request, entry, "commit an entry").await? {
            Write::Stored => Commit::Committed,
            Write::Lost => Commit::Fenced,
        })
    }
}
