//! A disk that takes nothing: what comes in stays in memory as long as it fits, and goes to disk when that is possible again.
#![allow(clippy::print_stdout, reason = "figures, for who asks for them")]

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use headwater_domain::SessionId;
use http_body_util::BodyExt;
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::hooks::Policy;
use crate::hostile::bystander::Bystander;
use crate::hostile::harness::GatewayHarness;
use crate::program::program;
use crate::rtmp_client::Publisher;
use crate::support::*;

/// What one session may hold in memory, as the program has it.
const SESSION_HELD: u64 = 32 << 20;
/// What a session may be over it: the block that came last.
const ONE_BLOCK: u64 = 1 << 20;

/// How a real disk is made to take nothing.
#[derive(Debug, Clone, Copy)]
enum Full {
    /// A small file system of the program's own (a mount namespace, which ends with it), with all of it used.
    FileSystem,
    /// The program may write no file any longer (RLIMIT_FSIZE): for where nothing may be mounted.
    FileSize,
}

impl Full {
    async fn open(self) -> GatewayHarness {
        let through = |shell: &[&str], surroundings: SocketAddr, spool: &Path| {
            let gateway = program(surroundings, spool);
            let mut command = Command::new(shell[0]);
            command.args(&shell[1..]).arg(gateway.as_std().get_program()).arg("gateway");
            command.env_clear().stdin(Stdio::null()).kill_on_drop(true);
            command.envs(gateway.as_std().get_envs().filter_map(|(name, value)| Some((name, value?))));
            command.env("PATH", std::env::var_os("PATH").unwrap());
            command
        };
        GatewayHarness::open_with(|surroundings, spool| match self {
            Self::FileSystem => {
                let script = "mount -t tmpfs -o size=64m none \"$SPOOL_DIR\" && exec \"$0\" \"$@\"";
                through(&["unshare", "--map-root-user", "--mount", "sh", "-c", script], surroundings, spool)
            }
            Self::FileSize => {
                let script = "trap '' XFSZ; exec \"$0\" \"$@\"";
                through(&["sh", "-c", script], surroundings, spool)
            }
        })
        .await
    }

    fn filler(harness: &GatewayHarness) -> PathBuf {
        let (spool, pid) = harness.spool();
        PathBuf::from(format!("/proc/{pid}/root{}", spool.display())).join("filler")
    }

    async fn limit(harness: &GatewayHarness, bytes: &str) {
        let (_, pid) = harness.spool();
        let limit = format!("--fsize={bytes}:unlimited");
        let done = output(Command::new("prlimit").args(["--pid", &pid.to_string(), &limit])).await;
        assert!(done.status.success(), "{done:?}");
    }

    /// From now on nothing can be written.
    async fn fill(self, harness: &GatewayHarness) {
        match self {
            Self::FileSystem => {
                let mut filler =
                    OpenOptions::new().create(true).append(true).open(Self::filler(harness)).unwrap();
                while filler.write_all(&[0; 4_096]).is_ok() {}
            }
            Self::FileSize => Self::limit(harness, "0").await,
        }
    }

    /// From now on it can be again.
    async fn free(self, harness: &GatewayHarness) {
        match self {
            Self::FileSystem => fs::remove_file(Self::filler(harness)).unwrap(),
            Self::FileSize => Self::limit(harness, "unlimited").await,
        }
    }
}

/// What can be had here: mounting is refused in many a container.
async fn means() -> Vec<Full> {
    let mount = ["--map-root-user", "--mount", "sh", "-c", "mount -t tmpfs none /tmp"];
    match output(Command::new("unshare").args(mount)).await.status.success() {
        true => vec![Full::FileSystem, Full::FileSize],
        false => vec![Full::FileSize],
    }
}

/// Noise, of which a picture needs 90 kB.
const NOISE: &str = "testsrc2=size=320x180:rate=25,noise=alls=80:allf=t";

