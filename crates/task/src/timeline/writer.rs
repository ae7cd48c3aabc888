//! Where the timeline stands, and so where the next run starts.

use headwater_domain::hooks::ResumeAfter;
use headwater_domain::objects::Retention;
use headwater_domain::timeline::{EPOCH, Entry, ResumePoint};
use headwater_domain::{BroadcastId, Lease, SessionId};

use super::shape::{is_audio, span_end, ticks};
use crate::engine::{FRAME_SAMPLES, GridFrame, MediaTime as Ticks, Passthrough, Placement, StartPoint};
use crate::source::RunHead;

/// Where a broadcast's timeline stands, and how its next entry is written.
///
/// [`begin`](Self::begin) takes up what the leases before have written, [`start`](Self::start) says where the engine
/// starts a run, [`write`](Self::write) makes entry and objects of what the engine has made of it.
#[derive(Debug, Clone)]
pub struct TimelineWriter {
    pub(super) broadcast: BroadcastId,
    pub(super) lease: Lease,
    /// After the last entry; `None` before the first of the broadcast.
    pub(super) point: Option<ResumePoint>,
    begun: bool,
    /// The next entry does not continue the one before.
    pub(super) broken: bool,
    /// The source's time says nothing of where the next run belongs.
    pub(super) lost_time: bool,
    /// The session that is read, and up to where: beyond the last entry if what followed made no segment.
    read: Option<(SessionId, u64)>,
    /// The segment whose parts are being written.
    pub(super) open: Option<Entry>,
    /// The source's pictures are not fit to be copied, as far as its run is concerned.
    unfit: Option<(SessionId, u32)>,
    /// What the next segment must come behind, by the newest order.
    resume_after: Option<ResumeAfter>,
    /// Names that renditions of pictures have had: viewers have playlists of each.
    pub(super) names: Vec<String>,
    /// By how much numbers are ahead of those that the engine counts in this run.
    pub(super) ahead: u64,
    /// How long media is kept.
    pub(super) retention: Retention,
    /// Whether initialization sections of the leases before serve no more.
    pub(super) owns_inits: bool,
}

impl TimelineWriter {
    /// Of a lease that knows nothing of its broadcast yet.
    pub fn new(broadcast: BroadcastId, lease: Lease) -> Self {
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
            resume_after: None,
            names: Vec::new(),
            ahead: 0,
            retention: Retention::default(),
            owns_inits: false,
        }
    }

    /// What is written from now on is kept so long.
    pub fn keep(&mut self, retention: Retention) {
        self.retention = retention;
    }

    /// From the next segment on initialization sections are this lease's own: nobody writes those of the leases before anew,
    /// and rules go by age. Due [`RENEW_EVERY`](headwater_domain::objects::RENEW_EVERY) after the lease has begun.
    pub fn own_inits(&mut self) {
        self.owns_inits = true;
    }

    /// Takes up the timeline of the leases before, once.
    pub fn begin(&mut self, resume: Option<ResumePoint>) {
        if !self.begun {
            self.begun = true;
            self.names = resume.as_ref().map(|point| point.names.clone()).unwrap_or_default();
            self.point = resume;
        }
    }

    /// The next segment must come behind this: the other region has written so far.
    pub fn resume_after(&mut self, resume_after: ResumeAfter) {
        self.resume_after = Some(resume_after);
    }

    /// Names under which pictures go on.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Whether nothing of the broadcast was written or read yet.
    pub fn is_fresh(&self) -> bool {
        self.point.is_none() && self.read.is_none()
    }

    /// Whether parts of a segment are written that is not closed.
    pub fn is_open(&self) -> bool {
        self.open.is_some() || self.point.as_ref().is_some_and(|point| !point.open.is_empty())
    }

    /// The number of the next segment.
    pub fn position(&self) -> u64 {
        self.point.as_ref().map_or(0, |point| point.next.0)
    }

    /// The cursor after which `session` is to be read.
    pub fn after(&self, session: &SessionId) -> u64 {
        let written = self.point.iter().map(|point| (&point.source.session, point.source.cursor));
        let read = self.read.iter().map(|(session, cursor)| (session, *cursor));
        let of_it = written.chain(read).filter(|(of, _)| *of == session);
        of_it.map(|(_, cursor)| cursor).max().unwrap_or(0)
    }

    /// The run was read to its end; the next one begins behind `cursor`. That holds also if nothing came of it: else
    /// the same run would be read for ever.
    pub fn ran_out(&mut self, session: &SessionId, cursor: u64) {
        self.read = Some((session.clone(), cursor));
    }

    /// The media that follows does not continue what was; `same_time` if the source's clock goes on.
    pub fn break_here(&mut self, same_time: bool) {
        self.broken = true;
        self.lost_time = !same_time;
    }

    /// What follows in the same run is placed by this offset: it was moved to begin behind what there is.
    pub fn goes_on_by(&mut self, offset: Option<Ticks>) {
        if let (Some(point), Some(offset)) = (&mut self.point, offset) {
            point.source.offset = offset.ticks();
        }
    }

    /// The run's packets cannot be a rendition; what follows is encoded, behind a break if there was something before.
    pub fn do_not_copy(&mut self, session: &SessionId, run: u32) {
        self.unfit = Some((session.clone(), run));
    }

    /// Which of the source's packets may be a rendition: not those that were found unfit, nor those of a track that was
    /// encoded until now, in the middle of a run.
    pub fn may_copy(&self, session: &SessionId, head: RunHead) -> Passthrough {
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
    pub fn start(&mut self, session: &SessionId, head: RunHead) -> StartPoint {
        self.skip_ahead();
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
    pub(super) fn skip_ahead(&mut self) {
        let (Some(point), Some(resume_after)) = (&mut self.point, self.resume_after) else { return };
        point.discontinuities = point.discontinuities.max(resume_after.discontinuities);
        if point.next <= resume_after.segment {
            let next = resume_after.segment.next();
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
}
