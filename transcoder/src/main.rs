//! The media container: `transcoder gateway` and `transcoder run`. Settings come from the environment.

use std::io::Write;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod command;
mod start;

/// Headwater's media container.
#[derive(Parser)]
#[command(version, long_version = command::VERSION.as_str())]
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
    /// Say whether the gateway of this container (SOURCE_LISTEN) is well; exit code 1 if not.
    Health,
    /// Prove that the FFmpeg libraries can transcode; exit code 1 if not.
    Check,
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
            Command::Health => command::health().await.and_then(say),
            Command::Check => command::check().and_then(say),
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

fn say(answer: String) -> anyhow::Result<()> {
    Ok(writeln!(std::io::stdout(), "{answer}")?)
}
