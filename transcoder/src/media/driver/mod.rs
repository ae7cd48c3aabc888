//! The run's state machine: takes packets in order, decides which tracks there are, and closes segments when both
//! sides have what they need. Everything it waits for is bounded by media time, never by the clock.
//!
//! Its parts know the [`Run`] and those before them, and none knows the driver: [`Sound`] and [`Pictures`] take packets,
//! [`closing`] ends what is open, [`Output`] hands out what is whole. The driver says in which order.

mod audio_track;
mod clock;
mod closing;
mod governing;
mod noting;
mod output;
mod run;
mod sound_only;
mod stop;
mod tracks;
mod video_track;

use std::sync::mpsc::SyncSender;

use self::audio_track::Sound;
use self::clock::SourceClock;
use self::governing::Governing;
use self::noting::Noted;
use self::output::Output;
use self::run::{MAX_BLIND, MAX_SKEW, Run, Tracks};
use self::stop::{Closing, Drain, Flow, Stop};
use self::video_track::Pictures;
use super::error::MediaError;
use super::package::assemble::Piece;
use super::plan::governor::Pace;
use super::segment::EndReason;
use super::segmenter::frames::{Frames, Outcome};
use super::segmenter::ledger::Ledger;
use super::settings::EngineSettings;
use super::source::{Next, Source, SourceEnd, Track, Unit};
use super::stages::Stages;
use super::stats::{Counters, add};
use super::video::copy::Unfit;
use super::video::rungs::Rungs;
use super::{MediaTime, Placement, StartPoint};

/// While the last picture is shown on, it is up to so much before the newest sound: the next one must not come too late.
const HOLD_BEHIND: MediaTime = MediaTime::from_secs(1);
/// Media time by which a run that goes on with pictures may be moved, so that the first of them is shown.
const MAX_MOVE: MediaTime = MediaTime::from_millis(100);
/// Milliseconds of media after which a source of which nothing could be decoded is given up.
const MAX_UNDECODABLE_MILLIS: i64 = 20_000;

