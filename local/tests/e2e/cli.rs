//! `headwater-local run` as a person uses it: start, stop, start again.

use std::path::Path;
use std::process::Stdio;

use headwater_local::ports;
use headwater_local::stack::Endpoints;
use rustix::process::{Pid, Signal, kill_process};
use tokio::net::TcpListener;
use tokio::process::{Child, Command};

use super::support::{PATIENCE, Picture, Platform, eventually};

fn run(data: &Path, base: u16) -> Child {
    Command::new(env!("CARGO_BIN_EXE_headwater-local"))
        .args(["run", "--port-base", &base.to_string()])
        .env("HEADWATER_DATA", data)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}

/// A base whose whole block is free now. Another test may take it before we do: then the start says so, and is tried
/// again.
fn free_base() -> u16 {
    loop {
        let base = 20_000 + rand::random::<u16>() % 20_000;
        let names = vec!["a test"; 22];
        if ports::block(base, &names).is_ok() {
            return base;
        }
    }
}

async fn ready(data: &Path, mut start: impl FnMut() -> Child) -> (Child, Endpoints) {
    let file = data.join("endpoints.json");
    let _ = std::fs::remove_file(&file);
    let mut child = start();
    let endpoints = eventually("it runs", || {
        if child.try_wait().unwrap().is_some() {
            child = start();
        }
        let found = Endpoints::read(&file).ok();
        async { found }
    })
    .await;
    (child, endpoints)
}

/// Processes whose command line or environment names `data`.
fn survivors(data: &Path) -> Vec<String> {
    let needle = data.to_str().unwrap().as_bytes().to_vec();
    let names = |file: &str| {
        let bytes = std::fs::read(file).unwrap_or_default();
        bytes.windows(needle.len()).any(|window| window == needle)
    };
    std::fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok())
        .filter(|pid| names(&format!("/proc/{pid}/cmdline")) || names(&format!("/proc/{pid}/environ")))
        .map(|pid| {
            format!("{pid} {}", std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default())
        })
        .collect()
}

async fn signal(child: &mut Child, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(child.id().unwrap()).unwrap()).unwrap();
    kill_process(pid, signal).unwrap();
    tokio::time::timeout(PATIENCE, child.wait()).await.expect("it ends").unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn one_ctrl_c_stops_everything_and_a_second_start_finds_its_data() {
    let folder = tempfile::tempdir().unwrap();
    let (mut child, first) = ready(folder.path(), || run(folder.path(), free_base())).await;
    let demo = first.demo.clone().unwrap();
    let encoder = Picture::default().publish(&format!("{}/{}", first.regions[0].rtmp, demo.stream_key));
    let tasks = folder.path().canonicalize().unwrap().join("us-east-1");
    assert!(tasks.exists());
    eventually("a task runs", || async { (survivors(folder.path()).len() > 4).then_some(()) }).await;
    signal(&mut child, Signal::INT).await;
    eventually("nothing is left", || async { survivors(folder.path()).is_empty().then_some(()) }).await;
    assert!(!encoder.end().await.0, "the encoder was told");

    let (mut child, second) = ready(folder.path(), || run(folder.path(), free_base())).await;
    assert_eq!(second.demo.unwrap().stream_id, demo.stream_id, "the stream is still there");
    assert_eq!(second.token, first.token);
    // Killed without mercy, it leaves nothing behind either.
    signal(&mut child, Signal::KILL).await;
    eventually("nothing is left", || async { survivors(folder.path()).is_empty().then_some(()) }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_busy_port_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let base = free_base();
    let _busy = TcpListener::bind(("127.0.0.1", base + 3)).await.unwrap();
    let output = run(folder.path(), base).wait_with_output().await.unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        !output.status.success() && said.contains(&(base + 3).to_string()) && said.contains("PORT_BASE"),
        "{said}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn two_stacks_live_side_by_side() {
    let (one, other) = tokio::join!(Platform::start(), Platform::start());
    let (a, b) = (one.create(serde_json::json!({})).await, other.create(serde_json::json!({})).await);
    assert_ne!(a.id, b.id);
    tokio::join!(one.stop(), other.stop());
}
