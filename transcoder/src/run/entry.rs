//! Writes timeline entries for segments: names objects, keeps count of discontinuities, knows where the next run starts.

use headwater_domain::hooks::Behind;
use headwater_domain::timeline::{
    EPOCH, Entry, EntryPart, EntryRendition, ResumePoint, SourcePosition, TrackKind, media_prefix,
};
use headwater_domain::{BroadcastId, Lease, SegmentNumber, SessionId, Timestamp};
use tokio::sync::watch;

use super::shape::{
    Shape, content_type, differs, fingerprint, is_audio, joined, span_end, spans, ticks, wall_time,
};
use super::source::RunHead;
use super::upload::{Kind, Object};
use crate::media::{
    FRAME_SAMPLES, GridFrame, MediaTime as Ticks, Part, Passthrough, Placement, RenditionKind,
    RenditionSegment, Segment, StartPoint,
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
    /// The segment whose parts are being written.
    open: Option<Entry>,
    /// The source's pictures are not fit to be copied, as far as its run is concerned.
    unfit: Option<(SessionId, u32)>,
    /// What the next segment must come behind, by the newest order.
    behind: watch::Receiver<Option<Behind>>,
    /// Names that renditions of pictures have had: viewers have playlists of each.
    names: Vec<String>,
    /// By how much numbers are ahead of those that the engine counts in this run.
    ahead: u64,
}

impl Author {
    pub(super) fn new(broadcast: BroadcastId, lease: Lease, behind: watch::Receiver<Option<Behind>>) -> Self {
        Self {
            broadcast,
            lease,
            point: None,
            begun: false,
            broken: false,
            lost_time: false,
            read: None,
            open: None,
            unfit: None,
            behind,
            names: Vec::new(),
            ahead: 0,
        }
    }

    /// Takes up the timeline of the leases before, once.
    pub(super) fn begin(&mut self, resume: Option<ResumePoint>) {
        if !self.begun {
            self.begun = true;
            self.names = resume.as_ref().map(|point| point.names.clone()).unwrap_or_default();
            self.point = resume;
        }
    }

    /// Names under which pictures go on.
    pub(super) fn names(&self) -> &[String] {
        &self.names
    }

