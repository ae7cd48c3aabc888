//! Keeps the source's [`Problems`] true: each is there while its signs are, and for some seconds of media behind them.

use crate::media::problem::{Problem, Problems};

/// Milliseconds of media for which a sign is remembered: a person sees a problem, and it does not flicker.
const REMEMBERED_MILLIS: i64 = 10_000;
/// Packets of sound in a row that cannot be decoded: a second.
const MAX_DEAF: u32 = 47;

/// Signs of problems, by when they were seen last.
pub(super) struct Noted {
    problems: Problems,
    seen: [(Problem, Option<i64>); 3],
    /// Packets of sound in a row that could not be decoded.
    deaf: u32,
}

impl Noted {
    pub(super) fn new(problems: Problems) -> Self {
        let seen = [Problem::PictureTimes, Problem::Damaged, Problem::Interlaced].map(|one| (one, None));
        Self { problems, seen, deaf: 0 }
    }

    pub(super) fn times_damaged(&mut self, millis: i64) {
        self.sign(Problem::PictureTimes, millis);
    }

    pub(super) fn damaged(&mut self, millis: i64) {
        self.sign(Problem::Damaged, millis);
    }

    pub(super) fn interlaced(&mut self, millis: i64) {
        self.sign(Problem::Interlaced, millis);
    }

    /// A picture is shown.
    pub(super) fn shown(&self) {
        self.problems.set(Problem::NoPictures, false);
        self.problems.set(Problem::PicturesUndecodable, false);
    }

    /// No picture is there to be shown; `come`: packets of some are.
    pub(super) fn no_pictures(&self, come: bool) {
        self.problems.set(Problem::NoPictures, !come);
        self.problems.set(Problem::PicturesUndecodable, come);
    }

    /// Whether sound is missing that pictures have waited for.
    pub(super) fn no_sound(&self, is_missing: bool) {
        self.problems.set(Problem::NoSound, is_missing);
    }

    /// A packet of sound was decoded, or could not be.
    pub(super) fn heard(&mut self, is_damaged: bool, millis: i64) {
        self.deaf = if is_damaged { self.deaf.saturating_add(1) } else { 0 };
        if is_damaged {
            self.damaged(millis);
        }
        self.problems.set(Problem::SoundUndecodable, self.deaf > MAX_DEAF);
    }

    /// There is no decoder for the sound.
    pub(super) fn cannot_hear(&self) {
        self.problems.set(Problem::SoundUndecodable, true);
    }

    fn sign(&mut self, problem: Problem, millis: i64) {
        if let Some((_, last)) = self.seen.iter_mut().find(|(one, _)| *one == problem) {
            *last = Some(millis);
            self.problems.set(problem, true);
        }
    }

    /// Forgets what is long past.
    pub(super) fn forget(&mut self, millis: i64) {
        for (problem, last) in &mut self.seen {
            if last.is_none_or(|last| millis - last > REMEMBERED_MILLIS) {
                *last = None;
                self.problems.set(*problem, false);
            }
        }
    }
}
