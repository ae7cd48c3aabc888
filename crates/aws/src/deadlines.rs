//! How long each call to AWS may take, in one place. Every caller has somebody who waits for it, and gives up.
//!
//! A service can hang (take a connection and never answer), be slow, or drip (answer a byte at a time); each looks like
//! waiting, so time is the only thing that tells. *Attempt* covers one request and its whole answer, *operation* all
//! attempts with the pauses between them. An attempt that times out gives its connection up; the next one does not get it.
//!
//! | program | who waits, and how long | call | attempt | operation | then |
//! |---|---|---|---|---|---|
//! | playlist | the edge: 2 s ([`VIEWERS`] leave room to say so), low latency 6 s of which 4 s are held | table | 0.8 s | 1.5 s | 503; the edge asks the other region |
//! | playlist | the edge: 6 s | a part from the bucket | 0.8 s | 1.5 s, its body included | 503; the edge asks the bucket |
//! | hooks | gateway and task: 4 s an API | table | 1 s | 2.5 s | 503; the peer's API is asked |
//! | hooks, lifecycle | the same; sweep: a minute | RunTask, which takes a second | 1.25 s | 1.5 s | [`TaskStart::Unanswered`]: it may have been heard, heartbeats will tell. Before the gateway asks the peer as well |
//! | api | API Gateway: 30 s, Lambda: 15 s | table | 3 s | 8 s | 503 |
//! | lifecycle, deployment | Lambda: 60 s, 120 s | table, tags, page | 3 s | 8 s | EventBridge or CloudFormation asks again |
//! | every function | Lambda's init phase: 10 s | secrets, side by side | 2 s | 6 s | the start fails with variable and reason |
//! | transcoder | viewers have 6 s | table | 3 s | 8 s | tried again eight times; the gateway keeps |
//! | transcoder | the same | upload | 5 s | 5 s | a second one on a new connection after [`HEDGE_AFTER`]; the mirror after 1.5 s; a gap |
//! | gateway, transcoder | encoder: 8 s | hooks ([`hooks`](crate::hooks)) | 4 s an API | 8 s | denied; heartbeats go on |
//! | gateway | nobody | ECS agent (`transcoder::ecs`) | its own | – | asked again |
//!
//! [`TaskStart::Unanswered`]: headwater_domain::ports::TaskStart::Unanswered

use std::time::Duration;

use aws_smithy_runtime_api::client::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;

/// A connection within AWS takes milliseconds; more than a lost SYN (1 s until it is sent again) is no use waiting for.
const CONNECT_WITHIN: Duration = Duration::from_secs(1);
/// A body that makes no progress for so long is given up. Bodies of ours are bounded by their operation before that; this
/// is for those that are not.
const STALLED_AFTER: Duration = Duration::from_secs(5);

/// An upload that is not answered by then gets company on a connection of its own: if only the connection is dead, that one
/// is stored at once. A healthy bucket answers in a tenth of this.
pub(crate) const HEDGE_AFTER: Duration = Duration::from_millis(1_500);

/// Bounds of one kind of call.
#[derive(Debug, Clone, Copy)]
pub struct Deadlines {
    attempt: Duration,
    operation: Duration,
    attempts: u32,
    /// The longest that the second attempt waits for; each further one doubles it.
    backoff: Duration,
}

/// The playlist function: what the edge waits for.
pub const VIEWERS: Deadlines = Deadlines {
    attempt: Duration::from_millis(800),
    operation: Duration::from_millis(1_500),
    attempts: 3,
    backoff: Duration::from_millis(50),
};

/// The hooks: what gateways and tasks wait for.
pub const HOOKS: Deadlines = Deadlines {
    attempt: Duration::from_secs(1),
    operation: Duration::from_millis(2_500),
    attempts: 3,
    backoff: Duration::from_millis(50),
};

/// Whoever is only asked again later: API, sweep, deployment; and a task's timeline, which the gateway's buffer waits for.
pub const PATIENT: Deadlines = Deadlines {
    attempt: Duration::from_secs(3),
    operation: Duration::from_secs(8),
    attempts: 3,
    backoff: Duration::from_millis(50),
};

/// RunTask. Twenty a second are taken (Fargate throttling quotas), and whoever comes with a crowd waits a moment: 0.4 s on
/// average, [`Deadlines::pauses`] at most. What all attempts are refused is told as that, so there must be time for them. An
/// answer takes about a second, and a function that starts cold makes a handshake before it: one attempt has time for both.
pub(crate) const RUN_TASK: Deadlines = Deadlines {
    attempt: Duration::from_millis(1_250),
    operation: Duration::from_millis(1_500),
    attempts: 4,
    backoff: Duration::from_millis(100),
};

/// What a publish hook needs beside RunTask where all is well: a cold start, four calls to the table, a way there and back.
const BESIDE_RUN_TASK: Duration = Duration::from_millis(500);
// While ECS hangs the own API still says so before the gateway asks the peer, too. (A table that is slow as well can make both
// decide. They decide alike, and their RunTask is one: functions/tests, hooks_late.rs.)
const _: () = assert!(
    RUN_TASK.operation.as_millis() + BESIDE_RUN_TASK.as_millis() <= crate::hooks::HEDGE_AFTER.as_millis()
);
// Four refusals of a tenth of a second each are heard to the end.
const _: () = assert!(RUN_TASK.pauses().as_millis() + 4 * 100 <= RUN_TASK.operation.as_millis());

/// Secrets, when a function starts.
pub(crate) const SECRETS: Deadlines = Deadlines {
    attempt: Duration::from_secs(2),
    operation: Duration::from_secs(6),
    attempts: 3,
    backoff: Duration::from_millis(100),
};

/// Uploads. An attempt has the whole time: a bucket that is slow is answered by nobody if it is asked again and again.
pub(crate) const UPLOADS: Deadlines = Deadlines {
    attempt: Duration::from_secs(5),
    operation: Duration::from_secs(5),
    attempts: 3,
    backoff: Duration::from_millis(50),
};

impl Deadlines {
    pub(crate) fn timeouts(self) -> TimeoutConfig {
        TimeoutConfig::builder()
            .connect_timeout(CONNECT_WITHIN.min(self.attempt))
            .operation_attempt_timeout(self.attempt)
            .operation_timeout(self.operation)
            .build()
    }

    pub(crate) fn retries(self) -> RetryConfig {
        RetryConfig::standard().with_max_attempts(self.attempts).with_initial_backoff(self.backoff)
    }

    /// The most that an operation spends between its attempts.
    const fn pauses(self) -> Duration {
        Duration::from_millis(self.backoff.as_millis() as u64 * ((1 << (self.attempts - 1)) - 1))
    }

    /// All of an operation, for those whose answer's body the SDK leaves to us.
    pub(crate) fn operation(self) -> Duration {
        self.operation
    }
}

/// For bodies that are sent or read as streams.
pub(crate) fn stalled_streams() -> StalledStreamProtectionConfig {
    StalledStreamProtectionConfig::enabled().grace_period(STALLED_AFTER).build()
}
