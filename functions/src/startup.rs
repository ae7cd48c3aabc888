//! What every function does when it starts: logs as JSON, settings from the environment.

use headwater_aws::settings::{self, SettingError};

use crate::context::Context;

/// Logs to standard output as JSON, for CloudWatch; `RUST_LOG` sets the level.
pub fn logging() {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "info".into());
    tracing_subscriber::fmt().json().with_env_filter(filter).with_current_span(false).without_time().init();
}

/// Region and peer from the environment, with the real clock.
pub fn context() -> Result<Context, SettingError> {
    Ok(Context::real(settings::region()?, settings::peer_region()?))
}
