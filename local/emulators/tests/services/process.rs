//! Children: stopped, killed, reaped, and never left behind. Ports: kept and named.

use super::support::{example, until};
use headwater_emulators::edge::{Distribution, Edge, EdgeConfig};
use headwater_emulators::ports;
use headwater_emulators::process::{Exit, Launch, ProcessError, Signal, Spawner};
use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader};

fn alive(pid: u32) -> bool {
    // A zombie has been killed; only its parent has yet to read how.
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(") ").next().is_some_and(|rest| !rest.is_empty() && !rest.starts_with('Z'))
}

fn children_of(pid: u32) -> BTreeSet<u32> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    text.split_whitespace().map(|pid| pid.parse().unwrap()).collect()
}

#[tokio::test]
async fn a_child_is_stopped_and_reaped() {
    let folder = tempfile::tempdir().unwrap();
    let spawner = Spawner::new().unwrap();
    let log = folder.path().join("logs/child.log");
    let script = "echo $OWN; exec sleep 600";
    let launch = Launch::new("sh", &log).args(["-c", script]).env([("OWN", "yes")]);
    let child = spawner.spawn(launch).await.unwrap();
    until("it has started", || std::fs::read_to_string(&log).unwrap() == "yes\n").await;
    assert!(alive(child.pid()));
    assert_eq!(child.stop(Duration::from_secs(30)).await, Exit::Signal(Signal::TERM.as_raw()));
    assert!(!Path::new(&format!("/proc/{}", child.pid())).exists());
    child.signal(Signal::KILL).await; // nobody is hit

    let dropped = spawner.spawn(Launch::new("sleep", &log).args(["600"])).await.unwrap();
    let pid = dropped.pid();
    drop(dropped);
    until("it ends with its handle", || !alive(pid)).await;
    let missing = spawner.spawn(Launch::new("/nonexistent/program", &log)).await.unwrap_err();
    assert!(matches!(missing, ProcessError::Missing(_)));
}

#[tokio::test]
async fn nothing_outlives_a_parent_that_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let mut parent = tokio::process::Command::new(example("foster_parent"))
        .arg(folder.path())
        .stdout(std::process::Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(parent.stdout.take().unwrap()).lines();
    let line = lines.next_line().await.unwrap().expect("it prints its children");
    let direct: BTreeSet<u32> = line.split(' ').map(|pid| pid.parse().unwrap()).collect();
    let mut all: BTreeSet<u32> =
        direct.iter().copied().chain(direct.iter().flat_map(|pid| children_of(*pid))).collect();
    assert!(all.len() >= 3, "sleep, nginx and its worker: {all:?}");
    assert!(all.iter().all(|pid| alive(*pid)));
    parent.kill().await.unwrap(); // SIGKILL
    until("all end with their parent", || {
        all.retain(|pid| alive(*pid));
        all.is_empty()
    })
    .await;
}

/// A dropped edge, or one whose whole runtime is dropped, takes nginx's own children along.
#[test]
fn nothing_outlives_a_dropped_handle_or_runtime() {
    for drop_edge_first in [true, false] {
        let folder = tempfile::tempdir().unwrap();
        let config = EdgeConfig {
            folder: folder.path().join("edge"),
            nodes: vec![0],
            distribution: Distribution::default(),
        };
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let (edge, mut all) = runtime.block_on(async {
            let edge = Edge::start(config, Spawner::new().unwrap()).await.unwrap();
            let pid = edge.pid().await.unwrap();
            (edge, children_of(pid).into_iter().chain([pid]).collect::<BTreeSet<_>>())
        });
        assert!(all.len() >= 2, "nginx and its worker: {all:?}");
        let mut runtime = Some(runtime);
        if drop_edge_first {
            drop(edge);
        } else {
            drop(runtime.take());
        }
        while !all.is_empty() {
            all.retain(|pid| alive(*pid));
            std::thread::yield_now();
        }
    }
}

#[tokio::test]
async fn a_busy_port_is_named_and_a_reserved_one_refuses_until_it_listens() {
    let reserved = ports::free(2).unwrap();
    let (first, second) = (&reserved[0], &reserved[1]);
    assert_ne!(first.port(), second.port());
    tokio::net::TcpStream::connect(first.addr()).await.unwrap_err();
    let listener = first.listen().unwrap();
    tokio::net::TcpStream::connect(first.addr()).await.unwrap();
    let busy = ports::block(first.port(), &["dynamodb us-east-1"]).unwrap_err();
    let expected = format!("port {} on 127.0.0.1 is in use (dynamodb us-east-1 needs it)", first.port());
    assert_eq!(busy.to_string(), expected);
    drop(listener);
    tokio::net::TcpStream::connect(first.addr()).await.unwrap_err();
    first.listen().unwrap();
    assert!(matches!(ports::block(65000, &["x"; 600]), Err(ports::PortError::OutOfRange { .. })));
}

/// Between fork and exec a child has a copy of every socket of ours.
#[tokio::test(flavor = "multi_thread")]
async fn a_port_is_free_to_listen_again_while_children_are_started() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("child.log");
    let spawner = Spawner::new().unwrap();
    let starting = tokio::spawn(async move {
        for _ in 0..100 {
            drop(spawner.spawn(Launch::new("true", &log)).await.unwrap());
        }
    });
    let reserved = ports::free(1).unwrap();
    while !starting.is_finished() {
        drop(reserved[0].listen().unwrap());
        tokio::task::yield_now().await;
    }
    starting.await.unwrap();
}
