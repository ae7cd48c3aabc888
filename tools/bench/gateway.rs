//! What relaying costs: the gateway, which buffers to disk, against nginx-rtmp, which keeps nothing; and that nothing is
//! lost on the way.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use futures::future::try_join_all;
use rustix::fs::statvfs;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

use super::Bench;
use super::load::{Followed, Gateway, Publication, Script, Target, follow, publish};
use super::measure::{cpu, resident};
use super::nginx::Nginx;
use super::report::{Row, Section};

const STREAMS: usize = 200;
/// Video; with sound it is 3 Mbit/s.
const KBPS: u32 = 2_872;
/// Publishers begin one after the other within the time between two IDRs, so that these do not come all at once.
const STAGGER: Duration = Duration::from_secs(2);
/// Before it is measured: all publish then.
const WARM_UP: Duration = Duration::from_secs(10);
/// What is kept of a second, with what files and page cache take beside it.
const DISK_PER_SECOND: u64 = STREAMS as u64 * 450_000;

/// What a server needed while it was measured.
struct Cost {
    seconds_per_gigabit: f64,
    mebibytes_per_stream: f64,
}

/// Sessions that send.
struct Sending {
    started: Instant,
    sent: Arc<AtomicU64>,
    sessions: Vec<JoinHandle<anyhow::Result<()>>>,
    measured: Duration,
}

pub(crate) async fn measure(bench: &mut Bench) -> anyhow::Result<Section> {
    let measured = Duration::from_secs(bench.load_seconds.into());
    let length = WARM_UP + measured + STAGGER;
    let (needed, disk) = (DISK_PER_SECOND * length.as_secs(), statvfs(bench.folder())?);
    ensure!(
        disk.f_bavail * disk.f_frsize > needed,
        "the gateway will keep {} MB in {}, where there is less room; set TMPDIR, or measure for fewer --load-seconds",
        needed / 1_000_000,
        bench.folder().display()
    );
    let file = bench.sources.flv(720, KBPS).await?;
    let script = Arc::new(Script::new(std::fs::read(file)?.into(), length)?);
    let (alone, kept) = keeping(bench.folder(), &script).await?;
    let (read, followed) = followed(bench.folder(), &script).await?;
    let nginx = peer(bench.folder(), &script).await?;
    let delay = |share: f64| {
        let at = (followed.delays.len() as f64 * share) as usize;
        followed.delays.get(at).map_or(f64::NAN, |delay| delay.as_secs_f64() * 1e3)
    };
    let lost = |what: &str, followed: &Followed| {
        let remark = format!("{} came as they were sent", followed.equal);
        Row::new(format!("messages lost, {what}"), followed.lost as f64, "").at_most(0.0).remark(remark)
    };
    let gigabit = "CPU per Gbit in";
    let mut section = Section::new("gateway", "Gateway: 200 publishers of 3 Mbit/s, buffered to disk");
    section.rows = vec![
        Row::new(gigabit, alone.seconds_per_gigabit, "s")
            .against("nginx-rtmp", nginx.seconds_per_gigabit)
            .at_most(0.30),
        Row::new(format!("{gigabit} and out to a transcoder"), read.seconds_per_gigabit, "s"),
        Row::new("memory per stream", alone.mebibytes_per_stream, "MiB")
            .against("nginx-rtmp", nginx.mebibytes_per_stream)
            .at_most(1.0),
        lost("kept for a minute", &kept),
        lost("read at once", &followed),
        Row::new("from encoder to transcoder, 99 % of messages within", delay(0.99), "ms")
            .remark(format!("median {:.1} ms", delay(0.5))),
    ];
    Ok(section)
}

/// Nobody reads until all is sent: what is kept is compared afterwards.
async fn keeping(folder: &Path, script: &Arc<Script>) -> anyhow::Result<(Cost, Followed)> {
    let gateway = Gateway::start(&folder.join("gateway-keeps")).await?;
    let target = gateway.target(STREAMS);
    let idle = resident(gateway.pid()?).context("memory")?;
    let sending = Sending::begin(connect(&target).await?, script);
    let cost = sending.cost(gateway.pid()?, idle).await?;
    let started = sending.end().await?;
    let mut all = Followed::default();
    for (number, key) in target.keys.iter().enumerate() {
        all.add(follow(&gateway.link(key)?, script, begin(started, number), false).await?);
    }
    Ok((cost, all))
}

