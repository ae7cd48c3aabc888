//! The media container: `transcoder gateway` and `transcoder run`. Settings come from the environment.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod start;

/// Headwater's media container.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Accept encoders over RTMP and serve their media to transcoders.
    Gateway,
    /// Transcode one broadcast under one lease, then leave.
    Run,
}

fn main() -> ExitCode {
    let Arguments { command } = Arguments::parse();
    start::logging();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!(%error, "cannot start");
            return ExitCode::FAILURE;
        }
    };
    let outcome = runtime.block_on(async {
        match command {
            Command::Gateway => start::gateway().await,
            Command::Run => start::run().await,
        }
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}
