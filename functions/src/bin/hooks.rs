//! The hooks that gateway and transcoder call, as a Lambda function.

use headwater_aws::secrets::Secrets;
use headwater_aws::table::Table;
use headwater_aws::tasks::Clusters;
use headwater_aws::{deadlines, peer, settings};
use headwater_domain::key::Pepper;
use headwater_domain::tokens::SigningKey;
use headwater_functions::hooks::{HooksFunction, PublishGuard};
use headwater_functions::serve::serve;
use headwater_functions::startup;
use lambda_http::Error;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    startup::logging();
    let sdk = settings::sdk_config(deadlines::HOOKS).await;
    let secrets = Secrets::new(&sdk);
    let (pepper, signing) =
        tokio::try_join!(secrets.current("KEY_PEPPER_ARN"), secrets.current("SIGNING_KEY_ARN"))?;
    let signing = SigningKey::new(signing);
    let function = HooksFunction {
        context: startup::context()?,
        table: Table::new(&sdk, settings::required("TABLE_NAME")?),
        tasks: Clusters::from_env(&sdk, signing.clone())?,
        pepper: Pepper::new(pepper),
        signing,
        // The task definition's ARN on AWS, of which gateways know the end.
        revision: settings::optional("GATEWAY_REVISION")
            .map(|arn| arn.rsplit('/').next().unwrap_or_default().to_owned()),
        peer: peer::from_env()?,
        publish_guard: PublishGuard::default(),
    };
    serve(|request| function.handle(request)).await
}