    /// Whether nothing of the broadcast was written or read yet.
    pub(super) fn is_fresh(&self) -> bool {
        self.point.is_none() && self.read.is_none()
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

    /// What follows in the same run is placed by this offset: it was moved to begin behind what there is.
    pub(super) fn goes_on_by(&mut self, offset: Option<Ticks>) {
        if let (Some(point), Some(offset)) = (&mut self.point, offset) {
            point.source.offset = offset.ticks();
        }
    }

    /// The run's packets cannot be a rendition; what follows is encoded, behind a break if there was something before.
    pub(super) fn do_not_copy(&mut self, session: &SessionId, run: u32) {
        self.unfit = Some((session.clone(), run));
    }

    /// Which of the source's packets may be a rendition: not those that were found unfit, nor those of a track that was
    /// encoded until now, in the middle of a run.
    pub(super) fn may_copy(&self, session: &SessionId, head: RunHead) -> Passthrough {
        let unfit = self.unfit.as_ref().is_some_and(|(of, run)| of == session && *run == head.run);
        let point = self.point.as_ref().filter(|point| self.is_same_run(point, session, head));
        let encoded = |audio: bool| {
            point.is_some_and(|point| {
                point.inits.iter().any(|(name, ..)| is_audio(name) == audio)
                    && !point.copied.iter().any(|name| is_audio(name) == audio)
            })
        };
        Passthrough { video: !unfit && !encoded(false), audio: !encoded(true) }
    }

    fn is_same_run(&self, point: &ResumePoint, session: &SessionId, head: RunHead) -> bool {
        point.source.session == *session && point.source.run == head.run && !self.lost_time
    }

    /// Where the engine starts for this run. A run that goes on is placed exactly; a new one is put behind all there is.
    pub(super) fn start(&mut self, session: &SessionId, head: RunHead) -> StartPoint {
        self.go_behind();
        self.ahead = 0;
        let Some(point) = &self.point else {
            let begun = u64::from(self.open.take().is_some());
            return StartPoint::aligned(ticks(EPOCH), begun);
        };
        let video_end = point.video_end.map(ticks);
        let audio_end = point.audio_end.map(|end| GridFrame::new(end.ticks / FRAME_SAMPLES as u64));
        let end = video_end.max(audio_end.map(GridFrame::time)).unwrap_or(ticks(EPOCH));
        let same_run = self.is_same_run(point, session, head);
        // A hole: the next media lies later, on the same axis or a new one.
        self.broken |= head.lost > 0 || !same_run;
        let copied = point.copied.iter().any(|name| !is_audio(name));
        let abandons = self.broken || (copied && !self.may_copy(session, head).video);
        let out = self.parts_out(abandons);
        let Some(point) = &self.point else { return StartPoint::aligned(end, 0) };
        if !same_run {
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
            copied,
            parts: out,
        }
    }

    /// Leaves out the numbers that viewers know from the other region, which knew nothing of this lease. What stands there
    /// is not continued.
    fn go_behind(&mut self) {
        let (Some(point), Some(behind)) = (&mut self.point, *self.behind.borrow()) else { return };
        point.discontinuities = point.discontinuities.max(behind.discontinuities);
        if point.next <= behind.segment {
            let next = behind.segment.next();
            self.ahead += next.0 - point.next.0;
            point.next = next;
            point.open.clear();
            self.broken = true;
        }
    }

    /// Ends of the parts of the next segment that viewers have seen. If it is abandoned, the one behind it is next: what
    /// has been out is never replaced by something else.
    fn parts_out(&mut self, abandoned: bool) -> Vec<Ticks> {
        let open = self.open.take();
        let Some(point) = &mut self.point else { return Vec::new() };
        if let Some(open) = open {
            point.open = open.parts;
        }
        if abandoned && !point.open.is_empty() {
            point.open.clear();
            point.next = point.next.next();
        }
        point.open.iter().filter_map(|part| part.video.or(part.audio)).map(|span| span_end(&span)).collect()
    }

    /// The open entry with one more part, and its objects; nothing if the part is out already: an entry's parts only grow.
    pub(super) fn write_part(
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
            let mut rendition = self.rendition(one, number, &mut objects);
            rendition.bytes +=
                entry.renditions.get(place).filter(|_| index > 0).map_or(0, |before| before.bytes);
            match entry.renditions.get_mut(place) {
                Some(there) => *there = rendition,
                None => entry.renditions.push(rendition),
            }
            if !is_out {
                let (content_type, path) = (content_type(&one.kind), entry.part_path(&one.name, index));
                objects.push(Object { path, content_type, body: one.data.clone(), kind: Kind::Part });
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
    pub(super) fn write(
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
        entry.renditions =
            segment.renditions.iter().map(|one| self.rendition(one, number, &mut objects)).collect();
        for one in &segment.renditions {
            let (content_type, path) = (content_type(&one.kind), entry.media_path(&one.name));
            objects.push(Object { path, content_type, body: one.data.clone(), kind: Kind::Segment });
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
                self.go_behind();
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
    /// serves on, if it is the same to the byte.
    fn rendition(
        &self,
        one: &RenditionSegment,
        number: SegmentNumber,
        objects: &mut Vec<Object>,
    ) -> EntryRendition {
        let kind = match one.kind {
            RenditionKind::Video { width, height, frame_rate } => {
                TrackKind::Video { width, height, millifps: (frame_rate * 1_000.0).round() as u32 }
            }
            RenditionKind::Audio { channels, .. } => TrackKind::Audio { channels: channels.into() },
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
            let content_type = content_type(&one.kind);
            objects.push(Object {
                path: init.clone(),
                content_type,
                body: one.init.clone(),
                kind: Kind::Init,
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
        }
    }
}

#[cfg(test)]
mod tests;
