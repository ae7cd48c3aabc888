//! The single DynamoDB table: the domain's ports, each method one sentence and at most one conditional write.

mod broadcasts;
mod control;
mod keys;
mod packing;
mod requests;
mod streams;
mod timeline;

use std::collections::HashMap;

use aws_config::SdkConfig;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::put_item::builders::PutItemFluentBuilder;
use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValuesOnConditionCheckFailure};
use headwater_domain::ports::{PortResult, Write};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{corrupt, port};
use crate::schema::{DOC, Key, PK, SK};

/// The table, in the region we run in.
#[derive(Debug, Clone)]
pub struct Table {
    client: Client,
    name: String,
}

type Item = HashMap<String, AttributeValue>;

/// What a conditional put did.
enum Put {
    Done,
    /// The condition failed; this is what is there.
    Refused(Option<Item>),
}

impl Table {
    /// The table called `name`.
    pub fn new(config: &SdkConfig, name: impl Into<String>) -> Self {
        Self { client: Client::new(config), name: name.into() }
    }

    fn put<T: Serialize>(&self, key: &Key<'_>, document: &T) -> PutItemFluentBuilder {
        self.put_doc(key, AttributeValue::S(json(document)))
    }

    /// For what is written and read all the time.
    fn put_packed<T: Serialize>(&self, key: &Key<'_>, document: &T) -> PutItemFluentBuilder {
        self.put_doc(key, AttributeValue::B(packing::pack(&json(document)).into()))
    }

    fn put_doc(&self, key: &Key<'_>, doc: AttributeValue) -> PutItemFluentBuilder {
        let (pk, sk) = key.encode();
        self.client
            .put_item()
            .table_name(&self.name)
            .item(PK, AttributeValue::S(pk))
            .item(SK, AttributeValue::S(sk))
            .item(DOC, doc)
    }

    /// A query of one partition, read consistently: what a viewer or a decision has seen is never unseen.
    fn query(&self, partition: String) -> QueryFluentBuilder {
        self.client
            .query()
            .table_name(&self.name)
            .consistent_read(true)
            .key_condition_expression("PK = :pk")
            .expression_attribute_values(":pk", AttributeValue::S(partition))
    }

    /// Deletes one item; deleting nothing is no error.
    async fn delete(&self, key: &Key<'_>, action: &'static str) -> PortResult<()> {
        let (pk, sk) = key.encode();
        let request = self.client.delete_item().table_name(&self.name);
        let request = request.key(PK, AttributeValue::S(pk)).key(SK, AttributeValue::S(sk));
        request.send().await.map_err(port(action))?;
        Ok(())
    }
}

/// Sends a conditional put. A failed condition is an outcome.
async fn send(request: PutItemFluentBuilder, action: &'static str) -> PortResult<Put> {
    let request =
        request.return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
    match request.send().await {
        Ok(_) => Ok(Put::Done),
        Err(SdkError::ServiceError(context)) if context.err().is_conditional_check_failed_exception() => {
            match context.into_err() {
                PutItemError::ConditionalCheckFailedException(refused) => Ok(Put::Refused(refused.item)),
                _ => Ok(Put::Refused(None)),
            }
        }
        Err(error) => Err(port(action)(error)),
    }
}

/// Sends a conditional put of `document`; if exactly it is there already (our own earlier try), that is as good.
async fn send_once<T>(request: PutItemFluentBuilder, document: &T, action: &'static str) -> PortResult<Write>
where
    T: DeserializeOwned + PartialEq,
{
    match send(request, action).await? {
        Put::Done => Ok(Write::Stored),
        Put::Refused(Some(there)) if read::<T>(&there, action).is_ok_and(|there| there == *document) => {
            Ok(Write::Stored)
        }
        Put::Refused(_) => Ok(Write::Lost),
    }
}

fn text<'a>(item: &'a Item, name: &str, action: &'static str) -> PortResult<&'a str> {
    let value = item.get(name).and_then(|value| value.as_s().ok());
    value.map(String::as_str).ok_or_else(|| corrupt(action, format!("an item has no text attribute {name}")))
}

fn json<T: Serialize>(document: &T) -> String {
    serde_json::to_string(document).expect("our documents are maps with text keys")
}

fn read<T: DeserializeOwned>(item: &Item, action: &'static str) -> PortResult<T> {
    if let Some(AttributeValue::B(packed)) = item.get(DOC) {
        let json = packing::unpack(packed.as_ref()).map_err(|error| corrupt(action, error))?;
        return serde_json::from_slice(&json).map_err(|error| corrupt(action, error));
    }
    serde_json::from_str(text(item, DOC, action)?).map_err(|error| corrupt(action, error))
}
