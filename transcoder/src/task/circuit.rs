//! What is remembered of how a bucket answers: a circuit breaker. Pure; must not know what is uploaded, nor where.
//!
//! Closed, the bucket is relied on. It opens when an upload is slow, fails or is never answered. Open, nobody waits for the
//! bucket who has another one, and once in a while one upload probes it (half-open). The first that is answered in time
//! closes it.

use std::time::Duration;

use tokio::time::Instant;

/// An answer that takes longer is slow: a healthy bucket takes a tenth of this for the largest segment, and a viewer three
/// segments of two seconds behind has no more to spare.
pub(super) const IN_TIME: Duration = Duration::from_millis(1_500);
/// One upload is given so long, with all its tries: longer than S3 takes when it is slow, and short of what viewers have
/// buffered.
pub(super) const ANSWERED_WITHIN: Duration = Duration::from_secs(5);
/// And so long if the last one was never answered: no longer than a segment, so that a stream without any bucket stays in
/// time, with gaps, as it does when both refuse.
pub(super) const SILENT_WITHIN: Duration = Duration::from_secs(2);
/// Between two probes. A bucket that works again is used again no later than this.
const PROBE_EVERY: Duration = Duration::from_secs(5);

/// How far a bucket is relied on for one upload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trust {
    /// It answers in time.
    Full,
    /// It did not; this upload finds out whether it does again.
    Probe,
    /// It did not; only who has no other bucket waits for it.
    Doubt,
}

/// What is remembered of one bucket's answers.
#[derive(Debug, Default)]
pub(super) struct Circuit {
    /// Open: when the next upload is a probe.
    probe_at: Option<Instant>,
    /// An upload was never answered, and none was since.
    silent: bool,
}

impl Circuit {
    /// How far it is relied on now; takes the probe if one is due.
    pub(super) fn trust(&mut self, now: Instant) -> Trust {
        match &mut self.probe_at {
            None => Trust::Full,
            Some(at) if *at <= now => {
                *at = now + PROBE_EVERY;
                Trust::Probe
            }
            Some(_) => Trust::Doubt,
        }
    }

    pub(super) fn is_open(&self) -> bool {
        self.probe_at.is_some()
    }

    pub(super) fn is_silent(&self) -> bool {
        self.silent
    }

    /// How long an upload may take.
    pub(super) fn deadline(&self, trust: Trust) -> Duration {
        if trust == Trust::Probe { ANSWERED_WITHIN } else { self.patience() }
    }

    /// How long a segment waits for it. A probe that goes on for longer is for those that follow.
    pub(super) fn patience(&self) -> Duration {
        if self.silent { SILENT_WITHIN } else { ANSWERED_WITHIN }
    }

    /// An upload was answered; whether that closes the circuit.
    pub(super) fn answered(&mut self, took: Duration) -> bool {
        self.silent = false;
        took <= IN_TIME && self.probe_at.take().is_some()
    }

    /// An upload is slow, or failed; whether that opens the circuit.
    pub(super) fn doubted(&mut self, now: Instant) -> bool {
        let opens = self.probe_at.is_none();
        self.probe_at.get_or_insert(now + PROBE_EVERY);
        opens
    }

    /// An upload was not answered `within` its time; whether that opens the circuit. Only the whole time is news: who was
    /// given less was given it because the bucket was silent before.
    pub(super) fn unanswered(&mut self, now: Instant, within: Duration) -> bool {
        self.silent |= within >= ANSWERED_WITHIN;
        self.doubted(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_open_circuit_is_probed_once_in_a_while_and_closed_by_an_answer_in_time() {
        let (mut circuit, start) = (Circuit::default(), Instant::now());
        assert_eq!(circuit.trust(start), Trust::Full);
        assert!(circuit.doubted(start) && !circuit.doubted(start), "it opens once");
        assert_eq!(circuit.trust(start), Trust::Doubt);
        let later = start + PROBE_EVERY;
        assert_eq!([circuit.trust(later), circuit.trust(later)], [Trust::Probe, Trust::Doubt], "one probe");
        assert!(!circuit.answered(IN_TIME * 2), "too late to be relied on");
        assert_eq!(circuit.trust(later), Trust::Doubt);
        assert!(circuit.answered(IN_TIME) && !circuit.is_open());
        assert_eq!(circuit.trust(later), Trust::Full);
    }

    #[test]
    fn only_a_silent_bucket_is_given_less_time_and_a_probe_never_is() {
        let (mut circuit, now) = (Circuit::default(), Instant::now());
        circuit.doubted(now);
        assert_eq!(circuit.deadline(Trust::Doubt), ANSWERED_WITHIN, "a slow one would never be answered");
        circuit.unanswered(now, SILENT_WITHIN);
        assert!(!circuit.is_silent());
        circuit.unanswered(now, ANSWERED_WITHIN);
        assert_eq!(circuit.deadline(Trust::Doubt), SILENT_WITHIN);
        assert_eq!(circuit.deadline(Trust::Probe), ANSWERED_WITHIN);
        circuit.answered(ANSWERED_WITHIN);
        assert_eq!(circuit.deadline(Trust::Doubt), ANSWERED_WITHIN);
    }
}
