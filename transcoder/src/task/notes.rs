//! What is wrong with a source that is read all the same, for as long as it is, in sentences for people.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

/// A run that failed, and media that was lost, are told of for so long: a person looks every now and then.
const REMEMBERED: Duration = Duration::from_secs(60);
/// Longest text, bytes: a sentence or two for each.
const MAX_TEXT: usize = 1_000;

/// What a sentence is about; the worst is told first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum About {
    /// A run broke off because of it.
    Failure,
    /// Media was dropped before it was read.
    Loss,
    /// A track cannot be used, or only in part.
    Tracks,
    /// A place to begin at is missing.
    KeyFrames,
}

impl About {
    /// Whether it is over by itself after a while: nobody will say so.
    fn passes(self) -> bool {
        matches!(self, Self::Failure | Self::Loss)
    }
}

/// What is wrong just now.
#[derive(Debug, Default)]
pub(super) struct Notes(BTreeMap<About, (String, Instant)>);

impl Notes {
    /// Something is wrong, or no longer; whether that is news.
    pub(super) fn set(&mut self, about: About, text: Option<String>) -> bool {
        let before = match text.clone() {
            Some(text) => self.0.insert(about, (text, Instant::now())),
            None => self.0.remove(&about),
        };
        before.map(|(text, _)| text) != text
    }

    /// The source has ended, or another is read: what was wrong with it just now is over. What has happened is remembered.
    pub(super) fn source_is_over(&mut self) {
        self.0.retain(|about, _| about.passes());
    }

    /// What has happened is told in another way, or was with somebody else's source.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// All of it, behind `first`.
    pub(super) fn told(&mut self, first: Option<&str>) -> Option<String> {
        self.0.retain(|about, (_, since)| !about.passes() || since.elapsed() < REMEMBERED);
        let notes = self.0.values().map(|(text, _)| text.as_str());
        let mut sentences: Vec<&str> = first.into_iter().chain(notes).collect();
        sentences.dedup();
        let mut told = sentences.join("; ");
        told.truncate(told.floor_char_boundary(MAX_TEXT));
        (!told.is_empty()).then_some(told)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn each_note_is_reported_until_it_is_over() {
        let mut notes = Notes::default();
        assert_eq!(notes.told(None), None);
        notes.set(About::KeyFrames, Some("no key frame".into()));
        notes.set(About::Loss, Some("7 lost".into()));
        assert_eq!(notes.told(Some("out of reach")).unwrap(), "out of reach; 7 lost; no key frame");
        tokio::time::advance(REMEMBERED).await;
        assert_eq!(notes.told(None).unwrap(), "no key frame", "a loss is history");
        notes.set(About::KeyFrames, None);
        assert_eq!(notes.told(None), None);
        notes.set(About::Failure, Some("it broke".into()));
        assert_eq!(notes.told(Some("it broke")).unwrap(), "it broke", "once");
        notes.clear();
        assert_eq!(notes.told(None), None);
        notes.set(About::Failure, Some("ä".repeat(MAX_TEXT)));
        assert!(notes.told(None).unwrap().len() <= MAX_TEXT);
    }
}
