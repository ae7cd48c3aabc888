//! Good recordings break no rule, and between them every rule is looked at.

use std::collections::BTreeSet;

use headwater_conformance::{Outcome, RULES, Recording, decode, judge};

use super::support::example;

#[tokio::test]
async fn good_recordings_pass() {
    let mut passed = BTreeSet::new();
    for recording in [example().live(), example().vod(), example().low_latency()] {
        let report = judge(&recording);
        assert!(report.passed(), "{report}");
        passed.extend(report.with(Outcome::Pass));
        assert_eq!(decode(&recording).await.unwrap(), [], "the example is real media");
    }
    let never: Vec<_> = RULES.iter().map(|rule| rule.id).filter(|id| !passed.contains(id)).collect();
    assert!(never.is_empty(), "nothing in the examples is what these are about: {never:?}");
}

#[test]
fn a_recording_survives_its_folder() {
    let folder = tempfile::tempdir().unwrap();
    let recording = example().low_latency();
    recording.write(folder.path()).unwrap();
    assert!(Recording::read(folder.path()).unwrap() == recording);
    std::fs::write(folder.path().join("recording.json"), "{").unwrap();
    assert!(Recording::read(folder.path()).is_err());
}

#[test]
fn an_empty_recording_is_no_stream() {
    let report = judge(&Recording::default());
    assert_eq!(report.failed(), ["multivariant-syntax"], "{report}");
}
