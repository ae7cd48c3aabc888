//! The media buckets of both regions.

use std::sync::Arc;

use aws_config::SdkConfig;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::{Region as S3Region, RequestChecksumCalculation};
use aws_sdk_s3::primitives::ByteStream;
use bytes::Bytes;
use headwater_domain::Region;
use headwater_domain::objects::KeyKind;
use headwater_domain::paths::PartPath;
use headwater_domain::peer::Peer;
use headwater_domain::ports::{Bucket, FaultKind, PortError, PortResult, PutMedia, ReadParts};
use parking_lot::Mutex;

use crate::deadlines::{HEDGE_AFTER, UPLOADS, VIEWERS};
use crate::error::port;
use crate::peer::KnownPeer;
use crate::settings::{self, SettingError};

/// Media objects never change: any cache may keep them for ever,
const FOR_EVER: &str = "public, max-age=31536000, immutable";
/// but what leaves the bucket soon leaves the caches as soon.
const FOR_A_DAY: &str = "public, max-age=86400, immutable";

/// Where media objects go.
#[derive(Debug, Clone)]
pub struct Buckets {
    own: Store,
    peer: KnownPeer,
    mirror: Arc<Mutex<Option<Mirror>>>,
    config: SdkConfig,
}

/// The bucket of the peer that was known last.
#[derive(Debug)]
struct Mirror {
    of: Peer,
    store: Store,
}

/// One bucket.
#[derive(Debug, Clone)]
struct Store {
    reads: Client,
    uploads: Client,
    /// The same without open connections.
    uploads_anew: Client,
    name: String,
}

impl Buckets {
    /// From `MEDIA_BUCKET`; the mirror is the bucket of `peer`, whoever that is when an object is stored.
    pub fn from_env(config: &SdkConfig, peer: KnownPeer) -> Result<Self, SettingError> {
        let endpoint = settings::optional("AWS_ENDPOINT_URL_S3");
        let own = Store::new(client(config, None, endpoint), settings::required("MEDIA_BUCKET")?);
        Ok(Self::new(config, own, peer))
    }

    fn new(config: &SdkConfig, own: Store, peer: KnownPeer) -> Self {
        Self { own, peer, mirror: Arc::default(), config: config.clone() }
    }

    /// Only the bucket called `name`, in the configuration's region.
    pub fn only(config: &SdkConfig, name: impl Into<String>) -> Self {
        // An emulator's one endpoint for everything needs path-style addresses as S3's own does.
        let endpoint = settings::optional("AWS_ENDPOINT_URL_S3").or(config.endpoint_url().map(str::to_owned));
        let own = Store::new(client(config, None, endpoint), name.into());
        Self::new(config, own, KnownPeer::default())
    }

    /// The peer's bucket, if there is a peer.
    fn mirror_store(&self) -> Option<Store> {
        let peer = self.peer.get()?;
        let mut mirror = self.mirror.lock();
        if let Some(mirror) = mirror.as_ref().filter(|mirror| mirror.of == peer) {
            return Some(mirror.store.clone());
        }
        let endpoint = settings::optional("PEER_AWS_ENDPOINT_URL_S3");
        let client = client(&self.config, Some(peer.region()), endpoint);
        let store = Store::new(client, peer.media_bucket().to_owned());
        *mirror = Some(Mirror { of: peer, store: store.clone() });
        Some(store)
    }
}

impl Store {
    fn new(reads: Client, name: String) -> Self {
        let uploads = || {
            let config = reads.config().to_builder();
            config.timeout_config(UPLOADS.timeouts()).retry_config(UPLOADS.retries())
        };
        let anew = uploads().http_client(settings::unpooled_http_client()).build();
        let (uploads, uploads_anew) = (Client::from_conf(uploads().build()), Client::from_conf(anew));
        Self { reads, uploads, uploads_anew, name }
    }

