//! What is live: control records, heartbeats, and the streams to reconcile.

use aws_sdk_dynamodb::types::AttributeValue;
use headwater_domain::control::{ControlRecord, ReplicatedState};
use headwater_domain::heartbeat::Heartbeat;
use headwater_domain::ports::{PortResult, ReadControl, Write, WriteControl, WriteHeartbeats};
use headwater_domain::{Region, StreamId};

use super::{Put, Table, read, send, send_once, text};
use crate::error::{corrupt, port};
use crate::schema::{
    FENCING_TOKEN, HEARTBEAT, Key, RECORD, SK, VERSION, active_partition, control_partition, heartbeat_order,
};

impl ReadControl for Table {
    async fn replicated_state(&self, stream: &StreamId) -> PortResult<ReplicatedState> {
        const ACTION: &str = "read what is live";
        let found = self.query(control_partition(stream)).send().await.map_err(port(ACTION))?;
        let mut replicated = ReplicatedState::default();
        for item in found.items() {
            let sort_key = text(item, SK, ACTION)?;
            if sort_key.starts_with(RECORD) {
                replicated.records.push(read(item, ACTION)?);
            } else if sort_key.starts_with(HEARTBEAT) {
                replicated.heartbeats.push(read(item, ACTION)?);
            }
        }
        Ok(replicated)
    }

    async fn active(&self, region: &Region) -> PortResult<Vec<StreamId>> {
        const ACTION: &str = "list active streams";
        let mut streams = Vec::new();
        let mut pages = self.query(active_partition(region)).into_paginator().send();
        while let Some(page) = pages.next().await {
            for item in page.map_err(port(ACTION))?.items() {
                streams.push(text(item, SK, ACTION)?.parse().map_err(|error| corrupt(ACTION, error))?);
            }
        }
        Ok(streams)
    }
}

impl WriteControl for Table {
    async fn put_control_record(&self, record: &ControlRecord) -> PortResult<Write> {
        let request = self
            .put(&Key::ControlRecord(&record.stream, &record.region), record)
            .item(VERSION, AttributeValue::N(record.version.to_string()));
        let request = if record.version <= 1 {
            request.condition_expression("attribute_not_exists(PK)")
        } else {
            request
                .condition_expression("v = :before")
                .expression_attribute_values(":before", AttributeValue::N((record.version - 1).to_string()))
        };
        send_once(request, record, "write a control record").await
    }

    async fn mark_active(&self, stream: &StreamId, region: &Region) -> PortResult<()> {
        self.put(&Key::Active(region, stream), &()).send().await.map_err(port("mark a stream active"))?;
        Ok(())
    }

    async fn clear_active(&self, stream: &StreamId, region: &Region) -> PortResult<()> {
        self.delete(&Key::Active(region, stream), "clear an active stream").await
    }
}

impl WriteHeartbeats for Table {
    async fn put_heartbeat(&self, heartbeat: &Heartbeat) -> PortResult<Write> {
        let order = AttributeValue::S(heartbeat_order(&heartbeat.broadcast, &heartbeat.lease));
        let request = self
            .put(&Key::of_heartbeat(heartbeat), heartbeat)
            .item(VERSION, order.clone())
            .item(FENCING_TOKEN, AttributeValue::S(heartbeat.fencing_token.clone()))
            .condition_expression(
                "attribute_not_exists(PK) OR v < :order OR (v = :order AND fencing_token = :fencing_token)",
            )
            .expression_attribute_values(":order", order)
            .expression_attribute_values(
                ":fencing_token",
                AttributeValue::S(heartbeat.fencing_token.clone()),
            );
        Ok(match send(request, "write a heartbeat").await? {
            Put::Done => Write::Stored,
            Put::Refused(_) => Write::Lost,
        })
    }
}
