//! What can be wrong with a part, and how that is written. Pure; must not know which parts there are.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;
use thiserror::Error;

/// Longest delay that can be asked for. Longer than every timeout of ours; more is a freeze.
pub const MAX_LATENCY: Duration = Duration::from_secs(600);
/// Longest time between two bytes that drip, so that a part is put right within this.
pub const MAX_DRIP: Duration = Duration::from_secs(5);
/// Lowest and highest bandwidth: a byte a second, and more than loopback has.
pub const MAX_BANDWIDTH: u64 = 1 << 40;

/// One thing that is wrong with a part. Different ones add up; a second one of a kind replaces the first.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Fault {
    /// It is gone: connections are refused.
    Stopped,
    /// It hangs: connections are taken and nothing is answered; a process gets SIGSTOP.
    Frozen,
    /// It does what it is asked, and never says so.
    Mute,
    /// It takes connections, and resets each instead of answering.
    Resetting,
    /// Every answer comes so much later.
    Slow(Duration),
    /// Answers come a byte at a time, with so much time between two.
    Dripping(Duration),
    /// So many bytes a second cross each connection, in either direction.
    Narrow(u64),
    /// It answers some requests with an error.
    Failing {
        /// How many of them.
        rate: Rate,
        /// With which error.
        with: Failure,
        /// The same seed fails the same requests, counted from now on.
        seed: u64,
    },
}

/// An error in the words of the service that fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// 500: its fault.
    Internal,
    /// 503: not now.
    Unavailable,
    /// Too many requests: 429, or 400 or 503 with a code of the service's own.
    Throttle,
}

/// A share of requests, from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Rate(f64);

/// What is written is no fault.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FaultSyntax {
    /// Not a share.
    #[error("{0:?} is not a rate from 0 to 1")]
    Rate(String),
    /// No such error.
    #[error("{0:?} is not an error to fail with; there are 500, 503 and throttle")]
    Failure(String),
    /// No time.
    #[error("{0:?} is not a number of milliseconds up to {max}", max = MAX_LATENCY.as_millis())]
    Latency(String),
    /// No time between bytes.
    #[error("{0:?} is not a number of milliseconds from 1 to {max}", max = MAX_DRIP.as_millis())]
    Drip(String),
    /// No bandwidth.
    #[error("{0:?} is not a number of bytes a second from 1 to {MAX_BANDWIDTH}")]
    Bandwidth(String),
    /// Nothing of that.
    #[error(
        "{0:?} is not a fault; there are stopped, frozen, mute, resetting, slow-<ms>ms, dripping-<ms>ms, narrow-<bytes>Bps \
         and failing-<rate>-<error>-seed-<n>"
    )]
    Unknown(String),
}

impl Fault {
    /// All requests fail.
    pub fn always(with: Failure) -> Self {
        Self::Failing { rate: Rate::ALL, with, seed: 0 }
    }
}

impl Rate {
    /// No request.
    pub const NONE: Self = Self(0.0);
    /// Every request.
    pub const ALL: Self = Self(1.0);

    /// `None` unless it is from 0 to 1.
    pub fn new(share: f64) -> Option<Self> {
        (0.0..=1.0).contains(&share).then_some(Self(share))
    }

    /// As a number.
    pub fn share(self) -> f64 {
        self.0
    }
}

impl FromStr for Rate {
    type Err = FaultSyntax;

    fn from_str(text: &str) -> Result<Self, FaultSyntax> {
        text.parse().ok().and_then(Self::new).ok_or_else(|| FaultSyntax::Rate(text.to_owned()))
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Failure {
    type Err = FaultSyntax;

    fn from_str(text: &str) -> Result<Self, FaultSyntax> {
        match text {
            "500" => Ok(Self::Internal),
            "503" => Ok(Self::Unavailable),
            "throttle" => Ok(Self::Throttle),
            _ => Err(FaultSyntax::Failure(text.to_owned())),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Internal => "500",
            Self::Unavailable => "503",
            Self::Throttle => "throttle",
        })
    }
}

impl FromStr for Fault {
    type Err = FaultSyntax;

