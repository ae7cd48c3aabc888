//! A viewer: follows the playlists at the edge as a strict player does, loads every new segment, and notes what there was.
//! Must not know what is being broken.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use headwater_conformance::playlist::{MediaPlaylist, Segment};
use parking_lot::{Mutex, MutexGuard};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::playlist::{Edge, media, renditions};

/// Pause between two looks at the playlists: half of what a player waits at two-second segments, to measure finer.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// The multivariant playlist is looked at less often; players load it once.
const MULTIVARIANT_EVERY: Duration = Duration::from_secs(2);
/// A player starts so many segments behind the end (RFC 8216bis section 6.3.3: three target durations).
const START_BEHIND: usize = 3;

/// One request and its answer; `status` 0: none, not even when it was repeated.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) at: Instant,
    pub(crate) status: u16,
    pub(crate) path: String,
}

/// New media of the picture.
#[derive(Debug, Clone)]
pub(crate) struct Arrival {
    pub(crate) at: Instant,
    pub(crate) uri: String,
    pub(crate) gap: bool,
    pub(crate) discontinuity: bool,
    /// Source time that is missing in front of it, by the wall clock that the playlist tells.
    pub(crate) missing: Duration,
    pub(crate) duration: Duration,
}

/// Everything that was seen since the start.
#[derive(Debug, Clone, Default)]
pub(crate) struct Seen {
    pub(crate) asked: Vec<Asked>,
    /// Transfers that broke off and were repeated at once, as players do.
    pub(crate) repeated: Vec<Instant>,
    pub(crate) arrivals: Vec<Arrival>,
    /// Segments that were shown and then not any more: the other region did not have them yet.
    pub(crate) jumps: Vec<(Instant, String)>,
    /// What no playlist may do, with the time.
    pub(crate) offences: Vec<(Instant, String)>,
}

/// A viewer. Dropping it ends it.
#[derive(Debug)]
pub(crate) struct Viewer {
    seen: Arc<Mutex<Seen>>,
    arrived: watch::Receiver<usize>,
    task: JoinHandle<()>,
}

impl Viewer {
    pub(crate) fn watch(edge: Edge, playback: String) -> Self {
        let seen = Arc::new(Mutex::new(Seen::default()));
        let (tell, arrived) = watch::channel(0);
        let eye = Eye { edge, seen: seen.clone(), tell, renditions: HashMap::new(), begun: false };
        Self { seen, arrived, task: tokio::spawn(eye.look(playback)) }
    }

    pub(crate) fn seen(&self) -> Seen {
        lock(&self.seen).clone()
    }

    /// Waits until so many segments have come that are as `wanted`, counted from the arrival `after`.
    pub(crate) async fn until(&self, after: usize, count: usize, wanted: impl Fn(&Arrival) -> bool) {
        let mut arrived = self.arrived.clone();
        let enough = || {
            let seen = lock(&self.seen);
            seen.arrivals.iter().skip(after).filter(|arrival| !arrival.gap && wanted(arrival)).count()
                >= count
        };
        // It fails only when the viewer is gone, and with it whoever waits.
        let _ = arrived.wait_for(|_| enough()).await;
    }
}

impl Drop for Viewer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn lock(seen: &Mutex<Seen>) -> MutexGuard<'_, Seen> {
    seen.lock()
}

/// What is known of one rendition.
#[derive(Debug, Default)]
struct Rendition {
    media_sequence: u64,
    discontinuity_sequence: u64,
    /// Address of each segment by its number, and whether it was loaded.
    segments: HashMap<u64, (String, bool)>,
    newest: Option<u64>,
    /// Number that the playlist's next segment will have.
    end: u64,
    /// Wall clock at which the newest segment that is no gap ends, in milliseconds.
    ends: Option<i64>,
}

struct Eye {
    edge: Edge,
    seen: Arc<Mutex<Seen>>,
    tell: watch::Sender<usize>,
    renditions: HashMap<String, Rendition>,
    /// Whether it plays.
    begun: bool,
}

