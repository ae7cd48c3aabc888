//! The machine's clock, for the edge of each program: everything else is handed it.

use std::time::SystemTime;

use headwater_domain::Timestamp;

/// What time it is.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the machine's clock")]
pub fn wall_clock() -> Timestamp {
    SystemTime::now().into()
}
