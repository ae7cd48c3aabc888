//! What encoders send that is not as the specification has it, as it is on the source link: in one form, and what cannot
//! be brought into it is told.

use bytes::Bytes;
use headwater_rtmp::MediaKind::{Audio, Video};

use crate::rtmp_client::{Publisher, aac_header, avc_header, sound};
use crate::support::*;

/// A picture of these NAL units.
fn units(idr: bool, composition_time: u8, units: &[&[u8]]) -> Bytes {
    let mut body = vec![if idr { 0x17 } else { 0x27 }, 1, 0, 0, composition_time];
    for unit in units {
        body.extend_from_slice(&(unit.len() as u32).to_be_bytes());
        body.extend_from_slice(unit);
    }
    Bytes::from(body)
}

const IDR: &[u8] = b"\x65\x88\x84\x21";
const P: &[u8] = b"\x41\x9a\x24\x6c";
/// A slice that is not its picture's first.
const MORE: &[u8] = b"\x41\x02\x79\xa2";

fn pictures(flv: &Flv) -> Vec<(u32, &[u8])> {
    flv.media().into_iter().filter(|tag| tag.kind == 9).map(|tag| (tag.time, &tag.body[..])).collect()
}

#[tokio::test]
async fn slices_are_joined_and_empty_units_dropped() {
    let rig = rig().await;
    let mut publisher = Publisher::start(rig.gateway.rtmp_addr()).await;
    publisher.headers().await;
    for n in 0..50_u32 {
        let first = if n % 10 == 0 { IDR } else { P };
        publisher.send(Video, n * 40, units(n % 10 == 0, 0, &[b"", first])).await;
        publisher.send(Video, n * 40, units(n % 10 == 0, 0, &[MORE, b""])).await;
        publisher.send(Audio, n * 40, sound()).await;
    }
    publisher.finish().await;
    let session = rig.hooks.unpublish(0).await.session.session;
    let flv = rig.read(&session, 0).await;
    let expected: Vec<_> = (0..50)
        .map(|n| (n * 40, units(n % 10 == 0, 0, &[if n % 10 == 0 { IDR } else { P }, MORE])))
        .collect();
    assert!(pictures(&flv).into_iter().eq(expected.iter().map(|(time, body)| (*time, &body[..]))));
    let resumed = rig.read(&session, 55).await;
    assert!(resumed.media()[0].is_idr(), "a reader begins with a whole key frame");
    rig.leave().await;
}

#[tokio::test]
async fn decoding_times_rise_and_presentation_times_stay() {
    let rig = rig().await;
    let mut publisher = Publisher::start(rig.gateway.rtmp_addr()).await;
    publisher.headers().await;
    let sent = [(0, 80), (0, 40), (40, 80), (35, 45), (120, 0), (120, 0)];
    for (n, (time, composition)) in sent.into_iter().enumerate() {
        publisher.send(Video, time, units(n == 0, composition, &[if n == 0 { IDR } else { P }])).await;
    }
    publisher.finish().await;
    let session = rig.hooks.unpublish(0).await.session.session;
    let flv = rig.read(&session, 0).await;
    let times: Vec<_> =
        pictures(&flv).iter().map(|(time, body)| (*time, time + u32::from(body[4]))).collect();
    assert_eq!(times, [(0, 80), (1, 40), (40, 120), (41, 80), (120, 120), (121, 121)]);
    rig.leave().await;
}

