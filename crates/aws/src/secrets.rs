//! Secrets, read from AWS Secrets Manager when a function starts.
//!
//! A function's environment can be read by everybody who may look at the function; so it holds ARNs, and the values
//! are asked for by those whose role allows it.

use aws_config::SdkConfig;
use aws_sdk_secretsmanager::Client;
use headwater_domain::hooks::Secret;
use thiserror::Error;

use crate::deadlines::SECRETS;
use crate::error::described;
use crate::settings;

/// Version stage of what a secret is now (user guide, "Secret versions").
const CURRENT: &str = "AWSCURRENT";
/// Version stage of what it was before its last rotation.
const PREVIOUS: &str = "AWSPREVIOUS";

/// A secret cannot be had. Never says the value.
#[derive(Debug, Error)]
#[error("cannot read the secret {arn} that environment variable {variable} names: {problem}")]
pub struct SecretError {
    variable: &'static str,
    arn: String,
    problem: String,
}

/// Reads secrets by the ARNs that the environment names.
#[derive(Debug, Clone)]
pub struct Secrets {
    client: Client,
}

impl Secrets {
    /// In the configuration's region, where the deployment has a replica of each.
    pub fn new(config: &SdkConfig) -> Self {
        let config = aws_sdk_secretsmanager::config::Builder::from(config)
            .timeout_config(SECRETS.timeouts())
            .retry_config(SECRETS.retries());
        Self { client: Client::from_conf(config.build()) }
    }

    /// The secret that `variable` names; it must be there.
    pub async fn current(&self, variable: &'static str) -> Result<Secret, SecretError> {
        let Some(arn) = settings::optional(variable) else {
            let problem = "it is not set".into();
            return Err(SecretError { variable, arn: "\"\"".into(), problem });
        };
        self.read_current(variable, &arn).await
    }

    /// The secret that `variable` names, and what it was before, if it ever was rotated. Empty if the variable is unset.
    pub async fn current_and_previous(&self, variable: &'static str) -> Result<Vec<Secret>, SecretError> {
        match settings::optional(variable) {
            Some(arn) => self.read_current_and_previous(variable, &arn).await,
            None => Ok(Vec::new()),
        }
    }

    /// [`current_and_previous`](Self::current_and_previous) for an ARN that is known; `variable` is named in errors.
    pub async fn read_current_and_previous(
        &self,
        variable: &'static str,
        arn: &str,
    ) -> Result<Vec<Secret>, SecretError> {
        let (current, previous) =
            tokio::try_join!(self.read_current(variable, arn), self.read(variable, arn, PREVIOUS))?;
        Ok(std::iter::once(current).chain(previous).collect())
    }

    /// [`current`](Self::current) for an ARN that is known; `variable` is named in errors.
    pub async fn read_current(&self, variable: &'static str, arn: &str) -> Result<Secret, SecretError> {
        self.read(variable, arn, CURRENT).await?.ok_or_else(|| SecretError {
            variable,
            arn: arn.to_owned(),
            problem: "there is no such secret in this region, or it has no current version".into(),
        })
    }

    /// `None`: there is no such secret, or no version with this stage.
    async fn read(
        &self,
        variable: &'static str,
        arn: &str,
        stage: &str,
    ) -> Result<Option<Secret>, SecretError> {
        let failed = |problem: String| SecretError { variable, arn: arn.to_owned(), problem };
        let answer = match self.client.get_secret_value().secret_id(arn).version_stage(stage).send().await {
            Ok(answer) => answer,
            Err(error) if error.as_service_error().is_some_and(|e| e.is_resource_not_found_exception()) => {
                return Ok(None);
            }
            Err(error) => return Err(failed(described(&error))),
        };
        match answer.secret_string() {
            Some(text) if !text.is_empty() => Ok(Some(Secret::new(text))),
            _ => Err(failed(format!("its version {stage} has no text"))),
        }
    }
}
