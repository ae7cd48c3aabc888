//! A load of publishers without encoders: many RTMP sessions that send one clip in real time, and readers that hold what
//! the gateway has against what was sent. Knows nothing of what is measured.

mod follow;
mod gateway;
mod publish;
mod script;

pub(crate) use follow::{Followed, follow};
pub(crate) use gateway::Gateway;
pub(crate) use publish::{Publication, Target, publish};
pub(crate) use script::Script;
