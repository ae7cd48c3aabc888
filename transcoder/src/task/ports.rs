//! What a task stands on.

use std::sync::Arc;

use headwater_domain::ports::{Hooks, PutMedia, WriteTimeline};

/// The hooks, the timeline it may write, and the buckets it may put into. It can read none of them.
#[derive(Debug)]
pub struct Ports<H, T, M> {
    /// The control plane.
    pub hooks: Arc<H>,
    /// Its broadcast's timeline.
    pub timeline: Arc<T>,
    /// Media buckets.
    pub media: Arc<M>,
}

impl<H: Hooks + 'static, T: WriteTimeline + 'static, M: PutMedia + 'static> Clone for Ports<H, T, M> {
    fn clone(&self) -> Self {
        Self {
            hooks: Arc::clone(&self.hooks),
            timeline: Arc::clone(&self.timeline),
            media: Arc::clone(&self.media),
        }
    }
}
