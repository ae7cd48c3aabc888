//! Writes figures down at regular times until something ends. Knows neither the figures nor where lines go.

use headwater_domain::ClockReader;
use headwater_domain::metrics::{EVERY, Metric, Metrics};
use tokio::time::{Instant, MissedTickBehavior, interval_at};
use tokio_util::sync::CancellationToken;

/// Writes what `measure` finds every [`EVERY`] until `done`, and once more then: what came since the last line counts.
pub(crate) async fn write_until(
    metrics: Option<Metrics>,
    clock: ClockReader,
    mut measure: impl FnMut() -> Vec<Metric>,
    done: CancellationToken,
) {
    let Some(metrics) = metrics else { return };
    let mut ticks = interval_at(Instant::now() + EVERY, EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let goes_on = done.run_until_cancelled(ticks.tick()).await.is_some();
        metrics.write(clock(), &measure());
        if !goes_on {
            return;
        }
    }
}
