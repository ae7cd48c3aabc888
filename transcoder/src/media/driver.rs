//! The run's state machine: takes packets in order, decides which tracks there are, and closes segments when both
//! sides have what they need. Everything it waits for is bounded by media time, never by the clock.

use std::collections::VecDeque;
use std::sync::mpsc::SyncSender;

use ffmpeg_next::frame;

use super::assemble::Piece;
use super::audio::AudioTrack;
use super::cut::{Cutter, Place};
use super::decode::VideoDecoder;
use super::error::MediaError;
use super::ladder;
use super::ledger::Ledger;
use super::pictures::{Closed, Outcome, Pictures};
use super::rungs::Rungs;
use super::segment::{EndReason, Segment};
use super::settings::{EngineSettings, Placement, StartPoint};
use super::source::{Next, Source, SourceEnd, Track, Unit};
use super::stats::{Counters, add};
use super::time::{AudioSpan, GridFrame, MediaTime, VideoSpan};

/// Media time one track may be ahead of the other before the other is taken as absent or gone.
const MAX_SKEW: MediaTime = MediaTime::from_secs(3);
/// Steps of a track's DTS beyond which the source's clock jumped (the gateway's own limits for a new run).
const MAX_BACK_MILLIS: i64 = 1_000;
const MAX_FORWARD_MILLIS: i64 = 10_000;
/// Audio packets held until the video's first picture places them: ten times what 3 s hold.
const MAX_HELD: usize = 1_500;
/// Milliseconds of media after which a source of which nothing could be decoded is given up.
const MAX_UNDECODABLE_MILLIS: i64 = 20_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tracks {
    Undecided,
    Both,
    VideoOnly,
    AudioOnly,
}

/// How the open segment is closed.
enum Closing {
    /// After the last picture; sound that goes on is kept if `tail`.
    Natural { tail: bool },
    /// At this instant, the first picture of what follows.
    At(MediaTime),
    /// Where a successor continues without losing or repeating anything.
    Exact,
    /// Not at all.
    Never,
}

/// Why the loop ended, and how to close.
struct Stop(EndReason, Closing, Drain);

#[derive(PartialEq, Eq)]
enum Drain {
    Yes,
    No,
}

type Flow = Result<Option<Stop>, MediaError>;

pub(super) struct Driver<'scope, 'env> {
    settings: &'env EngineSettings,
    counters: &'env Counters,
    out: SyncSender<Piece>,
    rungs: Rungs<'scope, 'env>,
    source: Source,
    start: StartPoint,
    offset: Option<MediaTime>,
    tracks: Tracks,
    decoder: Option<VideoDecoder>,
    pictures: Pictures<'env>,
    sound: Option<AudioTrack<'env>>,
    held: VecDeque<Unit>,
    ledger: Ledger,
    audio_cutter: Cutter,
    audio_cut: GridFrame,
    audio_scan: GridFrame,
    audio_open: Option<u64>,
    first_millis: Option<i64>,
    first_audio_millis: Option<i64>,
    video_millis: Option<i64>,
    audio_millis: Option<i64>,
    silent: bool,
}

impl<'scope, 'env> Driver<'scope, 'env> {
    pub(super) fn new(
        source: Source,
        first_cursor: u64,
        settings: &'env EngineSettings,
        start: StartPoint,
        rungs: Rungs<'scope, 'env>,
        out: SyncSender<Piece>,
        counters: &'env Counters,
    ) -> Self {
        let duration = settings.segment_duration;
        Self {
            settings,
            counters,
            out,
            rungs,
            source,
            start,
            offset: match start.placement {
                Placement::AlignFirst => None,
                Placement::Offset(offset) => Some(offset),
            },
            tracks: Tracks::Undecided,
            decoder: None,
            pictures: Pictures::new(start.video_from, duration, start.next_segment, counters),
            sound: None,
            held: VecDeque::new(),
            ledger: Ledger::new(first_cursor),
            audio_cutter: Cutter::new(duration),
            audio_cut: start.audio_from,
            audio_scan: start.audio_from,
            audio_open: None,
            first_millis: None,
            first_audio_millis: None,
            video_millis: None,
            audio_millis: None,
            silent: false,
        }
    }

