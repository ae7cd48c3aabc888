//! Reading again after a cursor, committing, and what happens when nobody commits.

use http::StatusCode;
use http_body_util::BodyExt;

use headwater_rtmp::MediaKind::Video;

use crate::hooks::Policy;
use crate::rtmp_client::{Publisher, picture};
use crate::support::*;

/// Ten GOPs of 6 messages: IDRs have cursors 1, 7, 13, … 55.
async fn ten_gops(rig: &Rig, size: u32) -> headwater_domain::SessionId {
    let mut publisher = Publisher::start(rig.gateway.rtmp_addr()).await;
    publisher.headers().await;
    publisher.gops(0, 10, size).await;
    publisher.finish().await;
    rig.hooks.unpublish(0).await.session.session
}

#[tokio::test]
async fn reading_resumes_at_the_last_idr_at_or_before_the_cursor() {
    let rig = rig().await;
    let session = ten_gops(&rig, 500).await;
    let all = rig.read(&session, 0).await;
    assert_eq!(all.cursors(), (1..=60).collect::<Vec<_>>());
    for (after, first) in [(1, 1), (6, 1), (7, 7), (30, 25), (31, 31), (59, 55)] {
        let flv = rig.read(&session, after).await;
        assert_eq!(
            (flv.header("headwater-cursor"), flv.header("headwater-lost")),
            (first, 0),
            "after {after}"
        );
        assert!(flv.media()[0].is_idr());
        assert_eq!(flv.media(), all.media()[first as usize - 1..], "after {after}");
        assert_eq!(flv.tags[..2], all.tags[..2], "sequence headers first");
    }
    assert_eq!(rig.status(&session, 60).await, StatusCode::GONE);
    rig.leave().await;
}

#[tokio::test]
async fn a_reader_may_begin_at_the_newest_key_frame() {
    let rig = rig().await;
    let session = ten_gops(&rig, 500).await;
    let url = format!("{}&live=true", rig.source_url(&session, 0));
    let flv = rig.read_from(&session, &url).await;
    assert_eq!((flv.header("headwater-cursor"), flv.header("headwater-lost")), (55, 0));
    assert!(flv.media()[0].is_idr());
    rig.leave().await;
}

#[tokio::test]
async fn no_message_is_lost_between_two_readers() {
    let rig = rig().await;
    let mut publisher = Publisher::start(rig.gateway.rtmp_addr()).await;
    publisher.headers().await;
    publisher.gops(0, 3, 500).await;
    let session = rig.hooks.session(0).await;
    let answer = rig.get(&session, 0).await;
    let headers = answer.headers().clone();
    let mut body = answer.into_body();
    let mut bytes = bytes::BytesMut::new();
    // 18 messages have been sent, and the first reader goes when it has some of them.
    let mut first = Flv::parse(headers.clone(), whole_tags(&bytes));
    while first.media().len() < 10 {
        bytes.extend_from_slice(&body.frame().await.unwrap().unwrap().into_data().unwrap());
        first = Flv::parse(headers.clone(), whole_tags(&bytes));
    }
    drop(body);
    publisher.gops(3_000, 3, 500).await;
    publisher.finish().await;
    rig.hooks.unpublish(0).await;
    let last = *first.cursors().last().unwrap();
    let second = rig.read(&session, last).await;
    let seen: Vec<u64> = first
        .cursors()
        .into_iter()
        .chain(second.cursors().into_iter().filter(|cursor| *cursor > last))
        .collect();
    assert_eq!(seen, (1..=36).collect::<Vec<_>>());
    rig.leave().await;
}

/// As much of `bytes` as is whole tags.
pub(crate) fn whole_tags(bytes: &[u8]) -> bytes::Bytes {
    let mut end = 13;
    while let Some(head) = bytes.get(end..end + 4) {
        let next = end + 15 + u32::from_be_bytes([0, head[1], head[2], head[3]]) as usize;
        if next > bytes.len() {
            break;
        }
        end = next;
    }
    if bytes.is_empty() {
        return bytes::Bytes::from_static(b"FLV\x01\x05\0\0\0\x09\0\0\0\0");
    }
    bytes::Bytes::copy_from_slice(&bytes[..end])
}

#[tokio::test]
async fn committed_media_is_given_back_to_the_disk() {
    let rig = rig().await;
    let mut publisher = Publisher::start(rig.gateway.rtmp_addr()).await;
    publisher.headers().await;
    publisher.gops(0, 10, 300_000).await;
    let session = rig.hooks.session(0).await;
    // Reading the last GOP shows that everything has arrived.
    let answer = rig.get(&session, 59).await;
    assert_eq!(answer.headers()["headwater-cursor"], "55");
    drop(answer);
    let before = rig.spooled();
    assert_eq!(before.len(), 3, "12 MB in files of 4 MiB: {before:?}");

    rig.commit(&session, 45).await;
    let answer = rig.get(&session, 0).await;
    assert_eq!(
        (&answer.headers()["headwater-cursor"], &answer.headers()["headwater-lost"]),
        (&"43".parse().unwrap(), &"0".parse().unwrap())
    );
    drop(answer);
    assert!(rig.spooled().len() < before.len());
    assert!(rig.health().await["buffered_bytes"].as_u64().unwrap() < 8 << 20);

    publisher.finish().await;
    rig.hooks.unpublish(0).await;
    rig.commit(&session, 60).await;
    assert_eq!(rig.spooled(), Vec::<std::path::PathBuf>::new());
    assert_eq!(rig.status(&session, 0).await, StatusCode::GONE);
    rig.leave().await;
}

