//! Events from `events/`, changed a little where a test needs it, and the answers to them.

use std::io::Read as _;
use std::path::PathBuf;

use headwater_conformance::resolve_references;
use headwater_domain::problem::ProblemDocument;
use headwater_functions::serve::repaired;
use http::{HeaderMap, StatusCode};
use lambda_http::request::LambdaRequest;
use lambda_http::{Body, Request, Response};
use serde_json::{Value, json};

/// Where the sample events are.
pub fn folder() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../events"))
}

/// The sample event with this name.
pub fn sample(name: &str) -> Value {
    let path = folder().join(format!("{name}.json"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// An API Gateway event of payload format 2.0.
#[derive(Clone)]
pub struct Event(Value);

impl Event {
    pub fn sample(name: &str) -> Self {
        Self(sample(name))
    }

    pub fn path(mut self, path: &str) -> Self {
        self.0["rawPath"] = json!(path);
        self.0["requestContext"]["http"]["path"] = json!(path);
        self
    }

    pub fn method(mut self, method: &str) -> Self {
        self.0["requestContext"]["http"]["method"] = json!(method);
        self
    }

    pub fn query(mut self, query: &str) -> Self {
        self.0["rawQueryString"] = json!(query);
        self
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.0["headers"][name] = json!(value);
        self
    }

    pub fn without_header(mut self, name: &str) -> Self {
        self.0["headers"].as_object_mut().unwrap().remove(name);
        self
    }

    pub fn text(mut self, body: &str) -> Self {
        self.0["body"] = json!(body);
        self
    }

    pub fn body(self, body: &Value) -> Self {
        self.text(&body.to_string())
    }

    /// A body that is no text, as API Gateway hands it over: in base64.
    pub fn binary(mut self, base64: &str) -> Self {
        self.0["isBase64Encoded"] = json!(true);
        self.text(base64)
    }

    /// A body that is packed with gzip.
    pub fn packed(self, base64: &str) -> Self {
        self.binary(base64).header("content-encoding", "gzip")
    }

    /// The JSON body of the sample, to be changed.
    pub fn edit(self, change: impl FnOnce(&mut Value)) -> Self {
        let mut body = serde_json::from_str(self.0["body"].as_str().unwrap()).unwrap();
        change(&mut body);
        self.body(&body)
    }

    pub fn request(&self) -> Request {
        let event: LambdaRequest = serde_json::from_value(self.0.clone()).unwrap();
        repaired(event).into()
    }
}

/// An answer, read.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
    /// What was asked for, if it was a playlist.
    path: Option<String>,
}

impl Answer {
    pub fn of(response: Response<Body>) -> Self {
        let (parts, body) = response.into_parts();
        Self { status: parts.status, headers: parts.headers, body: body.to_vec(), path: None }
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// As the answer to who asked for `path`: references of a playlist are read as leading from there. None names the
    /// site or begins at its root: what stands before the playlist's own path must stay before theirs.
    pub fn of_path(mut self, path: &str) -> Self {
        if self.header("content-type") == headwater_hls::CONTENT_TYPE {
            let text = self.text();
            let absolute =
                |line: &str| line.starts_with('/') || line.contains("URI=\"/") || line.contains("://");
            assert!(!text.lines().any(absolute), "{path}: {text}");
        }
        self.path = Some(path.to_owned());
        self
    }

    /// The body as text, unpacked if it is packed, references of a playlist resolved.
    pub fn text(&self) -> String {
        let mut text = String::new();
        if self.header("content-encoding") == "gzip" {
            flate2::read::GzDecoder::new(self.body.as_slice()).read_to_string(&mut text).unwrap();
        } else {
            text = String::from_utf8(self.body.clone()).unwrap();
        }
        match &self.path {
            Some(path) if self.header("content-type") == headwater_hls::CONTENT_TYPE => {
                resolve_references(path, &text)
            }
            _ => text,
        }
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text()).unwrap()
    }

    /// Asserts a status and gives the JSON body.
    #[track_caller]
    pub fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.text());
        if self.body.is_empty() { Value::Null } else { self.json() }
    }

    /// Asserts a problem as RFC 9457 has it, with our stable type, and gives it.
    #[track_caller]
    pub fn problem(&self, status: u16, slug: &str) -> Value {
        let problem = self.expect(status);
        assert_eq!(problem["type"], format!("urn:headwater:problem:{slug}"), "{problem}");
        let read = ProblemDocument::read(self.text().as_bytes()).unwrap();
        assert_eq!((read.slug(), read.status), (Some(slug), status), "a reader reads what is written");
        assert_eq!(problem["status"], status);
        assert_eq!(self.header("content-type"), "application/problem+json");
        for member in ["title", "detail"] {
            assert!(problem[member].as_str().is_some_and(|text| !text.is_empty()), "{member}: {problem}");
        }
        problem
    }
}
