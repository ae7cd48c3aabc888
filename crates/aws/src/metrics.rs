//! Where metrics go: standard output, which Lambda and ECS send to CloudWatch Logs.

use std::io::Write as _;

use headwater_domain::metrics::Metrics;

use crate::settings::{self, SettingError};

/// From `METRICS_NAMESPACE` and `DEPLOYMENT`; `None` if the former is not set: nothing is measured then.
pub fn from_env() -> Result<Option<Metrics>, SettingError> {
    let Some(namespace) = settings::optional("METRICS_NAMESPACE") else { return Ok(None) };
    Ok(Some(Metrics { namespace, deployment: settings::required("DEPLOYMENT")?, print }))
}

/// One raw line: anything before or after the JSON and CloudWatch would not see metrics in it.
fn print(line: &str) {
    if let Err(error) = writeln!(std::io::stdout().lock(), "{line}") {
        tracing::warn!(%error, "metrics cannot be written");
    }
}