#[tokio::test]
async fn a_damaged_timestamp_neither_cuts_a_run_nor_moves_its_neighbours() {
    let rig = rig().await;
    for damaged in [0, 1, 10, 27, 49] {
        for off in [1_u32 << 31, 11_000, 600, 11_000_u32.wrapping_neg(), 1_500_u32.wrapping_neg()] {
            let mut publisher = Publisher::start(rig.gateway.rtmp_addr()).await;
            publisher.headers().await;
            for n in 0..50_u32 {
                let time = 100_000 + n * 40;
                let claimed = if n == damaged { time.wrapping_add(off) } else { time };
                publisher
                    .send(Video, claimed, units(n % 10 == 0, 0, &[if n % 10 == 0 { IDR } else { P }]))
                    .await;
                publisher.send(Audio, time, sound()).await;
            }
            publisher.finish().await;
        }
    }
    for (n, damaged) in [0, 1, 10, 27, 49].into_iter().flat_map(|damaged| [damaged; 5]).enumerate() {
        let session = rig.hooks.unpublish(n).await.session.session;
        let flv = rig.read(&session, 0).await;
        let times: Vec<_> = pictures(&flv).iter().map(|(time, _)| *time).collect();
        assert_eq!(times.len(), 50, "one run: {n}");
        let origin = times[usize::from(damaged == 0)] - 40 * u32::from(damaged == 0);
        for (at, time) in times.iter().enumerate().filter(|(at, _)| *at != damaged) {
            assert_eq!(time.wrapping_sub(origin), at as u32 * 40, "{n}");
        }
        assert!(times.is_sorted_by(|a, b| a < b), "{n}: {times:?}");
    }
    rig.leave().await;
}

#[tokio::test]
async fn a_track_that_cannot_be_used_is_told_and_the_other_goes_on() {
    let rig = rig().await;
    let mut publisher = Publisher::start(rig.gateway.rtmp_addr()).await;
    publisher.send(Video, 0, avc_header(30)).await;
    publisher.gops(0, 60, 100).await;
    let session = rig.hooks.session(0).await;
    let told = |response: &http::Response<hyper::body::Incoming>| {
        response.headers().get("headwater-problem").map(|value| value.to_str().unwrap().to_owned())
    };
    let says = async |wanted: bool| {
        // The gateway takes what was sent while it is asked.
        loop {
            let url = format!("http://{}/sources/{session}/committed", rig.gateway.source_addr());
            let answer = rig.request("PUT", &url, &rig.token(&session), "{\"cursor\":0}".into()).await;
            let told = told(&answer);
            if told.is_some() == wanted {
                return told;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    };
    let problem = tokio::time::timeout(PATIENCE, says(true)).await.expect("it is told").unwrap();
    assert!(problem.contains("audio cannot be used") && problem.contains("AudioSpecificConfig"), "{problem}");
    assert_eq!(told(&rig.get(&session, 0).await).as_ref(), Some(&problem), "whoever reads is told, too");

    publisher.send(Audio, 60_000, aac_header()).await;
    publisher.gops(60_000, 1, 100).await;
    assert_eq!(tokio::time::timeout(PATIENCE, says(false)).await.expect("it is over"), None);
    publisher.finish().await;
    rig.leave().await;
}

/// Times that fall back by less than a new epoch again and again: nothing comes of them, however long they go on.
#[tokio::test]
async fn timestamps_that_go_on_no_further_are_told_and_end_the_session() {
    let rig = rig().await;
    let mut publisher = Publisher::start(rig.gateway.rtmp_addr()).await;
    publisher.headers().await;
    // In real time, because that is what the times are held against: 12 s, of which nine are enough.
    let mut frames = tokio::time::interval(std::time::Duration::from_millis(40));
    for n in 0..300_u32 {
        frames.tick().await;
        let (idr, time) = (n % 25 == 0, n * 40 % 900);
        publisher.send(Video, time, units(idr, 0, &[if idr { IDR } else { P }])).await;
        publisher.send(Audio, time, sound()).await;
    }
    let reason = "the encoder's timestamps stand still, or fall back again and again";
    let heard = publisher.closed().await;
    assert!(heard.contains("NetStream.Publish.Rejected") && heard.contains(reason), "{heard}");
    assert!(rig.hooks.unpublish(0).await.reason.contains(reason));
    rig.leave().await;
}
