//! What a first request waits for, counted in simulated time: a function that starts cold has two seconds in all. And what
//! becomes of a request whose caller has given up before the answer came.

use std::time::Duration;

use headwater_domain::control::decide::StartTask;
use headwater_domain::hooks::{PublishAnswer, PublishRequest};
use headwater_domain::ports::{PortResult, ReadBroadcasts, ReadControl, StartTasks, TaskStart};
use headwater_domain::testing::fakes::FakeCluster;
use headwater_domain::testing::samples;
use tokio::time::Instant;

use crate::support::{Answer, Event, Harness, Shim, publish_answer};

/// An answer of the table within its region.
const NEAR: Duration = Duration::from_millis(20);
/// RunTask's.
const RUN_TASK: Duration = Duration::from_secs(1);
/// Answers that a publish waits for one after the other, beside RunTask (tests/deploy/test_cold.py counts with them).
const PUBLISH_WAITS: u32 = 4;
/// The same of a playlist.
const PLAYLIST_WAITS: u32 = 3;

/// A cluster that is as far away as on AWS, or farther.
#[derive(Debug, Clone)]
struct FarCluster {
    cluster: FakeCluster,
    answers_after: Duration,
    /// What is said then, if nothing is heard of it before.
    says: TaskStart,
}

impl StartTasks for FarCluster {
    async fn start(&self, task: &StartTask) -> PortResult<TaskStart> {
        // It is heard at once; the answer is what takes long.
        self.cluster.start(task).await?;
        tokio::time::sleep(self.answers_after).await;
        Ok(self.says.clone())
    }
}

fn far(harness: &Harness, answers_after: Duration, says: TaskStart) -> FarCluster {
    FarCluster { cluster: harness.cluster.clone(), answers_after, says }
}

#[tokio::test(start_paused = true)]
async fn a_publish_waits_for_four_answers_of_the_table_and_for_ecs() {
    let harness = Harness::seeded().await;
    let hooks = harness.hooks(Shim::slow(&harness.table, NEAR), far(&harness, RUN_TASK, TaskStart::Started));
    let begun = Instant::now();
    let answer = publish_answer(&Answer::of(hooks.handle(harness.publish_event(1).request()).await));
    assert!(matches!(answer, PublishAnswer::Allow { .. }), "{answer:?}");
    assert_eq!(begun.elapsed(), NEAR * PUBLISH_WAITS + RUN_TASK);
    // What is done beside RunTask is done.
    assert_eq!(harness.cluster.started().len(), 1);
    let history = harness.table.broadcasts(&samples::stream_id(), None, 10).await.unwrap().items;
    assert_eq!(history.len(), 1);
    assert_eq!(harness.table.active(&"us-east-1".parse().unwrap()).await.unwrap(), [samples::stream_id()]);
}

#[tokio::test(start_paused = true)]
async fn a_playlist_waits_for_three_answers_of_the_table_at_most() {
    let harness = Harness::seeded().await;
    let session = harness.allowed(1).await;
    harness.heartbeat_live(&session).await;
    harness.commit(&harness.lease().await, 0).await;
    for event in ["playlist-multivariant", "playlist-media"] {
        let playlists = harness.playlist_over(Shim::slow(&harness.table, NEAR), &[]);
        let begun = Instant::now();
        let answer = Answer::of(playlists.handle(Event::sample(event).request()).await);
        assert_eq!(answer.status, 200, "{event}: {}", answer.text());
        assert!(begun.elapsed() <= NEAR * PLAYLIST_WAITS, "{event}: {:?}", begun.elapsed());
    }
}

/// The gateway gives the first request up and asks again, here or in the other region, while the first is still decided on.
#[tokio::test(start_paused = true)]
async fn a_request_that_timed_out_and_is_made_again_is_one_session_and_one_task() {
    for says in [TaskStart::Started, TaskStart::Unanswered] {
        for by_peer in [false, true] {
            let harness = Harness::seeded().await;
            let elsewhere = if by_peer { harness.other_region() } else { harness.clone() };
            // As a real gateway asks: it says when it asked first, the same with each repetition.
            let asked = harness.publish_event(1).edit(|body| body["asked_at"] = body_time());
            let slow = Duration::from_secs(3);
            let first = harness.hooks(Shim::slow(&harness.table, NEAR), far(&harness, slow, says.clone()));
            let second = elsewhere
                .hooks(Shim::slow(&harness.table, NEAR), far(&harness, RUN_TASK, TaskStart::Started));
            let given_up = async {
                tokio::time::sleep(Duration::from_millis(2_400)).await;
                publish_answer(&Answer::of(second.handle(asked.request()).await))
            };
            let first = async { publish_answer(&Answer::of(first.handle(asked.request()).await)) };
            let (late, answer) = tokio::join!(first, given_up);
            assert!(matches!(answer, PublishAnswer::Allow { .. }), "{answer:?}");
            assert_eq!(late, answer, "nobody waits for it any more, and it says the same");
            let [task] = &harness.cluster.started()[..] else { panic!("{:?}", harness.cluster.started()) };
            assert_eq!(
                task.lease,
                harness.lease().await,
                "both asked ECS for the same task, by one client token"
            );
            let replicated = harness.table.replicated_state(&samples::stream_id()).await.unwrap();
            let session: PublishRequest = serde_json::from_value(asked_body(&asked)).unwrap();
            assert_eq!(replicated.session().unwrap().id, session.session);
            assert_eq!(replicated.session().unwrap().order, 1, "it is the first and the only one");
            let history = harness.table.broadcasts(&samples::stream_id(), None, 10).await.unwrap().items;
            assert_eq!(history.len(), 1);
        }
    }
}

fn body_time() -> serde_json::Value {
    serde_json::json!(crate::support::now())
}

fn asked_body(event: &Event) -> serde_json::Value {
    let request = event.request();
    let body: &[u8] = request.body();
    serde_json::from_slice(body).unwrap()
}
