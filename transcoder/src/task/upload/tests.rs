//! Buckets that hang, are slow, or fail: in simulated time, so that what is waited for is exact.

use std::sync::Mutex;

use bytes::Bytes;
use headwater_domain::Region;
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
    WithError(FaultKind, &'static str),
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
            Answers::WithFailure => return Err(fault(FaultKind::Unavailable, "out of order")),
            Answers::WithError(kind, source) => return Err(fault(kind, source)),
        }
        self.memory.put_media(to, path, kind, body).await
    }
}

fn fault(kind: FaultKind, source: &str) -> PortError {
    PortError { kind, action: "be tested", source: source.into() }
}

struct Harness {
    buckets: Arc<Buckets>,
    uploader: Uploader<Buckets>,
    observed: Observations,
    /// What is wrong just now.
    wrong: BTreeMap<About, Option<String>>,
    stored: u32,
}

fn harness(own: Answers, mirror: Option<Answers>) -> Harness {
    let buckets = Arc::new(Buckets {
        memory: MemoryBuckets::default(),
        answers: Mutex::new([own, mirror.unwrap_or(AT_ONCE)]),
        mirror: Mutex::new("eu-west-1".parse().ok()),
        asked: Mutex::default(),
    });
    let observed = Observations::default();
    let uploader = Uploader::new(buckets.clone(), observed.clone()).mirroring(mirror.is_some());
    Harness { buckets, uploader, observed, wrong: BTreeMap::new(), stored: 0 }
}

fn object(path: &str, kind: ObjectKind, bytes: usize) -> Object {
    Object { path: path.into(), content_type: "video/mp4", body: vec![0; bytes].into(), kind }
}

impl Harness {
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

    /// What is told of a bucket.
    fn told(&mut self, about: About) -> Option<String> {
        self.wrong.extend(self.observed.take());
        self.wrong.get(&about).cloned().flatten()
    }
}

#[tokio::test(start_paused = true)]
async fn a_bucket_that_hangs_is_waited_for_once_and_used_again_when_it_answers() {
    let mut harness = harness(Answers::Never, Some(AT_ONCE));
    let times = harness.segments(30).await;
    assert_eq!(times[0], (IN_TIME, true), "the mirror's copy was there at once");
    assert!(times[1..].iter().all(|time| *time == (Duration::ZERO, true)), "{times:?}");
    assert!(harness.told(About::OwnBucket).unwrap().contains("media bucket of this region"));
    let probes = harness.asked(Bucket::Own) - 1;
    assert!((8..=12).contains(&probes), "{probes} in a minute");
    assert_eq!(harness.asked(Bucket::Mirror), 30);
    harness.answer(AT_ONCE, AT_ONCE);
    harness.segments(4).await;
    let before = harness.asked(Bucket::Own);
    assert!(harness.segments(5).await.iter().all(|time| *time == (Duration::ZERO, true)));
    assert_eq!(harness.asked(Bucket::Own), before + 5, "every object goes there again");
    assert_eq!(harness.told(About::OwnBucket), None, "it is well again, and that is told");
}

