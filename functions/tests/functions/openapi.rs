//! `openapi.json` says what the API does: every route and no other, examples that work, and it is served.
//! That every answer is as documented is checked wherever a test asks for one (`support::contract`).

use std::collections::BTreeSet;

use headwater_domain::paths::{ApiPath, EdgePath};
use headwater_domain::testing::samples;
use serde_json::{Value, json};

use crate::support::{Event, Harness, METHODS, contract};

/// What the sample events are about, by the names of the document's path variables.
const NAMES: [(&str, &str); 4] = [
    ("stream", "000000000001"),
    ("key", "00000002"),
    ("region", "us-east-1"),
    ("broadcast", "000000000001-1hf7yat000001"),
];

fn is_viewed(path: &str) -> bool {
    contract().path(path).is_some_and(|(_, item)| item["servers"].is_array())
}

/// The path of what the sample events are about.
fn filled(template: &str) -> String {
    let fill = |path: String, (name, value): &(&str, &str)| path.replace(&format!("{{{name}}}"), value);
    NAMES.iter().fold(template.to_owned(), fill)
}

#[test]
fn the_document_has_the_code_s_routes_and_no_other() {
    let (viewed, asked): (BTreeSet<_>, BTreeSet<_>) =
        contract().paths().map(|(path, _)| path.as_str()).partition(|path| is_viewed(path));
    let api = samples::api_paths();
    assert_eq!(api.iter().map(ApiPath::template).collect::<BTreeSet<_>>(), asked);
    for path in viewed {
        assert!(filled(path).parse::<EdgePath>().is_ok(), "{path}");
    }
}

#[tokio::test]
async fn a_documented_method_is_answered_and_every_other_is_told_the_right_ones() {
    for (path, item) in contract().paths() {
        for method in METHODS {
            let harness = Harness::seeded().await;
            let path = filled(path);
            let event = Event::sample("api-get-stream").path(&path).method(&method.to_uppercase());
            let is_viewed = item["servers"].is_array();
            let answer = if is_viewed { harness.view(&event).await } else { harness.ask(&event).await };
            let is_answered = item[method].is_object()
                || (method == "head" && item["get"].is_object())
                || (method == "options" && !is_viewed);
            assert_eq!(answer.status != 405, is_answered, "{method} {path}");
            if answer.status == 404 {
                let detail = answer.json()["detail"].as_str().unwrap().to_owned();
                assert!(
                    !detail.contains("resource") && !detail.contains("page"),
                    "{method} {path} is not routed"
                );
            }
        }
    }
}

#[tokio::test]
async fn head_is_answered_as_get_and_options_with_what_there_is() {
    let harness = Harness::seeded().await;
    for (name, allow) in [
        ("api-health", "GET, HEAD, OPTIONS"),
        ("api-openapi", "GET, HEAD, OPTIONS"),
        ("api-list-streams", "GET, HEAD, OPTIONS, POST"),
        ("api-get-stream", "DELETE, GET, HEAD, OPTIONS, PATCH"),
        ("api-list-keys", "GET, HEAD, OPTIONS, POST"),
        ("api-list-broadcasts", "GET, HEAD, OPTIONS"),
    ] {
        let event = Event::sample(name);
        let (get, head) = (harness.ask(&event).await, harness.ask(&event.clone().method("HEAD")).await);
        assert_eq!((get.status.as_u16(), head.status.as_u16()), (200, 200), "{name}");
        assert_eq!(head.headers, get.headers, "{name}");
        let options = harness.ask(&event.clone().method("OPTIONS")).await;
        assert_eq!((options.status.as_u16(), options.header("allow")), (204, allow), "{name}");
        assert!(options.body.is_empty(), "{name}");
        let refused = harness.ask(&event.method("PROPFIND")).await;
        refused.problem(405, "method-not-allowed");
        assert_eq!(refused.header("allow"), allow, "{name}");
    }
    let nowhere = Event::sample("api-health").path("/v1/nothing").method("OPTIONS");
    harness.ask(&nowhere).await.problem(404, "not-found");
}

#[tokio::test]
async fn one_slash_at_the_end_is_forgiven() {
    let harness = Harness::seeded().await;
    for name in ["api-health", "api-list-streams", "api-get-stream", "api-list-keys", "api-list-broadcasts"] {
        let event = Event::sample(name);
        let path = event.clone().request().uri().path().to_owned();
        let (bare, slashed) =
            (harness.ask(&event).await, harness.ask(&event.clone().path(&format!("{path}/"))).await);
        assert_eq!(
            (bare.status, slashed.status.as_u16(), bare.text()),
            (slashed.status, 200, slashed.text())
        );
        for other in [format!("{path}//"), format!("/{path}"), format!("/{path}/")] {
            harness.ask(&event.clone().path(&other)).await.problem(404, "not-found");
        }
    }
}

