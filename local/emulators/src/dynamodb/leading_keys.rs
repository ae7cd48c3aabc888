//! Which partitions a request names: what IAM knows as `dynamodb:LeadingKeys`. Pure; must not know what is in them.

use serde_json::Value;

/// The partition key values of a request to one table, whose partition key is `hash`. Empty: it names none, as batches
/// here, and operations on the table itself.
pub(super) fn leading_keys(operation: &str, request: &Value, hash: &str) -> Vec<String> {
    let value = match operation {
        "PutItem" => request["Item"].get(hash),
        "GetItem" | "UpdateItem" | "DeleteItem" => request["Key"].get(hash),
        "Query" => queried(request, hash),
        _ => None,
    };
    value
        .and_then(Value::as_object)
        .and_then(|typed| typed.values().next()?.as_str())
        .map(str::to_owned)
        .into_iter()
        .collect()
}

/// The value that a key condition compares `hash` with: `hash = :value`, one of the parts that AND joins.
fn queried<'a>(request: &'a Value, hash: &str) -> Option<&'a Value> {
    let condition = request["KeyConditionExpression"].as_str()?.replace(" and ", " AND ");
    condition.split(" AND ").find_map(|part| {
        let (name, value) = part.trim().trim_matches(['(', ')']).split_once('=')?;
        let name = name.trim();
        let name = request["ExpressionAttributeNames"][name].as_str().unwrap_or(name);
        (name == hash).then(|| request["ExpressionAttributeValues"].get(value.trim()))?
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn items_and_queries_name_their_partition() {
        let key = json!({ "PK": { "S": "USER#1" }, "SK": { "S": "x" } });
        assert_eq!(leading_keys("PutItem", &json!({ "Item": key }), "PK"), ["USER#1"]);
        assert_eq!(leading_keys("DeleteItem", &json!({ "Key": key }), "PK"), ["USER#1"]);
        assert_eq!(leading_keys("DescribeTable", &json!({ "TableName": "t" }), "PK"), [""; 0]);
        for condition in ["PK = :a", "SK >= :b AND PK=:a", "(#p = :a) and SK BETWEEN :b AND :b"] {
            let query = json!({
                "KeyConditionExpression": condition,
                "ExpressionAttributeNames": { "#p": "PK" },
                "ExpressionAttributeValues": { ":a": { "S": "USER#1" }, ":b": { "S": "x" } },
            });
            assert_eq!(leading_keys("Query", &query, "PK"), ["USER#1"], "{condition}");
        }
    }
}
