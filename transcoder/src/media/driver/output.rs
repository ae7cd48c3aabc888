//! Hands out closed parts once both of their sides are complete.

use std::sync::Arc;
use std::sync::mpsc::SyncSender;

use super::audio_track::Sound;
use super::run::{MAX_SKEW, Run, Tracks};
use super::stop::{Flow, Stop};
use super::video_track::Pictures;
use crate::media::package::assemble::Piece;
use crate::media::segmenter::frames::Closed;
use crate::media::{AudioSpan, GridFrame, Part};

/// Where finished pieces go.
pub(super) struct Output(pub(super) SyncSender<Piece>);

impl Output {
    /// Hands out closed parts whose sound is there. If `patient`, sound gets 3 s of video to arrive; else only what
    /// is there is handed out.
    pub(super) fn hand_out<'env>(
        &self,
        run: &mut Run<'env>,
        pictures: &mut Pictures<'_, 'env>,
        sound: &mut Sound<'env>,
        patient: bool,
    ) -> Flow {
        while run.tracks != Tracks::Undecided {
            let Some(closed) = pictures.frames.closed.front() else { break };
            let (end, to) = (closed.span.end, end_of_sound(closed, sound));
            if let Some(track) = sound.track.as_mut().filter(|track| track.next() < to) {
                let late = pictures.frames.newest().is_some_and(|newest| newest.minus(end) > MAX_SKEW);
                if !patient || !(late || sound.silent) || run.tracks != Tracks::Both {
                    break;
                }
                track.silence(to)?;
                sound.silent = true;
            }
            let Some(closed) = pictures.frames.closed.pop_front() else { break };
            if let Some(stop) = self.hand_out_one(run, pictures, sound, &closed)? {
                return Ok(Some(stop));
            }
        }
        Ok(None)
    }

    fn hand_out_one<'env>(
        &self,
        run: &mut Run<'env>,
        pictures: &mut Pictures<'_, 'env>,
        sound: &mut Sound<'env>,
        closed: &Closed,
    ) -> Flow {
        let gone = || Ok(Some(Stop::gone()));
        let to = end_of_sound(closed, sound);
        let offset = run.offset.unwrap_or_default();
        let audio = (run.tracks != Tracks::VideoOnly).then_some(AudioSpan { from: sound.cut, to });
        let resume = run.ledger.resume(closed.span.end, to, offset);
        // The very last part of a run needs nothing of it any more.
        let cursor = run.go_on_at.filter(|_| pictures.frames.closed.is_empty()).unwrap_or(resume);
        let shown = run.tracks != Tracks::AudioOnly;
        let copied = match (&mut pictures.copy, &pictures.copied_track) {
            (Some(copy), Some(track)) if shown => {
                match copy.part(track, closed.place, closed.last, closed.span, closed.frames, run.counters)? {
                    Ok(piece) => Some(piece),
                    Err(unfit) => return Ok(Some(Stop::unfit(unfit))),
                }
            }
            _ => None,
        };
        let encoded = if shown { pictures.rungs.made(closed.effort) } else { 0 };
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
        sound.cut = to;
        if self.0.send(Piece::Head { part, renditions, names: Arc::clone(&pictures.names) }).is_err() {
            return gone();
        }
        if copied.is_some_and(|piece| self.0.send(piece).is_err()) {
            return gone();
        }
        if let (Some(span), Some(track)) = (audio, &mut sound.track)
            && !track.part(closed.place, span, &self.0)?
        {
            return gone();
        }
        Ok(None)
    }
}

/// Where the sound of a part ends: with its last frame that starts before the pictures' end, but never before it began.
fn end_of_sound(closed: &Closed, sound: &Sound<'_>) -> GridFrame {
    closed.span.end.frame().max(sound.cut.next())
}
