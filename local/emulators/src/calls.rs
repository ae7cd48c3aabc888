//! Which calls the stand-ins of one region got, in IAM's words: by whom, which action, on which resource, under which
//! condition keys. What is seen here is what a policy has to allow. Must not know who the callers are.
//!
//! A caller names itself by `AWS_SDK_UA_APP_ID`, which an SDK puts into its User-Agent as `app/<id>`. Calls that differ
//! only in the object or the item count as one, so a stack that runs for a week writes some dozens of lines.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use http::HeaderMap;
use parking_lot::Mutex;
use serde::Serialize;

/// Different calls that are kept. Hundreds of times what one deployment makes.
const MAX_CALLS: usize = 10_000;
/// Folders of an object's key that make a difference: policies are written for prefixes.
const FOLDERS: usize = 2;
/// What comes after it in a partition key tells one thing from another of its kind.
const KEY_SEPARATOR: char = '#';

/// One call.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Call {
    /// The caller's app id; `-` if it has none.
    pub app: String,
    /// `dynamodb:Query`.
    pub action: String,
    /// Its ARN.
    pub resource: String,
    /// Values of the condition keys that policies look at: `dynamodb:LeadingKeys`, `ecs:cluster`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub conditions: BTreeMap<&'static str, Vec<String>>,
}

impl Call {
    /// A call by whoever sent these headers.
    pub fn new(headers: &HeaderMap, action: impl Into<String>, resource: impl Into<String>) -> Self {
        let (action, resource) = (action.into(), resource.into());
        Self { app: app_id(headers), action, resource, conditions: BTreeMap::new() }
    }

    /// With the values of a condition key.
    pub fn condition(mut self, name: &'static str, values: impl IntoIterator<Item = String>) -> Self {
        self.conditions.insert(name, values.into_iter().collect());
        self
    }

    /// What it has in common with calls that count as the same.
    fn pattern(&self) -> Self {
        let mut pattern = self.clone();
        if pattern.resource.starts_with("arn:aws:s3:::") {
            let ends = pattern.resource.match_indices('/').map(|(at, _)| at + 1);
            if let Some(end) = ends.take(FOLDERS + 1).nth(FOLDERS) {
                pattern.resource.truncate(end);
            }
        }
        for value in pattern.conditions.values_mut().flatten() {
            value.truncate(value.find(KEY_SEPARATOR).map_or(value.len(), |at| at + 1));
        }
        pattern
    }
}

fn app_id(headers: &HeaderMap) -> String {
    let sent =
        ["x-amz-user-agent", "user-agent"].into_iter().filter_map(|name| headers.get(name)?.to_str().ok());
    let mut words = sent.flat_map(str::split_whitespace);
    words.find_map(|word| word.strip_prefix("app/")).unwrap_or("-").to_owned()
}

/// The calls of one region. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct CallLog {
    inner: Arc<Mutex<CallFile>>,
}

#[derive(Debug, Default)]
struct CallFile {
    patterns: BTreeSet<Call>,
    calls: Vec<Call>,
    file: Option<File>,
}

impl CallLog {
    /// Also appends each new call to the file `path`, as a line of JSON.
    pub fn open(path: &Path) -> std::io::Result<Self> {
        path.parent().map_or(Ok(()), std::fs::create_dir_all)?;
        let file = Some(File::options().create(true).append(true).open(path)?);
        Ok(Self { inner: Arc::new(Mutex::new(CallFile { file, ..CallFile::default() })) })
    }

    /// Notes a call, unless one like it is known.
    pub fn record(&self, call: Call) {
        let mut inner = self.inner.lock();
        if inner.calls.len() >= MAX_CALLS || !inner.patterns.insert(call.pattern()) {
            return;
        }
        if let (Some(file), Ok(mut line)) = (&mut inner.file, serde_json::to_vec(&call)) {
            line.push(b'\n');
            if let Err(error) = file.write_all(&line) {
                tracing::warn!(%error, "a call cannot be noted");
            }
        }
        inner.calls.push(call);
    }

    /// The first call of each kind, in the order in which they came.
    pub fn calls(&self) -> Vec<Call> {
        self.inner.lock().calls.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(user_agent: &'static str) -> HeaderMap {
        [(http::header::USER_AGENT, http::HeaderValue::from_static(user_agent))].into_iter().collect()
    }

    #[test]
    fn one_call_of_a_kind_is_kept_with_its_caller() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("logs/calls.jsonl");
        let log = CallLog::open(&path).unwrap();
        let (a, b) = (headers("aws-sdk-rust/1.3 os/linux app/worker-a md/x"), headers("curl/8"));
        for key in ["live/media/1/a", "live/media/2/b", "live/parts/1/a", "index"] {
            log.record(Call::new(&a, "s3:PutObject", format!("arn:aws:s3:::bucket/{key}")));
        }
        let table = "arn:aws:dynamodb:us-east-1:000000000000:table/t";
        for key in ["USER#1", "USER#2", "ALL"] {
            let call = Call::new(&b, "dynamodb:Query", table);
            log.record(call.condition("dynamodb:LeadingKeys", [key.to_owned()]));
        }
        let expected = [
            r#"{"app":"worker-a","action":"s3:PutObject","resource":"arn:aws:s3:::bucket/live/media/1/a"}"#
                .to_owned(),
            r#"{"app":"worker-a","action":"s3:PutObject","resource":"arn:aws:s3:::bucket/live/parts/1/a"}"#
                .to_owned(),
            r#"{"app":"worker-a","action":"s3:PutObject","resource":"arn:aws:s3:::bucket/index"}"#.to_owned(),
            format!(
                r#"{{"app":"-","action":"dynamodb:Query","resource":"{table}","conditions":{{"dynamodb:LeadingKeys":["USER#1"]}}}}"#
            ),
            format!(
                r#"{{"app":"-","action":"dynamodb:Query","resource":"{table}","conditions":{{"dynamodb:LeadingKeys":["ALL"]}}}}"#
            ),
        ];
        let written = std::fs::read_to_string(&path).unwrap();
        assert_eq!(written.lines().collect::<Vec<_>>(), expected);
        assert_eq!(log.calls().len(), expected.len());
    }
}
