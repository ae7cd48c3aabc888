//! The gateway's figures, for the autoscaler and the dashboard.

use std::collections::HashMap;
use std::sync::Arc;

use headwater_domain::SessionId;
use headwater_domain::metrics::Metric;

use super::log_throttle::LogThrottle;
use super::registry::Registry;

/// What a session has counted.
#[derive(Debug, Clone, Copy, Default)]
struct Counted {
    received: u64,
    lost: u64,
}

/// Finds the figures, each time since the last time.
///
/// A session is kept in the registry for minutes after its end, longer than lines are apart, so its last counts are seen.
#[derive(Debug)]
pub struct GatewayMetrics {
    registry: Arc<Registry>,
    log_throttle: Arc<LogThrottle>,
    before: HashMap<SessionId, Counted>,
    refusals: u64,
    disk_errors: u64,
}

impl GatewayMetrics {
    /// From nothing on.
    pub fn new(registry: Arc<Registry>, log_throttle: Arc<LogThrottle>) -> Self {
        Self { registry, log_throttle, before: HashMap::new(), refusals: 0, disk_errors: 0 }
    }

    /// The figures now.
    pub fn take(&mut self) -> Vec<Metric> {
        let (mut live, mut fresh) = (0, Counted::default());
        let mut counts = HashMap::new();
        for session in self.registry.all() {
            let now = Counted { received: session.received(), lost: session.spool.lost() };
            let before = self.before.get(session.id()).copied().unwrap_or_default();
            fresh.received += now.received - before.received;
            fresh.lost += now.lost - before.lost;
            live += u64::from(session.ended().is_none());
            counts.insert(session.id().clone(), now);
        }
        self.before = counts;
        let refusals = self.log_throttle.refusals();
        let refused = refusals - std::mem::replace(&mut self.refusals, refusals);
        let disk_errors = self.registry.disk().errors();
        let failed = disk_errors - std::mem::replace(&mut self.disk_errors, disk_errors);
        vec![
            Metric::count("Sessions", live),
            Metric::bytes("IngestBytes", fresh.received),
            Metric::bytes("BufferedBytes", self.registry.held()),
            Metric::count("LostMessages", fresh.lost),
            Metric::count("Refusals", refused),
            Metric::count("DiskErrors", failed),
        ]
    }
}

#[cfg(test)]
mod tests {
    use headwater_domain::hooks::SessionRef;
    use headwater_domain::{BroadcastId, StreamId, Timestamp};

    use super::*;
    use crate::gateway::Limits;
    use crate::gateway::log_throttle::ThrottledLine;

    #[test]
    fn counters_report_differences_and_gauges_report_the_present() {
        let folder = tempfile::tempdir().unwrap();
        let registry = Arc::new(Registry::new(folder.path().to_owned(), Limits::default(), || Timestamp(0)));
        let log_throttle = Arc::new(LogThrottle::new(|| Timestamp(0)));
        let mut metrics = GatewayMetrics::new(registry.clone(), log_throttle.clone());
        let stream = StreamId::from_random(1);
        let broadcast = BroadcastId::new(&stream, 1_000, 7);
        let open = |order| {
            let session = SessionId::from_random(order);
            let (stream, broadcast) = (stream.clone(), broadcast.clone());
            registry.open(SessionRef { session, stream, broadcast, order: 1 }).unwrap()
        };
        let expected = |sessions, ingest, refusals| {
            let (sessions, ingest) =
                (Metric::count("Sessions", sessions), Metric::bytes("IngestBytes", ingest));
            let refusals = Metric::count("Refusals", refusals);
            let (buffered, lost) = (Metric::bytes("BufferedBytes", 0), Metric::count("LostMessages", 0));
            [sessions, ingest, buffered, lost, refusals, Metric::count("DiskErrors", 0)]
        };
        assert_eq!(metrics.take(), expected(0, 0, 0));
        let (first, second) = (open(1), open(2));
        first.note_received(70);
        second.note_received(7);
        for _ in 0..100 {
            log_throttle.take(ThrottledLine::Refused);
        }
        assert_eq!(metrics.take(), expected(2, 77, 100));
        second.note_received(5);
        first.end();
        assert_eq!(metrics.take(), expected(1, 5, 0));
        assert_eq!(metrics.take(), expected(1, 0, 0));
    }
}