    /// Works until the source ends or something ends the run.
    pub(super) fn drive(mut self) -> Result<(EndReason, Option<MediaTime>), MediaError> {
        let worked = self.work();
        let offset = self.offset;
        let Self { pictures, rungs, .. } = self;
        // The chain's sender goes first: without it a rung that waits for pictures would never end.
        drop(pictures);
        // A rung's failure is the cause of ours.
        rungs.join()?;
        worked.map(|reason| (reason, offset))
    }

    fn work(&mut self) -> Result<EndReason, MediaError> {
        let Stop(reason, closing, drain) = loop {
            let flow = match self.source.next(self.counters) {
                Next::Unit(unit) => self.take(unit)?,
                Next::End(SourceEnd::Clean) => {
                    Some(Stop(EndReason::Ended, Closing::Natural { tail: true }, Drain::Yes))
                }
                Next::End(SourceEnd::Abrupt(e)) => {
                    Some(Stop(EndReason::Abrupt(e), Closing::Never, Drain::No))
                }
                Next::End(SourceEnd::Cancelled) => Some(Stop(EndReason::Finished, Closing::Exact, Drain::No)),
            };
            if let Some(stop) = flow {
                break stop;
            }
        };
        if matches!(reason, EndReason::Aborted) {
            return Ok(reason);
        }
        if matches!(reason, EndReason::Ended) {
            self.check_decodable()?;
        }
        self.wind_up(&closing, drain == Drain::Yes)?;
        Ok(reason)
    }

    /// FLV milliseconds to T, once the run is placed.
    fn place(&self, millis: i64) -> MediaTime {
        MediaTime::from_millis(millis).plus(self.offset.unwrap_or_default())
    }

    fn take(&mut self, unit: Unit) -> Flow {
        if let Some(stop) = self.check_clock(&unit) {
            return Ok(Some(stop));
        }
        self.ledger.saw(unit.track, unit.cursor, unit.pts_millis);
        let stop = match unit.track {
            Track::Video => self.take_video(&unit)?,
            Track::Audio => self.take_audio(unit)?,
        };
        if stop.is_some() {
            return Ok(stop);
        }
        self.settle()
    }

    fn check_clock(&mut self, unit: &Unit) -> Option<Stop> {
        let newest = self.video_millis.max(self.audio_millis);
        let mine = match unit.track {
            Track::Video => &mut self.video_millis,
            Track::Audio => &mut self.audio_millis,
        };
        let back = mine.is_some_and(|mine| unit.dts_millis < mine - MAX_BACK_MILLIS);
        let forward = newest.is_some_and(|newest| unit.dts_millis > newest + MAX_FORWARD_MILLIS);
        if back || forward {
            return Some(Stop(EndReason::TimestampJump, Closing::Natural { tail: true }, Drain::Yes));
        }
        *mine = Some(mine.map_or(unit.dts_millis, |mine| mine.max(unit.dts_millis)));
        self.first_millis.get_or_insert(unit.dts_millis);
        None
    }

    fn take_video(&mut self, unit: &Unit) -> Flow {
        add(&self.counters.video_packets, 1);
        if self.tracks == Tracks::AudioOnly {
            let usable = unit.packet.is_key() && self.place(unit.pts_millis) >= self.audio_cut.time();
            return Ok(usable.then_some(Stop(EndReason::TracksChanged, Closing::Exact, Drain::No)));
        }
        if self.decoder.is_none() {
            let Some(parameters) = self.source.parameters(Track::Video) else { return Ok(None) };
            self.decoder = Some(VideoDecoder::open(parameters, self.settings.decode_threads)?);
        }
        self.decode_video(Some(unit))
    }

    fn decode_video(&mut self, unit: Option<&Unit>) -> Flow {
        let Some(decoder) = &mut self.decoder else { return Ok(None) };
        let mut frames = Vec::new();
        let errors = decoder.decode(unit.map(|u| &u.packet), &mut frames);
        add(&self.counters.video_errors, errors);
        for frame in frames {
            let stop = self.picture(frame)?;
            if stop.is_some() {
                return Ok(stop);
            }
        }
        Ok(None)
    }

