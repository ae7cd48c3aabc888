//! Which rendition of an entry is shown as the one that a viewer asks for.
//!
//! Players read a multivariant playlist once. A rendition that they know must go on whatever the source does, so where a
//! segment does not have it, the nearest one of its kind is shown in its place, under its own EXT-X-MAP: a source that
//! changed its size, a rung that a busy machine leaves out. Only where there is none of its kind is a gap.

use super::{Entry, EntryRendition, TrackKind};
use crate::time::Span;

/// The best pictures, whatever they are called: for recordings that have some at neither end.
pub const PICTURES: &str = "video";
/// The sound, by the name that it always has.
pub const SOUND: &str = "audio";

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
pub struct Wanted {
    name: String,
    kind: Kind,
}

impl Wanted {
    /// One that an entry has.
    pub fn of(rendition: &EntryRendition) -> Self {
        Self { name: rendition.name.clone(), kind: Kind::of(rendition) }
    }

    /// One of the two names that every recording may have.
    pub fn fixed(name: &str) -> Option<Self> {
        let kind = match name {
            PICTURES => Kind::Video(u32::MAX),
            SOUND => Kind::Audio,
            _ => return None,
        };
        Some(Self { name: name.to_owned(), kind })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What of `entry` is shown as it: itself, else the nearest of its kind, the larger of two.
    pub fn found<'a>(&self, entry: &'a Entry) -> Option<&'a EntryRendition> {
        let own = || entry.rendition(&self.name);
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

impl Entry {
    /// The rendition of this very name, if it is in this segment.
    pub fn rendition(&self, name: &str) -> Option<&EntryRendition> {
        self.renditions.iter().find(|one| one.name == name)
    }

    /// Whether the initialization sections that it names are stored: that of a gap may be missing as well.
    pub fn has_init(&self) -> bool {
        if self.open { self.parts.iter().any(|part| !part.gap) } else { !self.gap }
    }
}

impl TrackKind {
    /// Whether it is sound.
    pub fn is_audio(&self) -> bool {
        matches!(self, Self::Audio { .. })
    }
}

/// The stretch that counts for a rendition of this kind.
pub fn span_for(kind: Option<&TrackKind>, video: Option<Span>, audio: Option<Span>) -> Option<Span> {
    let own = match kind {
        Some(TrackKind::Audio { .. }) => audio,
        Some(TrackKind::Video { .. }) => video,
        None => None,
    };
    own.or(video).or(audio)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::samples;

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
}
