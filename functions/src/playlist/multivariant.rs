//! Multivariant playlists: the renditions that a broadcast has now.

use std::collections::VecDeque;
use std::ops::RangeInclusive;

use headwater_domain::control::State;
use headwater_domain::paths::{EdgePath, RenditionName};
use headwater_domain::ports::{ReadControl, ReadStreams, ReadTimeline};
use headwater_domain::timeline::{Entry, EntryRendition, TrackKind, Wanted, resolve};
use headwater_domain::{BroadcastId, StreamId};
use headwater_hls::{AudioGroup, FrameRate, Ladder, MultivariantPlaylist, Uri, Variant};

use super::available_parts::Availability;
use super::common::{internal, uri};
use super::low_latency::in_parts;
use super::media::window_segments;
use super::output::{CachePolicy, Reply};
use super::recorded::recorded;
use super::renditions::AT_EITHER_END;
use super::wait::PATIENCE_TO_START;
use super::{PlaylistFunction, not_live, source_problem};
use crate::reply::Problem;

/// Newest entries that pictures are looked for in.
const SWITCHING: usize = 3;
/// Entries that bitrates are measured over.
const MEASURED: usize = 10;
/// Segments that together last so many seconds count for the peak: 0.5 to 1.5 target durations (RFC 8216bis §4.4.6.2).
const PEAK_SECONDS: RangeInclusive<f64> = 1.0..=3.0;
/// Segments are measured by when they are shown; by when they are decoded it may be a frame less.
const MEASURING: f64 = 1.02;

impl<T: ReadControl + ReadTimeline + ReadStreams, P> PlaylistFunction<T, P> {
    /// The multivariant playlist of a live stream. Of one that is starting, the first try is answered when there is
    /// something to watch: who asks again and again gets a second-old "not yet" from the edge's cache.
    pub(super) async fn live(
        &self,
        stream: &StreamId,
        first_try: bool,
        address: &Uri,
    ) -> Result<Reply, Problem> {
        let replicated = self.replicated_state(stream, first_try).await?;
        let state = replicated.state(self.context.now());
        let problem = replicated.source_problem(self.context.now());
        let Some(broadcast) = replicated.broadcast().filter(|_| state.is_some_and(State::is_open)) else {
            return Err(source_problem::in_answer(not_live(state), problem));
        };
        let count = MEASURED.min(window_segments(&replicated));
        let mut entries = self.table.newest(broadcast, count).await?;
        if entries.is_empty() && first_try && replicated.is_published(self.context.now()) {
            let first = |entries: &[Entry]| match entries {
                [] => Availability::Ahead(1),
                _ => Availability::There,
            };
            entries = self.wait(broadcast, PATIENCE_TO_START, first).await?.1;
        }
        let entries = resolve(entries);
        let Some(last) = entries.last() else {
            return Err(source_problem::in_answer(not_live(Some(State::Starting)), problem));
        };
        // The region in the path is asked first: that which writes.
        let region = replicated.lease().map_or(&last.lease.region, |lease| &lease.lease.region);
        let kind = if in_parts(&entries) { EdgePath::LowLatency } else { EdgePath::Media };
        let path = |rendition| kind(region.clone(), broadcast.clone(), rendition);
        let playlist = playlist(&entries, &offered(&entries), false, address, path)?;
        let playlist = source_problem::in_playlist(playlist, problem);
        Ok(Reply::playlist(playlist.render(), CachePolicy::Second))
    }

    /// The multivariant playlist of a finished broadcast.
    pub(super) async fn recording(&self, broadcast: &BroadcastId, address: &Uri) -> Result<Reply, Problem> {
        let mut ends = self.table.newest(broadcast, AT_EITHER_END).await?;
        if ends.is_empty() {
            return Err(self.nothing_of_recording(broadcast).await);
        }
        let entries = self.finished(broadcast).await?;
        ends.extend(self.table.oldest(broadcast, AT_EITHER_END).await?);
        let last = entries.last().ok_or_else(|| super::unknown_broadcast(broadcast))?;
        let region = &last.lease.region;
        let path = |rendition| EdgePath::RecordingMedia(region.clone(), broadcast.clone(), rendition);
        let renditions = recorded(&entries, &ends);
        if renditions.is_empty() {
            return Err(super::unknown_broadcast(broadcast));
        }
        let playlist = playlist(&entries, &renditions, true, address, path)?;
        Ok(Reply::playlist(playlist.render(), CachePolicy::Minute))
    }
}

