//! Playlists as a Lambda function.

use headwater_aws::settings;
use headwater_aws::table::Table;
use headwater_domain::hooks::Secret;
use headwater_functions::playlist::PlaylistFunction;
use headwater_functions::startup;
use lambda_http::{Error, Request, run, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    startup::logging();
    let function = PlaylistFunction {
        context: startup::context()?,
        table: Table::new(&settings::sdk_config().await, settings::required("TABLE_NAME")?),
        origin_secret: settings::optional("ORIGIN_SECRET").map(Secret::new),
    };
    run(service_fn(|request: Request| async { Ok::<_, Error>(function.handle(request).await) })).await
}
