//! Settings from the environment, and the SDK clients made from them.
//!
//! On AWS the endpoints are unset. Locally, and on an emulator, the SDK's own `AWS_ENDPOINT_URL_<SERVICE>` lead
//! elsewhere; they know no regions, so the peer's S3 and ECS have variables of their own.

use aws_config::{BehaviorVersion, SdkConfig};
use aws_smithy_http_client::tls::{self, rustls_provider::CryptoMode};
use headwater_domain::Region;
use thiserror::Error;

use crate::deadlines::{Deadlines, stalled_streams};

/// A setting is missing or wrong.
#[derive(Debug, Error)]
#[error("environment variable {name} {problem}")]
pub struct SettingError {
    name: &'static str,
    problem: String,
}

/// Reads a variable that must be there.
pub fn required(name: &'static str) -> Result<String, SettingError> {
    optional(name).ok_or_else(|| SettingError { name, problem: "is not set".into() })
}

/// Reads a variable; empty counts as unset, so that a template can pass "".
pub fn optional(name: &'static str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Reads and parses a variable that must be there.
pub fn parsed<T: std::str::FromStr>(name: &'static str) -> Result<T, SettingError>
where
    T::Err: std::fmt::Display,
{
    required(name)?.parse().map_err(|error: T::Err| SettingError { name, problem: error.to_string() })
}

/// Reads and parses a variable that may be unset.
pub fn parsed_optional<T: std::str::FromStr>(name: &'static str) -> Result<Option<T>, SettingError>
where
    T::Err: std::fmt::Display,
{
    let parse = |value: String| {
        value.parse().map_err(|error: T::Err| SettingError { name, problem: error.to_string() })
    };
    optional(name).map(parse).transpose()
}

/// The region we run in (`AWS_REGION`, which Lambda and ECS set).
pub fn region() -> Result<Region, SettingError> {
    parsed("AWS_REGION")
}

/// The other region (`PEER_REGION`), if the deployment has two.
pub fn peer_region() -> Result<Option<Region>, SettingError> {
    parsed_optional("PEER_REGION")
}

/// A configuration for one endpoint, without looking at the environment: for tools that set a deployment up.
pub fn fixed_config(
    region: &str,
    endpoint: &str,
    credentials: aws_credential_types::Credentials,
) -> SdkConfig {
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(aws_config::Region::new(region.to_owned()))
        .endpoint_url(endpoint)
        .credentials_provider(aws_credential_types::provider::SharedCredentialsProvider::new(credentials))
        .http_client(http_client())
        .sleep_impl(aws_smithy_async::rt::sleep::SharedAsyncSleep::new(
            aws_smithy_async::rt::sleep::TokioSleep::new(),
        ))
        .build()
}

fn http_client() -> aws_smithy_runtime_api::client::http::SharedHttpClient {
    aws_smithy_http_client::Builder::new().tls_provider(tls::Provider::Rustls(CryptoMode::Ring)).build_https()
}

/// Every request on a connection of its own: for who has reason to think that those that are open are dead.
pub(crate) fn unpooled_http_client() -> aws_smithy_runtime_api::client::http::SharedHttpClient {
    aws_smithy_http_client::Builder::new()
        .pool_max_idle_per_host(0)
        .tls_provider(tls::Provider::Rustls(CryptoMode::Ring))
        .build_https()
}

/// Loads the SDK's configuration: credentials, region, endpoints, and the time that whoever calls the program has.
pub async fn sdk_config(deadlines: Deadlines) -> SdkConfig {
    aws_config::defaults(BehaviorVersion::latest())
        .http_client(http_client())
        .timeout_config(deadlines.timeouts())
        .retry_config(deadlines.retries())
        .stalled_stream_protection(stalled_streams())
        .load()
        .await
}

pub(crate) fn missing(name: &'static str) -> SettingError {
    SettingError { name, problem: "is not set".into() }
}

pub(crate) fn invalid(name: &'static str, problem: &dyn std::fmt::Display) -> SettingError {
    SettingError { name, problem: problem.to_string() }
}
