//! Low latency at the edge: many viewers wait for the same part, and each region's functions hear of it once; a browser
//! plays in parts what an ordinary player plays in segments.
//!
//! The broadcast is written by the test itself, as a transcoder writes it.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use headwater_aws::clock::wall_clock as now;
use headwater_aws::media::Buckets;
use headwater_aws::table::Table;
use headwater_domain::control::{ControlRecord, LeaseRecord, SessionRecord};
use headwater_domain::heartbeat::{Activity, Health, Heartbeat};
use headwater_domain::hooks::Gateway;
use headwater_domain::objects::Retention;
use headwater_domain::paths::{EdgePath, init_path};
use headwater_domain::ports::{
    Bucket, Commit, PutMedia, Write, WriteControl, WriteHeartbeats, WriteTimeline,
};
use headwater_domain::stream::StreamSettings;
use headwater_domain::testing::parts::{closed_entry, open_entry};
use headwater_domain::testing::samples;
use headwater_domain::timeline::{Entry, TrackKind};
use headwater_domain::{BroadcastId, KeyId, Lease, Region, SegmentNumber, SessionId, StreamId};
use headwater_local::REGIONS;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;

use super::support::{Platform, Running, artifacts, eventually, root};

const VIEWERS: usize = 50;

/// A broadcast in region A that nobody encodes.
pub(crate) struct Seeded {
    table: Table,
    bucket: Buckets,
    region: Region,
    broadcast: BroadcastId,
    lease: Lease,
}

impl Seeded {
    pub(crate) async fn start(platform: &Platform) -> Self {
        let stream = StreamId::from_random(77);
        let seeded = Self {
            table: platform.table(0),
            bucket: platform.bucket(0),
            region: REGIONS[0].parse().unwrap(),
            broadcast: BroadcastId::new(&stream, now().0, 1),
            lease: samples::lease(1),
        };
        let session = SessionRecord {
            id: SessionId::from_random(1),
            order: 1,
            broadcast: seeded.broadcast.clone(),
            started_at: now(),
            gateway: Gateway { region: seeded.region.clone(), source: "http://127.0.0.1:1".into() },
            key: KeyId::from_random(1),
            key_expires_at: None,
            accepted_at: now(),
            settings: StreamSettings::default(),
            earlier: Vec::new(),
        };
        let (broadcast, lease) = (seeded.broadcast.clone(), seeded.lease.clone());
        let (granted_at, crossed, promotion) = (now(), None, None);
        let lease = LeaseRecord { lease, broadcast, granted_at, crossed, failures: 0, promotion };
        let empty = ControlRecord::empty(stream, seeded.region.clone());
        let record = ControlRecord { version: 1, session: Some(session), lease: Some(lease), ..empty };
        assert_eq!(seeded.table.put_control_record(&record).await.unwrap(), Write::Stored);
        seeded.heartbeat().await;
        seeded
    }

    pub(crate) fn region(&self) -> &Region {
        &self.region
    }

    pub(crate) fn broadcast(&self) -> &BroadcastId {
        &self.broadcast
    }

    /// A sign of life, so that the first region asked does not take itself for out of date.
    pub(crate) async fn heartbeat(&self) {
        let health = Health {
            activity: Activity::Transcoding,
            session: Some(SessionId::from_random(1)),
            media_until: Some(now()),
            ..Health::starting()
        };
        let heartbeat = Heartbeat {
            stream: self.broadcast.stream(),
            region: self.region.clone(),
            broadcast: self.broadcast.clone(),
            lease: self.lease.clone(),
            fencing_token: "process".into(),
            at: now(),
            health,
            before: Vec::new(),
            heard_since: None,
        };
        assert_eq!(self.table.put_heartbeat(&heartbeat).await.unwrap(), Write::Stored);
    }

    fn entry(&self, entry: Entry) -> Entry {
        Entry { broadcast: self.broadcast.clone(), committed_at: now(), ..entry }
    }

