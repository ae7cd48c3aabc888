//! What can be ordered, as a line of text. Pure.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use crate::fault::{Fault, FaultSyntax};
use crate::process::Signal;
use crate::stack::{Part, Place, PlaceSyntax, RegionId};

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

/// Something a running stack is to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Order {
    /// Tell what is wrong.
    Status,
    /// Tell which tasks there are.
    Tasks,
    /// Make something go wrong.
    Apply(Place, Fault),
    /// Put a part right.
    Clear(Place),
    /// Lose a region.
    StopRegion(RegionId),
    /// Get it back.
    StartRegion(RegionId),
    /// Part the regions.
    Partition,
    /// Join them.
    Heal,
    /// Signal a process.
    Kill(Target, Signal),
}

/// Whom a signal is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A region's gateway.
    Gateway(RegionId),
    /// A task by ARN, id or the beginning of an id, or the tasks of a stream by its id.
    Task(String),
}

/// What is written is no order.
#[derive(Debug, Error)]
pub enum OrderSyntax {
    /// Its place.
    #[error(transparent)]
    Place(#[from] PlaceSyntax),
    /// Its fault.
    #[error(transparent)]
    Fault(#[from] FaultSyntax),
    /// Its signal.
    #[error("{0:?} is not a signal; there are {names}", names = SIGNALS.map(|(name, _)| name).join(", "))]
    Signal(String),
    /// Who is to get a signal.
    #[error("{0:?} has no process of its own; tasks, streams and <region>/gateway do")]
    Target(String),
    /// All of it.
    #[error("there is no order {0:?}")]
    Unknown(String),
}

/// A signal by its name, with or without `SIG`.
pub fn signal_from(text: &str) -> Result<Signal, OrderSyntax> {
    let upper = text.to_ascii_uppercase();
    let name = upper.strip_prefix("SIG").unwrap_or(&upper);
    let found = SIGNALS.iter().find(|(known, _)| *known == name).map(|(_, signal)| *signal);
    found.ok_or_else(|| OrderSyntax::Signal(text.to_owned()))
}

impl FromStr for Target {
    type Err = OrderSyntax;

    fn from_str(text: &str) -> Result<Self, OrderSyntax> {
        match text.parse() {
            Ok(Place { region, part: Part::Gateway }) => Ok(Self::Gateway(region)),
            Ok(_) => Err(OrderSyntax::Target(text.to_owned())),
            Err(_) if text.is_empty() || text.contains(char::is_whitespace) => {
                Err(OrderSyntax::Target(text.to_owned()))
            }
            Err(_) => Ok(Self::Task(text.to_owned())),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gateway(region) => Place { region: *region, part: Part::Gateway }.fmt(f),
            Self::Task(name) => f.write_str(name),
        }
    }
}

impl FromStr for Order {
    type Err = OrderSyntax;

    fn from_str(text: &str) -> Result<Self, OrderSyntax> {
        let words: Vec<_> = text.split_whitespace().collect();
        match words[..] {
            ["status"] => Ok(Self::Status),
            ["tasks"] => Ok(Self::Tasks),
            ["apply", place, fault] => Ok(Self::Apply(place.parse()?, fault.parse()?)),
            ["clear", place] => Ok(Self::Clear(place.parse()?)),
            ["stop-region", region] => Ok(Self::StopRegion(region.parse()?)),
            ["start-region", region] => Ok(Self::StartRegion(region.parse()?)),
            ["partition"] => Ok(Self::Partition),
            ["heal"] => Ok(Self::Heal),
            ["kill", target, signal] => Ok(Self::Kill(target.parse()?, signal_from(signal)?)),
            _ => Err(OrderSyntax::Unknown(text.to_owned())),
        }
    }
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status => f.write_str("status"),
            Self::Tasks => f.write_str("tasks"),
            Self::Apply(place, fault) => write!(f, "apply {place} {fault}"),
            Self::Clear(place) => write!(f, "clear {place}"),
            Self::StopRegion(region) => write!(f, "stop-region {region}"),
            Self::StartRegion(region) => write!(f, "start-region {region}"),
            Self::Partition => f.write_str("partition"),
            Self::Heal => f.write_str("heal"),
            Self::Kill(target, signal) => {
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
    fn orders_are_read_back() {
        let place = Place { region: RegionId::B, part: Part::EdgeApi };
        for order in [
            Order::Status,
            Order::Tasks,
            Order::Apply(place, Fault::Frozen),
            Order::Clear(place),
            Order::StopRegion(RegionId::A),
            Order::StartRegion(RegionId::B),
            Order::Partition,
            Order::Heal,
            Order::Kill(Target::Gateway(RegionId::A), Signal::STOP),
            Order::Kill(Target::Task("ydptgg4mzsk0".to_owned()), Signal::KILL),
        ] {
            assert_eq!(order.to_string().parse::<Order>().unwrap(), order);
        }
        assert_eq!(signal_from("sigterm").unwrap(), Signal::TERM);
        assert!("a/s3".parse::<Target>().unwrap_err().to_string().contains("no process of its own"));
        assert!("kill x NONE".parse::<Order>().unwrap_err().to_string().contains("KILL, TERM"));
    }
}
