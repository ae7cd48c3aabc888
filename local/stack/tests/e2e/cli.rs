//! `headwater-local run` as a person uses it: start, stop, start again.

use std::path::Path;
use std::process::Stdio;

use headwater_emulators::ports;
use headwater_local::Endpoints;
use rustix::process::{Pid, Signal, kill_process};
use tokio::net::TcpListener;
use tokio::process::{Child, Command};

use super::support::{PATIENCE, Picture, Platform, eventually};

pub(super) fn run(data: &Path, base: u16) -> Child {
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
pub(super) fn free_base() -> u16 {
    loop {
        let base = 20_000 + rand::random::<u16>() % 20_000;
        let names = vec!["a test"; 22];
        if ports::block(base, &names).is_ok() {
            return base;
        }
    }
}

pub(super) async fn ready(data: &Path, mut start: impl FnMut() -> Child) -> (Child, Endpoints) {
    let file = data.join("endpoints.json");
    let written = || std::fs::metadata(&file).and_then(|data| data.modified()).ok();
    let before = written();
    let mut child = start();
    let endpoints = eventually("it runs", || {
        if child.try_wait().unwrap().is_some() {
            child = start();
        }
        let found = Endpoints::read(&file).ok().filter(|_| written() != before);
        async { found }
    })
    .await;
    (child, endpoints)
}

/// A process, told apart from a later one with its number by when it started.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Process {
    pid: u32,
    parent: u32,
    started: u64,
    name: String,
}

impl Process {
    /// As `/proc/<pid>/stat` tells it (proc(5)): the name stands in brackets and may hold anything.
    fn read(pid: u32) -> Option<Self> {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let (head, tail) = stat.rsplit_once(')')?;
        let fields: Vec<_> = tail.split_whitespace().collect();
        let dead = matches!(*fields.first()?, "Z" | "X");
        let name = head.split_once('(')?.1.to_owned();
        let process =
            Self { pid, parent: fields.get(1)?.parse().ok()?, started: fields.get(19)?.parse().ok()?, name };
        (!dead).then_some(process)
    }

    fn lives(&self) -> bool {
        Self::read(self.pid).is_some_and(|now| now.started == self.started)
    }
}

/// Everything that a process has started, and what that has started.
fn descendants(of: u32) -> Vec<Process> {
    let numbers = std::fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let all: Vec<_> = numbers.filter_map(Process::read).collect();
    let mut found: Vec<Process> = Vec::new();
    let mut parents = vec![of];
    while let Some(parent) = parents.pop() {
        for process in all.iter().filter(|process| process.parent == parent) {
            parents.push(process.pid);
            found.push(process.clone());
        }
    }
    found
}

async fn all_gone(processes: &[Process]) {
    eventually(&format!("nothing is left of {processes:?}"), || async {
        (!processes.iter().any(Process::lives)).then_some(())
    })
    .await;
}

pub(super) async fn signal(child: &mut Child, signal: Signal) {
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
    let pid = child.id().unwrap();
    // The edge, two gateways, functions, and the transcoder of the demo stream.
    let processes = eventually("a task runs", || async {
        let processes = descendants(pid);
        (processes.iter().filter(|process| process.name == "transcoder").count() == 3).then_some(processes)
    })
    .await;
    assert!(processes.iter().any(|process| process.name == "nginx"), "{processes:?}");
    signal(&mut child, Signal::INT).await;
    all_gone(&processes).await;
    assert!(!encoder.end().await.0, "the encoder was told");

    let (mut child, second) = ready(folder.path(), || run(folder.path(), free_base())).await;
    assert_eq!(second.demo.unwrap().stream_id, demo.stream_id, "the stream is still there");
    assert_eq!(second.token, first.token);
    // Killed without mercy, it leaves nothing behind either.
    let processes = descendants(child.id().unwrap());
    assert!(processes.len() >= 3, "{processes:?}");
    signal(&mut child, Signal::KILL).await;
    all_gone(&processes).await;
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