impl Eye {
    async fn look(mut self, playback: String) {
        let mut paths: Vec<String> = Vec::new();
        let mut due = Instant::now();
        loop {
            if due <= Instant::now() {
                due = Instant::now() + MULTIVARIANT_EVERY;
                let body = self.get(&playback, !paths.is_empty()).await;
                if paths.is_empty() {
                    paths = body.and_then(|body| renditions(&playback, &body)).unwrap_or_default();
                }
            }
            for (index, path) in paths.iter().enumerate() {
                if let Some(playlist) = self.get(path, true).await.and_then(|body| media(path, &body)) {
                    self.read(path, &playlist, index == 0).await;
                }
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Asks, notes the answer if it counts, and gives the body of a good one.
    async fn get(&self, path: &str, counts: bool) -> Option<bytes::Bytes> {
        let mut answer = self.edge.get(path).await;
        if answer.is_none() {
            lock(&self.seen).repeated.push(Instant::now());
            answer = self.edge.get(path).await;
        }
        let status = answer.as_ref().map_or(0, |(status, _)| status.as_u16());
        if counts {
            lock(&self.seen).asked.push(Asked { at: Instant::now(), status, path: path.to_owned() });
        }
        answer.filter(|(status, _)| status.is_success()).map(|(_, body)| body)
    }

    async fn read(&mut self, path: &str, playlist: &MediaPlaylist, picture: bool) {
        if !self.begun && playlist.segments.len() < START_BEHIND {
            return;
        }
        let known = self.renditions.entry(path.to_owned()).or_default();
        let offend = |what: String| lock(&self.seen).offences.push((Instant::now(), what));
        if playlist.media_sequence < known.media_sequence {
            offend(format!(
                "media sequence went back from {} to {}",
                known.media_sequence, playlist.media_sequence
            ));
        }
        let breaks = playlist.discontinuity_sequence.unwrap_or(0);
        if breaks < known.discontinuity_sequence {
            offend("discontinuity sequence went back".to_owned());
        }
        if playlist.ended {
            offend("the playlist says that the broadcast has ended".to_owned());
        }
        known.media_sequence = playlist.media_sequence;
        known.discontinuity_sequence = breaks;
        let end = playlist.media_sequence + playlist.segments.len() as u64;
        if end < known.end {
            let what = format!("the end of {path} went back from {} to {end}", known.end);
            lock(&self.seen).jumps.push((Instant::now(), what));
        }
        known.end = end;
        let mut new = Vec::new();
        for segment in &playlist.segments {
            match known.segments.get(&segment.number) {
                Some((uri, _)) if *uri != path_of(segment) => {
                    offend(format!("segment {} became another one", segment.number));
                }
                Some((_, true)) => {}
                _ => new.push(segment),
            }
        }
        let first = !self.begun && picture;
        let skip = if first { new.len().saturating_sub(START_BEHIND) } else { 0 };
        for (index, segment) in new.into_iter().enumerate() {
            // One that was left out at the start is not loaded later either.
            let uri = path_of(segment);
            let loaded = index < skip || segment.gap || self.get(&uri, true).await.is_some();
            let Some(known) = self.renditions.get_mut(path) else { return };
            let again = known.segments.insert(segment.number, (uri, loaded)).is_some();
            let missing = known.missing(segment);
            if picture && loaded && index >= skip && !again {
                self.arrive(segment, missing);
            }
        }
    }

    fn arrive(&mut self, segment: &Segment, missing: Duration) {
        self.begun = true;
        let arrival = Arrival {
            at: Instant::now(),
            uri: path_of(segment),
            gap: segment.gap,
            discontinuity: segment.discontinuity,
            missing,
            duration: Duration::try_from_secs_f64(segment.duration).unwrap_or_default(),
        };
        lock(&self.seen).arrivals.push(arrival);
        self.tell.send_modify(|count| *count += 1);
    }
}

fn path_of(segment: &Segment) -> String {
    segment.resource.as_ref().map_or_else(String::new, |resource| resource.url.path().to_owned())
}

impl Rendition {
    /// Notes where the segment ends; the source time that is missing between it and the media before it.
    fn missing(&mut self, segment: &Segment) -> Duration {
        let old = self.newest.is_some_and(|newest| newest >= segment.number);
        self.newest = self.newest.max(Some(segment.number));
        let millis = |seconds: f64| (seconds * 1_000.0).round() as i64;
        let begins = segment.program_date_time.map(millis);
        let Some(begins) = begins.filter(|_| !old && !segment.gap) else { return Duration::ZERO };
        let ends = begins + millis(segment.duration);
        let missing = self.ends.replace(ends).map_or(0, |before| begins - before);
        Duration::from_millis(u64::try_from(missing).unwrap_or(0))
    }
}
