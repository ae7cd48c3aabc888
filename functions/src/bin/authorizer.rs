//! The API's authorizer as a Lambda function.

use headwater_aws::clock::wall_clock;
use headwater_aws::secrets::Secrets;
use headwater_aws::{deadlines, settings};
use headwater_functions::authorizer::{AuthorizerFunction, Event};
use headwater_functions::startup;
use lambda_runtime::{Error, LambdaEvent, run, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    startup::logging();
    let secrets = Secrets::new(&settings::sdk_config(deadlines::PATIENT).await);
    let function = AuthorizerFunction::new(secrets.current("ADMIN_TOKEN_ARN").await?, wall_clock);
    let function = &function;
    run(service_fn(
        |event: LambdaEvent<Event>| async move { Ok::<_, Error>(function.handle(&event.payload)) },
    ))
    .await
}