    /// Stores the newest part of a segment and names it in the timeline.
    pub(crate) async fn write(&self, number: u64, parts: u64) {
        let entry = self.entry(open_entry(&self.lease, number, parts));
        for rendition in ["720p", "audio"] {
            let path = entry.part_path(rendition, entry.parts.len() - 1);
            let body = Bytes::from(format!("bytes of {path}"));
            self.bucket.put_media(Bucket::Own, &path, "video/mp4", body).await.unwrap();
        }
        assert_eq!(self.table.commit(&entry).await.unwrap(), Commit::Committed);
    }

    pub(crate) async fn close(&self, number: u64) {
        let entry = self.entry(closed_entry(&self.lease, number));
        assert_eq!(self.table.commit(&entry).await.unwrap(), Commit::Committed);
    }

    pub(crate) fn part(&self, rendition: &str, number: u64, part: usize) -> String {
        format!("/{}", self.entry(open_entry(&self.lease, number, 1)).part_path(rendition, part))
    }

    pub(crate) fn playlist(&self, rendition: &str, query: &str) -> String {
        let rendition = rendition.parse().unwrap();
        format!("{}{query}", EdgePath::LowLatency(self.region.clone(), self.broadcast.clone(), rendition))
    }

    /// Asks the region's API itself for a part, as the edge does when the bucket has none.
    pub(crate) async fn part_from_the_api(&self, platform: &Platform, number: u64, part: usize) {
        let path = self.part("720p", number, part);
        let request = Request::get(format!("{}{path}", platform.stack.regions[0].api_url()))
            .header("x-headwater-origin", platform.stack.secrets.origin_secret.clone())
            .body(Empty::<Bytes>::new())
            .unwrap();
        let client = Client::builder(TokioExecutor::new()).build_http();
        let (head, body) = client.request(request).await.unwrap().into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        assert_eq!(head.status, StatusCode::OK, "{body:?}");
        assert_eq!(body, format!("bytes of {}", path.trim_start_matches('/')));
    }
}

