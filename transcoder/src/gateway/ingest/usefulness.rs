//! Which tracks of a session can be used. A track of which nothing can be made for a while is told of, and the other goes
//! on alone; a session of which nothing can be made is to end.
//!
//! Pure.

use std::time::Duration;

use headwater_domain::Timestamp;
use headwater_rtmp::MediaKind;
use headwater_rtmp::normalize::Useless;

/// Messages without use in a row after which a track cannot be used. Encoders that start in the middle send a few; one that
/// sends a hundred will send nothing else.
const MAX_USELESS: u32 = 100;
/// The same in time, for tracks of few messages: people are to be told within ten seconds, and the word takes six.
const MAX_USELESS_TIME: Duration = Duration::from_secs(3);
/// A session of which nothing was of use for so long is to end if a track sends nothing of use.
const MAX_UNHEARD: Duration = Duration::from_secs(10);

/// Messages in a row of which nothing could be made.
#[derive(Debug, Clone, Copy)]
struct Row {
    count: u32,
    since: Timestamp,
    why: Useless,
    /// There were so many, or so long, that the track cannot be used.
    is_told: bool,
}

/// Judges which tracks of a session can be used.
#[derive(Debug, Default)]
pub(super) struct Usefulness {
    /// Audio, video.
    rows: [Option<Row>; 2],
    /// When something was of use.
    heard: Option<Timestamp>,
}

impl Usefulness {
    /// Something was made of a message; answers whether that changes [`problem`](Self::problem).
    pub(super) fn useful(&mut self, kind: MediaKind, now: Timestamp) -> bool {
        self.heard = Some(now);
        self.rows[kind as usize].take().is_some_and(|row| row.is_told)
    }

    /// Nothing can be made of a message; answers whether that changes [`problem`](Self::problem).
    pub(super) fn useless(&mut self, kind: MediaKind, why: Useless, now: Timestamp) -> bool {
        let row = self.rows[kind as usize].get_or_insert(Row { count: 0, since: now, why, is_told: false });
        row.count += 1;
        row.why = why;
        let is_over = row.count > MAX_USELESS || now.since(row.since) > MAX_USELESS_TIME;
        let is_news = is_over && !row.is_told;
        row.is_told = is_over;
        is_news
    }

    /// Which tracks cannot be used, and why: a sentence for people.
    pub(super) fn problem(&self) -> Option<String> {
        let told = |kind| self.rows[kind as usize].filter(|row| row.is_told).map(|row| row.why);
        let words = [(MediaKind::Video, "video"), (MediaKind::Audio, "audio")]
            .into_iter()
            .filter_map(|(kind, name)| told(kind).map(|why| format!("{name} cannot be used: {why}")));
        words
            .reduce(|one, other| format!("{one}; {other}"))
            .map(|words| format!("{words}; restart the encoder, or change its settings"))
    }

    /// Why nothing of the session can be used, after a hundred messages.
    pub(super) fn garbage(&self, now: Timestamp) -> Option<String> {
        let row = self.rows.iter().flatten().find(|row| row.count > MAX_USELESS)?;
        let is_heard = self.heard.is_some_and(|heard| now.since(heard) <= MAX_UNHEARD);
        (!is_heard).then(|| row.why.to_string())
    }
}

#[cfg(test)]
mod tests {
    use MediaKind::{Audio, Video};

    use super::*;

    const T0: Timestamp = Timestamp(1_000_000);

    fn at(millis: u64) -> Timestamp {
        Timestamp(T0.0 + millis)
    }

    #[test]
    fn each_track_is_counted_for_itself() {
        let mut usefulness = Usefulness::default();
        for n in 0..100 {
            usefulness.useful(Audio, at(n));
            assert!(!usefulness.useless(Video, Useless::NoVideoHeader, at(n)), "{n}");
        }
        assert_eq!(usefulness.problem(), None);
        assert!(usefulness.useless(Video, Useless::NoVideoHeader, at(100)));
        assert_eq!(
            usefulness.problem().unwrap(),
            "video cannot be used: its pictures come without a sequence header and without parameter sets; \
             restart the encoder, or change its settings"
        );
        assert!(!usefulness.useless(Video, Useless::NoVideoHeader, at(101)), "no news");
        assert_eq!(usefulness.garbage(at(101)), None, "the sound goes on");
        assert!(usefulness.useful(Video, at(102)));
        assert_eq!(usefulness.problem(), None);
    }

    #[test]
    fn a_track_of_few_messages_is_judged_by_time() {
        let mut usefulness = Usefulness::default();
        usefulness.useful(Video, at(0));
        let told = [0, 1_000, 2_000, 3_000, 3_100].map(|t| usefulness.useless(Audio, Useless::Adts, at(t)));
        assert_eq!(told, [false, false, false, false, true]);
        assert!(usefulness.problem().unwrap().contains("audio cannot be used: its ADTS frames"));
    }

    #[test]
    fn a_session_of_which_nothing_is_of_use_is_garbage() {
        let mut usefulness = Usefulness::default();
        for n in 0..=u64::from(MAX_USELESS) {
            assert_eq!(usefulness.garbage(at(n)), None);
            usefulness.useless(Video, Useless::NoPicture, at(n));
            if n % 2 == 0 {
                usefulness.useless(Audio, Useless::NoAudioHeader, at(n));
            }
        }
        assert_eq!(usefulness.garbage(at(101)).unwrap(), "its messages hold no pictures");
        usefulness.useful(Audio, at(102));
        assert_eq!(usefulness.garbage(at(10_102)), None);
        assert!(usefulness.garbage(at(10_103)).is_some(), "the sound has ended, too");
    }
}
