//! One region's DynamoDB against the real SDK.

use super::support::sdk_config;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, KeySchemaElement, KeyType, PutRequest,
    ScalarAttributeType, WriteRequest,
};
use headwater_emulators::calls::CallLog;
use headwater_emulators::dynamodb::{DynamoDb, DynamoDbConfig};
use std::path::Path;

pub(super) const TABLE: &str = "items";

pub(super) async fn start(folder: &Path, region: &str, port: u16) -> DynamoDb {
    DynamoDb::start(DynamoDbConfig {
        region: region.to_owned(),
        port,
        folder: folder.join(region),
        calls: CallLog::default(),
    })
    .await
    .unwrap()
}

pub(super) fn client(db: &DynamoDb) -> Client {
    Client::from_conf(sdk_config!(aws_sdk_dynamodb, db.addr()).build())
}

pub(super) async fn create_table(client: &Client) {
    let attribute = |name: &str| {
        let builder = AttributeDefinition::builder().attribute_name(name);
        builder.attribute_type(ScalarAttributeType::S).build().unwrap()
    };
    let key =
        |name: &str, kind| KeySchemaElement::builder().attribute_name(name).key_type(kind).build().unwrap();
    let request = client.create_table().table_name(TABLE).billing_mode(BillingMode::PayPerRequest);
    let request = request.attribute_definitions(attribute("PK")).attribute_definitions(attribute("SK"));
    let request = request.key_schema(key("PK", KeyType::Hash)).key_schema(key("SK", KeyType::Range));
    request.send().await.unwrap();
}

pub(super) fn s(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

pub(super) async fn put(client: &Client, name: &str, value: &str) {
    let request = client.put_item().table_name(TABLE).item("PK", s(name)).item("SK", s("x"));
    request.item("value", s(value)).send().await.unwrap();
}

pub(super) async fn read(client: &Client, name: &str) -> Option<String> {
    let request = client.get_item().table_name(TABLE).key("PK", s(name)).key("SK", s("x"));
    let item = request.send().await.unwrap().item?;
    Some(item.get("value")?.as_s().unwrap().clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn racing_conditional_puts_have_one_winner() {
    let folder = tempfile::tempdir().unwrap();
    let db = start(folder.path(), "us-east-1", 0).await;
    let client = client(&db);
    create_table(&client).await;
    let racers = (0..16).map(|n: u32| {
        let request = client.put_item().table_name(TABLE).item("PK", s("lease")).item("SK", s("x"));
        let request = request.item("value", s(&n.to_string()));
        tokio::spawn(request.condition_expression("attribute_not_exists(PK)").send())
    });
    let outcomes = futures::future::join_all(racers).await;
    let (won, lost): (Vec<_>, Vec<_>) = outcomes.into_iter().map(Result::unwrap).partition(Result::is_ok);
    assert_eq!((won.len(), lost.len()), (1, 15));
    for error in lost {
        assert!(error.unwrap_err().into_service_error().is_conditional_check_failed_exception());
    }
    assert_eq!(db.operations()["PutItem"], 16);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_region_refuses_and_comes_back_with_its_data_on_the_same_port() {
    let folder = tempfile::tempdir().unwrap();
    let db = start(folder.path(), "us-east-1", 0).await;
    let client = client(&db);
    create_table(&client).await;
    put(&client, "kept", "1").await;

    db.stop().await;
    let refused = client.get_item().table_name(TABLE).key("PK", s("kept")).key("SK", s("x")).send().await;
    assert!(matches!(refused, Err(error) if error.as_service_error().is_none()));
    db.faults().start().unwrap();
    assert_eq!(read(&client, "kept").await.as_deref(), Some("1"));

    let port = db.addr().port();
    db.stop().await;
    drop(db);
    let again = start(folder.path(), "us-east-1", port).await;
    assert_eq!(again.addr().port(), port);
    assert_eq!(read(&client, "kept").await.as_deref(), Some("1"));
}

#[tokio::test(flavor = "multi_thread")]
async fn operations_are_counted_by_name_and_partiql_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let db = start(folder.path(), "us-east-1", 0).await;
    let client = client(&db);
    create_table(&client).await;
    let item =
        PutRequest::builder().item("PK", s("b")).item("SK", s("x")).item("value", s("1")).build().unwrap();
    let write = WriteRequest::builder().put_request(item).build();
    client.batch_write_item().request_items(TABLE, vec![write]).send().await.unwrap();
    let query = client.query().table_name(TABLE).key_condition_expression("PK = :p");
    let found = query.expression_attribute_values(":p", s("b")).send().await.unwrap();
    assert_eq!(found.count(), 1);
    client.execute_statement().statement(format!("SELECT * FROM {TABLE}")).send().await.unwrap_err();
    let counted = db.operations();
    assert_eq!((counted["BatchWriteItem"], counted["Query"], counted.get("GetItem")), (1, 1, None));
}