#[tokio::test]
async fn the_document_is_open_to_all_and_kept_for_minutes() {
    let harness = Harness::empty();
    let event = Event::sample("api-openapi");
    let answer = harness.ask(&event).await;
    assert_eq!(answer.expect(200), contract().document);
    assert_eq!(answer.header("cache-control"), "public, max-age=300");
    let tag = answer.header("etag").to_owned();
    for mine in [&tag, "*", &format!("\"other\", W/{tag}")] {
        let same = harness.ask(&event.clone().header("if-none-match", mine)).await;
        assert_eq!(
            (same.status.as_u16(), same.header("etag"), same.body.len()),
            (304, tag.as_str(), 0),
            "{mine}"
        );
    }
    for other in ["", "\"other\"", tag.trim_matches('"')] {
        harness.ask(&event.clone().header("if-none-match", other)).await.expect(200);
    }
    let place = contract().operations().find(|(_, operation)| operation.id() == "getOpenApi").unwrap().1;
    assert_eq!(place.operation["security"], json!([]));
}

#[tokio::test]
async fn examples_of_requests_are_accepted() {
    let mut tried = 0;
    for (method, operation) in contract().operations() {
        let content = &operation.operation["requestBody"]["content"]["application/json"];
        for (name, example) in content["examples"].as_object().into_iter().flatten() {
            let harness = Harness::seeded().await;
            let event = Event::sample("api-create-stream")
                .path(&operation.path(&NAMES))
                .method(&method.to_uppercase());
            let answer = harness.ask(&event.body(&example["value"])).await;
            assert!(answer.status.is_success(), "{} {name}: {}", operation.id(), answer.text());
            tried += 1;
        }
    }
    assert!(tried >= 5);
}

#[test]
fn examples_of_answers_are_as_documented() {
    let mut tried = 0;
    for (_, operation) in contract().operations() {
        for (status, response) in operation.operation["responses"].as_object().unwrap() {
            for (_, media) in contract().resolve(response)["content"].as_object().into_iter().flatten() {
                let Some(example) = media.get("example") else { continue };
                let wrong = contract().violations("example", &media["schema"], example);
                assert!(wrong.is_empty(), "{} {status}: {wrong:?}", operation.id());
                tried += 1;
            }
        }
    }
    assert!(tried >= 20);
}

#[test]
fn every_setting_s_default_is_the_documented_one() {
    let schema = json!({ "$ref": "#/components/schemas/Settings" });
    let settings = json!(headwater_domain::stream::StreamSettings::default());
    assert_eq!(contract().violations("default", &schema, &settings), Vec::<String>::new());
    let said =
        contract().document["components"]["schemas"]["SettingsChange"]["description"].as_str().unwrap();
    assert!(settings["ladder"].is_null() && said.contains("a ladder by the source"));
    for (word, setting) in
        [("`{}` latency", "latency"), ("passthrough `{}`", "passthrough"), ("cold start `{}`", "cold_start")]
    {
        assert!(said.contains(&word.replace("{}", settings[setting].as_str().unwrap())), "{setting}");
    }
    for window in ["reconnect_window_seconds", "dvr_window_seconds"] {
        assert!(said.contains(&format!("windows of {} s", settings[window])), "{window}");
    }
    assert_eq!(samples::stream().settings, headwater_domain::stream::StreamSettings::default());
}

#[test]
fn references_lead_somewhere_and_operations_have_names_of_their_own() {
    fn all<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
        match value {
            Value::Object(members) => {
                found.extend(members.get("$ref").and_then(Value::as_str));
                members.values().for_each(|value| all(value, found));
            }
            Value::Array(items) => items.iter().for_each(|value| all(value, found)),
            _ => {}
        }
    }
    let document = &contract().document;
    let mut references = Vec::new();
    all(document, &mut references);
    for reference in &references {
        assert!(document.pointer(reference.strip_prefix('#').unwrap()).is_some(), "{reference}");
    }
    for kind in ["schemas", "responses", "parameters", "headers"] {
        for name in document["components"][kind].as_object().unwrap().keys() {
            let reference = format!("#/components/{kind}/{name}");
            assert!(references.contains(&reference.as_str()), "nobody uses {reference}");
        }
    }
    let ids: Vec<_> = contract().operations().map(|(_, operation)| operation.id().to_owned()).collect();
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len());
    for (_, operation) in contract().operations() {
        for response in operation.operation["responses"].as_object().unwrap().values() {
            for (name, link) in response["links"].as_object().into_iter().flatten() {
                let to = link["operationId"].as_str().unwrap();
                assert!(ids.iter().any(|id| id == to), "{name} leads to {to}");
            }
        }
        let (summary, is_open) =
            (&operation.operation["summary"], operation.operation["security"] == json!([]));
        assert!(summary.as_str().is_some_and(|text| !text.is_empty()), "{}", operation.id());
        let responses = &operation.operation["responses"];
        assert_eq!(responses["401"].is_object(), !is_open, "{}", operation.id());
    }
}
