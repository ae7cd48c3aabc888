//! What a gateway's peers may make it do, and how long each step of its leaving may take.

use std::time::Duration;

/// Bytes of one session that wait in memory for a disk that does not take them: 85 s at 3 Mbit/s, 10 s at 25. Its
/// transcoder commits every two seconds, so one that keeps up needs three or four.
const MAX_SESSION_HELD_BYTES: u64 = 32 * 1024 * 1024;
/// The same, of all sessions: a quarter of the smallest task's memory, of which 500 sessions need half.
const MAX_TOTAL_HELD_BYTES: u64 = 256 * 1024 * 1024;

/// Between SIGTERM and SIGKILL: the `StopTimeout` of the gateway's container, the longest that Fargate gives.
pub const STOP_TIMEOUT: Duration = Duration::from_secs(120);
/// When the gateway leaves: for connections to end after they were told to, and for the control plane to be told.
pub(super) const CLOSE_TIMEOUT: Duration = Duration::from_secs(10);

/// Limits, each with its reason.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Connections at a time. An idle one costs a socket and some 20 KiB.
    pub max_connections: usize,
    /// Connections at a time from one address, or IPv6 network of /64. Whole studios stand behind one NAT; a scanner needs more.
    pub max_connections_per_ip: usize,
    /// Publish requests that the control plane is asked about at a time; the others wait, and are not read from. Each
    /// may hold 2 MiB of media meanwhile, and a slot of the hooks' function.
    pub max_questions: usize,
    /// Accepted publishers at a time: a two-core task relays 400 streams of 3 Mbit/s, the rest is reserve.
    pub max_sessions: usize,
    /// Bits per second of one publisher, over [`Limits::bitrate_window`]. The best H.264 contribution feeds have 30.
    pub max_bitrate: u64,
    /// What `max_bitrate` is measured over. An encoder that was cut off briefly sends seconds of backlog at once.
    pub bitrate_window: Duration,
    /// Bytes that one session may hold: 180 s at 20 Mbit/s.
    pub session_buffer_bytes: u64,
    /// Bytes that all sessions may hold: a Fargate task has 20 GiB of disk without paying for more.
    pub total_buffer_bytes: u64,
    /// Bytes that one session may hold in memory while the disk does not take them; the oldest go first.
    pub session_held_bytes: u64,
    /// The same, of all sessions.
    pub total_held_bytes: u64,
    /// Seconds of media that a session holds at most, and that an ended one is kept for. A transcoder that is started
    /// late or again needs 20 to 70 s of it.
    pub buffer_seconds: u64,
    /// The same of a GOP that goes on: an encoder that sends one key frame and no more can be decoded from nowhere else. What
    /// a transcoder that starts again has to decode first: ten minutes take it about one.
    pub gop_seconds: u64,
    /// From the first byte of a connection to its publish command. Real encoders need 3 round trips.
    pub handshake_timeout: Duration,
    /// For the publish hook with its second attempt. Encoders give up after 10 to 30 s.
    pub hook_timeout: Duration,
    /// A publisher that sends nothing for so long is gone. Judged by bytes: OBS does not answer pings.
    pub silence_timeout: Duration,
    /// For a peer to take what we write. Nothing we say to a publisher fills a socket's buffer.
    pub write_timeout: Duration,
    /// For a peer to read our close message, after which it is cut off.
    pub linger: Duration,
    /// When the gateway leaves: for encoders that can be asked to go elsewhere.
    pub move_timeout: Duration,
    /// When the gateway leaves: for transcoders to read what is left. ECS gives a task at most 120 s.
    pub drain_timeout: Duration,
    /// And, of that, to commit what they have read to its end: should one die meanwhile, its successor needs it once more.
    pub commit_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_connections: 2_000,
            max_connections_per_ip: 100,
            max_questions: 64,
            max_sessions: 500,
            max_bitrate: 50_000_000,
            bitrate_window: Duration::from_secs(10),
            session_buffer_bytes: 450 * 1024 * 1024,
            total_buffer_bytes: 12 * 1024 * 1024 * 1024,
            session_held_bytes: MAX_SESSION_HELD_BYTES,
            total_held_bytes: MAX_TOTAL_HELD_BYTES,
            buffer_seconds: 180,
            gop_seconds: 600,
            handshake_timeout: Duration::from_secs(10),
            hook_timeout: Duration::from_secs(8),
            silence_timeout: Duration::from_secs(10),
            write_timeout: Duration::from_secs(5),
            linger: Duration::from_secs(1),
            move_timeout: Duration::from_secs(8),
            drain_timeout: Duration::from_secs(90),
            commit_timeout: Duration::from_secs(10),
        }
    }
}

impl Limits {
    /// The longest that a gateway takes to leave: encoders move, connections are closed, media is read while the control plane
    /// is told. Less than [`STOP_TIMEOUT`].
    pub fn leaves_within(&self) -> Duration {
        self.move_timeout + CLOSE_TIMEOUT + self.drain_timeout.max(CLOSE_TIMEOUT)
    }

    /// How long media is held.
    pub fn buffer_time(&self) -> Duration {
        Duration::from_secs(self.buffer_seconds)
    }

    /// How long it is held if nothing newer can be decoded without it.
    pub fn gop_time(&self) -> Duration {
        Duration::from_secs(self.gop_seconds.max(self.buffer_seconds))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gateway_has_left_before_it_is_killed() {
        // What is left of the time: for the loops to end and the files to be deleted.
        let reserve = Duration::from_secs(10);
        assert!(Limits::default().leaves_within() + reserve <= STOP_TIMEOUT);
    }
}
