//! Starts the renditions' threads as a chain from large to small and joins them.

use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::{Builder, Scope, ScopedJoinHandle};

use super::encode::{Job, RungEncoder, RungError, RungPlan};
use super::x264::{Colour, Encoding};
use crate::media::Effort;
use crate::media::error::MediaError;
use crate::media::package::assemble::Piece;
use crate::media::plan::ladder::Sized;
use crate::media::settings::EngineSettings;
use crate::media::stages::Stages;
use crate::media::stats::Counters;

/// Pictures that may wait before a rung: enough to ride over a key frame, 3 MiB of 1080p each.
const MAX_WAITING: usize = 8;

/// The renditions, as those see them who send pictures.
pub(crate) struct Chain {
    /// Where pictures go, if any rendition is encoded.
    pub(crate) first: Option<SyncSender<Job>>,
    /// Some have half the frames.
    pub(crate) halves: bool,
    /// Some have B-frames.
    pub(crate) reorders: bool,
}

/// The threads of one run.
pub(crate) struct Rungs<'scope, 'env> {
    scope: &'scope Scope<'scope, 'env>,
    settings: &'env EngineSettings,
    counters: &'env Counters,
    stages: &'env Stages,
    out: SyncSender<Piece>,
    handles: Vec<ScopedJoinHandle<'scope, Result<(), RungError>>>,
}

impl<'scope, 'env> Rungs<'scope, 'env> {
    pub(crate) fn new(
        scope: &'scope Scope<'scope, 'env>,
        settings: &'env EngineSettings,
        counters: &'env Counters,
        stages: &'env Stages,
        out: SyncSender<Piece>,
    ) -> Self {
        Self { scope, settings, counters, stages, out, handles: Vec::new() }
    }

    /// How many encoded renditions there are.
    pub(crate) fn count(&self) -> usize {
        self.handles.len()
    }

    /// How many of them are made at this effort.
    pub(crate) fn made(&self, effort: Effort) -> usize {
        self.count() - usize::from(effort.dropped).min(self.count().saturating_sub(1))
    }

    /// Starts a thread a rendition, whose pieces are numbered from `first` on; returns where the source's pictures go.
    pub(crate) fn start(
        &mut self,
        renditions: Vec<Sized>,
        first: usize,
        source: (u32, u32),
        frame_rate: f64,
        colour: Colour,
    ) -> Result<Chain, MediaError> {
        let (mut halves, mut reorders) = (false, false);
        let last = renditions.len().saturating_sub(1);
        let mut below = None;
        for (place, sized) in renditions.into_iter().enumerate().rev() {
            let (jobs, work) = sync_channel(MAX_WAITING);
            let scaled = source != (sized.width, sized.height);
            let frame_rate = if sized.halved { frame_rate / 2.0 } else { frame_rate };
            let plan = RungPlan {
                index: first + place,
                // The last one is made whatever happens.
                droppable: (place < last).then_some(place),
                encoding: Encoding {
                    sized,
                    frame_rate,
                    colour,
                    low_latency: self.settings.part_duration.is_some(),
                    scaled,
                    fast: false,
                },
                segment_duration: self.settings.segment_duration,
            };
            halves |= plan.encoding.sized.halved;
            reorders |= plan.encoding.b_frames() > 0;
            let (out, counters, stages, next) = (self.out.clone(), self.counters, self.stages, below.take());
            let name = format!("rung-{}", plan.encoding.sized.rung.name);
            let handle = Builder::new()
                .name(name)
                .spawn_scoped(self.scope, move || {
                    RungEncoder::new(plan, next, out, counters, stages)?.work(work)
                })
                .map_err(MediaError::Thread)?;
            self.handles.push(handle);
            below = Some(jobs);
        }
        Ok(Chain { first: below, halves, reorders })
    }

    /// Waits for all; the first failure wins. Whoever holds the sender of `start` must have dropped it.
    pub(crate) fn join(self) -> Result<(), MediaError> {
        let mut result = Ok(());
        for handle in self.handles {
            let ended = match handle.join() {
                Ok(Ok(()) | Err(RungError::Disconnected)) => Ok(()),
                Ok(Err(RungError::Media(error))) => Err(error),
                Err(_) => Err(MediaError::Panicked { thread: "rendition" }),
            };
            result = result.and(ended);
        }
        result
    }
}
