//! `headwater-local ctl` as a person uses it, against a stack that `headwater-local run` has started.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use headwater_local::demo::ApiClient;
use http::{Method, StatusCode};
use rustix::process::Signal;
use tokio::process::Command;

use super::cli::{free_base, ready, run, signal};
use super::support::{Picture, eventually};

/// Whether it worked, and what it said.
async fn ctl(data: &Path, words: &str) -> (bool, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_headwater-local"));
    let command = command.arg("ctl").args(words.split_whitespace()).env("HEADWATER_DATA", data);
    let output = command.kill_on_drop(true).output().await.unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(said).unwrap())
}

async fn done(data: &Path, words: &str) -> String {
    let (ok, said) = ctl(data, words).await;
    assert!(ok, "{words}: {said}");
    said
}

/// The state that `ctl status` shows of a component.
async fn state(data: &Path, target: &str) -> String {
    let status = done(data, "status").await;
    let line = status.lines().find_map(|line| line.strip_prefix(target)).unwrap();
    line.trim().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_stack_is_made_to_fail_and_put_right() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    let (ok, said) = ctl(data, "status").await;
    assert!(!ok && said.contains("nothing runs") && said.contains("make run"), "{said}");

    let (mut child, endpoints) = ready(data, || run(data, free_base())).await;
    let mode = std::fs::metadata(data.join("control.sock")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "only its owner gives commands");
    let demo = endpoints.demo.clone().unwrap();
    let api = ApiClient::new(&endpoints.regions[0].api, &endpoints.token);
    let health = || api.call(Method::GET, "/health", None);

    assert_eq!(done(data, "stop us-east-1/api").await, "done: inject us-east-1/api stopped\n");
    assert!(health().await.is_err());
    assert_eq!(state(data, "us-east-1/api").await, "stopped");
    done(data, "start a/api").await;
    assert_eq!(health().await.unwrap().0, StatusCode::OK);
    done(data, "fail 1 throttle a/api").await;
    done(data, "slow 20 a/api").await;
    assert_eq!(health().await.unwrap().0, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(state(data, "us-east-1/api").await, "slow-20ms, failing-1-throttle-seed-0");
    done(data, "fail 1 a/api").await;
    assert_eq!(health().await.unwrap().0, StatusCode::SERVICE_UNAVAILABLE);
    done(data, "start a/api").await;
    assert_eq!(state(data, "us-east-1/api").await, "works");

    done(data, "partition").await;
    assert_eq!(state(data, "eu-west-1/peer-s3").await, "frozen");
    assert_eq!(state(data, "eu-west-1/replication").await, "stopped");
    done(data, "heal").await;
    assert!(!done(data, "status").await.contains("frozen"));

    assert_eq!(done(data, "tasks").await, "no tasks\n");
    let encoder = Picture::default().publish(&format!("{}/{}", endpoints.regions[0].rtmp, demo.stream_key));
    let first = eventually("a task runs", || async {
        let tasks = done(data, "tasks").await;
        tasks.contains("RUNNING").then_some(tasks)
    })
    .await;
    assert!(first.contains(&demo.stream_id) && first.contains("us-east-1"), "{first}");
    let id = first.split_whitespace().next().unwrap();
    done(data, "freeze a/transcoders").await;
    eventually("it is frozen", || async { done(data, "tasks").await.contains("FROZEN").then_some(()) }).await;
    done(data, "thaw a/transcoders").await;
    done(data, &format!("kill {}", &id[..8])).await;
    eventually("another task", || async {
        let tasks = done(data, "tasks").await;
        (tasks.contains("RUNNING") && !tasks.contains(id)).then_some(())
    })
    .await;
    assert!(done(data, &format!("kill {} TERM", demo.stream_id)).await.contains("got it"));

    done(data, "region stop us-east-1").await;
    assert!(health().await.is_err() && !encoder.end().await.0);
    assert_eq!(state(data, "us-east-1/gateway").await, "stopped");
    let (ok, said) = ctl(data, "kill a/gateway").await;
    assert!(!ok && said.contains("the gateway of us-east-1 does not run"), "{said}");
    done(data, "region start a").await;
    assert_eq!(health().await.unwrap().0, StatusCode::OK);
    assert_eq!(state(data, "us-east-1/gateway").await, "works");

    for (words, tells) in [
        ("stop a/s4", "api, functions, dynamodb, replication, s3"),
        ("stop us-west-2/s3", "us-east-1 (a) and eu-west-1 (b)"),
        ("stop s3", "<region>/<component>"),
        ("fail 2 a/s3", "from 0 to 1"),
        ("fail 0.5 teapot a/s3", "500, 503 and throttle"),
        ("fail 1 a/gateway", "stopped or frozen"),
        ("kill nobody", "no task or stream \"nobody\""),
        ("kill nobody LOUD", "KILL, TERM"),
    ] {
        let (ok, said) = ctl(data, words).await;
        assert!(!ok && said.contains(tells), "{words}: {said}");
    }
    let help = done(data, "--help").await;
    assert!(help.contains("edge-s3") && help.contains("partition"), "{help}");
    signal(&mut child, Signal::INT).await;
    assert!(!data.join("control.sock").exists());
}
