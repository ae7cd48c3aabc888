//! When a client is told how much of it has come (RTMP §5.4.3).

/// Acknowledgement window of a client that never announced one, bytes: Flash Media Server's default.
const DEFAULT_WINDOW: u32 = 2_500_000;

/// Counts what came, to acknowledge it in time (RTMP §5.4.3).
#[derive(Debug)]
pub(super) struct AckWindow {
    window: u32,
    /// Sequence number: all bytes received, wrapping.
    sequence: u32,
    unacknowledged: u64,
}

impl AckWindow {
    pub(super) fn new() -> Self {
        Self { window: DEFAULT_WINDOW, sequence: 0, unacknowledged: 0 }
    }

    /// 0 would ask for an acknowledgement of nothing; it is taken for "not set".
    pub(super) fn set_window(&mut self, window: u32) {
        self.window = if window == 0 { DEFAULT_WINDOW } else { window };
    }

    pub(super) fn received(&mut self, count: usize) {
        // Wraps on purpose: sequence numbers are modulo 2³².
        self.sequence = self.sequence.wrapping_add(count as u32);
        self.unacknowledged += count as u64;
    }

    /// At half the window, because a client may stop at a whole one and the answer takes a round trip.
    pub(super) fn due(&mut self) -> Option<u32> {
        if self.unacknowledged < u64::from(self.window / 2).max(1) {
            return None;
        }
        self.unacknowledged = 0;
        Some(self.sequence)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn acknowledges_at_half_the_window() {
        let mut acks = AckWindow::new();
        acks.set_window(1_000);
        acks.received(499);
        assert_eq!(acks.due(), None);
        acks.received(1);
        assert_eq!(acks.due(), Some(500));
        assert_eq!(acks.due(), None);
    }

    #[test]
    fn sequence_numbers_wrap_and_go_on() {
        let mut acks = AckWindow::new();
        acks.received(u32::MAX as usize);
        assert_eq!(acks.due(), Some(u32::MAX));
        acks.received(2_000_001);
        assert_eq!(acks.due(), Some(2_000_000));
    }

    #[test]
    fn a_window_of_zero_or_one_is_harmless() {
        let mut acks = AckWindow::new();
        acks.set_window(0);
        acks.received(1_000);
        assert_eq!(acks.due(), None);
        acks.set_window(1);
        assert_eq!(acks.due(), Some(1_000));
        assert_eq!(acks.due(), None);
    }
}