/// Requests that the functions for playlists and parts have had, in both regions.
pub(crate) fn asked(platform: &Platform) -> u64 {
    platform
        .stack
        .regions
        .iter()
        .filter_map(|region| region.lambda.stats("low-latency"))
        .map(|stats| stats.invocations)
        .sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn however_many_viewers_wait_a_region_is_asked_once_for_each_part_and_rendition() {
    let platform = Platform::start().await;
    let live = Seeded::start(&platform).await;
    for number in 0..6 {
        live.close(number).await;
    }
    live.write(6, 1).await;
    let (status, headers, first) = platform.get(&live.playlist("720p", "")).await;
    assert_eq!(status, StatusCode::OK, "{first:?}\n{}", platform.logs());
    assert_eq!(headers["cache-control"], "max-age=1, stale-if-error=0");
    let first = String::from_utf8(first.to_vec()).unwrap();
    let hint = format!("#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"{}\"", live.part("720p", 6, 1));
    assert!(first.contains(&hint), "{first}");

    let mut waits = BTreeMap::new();
    for part in 1..4_usize {
        live.heartbeat().await;
        let before = asked(&platform);
        let query = format!("?_HLS_msn=6&_HLS_part={part}&_HLS_skip=YES");
        let wanted = ["720p", "audio"].map(|name| (live.playlist(name, &query), live.part(name, 6, part)));
        let all = async {
            let viewers = (0..VIEWERS).flat_map(|_| wanted.iter().flat_map(|(list, part)| [list, part]));
            futures::future::join_all(viewers.map(|path| platform.get(path))).await
        };
        let writes = async {
            // Two playlists, and two parts that the bucket does not have.
            eventually("all four questions", || async { (asked(&platform) == before + 4).then_some(()) })
                .await;
            live.write(6, part as u64 + 1).await;
            std::time::Instant::now()
        };
        let (answers, written) = tokio::join!(all, writes);
        waits.insert(part, written.elapsed());
        for (at, (status, headers, body)) in answers.iter().enumerate() {
            let (list, path) = &wanted[at / 2 % 2];
            assert_eq!(*status, StatusCode::OK, "{list}: {body:?}");
            if at % 2 == 0 {
                let text = String::from_utf8_lossy(body);
                assert!(text.contains(&format!("URI=\"{path}\"")), "{text}");
                assert_eq!(headers["cache-control"], "max-age=6, stale-if-error=0");
            } else {
                assert_eq!(body, &format!("bytes of {}", path.trim_start_matches('/')));
                assert_eq!(headers["access-control-allow-origin"], "*");
            }
        }
        assert_eq!(
            asked(&platform),
            before + 4,
            "part {part}: {VIEWERS} viewers of two renditions are four questions"
        );
    }
    println!("after the commit all {} answers were there within {waits:?}", 4 * VIEWERS);

    // Who comes later gets it from the edge, or from the bucket.
    let before = asked(&platform);
    for path in [
        live.part("720p", 6, 2),
        live.part("720p", 6, 0),
        live.playlist("audio", "?_HLS_msn=6&_HLS_part=3&_HLS_skip=YES"),
    ] {
        assert_eq!(platform.get(&path).await.0, StatusCode::OK);
    }
    assert_eq!(asked(&platform), before);
    let nonsense = platform.get(&live.part("720p", 0, 0).replace("/720p/", "/1080p/")).await;
    assert_eq!(nonsense.0, StatusCode::NOT_FOUND);
    assert!(nonsense.1["cache-control"].to_str().unwrap().starts_with("max-age=1"), "{:?}", nonsense.1);
    assert_eq!(platform.get(&live.playlist("720p", "?_HLS_msn=99")).await.0, StatusCode::BAD_REQUEST);
    platform.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_region_s_parts_and_blocking_playlists_need_only_that_region() {
    let platform = Platform::start().await;
    let live = Seeded::start(&platform).await;
    live.close(0).await;
    live.write(1, 1).await;
    // Region B knows the broadcast by replication; it has none of its parts and says so at once.
    platform.stack.regions[1].api.stop().await;
    platform.stack.regions[1].s3.stop().await;
    let (list, part) = (live.playlist("720p", "?_HLS_msn=1&_HLS_part=1"), live.part("720p", 1, 1));
    let before = asked(&platform);
    let writes = async {
        eventually("both wait", || async { (asked(&platform) >= before + 2).then_some(()) }).await;
        live.write(1, 2).await;
    };
    let (list, part, ()) = tokio::join!(platform.get(&list), platform.get(&part), writes);
    assert_eq!((list.0, part.0), (StatusCode::OK, StatusCode::OK), "{}", platform.logs());
    assert!(String::from_utf8_lossy(&list.2).contains("/1.1.m4s"));
    platform.stop().await;
}

/// A picture as fragments of half a second, four for each key frame: initialization section, parts.
async fn fragments(seconds: u32) -> (Bytes, Vec<Bytes>) {
    let picture = format!("testsrc2=size=320x180:rate=30:duration={seconds}");
    let arguments = [
        "-v",
        "error",
        "-f",
        "lavfi",
        "-i",
        &picture,
        "-c:v",
        "libx264",
        "-preset",
        "ultrafast",
        "-profile:v",
        "high",
        "-level",
        "3.1",
        "-pix_fmt",
        "yuv420p",
        "-bf",
        "0",
        "-g",
        "60",
        "-keyint_min",
        "60",
        "-sc_threshold",
        "0",
        "-video_track_timescale",
        "90000",
        "-movflags",
        "empty_moov+default_base_moof+skip_trailer",
        "-frag_duration",
        "500000",
        "-f",
        "mp4",
        "pipe:1",
    ];
    let made =
        tokio::process::Command::new("ffmpeg").args(arguments).kill_on_drop(true).output().await.unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let file = Bytes::from(made.stdout);
    let mut starts = Vec::new();
    let mut at = 0;
    while at + 8 <= file.len() {
        let size = u32::from_be_bytes(file[at..at + 4].try_into().unwrap()) as usize;
        if &file[at + 4..at + 8] == b"moof" {
            starts.push(at);
        }
        at += size;
    }
    let ends = starts.iter().skip(1).copied().chain([file.len()]);
    (file.slice(..starts[0]), starts.iter().zip(ends).map(|(from, to)| file.slice(*from..to)).collect())
}

/// Writes the fragments as they would come from an encoder, in real time.
async fn broadcast(live: &Seeded, init: Bytes, parts: &[Bytes]) {
    let init_path = init_path(&live.broadcast, &live.lease, Retention::Recorded, "720p", SegmentNumber(1));
    let put = async |path: &str, body: Bytes| {
        live.bucket.put_media(Bucket::Own, path, "video/mp4", body).await.unwrap();
    };
    put(&init_path, init).await;
    let started = (now(), tokio::time::Instant::now());
    for (index, part) in parts.iter().enumerate() {
        let until = index as u32 + 1;
        tokio::time::sleep_until(started.1 + until * Duration::from_millis(500)).await;
        let (number, count) = (index as u64 / 4, index as u64 % 4 + 1);
        let shown = |entry: Entry| {
            let mut entry = live.entry(entry);
            entry.renditions.truncate(1);
            entry.renditions[0].init = init_path.clone();
            entry.renditions[0].kind = TrackKind::Video { width: 320, height: 180, millifps: 30_000 };
            entry.audio = None;
            entry.parts.iter_mut().for_each(|part| part.audio = None);
            entry.program_date_time = started.0 + Duration::from_secs(2 * number);
            entry
        };
        let entry = shown(open_entry(&live.lease, number, count));
        put(&entry.part_path("720p", entry.parts.len() - 1), part.clone()).await;
        live.table.commit(&entry).await.unwrap();
        if count == 4 {
            let entry = shown(closed_entry(&live.lease, number));
            put(&entry.media_path("720p"), parts[index - 3..=index].concat().into()).await;
            live.table.commit(&entry).await.unwrap();
            live.heartbeat().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn chromium_follows_a_broadcast_in_parts_and_ffmpeg_its_segments() {
    let platform = Platform::start().await;
    let live = Seeded::start(&platform).await;
    let (init, parts) = fragments(90).await;
    assert_eq!(parts.len(), 180);
    let script = root().join("tests/browser/play.mjs");
    let (page, report) = (format!("{}/", platform.stack.edge_url()), artifacts().join("low-latency.json"));
    let stream = live.broadcast.stream();
    let arguments = [
        script.to_str().unwrap(),
        "--url",
        &page,
        "--stream",
        stream.as_str(),
        "--seconds",
        "20",
        "--max-stall",
        "15",
        "--json",
        report.to_str().unwrap(),
    ];
    let watched = async {
        let (ok, said) = Running::start("node", &arguments).end().await;
        let seen = std::fs::read_to_string(&report).unwrap_or_default();
        assert!(ok, "{said}\n{seen}\n{}", platform.logs());
        // A player that knows nothing of parts has the same playlist's segments.
        let url = platform.edge(&format!("/live/{stream}/index.m3u8"));
        let arguments = ["-v", "error", "-xerror", "-i", &url, "-t", "5", "-f", "null", "-"];
        let (ok, ordinary) = Running::start("ffmpeg", &arguments).end().await;
        assert!(ok && ordinary.is_empty(), "{ordinary}");
        said
    };
    let said = tokio::select! {
        said = watched => said,
        () = broadcast(&live, init, &parts) => panic!("the broadcast was over first\n{}", platform.logs()),
    };
    println!("{said}");
    // It asked for parts, and waited for what comes.
    let log = std::fs::read_to_string(platform.stack.data().join("edge/access.log")).unwrap();
    let loaded =
        log.lines().filter(|line| line.contains("/parts/") && line.contains("\"status\":200")).count();
    assert!(loaded >= 10, "{loaded} parts");
    assert!(!log.contains("\"status\":400"), "it never asked for too much");
    platform.stop().await;
}
