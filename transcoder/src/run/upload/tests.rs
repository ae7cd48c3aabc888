//! Buckets that hang, are slow, or fail: in simulated time, so that what is waited for is exact.

use std::sync::Mutex;

use bytes::Bytes;
use headwater_domain::Region;
use headwater_domain::beat::Health;
use headwater_domain::testing::fakes::MemoryBuckets;
use tokio::time::sleep;

use super::super::circuit::{ANSWERED_WITHIN, SILENT_WITHIN};
use super::*;

/// How a bucket answers.
#[derive(Debug, Clone, Copy)]
enum Answers {
    After(Duration),
    Never,
    WithFailure,
}

const AT_ONCE: Answers = Answers::After(Duration::ZERO);

/// Buckets in memory, as slow as they are told to be.
#[derive(Debug)]
struct Buckets {
    memory: MemoryBuckets,
    answers: Mutex<[Answers; 2]>,
    /// The region of the second one, while there is one.
    mirror: Mutex<Option<Region>>,
    /// What each was asked for.
    asked: Mutex<Vec<(Bucket, String)>>,
}

impl PutMedia for Buckets {
    fn mirror(&self) -> Option<Region> {
        self.mirror.lock().unwrap().clone()
    }

    async fn put_media(&self, to: Bucket, path: &str, kind: &'static str, body: Bytes) -> PortResult<()> {
        self.asked.lock().unwrap().push((to, path.to_owned()));
        let answers = self.answers.lock().unwrap()[usize::from(to == Bucket::Mirror)];
        match answers {
            Answers::After(time) => sleep(time).await,
            Answers::Never => std::future::pending().await,
            Answers::WithFailure => {
                let source = "out of order".into();
                return Err(PortError { kind: FaultKind::Unavailable, action: "be tested", source });
            }
        }
        self.memory.put_media(to, path, kind, body).await
    }
}

struct World {
    buckets: Arc<Buckets>,
    uploader: Uploader<Buckets>,
    vitals: Vitals,
    stored: u32,
}

fn world(own: Answers, mirror: Option<Answers>) -> World {
    let buckets = Arc::new(Buckets {
        memory: MemoryBuckets::default(),
        answers: Mutex::new([own, mirror.unwrap_or(AT_ONCE)]),
        mirror: Mutex::new("eu-west-1".parse().ok()),
        asked: Mutex::default(),
    });
    let vitals = Vitals::new();
    let uploader = Uploader::new(buckets.clone(), vitals.clone()).mirroring(mirror.is_some());
    World { buckets, uploader, vitals, stored: 0 }
}

fn object(path: &str, kind: ObjectKind, bytes: usize) -> Object {
    Object { path: path.into(), content_type: "video/mp4", body: vec![0; bytes].into(), kind }
}

impl World {
    /// Stores the next object; how long that takes, and whether it is stored.
    async fn store(&mut self, kind: ObjectKind) -> (Duration, bool) {
        self.stored += 1;
        let (begun, object) = (Instant::now(), object(&format!("{kind:?}/{}", self.stored), kind, 1_000));
        let stored = self.uploader.store(object).await;
        (begun.elapsed(), stored.is_ok())
    }

    /// The time that each segment of two seconds takes, for `segments` of them.
    async fn segments(&mut self, segments: usize) -> Vec<(Duration, bool)> {
        let mut all = Vec::new();
        for _ in 0..segments {
            let stored = self.store(ObjectKind::Segment).await;
            sleep(Duration::from_secs(2).saturating_sub(stored.0)).await;
            all.push(stored);
        }
        all
    }

    fn answer(&self, own: Answers, mirror: Answers) {
        *self.buckets.answers.lock().unwrap() = [own, mirror];
    }

    fn asked(&self, bucket: Bucket) -> usize {
        self.buckets.asked.lock().unwrap().iter().filter(|(of, _)| *of == bucket).count()
    }

    fn health(&self) -> Health {
        self.vitals.read()
    }
}

