//! The player page's files in a media bucket.

use aws_config::SdkConfig;
use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use headwater_domain::ports::{PortResult, SiteFile, WriteSite};

use crate::error::port;
use crate::{media, settings};

/// S3, as far as the player page needs it.
#[derive(Debug, Clone)]
pub struct Site {
    client: Client,
}

impl Site {
    /// In the configuration's region.
    pub fn new(config: &SdkConfig) -> Self {
        // An emulator's one endpoint for everything needs path-style addresses as S3's own does.
        let endpoint = settings::optional("AWS_ENDPOINT_URL_S3").or(config.endpoint_url().map(str::to_owned));
        Self { client: media::client(config, None, endpoint) }
    }
}

impl WriteSite for Site {
    async fn put_file(&self, bucket: &str, key: &str, file: SiteFile) -> PortResult<()> {
        let request = self.client.put_object().bucket(bucket).key(key);
        let request = request.content_type(file.content_type).cache_control(file.cache_control);
        let sent = request.body(ByteStream::from(file.body)).send().await;
        sent.map_err(port("store a file of the player page"))?;
        Ok(())
    }

    async fn delete_file(&self, bucket: &str, key: &str) -> PortResult<()> {
        let sent = self.client.delete_object().bucket(bucket).key(key).send().await;
        sent.map_err(port("delete a file of the player page"))?;
        Ok(())
    }

    async fn some_files(&self, bucket: &str, prefix: &str) -> PortResult<Vec<String>> {
        let sent = self.client.list_objects_v2().bucket(bucket).prefix(prefix).send().await;
        let page = sent.map_err(port("list the player page's files"))?;
        Ok(page.contents().iter().filter_map(|object| object.key().map(str::to_owned)).collect())
    }
}