/// What a live stream offers: what its newest segment has and, if that has no pictures, those of the ones before. Players
/// read this once, and a camera that is switched takes a moment.
fn offered(entries: &[Entry]) -> Vec<EntryRendition> {
    let has_pictures = |entry: &&Entry| entry.renditions.iter().any(is_video);
    let Some(last) = entries.last() else { return Vec::new() };
    let with_pictures = entries.iter().rev().take(SWITCHING).find(has_pictures).unwrap_or(last);
    let pictures = with_pictures.renditions.iter().filter(|one| is_video(one));
    pictures.chain(last.renditions.iter().filter(|one| !is_video(one))).cloned().collect()
}

fn is_video(rendition: &EntryRendition) -> bool {
    matches!(rendition.kind, TrackKind::Video { .. })
}

/// What is known of one rendition's bits.
#[derive(Default)]
struct Rates {
    bits: f64,
    seconds: f64,
    /// What the encoder promised.
    bound: u64,
    /// Bits and seconds of the last segments.
    recent: VecDeque<(f64, f64)>,
    peak: f64,
}

impl Rates {
    fn add(&mut self, bits: f64, seconds: f64) {
        self.bits += bits;
        self.seconds += seconds;
        self.recent.push_back((bits, seconds));
        let (mut sum, mut length) = (0.0, 0.0);
        for (bits, seconds) in self.recent.iter().rev() {
            (sum, length) = (sum + bits, length + seconds);
            if PEAK_SECONDS.contains(&length) {
                self.peak = self.peak.max(sum / length);
            }
        }
        while self.recent.iter().map(|(_, seconds)| seconds).sum::<f64>() > *PEAK_SECONDS.end() {
            self.recent.pop_front();
        }
    }

    /// While a broadcast goes on, its settings bound what may still come; of a finished one only what was measured
    /// counts (Apple HLS authoring specification 1.27, 1.29).
    fn bandwidth(&self, finished: bool) -> u64 {
        let measured = (self.peak * MEASURING).ceil() as u64;
        if finished && measured > 0 { measured } else { self.bound.max(measured) }
    }
}

/// Of what is shown as the rendition.
fn rates(entries: &[Entry], rendition: &Wanted) -> Rates {
    let mut rates = Rates::default();
    for entry in entries {
        let Some(found) = rendition.found(entry) else { continue };
        let span = match found.kind {
            TrackKind::Audio { .. } => entry.audio,
            TrackKind::Video { .. } => entry.video,
        };
        let seconds = span.or(entry.span()).map_or(0.0, |span| span.duration.seconds());
        rates.bound = rates.bound.max(found.max_bitrate);
        if seconds > 0.0 {
            rates.add(found.bytes as f64 * 8.0, seconds);
        }
    }
    rates
}

fn playlist(
    entries: &[Entry],
    renditions: &[EntryRendition],
    finished: bool,
    address: &Uri,
    path: impl Fn(RenditionName) -> EdgePath,
) -> Result<MultivariantPlaylist, Problem> {
    let mut ladder = Ladder { video: Vec::new(), audio: None, independent_segments: true };
    for rendition in renditions {
        let rates = rates(entries, &Wanted::of(rendition));
        let bandwidth = rates.bandwidth(finished).max(1);
        let average = if rates.seconds > 0.0 { (rates.bits / rates.seconds) as u64 } else { bandwidth };
        let average_bandwidth = average.clamp(1, bandwidth);
        let uri = uri(&path(rendition.name.parse().map_err(internal)?))?;
        let codecs = rendition.codecs.parse().map_err(internal)?;
        match rendition.kind {
            TrackKind::Video { width, height, millifps } => ladder.video.push(Variant {
                name: rendition.name.parse().map_err(internal)?,
                uri,
                bandwidth,
                average_bandwidth,
                codecs,
                width,
                height,
                frame_rate: FrameRate::new(millifps.max(1), 1_000).unwrap_or_else(one_frame),
            }),
            TrackKind::Audio { channels } => {
                ladder.audio = Some(AudioGroup {
                    group_id: "audio".parse().map_err(internal)?,
                    name: "Audio".parse().map_err(internal)?,
                    uri,
                    default: true,
                    channels,
                    codecs,
                    bandwidth,
                    average_bandwidth,
                });
            }
        }
    }
    MultivariantPlaylist::new(ladder.relative_to(address)).map_err(internal)
}

fn one_frame() -> FrameRate {
    FrameRate::new(1, 1).expect("one frame a second is a frame rate")
}
