//! An encoder: the real ffmpeg, started again whenever it ends, as OBS does. It goes to the other region when the one it
//! was at does not take it, as DNS or Global Accelerator would lead it. Must not know what is being broken.

use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Pause before it connects again (OBS: 2 s, growing).
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// So many tries at one region before the other is tried.
const TRIES: usize = 4;

/// What happened to the encoder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum What {
    /// Its media is taken by this region.
    OnAir(usize),
    /// The connection that carried it broke.
    Lost,
    /// A region did not take it.
    Refused(usize),
}

/// The same, with its time.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    pub(crate) at: Instant,
    pub(crate) what: What,
}

/// The encoder. Dropping it ends it.
#[derive(Debug)]
pub(crate) struct Publisher {
    events: Arc<Mutex<Vec<Event>>>,
    changed: watch::Receiver<usize>,
    cut: watch::Sender<()>,
    task: JoinHandle<()>,
}

impl Publisher {
    /// Publishes to the first of `urls` that takes it, beginning with region A.
    pub(crate) fn start(urls: [String; 2]) -> Self {
        let events = Arc::new(Mutex::new(Vec::new()));
        let (tell, changed) = watch::channel(0);
        let (cut, cuts) = watch::channel(());
        let hand = Hand { events: events.clone(), tell, cuts };
        Self { events, changed, cut, task: tokio::spawn(hand.publish(urls)) }
    }

    /// Breaks its connection without a word.
    pub(crate) fn drop_connection(&self) {
        self.cut.send_replace(());
    }

    pub(crate) fn events(&self) -> Vec<Event> {
        self.events.lock().clone()
    }

    /// Waits until, after the first `before` events, its connection broke and it is on the air again.
    pub(crate) async fn back_on_air(&self, before: usize) {
        let mut changed = self.changed.clone();
        let back = || {
            let events = self.events();
            let new = events.get(before..).unwrap_or_default();
            new.iter().any(|event| event.what == What::Lost)
                && matches!(new.last(), Some(Event { what: What::OnAir(_), .. }))
        };
        // It fails only when the encoder is gone, and with it whoever waits.
        let _ = changed.wait_for(|_| back()).await;
    }

    /// Waits until it is on the air; where.
    pub(crate) async fn on_air(&self) -> Option<usize> {
        let mut changed = self.changed.clone();
        let now = || match self.events().last()?.what {
            What::OnAir(region) => Some(region),
            What::Lost | What::Refused(_) => None,
        };
        changed.wait_for(|_| now().is_some()).await.ok()?;
        now()
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Hand {
    events: Arc<Mutex<Vec<Event>>>,
    tell: watch::Sender<usize>,
    cuts: watch::Receiver<()>,
}

impl Hand {
    async fn publish(mut self, urls: [String; 2]) {
        let (mut region, mut tries) = (0, 0);
        loop {
            self.cuts.mark_unchanged();
            let taken = match ffmpeg(&urls[region]) {
                Ok(child) => self.attend(child, region).await,
                Err(error) => {
                    eprintln!("cannot start ffmpeg: {error}");
                    false
                }
            };
            tries = if taken { 0 } else { tries + 1 };
            self.note(if taken { What::Lost } else { What::Refused(region) });
            if tries >= TRIES {
                (region, tries) = (1 - region, 0);
            }
            tokio::time::sleep(RETRY_AFTER).await;
        }
    }

    /// Until it ends; whether it was on the air.
    async fn attend(&mut self, mut child: Child, region: usize) -> bool {
        let mut taken = false;
        let (out, error) = (child.stdout.take(), child.stderr.take());
        // Read, so that it never waits for us.
        let said = tokio::spawn(async move {
            let mut said = String::new();
            if let Some(mut error) = error {
                let _ = error.read_to_string(&mut said).await;
            }
            said
        });
        if let Some(out) = out {
            let mut lines = BufReader::new(out).lines();
            loop {
                let line = tokio::select! {
                    line = lines.next_line() => line,
                    _ = self.cuts.changed() => break,
                };
                let Ok(Some(line)) = line else { break };
                // The header is out, so the server has said yes, and pictures follow.
                let sent = line.strip_prefix("frame=").and_then(|count| count.trim().parse::<u64>().ok());
                if !taken && sent.is_some_and(|count| count > 0) {
                    taken = true;
                    self.note(What::OnAir(region));
                }
            }
        }
        let _ = child.kill().await;
        if let Ok(said) = said.await {
            tracing::debug!(region, said, "ffmpeg ended");
        }
        taken
    }

    fn note(&self, what: What) {
        let event = Event { at: Instant::now(), what };
        self.events.lock().push(event);
        self.tell.send_modify(|count| *count += 1);
    }
}

fn ffmpeg(url: &str) -> std::io::Result<Child> {
    let arguments = "-hide_banner -loglevel error -nostdin -progress pipe:1 -stats_period 0.1 \
         -re -f lavfi -i testsrc2=size=320x180:rate=25 -re -f lavfi -i sine=frequency=440:sample_rate=48000 \
         -c:v libx264 -preset ultrafast -tune zerolatency -g 25 -pix_fmt yuv420p -c:a aac -b:a 64k -f flv";
    let mut command = Command::new("ffmpeg");
    command.args(arguments.split_whitespace()).arg(url).kill_on_drop(true);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()
}
