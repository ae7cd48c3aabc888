//! `make soak`: a real transcode of 1080p to four rungs in real time, on the whole platform, with an encoder that leaves and
//! comes back again and again. It fails if anything grows: memory, descriptors, threads, files, sessions, tasks.
#![allow(clippy::print_stdout, reason = "this is the program's output")]

mod account;
mod look;
mod stage;

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::ensure;
use clap::Parser;

use account::Account;
use stage::Stage;

/// How often is looked.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Behind a reconnect everything may be in motion for so long; it is not looked at.
const SETTLES_WITHIN: Duration = Duration::from_secs(10);

/// Watches a long transcode.
#[derive(Parser)]
#[command(version)]
struct Options {
    /// How long.
    #[arg(long, default_value_t = 30.0)]
    minutes: f64,
    /// How often the encoder leaves and comes back in this time.
    #[arg(long, default_value_t = 20)]
    reconnects: u32,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    let folder = tempfile::tempdir()?;
    tokio::select! {
        ended = soak(&options, folder.path()) => ended,
        interrupted = tokio::signal::ctrl_c() => {
            interrupted?;
            anyhow::bail!("interrupted")
        }
    }
}

async fn soak(options: &Options, folder: &Path) -> anyhow::Result<()> {
    let stage = Stage::start(folder).await?;
    let connections = options.reconnects + 1;
    let each = Duration::from_secs_f64(options.minutes * 60.0 / f64::from(connections));
    let began = Instant::now();
    let mut account = Account::default();
    let (mut decode_errors, mut reduced) = (0, 0);
    for connection in 1..=connections {
        let encoder = stage.publish().await?;
        let until = Instant::now() + each;
        tokio::time::sleep(SETTLES_WITHIN.min(each)).await;
        while Instant::now() + LOOK_EVERY < until {
            tokio::time::sleep(LOOK_EVERY).await;
            account.note(stage.look().await?)?;
        }
        let health = stage.health().await?;
        decode_errors = health.decode_errors;
        reduced += u32::from(health.fast_preset || health.renditions_dropped > 0);
        println!("{:5.1} min  {}", began.elapsed().as_secs_f64() / 60.0, account.newest());
        // Some say goodbye, some vanish.
        encoder.leave(connection % 2 == 0).await?;
    }
    stage.end().await?;
    println!(
        "\n{:.1} min of 1080p in four rungs, the encoder came back {} times; {decode_errors} decode errors; \
         {reduced} of {connections} times the transcoder did less because the machine was too busy\n",
        began.elapsed().as_secs_f64() / 60.0,
        options.reconnects,
    );
    print!("{}", account.table());
    let mut broken = account.broken();
    if decode_errors > 0 {
        broken.push(format!("{decode_errors} pictures or sounds could not be decoded"));
    }
    ensure!(broken.is_empty(), "{}", broken.join("; "));
    Ok(())
}