#[tokio::test(start_paused = true)]
async fn a_bucket_that_hangs_is_waited_for_once_and_used_again_when_it_answers() {
    let mut world = world(Answers::Never, Some(AT_ONCE));
    let times = world.segments(30).await;
    assert_eq!(times[0], (IN_TIME, true), "the mirror's copy was there at once");
    assert!(times[1..].iter().all(|time| *time == (Duration::ZERO, true)), "{times:?}");
    assert!(world.health().problem.unwrap().contains("media bucket of this region"));
    let probes = world.asked(Bucket::Own) - 1;
    assert!((8..=12).contains(&probes), "{probes} in a minute");
    assert_eq!(world.asked(Bucket::Mirror), 30);
    world.answer(AT_ONCE, AT_ONCE);
    world.segments(4).await;
    let before = world.asked(Bucket::Own);
    assert!(world.segments(5).await.iter().all(|time| *time == (Duration::ZERO, true)));
    assert_eq!(world.asked(Bucket::Own), before + 5, "every object goes there again");
    assert_eq!(world.health().problem, None, "it is well again, and that is told");
}

#[tokio::test(start_paused = true)]
async fn a_slow_bucket_is_raced_and_not_waited_for_again() {
    for slow in [2_000, 4_000] {
        let mut world = world(Answers::After(Duration::from_millis(slow)), Some(AT_ONCE));
        let times = world.segments(10).await;
        assert_eq!(times[0], (IN_TIME, true));
        assert!(times[1..].iter().all(|time| *time == (Duration::ZERO, true)), "{times:?}");
        assert_eq!(world.health().problem.as_deref(), Some(SLOW));
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_bucket_without_a_mirror_is_waited_for() {
    let slow = Duration::from_secs(4);
    let mut world = world(Answers::After(slow), None);
    // Also after it hung: only a probe is given the time to find out.
    world.answer(Answers::Never, AT_ONCE);
    let hanging = world.segments(4).await;
    assert_eq!(hanging[0], (ANSWERED_WITHIN, false));
    assert!(hanging[1..].iter().all(|time| *time == (SILENT_WITHIN, false)), "{hanging:?}");
    world.answer(Answers::After(slow), AT_ONCE);
    let slowly = world.segments(8).await;
    let from = slowly.iter().position(|(_, stored)| *stored).expect("it answers");
    assert!(from <= 3, "{slowly:?}");
    assert!(slowly[from..].iter().all(|time| *time == (slow, true)), "{slowly:?}");
}

#[tokio::test(start_paused = true)]
async fn without_both_a_segment_takes_no_longer_than_it_lasts() {
    for (own, mirror) in [(Answers::Never, Answers::Never), (Answers::WithFailure, Answers::Never)] {
        let mut world = world(own, Some(mirror));
        let times = world.segments(30).await;
        assert!(times.iter().all(|(_, stored)| !stored));
        assert!(times[0].0 <= ANSWERED_WITHIN, "{times:?}");
        assert!(times[1..].iter().all(|(time, _)| *time <= SILENT_WITHIN), "{times:?}");
        world.answer(AT_ONCE, AT_ONCE);
        let after = world.segments(6).await;
        assert!(after.iter().all(|time| *time == (Duration::ZERO, true)), "{after:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_own_bucket_serves_when_the_mirror_fails_while_it_is_doubted() {
    let mut world = world(Answers::After(Duration::from_secs(2)), Some(AT_ONCE));
    world.segments(2).await;
    world.answer(AT_ONCE, Answers::WithFailure);
    let times = world.segments(6).await;
    assert!(times.iter().all(|(_, stored)| *stored), "{times:?}");
    assert!(times.iter().all(|(time, _)| *time <= IN_TIME), "{times:?}");
}

#[tokio::test(start_paused = true)]
async fn a_part_is_given_up_before_it_is_of_no_use_and_no_part_waits_for_a_bucket_that_hangs() {
    let mut world = world(Answers::Never, Some(AT_ONCE));
    assert_eq!(world.store(ObjectKind::Part).await, (IN_TIME, false));
    for _ in 0..5 {
        assert_eq!(world.store(ObjectKind::Part).await, (Duration::ZERO, false));
    }
    assert_eq!(
        world.store(ObjectKind::Segment).await,
        (Duration::ZERO, true),
        "its bytes come with the segment"
    );
    world.answer(AT_ONCE, AT_ONCE);
    // A segment finds out that the bucket answers.
    world.segments(4).await;
    assert_eq!(world.store(ObjectKind::Part).await, (Duration::ZERO, true));
}

#[tokio::test(start_paused = true)]
async fn uploads_that_hang_are_bounded_in_number_bytes_and_time() {
    let world = world(AT_ONCE, Some(Answers::Never));
    let large = |number: u32| object(&format!("large/{number}"), ObjectKind::Segment, 10 << 20);
    for number in 0..4 {
        world.uploader.store(large(number)).await.unwrap();
    }
    assert_eq!(world.health().mirror_lag, 3, "thirty MiB and no more");
    assert!(world.health().problem.unwrap().contains("not mirrored"));
    sleep(ANSWERED_WITHIN * 2).await;
    assert_eq!(world.uploader.mirror.under_way(), 0, "nothing is held for longer");
    for number in 0..50 {
        let small = object(&format!("small/{number}"), ObjectKind::Segment, 10);
        world.uploader.store(small).await.unwrap();
    }
    assert_eq!(world.health().mirror_lag, 20);
    // An object beyond all bounds takes all the room, and is not refused for ever.
    sleep(ANSWERED_WITHIN * 2).await;
    world.uploader.store(object("giant", ObjectKind::Segment, 40 << 20)).await.unwrap();
    assert_eq!(world.uploader.mirror.under_way(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_initialization_section_is_stored_once_and_again_if_that_failed() {
    let world = world(Answers::WithFailure, None);
    let init = || world.uploader.store(object("init", ObjectKind::Init, 10));
    assert!(init().await.is_err());
    world.answer(Answers::After(Duration::from_secs(1)), AT_ONCE);
    let before = world.asked(Bucket::Own);
    let (one, two) = tokio::join!(init(), init());
    assert!(one.is_ok() && two.is_ok() && init().await.is_ok());
    assert_eq!(world.asked(Bucket::Own), before + 1);
}

#[tokio::test(start_paused = true)]
async fn copies_go_to_the_mirror_that_there_is_when_they_are_made() {
    let mut world = world(AT_ONCE, Some(AT_ONCE));
    let now_in = |world: &World, region: &str| *world.buckets.mirror.lock().unwrap() = region.parse().ok();
    let init = object("init-0.mp4", ObjectKind::Init, 100);
    now_in(&world, "");
    for _ in 0..2 {
        world.uploader.store(init.clone()).await.unwrap();
        assert!(world.store(ObjectKind::Segment).await.1);
    }
    assert_eq!((world.asked(Bucket::Own), world.asked(Bucket::Mirror)), (3, 0), "there is no other region");
    // One joins: what segments cannot be played without is there with the first of them, and once.
    for (region, init_comes) in [("eu-west-1", 1), ("eu-west-1", 0), ("ap-southeast-2", 1)] {
        now_in(&world, region);
        let before = world.asked(Bucket::Mirror);
        world.uploader.store(init.clone()).await.unwrap();
        assert!(world.store(ObjectKind::Segment).await.1);
        assert_eq!(world.asked(Bucket::Mirror), before + 1 + init_comes, "{region}");
    }
    // It goes again.
    now_in(&world, "");
    let before = world.asked(Bucket::Mirror);
    world.segments(3).await;
    assert_eq!(world.asked(Bucket::Mirror), before);
    assert_eq!(world.health().problem, None);
}

#[tokio::test(start_paused = true)]
async fn an_initialization_section_in_use_is_never_old() {
    let world = world(AT_ONCE, Some(AT_ONCE));
    let init = || world.uploader.store(object("init", ObjectKind::Init, 10));
    let asked = || (world.asked(Bucket::Own), world.asked(Bucket::Mirror));
    init().await.unwrap();
    sleep(RENEW_EVERY - Duration::from_secs(1)).await;
    init().await.unwrap();
    assert_eq!(asked(), (1, 1));
    sleep(Duration::from_secs(1)).await;
    let (one, two) = tokio::join!(init(), init());
    assert!(one.is_ok() && two.is_ok());
    assert_eq!(asked(), (2, 2), "anew, once, in both buckets");
    // The one that is there serves on while it cannot be written anew.
    world.answer(Answers::WithFailure, Answers::WithFailure);
    sleep(RENEW_EVERY).await;
    assert!(init().await.is_ok());
    world.answer(AT_ONCE, AT_ONCE);
    let before = asked().1;
    sleep(RENEW_AGAIN).await;
    init().await.unwrap();
    init().await.unwrap();
    assert_eq!(asked().1, before + 1);
}
