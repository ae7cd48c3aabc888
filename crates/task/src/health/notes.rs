//! What is wrong just now, in sentences for people: each for as long as it is, or a while beyond.

use std::collections::BTreeMap;
use std::time::Duration;

/// A run that failed, media that was lost and copies that were not made are told of for so long: a person looks every now
/// and then.
const REMEMBERED: Duration = Duration::from_secs(60);
/// Longest text, bytes: a sentence or two for each.
const MAX_TEXT: usize = 1_000;

/// What a sentence is about; the worst is told first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum About {
    /// The source is out of reach, or of no use.
    Source,
    /// This region's bucket fails, or is slow.
    OwnBucket,
    /// The mirror bucket does, so that media has no copy.
    Mirror,
    /// A run broke off because of it.
    Failure,
    /// Media was dropped before it was read.
    Loss,
    /// A track cannot be used, or only in part.
    Tracks,
    /// A place to begin at is missing.
    KeyFrames,
    /// What the engine finds wrong with what it reads.
    Media,
}

impl About {
    /// Whether it is over by itself after a while: nobody will say so.
    fn passes(self) -> bool {
        matches!(self, Self::Mirror | Self::Failure | Self::Loss)
    }

    /// Whether it is about what is stored, whoever's source it is of.
    fn is_of_buckets(self) -> bool {
        matches!(self, Self::OwnBucket | Self::Mirror)
    }
}

/// What is wrong just now, and since when it was last said.
#[derive(Debug, Clone, Default)]
pub(super) struct Notes(BTreeMap<About, (String, Duration)>);

impl Notes {
    /// Something is wrong, or no longer; whether that is news.
    pub(super) fn set(&mut self, now: Duration, about: About, text: Option<String>) -> bool {
        let before = match text.clone() {
            Some(text) => self.0.insert(about, (text, now)),
            None => self.0.remove(&about),
        };
        before.map(|(text, _)| text) != text
    }

    /// The source has ended or is out of reach: what was wrong with it just now is over. What has happened is remembered.
    pub(super) fn source_is_over(&mut self) {
        self.0.retain(|about, _| about.passes() || about.is_of_buckets() || *about == About::Source);
    }

    /// What has happened is told in another way, or was with somebody else's source.
    pub(super) fn forget_source(&mut self) {
        self.0.retain(|about, _| about.is_of_buckets());
    }

    /// What is wrong with what the encoder sends, and nothing else: what viewers notice first.
    pub(super) fn of_the_source(&self) -> Option<&str> {
        let said = [About::Media, About::Tracks, About::KeyFrames].iter().find_map(|about| self.0.get(about));
        said.map(|(text, _)| text.as_str())
    }

    /// All of it.
    pub(super) fn told(&mut self, now: Duration) -> Option<String> {
        self.0.retain(|about, (_, since)| !about.passes() || now.saturating_sub(*since) < REMEMBERED);
        let mut sentences: Vec<&str> = self.0.values().map(|(text, _)| text.as_str()).collect();
        sentences.dedup();
        let mut told = sentences.join("; ");
        told.truncate(told.floor_char_boundary(MAX_TEXT));
        (!told.is_empty()).then_some(told)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_note_is_reported_until_it_is_over() {
        let (mut notes, begun) = (Notes::default(), Duration::from_secs(7));
        let set =
            |notes: &mut Notes, about, text: Option<&str>| notes.set(begun, about, text.map(str::to_owned));
        assert_eq!(notes.told(begun), None);
        assert!(set(&mut notes, About::KeyFrames, Some("no key frame")));
        assert!(!set(&mut notes, About::KeyFrames, Some("no key frame")), "no news");
        set(&mut notes, About::Loss, Some("7 lost"));
        set(&mut notes, About::Source, Some("out of reach"));
        assert_eq!(notes.told(begun).unwrap(), "out of reach; 7 lost; no key frame");
        let later = begun + REMEMBERED;
        assert_eq!(notes.told(later).unwrap(), "out of reach; no key frame", "a loss is history");
        assert!(set(&mut notes, About::KeyFrames, None));
        assert!(!set(&mut notes, About::KeyFrames, None));
        set(&mut notes, About::Failure, Some("out of reach"));
        assert_eq!(notes.told(begun).unwrap(), "out of reach", "once");
        notes.forget_source();
        assert_eq!(notes.told(begun), None);
        notes.set(begun, About::Failure, Some("ä".repeat(MAX_TEXT)));
        assert!(notes.told(begun).unwrap().len() <= MAX_TEXT);
    }

    #[test]
    fn buckets_are_told_of_whatever_becomes_of_the_source() {
        let (mut notes, now) = (Notes::default(), Duration::ZERO);
        for about in [About::OwnBucket, About::Tracks, About::Media] {
            notes.set(now, about, Some(format!("{about:?}")));
        }
        notes.source_is_over();
        assert_eq!(notes.told(now).unwrap(), "OwnBucket");
        notes.forget_source();
        assert_eq!(notes.told(now).unwrap(), "OwnBucket");
    }
}