/// Each session is read while it comes, and committed.
async fn followed(folder: &Path, script: &Arc<Script>) -> anyhow::Result<(Cost, Followed)> {
    let gateway = Gateway::start(&folder.join("gateway-followed")).await?;
    let target = gateway.target(STREAMS);
    let idle = resident(gateway.pid()?).context("memory")?;
    let publications = connect(&target).await?;
    let sending = Sending::begin(publications, script);
    let started = sending.started;
    let readers = target.keys.iter().enumerate().map(|(number, key)| {
        let (link, script) = (gateway.link(key)?, script.clone());
        Ok(tokio::spawn(async move { follow(&link, &script, begin(started, number), true).await }))
    });
    let readers = readers.collect::<anyhow::Result<Vec<_>>>()?;
    let cost = sending.cost(gateway.pid()?, idle).await?;
    sending.end().await?;
    let mut all = Followed::default();
    for found in try_join_all(readers).await? {
        all.add(found?);
    }
    all.delays.sort_unstable();
    Ok((cost, all))
}

async fn peer(folder: &Path, script: &Arc<Script>) -> anyhow::Result<Cost> {
    let nginx = Nginx::start(folder, false).await?;
    let worker = nginx.worker().context("nginx has a worker")?;
    let keys = (0..STREAMS).map(|number| format!("s{number}")).collect();
    let idle = resident(worker).context("memory")?;
    let target = Target { address: ([127, 0, 0, 1], nginx.rtmp).into(), keys };
    let sending = Sending::begin(connect(&target).await?, script);
    let cost = sending.cost(worker, idle).await?;
    sending.end().await?;
    nginx.stop().await?;
    Ok(cost)
}

async fn connect(target: &Target) -> anyhow::Result<Vec<Publication>> {
    try_join_all((0..target.keys.len()).map(|number| publish(target, number))).await
}

/// When session `number` sends its first message.
fn begin(started: Instant, number: usize) -> Instant {
    started + STAGGER.mul_f64(number as f64 / STREAMS as f64)
}

impl Sending {
    fn begin(publications: Vec<Publication>, script: &Arc<Script>) -> Self {
        let (started, sent) = (Instant::now(), Arc::new(AtomicU64::new(0)));
        let sessions = publications.into_iter().enumerate().map(|(number, publication)| {
            tokio::spawn(publication.send(script.clone(), begin(started, number), sent.clone()))
        });
        let sessions = sessions.collect();
        let measured = script.length - WARM_UP - STAGGER;
        Self { started, sent, sessions, measured }
    }

    /// Of process `pid`, which had so much memory before.
    async fn cost(&self, pid: u32, idle: f64) -> anyhow::Result<Cost> {
        let look = || {
            let sent = self.sent.load(Ordering::Relaxed);
            cpu(pid).map(|(used, _)| (used, sent)).context("the server runs")
        };
        let from = self.started + WARM_UP;
        sleep_until(from).await;
        let before = look()?;
        sleep_until(from + self.measured).await;
        let after = look()?;
        let busy = resident(pid).context("memory")?;
        Ok(Cost {
            seconds_per_gigabit: (after.0 - before.0) / ((after.1 - before.1) as f64 * 8.0 / 1e9),
            mebibytes_per_stream: (busy - idle) / 1024.0 / STREAMS as f64,
        })
    }

    /// All has been sent, and the server has closed each session; when they began.
    async fn end(self) -> anyhow::Result<Instant> {
        for session in try_join_all(self.sessions).await? {
            session?;
        }
        Ok(self.started)
    }
}

impl Followed {
    fn add(&mut self, other: Self) {
        self.equal += other.equal;
        self.lost += other.lost;
        self.delays.extend(other.delays);
    }
}
