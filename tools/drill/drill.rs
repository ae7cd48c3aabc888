//! Plays scenes: breaks something, waits until media flows again, puts it right, and draws up the account.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use headwater_domain::Lease;
use headwater_domain::paths::{ApiPath, EdgePath};
use headwater_emulators::ecs::Status;
use headwater_emulators::fault::Fault;
use headwater_emulators::process::Signal;
use headwater_local::demo::ApiClient;
use headwater_local::{Binaries, Component, Ports, RegionId, Stack, StackConfig};
use http::{Method, StatusCode};
use serde_json::json;

use crate::account::Account;
use crate::narrator::{Act, Narrator};
use crate::playlist::Edge;
use crate::publisher::Publisher;
use crate::scene::{OUTAGE, Scene};
use crate::viewer::{Arrival, Viewer};

/// Everything of one scene is over by then, or it has failed.
const MAX_SCENE: Duration = Duration::from_secs(45);
/// Segments that must come again before a scene is over.
const ENOUGH: usize = 3;
/// Here tasks start at once; on AWS they need 20 to 70 s, which the gateway's buffer bridges.
const SWEEP_EVERY: Duration = Duration::from_secs(5);
/// The head of an answer takes half a minute.
const DRIPPING: Fault = Fault::Dripping(Duration::from_millis(200));
/// ECS needs longer to replace a service's task; what matters is that the encoder finds nobody for a while.
const GATEWAY_BACK_AFTER: Duration = Duration::from_secs(2);

/// A running platform with an encoder and a viewer.
pub(crate) struct Drill<'a> {
    stack: Stack,
    publisher: Publisher,
    viewer: Viewer,
    narrator: &'a Narrator,
}

impl<'a> Drill<'a> {
    pub(crate) async fn start(folder: &Path, narrator: &'a Narrator) -> anyhow::Result<Self> {
        narrator.say("Starting both regions on free ports …");
        let mut config = StackConfig::new(folder.join("data"), Ports::Free, Binaries::beside_me()?);
        config.sweep_every = SWEEP_EVERY;
        let stack = Stack::start(config).await?;
        let api = ApiClient::new(stack.regions[0].api_url(), &stack.secrets.admin_token);
        let ladder = json!([{ "height": 180, "kbps": 300 }, { "height": 90, "kbps": 100 }]);
        let wanted = json!({ "name": "Drill", "settings": { "ladder": ladder, "dvr_window_seconds": 120 } });
        let (status, stream) = api.call(Method::POST, &ApiPath::Streams.to_string(), Some(wanted)).await?;
        ensure!(status == StatusCode::CREATED, "the stream was not created: {status} {stream}");
        let text = |pointer: &str| {
            let found = stream.pointer(pointer).and_then(|value| value.as_str()).map(str::to_owned);
            found.with_context(|| format!("the API's answer has no {pointer}"))
        };
        let (key, playback) = (text("/stream_key/value")?, text("/playback_url")?);
        let urls = [0, 1].map(|region: usize| format!("{}/{key}", stack.regions[region].rtmp_url()));
        let publisher = Publisher::start(urls);
        let viewer = Viewer::watch(Edge::new(stack.edge_url()), playback.clone());
        let drill = Self { stack, publisher, viewer, narrator };
        drill.bounded(drill.viewer.until(0, ENOUGH + 1, media)).await.context("nothing is to be seen")?;
        narrator.say(&format!("ffmpeg publishes, a player watches {playback}"));
        Ok(drill)
    }

    /// Breaks it and waits until it has healed.
    pub(crate) async fn play(&mut self, scene: Scene) -> anyhow::Result<Act> {
        self.narrator.say(scene.story());
        self.in_region_a().await?;
        let began = Instant::now();
        let healed = self.bounded(self.perform(scene)).await;
        // The next one begins with everything in its place.
        self.stack.clear_all().await?;
        let account = Account::between(began, Instant::now(), &self.publisher.events(), &self.viewer.seen());
        let mut broken = scene.promises().broken_by(&account);
        match healed {
            Ok(Ok(())) => {}
            Ok(Err(error)) | Err(error) => broken.push(format!("{error:#}")),
        }
        let act = Act { title: scene.title(), account, broken };
        self.narrator.tell(&act);
        Ok(act)
    }

    pub(crate) async fn end(self) {
        self.narrator.say("Stopping …");
        let Self { stack, publisher, viewer, .. } = self;
        drop((publisher, viewer));
        stack.stop().await;
    }

