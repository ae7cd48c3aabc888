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

/// An error of `action`, with what the service or the network said of it.
pub(crate) fn port<E>(action: &'static str) -> impl FnOnce(SdkError<E, HttpResponse>) -> PortError
where
    E: std::error::Error + ProvideErrorMetadata + Send + Sync + 'static,
{
    move |error| PortError { kind: kind_of(&error), action, source: described(&error).into() }
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
    causes(error)
}

/// An error's words, and those of all that caused it: the last one is what happened.
pub(crate) fn causes(error: &(dyn std::error::Error + 'static)) -> String {
    let mut said: Vec<String> =
        std::iter::successors(Some(error), |error| error.source()).map(ToString::to_string).collect();
    // Many wrap another and say the same.
    said.dedup();
    said.join(": ")
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
            } else if status == 403
                || context.err().code().is_some_and(|code| code.starts_with("AccessDenied"))
            {
                FaultKind::Forbidden
            } else {
                FaultKind::Refused
            }
        }
        SdkError::ConstructionFailure(_) => FaultKind::Refused,
        SdkError::TimeoutError(_) => FaultKind::TimedOut,
        SdkError::DispatchFailure(failure) if failure.is_timeout() => FaultKind::TimedOut,
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

#[cfg(test)]
mod tests {
    use std::io;

    use aws_sdk_dynamodb::operation::get_item::GetItemError;
    use aws_sdk_ecs::operation::run_task::RunTaskError;
    use aws_sdk_s3::operation::put_object::PutObjectError;
    use aws_smithy_runtime_api::client::result::ConnectorError;
    use aws_smithy_types::body::SdkBody;
    use aws_smithy_types::error::ErrorMetadata;

    use super::*;

    fn answer(status: u16) -> HttpResponse {
        HttpResponse::new(status.try_into().unwrap(), SdkBody::from("<secret body>"))
    }

    /// What comes of each way to fail, of any service's operation.
    fn of_any_service<E>(refused: impl Fn(ErrorMetadata) -> E)
    where
        E: std::error::Error + ProvideErrorMetadata + Send + Sync + 'static,
    {
        let service = |status, code: &str, message: &str| {
            let meta = ErrorMetadata::builder().code(code).message(message).build();
            SdkError::service_error(refused(meta), answer(status))
        };
        let connection = |kind: io::ErrorKind, said: &str| io::Error::new(kind, said.to_owned());
        let late = io::Error::new(io::ErrorKind::TimedOut, "connect timeout after 1s");
        for (error, kind, told) in [
            (
                SdkError::timeout_error("operation attempt timeout (single attempt) occurred after 5s"),
                FaultKind::TimedOut,
                "no answer in time (request has timed out: operation attempt timeout (single attempt) occurred after 5s)",
            ),
            (
                SdkError::dispatch_failure(ConnectorError::timeout(late.into())),
                FaultKind::TimedOut,
                "no answer in time (dispatch failure: timeout: connect timeout after 1s)",
            ),
            (
                SdkError::dispatch_failure(ConnectorError::io(
                    connection(io::ErrorKind::ConnectionRefused, "Connection refused").into(),
                )),
                FaultKind::Unavailable,
                "out of reach or failing (dispatch failure: io error: Connection refused)",
            ),
            (
                service(403, "AccessDenied", "User: task is not authorized"),
                FaultKind::Forbidden,
                "permission denied (AccessDenied: User: task is not authorized)",
            ),
            (
                service(400, "AccessDeniedException", "User: task is not authorized"),
                FaultKind::Forbidden,
                "permission denied (AccessDeniedException: User: task is not authorized)",
            ),
            (
                service(400, "ThrottlingException", "Rate exceeded"),
                FaultKind::Throttled,
                "too many requests (ThrottlingException: Rate exceeded)",
            ),
            (
                service(503, "ServiceUnavailable", "Reduce your rate"),
                FaultKind::Unavailable,
                "out of reach or failing (ServiceUnavailable: Reduce your rate)",
            ),
            (
                service(404, "NoSuchBucket", "The bucket does not exist"),
                FaultKind::Refused,
                "refused (NoSuchBucket: The bucket does not exist)",
            ),
            (
                SdkError::response_error("no XML", answer(502)),
                FaultKind::Unavailable,
                "out of reach or failing (an answer with status 502 that says no more)",
            ),
        ] {
            let error = port("do something")(error);
            assert_eq!((error.kind, error.told().as_str()), (kind, told));
            assert_eq!(error.to_string(), format!("do something: {kind}"));
        }
    }

    #[test]
    fn an_error_says_whether_nobody_answered_was_there_or_allowed_it() {
        of_any_service(PutObjectError::generic);
        of_any_service(GetItemError::generic);
        of_any_service(RunTaskError::generic);
    }

    #[test]
    fn causes_are_told_once_each_down_to_the_last() {
        #[derive(Debug, thiserror::Error)]
        #[error("{0}")]
        struct Layer(&'static str, #[source] Option<Box<Self>>);
        let deepest = Layer("refused", None);
        let error = Layer("client error", Some(Box::new(Layer("client error", Some(Box::new(deepest))))));
        assert_eq!(causes(&error), "client error: refused");
    }
}
