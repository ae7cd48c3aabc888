//! Stopped tasks and the minute sweep, as a Lambda function behind EventBridge.
#![recursion_limit = "256"] // the type of the whole future, down to the SDK, is deeper than the default

use headwater_aws::secrets::Secrets;
use headwater_aws::table::Table;
use headwater_aws::tasks::Clusters;
use headwater_aws::{deadlines, metrics, settings};
use headwater_domain::tokens::SigningKey;
use headwater_functions::lifecycle::LifecycleFunction;
use headwater_functions::startup;
use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use serde_json::Value;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    startup::logging();
    let sdk = settings::sdk_config(deadlines::PATIENT).await;
    let signing = SigningKey::new(Secrets::new(&sdk).current("SIGNING_KEY_ARN").await?);
    let function = LifecycleFunction {
        context: startup::context()?,
        table: Table::new(&sdk, settings::required("TABLE_NAME")?),
        tasks: Clusters::from_env(&sdk, signing)?,
        metrics: metrics::from_env()?,
        sleep: |time| Box::pin(tokio::time::sleep(time)),
    };
    // An error makes EventBridge's asynchronous invocation try again.
    run(service_fn(|event: LambdaEvent<Value>| async {
        Ok::<_, Error>(function.handle(event.payload).await?)
    }))
    .await
}
