//! The platform, its one stream, and encoders that publish to it.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use headwater_domain::paths::ApiPath;
use headwater_emulators::process::Signal;
use headwater_local::demo::ApiClient;
use headwater_local::{Binaries, Ports, Stack, StackConfig};
use http::{Method, StatusCode};
use rustix::process::Pid;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::process::{Child, Command};

use crate::look::{Holding, Look, files};

/// A minute of pictures, published again and again: making them costs nothing while it is looked.
const CLIP: &str = "-v error -f lavfi -i testsrc2=size=1920x1080:rate=30 -f lavfi -i sine=frequency=440:sample_rate=48000 -t 60 \
                    -c:v libx264 -preset ultrafast -tune zerolatency -b:v 6M -g 60 -pix_fmt yuv420p -c:a aac -b:a 128k -f flv";
/// The dearest case: all four rungs are encoded.
const LADDER: [(u32, u32); 4] = [(1080, 5_000), (720, 2_800), (480, 1_400), (360, 800)];
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// For what should take moments, beside whatever else the machine does.
const PATIENCE: Duration = Duration::from_secs(120);
/// A gateway forgets a session three minutes after its end.
const GONE_WITHIN: Duration = Duration::from_secs(300);

/// A broadcast, as the API shows it.
#[derive(Debug, Deserialize)]
pub(crate) struct Health {
    pub(crate) decode_errors: u64,
    pub(crate) renditions_dropped: u64,
    pub(crate) fast_preset: bool,
}

pub(crate) struct Stage {
    stack: Stack,
    clip: PathBuf,
    stream: String,
    key: String,
}

impl Stage {
    pub(crate) async fn start(folder: &Path) -> anyhow::Result<Self> {
        let clip = folder.join("clip.flv");
        let made = Command::new("ffmpeg").args(CLIP.split_whitespace()).arg(&clip).status().await;
        ensure!(made.context("ffmpeg cannot be started")?.success(), "the clip cannot be made");
        let config = StackConfig::new(folder.join("data"), Ports::Free, Binaries::beside_me()?);
        let stack = Stack::start(config).await?;
        let ladder: Vec<_> = LADDER.map(|(height, kbps)| json!({ "height": height, "kbps": kbps })).into();
        let settings = json!({ "ladder": ladder, "passthrough": "always_encode" });
        let body = json!({ "name": "soak", "settings": settings });
        let (status, stream) =
            api(&stack).call(Method::POST, &ApiPath::Streams.to_string(), Some(body)).await?;
        ensure!(status == StatusCode::CREATED, "the stream was not created: {status} {stream}");
        let text = |pointer: &str| {
            let found = stream.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
            found.with_context(|| format!("the API's answer has no {pointer}"))
        };
        let (stream, key) = (text("/id")?, text("/stream_key/value")?);
        Ok(Self { stack, clip, stream, key })
    }

    /// A new encoder; returns when the stream is live.
    pub(crate) async fn publish(&self) -> anyhow::Result<Encoder> {
        let url = format!("{}/{}", self.stack.regions[0].rtmp_url(), self.key);
        let mut command = Command::new("ffmpeg");
        command.args(["-v", "error", "-re", "-stream_loop", "-1", "-i"]).arg(&self.clip);
        command.args(["-c", "copy", "-f", "flv", &url]);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::inherit()).kill_on_drop(true);
        let encoder = Encoder(command.spawn().context("ffmpeg cannot be started")?);
        self.status("live").await?;
        Ok(encoder)
    }

    pub(crate) async fn look(&self) -> anyhow::Result<Look> {
        let region = &self.stack.regions[0];
        let tasks = region.ecs.tasks();
        let transcoder = tasks.first().and_then(|task| region.ecs.pid(task)).context("no transcoder runs")?;
        let gateway = region.gateway.pid().await.context("the gateway does not run")?;
        let spool = self.spool();
        Ok(Look {
            transcoder: Holding::of(transcoder)?,
            gateway: Holding::of(gateway)?,
            tasks: tasks.len() as f64,
            sessions: std::fs::read_dir(&spool)?.count() as f64,
            spool_files: files(&spool) as f64,
        })
    }

    /// Stops the stream; nothing of it may stay with the gateway or as a task.
    pub(crate) async fn end(self) -> anyhow::Result<()> {
        let path = ApiPath::Stop(self.stream.parse()?).to_string();
        let (status, answer) = api(&self.stack).call(Method::POST, &path, None).await?;
        ensure!(status.is_success(), "the stream cannot be stopped: {status} {answer}");
        let gone = async {
            while !self.stack.regions[0].ecs.tasks().is_empty() || files(&self.spool()) > 0 {
                tokio::time::sleep(LOOK_EVERY).await;
            }
        };
        tokio::time::timeout(GONE_WITHIN, gone)
            .await
            .context("a task or files of the gateway stay behind")?;
        self.stack.stop().await;
        Ok(())
    }

    fn spool(&self) -> PathBuf {
        self.stack.data().join(self.stack.regions[0].name()).join("spool")
    }

    async fn show(&self) -> anyhow::Result<Value> {
        let path = ApiPath::Stream(self.stream.parse()?).to_string();
        Ok(api(&self.stack).call(Method::GET, &path, None).await?.1)
    }

    /// What the transcoder says of itself.
    pub(crate) async fn health(&self) -> anyhow::Result<Health> {
        let broadcast = self.show().await?["broadcast"].take();
        serde_json::from_value(broadcast).context("the API shows no broadcast")
    }

    async fn status(&self, wanted: &str) -> anyhow::Result<()> {
        let looks = async {
            while self.show().await?["status"] != wanted {
                tokio::time::sleep(LOOK_EVERY).await;
            }
            anyhow::Ok(())
        };
        tokio::time::timeout(PATIENCE, looks).await.with_context(|| format!("the stream is not {wanted}"))?
    }
}

fn api(stack: &Stack) -> ApiClient {
    ApiClient::new(stack.regions[0].api_url(), &stack.secrets.admin_token)
}

pub(crate) struct Encoder(Child);

impl Encoder {
    /// With a goodbye, or without.
    pub(crate) async fn leave(mut self, politely: bool) -> anyhow::Result<()> {
        match self.0.id().and_then(|pid| Pid::from_raw(pid.cast_signed())) {
            Some(pid) if politely => rustix::process::kill_process(pid, Signal::TERM)?,
            _ => self.0.start_kill()?,
        }
        self.0.wait().await?;
        Ok(())
    }
}
