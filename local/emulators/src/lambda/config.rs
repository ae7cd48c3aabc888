//! What a Lambda host and a function are configured with. Data only.

use crate::credentials::LocalCredentials;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// One region's Lambda.
#[derive(Debug, Clone)]
pub struct LambdaConfig {
    /// Region name, given to the functions as `AWS_REGION`.
    pub region: String,
    /// Port of the Runtime API; 0 for any free one.
    pub port: u16,
    /// Folder for the functions' log files, `<name>.log` each.
    pub logs: PathBuf,
    /// What functions sign with.
    pub credentials: LocalCredentials,
    /// Requests that may run at once in all functions together; new AWS accounts have 10 to 50, others 1,000.
    pub account_concurrency: usize,
    /// Warm slots that nobody used for this long are ended.
    pub idle_after: Duration,
}

/// One function.
#[derive(Debug, Clone)]
pub struct FunctionConfig {
    /// Its name.
    pub name: String,
    /// The binary (`bootstrap`).
    pub binary: PathBuf,
    /// Its environment, beside what Lambda itself sets.
    pub env: BTreeMap<String, String>,
    /// How long one invocation may take.
    pub timeout: Duration,
    /// Requests that may run at once, and that many of the account's are kept for it (reserved concurrency); `None`: it shares
    /// what the others leave.
    pub reserved_concurrency: Option<usize>,
    /// `AWS_LAMBDA_FUNCTION_MEMORY_SIZE`; not enforced.
    pub memory_mib: u32,
}

impl FunctionConfig {
    /// A function with a timeout of 10 s, no reserved concurrency, and 256 MiB.
    pub fn new(name: impl Into<String>, binary: impl Into<PathBuf>) -> Self {
        Self {
            name: name.into(),
            binary: binary.into(),
            env: BTreeMap::new(),
            timeout: Duration::from_secs(10),
            reserved_concurrency: None,
            memory_mib: 256,
        }
    }

    /// The environment of a slot whose Runtime API is at `api` (custom-runtime page of the Lambda developer guide,
    /// "Defined runtime environment variables").
    pub(super) fn environment(&self, host: &LambdaConfig, api: &str, slot: &str) -> BTreeMap<String, String> {
        let name = self.name.as_str();
        let mut env: BTreeMap<String, String> =
            host.credentials.environment(&host.region).into_iter().collect();
        let set = [
            ("AWS_LAMBDA_RUNTIME_API", api.to_owned()),
            ("AWS_LAMBDA_FUNCTION_NAME", name.to_owned()),
            ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST".to_owned()),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", self.memory_mib.to_string()),
            ("AWS_LAMBDA_LOG_GROUP_NAME", format!("/aws/lambda/{name}")),
            ("AWS_LAMBDA_LOG_STREAM_NAME", slot.to_owned()),
            ("AWS_LAMBDA_LOG_FORMAT", "JSON".to_owned()),
            ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand".to_owned()),
            ("AWS_EXECUTION_ENV", "AWS_Lambda_provided.al2023".to_owned()),
            ("_HANDLER", "bootstrap".to_owned()),
            ("TZ", ":UTC".to_owned()),
        ];
        env.extend(set.map(|(name, value)| (name.to_owned(), value)));
        env.extend(self.env.clone());
        env
    }

    pub(super) fn arn(&self, region: &str) -> String {
        format!("arn:aws:lambda:{region}:000000000000:function:{}", self.name)
    }
}
