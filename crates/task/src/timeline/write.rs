//! Writes entries for what the engine makes: names objects, keeps count of discontinuities.

use headwater_domain::objects::Retention;
use headwater_domain::paths::{init_path, media_folder};
use headwater_domain::timeline::{Entry, EntryPart, EntryRendition, ResumePoint, SourcePosition, TrackKind};
use headwater_domain::{SegmentNumber, SessionId, Timestamp};

use super::object::{Object, ObjectKind};
use super::shape::{Shape, content_type, differs, fingerprint, is_audio, joined, spans, wall_time};
use super::writer::TimelineWriter;
use crate::engine::{Effort, Made, Part, RenditionKind, RenditionSegment, Segment};
use crate::source::RunHead;

/// One write of an entry, and what must be stored before it.
#[derive(Debug, Clone)]
pub struct Written {
    /// The entry.
    pub entry: Entry,
    /// The objects that it names and that nobody has stored yet.
    pub objects: Vec<Object>,
    /// How much work was done for it.
    pub effort: Effort,
}

impl TimelineWriter {
    /// Entry and objects for what the engine has made of a run of `session`; nothing for a part that is out already.
    pub fn write(&mut self, made: &Made, session: &SessionId, head: RunHead) -> Option<Written> {
        let ((entry, objects), effort) = match made {
            Made::Part(part) => (self.write_part(part, session, head)?, part.effort),
            Made::Segment(segment) => (self.write_segment(segment, session, head), segment.effort),
        };
        Some(Written { entry, objects, effort })
    }

    /// The open entry with one more part, and its objects; nothing if the part is out already: an entry's parts only grow.
    fn write_part(
        &mut self,
        part: &Part,
        session: &SessionId,
        head: RunHead,
    ) -> Option<(Entry, Vec<Object>)> {
        let mut entry = self.entry(&Shape::of_part(part), session, head);
        let number = entry.number;
        let index = part.index as usize;
        let out = self
            .point
            .as_ref()
            .and_then(|point| point.open.get(index))
            .filter(|_| entry.parts.len() == index);
        let (known, is_out) = (out.cloned(), out.is_some());
        let mut objects = Vec::new();
        for (place, one) in part.renditions.iter().enumerate() {
            let mut rendition = self.rendition(one, number, &entry.renditions, &mut objects);
            rendition.bytes +=
                entry.renditions.get(place).filter(|_| index > 0).map_or(0, |before| before.bytes);
            match entry.renditions.get_mut(place) {
                Some(there) => *there = rendition,
                None => entry.renditions.push(rendition),
            }
            if !is_out {
                let (content_type, path) = (content_type(&one.kind), entry.part_path(&one.name, index));
                objects.push(Object { path, content_type, body: one.data.clone(), kind: ObjectKind::Part });
            }
        }
        let (video, audio) = spans(part.video, part.audio);
        entry.video = joined(entry.video, video);
        entry.audio = joined(entry.audio, audio);
        entry.parts.push(known.unwrap_or(EntryPart {
            video,
            audio,
            independent: part.independent,
            gap: false,
            lease: None,
        }));
        self.open = Some(entry.clone());
        (!is_out).then_some((entry, objects))
    }

    /// The entry and the objects of one segment.
    fn write_segment(
        &mut self,
        segment: &Segment,
        session: &SessionId,
        head: RunHead,
    ) -> (Entry, Vec<Object>) {
        let mut entry = self.entry(&Shape::of_segment(segment), session, head);
        for one in segment.renditions.iter().filter(|one| !is_audio(&one.name)) {
            if !self.names.contains(&one.name) {
                self.names.push(one.name.clone());
            }
        }
        let number = entry.number;
        self.broken = false;
        // Not before there is a segment: a run that breaks off earlier is placed anew once more.
        self.lost_time = false;
        (entry.video, entry.audio) = spans(segment.video, segment.audio);
        entry.open = false;
        entry.source.cursor = segment.cursor;
        let mut objects = Vec::with_capacity(segment.renditions.len() * 2);
        let opened = std::mem::take(&mut entry.renditions);
        let line = |one| self.rendition(one, number, &opened, &mut objects);
        entry.renditions = segment.renditions.iter().map(line).collect();
        for one in &segment.renditions {
            let (content_type, path) = (content_type(&one.kind), entry.media_path(&one.name));
            objects.push(Object { path, content_type, body: one.data.clone(), kind: ObjectKind::Segment });
        }
        self.point = Some(ResumePoint::after(&entry));
        (entry, objects)
    }

