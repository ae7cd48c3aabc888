//! Which rendition a playlist is asked for. `headwater_domain::timeline` says what stands in for it where it is not made.
//!
//! A name in a URL is anybody's to invent, and each invented one passes the edge's cache. So it is looked for at both ends
//! of the timeline, two small reads at most, before anything longer is read.

use std::collections::VecDeque;
use std::sync::Arc;

use headwater_domain::BroadcastId;
use headwater_domain::ports::ReadTimeline;
use headwater_domain::timeline::{Entry, Wanted};
use parking_lot::{Mutex, MutexGuard};

use super::PlaylistFunction;
use crate::reply::Problem;

/// Entries at either end of a timeline in which a name is looked for. Of fewer a lost rung or a silent moment would hide
/// what a viewer has loaded; more would be no small read.
pub(super) const AT_EITHER_END: usize = 8;
/// Broadcasts whose names an instance remembers: it serves few at a time, and a forgotten one costs one small read.
const MAX_BROADCASTS: usize = 64;
/// Names of a broadcast that are remembered; a ladder has six, and a source may change its size.
const MAX_NAMES: usize = 32;

/// Names of the broadcasts that an instance has served of late, so that their playlists cost no look at the names.
#[derive(Debug, Clone, Default)]
pub struct KnownRenditions(Arc<Mutex<Known>>);

/// By broadcast, the one that was asked for last at the end.
type Known = VecDeque<(BroadcastId, Vec<Wanted>)>;

impl KnownRenditions {
    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock()
    }

    fn get(&self, broadcast: &BroadcastId, name: &str) -> Option<Wanted> {
        let known = self.lock();
        let (_, wanted) = known.iter().find(|(of, _)| of == broadcast)?;
        wanted.iter().find(|wanted| wanted.name() == name).cloned()
    }

    fn learn(&self, broadcast: &BroadcastId, entries: &[Entry]) {
        let mut known = self.lock();
        let before = known.iter().position(|(of, _)| of == broadcast).and_then(|index| known.remove(index));
        let (_, mut wanted) = before.unwrap_or_else(|| (broadcast.clone(), Vec::new()));
        for rendition in entries.iter().flat_map(|entry| &entry.renditions) {
            if wanted.len() < MAX_NAMES && !wanted.iter().any(|one| one.name() == rendition.name) {
                wanted.push(Wanted::of(rendition));
            }
        }
        known.push_back((broadcast.clone(), wanted));
        if known.len() > MAX_BROADCASTS {
            known.pop_front();
        }
    }
}

/// What is known of a name.
pub(super) enum Name {
    /// It is one of the broadcast's.
    Known(Wanted),
    /// The broadcast has renditions, and this is none of them.
    Unknown,
    /// Nothing of the broadcast is there.
    NothingYet,
}

impl<T: ReadTimeline, P> PlaylistFunction<T, P> {
    /// Whether a broadcast has a rendition of this name, by two small reads at most.
    pub(super) async fn look_up(&self, broadcast: &BroadcastId, name: &str) -> Result<Name, Problem> {
        if let Some(wanted) = self.renditions.get(broadcast, name) {
            return Ok(Name::Known(wanted));
        }
        let newest = self.table.newest(broadcast, AT_EITHER_END).await?;
        if newest.is_empty() {
            return Ok(Name::NothingYet);
        }
        self.renditions.learn(broadcast, &newest);
        if newest.len() == AT_EITHER_END && self.renditions.get(broadcast, name).is_none() {
            let oldest = self.table.oldest(broadcast, AT_EITHER_END).await?;
            self.renditions.learn(broadcast, &oldest);
        }
        Ok(self.renditions.get(broadcast, name).map_or(Name::Unknown, Name::Known))
    }
}

#[cfg(test)]
mod tests {
    use headwater_domain::testing::samples;
    use headwater_domain::timeline::EntryRendition;

    use super::*;

    #[test]
    fn an_instance_remembers_a_bounded_number_of_names() {
        let known = KnownRenditions::default();
        let broadcast = |number| BroadcastId::new(&samples::stream_id(), number, 1);
        for number in 0..500 {
            known.learn(&broadcast(number), &[samples::entry(1, 0)]);
        }
        let mut many = samples::entry(1, 0);
        let one = many.renditions[0].clone();
        many.renditions =
            (0..100).map(|number| EntryRendition { name: format!("{number}p"), ..one.clone() }).collect();
        known.learn(&broadcast(499), &[many]);
        let kept = known.lock();
        assert_eq!(kept.len(), MAX_BROADCASTS);
        assert!(kept.iter().all(|(_, names)| names.len() <= MAX_NAMES));
        assert_eq!(kept.back().unwrap().0, broadcast(499));
    }
}
