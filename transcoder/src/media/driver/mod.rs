//! The run's state machine: takes packets in order, decides which tracks there are, and closes segments when both
//! sides have what they need. Everything it waits for is bounded by media time, never by the clock.

mod closing;
mod governing;
mod noting;
mod output;
mod tracks;
mod video_track;

use std::collections::VecDeque;
use std::sync::mpsc::SyncSender;

use self::closing::Closing;
use self::governing::Governing;
use self::noting::Noted;
use self::output::SoundOnly;
use self::tracks::Tracks;
use super::audio::AudioTrack;
use super::decode::VideoDecoder;
use super::decode::deinterlace::Deinterlacer;
use super::error::MediaError;
use super::package::assemble::{Names, Piece};
use super::plan::governor::Pace;
use super::segment::EndReason;
use super::segmenter::frames::{Frames, Outcome};
use super::segmenter::ledger::Ledger;
use super::settings::EngineSettings;
use super::source::composition::Composition;
use super::source::{Next, Source, SourceEnd, Track, Unit};
use super::stages::{Meter, Stages};
use super::stats::{Counters, add};
use super::video::copy::{CopiedVideo, Taken, Unfit};
use super::video::rungs::Rungs;
use super::{GridFrame, MediaTime, Placement, StartPoint};

/// Media time one track may be ahead of the other before the other is taken as absent or gone.
const MAX_SKEW: MediaTime = MediaTime::from_secs(3);
/// Media time for which sound may go on while packets of pictures come and none is shown; bounds the encoded sound that
/// waits. Above the skew and any reorder delay (16 pictures).
const MAX_BLIND: MediaTime = MediaTime::from_secs(6);
/// While the last picture is shown on, it is up to so much before the newest sound: the next one must not come too late.
const HOLD_BEHIND: MediaTime = MediaTime::from_secs(1);
/// Media time by which a run that goes on with pictures may be moved, so that the first of them is shown.
const MAX_MOVE: MediaTime = MediaTime::from_millis(100);
/// Steps of a track's DTS beyond which the source's clock jumped (the gateway's own limits for a new run).
const MAX_BACK_MILLIS: i64 = 1_000;
const MAX_FORWARD_MILLIS: i64 = 10_000;
/// Milliseconds of media after which a source of which nothing could be decoded is given up.
const MAX_UNDECODABLE_MILLIS: i64 = 20_000;

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
    stages: &'env Stages,
    out: SyncSender<Piece>,
    rungs: Rungs<'scope, 'env>,
    source: Source,
    start: StartPoint,
    offset: Option<MediaTime>,
    tracks: Tracks,
    composition: Composition<Taken>,
    /// Packets that the run begins with, until they can be judged.
    unjudged: VecDeque<Unit>,
    decoder: Option<VideoDecoder>,
    deinterlacer: Deinterlacer,
    frames: Frames<'env>,
    copy: Option<CopiedVideo>,
    /// The copied track, as muxers want it.
    copied_track: Option<ffmpeg_next::codec::Context>,
    names: Names,
    governing: Governing,
    decoding: Meter,
    audio_decoding: Meter,
    sound: Option<AudioTrack<'env>>,
    held: VecDeque<Unit>,
    ledger: Ledger,
    audio_cut: GridFrame,
    sound_only: SoundOnly,
    first_millis: Option<i64>,
    first_audio_millis: Option<i64>,
    video_millis: Option<i64>,
    audio_millis: Option<i64>,
    silent: bool,
    /// There is no decoder for the sound.
    deaf: bool,
    noted: Noted,
    /// When the picture is shown that ended a run of sound.
    pictures_from: Option<MediaTime>,
    /// Where to go on if that is not where the last segment ended: behind what was consumed, or at a jump.
    go_on_at: Option<u64>,
}

/// What a driver is wired to.
pub(super) struct DriverParts<'scope, 'env> {
    pub(super) source: Source,
    pub(super) first_cursor: u64,
    pub(super) pace: Option<Box<dyn Pace>>,
    pub(super) rungs: Rungs<'scope, 'env>,
    pub(super) out: SyncSender<Piece>,
    pub(super) counters: &'env Counters,
    pub(super) stages: &'env Stages,
}

/// How the driver's work ended.
pub(super) struct Driven {
    pub(super) reason: EndReason,
    pub(super) offset: Option<MediaTime>,
    /// Whether what follows is placed by that offset, and not by the one of the segments.
    pub(super) is_moved: bool,
    pub(super) go_on_at: Option<u64>,
}

impl<'scope, 'env> Driver<'scope, 'env> {
    pub(super) fn new(
        parts: DriverParts<'scope, 'env>,
        settings: &'env EngineSettings,
        start: StartPoint,
    ) -> Self {
        let DriverParts { source, first_cursor, pace, rungs, out, counters, stages } = parts;
        Self {
            settings,
            counters,
            stages,
            out,
            rungs,
            source,
            offset: match start.placement {
                Placement::AlignFirst => None,
                Placement::Offset(offset) => Some(offset),
            },
            tracks: Tracks::Undecided,
            composition: Composition::default(),
            unjudged: VecDeque::new(),
            decoder: None,
            deinterlacer: Deinterlacer::default(),
            frames: Frames::new(settings, &start, counters),
            copy: None,
            copied_track: None,
            names: Names::default(),
            governing: Governing::new(pace),
            decoding: Meter::default(),
            audio_decoding: Meter::default(),
            sound: None,
            held: VecDeque::new(),
            ledger: Ledger::new(first_cursor),
            audio_cut: start.audio_from,
            sound_only: SoundOnly::new(settings, &start),
            first_millis: None,
            first_audio_millis: None,
            video_millis: None,
            audio_millis: None,
            silent: false,
            deaf: false,
            noted: Noted::new(settings.problems.clone()),
            pictures_from: None,
            go_on_at: None,
            start,
        }
    }

