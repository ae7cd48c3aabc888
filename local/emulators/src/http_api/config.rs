//! What an HTTP API is configured with. Data only.

use crate::calls::CallLog;
use crate::credentials::LocalCredentials;
use std::path::PathBuf;
use std::time::Duration;

/// One region's HTTP API.
#[derive(Debug, Clone)]
pub struct HttpApiConfig {
    /// Region name; part of what IAM callers sign.
    pub region: String,
    /// Port to listen on; 0 for any free one.
    pub port: u16,
    /// `requestContext.apiId`.
    pub api_id: String,
    /// The routes.
    pub routes: Vec<Route>,
    /// What sites' scripts may do; without, preflights are requests like any others.
    pub cors: Option<Cors>,
    /// The key pair that IAM callers sign with.
    pub credentials: LocalCredentials,
    /// One JSON line a request is appended here.
    pub access_log: PathBuf,
    /// How long a function may take; API Gateway allows at most 30 s and that is the default there.
    pub integration_timeout: Duration,
    /// Notes who calls IAM routes.
    pub calls: CallLog,
}

/// Cross-origin requests (`CorsConfiguration`).
#[derive(Debug, Clone)]
pub struct Cors {
    /// Sites that may ask; `*` is any.
    pub allow_origins: Vec<String>,
    /// With which methods.
    pub allow_methods: Vec<String>,
    /// With which headers.
    pub allow_headers: Vec<String>,
    /// Headers of answers that scripts may read.
    pub expose_headers: Vec<String>,
    /// How long a browser may remember a preflight's answer.
    pub max_age: Duration,
}

/// One route and what it invokes.
#[derive(Debug, Clone)]
pub struct Route {
    /// `POST /v1/streams`, `GET /live/{stream}/index.m3u8`, `ANY /v1/{proxy+}` or `$default`.
    pub key: String,
    /// Name of the function.
    pub function: String,
    /// Who may call it.
    pub authorizer: Authorizer,
    /// Requests over this are answered 429.
    pub throttle: Option<Throttle>,
}

impl Route {
    /// A route that anybody may call.
    pub fn open(key: impl Into<String>, function: impl Into<String>) -> Self {
        Self { key: key.into(), function: function.into(), authorizer: Authorizer::None, throttle: None }
    }

    /// The same route with an authorizer.
    pub fn authorized_by(mut self, authorizer: Authorizer) -> Self {
        self.authorizer = authorizer;
        self
    }

    /// The same route with a throttle.
    pub fn throttled(mut self, rate_per_second: f64, burst: u32) -> Self {
        self.throttle = Some(Throttle { rate_per_second, burst });
        self
    }
}

/// A token bucket (`ThrottlingRateLimit`, `ThrottlingBurstLimit`).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Throttle {
    /// Requests a second in the long run.
    pub rate_per_second: f64,
    /// Requests at once.
    pub burst: u32,
}

/// Who may call a route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Authorizer {
    /// Anybody.
    None,
    /// Whom a function allows: REQUEST type, payload 2.0, simple responses, identity source
    /// `$request.header.Authorization`.
    Lambda {
        /// Name of the function.
        function: String,
        /// How long a result is used again for the same identity; zero asks every time.
        cache_for: Duration,
    },
    /// Who signs (SigV4, service `execute-api`) with the local key.
    Iam,
}
