//! Lambda of one region: runs the real function binaries as processes behind the Lambda Runtime API, one request per
//! process at a time, with the quotas that make callers see throttling. Must not know what functions do, nor who
//! invokes them.

mod config;
mod error;
mod function;
mod host;
mod runtime_api;
mod slot;

pub use config::{FunctionConfig, LambdaConfig};
pub use error::{FunctionError, InvokeError, LambdaError};
pub use function::Stats;
pub use host::{Invocation, Lambda};
