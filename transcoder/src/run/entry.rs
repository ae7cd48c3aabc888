//! Writes timeline entries for segments: names objects, keeps count of discontinuities, knows where the next run starts.

use headwater_domain::stream::{self, TranscodeSettings};
use headwater_domain::time::{MediaTime, Span};
use headwater_domain::timeline::{
    EPOCH, Entry, EntryRendition, ResumePoint, SourcePosition, TrackKind, media_prefix,
};
use headwater_domain::{BroadcastId, Lease, SegmentNumber, SessionId, Timestamp};
use sha2::{Digest, Sha256};

use super::source::RunHead;
use super::upload::Object;
use crate::media::{
    EngineSettings, FRAME_SAMPLES, GridFrame, MediaTime as Ticks, Placement, RenditionKind, RenditionSegment,
    Rung, Segment, StartPoint,
};

/// Where the timeline stands, and how the next entry is written.
#[derive(Debug, Clone)]
pub(super) struct Author {
    broadcast: BroadcastId,
    lease: Lease,
    /// After the last entry; `None` before the first of the broadcast.
    point: Option<ResumePoint>,
    begun: bool,
    /// The next entry does not continue the one before.
    broken: bool,
    /// The source's time says nothing of where the next run belongs.
    lost_time: bool,
    /// The session that is read, and up to where: beyond the last entry if what followed made no segment.
    read: Option<(SessionId, u64)>,
}

impl Author {
    pub(super) fn new(broadcast: BroadcastId, lease: Lease) -> Self {
        Self { broadcast, lease, point: None, begun: false, broken: false, lost_time: false, read: None }
    }

    /// Takes up the timeline of the leases before, once.
    pub(super) fn begin(&mut self, resume: Option<ResumePoint>) {
        if !self.begun {
            self.begun = true;
            self.point = resume;
        }
    }

    /// The number of the next segment.
    pub(super) fn position(&self) -> u64 {
        self.point.as_ref().map_or(0, |point| point.next.0)
    }

    /// The cursor after which `session` is to be read.
    pub(super) fn after(&self, session: &SessionId) -> u64 {
        let written = self.point.iter().map(|point| (&point.source.session, point.source.cursor));
        let read = self.read.iter().map(|(session, cursor)| (session, *cursor));
        let of_it = written.chain(read).filter(|(of, _)| *of == session);
        of_it.map(|(_, cursor)| cursor).max().unwrap_or(0)
    }

    /// The run was read to its end; the next one begins behind `cursor`. That holds also if nothing came of it: else
    /// the same run would be read for ever.
    pub(super) fn ran_out(&mut self, session: &SessionId, cursor: u64) {
        self.read = Some((session.clone(), cursor));
    }

    /// The media that follows does not continue what was; `same_time` if the source's clock goes on.
    pub(super) fn break_here(&mut self, same_time: bool) {
        self.broken = true;
        self.lost_time = !same_time;
    }

    /// Where the engine starts for this run. A run that goes on is placed exactly; a new one is put behind all there is.
    pub(super) fn start(&mut self, session: &SessionId, head: RunHead) -> StartPoint {
        let Some(point) = &self.point else {
            return StartPoint::aligned(ticks(EPOCH), 0);
        };
        let video_end = point.video_end.map(ticks);
        let audio_end = point.audio_end.map(|end| GridFrame::new(end.ticks / FRAME_SAMPLES as u64));
        let end = video_end.max(audio_end.map(GridFrame::time)).unwrap_or(ticks(EPOCH));
        if head.lost > 0 {
            // A hole: the next media lies later, on the same axis or a new one.
            self.broken = true;
        }
        let same_run = point.source.session == *session && point.source.run == head.run && !self.lost_time;
        if !same_run {
            self.broken = true;
            // Rounded up to the audio grid, so that both tracks start behind both ends.
            let at =
                if end.frame().time() == end { end } else { GridFrame::new(end.frame().index() + 1).time() };
            return StartPoint::aligned(at, point.next.0);
        }
        StartPoint {
            video_from: video_end.unwrap_or(end),
            audio_from: audio_end.unwrap_or_else(|| end.frame()),
            placement: Placement::Offset(Ticks::from_ticks(point.source.offset)),
            next_segment: point.next.0,
        }
    }

