//! `make drill`, short: one kill and one cut, told and judged.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail the test")]

use std::collections::BTreeSet;
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tokio::process::Command;

/// The longest that it may take; on a busy machine things take their time.
const PATIENCE: Duration = Duration::from_secs(90);

/// Whether the drill succeeded, and everything it said.
async fn drill(arguments: &[&str]) -> (bool, String) {
    let mut drill = Command::new(env!("CARGO_BIN_EXE_headwater-drill"));
    let running = drill.args(arguments).stdin(Stdio::null()).kill_on_drop(true).output();
    let output = tokio::time::timeout(PATIENCE, running).await.expect("it does not end").unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drill_tells_what_was_seen_and_that_the_promises_held() {
    let (ok, said) = drill(&["--only", "kill-transcoder", "--only", "drop-encoder", "--json"]).await;
    assert!(ok, "{said}");
    let report = said.lines().find(|line| line.starts_with('{')).expect("a report");
    let report: Value = serde_json::from_str(report).unwrap();
    let [killed, cut] = report["scenes"].as_array().unwrap().as_slice() else { panic!("{report}") };
    for scene in [killed, cut] {
        assert_eq!(scene["broken"], Value::Array(Vec::new()), "{said}");
        assert!(scene["segments"].as_u64().unwrap() >= 3, "{scene}");
        let statuses: BTreeSet<_> = scene["statuses"].as_object().unwrap().keys().cloned().collect();
        assert_eq!(statuses, ["200".to_owned()].into(), "{scene}");
    }
    assert_eq!((&killed["cuts"], &killed["discontinuities"]), (&0.into(), &0.into()), "{killed}");
    assert_eq!((&cut["cuts"], &cut["discontinuities"]), (&1.into(), &1.into()), "{cut}");
    assert!(cut["off_air"].as_f64().unwrap() > 0.0 && cut["missing"].as_f64().unwrap() > 0.0, "{cut}");
    assert!(said.contains("encoder: noticed nothing"), "{said}");
}
