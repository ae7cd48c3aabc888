//! How many discontinuities there were before a live window, whoever counted them.
//!
//! Two regions that know nothing of each other count apart, and the one that holds in the end may have counted fewer. But
//! what viewers were shown must not fall (RFC 8216bis §6.2.2): so it is the most that anybody has counted there, by the
//! entries that are read and, of leases that are not in the window any more, by what they told last in their heartbeats.
//! In a broadcast that was never split these bounds say nothing that the window's first entry does not say itself.

use headwater_domain::SegmentNumber;
use headwater_domain::heartbeat::LeaseProgress;
use headwater_domain::timeline::Entry;

use super::gaps::breaks_before;

/// What was counted.
pub(super) struct DiscontinuityCounts {
    /// Of the entries that are read: number, discontinuities before it, and with it.
    entries: Vec<(SegmentNumber, u64, u64)>,
    told: Vec<LeaseProgress>,
}

impl DiscontinuityCounts {
    pub(super) fn of(in_force: &[Entry], told: impl Iterator<Item = LeaseProgress>) -> Self {
        let entries = in_force.iter().map(|it| (it.number, breaks_before(it), it.discontinuities)).collect();
        Self { entries, told: told.collect() }
    }

    /// Discontinuities before segment `number`, at least: no segment has more than one.
    pub(super) fn before(&self, number: SegmentNumber) -> u64 {
        let counted = |(of, before, with): &(SegmentNumber, u64, u64)| match of.0.checked_sub(number.0) {
            Some(ahead) => before.saturating_sub(ahead),
            None => *with,
        };
        let read = self.entries.iter().map(counted).max().unwrap_or(0);
        let told =
            self.told.iter().map(|progress| progress.discontinuities_before(number)).max().unwrap_or(0);
        read.max(told)
    }
}