    /// The entry and the objects of one segment.
    pub(super) fn write(
        &mut self,
        segment: Segment,
        session: &SessionId,
        head: RunHead,
    ) -> (Entry, Vec<Object>) {
        let discontinuity = self
            .point
            .as_ref()
            .is_some_and(|point| self.broken || differs(&point.inits, &segment.renditions));
        self.broken = false;
        // Not before there is a segment: a run that breaks off earlier is placed anew once more.
        self.lost_time = false;
        let before = self.point.as_ref().map_or(0, |point| point.discontinuities);
        // Clocks of gateways and encoders differ, but a viewer's must not go back.
        let not_before = self.point.as_ref().map(|point| point.until).unwrap_or_default();
        let number = SegmentNumber(segment.number);
        let offset = segment.offset.ticks();
        let start = segment
            .video
            .map(|span| span.start)
            .or(segment.audio.map(|span| span.from.time()))
            .unwrap_or_default();
        let mut objects = Vec::with_capacity(segment.renditions.len() * 2);
        let renditions =
            segment.renditions.iter().map(|one| self.rendition(one, number, &mut objects)).collect();
        let entry = Entry {
            broadcast: self.broadcast.clone(),
            lease: self.lease.clone(),
            number,
            committed_at: Timestamp::default(),
            program_date_time: wall_time(head, offset, start.ticks()).max(not_before),
            discontinuity,
            discontinuities: before + u64::from(discontinuity),
            gap: false,
            video: segment
                .video
                .map(|span| Span { start: video(span.start), duration: video(span.duration()) }),
            audio: segment.audio.map(|span| Span {
                start: MediaTime::audio(span.start_sample()),
                duration: MediaTime::audio(span.samples()),
            }),
            renditions,
            parts: Vec::new(),
            open: false,
            source: SourcePosition {
                session: session.clone(),
                run: head.run,
                offset,
                cursor: segment.cursor,
            },
        };
        self.point = Some(ResumePoint::after(&entry));
        (entry, objects)
    }

    /// One rendition's line in the entry. After a takeover the initialization section that the lease before has stored
    /// serves on, if it is the same to the byte.
    fn rendition(
        &self,
        one: &RenditionSegment,
        number: SegmentNumber,
        objects: &mut Vec<Object>,
    ) -> EntryRendition {
        let (kind, content_type) = match one.kind {
            RenditionKind::Video { width, height, frame_rate } => (
                TrackKind::Video { width, height, millifps: (frame_rate * 1_000.0).round() as u32 },
                "video/mp4",
            ),
            RenditionKind::Audio { channels, .. } => {
                (TrackKind::Audio { channels: channels.into() }, "audio/mp4")
            }
        };
        let folder = format!("{}/{}", media_prefix(&self.broadcast, &self.lease), one.name);
        let init_hash = fingerprint(&one.init);
        let known = self.point.iter().flat_map(|point| &point.inits);
        let stored = known.clone().find(|(name, _, hash)| *name == one.name && *hash == init_hash);
        let init = match stored {
            Some((_, path, _)) => path.clone(),
            None => format!("{folder}/init-{}.mp4", number.0),
        };
        if init.starts_with(&folder) {
            objects.push(Object { path: init.clone(), content_type, body: one.init.clone(), init: true });
        }
        objects.push(Object {
            path: format!("{folder}/{}.m4s", number.0),
            content_type,
            body: one.data.clone(),
            init: false,
        });
        EntryRendition {
            name: one.name.clone(),
            kind,
            codecs: one.codecs.clone(),
            bytes: one.data.len() as u64,
            max_bitrate: one.declared_bitrate.into(),
            init,
            init_hash,
            copied: false,
        }
    }
}

/// Wall clock of a point of a run.
fn wall_time(head: RunHead, offset_ticks: i64, ticks: i64) -> Timestamp {
    let ms = (ticks - offset_ticks) / 90;
    Timestamp(head.started_ms.saturating_add_signed(ms))
}

/// Whether a player must set up its decoders anew: other renditions, or another encoding (RFC 8216 section 4.3.2.3). If
/// nothing is known to be stored, nothing can be said.
fn differs(inits: &[(String, String, String)], renditions: &[RenditionSegment]) -> bool {
    let known = |one: &RenditionSegment| {
        let hash = fingerprint(&one.init);
        inits.iter().any(|(name, _, known)| *name == one.name && *known == hash)
    };
    let same = inits.len() == renditions.len() && renditions.iter().all(known);
    !(inits.is_empty() || same)
}

/// 64 bits of SHA-256: tells our own initialization sections apart.
fn fingerprint(init: &[u8]) -> String {
    Sha256::digest(init).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

fn ticks(time: MediaTime) -> Ticks {
    Ticks::from_ticks(i64::try_from(time.ticks).unwrap_or(i64::MAX))
}

fn video(time: Ticks) -> MediaTime {
    MediaTime::video(u64::try_from(time.ticks()).unwrap_or(0))
}

/// The engine's settings, from the stream's.
pub(super) fn engine_settings(settings: &TranscodeSettings) -> EngineSettings {
    let default = EngineSettings::default();
    EngineSettings {
        ladder: settings.ladder.as_ref().map_or(default.ladder, |rungs| {
            let rung =
                |rung: &stream::Rung| Rung::new(&format!("{}p", rung.height), rung.height, rung.kbps * 1_000);
            rungs.iter().map(rung).collect()
        }),
        segment_duration: Ticks::from_secs(settings.segment_seconds.into()),
        audio_bitrate: settings.audio_kbps * 1_000,
        ..default
    }
}