    /// Stores an object. If that is not answered soon, it is sent once more on a connection of its own, and the first
    /// answer that is good counts: it is the same object.
    async fn put(&self, path: &str, content_type: &'static str, body: Bytes) -> PortResult<()> {
        let put = |client: &Client| {
            let request = client.put_object().bucket(&self.name).key(path);
            let request = request.content_type(content_type).cache_control(cache_control(path));
            let sent = request.body(ByteStream::from(body.clone())).send();
            // The SDK's future is of a size that is not for a caller's stack, let alone two of them.
            Box::pin(async { sent.await.map(|_| ()).map_err(port("store a media object")) })
        };
        let mut first = put(&self.uploads);
        let second = async {
            tokio::time::sleep(HEDGE_AFTER).await;
            put(&self.uploads_anew).await
        };
        tokio::select! {
            // Refused, or failed with all its attempts: not for its connection.
            answered = &mut first => answered,
            answered = second => match answered {
                Ok(()) => Ok(()),
                Err(_) => first.await,
            },
        }
    }
}

pub(crate) fn client(config: &SdkConfig, region: Option<&Region>, endpoint: Option<String>) -> Client {
    let mut builder = aws_sdk_s3::config::Builder::from(config)
        // The SDK's own checksum would be a second pass over every segment; TLS and the payload hash cover it.
        .request_checksum_calculation(RequestChecksumCalculation::WhenRequired);
    if let Some(region) = region {
        builder = builder.region(S3Region::new(region.to_string()));
    }
    if let Some(endpoint) = endpoint {
        // Bucket host names exist on AWS only.
        builder = builder.endpoint_url(endpoint).force_path_style(true);
    }
    Client::from_conf(builder.build())
}

fn cache_control(path: &str) -> &'static str {
    match KeyKind::of(path) {
        Some(KeyKind::Unrecorded | KeyKind::Part) => FOR_A_DAY,
        _ => FOR_EVER,
    }
}

impl PutMedia for Buckets {
    fn mirror(&self) -> Option<Region> {
        self.peer.get().map(|peer| peer.region().clone())
    }

    async fn put_media(
        &self,
        bucket: Bucket,
        path: &str,
        content_type: &'static str,
        body: Bytes,
    ) -> PortResult<()> {
        let store = match bucket {
            Bucket::Own => Some(self.own.clone()),
            Bucket::Mirror => self.mirror_store(),
        };
        let Some(store) = store else {
            let source = "this deployment has no mirror bucket".into();
            return Err(PortError { kind: FaultKind::Refused, action: "store a media object", source });
        };
        store.put(path, content_type, body).await
    }
}

impl ReadParts for Buckets {
    async fn part(&self, path: &PartPath) -> PortResult<Option<Bytes>> {
        const ACTION: &str = "read a part";
        let read = async {
            let object = self.own.reads.get_object().bucket(&self.own.name).key(path.to_string());
            let object = match object.send().await {
                Ok(object) => object,
                Err(error) => {
                    // Without ListBucket a missing key is 403 (S3 API reference, GetObject, "Permissions").
                    let status = error.raw_response().map(|answer| answer.status().as_u16());
                    let missing = matches!(status, Some(403 | 404));
                    return if missing { Ok(None) } else { Err(port(ACTION)(error)) };
                }
            };
            let body = object.body.collect().await.map_err(|error| unavailable(ACTION, error))?;
            Ok(Some(body.into_bytes()))
        };
        // The SDK's time-outs end with the answer's head.
        let read = tokio::time::timeout(VIEWERS.operation(), read).await;
        read.unwrap_or_else(|_elapsed| {
            let source = "the part's bytes did not come".into();
            Err(PortError { kind: FaultKind::TimedOut, action: ACTION, source })
        })
    }
}

fn unavailable(
    action: &'static str,
    source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> PortError {
    PortError { kind: FaultKind::Unavailable, action, source: source.into() }
}