#[tokio::test(start_paused = true)]
async fn a_slow_bucket_is_raced_and_not_waited_for_again() {
    for slow in [2_000, 4_000] {
        let mut harness = harness(Answers::After(Duration::from_millis(slow)), Some(AT_ONCE));
        let times = harness.segments(10).await;
        assert_eq!(times[0], (IN_TIME, true));
        assert!(times[1..].iter().all(|time| *time == (Duration::ZERO, true)), "{times:?}");
        assert_eq!(harness.told(About::OwnBucket).as_deref(), Some(SLOW));
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_bucket_without_a_mirror_is_waited_for() {
    let slow = Duration::from_secs(4);
    let mut harness = harness(Answers::After(slow), None);
    // Also after it hung: only a probe is given the time to find out.
    harness.answer(Answers::Never, AT_ONCE);
    let hanging = harness.segments(4).await;
    assert_eq!(hanging[0], (ANSWERED_WITHIN, false));
    assert!(hanging[1..].iter().all(|time| *time == (SILENT_WITHIN, false)), "{hanging:?}");
    harness.answer(Answers::After(slow), AT_ONCE);
    let slowly = harness.segments(8).await;
    let from = slowly.iter().position(|(_, stored)| *stored).expect("it answers");
    assert!(from <= 3, "{slowly:?}");
    assert!(slowly[from..].iter().all(|time| *time == (slow, true)), "{slowly:?}");
}

#[tokio::test(start_paused = true)]
async fn what_is_told_of_a_bucket_says_what_happened() {
    const TIMES_OUT: Answers = Answers::WithError(FaultKind::TimedOut, "operation attempt timeout");
    const DENIES: Answers = Answers::WithError(FaultKind::Forbidden, "AccessDenied: Access Denied");
    let own = |answers, told| (answers, AT_ONCE, About::OwnBucket, told);
    let mirror = |answers, told| (AT_ONCE, answers, About::Mirror, told);
    for (own, mirror, about, told) in [
        own(Answers::Never, SLOW),
        own(TIMES_OUT, SLOW),
        own(
            Answers::WithFailure,
            "media bucket of this region fails: out of reach or failing (out of order)",
        ),
        own(DENIES, "media bucket of this region fails: permission denied (AccessDenied: Access Denied)"),
        mirror(Answers::Never, "mirror bucket does not answer in time"),
        mirror(TIMES_OUT, "mirror bucket does not answer in time"),
        mirror(DENIES, "mirror bucket fails: permission denied (AccessDenied: Access Denied)"),
    ] {
        let mut harness = harness(own, Some(mirror));
        harness.segments(8).await;
        assert_eq!(harness.told(about).as_deref(), Some(told));
        let other = if about == About::Mirror { About::OwnBucket } else { About::Mirror };
        assert_eq!(harness.told(other), None, "the other one is well");
    }
}

#[tokio::test(start_paused = true)]
async fn without_both_a_segment_takes_no_longer_than_it_lasts() {
    for (own, mirror) in [(Answers::Never, Answers::Never), (Answers::WithFailure, Answers::Never)] {
        let mut harness = harness(own, Some(mirror));
        let times = harness.segments(30).await;
        assert!(times.iter().all(|(_, stored)| !stored));
        assert!(times[0].0 <= ANSWERED_WITHIN, "{times:?}");
        assert!(times[1..].iter().all(|(time, _)| *time <= SILENT_WITHIN), "{times:?}");
        harness.answer(AT_ONCE, AT_ONCE);
        let after = harness.segments(6).await;
        assert!(after.iter().all(|time| *time == (Duration::ZERO, true)), "{after:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_own_bucket_serves_when_the_mirror_fails_while_it_is_doubted() {
    let mut harness = harness(Answers::After(Duration::from_secs(2)), Some(AT_ONCE));
    harness.segments(2).await;
    harness.answer(AT_ONCE, Answers::WithFailure);
    let times = harness.segments(6).await;
    assert!(times.iter().all(|(_, stored)| *stored), "{times:?}");
    assert!(times.iter().all(|(time, _)| *time <= IN_TIME), "{times:?}");
}

#[tokio::test(start_paused = true)]
async fn a_part_is_given_up_before_it_is_of_no_use_and_no_part_waits_for_a_bucket_that_hangs() {
    let mut harness = harness(Answers::Never, Some(AT_ONCE));
    assert_eq!(harness.store(ObjectKind::Part).await, (IN_TIME, false));
    for _ in 0..5 {
        assert_eq!(harness.store(ObjectKind::Part).await, (Duration::ZERO, false));
    }
    assert_eq!(
        harness.store(ObjectKind::Segment).await,
        (Duration::ZERO, true),
        "its bytes come with the segment"
    );
    harness.answer(AT_ONCE, AT_ONCE);
    // A segment finds out that the bucket answers.
    harness.segments(4).await;
    assert_eq!(harness.store(ObjectKind::Part).await, (Duration::ZERO, true));
}

#[tokio::test(start_paused = true)]
async fn uploads_that_hang_are_bounded_in_number_bytes_and_time() {
    let mut harness = harness(AT_ONCE, Some(Answers::Never));
    let large = |number: u32| object(&format!("large/{number}"), ObjectKind::Segment, 10 << 20);
    for number in 0..4 {
        harness.uploader.store(large(number)).await.unwrap();
    }
    assert_eq!(harness.uploader.mirror_lag(), 3, "thirty MiB and no more");
    assert!(harness.told(About::Mirror).unwrap().contains("not mirrored"));
    sleep(ANSWERED_WITHIN * 2).await;
    assert_eq!(harness.uploader.mirror.under_way(), 0, "nothing is held for longer");
    for number in 0..50 {
        let small = object(&format!("small/{number}"), ObjectKind::Segment, 10);
        harness.uploader.store(small).await.unwrap();
    }
    assert_eq!(harness.uploader.mirror_lag(), 20);
    // An object beyond all bounds takes all the room, and is not refused for ever.
    sleep(ANSWERED_WITHIN * 2).await;
    harness.uploader.store(object("giant", ObjectKind::Segment, 40 << 20)).await.unwrap();
    assert_eq!(harness.uploader.mirror.under_way(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_initialization_section_is_stored_once_and_again_if_that_failed() {
    let harness = harness(Answers::WithFailure, None);
    let init = || harness.uploader.store(object("init", ObjectKind::Init, 10));
    assert!(init().await.is_err());
    harness.answer(Answers::After(Duration::from_secs(1)), AT_ONCE);
    let before = harness.asked(Bucket::Own);
    let (one, two) = tokio::join!(init(), init());
    assert!(one.is_ok() && two.is_ok() && init().await.is_ok());
    assert_eq!(harness.asked(Bucket::Own), before + 1);
}

#[tokio::test(start_paused = true)]
async fn copies_go_to_the_mirror_that_there_is_when_they_are_made() {
    let mut harness = harness(AT_ONCE, Some(AT_ONCE));
    let now_in =
        |harness: &Harness, region: &str| *harness.buckets.mirror.lock().unwrap() = region.parse().ok();
    let init = object("init-0.mp4", ObjectKind::Init, 100);
    now_in(&harness, "");
    for _ in 0..2 {
        harness.uploader.store(init.clone()).await.unwrap();
        assert!(harness.store(ObjectKind::Segment).await.1);
    }
    assert_eq!(
        (harness.asked(Bucket::Own), harness.asked(Bucket::Mirror)),
        (3, 0),
        "there is no other region"
    );
    // One joins: what segments cannot be played without is there with the first of them, and once.
    for (region, init_comes) in [("eu-west-1", 1), ("eu-west-1", 0), ("ap-southeast-2", 1)] {
        now_in(&harness, region);
        let before = harness.asked(Bucket::Mirror);
        harness.uploader.store(init.clone()).await.unwrap();
        assert!(harness.store(ObjectKind::Segment).await.1);
        assert_eq!(harness.asked(Bucket::Mirror), before + 1 + init_comes, "{region}");
    }
    // It goes again.
    now_in(&harness, "");
    let before = harness.asked(Bucket::Mirror);
    harness.segments(3).await;
    assert_eq!(harness.asked(Bucket::Mirror), before);
    assert_eq!((harness.told(About::OwnBucket), harness.told(About::Mirror)), (None, None));
}

#[tokio::test(start_paused = true)]
async fn an_initialization_section_in_use_is_never_old() {
    let harness = harness(AT_ONCE, Some(AT_ONCE));
    let init = || harness.uploader.store(object("init", ObjectKind::Init, 10));
    let asked = || (harness.asked(Bucket::Own), harness.asked(Bucket::Mirror));
    init().await.unwrap();
    sleep(RENEW_EVERY - Duration::from_secs(1)).await;
    init().await.unwrap();
    assert_eq!(asked(), (1, 1));
    sleep(Duration::from_secs(1)).await;
    let (one, two) = tokio::join!(init(), init());
    assert!(one.is_ok() && two.is_ok());
    assert_eq!(asked(), (2, 2), "anew, once, in both buckets");
    // The one that is there serves on while it cannot be written anew.
    harness.answer(Answers::WithFailure, Answers::WithFailure);
    sleep(RENEW_EVERY).await;
    assert!(init().await.is_ok());
    harness.answer(AT_ONCE, AT_ONCE);
    let before = asked().1;
    sleep(RENEW_AGAIN).await;
    init().await.unwrap();
    init().await.unwrap();
    assert_eq!(asked().1, before + 1);
}
