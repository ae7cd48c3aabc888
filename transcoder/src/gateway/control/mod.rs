//! What the gateway and its environment say to each other: the hooks about publishers and sessions, ECS about being stopped.

pub mod admission;
pub mod auth_limiter;
pub mod heartbeats;
pub mod protection;
pub mod unpublish;
pub mod withdrawals;
