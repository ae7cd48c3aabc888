//! The other region of a deployment, as gateways and tasks know it while they run.
//!
//! It comes, goes and is exchanged while they run: no deployment of theirs must be needed to learn of that. The control
//! plane of their own region says with each answer who the peer is now ([`Answer`]).

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize};
use thiserror::Error;

use crate::ids::Region;

/// Characters of an API's address: API Gateway's own have some 60, a name in DNS has 253 at most.
const MAX_API: usize = 300;
/// Characters of a bucket's name (S3 user guide, "Bucket naming rules").
const BUCKET_NAME: std::ops::RangeInclusive<usize> = 3..=63;

/// The other region: whom to ask if the own API fails, where copies of media go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Peer {
    region: Region,
    api: String,
    media_bucket: String,
}

/// What is said of a peer cannot be true.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PeerError {
    /// No address.
    #[error("the peer's api is no http(s) address of at most {MAX_API} characters")]
    Api,
    /// No bucket.
    #[error("the peer's media_bucket is no bucket name")]
    MediaBucket,
}

impl Peer {
    /// A peer, if that is what these say.
    pub fn new(
        region: Region,
        api: impl Into<String>,
        media_bucket: impl Into<String>,
    ) -> Result<Self, PeerError> {
        let (api, media_bucket) = (api.into(), media_bucket.into());
        let host = api.strip_prefix("https://").or_else(|| api.strip_prefix("http://"));
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:/[]$".contains(&byte);
        let is_address = host.is_some_and(|host| {
            host.starts_with(|first: char| first.is_ascii_alphanumeric() || first == '[')
        });
        if !is_address || api.len() > MAX_API || !api.bytes().all(is_plain) {
            return Err(PeerError::Api);
        }
        let is_of_names =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.".contains(&byte);
        if !BUCKET_NAME.contains(&media_bucket.len()) || !media_bucket.bytes().all(is_of_names) {
            return Err(PeerError::MediaBucket);
        }
        Ok(Self { region, api, media_bucket })
    }

    /// Its name.
    pub fn region(&self) -> &Region {
        &self.region
    }

    /// Base URL of its API.
    pub fn api(&self) -> &str {
        &self.api
    }

    /// Its media bucket.
    pub fn media_bucket(&self) -> &str {
        &self.media_bucket
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}", self.region, self.api)
    }
}

impl<'de> Deserialize<'de> for Peer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Told {
            region: Region,
            api: String,
            media_bucket: String,
        }
        let Told { region, api, media_bucket } = Told::deserialize(deserializer)?;
        Self::new(region, api, media_bucket).map_err(serde::de::Error::custom)
    }
}

/// What a region's control plane says of its peer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PeerNow(pub Option<Peer>);

/// An answer of a hook, with what else its caller should know.
#[derive(Debug, Clone, Serialize)]
pub struct Answer<A> {
    /// The answer itself.
    #[serde(flatten)]
    pub answer: A,
    /// The peer of the region that answers; not there if that region cannot tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peer: Option<PeerNow>,
}

/// The part of an answer that says who the peer is, whatever was asked.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct News {
    /// As in [`Answer`]: `null` says that there is no peer, a missing field says nothing.
    #[serde(default, deserialize_with = "said")]
    pub peer: Option<PeerNow>,
}

fn said<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<PeerNow>, D::Error> {
    PeerNow::deserialize(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn region() -> Region {
        "eu-west-1".parse().unwrap()
    }

    #[test]
    fn addresses_and_names_of_aws_are_taken() {
        for api in [
            "https://a1b2c3.execute-api.eu-west-1.amazonaws.com",
            "https://api.example.com:8443/stage/$default",
            "http://127.0.0.1:4566",
            "http://[::1]:80",
        ] {
            assert!(Peer::new(region(), api, "headwater-mediabucket-1x").is_ok(), "{api}");
        }
    }

    #[test]
    fn what_is_no_address_or_no_bucket_is_refused() {
        let long = format!("https://{}", "a".repeat(MAX_API));
        for api in
            ["", "https://", "ftp://a", "https://a b", "https://a\r\nb", "https:///x", "https://ä", &long]
        {
            assert_eq!(Peer::new(region(), api, "bucket"), Err(PeerError::Api), "{api:?}");
        }
        let long = "a".repeat(64);
        for bucket in ["", "ab", "Bucket", "a/../b", "a b c", &long] {
            assert_eq!(Peer::new(region(), "https://a", bucket), Err(PeerError::MediaBucket), "{bucket:?}");
        }
        let told = json!({ "region": "eu-west-1", "api": "file:///etc", "media_bucket": "bucket" });
        assert!(serde_json::from_value::<Peer>(told).unwrap_err().to_string().contains("no http(s) address"));
    }

    #[test]
    fn no_peer_and_not_knowing_are_told_apart() {
        let said = |peer| serde_json::to_value(Answer { answer: json!({ "action": "wait" }), peer }).unwrap();
        assert_eq!(said(None), json!({ "action": "wait" }));
        assert_eq!(said(Some(PeerNow(None))), json!({ "action": "wait", "peer": null }));
        let peer = Peer::new(region(), "https://a", "bucket").unwrap();
        let told = json!({ "region": "eu-west-1", "api": "https://a", "media_bucket": "bucket" });
        let known = Some(PeerNow(Some(peer)));
        assert_eq!(said(known.clone()), json!({ "action": "wait", "peer": told }));
        for peer in [None, Some(PeerNow(None)), known] {
            assert_eq!(serde_json::from_value::<News>(said(peer.clone())).unwrap(), News { peer });
        }
    }
}
