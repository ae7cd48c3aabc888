//! Which rendition a playlist is asked for, and what stands in for it where it is not made.
//!
//! Players read a multivariant playlist once. A rendition that they know must go on whatever the source does, so where a
//! segment does not have it, the nearest one of its kind is shown in its place, under its own EXT-X-MAP: a source that
//! changed its size, a rung that a busy machine leaves out. Only where there is none of its kind is a gap.
//!
//! A name in a URL is anybody's to invent, and each invented one passes the edge's cache. So it is looked for at both ends
//! of the timeline, two small reads at most, before anything longer is read.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use headwater_domain::BroadcastId;
use headwater_domain::ports::ReadTimeline;
use headwater_domain::timeline::{Entry, EntryRendition, TrackKind};

use super::PlaylistFunction;
use crate::reply::Problem;

/// Entries at either end of a timeline in which a name is looked for. Of fewer a lost rung or a silent moment would hide
/// what a viewer has loaded; more would be no small read.
pub(super) const AT_EITHER_END: usize = 8;
/// The best pictures, whatever they are called: for recordings that have some at neither end.
pub(super) const PICTURES: &str = "video";
/// The sound, by the name that it always has.
pub(super) const SOUND: &str = "audio";
/// Broadcasts whose names an instance remembers: it serves few at a time, and a forgotten one costs one small read.
const MAX_BROADCASTS: usize = 64;
/// Names of a broadcast that are remembered; a ladder has six, and a source may change its size.
const MAX_NAMES: usize = 32;

/// What a rendition is, as far as standing in for it goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Pictures of about so many lines.
    Video(u32),
    Audio,
}

impl Kind {
    fn of(rendition: &EntryRendition) -> Self {
        match rendition.kind {
            TrackKind::Audio { .. } => Self::Audio,
            TrackKind::Video { height, .. } => Self::Video(lines(&rendition.name).unwrap_or(height)),
        }
    }
}

/// `720p60` → 720: what a rung is named by stays, whatever shape its pictures have.
fn lines(name: &str) -> Option<u32> {
    name.split_once('p')?.0.parse().ok()
}

/// A rendition that a viewer asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wanted {
    name: String,
    kind: Kind,
}

impl Wanted {
    /// One that an entry has.
    pub(super) fn of(rendition: &EntryRendition) -> Self {
        Self { name: rendition.name.clone(), kind: Kind::of(rendition) }
    }

    /// One of the two names that every recording may have.
    pub(super) fn fixed(name: &str) -> Option<Self> {
        let kind = match name {
            PICTURES => Kind::Video(u32::MAX),
            SOUND => Kind::Audio,
            _ => return None,
        };
        Some(Self { name: name.to_owned(), kind })
    }

    /// Its name.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// What of `entry` is shown as it: itself, else the nearest of its kind, the larger of two.
    pub(super) fn found<'a>(&self, entry: &'a Entry) -> Option<&'a EntryRendition> {
        let own = || named(entry, &self.name);
        own().or_else(|| match self.kind {
            Kind::Audio => entry.renditions.iter().find(|one| Kind::of(one) == Kind::Audio),
            Kind::Video(wanted) => {
                let pictures = entry.renditions.iter().filter_map(|one| match Kind::of(one) {
                    Kind::Video(lines) => Some((lines, one)),
                    Kind::Audio => None,
                });
                let nearest =
                    pictures.min_by_key(|(lines, _)| (lines.abs_diff(wanted), std::cmp::Reverse(*lines)));
                nearest.map(|(_, one)| one)
            }
        })
    }
}

/// The rendition of this very name, if it is in this segment.
pub(super) fn named<'a>(entry: &'a Entry, name: &str) -> Option<&'a EntryRendition> {
    entry.renditions.iter().find(|one| one.name == name)
}

/// Names of the broadcasts that an instance has served of late, so that their playlists cost no look at the names.
#[derive(Debug, Clone, Default)]
pub struct KnownRenditions(Arc<Mutex<Known>>);

/// By broadcast, the one that was asked for last at the end.
type Known = VecDeque<(BroadcastId, Vec<Wanted>)>;

impl KnownRenditions {
    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn get(&self, broadcast: &BroadcastId, name: &str) -> Option<Wanted> {
        let known = self.lock();
        let (_, wanted) = known.iter().find(|(of, _)| of == broadcast)?;
        wanted.iter().find(|wanted| wanted.name == name).cloned()
    }

    fn learn(&self, broadcast: &BroadcastId, entries: &[Entry]) {
        let mut known = self.lock();
        let before = known.iter().position(|(of, _)| of == broadcast).and_then(|index| known.remove(index));
        let (_, mut wanted) = before.unwrap_or_else(|| (broadcast.clone(), Vec::new()));
        for rendition in entries.iter().flat_map(|entry| &entry.renditions) {
            if wanted.len() < MAX_NAMES && !wanted.iter().any(|one| one.name == rendition.name) {
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

    use super::*;

    fn entry(names: &[&str]) -> Entry {
        let mut entry = samples::entry(1, 0);
        let (video, audio) = (entry.renditions[0].clone(), entry.renditions[1].clone());
        let make = |name: &&str| match lines(name) {
            Some(height) => EntryRendition {
                name: (*name).to_owned(),
                kind: TrackKind::Video { width: height * 16 / 9, height, millifps: 25_000 },
                ..video.clone()
            },
            None => EntryRendition { name: (*name).to_owned(), ..audio.clone() },
        };
        entry.renditions = names.iter().map(make).collect();
        entry
    }

    fn shown(wanted: &str, names: &[&str]) -> Option<String> {
        let wanted = Wanted::fixed(wanted).unwrap_or_else(|| Wanted::of(&entry(&[wanted]).renditions[0]));
        wanted.found(&entry(names)).map(|one| one.name.clone())
    }

    #[test]
    fn the_nearest_of_its_kind_stands_in() {
        let some = |name: &str| Some(name.to_owned());
        for (wanted, there, seen) in [
            ("360p", ["720p", "360p", "audio"].as_slice(), some("360p")),
            ("360p", &["288p", "180p", "audio"], some("288p")),
            ("360p", &["480p", "240p", "audio"], some("480p")),
            ("1080p60", &["360p", "720p60"], some("720p60")),
            ("video", &["audio", "360p", "720p"], some("720p")),
            ("audio", &["720p"], None),
            ("720p", &["audio"], None),
            ("audio", &["720p", "audio"], some("audio")),
        ] {
            assert_eq!(shown(wanted, there), seen, "{wanted} of {there:?}");
        }
    }

    #[test]
    fn an_instance_remembers_a_bounded_number_of_names() {
        let known = KnownRenditions::default();
        let broadcast = |number| BroadcastId::new(&samples::stream_id(), number, 1);
        for number in 0..500 {
            known.learn(&broadcast(number), &[samples::entry(1, 0)]);
        }
        let names: Vec<_> = (0..100).map(|number| format!("{number}p")).collect();
        known.learn(&broadcast(499), &[entry(&names.iter().map(String::as_str).collect::<Vec<_>>())]);
        let kept = known.lock();
        assert_eq!(kept.len(), MAX_BROADCASTS);
        assert!(kept.iter().all(|(_, names)| names.len() <= MAX_NAMES));
        assert_eq!(kept.back().unwrap().0, broadcast(499));
    }
}
