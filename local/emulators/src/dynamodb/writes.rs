//! Which items a request writes, read from its JSON. Pure; must not know how it ends.

use serde_json::{Map, Value};

/// One item that a request is about to write.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Touched {
    pub(super) table: String,
    pub(super) key: Value,
}

/// What a request does, as far as replication cares.
#[derive(Debug, PartialEq)]
pub(super) enum Effect {
    /// It writes nothing.
    Reads,
    /// It writes these items, all of them or none (or, in a batch, some).
    Writes(Vec<Touched>),
    /// It may write, but which items cannot be told: not replicated, so not offered.
    Unsupported,
}

/// Reads `operation`'s effect; `key_names` names a table's key attributes (empty: no such table).
pub(super) fn effect(operation: &str, request: &Value, key_names: impl Fn(&str) -> Vec<String>) -> Effect {
    let key_of = |table: &str, item: &Value| {
        let names = key_names(table);
        let picked = names.iter().filter_map(|name| Some((name.clone(), item.get(name)?.clone())));
        Value::Object(picked.collect::<Map<_, _>>())
    };
    let touched = |table: &str, key: Value| Touched { table: table.to_owned(), key };
    let single = |part: &Value| {
        let table = part["TableName"].as_str()?;
        match (part.get("Item"), part.get("Key")) {
            (Some(item), _) => Some(touched(table, key_of(table, item))),
            (None, Some(key)) => Some(touched(table, key.clone())),
            (None, None) => None,
        }
    };
    match operation {
        "PutItem" | "UpdateItem" | "DeleteItem" => Effect::Writes(single(request).into_iter().collect()),
        "TransactWriteItems" => {
            let parts = request["TransactItems"].as_array().into_iter().flatten();
            let writing =
                parts.filter_map(|part| ["Put", "Update", "Delete"].iter().find_map(|w| part.get(*w)));
            Effect::Writes(writing.filter_map(single).collect())
        }
        "BatchWriteItem" => {
            let tables = request["RequestItems"].as_object().into_iter().flatten();
            let items = tables.flat_map(|(table, parts)| {
                parts.as_array().into_iter().flatten().filter_map(move |part| {
                    let key = part["DeleteRequest"].get("Key").cloned();
                    let key = key.or_else(|| Some(key_of(table, part["PutRequest"].get("Item")?)));
                    Some(touched(table, key?))
                })
            });
            Effect::Writes(items.collect())
        }
        "ExecuteStatement" | "BatchExecuteStatement" | "ExecuteTransaction" => Effect::Unsupported,
        _ => Effect::Reads,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn keys(_: &str) -> Vec<String> {
        vec!["PK".to_owned(), "SK".to_owned()]
    }

    fn item(n: u32) -> Value {
        json!({ "PK": { "S": format!("p{n}") }, "SK": { "S": "s" } })
    }

    #[test]
    fn a_put_is_known_by_the_key_inside_its_item() {
        let request =
            json!({ "TableName": "t", "Item": { "PK": {"S": "p1"}, "SK": {"S": "s"}, "x": {"N": "1"} } });
        let expected = Effect::Writes(vec![Touched { table: "t".to_owned(), key: item(1) }]);
        assert_eq!(effect("PutItem", &request, keys), expected);
    }

    #[test]
    fn batches_and_transactions_name_every_item_but_not_the_checks() {
        let batch = json!({ "RequestItems": { "t": [
            { "PutRequest": { "Item": item(1) } }, { "DeleteRequest": { "Key": item(2) } } ] } });
        let transaction = json!({ "TransactItems": [
            { "Put": { "TableName": "t", "Item": item(1) } },
            { "ConditionCheck": { "TableName": "t", "Key": item(9) } },
            { "Update": { "TableName": "t", "Key": item(2) } } ] });
        let both = [1, 2].map(|n| Touched { table: "t".to_owned(), key: item(n) }).to_vec();
        assert_eq!(effect("BatchWriteItem", &batch, keys), Effect::Writes(both.clone()));
        assert_eq!(effect("TransactWriteItems", &transaction, keys), Effect::Writes(both));
    }

    #[test]
    fn reads_are_no_writes() {
        assert_eq!(effect("Query", &json!({ "TableName": "t" }), keys), Effect::Reads);
    }
}
