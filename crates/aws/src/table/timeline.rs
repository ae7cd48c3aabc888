//! Timelines.

use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::types::AttributeValue;
use headwater_domain::BroadcastId;
use headwater_domain::objects::UNRECORDED_FOR;
use headwater_domain::ports::{Commit, MAX_RECORDED, PortResult, ReadTimeline, Write, WriteTimeline};
use headwater_domain::timeline::{Entry, Progress};

use super::{Table, read, send_once};
use crate::error::port;
use crate::schema::{Key, TTL, VERSION, timeline_partition};

const READ: &str = "read a timeline";

impl ReadTimeline for Table {
    async fn newest(&self, broadcast: &BroadcastId, limit: usize) -> PortResult<Vec<Entry>> {
        let query = self.query(timeline_partition(broadcast)).limit(i32::try_from(limit).unwrap_or(i32::MAX));
        first_of(query.scan_index_forward(false), limit).await
    }

    async fn oldest(&self, broadcast: &BroadcastId, limit: usize) -> PortResult<Vec<Entry>> {
        let query = self.query(timeline_partition(broadcast)).limit(i32::try_from(limit).unwrap_or(i32::MAX));
        first_of(query, limit).await
    }

    async fn all(&self, broadcast: &BroadcastId) -> PortResult<Vec<Entry>> {
        let query = self.query(timeline_partition(broadcast)).scan_index_forward(false);
        first_of(query, MAX_RECORDED).await
    }
}

/// Page by page: DynamoDB gives a megabyte at once, whatever the limit.
async fn first_of(query: QueryFluentBuilder, most: usize) -> PortResult<Vec<Entry>> {
    let mut entries = Vec::new();
    let mut pages = query.into_paginator().send();
    while entries.len() < most {
        let Some(page) = pages.next().await else { break };
        for item in page.map_err(port(READ))?.items() {
            entries.push(read(item, READ)?);
        }
    }
    entries.truncate(most);
    Ok(entries)
}

impl WriteTimeline for Table {
    async fn commit(&self, entry: &Entry) -> PortResult<Commit> {
        let mut request = self.put_packed(&Key::Entry(&entry.broadcast, &entry.lease, entry.number), entry);
        if entry.is_unrecorded() {
            let until = (entry.committed_at + UNRECORDED_FOR).unix_seconds();
            request = request.item(TTL, AttributeValue::N(until.to_string()));
        }
        let request = request
            .item(VERSION, AttributeValue::N(version(entry.progress()).to_string()))
            .condition_expression("attribute_not_exists(PK) OR v < :v")
            .expression_attribute_values(":v", AttributeValue::N(version(entry.progress()).to_string()));
        Ok(match send_once(request, entry, "commit an entry").await? {
            Write::Stored => Commit::Committed,
            Write::Lost => Commit::Fenced,
        })
    }
}

/// Above every number of parts.
const CLOSED: usize = 1_000_000;

fn version(progress: Progress) -> usize {
    match progress {
        Progress::Parts(parts) => parts.min(CLOSED - 1),
        Progress::Closed => CLOSED,
    }
}
