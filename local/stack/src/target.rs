//! The components of the stack by name: `us-east-1/s3`. Must not know how a component is made to fail.

use std::fmt;
use std::str::FromStr;

use headwater_emulators::fault::Fault;
use thiserror::Error;

use super::REGIONS;

/// One of the two regions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RegionId {
    /// The first.
    A,
    /// The second.
    B,
}

/// A component of a region that can fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Component {
    /// The HTTP API. Its functions run on, for task events and the sweep.
    Api,
    /// The functions.
    Functions,
    /// The table.
    Dynamodb,
    /// The way of its writes to the other region.
    Replication,
    /// The bucket.
    S3,
    /// Where functions read secrets when they start.
    SecretsManager,
    /// The control plane that starts tasks; running tasks run on.
    Ecs,
    /// The process that takes encoders.
    Gateway,
    /// The tasks, those that run and those to come.
    Transcoders,
    /// The edge's way to its API.
    EdgeApi,
    /// The edge's way to its bucket.
    EdgeS3,
    /// The other region's way to its API.
    PeerApi,
    /// The other region's way to its bucket.
    PeerS3,
    /// The other region's way to its control plane.
    PeerEcs,
}

/// A component of one of the regions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct FaultTarget {
    /// Which region.
    pub region: RegionId,
    /// Which component of it.
    pub component: Component,
}

/// There is nothing of that name.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TargetSyntax {
    /// No such region.
    #[error("there is no region {0:?}; there are {a} (a) and {b} (b)", a = RegionId::A, b = RegionId::B)]
    Region(String),
    /// No such component.
    #[error("there is no component {0:?}; there are {components}", components = Component::names())]
    Component(String),
    /// Not both.
    #[error("{0:?} is not <region>/<component>, for example {a}/s3; components are {components}", a = RegionId::A, components = Component::names())]
    Target(String),
}

impl RegionId {
    /// Both.
    pub const ALL: [Self; 2] = [Self::A, Self::B];

    /// Place in [`REGIONS`] and in a stack's regions.
    pub fn index(self) -> usize {
        match self {
            Self::A => 0,
            Self::B => 1,
        }
    }

    /// As AWS names it.
    pub fn name(self) -> &'static str {
        REGIONS[self.index()]
    }

    /// The other one.
    pub fn peer(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }
}

impl Component {
    /// All of them.
    pub const ALL: [Self; 14] = [
        Self::Api,
        Self::Functions,
        Self::Dynamodb,
        Self::Replication,
        Self::S3,
        Self::SecretsManager,
        Self::Ecs,
        Self::Gateway,
        Self::Transcoders,
        Self::EdgeApi,
        Self::EdgeS3,
        Self::PeerApi,
        Self::PeerS3,
        Self::PeerEcs,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Functions => "functions",
            Self::Dynamodb => "dynamodb",
            Self::Replication => "replication",
            Self::S3 => "s3",
            Self::SecretsManager => "secrets-manager",
            Self::Ecs => "ecs",
            Self::Gateway => "gateway",
            Self::Transcoders => "transcoders",
            Self::EdgeApi => "edge-api",
            Self::EdgeS3 => "edge-s3",
            Self::PeerApi => "peer-api",
            Self::PeerS3 => "peer-s3",
            Self::PeerEcs => "peer-ecs",
        }
    }

    /// What it does, for a person.
    pub fn means(self) -> &'static str {
        match self {
            Self::Api => "the HTTP API",
            Self::Functions => "the functions behind the API, task events and the sweep",
            Self::Dynamodb => "the table",
            Self::Replication => "its writes on their way to the other region's table; slow sets the lag",
            Self::S3 => "the media bucket",
            Self::SecretsManager => "where functions read secrets when they start",
            Self::Ecs => "the control plane that starts tasks; running tasks run on",
            Self::Gateway => "the process that takes encoders; stop asks it to leave, kill does not ask",
            Self::Transcoders => {
                "the tasks: stop kills all and lets none start, freeze is for those that run, slow delays starts"
            }
            Self::EdgeApi => "the edge's way to its API",
            Self::EdgeS3 => "the edge's way to its bucket",
            Self::PeerApi => "the other region's way to its API",
            Self::PeerS3 => "the other region's way to its bucket",
            Self::PeerEcs => "the other region's way to its control plane",
        }
    }

    fn names() -> String {
        Self::ALL.map(Self::name).join(", ")
    }

    /// Whether this can happen to it.
    pub fn takes(self, fault: &Fault) -> bool {
        match self {
            Self::Gateway => matches!(fault, Fault::Stopped | Fault::Frozen),
            Self::Replication => matches!(fault, Fault::Stopped | Fault::Slow(_)),
            // Lambda fails towards its callers, which are the API and EventBridge: let the API fail.
            Self::Functions | Self::Transcoders => {
                matches!(fault, Fault::Stopped | Fault::Frozen | Fault::Slow(_))
            }
            _ => true,
        }
    }
}

impl fmt::Display for RegionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for RegionId {
    type Err = TargetSyntax;

    fn from_str(text: &str) -> Result<Self, TargetSyntax> {
        let is = |region: &Self| text == region.name() || text == ["a", "b"][region.index()];
        Self::ALL.into_iter().find(is).ok_or_else(|| TargetSyntax::Region(text.to_owned()))
    }
}

impl fmt::Display for Component {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Component {
    type Err = TargetSyntax;

    fn from_str(text: &str) -> Result<Self, TargetSyntax> {
        let found = Self::ALL.into_iter().find(|component| component.name() == text);
        found.ok_or_else(|| TargetSyntax::Component(text.to_owned()))
    }
}

impl fmt::Display for FaultTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}/{}", self.region, self.component))
    }
}

impl FromStr for FaultTarget {
    type Err = TargetSyntax;

    fn from_str(text: &str) -> Result<Self, TargetSyntax> {
        let (region, component) =
            text.split_once('/').ok_or_else(|| TargetSyntax::Target(text.to_owned()))?;
        Ok(Self { region: region.parse()?, component: component.parse()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_is_read_back() {
        for region in RegionId::ALL {
            for component in Component::ALL {
                let target = FaultTarget { region, component };
                assert_eq!(target.to_string().parse(), Ok(target));
            }
        }
        assert_eq!(
            "b/edge-s3".parse(),
            Ok(FaultTarget { region: RegionId::B, component: Component::EdgeS3 })
        );
    }

    #[test]
    fn what_is_wrong_names_what_there_is() {
        let error = |text: &str| text.parse::<FaultTarget>().unwrap_err().to_string();
        assert!(error("us-west-2/s3").contains("us-east-1 (a) and eu-west-1 (b)"));
        assert!(error("a/s4").contains("s3, secrets-manager, ecs"));
        assert!(error("s3").contains("<region>/<component>"));
    }
}
