//! The DynamoDB adapter passes the same suites as the fake, against the embedded DynamoDB through the real SDK.

use headwater_aws::settings::fixed_config;
use headwater_aws::table::Table;
use headwater_domain::testing::conformance;

use super::support::Platform;

#[tokio::test(flavor = "multi_thread")]
async fn the_dynamodb_table_conforms() {
    let platform = Platform::start().await;
    let endpoint = format!("http://{}", platform.stack.regions[0].dynamodb.addr());
    let secret = platform.stack.secrets.aws_secret_key.clone();
    let keys = aws_credential_types::Credentials::new("HEADWATERLOCAL", secret, None, None, "test");
    let table = Table::new(&fixed_config("us-east-1", &endpoint, keys), "headwater");
    conformance::streams(&table, 1).await;
    conformance::keys(&table, 2).await;
    conformance::live(&table, 3).await;
    conformance::broadcasts(&table, 4).await;
    conformance::timeline(&table, 5).await;
    conformance::requests(&table, 6).await;
    platform.stop().await;
}
