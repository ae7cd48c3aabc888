//! The commands, as a line of text. Pure.

use std::fmt;
use std::str::FromStr;

use headwater_emulators::fault::{Fault, FaultSyntax};
use headwater_emulators::process::Signal;
use thiserror::Error;

use crate::{Component, FaultTarget, RegionId, TargetSyntax};

/// Signals by name.
const SIGNALS: [(&str, Signal); 8] = [
    ("KILL", Signal::KILL),
    ("TERM", Signal::TERM),
    ("INT", Signal::INT),
    ("HUP", Signal::HUP),
    ("STOP", Signal::STOP),
    ("CONT", Signal::CONT),
    ("ABRT", Signal::ABORT),
    ("SEGV", Signal::SEGV),
];

/// A command to a running stack.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Report all faults.
    Status,
    /// List the running tasks.
    ListTasks,
    /// Inject a fault.
    Inject(FaultTarget, Fault),
    /// Clear a component's faults.
    Clear(FaultTarget),
    /// Lose a region.
    StopRegion(RegionId),
    /// Get it back.
    StartRegion(RegionId),
    /// Partition the regions.
    Partition,
    /// Join them.
    Heal,
    /// Signal a process.
    Signal(SignalTarget, Signal),
}

/// Whom a signal is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SignalTarget {
    /// A region's gateway.
    Gateway(RegionId),
    /// A task by ARN, id or the beginning of an id, or the tasks of a stream by its id.
    Task(String),
}

/// What is written is no command.
#[derive(Debug, Error)]
pub enum CommandSyntax {
    /// Its place.
    #[error(transparent)]
    FaultTarget(#[from] TargetSyntax),
    /// Its fault.
    #[error(transparent)]
    Fault(#[from] FaultSyntax),
    /// Its signal.
    #[error("{0:?} is not a signal; there are {names}", names = SIGNALS.map(|(name, _)| name).join(", "))]
    Signal(String),
    /// Who is to get a signal.
    #[error("{0:?} has no process of its own; tasks, streams and <region>/gateway do")]
    SignalTarget(String),
    /// All of it.
    #[error("there is no command {0:?}")]
    Unknown(String),
}

/// A signal by its name, with or without `SIG`.
pub fn signal_from(text: &str) -> Result<Signal, CommandSyntax> {
    let upper = text.to_ascii_uppercase();
    let name = upper.strip_prefix("SIG").unwrap_or(&upper);
    let found = SIGNALS.iter().find(|(known, _)| *known == name).map(|(_, signal)| *signal);
    found.ok_or_else(|| CommandSyntax::Signal(text.to_owned()))
}

impl FromStr for SignalTarget {
    type Err = CommandSyntax;

    fn from_str(text: &str) -> Result<Self, CommandSyntax> {
        match text.parse() {
            Ok(FaultTarget { region, component: Component::Gateway }) => Ok(Self::Gateway(region)),
            Ok(_) => Err(CommandSyntax::SignalTarget(text.to_owned())),
            Err(_) if text.is_empty() || text.contains(char::is_whitespace) => {
                Err(CommandSyntax::SignalTarget(text.to_owned()))
            }
            Err(_) => Ok(Self::Task(text.to_owned())),
        }
    }
}

impl fmt::Display for SignalTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gateway(region) => FaultTarget { region: *region, component: Component::Gateway }.fmt(f),
            Self::Task(name) => f.write_str(name),
        }
    }
}

impl FromStr for Command {
    type Err = CommandSyntax;

    fn from_str(text: &str) -> Result<Self, CommandSyntax> {
        let words: Vec<_> = text.split_whitespace().collect();
        match words[..] {
            ["status"] => Ok(Self::Status),
            ["tasks"] => Ok(Self::ListTasks),
            ["inject", target, fault] => Ok(Self::Inject(target.parse()?, fault.parse()?)),
            ["clear", target] => Ok(Self::Clear(target.parse()?)),
            ["stop-region", region] => Ok(Self::StopRegion(region.parse()?)),
            ["start-region", region] => Ok(Self::StartRegion(region.parse()?)),
            ["partition"] => Ok(Self::Partition),
            ["heal"] => Ok(Self::Heal),
            ["kill", target, signal] => Ok(Self::Signal(target.parse()?, signal_from(signal)?)),
            _ => Err(CommandSyntax::Unknown(text.to_owned())),
        }
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status => f.write_str("status"),
            Self::ListTasks => f.write_str("tasks"),
            Self::Inject(target, fault) => write!(f, "inject {target} {fault}"),
            Self::Clear(target) => write!(f, "clear {target}"),
            Self::StopRegion(region) => write!(f, "stop-region {region}"),
            Self::StartRegion(region) => write!(f, "start-region {region}"),
            Self::Partition => f.write_str("partition"),
            Self::Heal => f.write_str("heal"),
            Self::Signal(target, signal) => {
                let name = SIGNALS.iter().find(|(_, known)| known == signal).map_or("KILL", |(name, _)| name);
                write!(f, "kill {target} {name}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_read_back() {
        let target = FaultTarget { region: RegionId::B, component: Component::EdgeApi };
        for command in [
            Command::Status,
            Command::ListTasks,
            Command::Inject(target, Fault::Frozen),
            Command::Clear(target),
            Command::StopRegion(RegionId::A),
            Command::StartRegion(RegionId::B),
            Command::Partition,
            Command::Heal,
            Command::Signal(SignalTarget::Gateway(RegionId::A), Signal::STOP),
            Command::Signal(SignalTarget::Task("ydptgg4mzsk0".to_owned()), Signal::KILL),
        ] {
            assert_eq!(command.to_string().parse::<Command>().unwrap(), command);
        }
        assert_eq!(signal_from("sigterm").unwrap(), Signal::TERM);
        assert!("a/s3".parse::<SignalTarget>().unwrap_err().to_string().contains("no process of its own"));
        assert!("kill x NONE".parse::<Command>().unwrap_err().to_string().contains("KILL, TERM"));
    }
}
