//! The adapters pass the same suites as the fakes, against the embedded services through the real SDK.

use headwater_domain::testing::conformance;

use super::support::Platform;

#[tokio::test(flavor = "multi_thread")]
async fn the_dynamodb_table_conforms() {
    let platform = Platform::start().await;
    let table = platform.table(0);
    conformance::streams(&table, 1).await;
    conformance::keys(&table, 2).await;
    conformance::live(&table, 3).await;
    conformance::broadcasts(&table, 4).await;
    conformance::timeline(&table, 5).await;
    conformance::requests(&table, 6).await;
    platform.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bucket_of_parts_conforms() {
    let platform = Platform::start().await;
    conformance::parts(&platform.bucket(0), 7).await;
    platform.stop().await;
}
