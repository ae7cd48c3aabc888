//! What is measured, and how it is written down: one line of CloudWatch's embedded metric format (EMF) per program and
//! minute, which CloudWatch Logs turns into metrics. No API is called for it and no permission is needed.
//!
//! Pure, like the hook messages: figures and the time go in, the wire format comes out. Gateway, transcoder task and
//! functions all write it and have only this crate in common. Where lines go is handed in as [`Metrics::print`].
//!
//! Format: Amazon CloudWatch User Guide, "Specification: Embedded metric format".

use std::time::Duration;

use serde::Serialize;
use serde_json::{Map, Number, Value, json};

use crate::time::Timestamp;

/// How often each program writes a line: CloudWatch keeps standard metrics by the minute.
pub const EVERY: Duration = Duration::from_secs(60);
/// The one dimension, so that a deployment's tasks and functions add up whatever their number.
const DIMENSION: &str = "Deployment";

/// A metric's unit, as CloudWatch spells it (API reference, MetricDatum).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Unit {
    /// How many.
    Count,
    /// How much data.
    Bytes,
    /// How long.
    Seconds,
}

/// One figure.
#[derive(Debug, Clone, PartialEq)]
pub struct Metric {
    name: &'static str,
    unit: Unit,
    value: Number,
}

impl Metric {
    /// How many.
    pub fn count(name: &'static str, value: u64) -> Self {
        Self { name, unit: Unit::Count, value: value.into() }
    }

    /// How much data.
    pub fn bytes(name: &'static str, value: u64) -> Self {
        Self { name, unit: Unit::Bytes, value: value.into() }
    }

    /// How long, to the millisecond.
    pub fn seconds(name: &'static str, value: Duration) -> Self {
        let milliseconds = u32::try_from(value.as_millis()).unwrap_or(u32::MAX);
        let seconds = Number::from_f64(f64::from(milliseconds) / 1_000.0);
        Self { name, unit: Unit::Seconds, value: seconds.unwrap_or_else(|| 0.into()) }
    }
}

/// Where metrics belong and where their lines go.
#[derive(Debug, Clone)]
pub struct Metrics {
    /// CloudWatch namespace.
    pub namespace: String,
    /// Name of the deployment.
    pub deployment: String,
    /// Takes one line, without its end.
    pub print: fn(&str),
}

impl Metrics {
    /// Writes the figures of one moment down.
    pub fn write(&self, at: Timestamp, metrics: &[Metric]) {
        (self.print)(&self.line(at, metrics));
    }

    /// The line for the figures of one moment.
    pub fn line(&self, at: Timestamp, metrics: &[Metric]) -> String {
        let definitions: Vec<_> =
            metrics.iter().map(|metric| json!({ "Name": metric.name, "Unit": metric.unit })).collect();
        let mut line = Map::new();
        line.insert(DIMENSION.into(), Value::from(self.deployment.as_str()));
        line.extend(metrics.iter().map(|metric| (metric.name.into(), metric.value.clone().into())));
        line.insert(
            "_aws".into(),
            json!({
                "Timestamp": at.0,
                "CloudWatchMetrics": [{
                    "Namespace": self.namespace,
                    "Dimensions": [[DIMENSION]],
                    "Metrics": definitions,
                }],
            }),
        );
        Value::Object(line).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_printed_once_as_it_is() {
        use std::sync::Mutex;
        static PRINTED: Mutex<Vec<String>> = Mutex::new(Vec::new());
        let print = |line: &str| PRINTED.lock().unwrap().push(line.to_owned());
        let metrics = Metrics { namespace: "Headwater".into(), deployment: "headwater".into(), print };
        let values = [Metric::count("Sessions", 3)];
        metrics.write(Timestamp(7), &values);
        assert_eq!(*PRINTED.lock().unwrap(), [metrics.line(Timestamp(7), &values)]);
    }

    #[test]
    fn a_line_is_embedded_metric_format() {
        let metrics =
            Metrics { namespace: "Headwater".into(), deployment: "headwater".into(), print: |_| () };
        let values = [
            Metric::count("Sessions", 3),
            Metric::bytes("IngestBytes", 12_000_000_000),
            Metric::seconds("Backlog", Duration::from_micros(1_250_400)),
        ];
        assert_eq!(
            metrics.line(Timestamp(1_700_000_000_123), &values),
            concat!(
                r#"{"Backlog":1.25,"Deployment":"headwater","IngestBytes":12000000000,"Sessions":3,"_aws":{"#,
                r#""CloudWatchMetrics":[{"Dimensions":[["Deployment"]],"Metrics":[{"Name":"Sessions","Unit":"Count"},"#,
                r#"{"Name":"IngestBytes","Unit":"Bytes"},{"Name":"Backlog","Unit":"Seconds"}],"#,
                r#""Namespace":"Headwater"}],"Timestamp":1700000000123}}"#
            )
        );
    }
}
