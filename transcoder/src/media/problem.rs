//! What is wrong with a source for as long as it is, in sentences for the person at the encoder. The engine writes,
//! whoever reports a run's health reads.

use std::collections::BTreeSet;
use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};

/// What can be wrong, the worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Problem {
    /// Pictures come, but none can be decoded.
    PicturesUndecodable,
    /// Pictures have stopped, sound goes on.
    NoPictures,
    /// Sound comes, but none can be decoded.
    SoundUndecodable,
    /// Sound has stopped, pictures go on.
    NoSound,
    /// Pictures claim times that cannot be.
    PictureTimes,
    /// Some packets are damaged.
    Damaged,
    /// Pictures are made of two fields.
    Interlaced,
}

impl Problem {
    /// What is wrong, what viewers notice, and what to do.
    #[must_use]
    pub fn sentence(self) -> &'static str {
        match self {
            Self::PicturesUndecodable => {
                "no picture can be decoded, only sound is broadcast or the last picture is shown: restart the encoder's \
                 output, and set its keyframe interval to 2 s"
            }
            Self::NoPictures => {
                "the encoder sends sound but no pictures, the last picture is shown: check the camera or the scene"
            }
            Self::SoundUndecodable => {
                "the sound cannot be decoded, viewers hear silence: set the encoder's audio to AAC-LC at 48 kHz, stereo"
            }
            Self::NoSound => {
                "the encoder sends pictures but no sound, viewers hear silence: check the microphone or the mixer"
            }
            Self::PictureTimes => {
                "the pictures' timestamps are damaged, pictures are shown when they come: update the encoder, or turn its \
                 B-frames off"
            }
            Self::Damaged => {
                "some pictures or sounds arrive damaged and are left out: check the encoder and what feeds it"
            }
            Self::Interlaced => {
                "the pictures are interlaced, each is deinterlaced and encoded anew: set the camera or the encoder to \
                 progressive for full quality"
            }
        }
    }
}

/// What is wrong just now; clones share it.
#[derive(Clone, Debug, Default)]
pub struct Problems(Arc<Mutex<BTreeSet<Problem>>>);

impl Problems {
    /// Something is wrong, or no longer.
    pub fn set(&self, problem: Problem, is_there: bool) {
        let mut problems = self.lock();
        if is_there {
            if problems.insert(problem) {
                tracing::warn!(?problem, "the source has a problem: {}", problem.sentence());
            }
        } else if problems.remove(&problem) {
            tracing::info!(?problem, "the source's problem is over");
        }
    }

    /// The worst of what is wrong.
    #[must_use]
    pub fn worst(&self) -> Option<Problem> {
        self.lock().first().copied()
    }

    /// Whatever was wrong is over: another source is read.
    pub fn clear(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> MutexGuard<'_, BTreeSet<Problem>> {
        self.0.lock()
    }
}
