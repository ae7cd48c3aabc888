//! A tiny real Lambda function for the tests: does what its event says.
//!
//! `{"do":"echo"}` returns the whole event, `hang` never answers, `crash` ends the process, `fail` reports an error,
//! `environment` returns what Lambda set; an API Gateway event is returned inside a 200, unless its query says
//! otherwise.

use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::{Value, json};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    if std::env::var("FAIL_INIT").is_ok() {
        std::process::exit(3);
    }
    lambda_runtime::run(service_fn(handle)).await
}

async fn handle(event: LambdaEvent<Value>) -> Result<Value, Error> {
    let (payload, context) = event.into_parts();
    let asked = payload["do"].as_str().or_else(|| payload["queryStringParameters"]["do"].as_str());
    match asked.unwrap_or("echo") {
        "hang" => std::future::pending().await,
        "crash" => std::process::exit(7),
        "fail" => Err("asked to fail".into()),
        "environment" => Ok(json!({
            "pid": std::process::id(),
            "function": context.env_config.function_name,
            "version": context.env_config.version,
            "memory": context.env_config.memory,
            "region": std::env::var("AWS_REGION").ok(),
            "arn": context.invoked_function_arn,
            "own": std::env::var("OWN").ok(),
        })),
        "cors" => Ok(json!({
            "statusCode": 200,
            "headers": {
                "access-control-allow-origin": "*",
                "access-control-allow-methods": "TRACE",
                "access-control-expose-headers": "x-own",
            },
            "body": "",
        })),
        "binary" => Ok(json!({
            "statusCode": 201,
            "headers": { "content-type": "application/octet-stream", "content-encoding": "gzip" },
            "cookies": ["a=1", "b=2"],
            "isBase64Encoded": true,
            "body": "H4sI/w==",
        })),
        "authorize" => Ok(json!({ "isAuthorized": true, "context": { "who": "test" } })),
        _ if payload["type"] == "REQUEST" => {
            let allowed = payload["headers"]["authorization"] == "Bearer good";
            Ok(json!({ "isAuthorized": allowed, "context": { "who": "test" } }))
        }
        _ if payload["version"] == "2.0" => Ok(json!({ "statusCode": 200, "body": payload.to_string() })),
        _ => Ok(payload),
    }
}