fn encoder(input: &[&str], seconds: &str, output: &str) -> Command {
    let mut command = ffmpeg(input);
    command.args(["-f", "lavfi", "-i", NOISE]).args(input);
    command.args(["-f", "lavfi", "-i", "sine=sample_rate=48000", "-t", seconds]);
    command.args(["-c:v", "libx264", "-preset", "ultrafast", "-qp", "12", "-g", "25", "-c:a", "aac"]);
    command.args(["-f", "flv", "-y", output]);
    command
}

fn live(harness: &GatewayHarness) -> Child {
    let url = format!("rtmp://{}/live/{}", harness.rtmp, stream_key_text());
    // Twice as fast as real time: 36 Mbit/s.
    let mut command = encoder(&["-readrate", "2"], "600", &url);
    command.stdin(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true).spawn().unwrap()
}

/// The session of the publisher that came last.
async fn newest(harness: &GatewayHarness, before: usize) -> SessionId {
    let asked = async {
        while harness.asked().len() <= before {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, asked).await.expect("it asks to publish");
    let id = harness.asked()[before].body["session"].as_str().unwrap().parse().unwrap();
    // The answer is on its way to the gateway.
    harness.until("a session", |health| health["sessions"].as_u64().unwrap() as usize > before).await;
    id
}

async fn read(harness: &GatewayHarness, session: &SessionId) -> http::Response<hyper::body::Incoming> {
    let token = harness.token(session, 4_000_000_000_000);
    let answer = harness.request("GET", &format!("/sources/{session}"), &token, &[], Vec::new()).await;
    assert_eq!(answer.status(), 200);
    answer
}

async fn commit(harness: &GatewayHarness, session: &SessionId, cursor: u64) {
    let (token, path) = (harness.token(session, 4_000_000_000_000), format!("/sources/{session}/committed"));
    let body = format!("{{\"cursor\":{cursor}}}").into_bytes();
    let json = [("content-type", "application/json")];
    assert_eq!(harness.request("PUT", &path, &token, &json, body).await.status(), 204);
}

/// Reads a session as a transcoder does, which commits what it has; answers the cursors of all that came.
async fn follow(
    harness: &GatewayHarness,
    session: &SessionId,
    read_so_far: &std::cell::Cell<usize>,
) -> Vec<u64> {
    let mut body = read(harness, session).await.into_body();
    let (mut bytes, mut cursors, mut total) = (Vec::new(), Vec::new(), 0);
    while let Some(frame) = timeout(PATIENCE, body.frame()).await.expect("media comes") {
        let data = frame.expect("a clean end").into_data().unwrap();
        total += data.len();
        read_so_far.set(total);
        bytes.extend_from_slice(&data);
        let (taken, new) = tags(&bytes, cursors.is_empty());
        bytes.drain(..taken);
        let before = cursors.len() / 100;
        cursors.extend(new);
        if cursors.len() / 100 > before {
            commit(harness, session, *cursors.last().unwrap()).await;
        }
    }
    assert!(bytes.is_empty(), "whole tags");
    cursors
}

/// Cursors of the whole media tags at the beginning of `bytes`, and how long those are.
fn tags(bytes: &[u8], with_head: bool) -> (usize, Vec<u64>) {
    let mut at = if with_head && bytes.starts_with(b"FLV") { 13 } else { 0 };
    let mut cursors = Vec::new();
    let number = |at: usize| u32::from_be_bytes([0, bytes[at], bytes[at + 1], bytes[at + 2]]);
    while bytes.len() >= at + 11 {
        let end = at + 15 + number(at + 1) as usize;
        if end > bytes.len() {
            break;
        }
        cursors.extend(Some(u64::from(number(at + 8))).filter(|cursor| *cursor > 0));
        at = end;
    }
    (at, cursors)
}

#[tokio::test]
async fn a_reader_that_keeps_up_loses_nothing_while_the_disk_is_full() {
    for full in means().await {
        let harness = full.open().await;
        let mut bystander = Bystander::start(&harness).await;
        let before = harness.used();
        full.fill(&harness).await;
        let read_so_far = std::cell::Cell::new(0);
        let story = async {
            // It comes when nothing can be written, not even a folder with something in it.
            let encoder = live(&harness);
            let session = newest(&harness, 1).await;
            let judged = async {
                harness.until("the disk fails", |health| !health["disk_failing_seconds"].is_null()).await;
                // More than memory has room for.
                let mut most = 0;
                while read_so_far.get() < SESSION_HELD as usize + (8 << 20) {
                    let health = harness.health().await;
                    assert_eq!(health["lost_messages"], 0, "{health}");
                    most = most.max(health["held_in_memory_bytes"].as_u64().unwrap());
                    tokio::task::yield_now().await;
                }
                assert!((1..=SESSION_HELD + ONE_BLOCK).contains(&most), "{most} in memory");
                full.free(&harness).await;
                let well = |health: &serde_json::Value| {
                    health["disk_failing_seconds"].is_null() && health["held_in_memory_bytes"] == 0
                };
                harness.until("all is on disk", well).await;
                let id = Pid::from_raw(encoder.id().unwrap().cast_signed()).unwrap();
                kill_process(id, Signal::INT).unwrap();
                most
            };
            tokio::join!(judged, follow(&harness, &session, &read_so_far))
        };
        let (most, cursors) = bystander.beside(story).await;
        assert_eq!(cursors, (1..=cursors.len() as u64).collect::<Vec<_>>(), "every message, once");
        println!("{full:?}: {} messages, {} kB in memory at most", cursors.len(), most / 1_024);
        harness.cost("a disk that is full", before, Duration::from_secs(20), 80);
        bystander.beside(harness.says("the spool folder can be written again")).await;
        let errors = harness.health().await["disk_errors"].as_u64().unwrap();
        let told = harness.log().iter().filter(|line| line.contains("cannot write to the spool")).count();
        assert!(errors >= 2 && told <= harness.windows() * 2, "{errors} errors, {told} lines");
        bystander.end().await;
        harness.close().await;
    }
}

#[tokio::test]
async fn what_has_no_room_is_lost_oldest_first_and_told() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("noise.flv");
    // 57 MB, of which a gateway takes 62 at once.
    let made = output(&mut encoder(&[], "24", file.to_str().unwrap())).await;
    assert!(made.status.success(), "{made:?}");
    for full in means().await {
        let harness = full.open().await;
        let mut bystander = Bystander::start(&harness).await;
        let before = harness.used();
        full.fill(&harness).await;
        let url = format!("rtmp://{}/live/{}", harness.rtmp, stream_key_text());
        let published = bystander.beside(publish(&file, &url)).await;
        assert!(published.status.success(), "{published:?}");
        let session = newest_ended(&harness).await;
        let health = harness.health().await;
        let held = health["held_in_memory_bytes"].as_u64().unwrap();
        assert!(held <= SESSION_HELD + ONE_BLOCK && held > SESSION_HELD * 3 / 4, "{held} in memory");
        harness.cost("57 MB for a disk that is full", before, Duration::from_secs(20), 80);
        full.free(&harness).await;
        bystander.beside(harness.until("it is on disk", |health| health["held_in_memory_bytes"] == 0)).await;

        let answer = read(&harness, &session).await;
        let head = answer.headers().clone();
        let flv = Flv::parse(head, answer.into_body().collect().await.unwrap().to_bytes());
        let (lost, cursors) = (flv.header("headwater-lost"), flv.cursors());
        assert!(lost > 0 && health["lost_messages"] == lost, "{lost} in {health}");
        // What the encoder had sent last is lost on its way if it goes before it has read all acknowledgements.
        let taken = *cursors.last().unwrap();
        assert_eq!(cursors, (lost + 1..=taken).collect::<Vec<_>>(), "all that is not told to be lost");
        assert!(flv.media()[0].is_idr());
        println!("{full:?}: {lost} of {taken} messages lost, {held} bytes kept");
        bystander.end().await;
        harness.close().await;
    }
}