pub(super) struct Driver<'scope, 'env> {
    run: Run<'env>,
    pictures: Pictures<'scope, 'env>,
    sound: Sound<'env>,
    governing: Governing,
    output: Output,
    stages: &'env Stages,
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
            pictures: Pictures::new(Frames::new(settings, &start, counters), rungs),
            sound: Sound::new(settings, &start),
            governing: Governing::new(pace),
            output: Output(out),
            stages,
            run: Run {
                settings,
                counters,
                source,
                offset: match start.placement {
                    Placement::AlignFirst => None,
                    Placement::Offset(offset) => Some(offset),
                },
                tracks: Tracks::Undecided,
                clock: SourceClock::default(),
                noted: Noted::new(settings.problems.clone()),
                ledger: Ledger::new(first_cursor),
                go_on_at: None,
                start,
            },
        }
    }

    /// Works until the source ends or something ends the run.
    pub(super) fn drive(mut self) -> Result<Driven, MediaError> {
        let worked = self.work();
        self.stages.add("decode", self.pictures.decoding.spent());
        self.stages.add("audio", self.sound.decoding.spent());
        let moved = self.moved();
        let Self { pictures, run: Run { offset, go_on_at, .. }, .. } = self;
        // A rung's failure is the cause of ours.
        pictures.join()?;
        worked.map(|reason| Driven { reason, offset: moved.or(offset), is_moved: moved.is_some(), go_on_at })
    }

    /// The offset for the pictures that have ended a run of sound, if that is out to a little behind the first of them.
    fn moved(&self) -> Option<MediaTime> {
        let late = self.sound.cut.time().minus(self.pictures.appear_at?);
        (late > MediaTime::default() && late <= MAX_MOVE)
            .then(|| self.run.offset.unwrap_or_default().plus(late))
    }

    fn work(&mut self) -> Result<EndReason, MediaError> {
        let Stop(reason, closing, drain) = loop {
            self.governing.waits();
            let next = self.run.source.next(self.run.counters);
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
            self.run.go_on_at = Some(self.run.ledger.last().max(self.pictures.last_unjudged()));
        }
        if let Some(Stop(unfit @ EndReason::NotCopyable { .. }, ..)) =
            self.wind_up(&closing, drain == Drain::Yes)?
        {
            // What was not handed out is made once more.
            self.run.go_on_at = None;
            return Ok(unfit);
        }
        // Only now: decoders hold pictures back until they are drained.
        if matches!(reason, EndReason::Ended)
            && let Err(error) = self.run.check_decodable(self.sound.held() > 0)
        {
            return Ok(EndReason::Barren(error));
        }
        Ok(reason)
    }

    fn take(&mut self, unit: Unit) -> Flow {
        if !self.run.clock.follow(unit.track, unit.dts_millis) {
            self.run.go_on_at = Some(unit.cursor);
            return Ok(Some(Stop(EndReason::TimestampJump, Closing::Natural { tail: true }, Drain::Yes)));
        }
        self.govern(unit.dts_millis);
        self.note(unit.dts_millis);
        let stop = match unit.track {
            Track::Video => self.pictures.take(&mut self.run, &mut self.sound, unit)?,
            Track::Audio => self.take_audio(unit)?,
        };
        if stop.is_some() {
            return Ok(stop);
        }
        self.advance()
    }

    /// Tells the next segment how much work to do.
    fn govern(&mut self, dts_millis: i64) {
        self.governing.encoded(self.pictures.rungs.count());
        if let Some(effort) = self.governing.observe(dts_millis) {
            self.pictures.frames.effort = effort;
        }
    }

    /// Forgets problems that are long past, and sees what is missing.
    fn note(&mut self, dts_millis: i64) {
        let come = self.run.pictures_come();
        let noted = &mut self.run.noted;
        noted.forget(dts_millis);
        noted.no_sound(self.sound.silent);
        let Some(come) = come else { return };
        if self.pictures.frames.is_holding() || (self.run.tracks == Tracks::AudioOnly && come) {
            noted.no_pictures(come);
        }
    }

    fn take_audio(&mut self, unit: Unit) -> Flow {
        add(&self.run.counters.audio_packets, 1);
        self.run.ledger.saw(Track::Audio, unit.cursor, unit.pts_millis);
        if self.sound.is_deaf() {
            return Ok(None);
        }
        let stop = self.pictures.judge(&mut self.run, &mut self.sound, false)?;
        if stop.is_some() {
            return Ok(stop);
        }
        Ok(self.sound.take(&self.run, unit))
    }

    fn advance(&mut self) -> Flow {
        let Self { run, pictures, sound, output, .. } = self;
        if let stop @ Some(_) = pictures.release(run, sound)? {
            return Ok(stop);
        }
        if let stop @ Some(_) = hold(run, pictures) {
            return Ok(stop);
        }
        tracks::decide(run, &pictures.frames, sound);
        sound.hear(run)?;
        if run.tracks == Tracks::AudioOnly {
            sound.cut_alone(&mut pictures.frames.closed);
        }
        if let Some(stop) = output.hand_out(run, pictures, sound, true)? {
            return Ok(Some(stop));
        }
        if self.run.clock.seen() > MAX_UNDECODABLE_MILLIS {
            self.run.check_decodable(self.sound.held() > 0)?;
        }
        Ok(None)
    }

    /// Closes the open segment and hands out what is whole, unless that turns out not to be fit.
    fn wind_up(&mut self, closing: &Closing, drain: bool) -> Flow {
        let Self { run, pictures, sound, output, .. } = self;
        // Pictures that a run of sound has left out are not for its end either.
        if drain && run.tracks != Tracks::AudioOnly {
            // What they lead to no longer matters, unless it is that they must be made anew: the run ends.
            if let Some(unfit @ Stop(EndReason::NotCopyable { .. }, ..)) = pictures.judge(run, sound, true)? {
                return Ok(Some(unfit));
            }
            pictures.decode(run, sound, None)?;
        }
        tracks::decide_at_the_end(run, &pictures.frames, sound);
        sound.hear(run)?;
        if drain {
            sound.drain(run)?;
        }
        if let Some(stop) = closing::close(run, pictures, sound, closing)? {
            return Ok(Some(stop));
        }
        pictures.frames.end();
        output.hand_out(run, pictures, sound, false)
    }
}

/// Shows the last picture on while sound comes and no other picture does, or none that can be shown: a camera that
/// pauses, slides, packets that are all damaged.
fn hold(run: &Run<'_>, pictures: &mut Pictures<'_, '_>) -> Option<Stop> {
    if !matches!(run.tracks, Tracks::Undecided | Tracks::Both) {
        return None;
    }
    run.offset?;
    let (audio, shown) = (run.clock.audio?, pictures.frames.held_since()?);
    let now = run.place(audio);
    let patience = match (pictures.frames.is_holding(), run.pictures_come().unwrap_or(false)) {
        (true, _) => HOLD_BEHIND,
        (false, true) => MAX_BLIND,
        (false, false) => MAX_SKEW,
    };
    if now.minus(shown) <= patience {
        return None;
    }
    match pictures.frames.hold(now.minus(HOLD_BEHIND))? {
        Outcome::Unfit => Some(Stop::unfit(Unfit("its pictures have stopped"))),
        _ => Some(Stop::gone()),
    }
}
