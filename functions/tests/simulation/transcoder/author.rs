//! Writes entries: the rules of `transcoder/src/run/entry.rs`, for one rendition of video without pictures.

use std::collections::BTreeSet;

use headwater_domain::hooks::Behind;
use headwater_domain::time::{MediaTime, Span};
use headwater_domain::timeline::{
    EPOCH, Entry, EntryPart, EntryRendition, ResumePoint, SourcePosition, TrackKind, media_prefix,
};
use headwater_domain::{BroadcastId, Lease, SegmentNumber, SessionId, Timestamp};

/// The one rendition there is.
pub(crate) const RENDITION: &str = "720p";
/// Its initialization section is always the same.
const INIT_HASH: &str = "aa";

/// Where the timeline stands, and how the next entry is written.
pub(super) struct Author {
    broadcast: BroadcastId,
    lease: Lease,
    point: Option<ResumePoint>,
    begun: bool,
    broken: bool,
    read: Option<(SessionId, u64)>,
    open: Option<Entry>,
    behind: Option<Behind>,
    stored: BTreeSet<String>,
}

/// What the next segment is made of.
pub(super) struct Stretch<'a> {
    pub(super) session: &'a SessionId,
    /// Cursors, which are milliseconds of the session.
    pub(super) from: u64,
    pub(super) to: u64,
    /// Wall clock of the session's beginning.
    pub(super) started: Timestamp,
}

impl Author {
    pub(super) fn new(broadcast: BroadcastId, lease: Lease) -> Self {
        let (point, read, open, behind, stored) = (None, None, None, None, BTreeSet::new());
        Self { broadcast, lease, point, begun: false, broken: false, read, open, behind, stored }
    }

    pub(super) fn begin(&mut self, resume: Option<ResumePoint>) {
        if !self.begun {
            self.begun = true;
            self.point = resume;
        }
    }

    /// What the next segment must come behind, by the newest order.
    pub(super) fn told(&mut self, behind: Behind) {
        self.behind = Some(behind);
    }

    fn go_behind(&mut self) {
        let (Some(point), Some(behind)) = (&mut self.point, self.behind) else { return };
        point.discontinuities = point.discontinuities.max(behind.discontinuities);
        if point.next <= behind.segment {
            point.next = behind.segment.next();
            point.open.clear();
            self.broken = true;
        }
    }

    /// The cursor after which the session is to be read.
    pub(super) fn after(&self, session: &SessionId) -> u64 {
        let written = self.point.iter().map(|point| (&point.source.session, point.source.cursor));
        let read = self.read.iter().map(|(session, cursor)| (session, *cursor));
        written.chain(read).filter(|(of, _)| *of == session).map(|(_, cursor)| cursor).max().unwrap_or(0)
    }

    /// A run begins: of the same session it goes on, of another one it is placed behind a break.
    pub(super) fn start(&mut self, session: &SessionId, lost: bool) {
        let open = self.open.take();
        self.go_behind();
        let Some(point) = &mut self.point else { return };
        self.broken |= lost || point.source.session != *session;
        if let Some(open) = open {
            point.open = open.parts;
        }
        if self.broken && !point.open.is_empty() {
            // What has been out is never replaced by something else.
            point.open.clear();
            point.next = point.next.next();
        }
    }

    /// How far the next segment's parts that are out already reach, in milliseconds.
    pub(super) fn parts_out(&self) -> usize {
        self.point.as_ref().map_or(0, |point| point.open.len())
    }

