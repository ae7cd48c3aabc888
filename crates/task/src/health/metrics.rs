//! What is measured of a task, as metrics.

use std::time::Duration;

use headwater_domain::Timestamp;
use headwater_domain::metrics::Metric;

/// How a task fares, in numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TaskMetrics {
    /// Frames and packets that could not be decoded, in all.
    pub decode_errors: u64,
    /// Objects that wait for their mirror copies.
    pub mirror_lag: u64,
    /// Up to where media is committed, while there is a source.
    pub media_until: Option<Timestamp>,
    /// How late the source itself is.
    pub source_late: Duration,
}

impl TaskMetrics {
    /// The metrics of the moment, where the wall clock says `now` and the last ones were of `before`: errors are counted
    /// since then. What an encoder is behind is no backlog of its transcoder.
    pub fn metrics(&self, before: &Self, now: Timestamp) -> Vec<Metric> {
        let errors = self.decode_errors.saturating_sub(before.decode_errors);
        let backlog = self.media_until.map(|until| now.since(until).saturating_sub(self.source_late));
        let counts = [Metric::count("MirrorLag", self.mirror_lag), Metric::count("DecodeErrors", errors)];
        counts.into_iter().chain(backlog.map(|backlog| Metric::seconds("Backlog", backlog))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_told_once_and_a_backlog_while_there_is_a_source() {
        let now = Timestamp(1_700_000_000_000);
        let expected = |errors| vec![Metric::count("MirrorLag", 2), Metric::count("DecodeErrors", errors)];
        let with = |errors, backlog| [expected(errors), vec![Metric::seconds("Backlog", backlog)]].concat();
        let mut metrics = TaskMetrics { decode_errors: 3, mirror_lag: 2, ..TaskMetrics::default() };
        assert_eq!(metrics.metrics(&TaskMetrics::default(), now), expected(3));
        let before = metrics;
        metrics.decode_errors = 4;
        assert_eq!(metrics.metrics(&before, now), expected(1));
        let before = metrics;
        // A clock ahead of ours is no backlog.
        metrics.media_until = Some(now + Duration::from_secs(60));
        assert_eq!(metrics.metrics(&before, now), with(0, Duration::ZERO));
        // What an encoder at 0.9× is behind after twenty minutes is no backlog of its transcoder.
        metrics.media_until = Some(Timestamp(now.0 - 120_000));
        assert_eq!(metrics.metrics(&before, now), with(0, Duration::from_secs(120)));
        metrics.source_late = Duration::from_secs(100);
        assert_eq!(metrics.metrics(&before, now), with(0, Duration::from_secs(20)));
        metrics.source_late = Duration::from_secs(3_600);
        assert_eq!(metrics.metrics(&before, now), with(0, Duration::ZERO));
    }
}
