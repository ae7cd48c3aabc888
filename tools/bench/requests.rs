//! What a stream costs in requests while nobody watches: counted by the stand-ins of both regions.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use headwater_local::Stack;
use serde_json::json;

use super::Bench;
use super::first_segment::{create_with, encoder, get, stack};
use super::report::{Row, Section};

/// Media that is counted over.
const COUNTED: Duration = Duration::from_secs(30);
const WRITES: [&str; 3] = ["PutItem", "UpdateItem", "DeleteItem"];
/// Many times what a start takes.
const GIVE_UP: Duration = Duration::from_secs(60);

/// Requests so far, in both regions together.
#[derive(Clone, Copy)]
struct Counted {
    objects: u64,
    writes: u64,
    reads: u64,
    hooks: u64,
}

impl Counted {
    fn now(stack: &Stack) -> Self {
        let mut counted = Self { objects: 0, writes: 0, reads: 0, hooks: 0 };
        for region in &stack.regions {
            counted.objects += region.s3.faults().requests();
            for (operation, count) in region.dynamodb.operations() {
                *if WRITES.contains(&operation.as_str()) {
                    &mut counted.writes
                } else {
                    &mut counted.reads
                } += count;
            }
            counted.hooks += region.lambda.stats("hooks").map_or(0, |stats| stats.invocations);
        }
        counted
    }
}

pub(crate) async fn measure(bench: &mut Bench) -> anyhow::Result<Section> {
    let mut section =
        Section::new("requests", "Requests of a stream with four video renditions and sound, an hour");
    // As many renditions as a 1080p source gets; their size does not matter here.
    let ladder = json!([{"height": 360, "kbps": 800}, {"height": 270, "kbps": 500},
        {"height": 180, "kbps": 300}, {"height": 90, "kbps": 100}]);
    for mode in ["standard", "low"] {
        let stack = stack(bench.folder(), Duration::ZERO).await?;
        let stream = create_with(&stack, json!({ "ladder": ladder, "latency": mode })).await?;
        let mut publisher = encoder(&format!("{}/{}", stack.regions[0].rtmp_url(), stream.key))?;
        let live = async {
            while get(&stream.playback).await.is_none() {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        tokio::time::timeout(GIVE_UP, live).await.context("the stream did not become live")?;
        let (began, before) = (Instant::now(), Counted::now(&stack));
        tokio::time::sleep(COUNTED).await;
        let (hours, after) = (began.elapsed().as_secs_f64() / 3_600.0, Counted::now(&stack));
        publisher.kill().await?;
        stack.stop().await;
        let values = [
            ("objects", "objects put, both buckets", after.objects - before.objects),
            ("writes", "table writes", after.writes - before.writes),
            ("reads", "table reads", after.reads - before.reads),
            ("hooks", "hook calls", after.hooks - before.hooks),
        ];
        for (id, what, count) in values {
            let each_hour = count as f64 / hours;
            bench.report.note(format!("requests.{mode}.{id}"), each_hour);
            section.rows.push(Row::new(format!("{mode} latency: {what}"), each_hour, ""));
        }
    }
    Ok(section)
}
