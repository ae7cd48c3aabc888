//! What a broadcast's records remember of what was before.

use super::*;
use crate::ids::BroadcastId;

#[test]
fn a_session_passes_on_itself_and_the_newest_before_it() {
    let mut world = World::new();
    world.publish(1);
    for session in 2..=9 {
        world.later(1).publish(session);
    }
    let session = world.situation.session().unwrap().clone();
    let passed: Vec<SessionId> = session.passed_on().into_iter().map(|one| one.id).collect();
    let expected: Vec<SessionId> = (6..=9).map(SessionId::from_random).collect();
    assert_eq!(passed, expected, "four, oldest first");
    assert_eq!(session.passed_on()[3].gateway, session.gateway);
}

#[test]
fn whether_a_broadcast_is_recorded_is_said_of_the_current_one_only() {
    let mut world = World::new();
    let unknown = BroadcastId::new(&stream().id, T0, 99);
    assert_eq!(world.situation.is_recorded(&unknown), None);
    world.publish(1);
    let broadcast = world.situation.broadcast().unwrap().clone();
    assert_eq!(world.situation.is_recorded(&broadcast), Some(stream().settings.record));
    assert_eq!(world.situation.is_recorded(&unknown), None, "another one's");
}