    fn picture(&mut self, frame: frame::Video) -> Flow {
        let Some(millis) = frame.pts().or(frame.timestamp()) else { return Ok(None) };
        let rate = ladder::frame_rate([
            self.decoder.as_ref().map_or(0.0, VideoDecoder::frame_rate),
            self.source.frame_rate(),
        ]);
        self.pictures.prepare(&frame, rate, &mut self.rungs)?;
        if self.offset.is_none() {
            self.offset = Some(self.start.video_from.minus(MediaTime::from_millis(millis)));
        }
        let at = self.place(millis);
        let first = self.pictures.newest().is_none();
        let stop = match self.pictures.push(frame, at) {
            Outcome::Fine => None,
            Outcome::Gone => Some(Stop(EndReason::Aborted, Closing::Never, Drain::No)),
            Outcome::Changed => Some(Stop(EndReason::ParametersChanged, Closing::At(at), Drain::No)),
        };
        // Media before this picture is missing for so long that the timeline rather starts late than with silence.
        if let Some(shown) = self.pictures.first().filter(|_| first)
            && shown.minus(self.start.video_from) > MAX_SKEW
        {
            self.audio_cut = self.audio_cut.max(shown.frame());
        }
        Ok(stop)
    }

    fn take_audio(&mut self, unit: Unit) -> Flow {
        add(&self.counters.audio_packets, 1);
        if self.offset.is_some() && self.place(unit.pts_millis) < AudioTrack::useful_from(self.audio_cut) {
            return Ok(None);
        }
        if self.tracks == Tracks::VideoOnly {
            return Ok(Some(Stop(EndReason::TracksChanged, Closing::Exact, Drain::No)));
        }
        self.first_audio_millis.get_or_insert(unit.pts_millis);
        self.silent = false;
        self.held.push_back(unit);
        Ok(None)
    }

    fn settle(&mut self) -> Flow {
        self.decide();
        self.hear()?;
        if self.tracks == Tracks::AudioOnly {
            self.cut_audio();
        }
        if let Some(stop) = self.hand_out(true)? {
            return Ok(Some(stop));
        }
        let (video, audio) = (self.video_millis.unwrap_or(0), self.audio_millis.unwrap_or(0));
        if self.tracks == Tracks::Both && audio - video > MAX_SKEW.ticks() / 90 {
            return Ok(Some(Stop(EndReason::TracksChanged, Closing::Natural { tail: false }, Drain::Yes)));
        }
        let seen = video.max(audio) - self.first_millis.unwrap_or(0);
        if seen > MAX_UNDECODABLE_MILLIS {
            self.check_decodable()?;
        }
        Ok(None)
    }

    fn decide(&mut self) {
        if self.tracks != Tracks::Undecided {
            return;
        }
        let heard = self.first_audio_millis;
        if let Some(first) = self.pictures.first() {
            let lead = self.pictures.newest().unwrap_or(first).minus(first);
            if heard.is_some() {
                self.tracks = Tracks::Both;
            } else if lead > MAX_SKEW {
                self.tracks = Tracks::VideoOnly;
            }
        } else if let (Some(first), Some(newest)) = (heard, self.audio_millis) {
            let first = match self.offset {
                None => MediaTime::from_millis(first),
                Some(offset) => MediaTime::from_millis(first).max(self.audio_cut.time().minus(offset)),
            };
            let lead = MediaTime::from_millis(newest).minus(first);
            if lead > MAX_SKEW || self.held.len() >= MAX_HELD {
                self.audio_alone();
            }
        }
    }

    fn audio_alone(&mut self) {
        self.tracks = Tracks::AudioOnly;
        let first = MediaTime::from_millis(self.first_audio_millis.unwrap_or(0));
        self.offset.get_or_insert(self.start.video_from.minus(first));
        self.audio_scan = self.audio_cut;
    }

    /// Decodes the sound that waits, once it is known where it belongs.
    fn hear(&mut self) -> Result<(), MediaError> {
        let Some(offset) = self.offset else { return Ok(()) };
        if self.tracks == Tracks::Undecided {
            return Ok(());
        }
        while let Some(unit) = self.held.pop_front() {
            if self.sound.is_none() {
                self.open_sound()?;
            }
            if let Some(sound) = &mut self.sound {
                sound.push(Some(&unit.packet), |millis| MediaTime::from_millis(millis).plus(offset))?;
            }
        }
        Ok(())
    }

    fn open_sound(&mut self) -> Result<(), MediaError> {
        if let Some(parameters) = self.source.parameters(Track::Audio) {
            let bitrate = self.settings.audio_bitrate;
            self.sound = Some(AudioTrack::open(parameters, self.audio_cut, bitrate, self.counters)?);
        }
        Ok(())
    }

