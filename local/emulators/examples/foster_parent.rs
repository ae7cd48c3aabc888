//! A tiny stand-in for the whole stack, for the test that kills it: starts a process and an edge, prints their
//! process ids, and waits to be killed.

use headwater_emulators::edge::{Distribution, Edge, EdgeConfig};
use headwater_emulators::process::{Launch, Spawner};

#[tokio::main]
#[allow(clippy::print_stdout, reason = "the test reads it")]
async fn main() -> anyhow::Result<()> {
    let folder = std::path::PathBuf::from(std::env::args().nth(1).unwrap_or_default());
    let spawner = Spawner::new()?;
    let sleep = Launch::new("sleep", folder.join("sleep.log")).args(["600"]);
    let child = spawner.spawn(sleep).await?;
    let config =
        EdgeConfig { folder: folder.join("edge"), nodes: vec![0], distribution: Distribution::default() };
    let edge = Edge::start(config, spawner).await?;
    println!("{} {}", child.pid(), edge.pid().await.unwrap_or_default());
    std::future::pending().await
}
