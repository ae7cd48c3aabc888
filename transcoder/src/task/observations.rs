//! What the task's parts find wrong, until the task's decisions hear of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use headwater_task::About;
use parking_lot::{Mutex, MutexGuard};

/// What was noted since it was last [taken](Self::take), the newest of each kind. Clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct Observations(Arc<Mutex<BTreeMap<About, Option<String>>>>);

impl Observations {
    /// Something is wrong, or no longer.
    pub(super) fn note(&self, about: About, text: Option<String>) {
        self.lock().insert(about, text);
    }

    pub(super) fn take(&self) -> BTreeMap<About, Option<String>> {
        std::mem::take(&mut self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<About, Option<String>>> {
        self.0.lock()
    }
}
