//! `openapi.json` as a contract: every answer that a test gets is held against it, and the request with it.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, LazyLock, Mutex};

use jsonschema::Validator;
use lambda_http::{Request, RequestExt};
use serde_json::{Value, json};

use super::Answer;

/// Methods that a path may document, as the document spells them.
pub const METHODS: [&str; 8] = ["get", "head", "post", "put", "patch", "delete", "options", "trace"];

static CONTRACT: LazyLock<Contract> = LazyLock::new(|| Contract {
    document: serde_json::from_str(include_str!("../../../openapi.json")).unwrap(),
    validators: Mutex::default(),
});

/// The document.
pub fn contract() -> &'static Contract {
    &CONTRACT
}

pub struct Contract {
    pub document: Value,
    validators: Mutex<HashMap<String, Arc<Validator>>>,
}

/// One documented method of one path.
pub struct Operation<'a> {
    pub operation: &'a Value,
    item: &'a Value,
    template: &'a str,
}

/// Refusals for what JSON Schema cannot say: that a value was used before, an order, that a time is in the future.
const BEYOND_SCHEMA: [&str; 4] =
    ["idempotency-key-reused", "from the highest to the lowest", "in the future", "duplicate field"];

impl Contract {
    /// Follows a `$ref`, if it is one.
    pub fn resolve<'a>(&'a self, value: &'a Value) -> &'a Value {
        match value["$ref"].as_str() {
            Some(to) => {
                self.document.pointer(to.strip_prefix('#').unwrap()).unwrap_or_else(|| panic!("{to}"))
            }
            None => value,
        }
    }

    pub fn paths(&self) -> impl Iterator<Item = (&String, &Value)> {
        self.document["paths"].as_object().unwrap().iter()
    }

    pub fn operations(&self) -> impl Iterator<Item = (&'static str, Operation<'_>)> {
        self.paths().flat_map(|(template, item)| {
            let documented = METHODS.into_iter().filter(|method| item[method].is_object());
            documented.map(move |method| (method, Operation { operation: &item[method], item, template }))
        })
    }

    /// The path that a request's path is one of.
    pub fn path(&self, path: &str) -> Option<(&str, &Value)> {
        let fits = |template: &str| {
            let (mut template, mut path) = (segments(template), segments(path));
            template.len() == path.len()
                && template
                    .drain(..)
                    .zip(path.drain(..))
                    .all(|(one, other)| one == other || one.starts_with('{') && !other.is_empty())
        };
        self.paths().find(|(template, _)| fits(template)).map(|(template, item)| (template.as_str(), item))
    }

    /// What is wrong with a value, by a schema of the document. Objects have no members that the document does not name.
    pub fn violations(&self, name: &str, schema: &Value, value: &Value) -> Vec<String> {
        let key = format!("{name} {schema}");
        let mut validators = self.validators.lock().unwrap();
        let validator = validators.entry(key).or_insert_with(|| {
            let mut schemas = self.document["components"]["schemas"].clone();
            for schema in schemas.as_object_mut().unwrap().values_mut() {
                if schema["type"] == "object" {
                    schema["additionalProperties"] = json!(false);
                }
            }
            let root = json!({ "allOf": [schema], "components": { "schemas": schemas } });
            let options = jsonschema::draft202012::options().should_validate_formats(true);
            Arc::new(options.build(&root).unwrap())
        });
        let validator = validator.clone();
        drop(validators);
        validator
            .iter_errors(value)
            .map(|error| format!("{name} {}: {error}", error.instance_path()))
            .collect()
    }

    /// Holds an exchange with a function against the document.
    #[track_caller]
    pub fn check(&self, request: &Request, answer: &Answer) {
        let (method, path) = (request.method().as_str().to_ascii_lowercase(), request.raw_http_path());
        let about = format!("{method} {path}: {} {}", answer.status, answer.text());
        let Some((template, item)) = self.path(path) else {
            let is_viewed =
                ["/playlists/", "/low-latency/", "/parts/"].iter().any(|part| path.contains(part));
            assert!(is_viewed || answer.status == 404, "the document does not have the path of {about}");
            return;
        };
        // Who answers GET answers HEAD, too (RFC 9110 §9.3.2).
        let method = if method == "head" { "get" } else { &method };
        let operation = &item[method];
        if !operation.is_object() {
            // In front of what the edge serves, API Gateway answers the questions of browsers.
            let is_options = method == "options" && !item["servers"].is_array();
            assert_eq!(answer.status, if is_options { 204 } else { 405 }, "{about}");
            let mut allowed: BTreeSet<_> = METHODS
                .iter()
                .filter(|method| item[**method].is_object())
                .map(|method| method.to_uppercase())
                .collect();
            allowed.extend(item["get"].is_object().then(|| "HEAD".to_owned()));
            allowed.extend(item["servers"].is_null().then(|| "OPTIONS".to_owned()));
            assert_eq!(
                answer.header("allow").split(", ").map(str::to_owned).collect::<BTreeSet<_>>(),
                allowed,
                "{about}"
            );
            return;
        }
        let operation = Operation { operation, item, template };
        let wrong = operation.wrong_with_answer(answer);
        assert!(wrong.is_empty(), "{about}\n{wrong:#?}");
        let wrong = operation.wrong_with_request(request);
        match answer.status.as_u16() {
            200..300 => assert!(wrong.is_empty(), "accepted against the document: {about}\n{wrong:#?}"),
            400 | 413 | 415 | 422 if !BEYOND_SCHEMA.iter().any(|words| answer.text().contains(words)) => {
                assert!(!wrong.is_empty(), "refused against the document: {about}");
            }
            _ => {}
        }
    }
}

