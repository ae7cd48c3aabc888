//! The REST API as a Lambda function.

use headwater_aws::secrets::Secrets;
use headwater_aws::table::Table;
use headwater_aws::{deadlines, settings};
use headwater_domain::key::Pepper;
use headwater_functions::api::{ApiFunction, PublicUrls};
use headwater_functions::serve::serve;
use headwater_functions::startup;
use lambda_http::Error;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    startup::logging();
    let list =
        |name| settings::optional(name).iter().flat_map(|urls| urls.split(',')).map(str::to_owned).collect();
    let sdk = settings::sdk_config(deadlines::PATIENT).await;
    let function = ApiFunction {
        context: startup::context()?,
        table: Table::new(&sdk, settings::required("TABLE_NAME")?),
        pepper: Pepper::new(Secrets::new(&sdk).current("KEY_PEPPER_ARN").await?),
        public_urls: PublicUrls {
            rtmp: list("INGEST_RTMP"),
            rtmps: list("INGEST_RTMPS"),
            edge: settings::required("EDGE_URL")?,
        },
        kept_for: settings::parsed_optional("MEDIA_EXPIRATION_DAYS")?.unwrap_or_default(),
    };
    serve(|request| function.handle(request)).await
}
