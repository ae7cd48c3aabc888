//! What one transcoder task decides: which source it reads and how long it waits for it, in which order what its engine
//! makes is stored and committed, what its heartbeats tell and when, when it is fenced, and when it leaves.
//!
//! Pure and sans-IO: what happens is handed in, what is to be done comes out. No tokio, AWS, ffmpeg, environment or clock
//! here, so the same code runs in the product (`transcoder/src/task`: sockets, threads, buckets) and in the simulation of
//! both regions (`functions/tests/simulation`), where every way to fail is tried. A shell around it must
//!
//! - call [`Task::poll`] until there is nothing more, and do what each [`Output`] says, in order;
//! - then wait for whatever happens first, and [`Task::handle`] it;
//! - hand in [`Input::Timeout`] when [`Task::deadline`] is reached.
//!
//! Bytes of sources do not pass through it (a shell keeps them in a [`ReplayBuffer`]), what the engine makes does, as long
//! as it [has room](Task::has_room). A shell has no decision to take: if it seems to have one, an input or an output is
//! missing.
//!
//! ```
//! use std::time::Duration;
//!
//! use headwater_domain::heartbeat::Activity;
//! use headwater_domain::hooks::TranscoderOrder;
//! use headwater_domain::{BroadcastId, Lease, Timestamp};
//! use headwater_task::{Exit, Input, Now, Output, Task};
//!
//! # fn granted() -> (BroadcastId, Lease) {
//! #     use headwater_domain::testing::samples;
//! #     (samples::broadcast(), samples::lease(1))
//! # }
//! let (broadcast, lease) = granted();
//! let now = Now { monotonic: Duration::from_secs(3), wall: Timestamp(1_700_000_000_000) };
//! let mut task = Task::new(now, broadcast, lease);
//! assert!(matches!(task.poll(), Some(Output::Heartbeat(_))), "it asks for an order");
//! assert!(task.poll().is_none() && task.deadline().is_none(), "and waits for the answer");
//!
//! task.handle(now, Input::Ordered(TranscoderOrder::Stop { reason: "the broadcast is over".into() }));
//! let outputs: Vec<Output> = std::iter::from_fn(|| task.poll()).collect();
//! assert!(matches!(outputs.last(), Some(Output::Drain)), "nothing is left to be read");
//! task.handle(now, Input::Drained);
//! assert!(matches!(task.poll(), Some(Output::Heartbeat(health)) if health.activity == Activity::Leaving));
//! task.handle(now, Input::Unanswered);
//! assert!(matches!(task.poll(), Some(Output::Exit(Ok(Exit::Over)))), "it has said goodbye");
//! ```

#![warn(missing_docs, reason = "strangers read the libraries' rustdoc; programs are read in their source")]

mod commits;
pub mod engine;
mod health;
mod heartbeats;
mod reading;
mod replay;
pub mod source;
mod task;
mod time;
pub mod timeline;

pub use commits::{Upload, UploadId};
pub use health::{About, TaskMetrics};
pub use replay::{Replay, ReplayBuffer};
pub use task::{Exit, Feed, Input, Output, Report, Run, Task, TimelineLost};
pub use time::Now;
