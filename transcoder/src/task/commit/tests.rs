//! Slow stores, in simulated time.

use std::sync::Mutex;

use bytes::Bytes;
use headwater_domain::ports::Bucket;
use headwater_domain::testing::samples;
use headwater_domain::timeline::EntryPart;
use headwater_task::engine::Effort;
use headwater_task::timeline::{Object, ObjectKind};
use tokio::time::sleep;

use super::*;

/// Parts come so often.
const EVERY: Duration = Duration::from_millis(333);

/// A table and a bucket that answer, but slowly.
#[derive(Debug, Default)]
struct Slow {
    table: Duration,
    bucket: Duration,
    /// Number, parts, and when it was written.
    written: Mutex<Vec<(u64, usize, Instant)>>,
}

impl WriteTimeline for Slow {
    async fn commit(&self, entry: &Entry) -> PortResult<Commit> {
        sleep(self.table).await;
        self.written.lock().unwrap().push((entry.number.0, entry.parts.len(), Instant::now()));
        Ok(Commit::Committed)
    }
}

impl PutMedia for Slow {
    fn mirror(&self) -> Option<headwater_domain::Region> {
        None
    }

    async fn put_media(&self, _: Bucket, _: &str, _: &'static str, _: Bytes) -> PortResult<()> {
        sleep(self.bucket).await;
        Ok(())
    }
}

/// Segments of six parts each, a part each third of a second: what is written of them, and how much later than it was made.
async fn write(slow: Slow, segments: u64) -> (Vec<(u64, usize)>, Duration) {
    let (slow, health_reporter) = (Arc::new(slow), HealthReporter::new());
    let (_access, source) = watch::channel(Source {
        session: headwater_domain::SessionId::from_random(1),
        url: "http://127.0.0.1:1/x".into(),
        token: headwater_domain::hooks::Secret::new("t"),
    });
    let committer = Committer {
        timeline: slow.clone(),
        uploader: Uploader::new(slow.clone(), health_reporter.clone()),
        health_reporter,
        lost_parts: BTreeSet::new(),
        stall: None,
        source,
    };
    let (queue, pending) = mpsc::channel(MAX_PENDING);
    let committing = tokio::spawn(committer.run(pending, CancellationToken::new()));
    let mut made = Instant::now();
    for number in 0..segments {
        let mut entry = samples::entry(1, number);
        (entry.open, entry.parts) = (true, Vec::new());
        for part in 0..=6 {
            if part == 6 {
                entry.open = false;
            } else {
                sleep(EVERY).await;
                made = Instant::now();
                let (video, audio) = (entry.video, entry.audio);
                entry.parts.push(EntryPart { video, audio, independent: part == 0, gap: false, lease: None });
            }
            let (path, kind) = match entry.open {
                true => (format!("parts/{number}/{part}"), ObjectKind::Part),
                false => (format!("media/{number}"), ObjectKind::Segment),
            };
            let object = Object { path, content_type: "video/mp4", body: Bytes::from_static(b"x"), kind };
            let pending = Written { entry: entry.clone(), objects: vec![object], effort: Effort::default() };
            queue.send(pending).await.unwrap();
        }
    }
    drop(queue);
    assert_eq!(committing.await.unwrap(), Stopped::Drained);
    let written = slow.written.lock().unwrap().clone();
    let late = written.last().unwrap().2 - made;
    (written.into_iter().map(|(number, parts, _)| (number, parts)).collect(), late)
}

#[tokio::test(start_paused = true)]
async fn a_bucket_that_answers_within_a_second_costs_each_part_that_second_and_no_more() {
    let bucket = Duration::from_millis(900);
    let (written, late) = write(Slow { bucket, ..Slow::default() }, 20).await;
    assert_eq!(written.len(), 20 * 7, "one write a part, and one that closes");
    assert!(late <= bucket + EVERY, "{late:?} behind after forty seconds");
}

#[tokio::test(start_paused = true)]
async fn a_slow_table_is_asked_for_what_is_newest() {
    let table = Duration::from_millis(700);
    let (written, late) = write(Slow { table, ..Slow::default() }, 20).await;
    assert!(written.is_sorted(), "in order: {written:?}");
    let closed: BTreeSet<u64> = written.iter().map(|(number, _)| *number).collect();
    assert_eq!(closed.len(), 20, "every segment is closed");
    assert!(
        written.iter().filter(|(_, parts)| *parts < 6).count() >= 20,
        "parts are still told: {written:?}"
    );
    assert!(late <= table * 4, "{late:?} behind after forty seconds");
}