impl Operation<'_> {
    pub fn id(&self) -> &str {
        self.operation["operationId"].as_str().unwrap()
    }

    /// The path with these values in place of its variables.
    pub fn path(&self, values: &[(&str, &str)]) -> String {
        values
            .iter()
            .fold(self.template.to_owned(), |path, (name, value)| path.replace(&format!("{{{name}}}"), value))
    }

    fn wrong_with_answer(&self, answer: &Answer) -> Vec<String> {
        let status = answer.status.as_str();
        let Some(response) = self.operation["responses"].get(status) else {
            return vec![format!("{} does not document {status}", self.id())];
        };
        let response = contract().resolve(response);
        let mut wrong = Vec::new();
        for (name, header) in response["headers"].as_object().into_iter().flatten() {
            let header = contract().resolve(header);
            match (answer.headers.contains_key(name), header["required"].as_bool()) {
                (true, _) => {
                    let value = typed(&header["schema"], answer.header(name));
                    wrong.extend(contract().violations(name, &header["schema"], &value));
                }
                (false, Some(true)) => wrong.push(format!("{name} is missing")),
                _ => {}
            }
        }
        let kind = answer.header("content-type");
        match &response["content"] {
            Value::Null if answer.body.is_empty() => {}
            Value::Null => wrong.push("there is a body".into()),
            content => match content.get(kind) {
                None => wrong.push(format!("{} {status} does not document {kind:?}", self.id())),
                Some(media) => {
                    let text = answer.text();
                    let value = if kind.ends_with("json") { answer.json() } else { json!(text) };
                    wrong.extend(contract().violations("answer", &media["schema"], &value));
                }
            },
        }
        wrong
    }

    /// What of a request is not as documented.
    fn wrong_with_request(&self, request: &Request) -> Vec<String> {
        let mut wrong = Vec::new();
        let (query, path) = (request.query_string_parameters(), request.raw_http_path());
        let both = [&self.item["parameters"], &self.operation["parameters"]];
        for parameter in both.into_iter().filter_map(Value::as_array).flatten() {
            let parameter = contract().resolve(parameter);
            let name = parameter["name"].as_str().unwrap();
            let given: Vec<String> = match parameter["in"].as_str().unwrap() {
                "query" => query.all(name).unwrap_or_default().into_iter().map(str::to_owned).collect(),
                "header" => {
                    let all = request.headers().get_all(name).into_iter();
                    all.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()).collect()
                }
                _ => {
                    let variable = format!("{{{name}}}");
                    let place = segments(self.template).iter().position(|segment| **segment == variable);
                    vec![segments(path)[place.unwrap()].to_owned()]
                }
            };
            if given.len() > 1 {
                wrong.push(format!("{name} is there {} times", given.len()));
            }
            for text in given {
                let value = typed(contract().resolve(&parameter["schema"]), &text);
                wrong.extend(contract().violations(name, &parameter["schema"], &value));
            }
        }
        wrong.extend(self.wrong_with_body(request));
        wrong
    }

    fn wrong_with_body(&self, request: &Request) -> Vec<String> {
        let (asked, body): (_, &[u8]) = (&self.operation["requestBody"], request.body());
        match (asked["required"].as_bool(), body.is_empty()) {
            (None, _) | (Some(false), true) => return Vec::new(),
            (Some(true), true) => return vec!["there is no body".into()],
            (Some(_), false) => {}
        }
        let kind =
            request.headers().get("content-type").and_then(|value| value.to_str().ok()).unwrap_or_default();
        let kind = kind.split(';').next().unwrap().to_ascii_lowercase();
        // The document names the usual types; its answer 415 says that every `+json` is as good.
        if kind != "application/json" && !kind.ends_with("+json") {
            return vec![format!("{kind:?} is not documented")];
        }
        if body.len() > 16_384 {
            return vec!["the body is too large".into()];
        }
        // The document is about JSON; a byte order mark before it is passed over (RFC 8259 §8.1).
        match serde_json::from_slice(body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body)) {
            Err(error) => vec![error.to_string()],
            Ok(value) => self.wrong_with_json(&value),
        }
    }

    /// What of a JSON body is not as documented.
    pub fn wrong_with_json(&self, body: &Value) -> Vec<String> {
        let schema = &self.operation["requestBody"]["content"]["application/json"]["schema"];
        contract().violations("body", schema, body)
    }
}

fn segments(path: &str) -> Vec<&str> {
    let path = path.strip_prefix('/').unwrap_or(path);
    path.strip_suffix('/').unwrap_or(path).split('/').collect()
}

/// A parameter's text as the JSON that its schema is about.
fn typed(schema: &Value, text: &str) -> Value {
    match text.parse::<i64>() {
        // As JSON writes it: no plus, no leading zero.
        Ok(number) if schema["type"] == "integer" && number.to_string() == text => json!(number),
        _ => json!(text),
    }
}