    /// The open entry with one more part, and the objects it needs.
    pub(super) fn part(&mut self, stretch: &Stretch<'_>) -> (Entry, Vec<String>) {
        let mut entry = self.entry(stretch);
        let index = entry.parts.len();
        let known = self.point.as_ref().and_then(|point| point.open.get(index)).cloned();
        let mut objects = Vec::new();
        self.init(&entry, &mut objects);
        let start = entry.video.map_or_else(|| self.position(), |span| span.end());
        let span = Span { start, duration: ticks(stretch.to - stretch.from) };
        let whole = entry.video.map_or(span, |before| {
            let ticks = before.duration.ticks + span.duration.ticks;
            Span { start: before.start, duration: MediaTime::video(ticks) }
        });
        entry.video = Some(whole);
        let part = known.unwrap_or_else(|| {
            objects.push(entry.part_path(RENDITION, index));
            let independent = index == 0;
            EntryPart { video: Some(span), audio: None, independent, gap: false, lease: None }
        });
        entry.parts.push(part);
        self.open = Some(entry.clone());
        (entry, objects)
    }

    /// The entry of a whole segment, and the objects it needs.
    pub(super) fn close(&mut self, stretch: &Stretch<'_>) -> (Entry, Vec<String>) {
        let mut entry = self.entry(stretch);
        self.broken = false;
        let start = entry.video.map_or_else(|| self.position(), |span| span.start);
        entry.video = Some(Span { start, duration: ticks(stretch.to - stretch.from) });
        entry.open = false;
        entry.source.cursor = stretch.to;
        let mut objects = vec![entry.media_path(RENDITION)];
        self.init(&entry, &mut objects);
        self.point = Some(ResumePoint::after(&entry));
        (entry, objects)
    }

    /// Objects of this task that need not be stored again.
    pub(super) fn stored(&mut self, path: &str) {
        if path.contains("/init-") {
            self.stored.insert(path.to_owned());
        }
    }

    /// The run was read to its end.
    pub(super) fn ran_out(&mut self, session: &SessionId, cursor: u64) {
        self.read = Some((session.clone(), cursor));
    }

    fn position(&self) -> MediaTime {
        self.point.as_ref().and_then(|point| point.video_end).unwrap_or(EPOCH)
    }

    fn init(&self, entry: &Entry, objects: &mut Vec<String>) {
        let init = &entry.renditions[0].init;
        if init.starts_with(&media_prefix(&self.broadcast, &self.lease)) && !self.stored.contains(init) {
            objects.push(init.clone());
        }
    }

    fn entry(&mut self, stretch: &Stretch<'_>) -> Entry {
        if let Some(open) = self.open.take() {
            return open;
        }
        self.go_behind();
        self.begin_entry(stretch)
    }

    fn begin_entry(&self, stretch: &Stretch<'_>) -> Entry {
        let point = self.point.as_ref();
        let number = point.map_or(SegmentNumber(0), |point| point.next);
        let discontinuity = point.is_some() && self.broken;
        let known = point.and_then(|point| point.inits.first()).map(|(_, path, _)| path.clone());
        let prefix = media_prefix(&self.broadcast, &self.lease);
        let wall = Timestamp(stretch.started.0 + stretch.from);
        Entry {
            broadcast: self.broadcast.clone(),
            lease: self.lease.clone(),
            number,
            committed_at: Timestamp::default(),
            program_date_time: wall.max(point.map(|point| point.until).unwrap_or_default()),
            discontinuity,
            discontinuities: point.map_or(0, |point| point.discontinuities) + u64::from(discontinuity),
            gap: false,
            video: None,
            audio: None,
            renditions: vec![EntryRendition {
                name: RENDITION.into(),
                kind: TrackKind::Video { width: 1_280, height: 720, millifps: 30_000 },
                codecs: "avc1.64001f".into(),
                bytes: 650_000,
                max_bitrate: 3_080_000,
                init: known.unwrap_or_else(|| format!("{prefix}/{RENDITION}/init-{}.mp4", number.0)),
                init_hash: INIT_HASH.into(),
                copied: false,
            }],
            parts: Vec::new(),
            open: true,
            source: SourcePosition {
                session: stretch.session.clone(),
                run: 1,
                offset: 0,
                cursor: stretch.from,
            },
        }
    }
}

fn ticks(milliseconds: u64) -> MediaTime {
    MediaTime::video(milliseconds * 90)
}
