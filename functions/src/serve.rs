//! Serves HTTP requests as a Lambda function, whatever is in their addresses.
//!
//! `lambda_http` makes a URI of an event's host, path and query before a handler sees it, and panics where that is not
//! possible: the caller would see 500, and the edge would ask the other region for the same. Handlers route by the raw path,
//! so an address that is no URI is spelled as one, and they say that there is no such thing.

use std::future::Future;

use http::header::{HOST, HeaderName};
use lambda_http::request::LambdaRequest;
use lambda_http::{Adapter, Body, Error, Request, Response};
use lambda_runtime::tower::Service as _;
use lambda_runtime::{LambdaEvent, service_fn};
use url::Url;

/// Longest path or query that is kept, in bytes: API Gateway takes 10,240 of request line and headers together, and a URI
/// of the `http` crate ends at 65,535.
const MAX_ADDRESS: usize = 10_240;

const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// Answers requests until Lambda ends the process.
pub async fn serve<F, Fut>(handler: F) -> Result<(), Error>
where
    F: Fn(Request) -> Fut,
    Fut: Future<Output = Response<Body>> + Send,
{
    let mut adapter = Adapter::from(service_fn(|request: Request| {
        let answer = handler(request);
        async move { Ok::<_, Error>(answer.await) }
    }));
    let answer = |event: LambdaEvent<LambdaRequest>| {
        let LambdaEvent { payload, context } = event;
        adapter.call(LambdaEvent::new(repaired(payload), context))
    };
    lambda_runtime::run(service_fn(answer)).await
}

/// The event with an address that is a URI.
pub fn repaired(event: LambdaRequest) -> LambdaRequest {
    let LambdaRequest::ApiGatewayV2(mut event) = event else { return event };
    let path = event.raw_path.take().unwrap_or_default();
    let slash = if path.starts_with('/') { "" } else { "/" };
    event.raw_path = Some(format!("{slash}{}", spelled(&path)));
    event.raw_query_string = event.raw_query_string.map(|query| spelled(&query));
    let authority = |host: &str| Url::parse(&format!("https://{host}/")).is_ok();
    if !event.headers.get(HOST).is_some_and(|host| host.to_str().is_ok_and(authority)) {
        event.headers.remove(HOST);
    }
    event.request_context.domain_name = event.request_context.domain_name.filter(|host| authority(host));
    // What else a client may write there would become the URI's scheme.
    if event.headers.get(&FORWARDED_PROTO).is_some_and(|proto| proto != "https" && proto != "http") {
        event.headers.remove(&FORWARDED_PROTO);
    }
    LambdaRequest::ApiGatewayV2(event)
}

/// The text with everything percent-encoded that a URI does not have (RFC 3986 §2), and no longer than allowed.
fn spelled(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        let fine = byte.is_ascii_alphanumeric() || b"-._~:/?@!$&'()*+,;=%[]".contains(&byte);
        let spelled = if fine { char::from(byte).to_string() } else { format!("%{byte:02X}") };
        if out.len() + spelled.len() > MAX_ADDRESS {
            break;
        }
        out.push_str(&spelled);
    }
    out
}
