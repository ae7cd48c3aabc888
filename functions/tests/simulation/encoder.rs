//! Encoders: connect, lose their connection, connect again, as OBS does, until they are told to leave.

use std::cell::RefCell;

use headwater_domain::SessionId;

use super::executor::{self, NETWORK, sleep};
use super::gateway;
use super::rng;
use super::simulation::{Side, tell};

/// How often an encoder looks around, in milliseconds.
const LOOK_EVERY: u64 = 250;

/// What an encoder is to do.
#[derive(Debug, Clone, Default)]
pub struct Encoder {
    pub publishes: bool,
    /// Drop the connection as it stands: the gateway notices after so many milliseconds, at once if 0.
    pub drop_after: Option<u64>,
    pub connected: Option<(Side, SessionId)>,
    /// It does not give up when another one takes over.
    pub is_last: bool,
}

thread_local! {
    static ENCODERS: RefCell<[Encoder; 2]> = RefCell::default();
}

/// One of the two encoders: that of region A's or of region B's city.
pub fn with<T>(side: Side, act: impl FnOnce(&mut Encoder) -> T) -> T {
    ENCODERS.with_borrow_mut(|all| act(&mut all[side as usize]))
}

pub fn start(home: Side) {
    with(home, |encoder| *encoder = Encoder::default());
    executor::spawn(NETWORK, async move {
        let (mut place, mut key) = (home, 0);
        loop {
            sleep(LOOK_EVERY).await;
            if !with(home, |encoder| encoder.publishes) {
                place = home;
                continue;
            }
            match gateway::connect(place, crate::key_text(key)).await {
                Ok(session) => {
                    with(home, |encoder| encoder.connected = Some((place, session.clone())));
                    let reason = publish(home, place, &session).await;
                    with(home, |encoder| encoder.connected = None);
                    // Two encoders with one key: one of them gives up, sooner or later.
                    if reason.contains("taken over")
                        && !with(home, |encoder| encoder.is_last)
                        && rng::chance(60)
                    {
                        with(home, |encoder| encoder.publishes = false);
                    }
                    sleep(rng::between(500, 3_000)).await;
                }
                Err(reason) => {
                    tell(|| format!("encoder {home:?} is refused in {place:?}: {reason}"));
                    if reason.contains("revoked") {
                        key = 1;
                    } else if rng::chance(50) {
                        place = place.peer();
                    }
                    sleep(rng::between(1_000, 4_000)).await;
                }
            }
        }
    });
}

/// Until the connection is over; why.
async fn publish(home: Side, place: Side, session: &SessionId) -> String {
    loop {
        sleep(LOOK_EVERY).await;
        let Some(now) = gateway::session(place, session) else { return "the gateway is gone".into() };
        if now.ended {
            return now.stopped.unwrap_or_default();
        }
        let dropped = with(home, |encoder| match encoder.drop_after.take() {
            None if !encoder.publishes => Some(0),
            dropped => dropped,
        });
        if let Some(after) = dropped {
            gateway::change(place, session, |session| session.media_until = Some(executor::now()));
            let session = session.clone();
            executor::spawn(NETWORK, async move {
                sleep(after).await;
                gateway::close(place, &session, "the encoder closed the connection", false);
            });
            return "dropped".into();
        }
    }
}
