//! A task with everything it stands on, and what a viewer would get of what it wrote.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use headwater_aws::clock::wall_clock;
use headwater_domain::objects::Retention;
use headwater_domain::ports::Bucket;
use headwater_domain::stream::{Latency, Passthrough, Rung, TranscodeSettings};
use headwater_domain::testing::samples;
use headwater_domain::timeline::Entry;
use headwater_domain::{BroadcastId, Lease, SessionId};
use headwater_transcoder::task::{Exit, Ports, Task, TaskError, new_fencing_token};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::check::{self, Packet};
use crate::flv::{self, Flv};
use crate::hooks::{FakeHooks, Say};
use crate::server::FakeSource;
use crate::stores::{Buckets, Timeline};

/// More than anything here takes on a busy machine; a test that reaches it has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);
/// Frames of [`source`].
pub(crate) const FRAMES: usize = 7 * RATE;
/// When the first of them is shown, in milliseconds.
pub(crate) const FIRST_SHOWN: u64 = 80;
/// Frames a second of it.
pub(crate) const RATE: usize = 25;

/// Quick to encode.
pub(crate) fn settings() -> TranscodeSettings {
    let ladder = vec![Rung { height: 90, kbps: 100 }];
    TranscodeSettings {
        ladder: Some(ladder),
        latency: Latency::Standard,
        passthrough: Passthrough::AlwaysEncode,
        from_live_edge: false,
        segment_seconds: 2,
        audio_kbps: 64,
        mirror: true,
        retention: Retention::Recorded,
    }
}

/// Seven seconds of picture and sound, an IDR every 1.6 s.
pub(crate) fn source() -> Flv {
    static SOURCE: OnceLock<Flv> = OnceLock::new();
    SOURCE.get_or_init(|| flv::clip("160x90", "25", 7.0, "-g 40 -bf 2")).clone()
}

pub(crate) fn session(number: u128) -> SessionId {
    SessionId::from_random(number)
}

pub(crate) struct Rig {
    pub(crate) hooks: Arc<FakeHooks>,
    pub(crate) timeline: Arc<Timeline>,
    pub(crate) buckets: Arc<Buckets>,
    pub(crate) source: FakeSource,
}

/// A task under way.
pub(crate) struct Running {
    pub(crate) lease: Lease,
    pub(crate) leave: CancellationToken,
    task: JoinHandle<Result<Exit, TaskError>>,
}

impl Running {
    /// How it ends.
    pub(crate) async fn end(self) -> Result<Exit, TaskError> {
        self.end_within(PATIENCE).await
    }

    pub(crate) async fn end_within(self, patience: Duration) -> Result<Exit, TaskError> {
        tokio::time::timeout(patience, self.task).await.expect("the task ends").unwrap()
    }
}

pub(crate) async fn rig(say: Say) -> Rig {
    let (timeline, source) = (Arc::new(Timeline::default()), FakeSource::new().await);
    let hooks = Arc::new(FakeHooks::new(timeline.table.clone(), source.base.clone(), say));
    Rig { hooks, timeline, buckets: Arc::default(), source }
}

impl Rig {
    pub(crate) fn broadcast(&self) -> BroadcastId {
        samples::broadcast()
    }

    pub(crate) fn start(&self, lease: u32) -> Running {
        self.start_as(lease, false)
    }

    pub(crate) fn start_as(&self, lease: u32, is_standby: bool) -> Running {
        let (lease, leave) = (samples::lease(lease), CancellationToken::new());
        let task = Task {
            broadcast: self.broadcast(),
            lease: lease.clone(),
            fencing_token: new_fencing_token(),
            claim: headwater_domain::hooks::Secret::new("claim"),
            ports: Ports {
                hooks: self.hooks.clone(),
                timeline: self.timeline.clone(),
                media: self.buckets.clone(),
            },
            metrics: None,
            clock: wall_clock,
            leave: leave.clone(),
            leave_within: Duration::ZERO,
            is_standby,
        };
        Running { lease, leave, task: tokio::spawn(task.run()) }
    }

    /// Waits until the task says that the session has no more media, then stops it.
    pub(crate) async fn read_out(&self, running: Running, session: &SessionId) -> Result<Exit, TaskError> {
        let (lease, session) = (running.lease.clone(), Some(session.clone()));
        let lost = |health: &headwater_domain::heartbeat::Health| {
            health.session == session && health.source_lost_since.is_some()
        };
        self.hooks.until(|heartbeat| heartbeat.lease == lease && lost(&heartbeat.health)).await;
        self.hooks.say(Say::Stop);
        running.end().await
    }

    /// The resolved timeline; checks what must hold of any.
    pub(crate) async fn line(&self) -> Vec<Entry> {
        let line = self.timeline.entries(&self.broadcast()).await;
        for pair in line.windows(2) {
            let (a, b) = (&pair[0], &pair[1]);
            assert_eq!(a.number.next(), b.number, "numbers are contiguous");
            assert_eq!(b.discontinuities, a.discontinuities + u64::from(b.discontinuity));
            assert!(b.program_date_time >= a.until(), "wall clock goes back before {}", b.number.0);
            let (video, audio) = (a.video.unwrap().end(), a.audio.unwrap().end());
            if b.discontinuity {
                let start = b.video.unwrap().start;
                assert!(start.ticks >= video.ticks, "{:?} overlaps {:?}", b.video, a.video);
                assert!(start.ticks * 8 / 15 >= audio.ticks, "{:?} overlaps {:?}", b.video, a.audio);
            } else {
                assert_eq!(b.video.unwrap().start, video, "video goes on at {}", b.number.0);
                assert_eq!(b.audio.unwrap().start, audio, "audio goes on at {}", b.number.0);
            }
        }
        line
    }

    /// The bytes that a player would put together of `entries`, from whichever bucket has them.
    pub(crate) fn played(&self, entries: &[Entry], rendition: &str) -> Vec<u8> {
        let (mut bytes, mut init) = (Vec::new(), "");
        for entry in entries.iter().filter(|entry| !entry.gap) {
            let one = entry.renditions.iter().find(|one| one.name == rendition).unwrap();
            for path in [one.init.clone(), entry.media_path(rendition)] {
                if path == init {
                    continue;
                }
                let object = self.buckets.get(Bucket::Own, &path);
                let object = object.or_else(|| self.buckets.get(Bucket::Mirror, &path));
                bytes.extend_from_slice(&object.unwrap_or_else(|| panic!("{path} is not stored")));
            }
            init = &one.init;
        }
        bytes
    }

    /// Every stored picture, stretch by stretch between discontinuities.
    pub(crate) fn pictures(&self, entries: &[Entry]) -> Vec<Vec<Packet>> {
        let stretches = entries.chunk_by(|_, next| !next.discontinuity);
        stretches
            .map(|stretch| {
                check::decodes_cleanly(&self.played(stretch, "audio"));
                let mut packets = check::packets(&self.played(stretch, "90p"));
                packets.sort_by_key(|packet| packet.pts);
                packets
            })
            .collect()
    }

    /// That there are `frames` pictures in each stretch, evenly spaced: none lost, none doubled.
    pub(crate) fn shows(&self, entries: &[Entry], frames: &[usize]) {
        let stretches = self.pictures(entries);
        assert_eq!(stretches.iter().map(Vec::len).collect::<Vec<_>>(), frames);
        for pair in stretches.iter().flat_map(|packets| packets.windows(2)) {
            assert_eq!(pair[1].pts - pair[0].pts, 90_000 / RATE as i64);
        }
    }
}
