//! Playlists as a Lambda function.

use headwater_aws::media::Buckets;
use headwater_aws::secrets::Secrets;
use headwater_aws::table::Table;
use headwater_aws::{deadlines, settings};
use headwater_functions::playlist::PlaylistFunction;
use headwater_functions::serve::serve;
use headwater_functions::startup;
use lambda_http::Error;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    startup::logging();
    let sdk = settings::sdk_config(deadlines::VIEWERS).await;
    let function = PlaylistFunction {
        context: startup::context()?,
        table: Table::new(&sdk, settings::required("TABLE_NAME")?),
        parts: Buckets::only(&sdk, settings::required("MEDIA_BUCKET")?),
        origin_secrets: Secrets::new(&sdk).current_and_previous("ORIGIN_SECRET_ARN").await?,
        kept_for: settings::parsed_optional("MEDIA_EXPIRATION_DAYS")?.unwrap_or_default(),
        renditions: Default::default(),
    };
    serve(|request| function.handle(request)).await
}