    fn from_str(text: &str) -> Result<Self, FaultSyntax> {
        let unknown = || FaultSyntax::Unknown(text.to_owned());
        if let Some(latency) = text.strip_prefix("slow-") {
            return latency_from(latency.strip_suffix("ms").ok_or_else(unknown)?).map(Self::Slow);
        }
        if let Some(every) = text.strip_prefix("dripping-") {
            return drip_from(every.strip_suffix("ms").ok_or_else(unknown)?).map(Self::Dripping);
        }
        if let Some(bytes) = text.strip_prefix("narrow-") {
            return bandwidth_from(bytes.strip_suffix("Bps").ok_or_else(unknown)?).map(Self::Narrow);
        }
        if let Some(failing) = text.strip_prefix("failing-") {
            let (failing, seed) = failing.split_once("-seed-").ok_or_else(unknown)?;
            let (rate, with) = failing.split_once('-').ok_or_else(unknown)?;
            let seed = seed.parse().map_err(|_| unknown())?;
            return Ok(Self::Failing { rate: rate.parse()?, with: with.parse()?, seed });
        }
        match text {
            "stopped" => Ok(Self::Stopped),
            "frozen" => Ok(Self::Frozen),
            "mute" => Ok(Self::Mute),
            "resetting" => Ok(Self::Resetting),
            _ => Err(unknown()),
        }
    }
}

/// A delay, written as milliseconds.
pub fn latency_from(text: &str) -> Result<Duration, FaultSyntax> {
    let latency = text.parse().ok().map(Duration::from_millis);
    latency.filter(|latency| *latency <= MAX_LATENCY).ok_or_else(|| FaultSyntax::Latency(text.to_owned()))
}

/// A time between two bytes, written as milliseconds.
pub fn drip_from(text: &str) -> Result<Duration, FaultSyntax> {
    let every = text.parse().ok().map(Duration::from_millis);
    let every = every.filter(|every| (Duration::from_millis(1)..=MAX_DRIP).contains(every));
    every.ok_or_else(|| FaultSyntax::Drip(text.to_owned()))
}

/// A bandwidth, written as bytes a second.
pub fn bandwidth_from(text: &str) -> Result<u64, FaultSyntax> {
    let bytes = text.parse().ok().filter(|bytes| (1..=MAX_BANDWIDTH).contains(bytes));
    bytes.ok_or_else(|| FaultSyntax::Bandwidth(text.to_owned()))
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stopped => f.write_str("stopped"),
            Self::Frozen => f.write_str("frozen"),
            Self::Mute => f.write_str("mute"),
            Self::Resetting => f.write_str("resetting"),
            Self::Dripping(every) => write!(f, "dripping-{}ms", every.as_millis()),
            Self::Narrow(bytes) => write!(f, "narrow-{bytes}Bps"),
            Self::Slow(latency) => write!(f, "slow-{}ms", latency.as_millis()),
            Self::Failing { rate, with, seed } => write!(f, "failing-{rate}-{with}-seed-{seed}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let failing = |share, with| Fault::Failing { rate: Rate::new(share).unwrap(), with, seed: 7 };
        for (fault, text) in [
            (Fault::Stopped, "stopped"),
            (Fault::Frozen, "frozen"),
            (Fault::Mute, "mute"),
            (Fault::Resetting, "resetting"),
            (Fault::Dripping(Duration::from_millis(20)), "dripping-20ms"),
            (Fault::Narrow(8_000), "narrow-8000Bps"),
            (Fault::Slow(Duration::from_millis(250)), "slow-250ms"),
            (failing(0.25, Failure::Throttle), "failing-0.25-throttle-seed-7"),
            (failing(1.0, Failure::Internal), "failing-1-500-seed-7"),
            (failing(1e-7, Failure::Unavailable), "failing-0.0000001-503-seed-7"),
        ] {
            assert_eq!(fault.to_string(), text);
            assert_eq!(text.parse(), Ok(fault));
        }
    }

    #[test]
    fn nonsense_is_refused() {
        for text in [
            "",
            "slow",
            "slow-1",
            "slow--1ms",
            "slow-600001ms",
            "failing-2-500-seed-1",
            "dripping-0ms",
            "dripping-5001ms",
            "dripping-",
            "narrow-0Bps",
            "narrow-1",
        ] {
            assert!(text.parse::<Fault>().is_err(), "{text}");
        }
        for text in ["NaN", "-0.1", "1.01", "inf", ""] {
            assert!(text.parse::<Rate>().is_err(), "{text}");
        }
    }
}
