//! Wall-clock readings for the protocols that carry them; the one place that reads the machine's. Must not know any service.

use std::time::{Duration, SystemTime, UNIX_EPOCH};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// What time it is.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the machine's clock")]
pub fn now() -> SystemTime {
    SystemTime::now()
}

/// The same in UTC.
pub(crate) fn utc() -> OffsetDateTime {
    now().into()
}

/// Time since the Unix epoch; zero if the machine's clock stands before it.
pub(crate) fn since_epoch() -> Duration {
    now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// Milliseconds since the epoch.
pub(crate) fn unix_millis() -> u64 {
    u64::try_from(since_epoch().as_millis()).unwrap_or(u64::MAX)
}

/// Microseconds since the epoch.
pub(crate) fn unix_micros() -> u64 {
    u64::try_from(since_epoch().as_micros()).unwrap_or(u64::MAX)
}

/// Now, as `2026-01-02T03:04:05Z`.
pub(crate) fn rfc3339_now() -> String {
    let now = utc();
    let whole = now.replace_nanosecond(0).unwrap_or(now);
    whole.format(&Rfc3339).unwrap_or_default()
}
