//! What each program finds in its environment: as template.yaml sets it, and endpoints, which are what is local about it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::layout::RegionPorts;
use super::secrets;
use super::setup::{Setup, bucket};
use super::table::TABLE;

/// How glibc keeps memory: as in the media container (transcoder/Dockerfile says why).
const MALLOC: [(&str, &str); 3] =
    [("MALLOC_ARENA_MAX", "2"), ("MALLOC_MMAP_THRESHOLD_", "1048576"), ("MALLOC_TRIM_THRESHOLD_", "8388608")];

/// One region's environment variables.
pub(super) struct Environment<'a> {
    pub(super) name: &'static str,
    pub(super) peer_name: &'static str,
    pub(super) own: RegionPorts,
    pub(super) peer: RegionPorts,
    pub(super) setup: &'a Setup<'a>,
}

fn url(port: u16) -> String {
    format!("http://127.0.0.1:{port}")
}

impl Environment<'_> {
    /// `app`: how the program names itself to AWS. The region is in it because the stand-ins have one account and key
    /// for both, where AWS shows the role.
    fn common(&self, app: &str) -> BTreeMap<String, String> {
        let mut env = BTreeMap::from([
            ("TABLE_NAME".to_owned(), TABLE.to_owned()),
            ("PEER".into(), self.peer_facts()),
            ("AWS_SDK_UA_APP_ID".into(), format!("{app}.{}", self.name)),
            ("AWS_ENDPOINT_URL_DYNAMODB".into(), url(self.own.dynamodb)),
            ("RUST_LOG".into(), "info".into()),
        ]);
        // No instance metadata here; asking for it would cost a second at every start.
        env.insert("AWS_EC2_METADATA_DISABLED".into(), "true".into());
        env
    }

    /// What programs are told of the other region when they start; tasks hear of it from then on with each answer.
    fn peer_facts(&self) -> String {
        let peer = serde_json::json!({
            "region": self.peer_name,
            "api": url(self.peer.for_peer.api),
            "media_bucket": bucket(self.peer_name),
        });
        peer.to_string()
    }

    pub(super) fn function(&self, name: &str, arns: &secrets::Arns) -> BTreeMap<String, String> {
        let rtmp = |port| format!("rtmp://127.0.0.1:{port}/live");
        let mut env = self.common(name);
        env.extend(
            [
                ("ADMIN_TOKEN_ARN", arns.admin_token.clone()),
                ("KEY_PEPPER_ARN", arns.key_pepper.clone()),
                ("SIGNING_KEY_ARN", arns.signing_key.clone()),
                ("ORIGIN_SECRET_ARN", arns.origin_secret.clone()),
                ("INGEST_RTMP", format!("{},{}", rtmp(self.own.rtmp), rtmp(self.peer.rtmp))),
                ("INGEST_RTMPS", String::new()),
                ("MEDIA_BUCKET", bucket(self.name)),
                ("AWS_ENDPOINT_URL_S3", url(self.own.s3)),
                ("EDGE_URL", url(self.setup.plans.edge)),
                ("PEER_REGION", self.peer_name.into()),
                ("ECS_CLUSTER", "headwater".into()),
                ("ECS_TASK_DEFINITION", "transcoder".into()),
                ("ECS_SUBNETS", "subnet-local".into()),
                ("ECS_SECURITY_GROUPS", "sg-local".into()),
                ("PEER_ECS_CLUSTER", "headwater".into()),
                ("PEER_ECS_TASK_DEFINITION", "transcoder".into()),
                ("PEER_ECS_SUBNETS", "subnet-local".into()),
                ("PEER_ECS_SECURITY_GROUPS", "sg-local".into()),
                ("AWS_ENDPOINT_URL_SECRETS_MANAGER", url(self.own.secrets)),
                ("AWS_ENDPOINT_URL_ECS", url(self.own.ecs)),
                ("PEER_AWS_ENDPOINT_URL_ECS", url(self.peer.for_peer.ecs)),
            ]
            .map(|(name, value)| (name.to_owned(), value)),
        );
        env
    }

    fn media(&self, app: &str) -> BTreeMap<String, String> {
        let mut env = self.common(app);
        env.extend(self.setup.credentials.environment(self.name));
        env.insert("API_URL".into(), url(self.own.api));
        env.extend(MALLOC.map(|(name, value)| (name.to_owned(), value.to_owned())));
        env
    }

    pub(super) fn task(&self) -> BTreeMap<String, String> {
        let mut env = self.media("transcoder");
        env.extend(
            [
                ("MEDIA_BUCKET", bucket(self.name)),
                ("AWS_ENDPOINT_URL_S3", url(self.own.s3)),
                ("PEER_AWS_ENDPOINT_URL_S3", url(self.peer.for_peer.s3)),
            ]
            .map(|(name, value)| (name.to_owned(), value)),
        );
        env
    }

    pub(super) fn gateway(&self, spool: &Path) -> BTreeMap<String, String> {
        let mut env = self.media("gateway");
        env.extend(
            [
                ("RTMP_LISTEN", format!("127.0.0.1:{}", self.own.rtmp)),
                ("SOURCE_LISTEN", format!("127.0.0.1:{}", self.own.source)),
                ("SOURCE_URL", url(self.own.source)),
                ("SPOOL_DIR", PathBuf::from(spool).display().to_string()),
                ("SIGNING_KEY", self.setup.secrets.signing_key.clone()),
            ]
            .map(|(name, value)| (name.to_owned(), value)),
        );
        env
    }
}
