//! Cuts sound without pictures, and hands out closed parts once both of their sides are complete.

use std::sync::Arc;

use super::closing::Closing;
use super::tracks::Tracks;
use super::{Drain, Driver, Flow, MAX_SKEW, Stop};
use crate::media::error::MediaError;
use crate::media::package::assemble::{Piece, SegmentPart};
use crate::media::segment::EndReason;
use crate::media::segmenter::cut::{Boundary, Cutter, PartCutter};
use crate::media::segmenter::frames::Closed;
use crate::media::settings::EngineSettings;
use crate::media::{AudioSpan, GridFrame, Part, StartPoint, VideoSpan};

/// Cuts the grid itself: each audio frame stands for a picture.
pub(super) struct SoundOnly {
    cutter: Cutter,
    parts: Option<PartCutter>,
    scanned: GridFrame,
    next_number: u64,
    /// Place and start of the open part.
    open: Option<(SegmentPart, GridFrame)>,
}

impl SoundOnly {
    pub(super) fn new(settings: &EngineSettings, start: &StartPoint) -> Self {
        Self {
            cutter: Cutter::new(settings.segment_duration),
            parts: settings.part_duration.map(|duration| PartCutter::new(duration, start.parts.clone())),
            scanned: start.audio_from,
            next_number: start.next_segment,
            open: None,
        }
    }

    /// The frame up to which boundaries were looked for.
    pub(super) fn scanned(&self) -> GridFrame {
        self.scanned
    }

    /// It begins here.
    pub(super) fn begin(&mut self, at: GridFrame) {
        self.scanned = at;
    }

    /// Ends the open part.
    fn close(&mut self, end: GridFrame, last: bool) -> Option<Closed> {
        let (place, start) = self.open.take().filter(|(_, start)| end > *start)?;
        self.open = (!last).then_some(((place.0, place.1 + 1), end));
        Some(Closed {
            place,
            last,
            independent: true,
            span: VideoSpan { start: start.time(), end: end.time() },
            frames: 0,
            repeated: 0,
            effort: Default::default(),
        })
    }

    /// The part that ends before the next frame, if one does.
    fn scan(&mut self) -> Option<Closed> {
        let at = self.scanned;
        self.scanned = at.next();
        match self.cutter.place(at.time()) {
            Boundary::Within => {
                let step = at.next().time().minus(at.time());
                self.parts.as_mut()?.cuts(at.time(), step)?;
                self.close(at, false)
            }
            Boundary::Opens | Boundary::Cuts => {
                let closed = self.close(at, true);
                self.open = Some(((self.next_number, 0), at));
                self.next_number += 1;
                if let Some(parts) = &mut self.parts {
                    parts.open(at.time());
                }
                closed
            }
        }
    }
}

impl Driver<'_, '_> {
    /// Finds the boundaries in sound without pictures, up to `end`.
    pub(super) fn cut_audio(&mut self, end: GridFrame) {
        while self.sound_only.scanned <= end {
            let closed = self.sound_only.scan();
            self.frames.closed.extend(closed);
        }
    }

    pub(super) fn close_audio(&mut self, end: GridFrame) {
        let closed = self.sound_only.close(end, true);
        self.frames.closed.extend(closed);
    }

    /// Hands out closed parts whose sound is there. If `patient`, sound gets 3 s of video to arrive; else only what
    /// is there is handed out.
    pub(super) fn hand_out(&mut self, patient: bool) -> Flow {
        while self.tracks != Tracks::Undecided {
            let Some(closed) = self.frames.closed.front() else { break };
            let end = closed.span.end;
            let to = end.frame().max(self.audio_cut.next());
            if let Some(sound) = self.sound.as_mut().filter(|s| s.next() < to) {
                let late = self.frames.newest().is_some_and(|newest| newest.minus(end) > MAX_SKEW);
                if !patient || !(late || self.silent) || self.tracks != Tracks::Both {
                    break;
                }
                sound.silence(to)?;
                self.silent = true;
            }
            let Some(closed) = self.frames.closed.pop_front() else { break };
            if let Some(stop) = self.hand_out_one(&closed, to)? {
                return Ok(Some(stop));
            }
        }
        Ok(None)
    }

    fn hand_out_one(&mut self, closed: &Closed, to: GridFrame) -> Result<Option<Stop>, MediaError> {
        let gone = || Ok(Some(Stop(EndReason::Aborted, Closing::Never, Drain::No)));
        let offset = self.offset.unwrap_or_default();
        let audio = (self.tracks != Tracks::VideoOnly).then_some(AudioSpan { from: self.audio_cut, to });
        let resume = self.ledger.resume(closed.span.end, to, offset);
        // The very last part of a run needs nothing of it any more.
        let cursor = self.go_on_at.filter(|_| self.frames.closed.is_empty()).unwrap_or(resume);
        let shown = self.tracks != Tracks::AudioOnly;
        let copied = match (&mut self.copy, &self.copied_track) {
            (Some(copy), Some(track)) if shown => {
                match copy.part(
                    track,
                    closed.place,
                    closed.last,
                    closed.span,
                    closed.frames,
                    self.counters,
                )? {
                    Ok(piece) => Some(piece),
                    Err(unfit) => return Ok(Some(Self::unfit(unfit))),
                }
            }
            _ => None,
        };
        let encoded = if shown { self.rungs.made(closed.effort) } else { 0 };
        let renditions = encoded + usize::from(copied.is_some()) + usize::from(audio.is_some());
        let part = Part {
            number: closed.place.0,
            index: closed.place.1,
            last: closed.last,
            independent: closed.independent,
            video: shown.then_some(closed.span),
            audio,
            offset,
            cursor,
            renditions: Vec::new(),
            frames: closed.frames,
            repeated: closed.repeated,
            effort: closed.effort,
        };
        self.audio_cut = to;
        if self.out.send(Piece::Head { part, renditions, names: Arc::clone(&self.names) }).is_err() {
            return gone();
        }
        if copied.is_some_and(|piece| self.out.send(piece).is_err()) {
            return gone();
        }
        if let (Some(span), Some(sound)) = (audio, &mut self.sound)
            && !sound.part(closed.place, span, &self.out)?
        {
            return gone();
        }
        Ok(None)
    }
}
