//! Our engine as a process of its own, so that the kernel accounts for it as for a peer: this program again, with other
//! arguments. The child runs the engine over a file and writes down what it saw of itself.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write as _;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use clap::{Args, ValueEnum};
use headwater_transcoder::media::{
    self, Cancel, EndReason, EngineSettings, Made, MediaTime, Passthrough, RenditionSegment, RunInput, Rung,
    StartPoint,
};
use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};
use tokio::process::Command;

use super::measure::{peak, run};

/// Which renditions are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Ladder {
    /// As the source asks for.
    Source,
    /// 720p 2800k, 480p 1400k, 360p 800k.
    Three,
}

/// One transcode.
#[derive(Debug, Clone, Args)]
pub(crate) struct Job {
    /// An FLV file.
    #[arg(skip)]
    pub(crate) source: PathBuf,
    #[arg(long, hide = true, default_value = "source")]
    pub(crate) ladder: Ladder,
    /// Copy nothing.
    #[arg(long, hide = true)]
    pub(crate) encode_all: bool,
    /// One decoder thread, whose time can be told from the others'.
    #[arg(long, hide = true)]
    pub(crate) single: bool,
    /// Where the renditions go; without, nowhere.
    #[arg(long, hide = true)]
    pub(crate) out: Option<PathBuf>,
    /// Where the account goes.
    #[arg(long, hide = true)]
    pub(crate) account: Option<PathBuf>,
}

/// One rendition that was made.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Rendition {
    pub(crate) copied: bool,
    pub(crate) bytes: u64,
}

/// What a transcode saw of itself.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Account {
    /// Seconds of media handed out.
    pub(crate) media: f64,
    pub(crate) wall: f64,
    /// CPU seconds of the process while the engine ran.
    pub(crate) cpu: f64,
    /// Most resident memory, KiB.
    pub(crate) peak: f64,
    pub(crate) stages: Vec<(String, Duration)>,
    pub(crate) renditions: BTreeMap<String, Rendition>,
}

impl Job {
    pub(crate) fn new(source: &Path, ladder: Ladder) -> Self {
        let source = source.to_owned();
        Self { source, ladder, encode_all: false, single: false, out: None, account: None }
    }

    pub(crate) fn encode_all(mut self) -> Self {
        self.encode_all = true;
        self
    }

    /// Runs it in a process of its own; the process' CPU seconds and its account.
    pub(crate) async fn measure(mut self, me: &Path) -> anyhow::Result<(f64, Account)> {
        let account = tempfile::NamedTempFile::new()?;
        self.account = Some(account.path().to_owned());
        let mut command = Command::new(me);
        command.arg("--engine").arg(&self.source);
        command.args(["--ladder", if self.ladder == Ladder::Three { "three" } else { "source" }]);
        command.args(self.encode_all.then_some("--encode-all")).args(self.single.then_some("--single"));
        for (name, path) in [("--out", &self.out), ("--account", &self.account)] {
            command.args(path.as_ref().map(|_| name)).args(path);
        }
        let cpu = run(&mut command).await?;
        Ok((cpu, serde_json::from_slice(&std::fs::read(account.path())?)?))
    }

    /// Runs it here.
    pub(crate) fn work(self) -> anyhow::Result<()> {
        let passthrough = if self.encode_all { Passthrough::NONE } else { Passthrough::ALL };
        let mut settings = EngineSettings { passthrough, ..EngineSettings::default() };
        if self.single {
            settings.decode_threads = 1;
        }
        if self.ladder == Ladder::Three {
            settings.ladder = Some(three());
        }
        let input = RunInput { reader: Box::new(File::open(&self.source)?), first_cursor: 1, pace: None };
        let start = StartPoint::aligned(MediaTime::from_secs(10), 0);
        let mut made = Makings { out: self.out, ..Makings::default() };
        let (began, cpu) = (Instant::now(), process_time());
        let end = media::run(input, &settings, start, |one| made.take(one), &Cancel::new())?;
        let (wall, cpu) = (began.elapsed().as_secs_f64(), (process_time() - cpu).as_secs_f64());
        ensure!(matches!(end.reason, EndReason::Ended), "the run did not end well: {:?}", end.reason);
        made.failed.map_or(Ok(()), Err)?;
        let peak = peak(std::process::id()).context("this process' memory")?;
        let account =
            Account { media: made.media, wall, cpu, peak, stages: end.stages, renditions: made.renditions };
        if let Some(path) = self.account {
            std::fs::write(path, serde_json::to_vec(&account)?)?;
        }
        Ok(())
    }
}

/// The peer's rungs.
fn three() -> Vec<Rung> {
    [(720, 2_800_000), (480, 1_400_000), (360, 800_000)]
        .map(|(lines, rate)| Rung::new(&format!("{lines}p"), lines, rate))
        .into()
}

fn process_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// What the engine hands out, counted and perhaps kept.
#[derive(Default)]
struct Makings {
    out: Option<PathBuf>,
    files: BTreeMap<String, File>,
    media: f64,
    renditions: BTreeMap<String, Rendition>,
    failed: Option<anyhow::Error>,
}

impl Makings {
    fn take(&mut self, made: Made) -> ControlFlow<()> {
        let Made::Segment(segment) = made else { return ControlFlow::Continue(()) };
        self.media += segment.video.map_or(0.0, |span| span.end.as_secs_f64() - span.start.as_secs_f64());
        for rendition in segment.renditions {
            let counted = self.renditions.entry(rendition.name.clone()).or_default();
            counted.copied = rendition.copied;
            counted.bytes += rendition.data.len() as u64;
            if let Err(error) = self.keep(&rendition) {
                self.failed = Some(error);
                return ControlFlow::Break(());
            }
        }
        ControlFlow::Continue(())
    }

    fn keep(&mut self, rendition: &RenditionSegment) -> anyhow::Result<()> {
        let Some(folder) = &self.out else { return Ok(()) };
        if !self.files.contains_key(&rendition.name) {
            let mut file = File::create(folder.join(format!("{}.mp4", rendition.name)))?;
            file.write_all(&rendition.init)?;
            self.files.insert(rendition.name.clone(), file);
        }
        let file = self.files.get_mut(&rendition.name).context("it has just been opened")?;
        Ok(file.write_all(&rendition.data)?)
    }
}
