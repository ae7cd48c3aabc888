//! A live window that slides, as viewers see it who reload it now and then: numbers never run backwards, and every
//! segment keeps its media sequence and its discontinuity sequence for as long as it is listed.

#![allow(clippy::unwrap_used)] // helpers of tests are tests

use std::collections::HashMap;

use crate::common::{live, segment};
use headwater_hls::{MediaPlaylist, PlaylistType, Window};
use proptest::collection::vec;
use proptest::prelude::*;

/// Per segment URI: (media sequence number, discontinuity sequence number), by a parser that is not ours.
fn numbered(text: &str) -> Vec<(String, (u64, u64))> {
    let (_, read) = m3u8_rs::parse_media_playlist(text.as_bytes()).unwrap();
    let mut breaks = read.discontinuity_sequence;
    let number = |(n, s): (usize, m3u8_rs::MediaSegment)| {
        breaks += u64::from(s.discontinuity);
        (s.uri, (read.media_sequence + n as u64, breaks))
    };
    read.segments.into_iter().enumerate().map(number).collect()
}

proptest! {
    #[test]
    fn every_segment_keeps_its_numbers_while_the_window_slides(
        breaks in vec(prop::bool::weighted(0.3), 1..80),
        steps in vec(1..9_usize, 1..40),
        size in 1..12_usize,
    ) {
        let mut window = live(0, vec![]);
        let mut coming = breaks.iter().zip(0..).map(|(&b, n)| segment(n).after_break(b)).peekable();
        let mut seen: HashMap<String, (u64, u64)> = HashMap::new();
        let mut last = (0, 0);
        for step in steps {
            if coming.peek().is_none() { break; }
            window.segments.extend(coming.by_ref().take(step));
            window.keep_newest(size);

            prop_assert!(window.segments.len() <= size);
            prop_assert!((window.media_sequence, window.discontinuity_sequence) >= last);
            let removed = breaks[..window.media_sequence as usize].iter().filter(|&&b| b).count();
            prop_assert_eq!(window.discontinuity_sequence, removed as u64);
            last = (window.media_sequence, window.discontinuity_sequence);
            for (uri, numbers) in numbered(&MediaPlaylist::new(window.clone()).unwrap().render()) {
                prop_assert_eq!(*seen.entry(uri).or_insert(numbers), numbers);
            }
        }
    }
}

#[test]
fn events_and_recordings_lose_nothing() {
    for playlist_type in [PlaylistType::Event, PlaylistType::Vod] {
        let mut window = Window { playlist_type, ended: true, ..live(0, (0..9).map(segment).collect()) };
        let before = window.clone();
        window.keep_newest(3);
        assert_eq!(window, before);
    }
}
