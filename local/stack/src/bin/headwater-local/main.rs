//! `headwater-local`: the whole platform on one machine, both regions, one command.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use headwater_local::control::Control;
use headwater_local::{Binaries, Demo, Endpoints, Ports, Stack, StackConfig, demo};
use tokio::signal::unix::{SignalKind, signal};

mod banner;
mod ctl;
mod publish;

/// Headwater on one machine.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// Folder that everything persists under.
    #[arg(long, env = "HEADWATER_DATA", default_value = ".headwater", global = true)]
    data: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Start both regions; Ctrl-C stops everything.
    Run {
        /// First port of the block (default: edge 8080, RTMP 1935 and 1936).
        #[arg(long, env = "PORT_BASE")]
        port_base: Option<u16>,
        /// The player page's files.
        #[arg(long, env = "HEADWATER_WEB", default_value = "web/dist")]
        web: PathBuf,
        /// Seconds between RunTask and the task's process; Fargate needs 20 to 70.
        #[arg(long, default_value_t = 0.0)]
        task_start_delay: f64,
        /// Seconds that one region's writes need to the other.
        #[arg(long, default_value_t = 0.2)]
        replication_lag: f64,
    },
    /// Publish a test picture with a running clock and a tone to the running stack.
    Demo {
        /// 0 is region A, 1 is region B.
        #[arg(long, default_value_t = 0)]
        region: usize,
    },
    /// Make components of the running stack fail, and put them right.
    #[command(after_help = ctl::components())]
    Ctl {
        #[command(subcommand)]
        order: ctl::Ctl,
    },
}

fn main() -> ExitCode {
    match start(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            banner::failed(&error);
            ExitCode::FAILURE
        }
    }
}

fn start(arguments: Arguments) -> anyhow::Result<()> {
    let Arguments { data, command } = arguments;
    let filter = tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "warn".into());
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false).init();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    match command {
        Command::Ctl { order } => Ok(runtime.block_on(ctl::ctl(&data, order))?),
        Command::Demo { region } => publish::demo(&data.join("endpoints.json"), region),
        Command::Run { port_base, web, task_start_delay, replication_lag } => {
            let mut config = StackConfig::new(
                &data,
                port_base.map_or(Ports::Default, Ports::Base),
                Binaries::beside_me()?,
            );
            config.web = web.join("index.html").exists().then(|| web.canonicalize()).transpose()?;
            config.task_start_delay = Duration::try_from_secs_f64(task_start_delay)?;
            config.replication_lag = Duration::try_from_secs_f64(replication_lag)?;
            runtime.block_on(run(config, &data))
        }
    }
}

async fn run(config: StackConfig, data: &Path) -> anyhow::Result<()> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let has_page = config.web.is_some();
    let file = data.join("endpoints.json");
    let before: Option<Demo> = Endpoints::read(&file).ok().and_then(|endpoints| endpoints.demo);
    let stack = tokio::select! {
        stack = Stack::start(config) => stack?,
        _ = interrupt.recv() => return Ok(()),
        _ = terminate.recv() => return Ok(()),
    };
    let control = Control::listen(stack.data())?;
    let demo =
        demo::demo(&stack.endpoints(None), before).await.context("the API does not answer as it should")?;
    let endpoints = stack.endpoints(Some(demo));
    endpoints.write(&file)?;
    banner::print(&endpoints, stack.data(), has_page);
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
        () = control.serve(&stack) => {}
    }
    drop(control);
    banner::stopping();
    tokio::select! {
        () = stack.stop() => {}
        // A second Ctrl-C: everything dies with us.
        _ = interrupt.recv() => {}
    }
    Ok(())
}
