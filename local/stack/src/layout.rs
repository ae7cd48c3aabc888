//! Which port is whose.
//!
//! | | default | with `PORT_BASE=n` |
//! |---|---|---|
//! | edge | 8080 | n |
//! | region A: API, DynamoDB, S3, ECS, Lambda, source link, Secrets Manager | 8081 … 8087 | n+1 … n+7 |
//! | region B: the same | 8091 … 8097 | n+11 … n+17 |
//! | RTMP of region A, B | 1935, 1936 | n+20, n+21 |
//! | what one region is reached at by the other, and by the edge | any free | any free |

use anyhow::{Context as _, ensure};
use headwater_emulators::ports::{self, Claim, Reserved};

/// Which ports a stack takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ports {
    /// The documented ones.
    Default,
    /// The documented block, moved.
    Base(u16),
    /// Free ones, for tests.
    Free,
}

/// One region's ports.
#[derive(Debug, Clone, Copy)]
pub(super) struct RegionPorts {
    pub(super) api: u16,
    pub(super) dynamodb: u16,
    pub(super) s3: u16,
    pub(super) ecs: u16,
    pub(super) lambda: u16,
    pub(super) source: u16,
    pub(super) secrets: u16,
    pub(super) rtmp: u16,
    /// What the other region dials, so that the way between the two can be cut.
    pub(super) for_peer: PeerPorts,
}

/// A region's services as the other region reaches them.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct PeerPorts {
    pub(super) api: u16,
    pub(super) s3: u16,
    pub(super) ecs: u16,
}

impl RegionPorts {
    fn named(&self) -> [(u16, &'static str); 8] {
        [
            (self.api, "the API"),
            (self.dynamodb, "DynamoDB"),
            (self.s3, "S3"),
            (self.ecs, "ECS"),
            (self.lambda, "Lambda"),
            (self.source, "the gateway's source link"),
            (self.secrets, "Secrets Manager"),
            (self.rtmp, "RTMP"),
        ]
    }
}

/// Everybody's ports.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plan {
    pub(super) edge: u16,
    pub(super) regions: [RegionPorts; 2],
}

/// Highest `PORT_BASE` that leaves room for the block.
const MAX_BASE: u16 = u16::MAX - 21;

/// Decides the ports and makes sure that each is free: the error names the one that is not. They stay the stack's as
/// long as it keeps the claims.
pub(super) fn plan(ports: &Ports) -> anyhow::Result<(Plan, Vec<Claim>)> {
    let (mut plan, mut claims) = match *ports {
        Ports::Default => (at(8080, [1935, 1936]), Vec::new()),
        Ports::Base(base) => {
            ensure!((1024..=MAX_BASE).contains(&base), "PORT_BASE must be from 1024 to {MAX_BASE}");
            (at(base, [base + 20, base + 21]), Vec::new())
        }
        Ports::Free => free()?,
    };
    let is_given = claims.is_empty();
    let all = plan.regions.iter().flat_map(RegionPorts::named).chain([(plan.edge, "the edge")]);
    // Held until the last is known, so that they differ.
    let mut held = Vec::new();
    for (port, wanted_by) in all {
        let elsewhere = "set PORT_BASE to move the whole block, for example PORT_BASE=18080";
        held.push(Reserved::take(port, wanted_by).context(elsewhere)?);
        if is_given {
            claims.push(Claim::on(port, wanted_by).context(elsewhere)?);
        }
    }
    let links = ports::free(6)?;
    let mut numbers = links.iter().map(Reserved::port);
    let mut next = || numbers.next().context("6 ports were asked for");
    for region in &mut plan.regions {
        region.for_peer = PeerPorts { api: next()?, s3: next()?, ecs: next()? };
    }
    claims.extend(links.into_iter().filter_map(Reserved::into_claim));
    Ok((plan, claims))
}

fn at(base: u16, rtmp: [u16; 2]) -> Plan {
    let region = |base: u16, rtmp| RegionPorts {
        api: base + 1,
        dynamodb: base + 2,
        s3: base + 3,
        ecs: base + 4,
        lambda: base + 5,
        source: base + 6,
        secrets: base + 7,
        rtmp,
        for_peer: PeerPorts::default(),
    };
    Plan { edge: base, regions: [region(base, rtmp[0]), region(base + 10, rtmp[1])] }
}

/// Free ports. All are held until all are known, so that they differ.
fn free() -> anyhow::Result<(Plan, Vec<Claim>)> {
    let held = ports::free(17)?;
    let mut numbers = held.iter().map(Reserved::port);
    let mut next = || numbers.next().context("17 ports were asked for");
    let mut region = || -> anyhow::Result<RegionPorts> {
        Ok(RegionPorts {
            api: next()?,
            dynamodb: next()?,
            s3: next()?,
            ecs: next()?,
            lambda: next()?,
            source: next()?,
            secrets: next()?,
            rtmp: next()?,
            for_peer: PeerPorts::default(),
        })
    };
    let regions = [region()?, region()?];
    let plan = Plan { edge: next()?, regions };
    Ok((plan, held.into_iter().filter_map(Reserved::into_claim).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documented_blocks_do_not_overlap() {
        for plan in [at(8080, [1935, 1936]), at(20_000, [20_020, 20_021])] {
            let mut all: Vec<_> =
                plan.regions.iter().flat_map(RegionPorts::named).map(|(port, _)| port).collect();
            all.push(plan.edge);
            let count = all.len();
            all.sort_unstable();
            all.dedup();
            assert_eq!(all.len(), count);
        }
    }
}
