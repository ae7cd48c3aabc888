//! `headwater-local ctl`: makes parts of the running stack fail, and puts them right.
#![allow(clippy::print_stdout, reason = "this is the program's output")]

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use clap::Subcommand;
use headwater_local::control::{self, AskError, Order, Target, signal_from};
use headwater_local::fault::{Failure, Fault, Rate, bandwidth_from, drip_from, latency_from};
use headwater_local::process::Signal;
use headwater_local::stack::{Part, Place, RegionId};

/// What a person can order.
#[derive(Subcommand)]
pub(crate) enum Ctl {
    /// Show each part and what is wrong with it.
    Status,
    /// Make a part refuse connections; end a process.
    Stop {
        /// <region>/<part>
        place: Place,
    },
    /// Put a part right again, whatever is wrong with it.
    Start {
        /// <region>/<part>
        place: Place,
    },
    /// Make a part hang: connections are taken, nothing is answered; processes get SIGSTOP.
    Freeze {
        /// <region>/<part>
        place: Place,
    },
    /// Wake it; the same as start.
    Thaw {
        /// <region>/<part>
        place: Place,
    },
    /// Delay every answer.
    Slow {
        /// Milliseconds.
        #[arg(value_parser = latency_from)]
        ms: Duration,
        /// <region>/<part>
        place: Place,
    },
    /// Answer a byte at a time.
    Drip {
        /// Milliseconds between two bytes.
        #[arg(value_parser = drip_from)]
        ms: Duration,
        /// <region>/<part>
        place: Place,
    },
    /// Let only so much cross each connection, in either direction.
    Bandwidth {
        /// Bytes a second.
        #[arg(value_parser = bandwidth_from)]
        bytes: u64,
        /// <region>/<part>
        place: Place,
    },
    /// Make a part do what it is asked and never say so.
    Mute {
        /// <region>/<part>
        place: Place,
    },
    /// Make a part reset each connection instead of answering.
    Reset {
        /// <region>/<part>
        place: Place,
    },
    /// Answer some requests with an error of the service: fail 0.3 throttle a/dynamodb
    #[command(allow_missing_positional = true)]
    Fail {
        /// Share of requests, 0 to 1; 0 ends it.
        rate: Rate,
        /// 500, 503 or throttle (each service's own: 429, ProvisionedThroughputExceededException, SlowDown, …).
        #[arg(default_value = "503")]
        error: Failure,
        /// <region>/<part>
        place: Place,
        /// The same seed fails the same requests, counted from now.
        #[arg(long, default_value_t = 0)]
        seed: u64,
    },
    /// Lose a whole region, or get it back.
    Region {
        #[command(subcommand)]
        order: RegionOrder,
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
        target: Target,
        /// Its name.
        #[arg(value_parser = signal_from, default_value = "KILL")]
        signal: Signal,
    },
}

/// What can happen to a region.
#[derive(Subcommand)]
pub(crate) enum RegionOrder {
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

/// Regions and parts, below each help.
pub(crate) fn parts() -> String {
    let mut text = format!("Regions: {} (or a), {} (or b)\nParts:\n", RegionId::A.name(), RegionId::B.name());
    for part in Part::ALL {
        // Writing to a string does not fail.
        let _ = writeln!(text, "  {part:<16} {}", part.means());
    }
    text
}

impl From<Ctl> for Order {
    fn from(ctl: Ctl) -> Self {
        match ctl {
            Ctl::Status => Self::Status,
            Ctl::Tasks => Self::Tasks,
            Ctl::Stop { place } => Self::Apply(place, Fault::Stopped),
            Ctl::Freeze { place } => Self::Apply(place, Fault::Frozen),
            Ctl::Start { place } | Ctl::Thaw { place } => Self::Clear(place),
            Ctl::Slow { ms, place } => Self::Apply(place, Fault::Slow(ms)),
            Ctl::Drip { ms, place } => Self::Apply(place, Fault::Dripping(ms)),
            Ctl::Bandwidth { bytes, place } => Self::Apply(place, Fault::Narrow(bytes)),
            Ctl::Mute { place } => Self::Apply(place, Fault::Mute),
            Ctl::Reset { place } => Self::Apply(place, Fault::Resetting),
            Ctl::Fail { rate, error, place, seed } => {
                Self::Apply(place, Fault::Failing { rate, with: error, seed })
            }
            Ctl::Region { order: RegionOrder::Stop { region } } => Self::StopRegion(region),
            Ctl::Region { order: RegionOrder::Start { region } } => Self::StartRegion(region),
            Ctl::Partition => Self::Partition,
            Ctl::Heal => Self::Heal,
            Ctl::Kill { target, signal } => Self::Kill(target, signal),
        }
    }
}

/// Orders it, and shows what there is to tell.
pub(crate) async fn ctl(data: &Path, ctl: Ctl) -> Result<(), AskError> {
    let order = Order::from(ctl);
    let told = control::ask(data, &order).await?;
    if told.is_empty() {
        println!("done: {order}")
    } else {
        print!("{told}")
    }
    Ok(())
}
