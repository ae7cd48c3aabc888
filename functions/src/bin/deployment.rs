//! CloudFormation's custom resources of a deployment, as a Lambda function.
#![recursion_limit = "256"] // the type of the whole future, down to the SDK, is deeper than the default

use std::path::PathBuf;
use std::sync::Arc;

use headwater_aws::apis::Apis;
use headwater_aws::callback::Callback;
use headwater_aws::clock::wall_clock;
use headwater_aws::site::Site;
use headwater_aws::{deadlines, settings};
use headwater_functions::deployment::DeploymentFunction;
use headwater_functions::startup;
use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use serde_json::Value;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    startup::logging();
    let sdk = settings::sdk_config(deadlines::PATIENT).await;
    // Lambda sets it to the folder of our package; a start that fails would leave a stack waiting for its answer.
    let package = settings::optional("LAMBDA_TASK_ROOT").map_or_else(|| PathBuf::from("."), PathBuf::from);
    let function = Arc::new(DeploymentFunction {
        region: settings::region()?,
        apis: Apis::new(&sdk),
        site: Site::new(&sdk),
        site_folder: package.join("site"),
        callback: Callback::new()?,
        clock: wall_clock,
    });
    // An error makes Lambda's asynchronous invocation try again.
    run(service_fn(|event: LambdaEvent<Value>| {
        let deadline = event.context.deadline();
        let function = function.clone();
        async move { Ok::<_, Error>(function.handle(event.payload, deadline).await?) }
    }))
    .await
}