#[tokio::test]
async fn beyond_the_bound_the_oldest_gops_go_and_are_counted() {
    let rig = rig_with(crate::hooks::Policy::Allow, |limits| limits.session_buffer_bytes = 1_000_000).await;
    let session = ten_gops(&rig, 50_000).await;
    let flv = rig.read(&session, 0).await;
    // A GOP has 200 kB: four fit.
    assert_eq!((flv.header("headwater-cursor"), flv.header("headwater-lost")), (37, 36));
    assert_eq!(flv.cursors(), (37..=60).collect::<Vec<_>>());
    assert!(flv.media()[0].is_idr());
    assert_eq!(rig.read(&session, 20).await.header("headwater-lost"), 16);
    assert_eq!(rig.read(&session, 40).await.header("headwater-lost"), 0);
    assert_eq!(rig.health().await["lost_messages"], 36);
    rig.leave().await;
}

#[tokio::test]
async fn beyond_the_total_the_largest_session_gives_way() {
    let rig = rig_with(crate::hooks::Policy::Allow, |limits| limits.total_buffer_bytes = 9_000_000).await;
    let session = ten_gops(&rig, 300_000).await;
    let mut held = u64::MAX;
    while held > 9_000_000 {
        held = rig.health().await["buffered_bytes"].as_u64().unwrap();
        tokio::task::yield_now().await;
    }
    let flv = rig.read(&session, 0).await;
    assert!(flv.header("headwater-lost") > 0);
    assert_eq!(*flv.cursors().last().unwrap(), 60);
    rig.leave().await;
}

#[tokio::test]
async fn an_ended_session_is_forgotten_in_time() {
    let rig = rig_with(crate::hooks::Policy::Allow, |limits| limits.buffer_seconds = 1).await;
    let session = ten_gops(&rig, 500).await;
    while rig.status(&session, 60).await == StatusCode::GONE {
        tokio::task::yield_now().await;
    }
    assert_eq!(rig.status(&session, 60).await, StatusCode::NOT_FOUND);
    assert_eq!(rig.spooled(), Vec::<std::path::PathBuf>::new());
    rig.leave().await;
}

#[tokio::test]
async fn leftovers_of_an_earlier_process_are_deleted_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let spool = dir.path().join("spool");
    let old = spool.join(headwater_domain::SessionId::from_random(9).as_str());
    std::fs::create_dir_all(&old).unwrap();
    std::fs::write(old.join("00000000000000000000.flv"), b"old").unwrap();
    std::fs::write(spool.join("README"), b"somebody else's").unwrap();
    let rig = rig_of(crate::hooks::Policy::Allow, Default::default(), None, dir).await;
    assert!(!old.exists());
    assert!(spool.join("README").exists());
    std::fs::remove_file(spool.join("README")).unwrap();
    rig.leave().await;
}

/// An encoder that sends one key frame and no more. Somebody who has to begin again can begin there only.
#[tokio::test]
async fn a_gop_that_goes_on_is_kept_and_beyond_all_bounds_the_encoder_begins_anew() {
    let kept =
        rig_with(Policy::Allow, |limits| (limits.buffer_seconds, limits.gop_seconds) = (0, 3_600)).await;
    let short = rig_with(Policy::Allow, |limits| (limits.buffer_seconds, limits.gop_seconds) = (0, 0)).await;
    let mut publishers = Vec::new();
    for rig in [&kept, &short] {
        let mut publisher = Publisher::start(rig.gateway.rtmp_addr()).await;
        publisher.headers().await;
        publishers.push(publisher);
    }
    let mut sent = 0;
    while short.health().await["lost_messages"] == 0 {
        for publisher in &mut publishers {
            publisher.send(Video, sent * 40, picture(sent == 0, 100)).await;
        }
        sent += 1;
    }
    let (session, cursor) = (kept.hooks.session(0).await, u64::from(sent) - 1);
    let answer = kept.get(&session, cursor).await;
    let header = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
    assert_eq!((header("headwater-cursor"), header("headwater-lost")), ("1".to_owned(), "0".to_owned()));
    drop(answer);

    let session = short.hooks.session(0).await;
    let heard = tokio::join!(short.status(&session, cursor), publishers.remove(1).closed());
    let reason = &short.hooks.unpublish(0).await.reason;
    assert!(reason.contains("no key frame has come for") && reason.contains("interval to 2 s"), "{reason}");
    assert!(heard.1.contains("NetStream.Publish.Rejected") && heard.1.contains(reason), "{}", heard.1);
    assert_eq!(heard.0, StatusCode::GONE, "nothing of it can be shown");
    kept.leave().await;
    short.leave().await;
}