    async fn perform(&self, scene: Scene) -> anyhow::Result<()> {
        let before = self.viewer.seen().arrivals.len();
        let marks = (self.publisher.events().len(), before);
        let here = &self.stack.regions[0];
        match scene {
            Scene::KillTranscoder => {
                let task = self.task()?;
                let lease = self.lease();
                here.ecs.kill(&task, Signal::KILL).await;
                self.viewer
                    .until(before, ENOUGH, |arrival| media(arrival) && lease_of(&arrival.uri) != lease)
                    .await;
            }
            Scene::FreezeTranscoder => {
                let task = self.task()?;
                let lease = self.lease();
                here.ecs.kill(&task, Signal::STOP).await;
                self.viewer
                    .until(before, ENOUGH, |arrival| media(arrival) && lease_of(&arrival.uri) != lease)
                    .await;
                self.narrator.say("  Another one has taken over. The first wakes up …");
                let after = self.viewer.seen().arrivals.len();
                here.ecs.kill(&task, Signal::CONT).await;
                ensure!(here.ecs.reached(&task, Status::Stopped).await, "the first task is unknown");
                self.narrator.say("  … finds itself replaced, and has ended.");
                self.viewer.until(after, ENOUGH, media).await;
            }
            Scene::StopApi => self.outage(Component::Api, Fault::Stopped).await?,
            Scene::StopDynamodb => self.outage(Component::Dynamodb, Fault::Stopped).await?,
            Scene::StopS3 => self.outage(Component::S3, Fault::Stopped).await?,
            Scene::FreezeS3 => self.outage(Component::S3, Fault::Frozen).await?,
            Scene::DripDynamodb => self.outage(Component::Dynamodb, DRIPPING).await?,
            Scene::DropEncoder => {
                self.publisher.drop_connection();
                self.resumed(marks).await;
            }
            Scene::KillGateway => {
                here.gateway.kill().await;
                tokio::time::sleep(GATEWAY_BACK_AFTER).await;
                here.gateway.start().await?;
                self.resumed(marks).await;
            }
            Scene::LoseRegion => {
                self.stack.stop_region(RegionId::A).await;
                self.resumed(marks).await;
                self.narrator.say("  Viewers are served by region B. Region A comes back …");
                self.stack.start_region(RegionId::A).await?;
                let after = self.viewer.seen().arrivals.len();
                self.viewer.until(after, ENOUGH, media).await;
            }
        }
        Ok(())
    }

    /// A part of region A is away, or as good as away, for a while, and media flows again afterwards.
    async fn outage(&self, component: Component, fault: Fault) -> anyhow::Result<()> {
        self.stack.apply(RegionId::A, component, fault).await?;
        tokio::time::sleep(OUTAGE).await;
        self.stack.clear(RegionId::A, component).await?;
        let after = self.viewer.seen().arrivals.len();
        self.viewer.until(after, ENOUGH, media).await;
        Ok(())
    }

    /// Waits until the encoder has lost its connection, has another one, and media of that is seen; `before` counts what
    /// there was of both.
    async fn resumed(&self, (events, arrivals): (usize, usize)) {
        self.publisher.back_on_air(events).await;
        self.viewer.until(arrivals, 1, |arrival| arrival.discontinuity).await;
        let after = self.viewer.seen().arrivals.len();
        self.viewer.until(after, ENOUGH - 1, media).await;
    }

    /// Scenes are about region A; after a lost one the encoder may be elsewhere.
    async fn in_region_a(&self) -> anyhow::Result<()> {
        let region = self.bounded(self.publisher.on_air()).await.context("the encoder is not on the air")?;
        ensure!(region == Some(0), "the encoder is not at region A");
        Ok(())
    }

    fn task(&self) -> anyhow::Result<String> {
        self.stack.regions[0].ecs.tasks().pop().context("no task runs in region A")
    }

    fn lease(&self) -> Option<Lease> {
        self.viewer.seen().arrivals.last().and_then(|arrival| lease_of(&arrival.uri))
    }

    async fn bounded<T>(&self, waiting: impl Future<Output = T>) -> anyhow::Result<T> {
        let waited = tokio::time::timeout(MAX_SCENE, waiting).await;
        waited.with_context(|| format!("it did not come right within {} s", MAX_SCENE.as_secs()))
    }
}

/// Not a segment that is missing.
fn media(arrival: &Arrival) -> bool {
    !arrival.gap
}

/// Who wrote the segment at this path.
fn lease_of(path: &str) -> Option<Lease> {
    match path.parse() {
        Ok(EdgePath::Object(object)) => Some(object.lease),
        _ => None,
    }
}
