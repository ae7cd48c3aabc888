//! Which region's Origin Shield serves an origin: `docs/origin-shield.json`, because CloudFront offers it in a dozen regions
//! and takes no other name ("Choosing the AWS Region for Origin Shield", Amazon CloudFront Developer Guide).

use std::collections::BTreeMap;

use headwater_domain::Region;
use serde::Deserialize;

/// Dated, with its source.
const TABLE: &str = include_str!("../../../docs/origin-shield.json");

#[derive(Deserialize)]
struct Table {
    regions: BTreeMap<String, String>,
}

/// The region whose Origin Shield is nearest to `region`. One that is newer than the table gets the shield of its area.
pub(super) fn nearest(region: &Region) -> String {
    let table: Table =
        serde_json::from_str(TABLE).expect("docs/origin-shield.json is as `Table` says (tested)");
    let known = table.regions.get(region.as_str()).cloned();
    known.unwrap_or_else(|| of_the_area(region.as_str()).to_owned())
}

fn of_the_area(region: &str) -> &'static str {
    match region.split('-').next() {
        Some("af" | "eu" | "il") => "eu-central-1",
        Some("ap") => "ap-southeast-1",
        Some("me") => "ap-south-1",
        Some("sa") => "sa-east-1",
        _ => "us-east-1",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct Offered {
        offered: Vec<String>,
    }

    #[test]
    fn every_region_gets_a_shield_that_is_offered() {
        let table: Table = serde_json::from_str(TABLE).unwrap();
        let Offered { offered } = serde_json::from_str(TABLE).unwrap();
        assert!(table.regions.len() > offered.len());
        let newer =
            ["af-north-1", "ap-west-9", "eu-south-9", "il-north-1", "me-west-1", "sa-west-1", "us-south-1"];
        for name in table.regions.keys().map(String::as_str).chain(newer) {
            let shield = nearest(&name.parse().unwrap());
            assert!(offered.contains(&shield), "{name}: {shield}");
        }
    }

    #[test]
    fn a_region_that_offers_it_serves_itself() {
        let Offered { offered } = serde_json::from_str(TABLE).unwrap();
        for name in offered {
            assert_eq!(nearest(&name.parse().unwrap()), name);
        }
    }
}
