//! Builds the events functions get: payload format 2.0 (developer guide, "Create AWS Lambda proxy integrations for
//! HTTP APIs"). Pure but for the clock; must not know what becomes of them.

use super::routes::decoded;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, Method, Version, header};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::net::IpAddr;
use time::OffsetDateTime;
use url::form_urlencoded;

/// The account id in every ARN and event of the local stack.
pub(super) const ACCOUNT: &str = "000000000000";

/// One request as API Gateway sees it.
#[derive(Debug)]
pub(super) struct Inbound {
    pub(super) request_id: String,
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) query: String,
    pub(super) version: Version,
    pub(super) headers: HeaderMap,
    pub(super) source: IpAddr,
    pub(super) body: Bytes,
    pub(super) received: OffsetDateTime,
}

/// The route it took.
#[derive(Debug)]
pub(super) struct Matched<'a> {
    pub(super) api_id: &'a str,
    pub(super) region: &'a str,
    pub(super) key: &'a str,
    pub(super) variables: &'a BTreeMap<String, String>,
}

impl Inbound {
    /// The event for an integration. `authorizer` is what the authorizer found out.
    pub(super) fn integration(&self, route: &Matched<'_>, authorizer: Option<Value>) -> Value {
        let mut event = self.common(route);
        event.insert("version".to_owned(), json!("2.0"));
        if let Some(authorizer) = authorizer {
            event["requestContext"]["authorizer"] = authorizer;
        }
        let text = self.is_text().then(|| std::str::from_utf8(&self.body).ok()).flatten();
        if !self.body.is_empty() {
            let body = text.map_or_else(|| STANDARD.encode(&self.body), str::to_owned);
            event.insert("body".to_owned(), json!(body));
        }
        event.insert("isBase64Encoded".to_owned(), json!(!self.body.is_empty() && text.is_none()));
        Value::Object(event)
    }

    /// ARN of what is called.
    pub(super) fn arn(&self, route: &Matched<'_>) -> String {
        let Matched { api_id, region, .. } = route;
        format!("arn:aws:execute-api:{region}:{ACCOUNT}:{api_id}/$default/{}{}", self.method, self.path)
    }

    /// The event for a REQUEST authorizer.
    pub(super) fn authorization(&self, route: &Matched<'_>, identity: &str) -> Value {
        let mut event = self.common(route);
        let arn = self.arn(route);
        event.insert("version".to_owned(), json!("2.0"));
        event.insert("type".to_owned(), json!("REQUEST"));
        event.insert("routeArn".to_owned(), json!(arn));
        event.insert("identitySource".to_owned(), json!([identity]));
        Value::Object(event)
    }

    /// First value of a header.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    fn common(&self, route: &Matched<'_>) -> Map<String, Value> {
        let host = self.header("host").unwrap_or_default();
        // HTTP APIs hand paths on decoded, so that each path has many spellings which are one to a function.
        let path = decoded(&self.path);
        let context = json!({
            "accountId": ACCOUNT,
            "apiId": route.api_id,
            "domainName": host,
            "domainPrefix": host.split('.').next(),
            "http": {
                "method": self.method.as_str(),
                "path": path,
                "protocol": format!("{:?}", self.version),
                "sourceIp": self.source,
                "userAgent": self.header("user-agent").unwrap_or_default(),
            },
            "requestId": self.request_id,
            "routeKey": route.key,
            "stage": "$default",
            "time": common_log_time(self.received),
            "timeEpoch": i64::try_from(self.received.unix_timestamp_nanos() / 1_000_000).unwrap_or_default(),
        });
        let mut event = Map::new();
        event.insert("routeKey".to_owned(), json!(route.key));
        event.insert("rawPath".to_owned(), json!(path));
        event.insert("rawQueryString".to_owned(), json!(self.query));
        event.insert("headers".to_owned(), self.joined_headers());
        event.insert("requestContext".to_owned(), context);
        let cookies = self.cookies();
        if !cookies.is_empty() {
            event.insert("cookies".to_owned(), json!(cookies));
        }
        if !self.query.is_empty() {
            event.insert("queryStringParameters".to_owned(), self.joined_query());
        }
        if !route.variables.is_empty() {
            event.insert("pathParameters".to_owned(), json!(route.variables));
        }
        event
    }

    /// Lower-case names, several values joined with commas, cookies left out, and what API Gateway adds.
    fn joined_headers(&self) -> Value {
        let mut joined: BTreeMap<String, String> = BTreeMap::new();
        for (name, value) in &self.headers {
            if name != header::COOKIE {
                append(&mut joined, name.as_str(), &String::from_utf8_lossy(value.as_bytes()));
            }
        }
        let forwarded = match joined.get("x-forwarded-for") {
            Some(before) => format!("{before}, {}", self.source),
            None => self.source.to_string(),
        };
        joined.insert("x-forwarded-for".to_owned(), forwarded);
        let port = self.header("host").and_then(|host| host.rsplit_once(':')).map_or("80", |(_, port)| port);
        joined.entry("x-forwarded-port".to_owned()).or_insert_with(|| port.to_owned());
        joined.entry("x-forwarded-proto".to_owned()).or_insert_with(|| "http".to_owned());
        json!(joined)
    }

    fn joined_query(&self) -> Value {
        let mut joined = BTreeMap::new();
        for (name, value) in form_urlencoded::parse(self.query.as_bytes()) {
            append(&mut joined, &name, &value);
        }
        json!(joined)
    }

    fn cookies(&self) -> Vec<String> {
        let lines = self.headers.get_all(header::COOKIE).into_iter().filter_map(|line| line.to_str().ok());
        lines.flat_map(|line| line.split(';')).map(|cookie| cookie.trim().to_owned()).collect()
    }

    /// Types that API Gateway passes on as text; everything else, form posts included, comes in base64.
    fn is_text(&self) -> bool {
        let Some(content_type) = self.header("content-type") else { return true };
        let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let named =
            ["application/json", "application/xml", "application/javascript"].contains(&essence.as_str());
        named || essence.starts_with("text/") || essence.ends_with("+json") || essence.ends_with("+xml")
    }
}

fn append(joined: &mut BTreeMap<String, String>, name: &str, value: &str) {
    joined
        .entry(name.to_owned())
        .and_modify(|values| {
            values.push(',');
            values.push_str(value);
        })
        .or_insert_with(|| value.to_owned());
}

/// `21/Nov/2026:03:34:35 +0000`.
fn common_log_time(at: OffsetDateTime) -> String {
    let month = at.month().to_string();
    let (day, month, year) = (at.day(), &month[..3], at.year());
    format!("{day:02}/{month}/{year}:{:02}:{:02}:{:02} +0000", at.hour(), at.minute(), at.second())
}
