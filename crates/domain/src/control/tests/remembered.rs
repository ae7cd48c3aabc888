//! What a broadcast's records remember of what was before.

use super::*;

#[test]
fn a_session_passes_on_itself_and_the_newest_before_it() {
    let mut harness = Harness::new();
    harness.publish(1);
    for session in 2..=9 {
        harness.later(1).publish(session);
    }
    let session = harness.replicated.session().unwrap().clone();
    let passed: Vec<SessionId> = session.passed_on().into_iter().map(|one| one.id).collect();
    let expected: Vec<SessionId> = (6..=9).map(SessionId::from_random).collect();
    assert_eq!(passed, expected, "four, oldest first");
    assert_eq!(session.passed_on()[3].gateway, session.gateway);
}
