//! The table, created as template.yaml has it: one key pair, a TTL, nothing else.

use anyhow::Context as _;

/// Its name, in both regions.
pub(super) const TABLE: &str = "headwater";

/// Creates it through the SDK, unless it is there.
pub(super) async fn create(client: &aws_sdk_dynamodb::Client) -> anyhow::Result<()> {
    use aws_sdk_dynamodb::types::{
        AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
    };
    let (pk, sk) = (headwater_aws::schema::PK, headwater_aws::schema::SK);
    let mut request = client.create_table().table_name(TABLE).billing_mode(BillingMode::PayPerRequest);
    for (name, kind) in [(pk, KeyType::Hash), (sk, KeyType::Range)] {
        let attribute =
            AttributeDefinition::builder().attribute_name(name).attribute_type(ScalarAttributeType::S);
        request = request
            .attribute_definitions(attribute.build()?)
            .key_schema(KeySchemaElement::builder().attribute_name(name).key_type(kind).build()?);
    }
    match request.send().await {
        Ok(_) => Ok(()),
        Err(error) if error.as_service_error().is_some_and(|error| error.is_resource_in_use_exception()) => {
            Ok(())
        }
        Err(error) => Err(error).context("cannot create the table"),
    }
}
