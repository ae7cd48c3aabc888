//! Cuts sound without pictures, and hands out closed segments once both of their sides are complete.

use super::super::assemble::Piece;
use super::super::audio::AudioTrack;
use super::super::cut::Place;
use super::super::error::MediaError;
use super::super::pictures::Closed;
use super::super::segment::{EndReason, Segment};
use super::super::time::{AudioSpan, GridFrame, VideoSpan};
use super::closing::Closing;
use super::tracks::Tracks;
use super::{Drain, Driver, Flow, MAX_SKEW, Stop};

impl Driver<'_, '_> {
    /// Without pictures the grid itself is cut: each audio frame stands for a picture.
    pub(super) fn cut_audio(&mut self) {
        let next = self.sound.as_ref().map_or(self.audio_scan, AudioTrack::next);
        while self.audio_scan <= next {
            match self.audio_cutter.place(self.audio_scan.time()) {
                Place::Within => {}
                Place::Opens => self.audio_open = Some(self.start.next_segment),
                Place::Cuts => self.close_audio(self.audio_scan),
            }
            self.audio_scan = self.audio_scan.next();
        }
    }

    pub(super) fn close_audio(&mut self, end: GridFrame) {
        let start = self.pictures.closed.back().map_or(self.audio_cut.time(), |c| c.span.end);
        if let Some(number) = self.audio_open.filter(|_| end.time() > start) {
            let span = VideoSpan { start, end: end.time() };
            self.pictures.closed.push_back(Closed { number, span, frames: 0, repeated: 0 });
            self.audio_open = Some(number + 1);
        }
    }

    /// Hands out closed segments whose sound is there. If `patient`, sound gets 3 s of video to arrive; else only what
    /// is there is handed out.
    pub(super) fn hand_out(&mut self, patient: bool) -> Flow {
        while self.tracks != Tracks::Undecided {
            let Some(closed) = self.pictures.closed.front() else { break };
            let end = closed.span.end;
            let to = end.frame().max(self.audio_cut.next());
            if let Some(sound) = self.sound.as_mut().filter(|s| s.next() < to) {
                let late = self.pictures.newest().is_some_and(|newest| newest.minus(end) > MAX_SKEW);
                if !patient || !(late || self.silent) || self.tracks != Tracks::Both {
                    break;
                }
                sound.silence(to)?;
                self.silent = true;
            }
            let Some(closed) = self.pictures.closed.pop_front() else { break };
            if !self.hand_out_one(&closed, to)? {
                return Ok(Some(Stop(EndReason::Aborted, Closing::Never, Drain::No)));
            }
        }
        Ok(None)
    }

    pub(super) fn hand_out_one(&mut self, closed: &Closed, to: GridFrame) -> Result<bool, MediaError> {
        let offset = self.offset.unwrap_or_default();
        let audio = (self.tracks != Tracks::VideoOnly).then_some(AudioSpan { from: self.audio_cut, to });
        let resume = self.ledger.resume(closed.span.end, to, offset);
        // The very last segment of a run needs nothing of it any more.
        let cursor = self.go_on_at.filter(|_| self.pictures.closed.is_empty()).unwrap_or(resume);
        let segment = Segment {
            number: closed.number,
            video: (self.tracks != Tracks::AudioOnly).then_some(closed.span),
            audio,
            offset,
            cursor,
            renditions: Vec::new(),
            frames: closed.frames,
            repeated: closed.repeated,
        };
        let pictures = if segment.video.is_some() { self.rungs.count() } else { 0 };
        let renditions = pictures + usize::from(audio.is_some());
        self.audio_cut = to;
        if self.out.send(Piece::Head { segment, renditions }).is_err() {
            return Ok(false);
        }
        match (audio, &mut self.sound) {
            (Some(span), Some(sound)) => sound.segment(closed.number, span, pictures, &self.out),
            _ => Ok(true),
        }
    }
}