    /// The open entry of this segment, or a new one.
    fn entry(&mut self, shape: &Shape<'_>, session: &SessionId, head: RunHead) -> Entry {
        let number = SegmentNumber(shape.number + self.ahead);
        match self.open.take().filter(|open| open.number == number) {
            Some(open) => open,
            None => {
                self.skip_ahead();
                self.begin_entry(shape, session, head)
            }
        }
    }

    /// An entry of which nothing is there yet.
    fn begin_entry(&self, shape: &Shape<'_>, session: &SessionId, head: RunHead) -> Entry {
        let discontinuity =
            self.point.as_ref().is_some_and(|point| self.broken || differs(&point.inits, shape.renditions));
        let before = self.point.as_ref().map_or(0, |point| point.discontinuities);
        // Clocks of gateways and encoders differ, but a viewer's must not go back.
        let not_before = self.point.as_ref().map(|point| point.until).unwrap_or_default();
        let offset = shape.offset.ticks();
        Entry {
            broadcast: self.broadcast.clone(),
            lease: self.lease.clone(),
            number: SegmentNumber(shape.number + self.ahead),
            committed_at: Timestamp::default(),
            program_date_time: wall_time(head, offset, shape.start.ticks()).max(not_before),
            discontinuity,
            discontinuities: before + u64::from(discontinuity),
            gap: false,
            video: None,
            audio: None,
            renditions: Vec::new(),
            parts: Vec::new(),
            open: true,
            source: SourcePosition {
                session: session.clone(),
                run: head.run,
                offset,
                cursor: head.first_cursor,
            },
        }
    }

    /// One rendition's line in the entry. After a takeover the initialization section that the lease before has stored
    /// serves on, if it is the same to the byte; for a while only, see [`TimelineWriter::own_inits`].
    fn rendition(
        &self,
        one: &RenditionSegment,
        number: SegmentNumber,
        opened: &[EntryRendition],
        objects: &mut Vec<Object>,
    ) -> EntryRendition {
        let kind = match one.kind {
            RenditionKind::Video { width, height, frame_rate } => {
                TrackKind::Video { width, height, millifps: (frame_rate * 1_000.0).round() as u32 }
            }
            RenditionKind::Audio { channels, .. } => TrackKind::Audio { channels: channels.into() },
        };
        let folder = media_folder(&self.broadcast, &self.lease, self.retention, &one.name);
        let init_hash = fingerprint(&one.init);
        // A segment that is open keeps what its first part has named.
        let named = opened.iter().find(|before| before.name == one.name && before.init_hash == init_hash);
        let mut known = self.point.iter().flat_map(|point| &point.inits);
        let stored = known.find(|(name, _, hash)| *name == one.name && *hash == init_hash);
        let serves = |path: &&String| {
            (path.starts_with(&folder) || !self.owns_inits) && Retention::of(path) == Some(self.retention)
        };
        let named = named.map(|before| &before.init);
        let init = match named.or(stored.map(|(_, path, _)| path).filter(serves)) {
            Some(path) => path.clone(),
            None => init_path(&self.broadcast, &self.lease, self.retention, &one.name, number),
        };
        if init.starts_with(&folder) {
            let content_type = content_type(&one.kind);
            objects.push(Object {
                path: init.clone(),
                content_type,
                body: one.init.clone(),
                kind: ObjectKind::Init,
            });
        }
        EntryRendition {
            name: one.name.clone(),
            kind,
            codecs: one.codecs.clone(),
            bytes: one.data.len() as u64,
            max_bitrate: one.declared_bitrate.into(),
            init,
            init_hash,
            copied: one.copied,
            retention: self.retention,
        }
    }
}
