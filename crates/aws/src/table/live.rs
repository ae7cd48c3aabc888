//! What is live: seats, beats, and the streams to tend to.

use aws_sdk_dynamodb::types::AttributeValue;
use headwater_domain::beat::Beat;
use headwater_domain::live::{Seat, Situation};
use headwater_domain::ports::{PortResult, ReadLive, Write, WriteBeats, WriteLive};
use headwater_domain::{Region, StreamId};

use super::{Put, Table, read, send, send_once, text};
use crate::error::{corrupt, port};
use crate::schema::{BEAT, BOOT, Key, SEAT, SK, VERSION, active_partition, beat_order, live_partition};

impl ReadLive for Table {
    async fn situation(&self, stream: &StreamId) -> PortResult<Situation> {
        const ACTION: &str = "read what is live";
        let found = self.query(live_partition(stream)).send().await.map_err(port(ACTION))?;
        let mut situation = Situation::default();
        for item in found.items() {
            let sort_key = text(item, SK, ACTION)?;
            if sort_key.starts_with(SEAT) {
                situation.seats.push(read(item, ACTION)?);
            } else if sort_key.starts_with(BEAT) {
                situation.beats.push(read(item, ACTION)?);
            }
        }
        Ok(situation)
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

impl WriteLive for Table {
    async fn put_seat(&self, seat: &Seat) -> PortResult<Write> {
        let request = self
            .put(&Key::Seat(&seat.stream, &seat.region), seat)
            .item(VERSION, AttributeValue::N(seat.version.to_string()));
        let request = if seat.version <= 1 {
            request.condition_expression("attribute_not_exists(PK)")
        } else {
            request
                .condition_expression("v = :before")
                .expression_attribute_values(":before", AttributeValue::N((seat.version - 1).to_string()))
        };
        send_once(request, seat, "write a seat").await
    }

    async fn mark_active(&self, stream: &StreamId, region: &Region) -> PortResult<()> {
        self.put(&Key::Active(region, stream), &()).send().await.map_err(port("mark a stream active"))?;
        Ok(())
    }

    async fn clear_active(&self, stream: &StreamId, region: &Region) -> PortResult<()> {
        self.delete(&Key::Active(region, stream), "clear an active stream").await
    }
}

impl WriteBeats for Table {
    async fn put_beat(&self, beat: &Beat) -> PortResult<Write> {
        let order = AttributeValue::S(beat_order(&beat.broadcast, &beat.lease));
        let request = self
            .put(&Key::Beat(&beat.stream, &beat.region), beat)
            .item(VERSION, order.clone())
            .item(BOOT, AttributeValue::S(beat.boot.clone()))
            .condition_expression("attribute_not_exists(PK) OR v < :order OR (v = :order AND boot = :boot)")
            .expression_attribute_values(":order", order)
            .expression_attribute_values(":boot", AttributeValue::S(beat.boot.clone()));
        Ok(match send(request, "write a heartbeat").await? {
            Put::Done => Write::Stored,
            Put::Refused(_) => Write::Lost,
        })
    }
}
