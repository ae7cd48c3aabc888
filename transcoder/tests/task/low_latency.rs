//! Segments in parts: each is stored and told at once; a successor goes on behind what viewers have seen.

use std::collections::BTreeSet;

use headwater_domain::ports::{Bucket, ReadTimeline};
use headwater_domain::stream::{Latency, Passthrough};
use headwater_domain::timeline::Entry;
use headwater_transcoder::task::Exit;

use crate::hooks::Say;
use crate::server::Run;
use crate::stores::Fares;
use crate::support::{FRAMES, Rig, rig, session, source};

/// Parts of segments of two seconds.
const PARTS: usize = 4;

async fn low(copies: bool) -> Rig {
    let rig = rig(Say::Transcode(session(1))).await;
    rig.hooks.change_settings(|settings| {
        settings.latency = Latency::Low;
        settings.passthrough = if copies { Passthrough::Auto } else { Passthrough::AlwaysEncode };
    });
    rig
}

/// The objects of a segment's parts are there, and are its bytes.
fn parts_are_stored(rig: &Rig, entry: &Entry) {
    for rendition in &entry.renditions {
        let stored = |part| {
            let path = entry.part_path(&rendition.name, part);
            rig.buckets.get(Bucket::Own, &path).unwrap_or_else(|| panic!("{path} is not stored"))
        };
        let joined: Vec<u8> = (0..entry.parts.len()).flat_map(stored).collect();
        let whole = rig.buckets.get(Bucket::Own, &entry.media_path(&rendition.name));
        if entry.parts.iter().all(|part| part.lease.is_none()) {
            let whole = whole.map(|bytes| bytes.to_vec());
            assert!(whole == Some(joined), "{} {}", rendition.name, entry.number.0);
        }
    }
}

#[tokio::test]
async fn a_segment_is_told_part_by_part() {
    for copies in [false, true] {
        let rig = low(copies).await;
        rig.source.put(&session(1), vec![Run::of(source())], true);
        rig.read_out(rig.start(1), &session(1)).await.unwrap();
        let line = rig.line().await;
        rig.shows(&line, &[FRAMES]);
        assert!(line.iter().all(|entry| !entry.open));
        let parts: Vec<usize> = line.iter().map(|entry| entry.parts.len()).collect();
        assert!(parts[..parts.len() - 1].iter().all(|count| (3..=PARTS + 1).contains(count)), "{parts:?}");
        // One write a part, and one that closes it.
        assert_eq!(rig.timeline.log().len(), parts.iter().sum::<usize>() + line.len());
        line.iter().for_each(|entry| parts_are_stored(&rig, entry));
        assert!(line.iter().all(|entry| entry.parts[0].independent));
        assert_eq!(line[0].renditions.iter().any(|one| one.copied), copies);
        let mirrored = rig.buckets.tried(Bucket::Mirror);
        assert!(mirrored.iter().any(|path| path.contains("/media/")), "segments are mirrored");
        assert!(!mirrored.iter().any(|path| path.contains("/parts/")), "parts are not");
    }
}

#[tokio::test]
async fn a_successor_goes_on_behind_the_parts_that_viewers_have_seen() {
    let rig = low(false).await;
    // Two parts of the second segment.
    rig.source.put(&session(1), vec![Run::of(source()).until(3_300)], false);
    let first = rig.start(1);
    rig.timeline.committed(&first.lease, PARTS + 1 + 2).await;
    first.leave.cancel();
    assert_eq!(first.end().await.unwrap(), Exit::Left);
    let open = rig.timeline.table.newest(&rig.broadcast(), 1).await.unwrap().remove(0);
    assert!(open.open && open.parts.len() == 2);
    rig.source.release(&session(1));
    rig.read_out(rig.start(2), &session(1)).await.unwrap();
    let line = rig.line().await;
    rig.shows(&line, &[FRAMES]);
    assert!(line.iter().all(|entry| !entry.discontinuity));
    let remade = line.iter().find(|entry| entry.number == open.number).unwrap();
    assert_eq!(remade.lease.number.0, 2);
    for (before, after) in open.parts.iter().zip(&remade.parts) {
        assert_eq!((before.video, before.audio), (after.video, after.audio));
        assert_eq!(after.lease.as_ref(), Some(&open.lease), "whose bytes they are");
    }
    assert!(remade.parts[2].independent && remade.parts[2].lease.is_none());
    let own: BTreeSet<String> = rig.buckets.tried(Bucket::Own).into_iter().collect();
    assert!(
        own.contains(&remade.part_path("90p", 2))
            && remade.part_path("90p", 1).contains(&open.lease.to_string())
    );
    parts_are_stored(&rig, remade);
}

#[tokio::test]
async fn a_broken_connection_in_the_middle_of_a_segment_takes_no_part_back() {
    for copies in [false, true] {
        let rig = low(copies).await;
        rig.source.put(&session(1), vec![Run::of(source()).breaking(3_300)], true);
        rig.read_out(rig.start(1), &session(1)).await.unwrap();
        let line = rig.line().await;
        rig.shows(&line, &[FRAMES]);
        assert!(line.iter().all(|entry| !entry.discontinuity && !entry.open));
        assert_eq!(rig.source.reads().len(), 3, "broken off, the rest, its end");
        assert!(rig.timeline.log().iter().all(|(_, _, committed)| *committed));
    }
}

#[tokio::test]
async fn another_session_leaves_the_open_segment_as_it_is() {
    let rig = low(false).await;
    rig.source.put(&session(1), vec![Run::of(source()).until(3_300)], false);
    rig.source.put(&session(2), vec![Run::of(source()).started(2_000_000)], true);
    let running = rig.start(1);
    rig.timeline.committed(&running.lease, PARTS + 1 + 2).await;
    rig.hooks.say(Say::Transcode(session(2)));
    rig.read_out(running, &session(2)).await.unwrap();
    let line = rig.timeline.entries(&rig.broadcast()).await;
    assert_eq!(line.iter().filter(|entry| entry.discontinuity).count(), 1);
    let numbers: Vec<u64> = line.iter().map(|entry| entry.number.0).collect();
    assert_eq!(numbers, (0..numbers.len() as u64).collect::<Vec<_>>());
    // What was out stays as it was: never replaced by other media.
    for entry in line.iter().filter(|entry| entry.open) {
        assert!(line.iter().any(|next| next.number == entry.number.next() && next.discontinuity));
    }
}

#[tokio::test]
async fn a_part_that_cannot_be_stored_is_told_as_a_gap() {
    let rig = low(false).await;
    rig.source.put(&session(1), vec![Run::of(source())], true);
    rig.buckets.fare(Fares::PartsFail, Fares::Well);
    rig.read_out(rig.start(1), &session(1)).await.unwrap();
    let line = rig.line().await;
    rig.shows(&line, &[FRAMES]);
    assert!(line.iter().all(|entry| !entry.gap && entry.parts.iter().all(|part| part.gap)));
}