    /// Without pictures the grid itself is cut: each audio frame stands for a picture.
    fn cut_audio(&mut self) {
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

    fn close_audio(&mut self, end: GridFrame) {
        let start = self.pictures.closed.back().map_or(self.audio_cut.time(), |c| c.span.end);
        if let Some(number) = self.audio_open.filter(|_| end.time() > start) {
            let span = VideoSpan { start, end: end.time() };
            self.pictures.closed.push_back(Closed { number, span, frames: 0, repeated: 0 });
            self.audio_open = Some(number + 1);
        }
    }

    /// Hands out closed segments whose sound is there. If `patient`, sound gets 3 s of video to arrive; else only what
    /// is there is handed out.
    fn hand_out(&mut self, patient: bool) -> Flow {
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

    fn hand_out_one(&mut self, closed: &Closed, to: GridFrame) -> Result<bool, MediaError> {
        let offset = self.offset.unwrap_or_default();
        let audio = (self.tracks != Tracks::VideoOnly).then_some(AudioSpan { from: self.audio_cut, to });
        let segment = Segment {
            number: closed.number,
            video: (self.tracks != Tracks::AudioOnly).then_some(closed.span),
            audio,
            offset,
            cursor: self.ledger.resume(closed.span.end, to, offset),
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

    /// Closes the open segment and hands out what is whole.
    fn wind_up(&mut self, closing: &Closing, drain: bool) -> Result<(), MediaError> {
        if drain {
            // What it leads to no longer matters: the run ends.
            self.decode_video(None)?;
        }
        if self.tracks == Tracks::Undecided {
            match (self.pictures.first(), self.first_audio_millis) {
                (Some(_), Some(_)) => self.tracks = Tracks::Both,
                (Some(_), None) => self.tracks = Tracks::VideoOnly,
                (None, Some(_)) => self.audio_alone(),
                (None, None) => {}
            }
        }
        self.hear()?;
        if drain && let (Some(sound), Some(offset)) = (&mut self.sound, self.offset) {
            sound.push(None, |millis| MediaTime::from_millis(millis).plus(offset))?;
        }
        if self.tracks == Tracks::AudioOnly {
            self.close_sound_only(closing)?;
        } else {
            self.close_pictures(closing)?;
        }
        self.pictures.end();
        self.hand_out(false).map(|_| ())
    }

    fn close_pictures(&mut self, closing: &Closing) -> Result<(), MediaError> {
        let natural = self.pictures.natural_end();
        let sound = self.sound.as_ref();
        let end = match closing {
            Closing::Never => None,
            Closing::Exact => {
                let encoded = sound.map(AudioTrack::next);
                self.pictures.exact_end(|at| encoded.is_none_or(|encoded| at.frame() <= encoded))
            }
            Closing::At(at) => Some(*at),
            Closing::Natural { tail } => {
                let tail = sound.filter(|_| *tail).map(|s| s.sounds_until().time());
                natural.map(|end| tail.map_or(end, |t| end.max(t.min(end.plus(MAX_SKEW)))))
            }
        };
        let Some(end) = end else { return Ok(()) };
        self.pictures.close(end);
        if !matches!(closing, Closing::Exact)
            && let (Some(sound), Tracks::Both) = (&mut self.sound, self.tracks)
        {
            sound.finish(end.frame().max(self.audio_cut.next()))?;
        }
        Ok(())
    }

    fn close_sound_only(&mut self, closing: &Closing) -> Result<(), MediaError> {
        if let (Closing::Natural { .. } | Closing::At(_), Some(sound)) = (closing, &mut self.sound)
            && sound.heard()
        {
            let to = sound.sounds_until();
            sound.finish(to)?;
        }
        self.cut_audio();
        if !matches!(closing, Closing::Never) {
            let next = self.sound.as_ref().map_or(self.audio_cut, AudioTrack::next);
            self.close_audio(next);
        }
        Ok(())
    }

    fn check_decodable(&self) -> Result<(), MediaError> {
        let stats = self.counters.snapshot();
        if stats.decoded > 0 || stats.audio_frames > 0 {
            return Ok(());
        }
        let errors = stats.video_errors + stats.audio_errors;
        if stats.video_packets + stats.audio_packets == 0 {
            return Err(MediaError::NoMedia);
        }
        // Sound that waits for pictures may still be decodable.
        if self.held.is_empty() { Err(MediaError::Undecodable { errors }) } else { Ok(()) }
    }
}