async fn newest_ended(harness: &GatewayHarness) -> SessionId {
    harness.until("it has ended", |health| health["sessions"] == 1).await;
    harness.asked().last().unwrap().body["session"].as_str().unwrap().parse().unwrap()
}

/// The folder of all spools is gone, and there is a file in its place.
async fn without_folder(change: impl FnOnce(&mut headwater_transcoder::gateway::Limits)) -> (Rig, PathBuf) {
    let rig = rig_with(Policy::Allow, change).await;
    let folder = rig.dir.path().join("spool");
    fs::remove_dir(&folder).unwrap();
    fs::write(&folder, "").unwrap();
    (rig, folder)
}

#[tokio::test]
async fn sessions_share_the_memory_there_is_and_the_small_ones_lose_nothing() {
    let (rig, folder) = without_folder(|limits| {
        limits.session_held_bytes = 3_000_000;
        limits.total_held_bytes = 6_000_000;
    })
    .await;
    let mut small = Publisher::start(rig.gateway.rtmp_addr()).await;
    small.headers().await;
    for n in 0..5 {
        let mut large = Publisher::start(rig.gateway.rtmp_addr()).await;
        large.headers().await;
        large.gops(0, 20, 100_000).await;
        large.finish().await;
        // 20 GOPs of 20 kB in turn with the others: 400 kB.
        small.gops(n * 4_000, 4, 5_000).await;
    }
    small.finish().await;
    for n in 0..6 {
        rig.hooks.unpublish(n).await;
    }
    // Those that have ended give way as well, at the latest when house is kept.
    let mut health = rig.health().await;
    while health["held_in_memory_bytes"].as_u64().unwrap() > 6_000_000 {
        health = rig.health().await;
    }
    let small = rig.read(&rig.hooks.session(0).await, 0).await;
    assert_eq!((small.header("headwater-lost"), small.cursors().len()), (0, 6 * 20));
    for n in 1..6 {
        let large = rig.read(&rig.hooks.session(n).await, 0).await;
        let lost = large.header("headwater-lost");
        assert!(lost > 0 && large.media()[0].is_idr());
        assert_eq!(large.cursors(), (lost + 1..=6 * 20).collect::<Vec<_>>());
    }
    // What has ended goes to disk all the same when that is possible.
    fs::remove_file(&folder).unwrap();
    while rig.health().await["held_in_memory_bytes"] != 0 {
        tokio::task::yield_now().await;
    }
    assert!(!rig.spooled().is_empty());
    let again = rig.read(&rig.hooks.session(0).await, 0).await;
    assert_eq!(again.bytes, small.bytes);
    rig.leave().await;
}

