//! The media buckets of both regions.

use aws_config::SdkConfig;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::{Region as S3Region, RequestChecksumCalculation};
use aws_sdk_s3::primitives::ByteStream;
use bytes::Bytes;
use headwater_domain::Region;
use headwater_domain::part::PartPath;
use headwater_domain::ports::{Bucket, FaultKind, PortError, PortResult, PutMedia, ReadParts};

use crate::error::port;
use crate::settings::{self, SettingError};

/// Media objects never change: any cache may keep them for ever.
const FOR_EVER: &str = "public, max-age=31536000, immutable";

/// Where media objects go.
#[derive(Debug, Clone)]
pub struct Buckets {
    own: (Client, String),
    mirror: Option<(Client, String)>,
}

impl Buckets {
    /// From `MEDIA_BUCKET`, and `PEER_MEDIA_BUCKET` with `PEER_REGION` if there is a peer.
    pub fn from_env(config: &SdkConfig) -> Result<Self, SettingError> {
        let own = (
            client(config, None, settings::optional("AWS_ENDPOINT_URL_S3")),
            settings::required("MEDIA_BUCKET")?,
        );
        let mirror = match (settings::peer_region()?, settings::optional("PEER_MEDIA_BUCKET")) {
            (Some(region), Some(bucket)) => {
                let endpoint = settings::optional("PEER_AWS_ENDPOINT_URL_S3");
                Some((client(config, Some(&region), endpoint), bucket))
            }
            _ => None,
        };
        Ok(Self { own, mirror })
    }

    /// Only the bucket called `name`, in the configuration's region.
    pub fn only(config: &SdkConfig, name: impl Into<String>) -> Self {
        // An emulator's one endpoint for everything needs path-style addresses as S3's own does.
        let endpoint = settings::optional("AWS_ENDPOINT_URL_S3").or(config.endpoint_url().map(str::to_owned));
        Self { own: (client(config, None, endpoint), name.into()), mirror: None }
    }

    /// Whether there is a mirror bucket.
    pub fn has_mirror(&self) -> bool {
        self.mirror.is_some()
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

impl PutMedia for Buckets {
    async fn put_media(
        &self,
        bucket: Bucket,
        path: &str,
        content_type: &'static str,
        body: Bytes,
    ) -> PortResult<()> {
        const ACTION: &str = "store a media object";
        let (client, name) = match (bucket, &self.mirror) {
            (Bucket::Own, _) => &self.own,
            (Bucket::Mirror, Some(mirror)) => mirror,
            (Bucket::Mirror, None) => {
                let source = "this deployment has no mirror bucket".into();
                return Err(PortError { kind: FaultKind::Refused, action: ACTION, source });
            }
        };
        let request =
            client.put_object().bucket(name).key(path).content_type(content_type).cache_control(FOR_EVER);
        request.body(ByteStream::from(body)).send().await.map_err(port(ACTION))?;
        Ok(())
    }
}

impl ReadParts for Buckets {
    async fn part(&self, path: &PartPath) -> PortResult<Option<Bytes>> {
        const ACTION: &str = "read a part";
        let (client, name) = &self.own;
        let object = match client.get_object().bucket(name).key(path.to_string()).send().await {
            Ok(object) => object,
            Err(error) => {
                // Without ListBucket a missing key is 403 (S3 API reference, GetObject, "Permissions").
                let status = error.raw_response().map(|answer| answer.status().as_u16());
                return if matches!(status, Some(403 | 404)) { Ok(None) } else { Err(port(ACTION)(error)) };
            }
        };
        let body = object.body.collect().await.map_err(|source| PortError {
            kind: FaultKind::Unavailable,
            action: ACTION,
            source: Box::new(source),
        })?;
        Ok(Some(body.into_bytes()))
    }
}