    /// Works until the source ends or something ends the run.
    pub(super) fn drive(mut self) -> Result<Driven, MediaError> {
        let worked = self.work();
        self.stages.add("decode", self.decoding.spent());
        self.stages.add("audio", self.audio_decoding.spent());
        let moved = self.moved();
        let Self { frames, rungs, offset, go_on_at, .. } = self;
        // The chain's sender goes first: without it a rung that waits for pictures would never end.
        drop(frames);
        // A rung's failure is the cause of ours.
        rungs.join()?;
        worked.map(|reason| Driven { reason, offset: moved.or(offset), is_moved: moved.is_some(), go_on_at })
    }

    /// The offset for the pictures that have ended a run of sound, if that is out to a little behind the first of them.
    fn moved(&self) -> Option<MediaTime> {
        let late = self.audio_cut.time().minus(self.pictures_from?);
        (late > MediaTime::default() && late <= MAX_MOVE).then(|| self.offset.unwrap_or_default().plus(late))
    }

    fn work(&mut self) -> Result<EndReason, MediaError> {
        let Stop(reason, closing, drain) = loop {
            self.governing.waits();
            let next = self.source.next(self.counters);
            self.governing.goes_on();
            let flow = match next {
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
            // Packets that are still to be judged were read, too.
            let unjudged = self.unjudged.back().map_or(0, |unit| unit.cursor);
            self.go_on_at = Some(self.ledger.last().max(unjudged));
        }
        if let Some(Stop(unfit @ EndReason::NotCopyable { .. }, ..)) =
            self.wind_up(&closing, drain == Drain::Yes)?
        {
            // What was not handed out is made once more.
            self.go_on_at = None;
            return Ok(unfit);
        }
        // Only now: decoders hold pictures back until they are drained.
        if matches!(reason, EndReason::Ended)
            && let Err(error) = self.check_decodable()
        {
            return Ok(EndReason::Barren(error));
        }
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
        self.govern(&unit);
        self.note(&unit);
        let stop = match unit.track {
            Track::Video => self.take_video(unit)?,
            Track::Audio => self.take_audio(unit)?,
        };
        if stop.is_some() {
            return Ok(stop);
        }
        self.advance()
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
            self.go_on_at = Some(unit.cursor);
            return Some(Stop(EndReason::TimestampJump, Closing::Natural { tail: true }, Drain::Yes));
        }
        *mine = Some(mine.map_or(unit.dts_millis, |mine| mine.max(unit.dts_millis)));
        self.first_millis.get_or_insert(unit.dts_millis);
        None
    }

    fn take_audio(&mut self, unit: Unit) -> Flow {
        add(&self.counters.audio_packets, 1);
        self.ledger.saw(Track::Audio, unit.cursor, unit.pts_millis);
        if self.deaf {
            return Ok(None);
        }
        let stop = self.judge(false)?;
        if stop.is_some() {
            return Ok(stop);
        }
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

    fn advance(&mut self) -> Flow {
        if let stop @ Some(_) = self.release()? {
            return Ok(stop);
        }
        if let stop @ Some(_) = self.hold() {
            return Ok(stop);
        }
        self.decide();
        self.hear()?;
        if self.tracks == Tracks::AudioOnly {
            self.cut_audio(self.sound.as_ref().map_or(self.sound_only.scanned(), AudioTrack::next));
        }
        if let Some(stop) = self.hand_out(true)? {
            return Ok(Some(stop));
        }
        let (video, audio) = (self.video_millis.unwrap_or(0), self.audio_millis.unwrap_or(0));
        let seen = video.max(audio) - self.first_millis.unwrap_or(0);
        if seen > MAX_UNDECODABLE_MILLIS {
            self.check_decodable()?;
        }
        Ok(None)
    }

    /// Shows the last picture on while sound comes and no other picture does, or none that can be shown: a camera that
    /// pauses, slides, packets that are all damaged.
    fn hold(&mut self) -> Option<Stop> {
        if !matches!(self.tracks, Tracks::Undecided | Tracks::Both) {
            return None;
        }
        let (_, audio, shown) = (self.offset?, self.audio_millis?, self.frames.held_since()?);
        let now = self.place(audio);
        let come = self.video_millis.is_some_and(|video| audio - video <= MAX_SKEW.ticks() / 90);
        let patience = match (self.frames.is_holding(), come) {
            (true, _) => HOLD_BEHIND,
            (false, true) => MAX_BLIND,
            (false, false) => MAX_SKEW,
        };
        if now.minus(shown) <= patience {
            return None;
        }
        match self.frames.hold(now.minus(HOLD_BEHIND))? {
            Outcome::Unfit => Some(Self::unfit(Unfit("its pictures have stopped"))),
            _ => Some(Stop(EndReason::Aborted, Closing::Never, Drain::No)),
        }
    }

    /// The source's packets are no rendition: nothing of the open segment is handed out, it is made anew without them.
    fn unfit(Unfit(why): Unfit) -> Stop {
        Stop(EndReason::NotCopyable { why }, Closing::Never, Drain::No)
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
