//! From the SDK's errors to the kinds that callers act on.

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use headwater_domain::ports::{FaultKind, PortError};

/// Error codes that mean "too fast" (DynamoDB, S3, ECS).
const THROTTLES: [&str; 6] = [
    "ProvisionedThroughputExceededException",
    "ThrottlingException",
    "RequestLimitExceeded",
    "SlowDown",
    "TooManyRequestsException",
    "RequestThrottled",
];

/// Wraps an SDK error for `action`.
pub(crate) fn port<E>(action: &'static str) -> impl FnOnce(SdkError<E, HttpResponse>) -> PortError
where
    E: std::error::Error + ProvideErrorMetadata + Send + Sync + 'static,
{
    move |error| PortError { kind: kind_of(&error), action, source: Box::new(error) }
}

/// What went wrong, for people: the service's own words, or else the chain of causes. Never an answer's body.
pub(crate) fn described<E>(error: &SdkError<E, HttpResponse>) -> String
where
    E: std::error::Error + ProvideErrorMetadata + 'static,
{
    let service = error.as_service_error();
    if let Some(code) = service.and_then(ProvideErrorMetadata::code) {
        let message = service.and_then(ProvideErrorMetadata::message).unwrap_or("(no message)");
        return format!("{code}: {message}");
    }
    if let Some(answer) = error.raw_response() {
        return format!("an answer with status {} that says no more", answer.status());
    }
    let causes = std::iter::successors(Some(error as &dyn std::error::Error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// What the error means for who called.
pub(crate) fn kind_of<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> FaultKind {
    match error {
        SdkError::ServiceError(context) => {
            let status = context.raw().status().as_u16();
            if status == 429 || context.err().code().is_some_and(|code| THROTTLES.contains(&code)) {
                FaultKind::Throttled
            } else if status >= 500 {
                FaultKind::Unavailable
            } else {
                FaultKind::Refused
            }
        }
        SdkError::ConstructionFailure(_) => FaultKind::Refused,
        _ => FaultKind::Unavailable,
    }
}

/// A stored thing that cannot be understood.
pub(crate) fn corrupt(
    action: &'static str,
    source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> PortError {
    PortError { kind: FaultKind::Corrupt, action, source: source.into() }
}
