//! `headwater-local ctl`: makes components of the running stack fail, and puts them right.
#![allow(clippy::print_stdout, reason = "this is the program's output")]

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use clap::Subcommand;
use headwater_emulators::fault::{Failure, Fault, Rate, bandwidth_from, drip_from, latency_from};
use headwater_emulators::process::Signal;
use headwater_local::control::{self, AskError, Command, SignalTarget, signal_from};
use headwater_local::{Component, FaultTarget, RegionId};

/// What a person can command.
#[derive(Subcommand)]
pub(crate) enum Ctl {
    /// Show each component and what is wrong with it.
    Status,
    /// Make a component refuse connections; end a process.
    Stop {
        /// <region>/<component>
        target: FaultTarget,
    },
    /// Put a component right again, whatever is wrong with it.
    Start {
        /// <region>/<component>
        target: FaultTarget,
    },
    /// Make a component hang: connections are taken, nothing is answered; processes get SIGSTOP.
    Freeze {
        /// <region>/<component>
        target: FaultTarget,
    },
    /// Wake it; the same as start.
    Thaw {
        /// <region>/<component>
        target: FaultTarget,
    },
    /// Delay every answer.
    Slow {
        /// Milliseconds.
        #[arg(value_parser = latency_from)]
        ms: Duration,
        /// <region>/<component>
        target: FaultTarget,
    },
    /// Answer a byte at a time.
    Drip {
        /// Milliseconds between two bytes.
        #[arg(value_parser = drip_from)]
        ms: Duration,
        /// <region>/<component>
        target: FaultTarget,
    },
    /// Let only so much cross each connection, in either direction.
    Bandwidth {
        /// Bytes a second.
        #[arg(value_parser = bandwidth_from)]
        bytes: u64,
        /// <region>/<component>
        target: FaultTarget,
    },
    /// Make a component do what it is asked and never say so.
    Mute {
        /// <region>/<component>
        target: FaultTarget,
    },
    /// Make a component reset each connection instead of answering.
    Reset {
        /// <region>/<component>
        target: FaultTarget,
    },
    /// Answer some requests with an error of the service: fail 0.3 throttle a/dynamodb
    #[command(allow_missing_positional = true)]
    Fail {
        /// Share of requests, 0 to 1; 0 ends it.
        rate: Rate,
        /// 500, 503 or throttle (each service's own: 429, ProvisionedThroughputExceededException, SlowDown, …).
        #[arg(default_value = "503")]
        error: Failure,
        /// <region>/<component>
        target: FaultTarget,
        /// The same seed fails the same requests, counted from now.
        #[arg(long, default_value_t = 0)]
        seed: u64,
    },
    /// Lose a whole region, or get it back.
    Region {
        #[command(subcommand)]
        command: RegionCommand,
    },
    /// Let nothing cross between the regions: calls hang, writes wait.
    Partition,
    /// End the partition.
    Heal,
    /// List the transcoder tasks.
    Tasks,
    /// Send a signal to a task, to the tasks of a stream, or to a gateway: kill ydptgg4mzsk0, kill a/gateway TERM
    Kill {
        /// Task id (or its beginning), stream id, or <region>/gateway.
        target: SignalTarget,
        /// Its name.
        #[arg(value_parser = signal_from, default_value = "KILL")]
        signal: Signal,
    },
}

/// What can happen to a region.
#[derive(Subcommand)]
pub(crate) enum RegionCommand {
    /// Nothing of it answers, its processes are killed.
    Stop {
        /// us-east-1 (a) or eu-west-1 (b)
        region: RegionId,
    },
    /// It is back with what it had stored; its tasks are not.
    Start {
        /// us-east-1 (a) or eu-west-1 (b)
        region: RegionId,
    },
}

/// Regions and components, below each help.
pub(crate) fn components() -> String {
    let mut text = format!("Regions: {} (or a), {} (or b)\nParts:\n", RegionId::A.name(), RegionId::B.name());
    for component in Component::ALL {
        // Writing to a string does not fail.
        let _ = writeln!(text, "  {component:<16} {}", component.means());
    }
    text
}

impl From<Ctl> for Command {
    fn from(ctl: Ctl) -> Self {
        match ctl {
            Ctl::Status => Self::Status,
            Ctl::Tasks => Self::ListTasks,
            Ctl::Stop { target } => Self::Inject(target, Fault::Stopped),
            Ctl::Freeze { target } => Self::Inject(target, Fault::Frozen),
            Ctl::Start { target } | Ctl::Thaw { target } => Self::Clear(target),
            Ctl::Slow { ms, target } => Self::Inject(target, Fault::Slow(ms)),
            Ctl::Drip { ms, target } => Self::Inject(target, Fault::Dripping(ms)),
            Ctl::Bandwidth { bytes, target } => Self::Inject(target, Fault::Narrow(bytes)),
            Ctl::Mute { target } => Self::Inject(target, Fault::Mute),
            Ctl::Reset { target } => Self::Inject(target, Fault::Resetting),
            Ctl::Fail { rate, error, target, seed } => {
                Self::Inject(target, Fault::Failing { rate, with: error, seed })
            }
            Ctl::Region { command: RegionCommand::Stop { region } } => Self::StopRegion(region),
            Ctl::Region { command: RegionCommand::Start { region } } => Self::StartRegion(region),
            Ctl::Partition => Self::Partition,
            Ctl::Heal => Self::Heal,
            Ctl::Kill { target, signal } => Self::Signal(target, signal),
        }
    }
}

/// Orders it, and shows what there is to tell.
pub(crate) async fn ctl(data: &Path, ctl: Ctl) -> Result<(), AskError> {
    let command = Command::from(ctl);
    let told = control::ask(data, &command).await?;
    if told.is_empty() {
        println!("done: {command}")
    } else {
        print!("{told}")
    }
    Ok(())
}
