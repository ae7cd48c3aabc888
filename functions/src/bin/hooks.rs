//! The hooks that gateway and transcoder call, as a Lambda function.

use headwater_aws::settings;
use headwater_aws::table::Table;
use headwater_aws::tasks::Clusters;
use headwater_domain::hooks::Secret;
use headwater_domain::key::Pepper;
use headwater_domain::tokens::SigningKey;
use headwater_functions::hooks::HooksFunction;
use headwater_functions::startup;
use lambda_http::{Error, Request, run, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    startup::logging();
    let sdk = settings::sdk_config().await;
    let function = HooksFunction {
        context: startup::context()?,
        table: Table::new(&sdk, settings::required("TABLE_NAME")?),
        tasks: Clusters::from_env(&sdk)?,
        pepper: Pepper::new(Secret::new(settings::required("KEY_PEPPER")?)),
        signing: SigningKey::new(Secret::new(settings::required("SIGNING_KEY")?)),
        revision: settings::optional("GATEWAY_REVISION"),
    };
    run(service_fn(|request: Request| async { Ok::<_, Error>(function.handle(request).await) })).await
}
