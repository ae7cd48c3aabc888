//! Answers one request: route, limits, authorizer, function, answer, log line. Must not know what is behind a
//! function's name.

use super::access_log::{AccessLog, AccessLogEntry};
use super::authorizer::Authorizers;
use super::config::HttpApiConfig;
use super::cors::CorsRequest;
use super::event::{Inbound, Matched};
use super::response::{Own, from_function};
use super::routes::Routes;
use super::throttle::Bucket;
use crate::fault::Failure;
use crate::lambda::{InvokeError, Lambda};
use crate::listen::Handler;
use crate::{clock, random};
use axum::body::Body;
use bytes::Bytes;
use futures::future::BoxFuture;
use http::{HeaderValue, Request, Response};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// API Gateway's limit on a request body, in bytes (HTTP API quotas: 10 MB).
const MAX_BODY: usize = 10 * 1024 * 1024;

/// API Gateway's longest integration timeout (HTTP API quotas: 30 s).
const MAX_INTEGRATION_TIMEOUT: Duration = Duration::from_secs(30);

/// The request side of one API.
#[derive(Debug)]
pub(super) struct ApiFront {
    config: HttpApiConfig,
    routes: Routes,
    /// In the order of the configuration's routes.
    buckets: Vec<Option<Bucket>>,
    authorizers: Authorizers,
    lambda: Lambda,
    log: AccessLog,
}

impl ApiFront {
    pub(super) fn new(config: HttpApiConfig, routes: Routes, lambda: Lambda, log: AccessLog) -> Self {
        let now = Instant::now();
        let buckets = config.routes.iter().map(|route| Some(Bucket::new(route.throttle?, now))).collect();
        Self { config, routes, buckets, authorizers: Authorizers::default(), lambda, log }
    }

    /// The answer, the key of the route it came from, and what went wrong in API Gateway's own words.
    async fn answer(&self, request: Inbound) -> (Response<Body>, &str, Option<&'static str>) {
        let asked = CorsRequest::of(&request.method, &request.headers);
        let Some(taken) = self.routes.take(request.method.as_str(), &request.path) else {
            return match self.config.cors.as_ref().and_then(|cors| cors.preflight(&asked)) {
                Some(response) => (response, "-", None),
                None => (Own::NotFound.response(), "-", Some("no route")),
            };
        };
        let route = &self.config.routes[taken.index];
        let failed = |own: Own, why| (own.response(), route.key.as_str(), Some(why));
        if self.buckets[taken.index].as_ref().is_some_and(|bucket| !bucket.take(Instant::now())) {
            return failed(Own::TooManyRequests, "route throttled");
        }
        let matched = Matched {
            api_id: &self.config.api_id,
            region: &self.config.region,
            key: &route.key,
            variables: &taken.variables,
        };
        let admitted =
            self.authorizers.admit(&self.config, &self.lambda, &route.authorizer, &request, &matched).await;
        let authorizer = match admitted {
            Ok(authorizer) => authorizer,
            Err(own) => return failed(own, "not authorized"),
        };
        let event = request.integration(&matched, authorizer);
        match self.integrate(&route.function, Bytes::from(event.to_string())).await {
            Ok(mut response) => {
                if let Some(cors) = &self.config.cors {
                    cors.mark(&asked, &mut response);
                }
                (response, &route.key, None)
            }
            Err((own, why)) => failed(own, why),
        }
    }

    async fn integrate(&self, function: &str, event: Bytes) -> Result<Response<Body>, (Own, &'static str)> {
        let limit = self.config.integration_timeout.min(MAX_INTEGRATION_TIMEOUT);
        let invoked = tokio::time::timeout(limit, self.lambda.invoke(function, event)).await;
        let invoked = invoked.map_err(|_| (Own::Unavailable, "integration timeout"))?;
        let answer = invoked.map_err(|error| {
            tracing::warn!(function, %error, "the integration failed");
            match error {
                // AWS documents 429 for API Gateway's own throttles only; what an HTTP API makes of a throttled
                // integration is reported by users as 503.
                InvokeError::Throttled => (Own::Unavailable, "integration throttled"),
                InvokeError::Unavailable => (Own::Unavailable, "integration unavailable"),
                InvokeError::TooLarge(_) => (Own::TooLarge, "event over the integration's limit"),
                _ => (Own::Internal, "integration failed"),
            }
        })?;
        from_function(&answer.payload).map_err(|error| {
            tracing::warn!(function, %error, "the integration failed");
            (Own::Internal, "malformed integration response")
        })
    }
}

impl Handler for ApiFront {
    fn handle(
        self: Arc<Self>,
        request: Request<Body>,
        peer: SocketAddr,
    ) -> BoxFuture<'static, Response<Body>> {
        Box::pin(async move {
            let started = Instant::now();
            let (parts, body) = request.into_parts();
            let request_id = format!("{}=", &random::hex32()[..15]);
            let method = parts.method.clone();
            let answered = match axum::body::to_bytes(body, MAX_BODY).await {
                Ok(body) => {
                    let inbound = Inbound {
                        request_id: request_id.clone(),
                        method: parts.method,
                        path: parts.uri.path().to_owned(),
                        query: parts.uri.query().unwrap_or_default().to_owned(),
                        version: parts.version,
                        headers: parts.headers,
                        source: peer.ip(),
                        body,
                        received: clock::utc(),
                    };
                    self.answer(inbound).await
                }
                Err(_) => (Own::TooLarge.response(), "-", Some("request too large")),
            };
            let (mut response, route_key, error) = answered;
            if let Ok(id) = HeaderValue::try_from(request_id.as_str()) {
                response.headers_mut().insert("apigw-requestid", id);
            }
            self.log.write(&AccessLogEntry {
                request_time: clock::rfc3339_now(),
                request_id: &request_id,
                source_ip: peer.ip().to_string(),
                http_method: method.as_str(),
                route_key,
                status: response.status().as_u16(),
                response_latency_ms: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
                error,
            });
            response
        })
    }

    fn fail(&self, failure: Failure) -> Response<Body> {
        let own = match failure {
            Failure::Internal => Own::Internal,
            Failure::Unavailable => Own::Unavailable,
            Failure::Throttle => Own::TooManyRequests,
        };
        own.response()
    }
}