#[tokio::test]
async fn a_message_for_which_there_is_no_room_does_not_end_its_session() {
    let (rig, folder) = without_folder(|limits| limits.session_held_bytes = 1_000_000).await;
    let mut publisher = Publisher::start(rig.gateway.rtmp_addr()).await;
    publisher.headers().await;
    publisher.gops(0, 1, 3_000_000).await;
    publisher.gops(1_000, 1, 1_000).await;
    publisher.finish().await;
    let session = rig.hooks.unpublish(0).await.session.session;
    let flv = rig.read(&session, 0).await;
    assert_eq!((flv.header("headwater-lost"), flv.cursors()), (6, (7..=12).collect()));
    fs::remove_file(&folder).unwrap();
    fs::create_dir(&folder).unwrap();
    rig.leave().await;
}

/// A folder that is deleted under a gateway is made again.
#[tokio::test]
async fn a_deleted_folder_costs_what_was_in_it() {
    let rig = rig().await;
    fs::remove_dir_all(rig.dir.path().join("spool")).unwrap();
    let mut publisher = Publisher::start(rig.gateway.rtmp_addr()).await;
    publisher.headers().await;
    publisher.gops(0, 10, 100_000).await;
    publisher.finish().await;
    let session = rig.hooks.unpublish(0).await.session.session;
    assert_eq!(rig.read(&session, 0).await.cursors().len(), 60);
    rig.leave().await;
}
