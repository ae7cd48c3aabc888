//! The real gateway as a process of its own, with a control plane that allows everything and remembers who is who.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use headwater_domain::hooks::{PublishRequest, Secret};
use headwater_domain::key::StreamKey;
use headwater_domain::paths::HookPath;
use headwater_domain::tokens::SigningKey;
use headwater_domain::{BroadcastId, KeyId, SessionId, StreamId};
use headwater_emulators::ports;
use headwater_local::Binaries;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};

use super::follow::Link;
use super::publish::Target;

const SIGNING_KEY: &str = "signing";

/// Sessions by stream key.
type Sessions = Arc<Mutex<HashMap<String, SessionId>>>;

/// The gateway's process. Dropping it ends the process.
pub(crate) struct Gateway {
    child: Child,
    rtmp: SocketAddr,
    source: SocketAddr,
    sessions: Sessions,
}

impl Gateway {
    /// One that keeps its media under `folder`.
    pub(crate) async fn start(folder: &Path) -> anyhow::Result<Self> {
        let sessions = Sessions::default();
        let control = control(sessions.clone()).await?;
        let addresses: Vec<_> = ports::free(2)?.iter().map(ports::Reserved::addr).collect();
        let [rtmp, source] = addresses[..] else { anyhow::bail!("two ports were asked for") };
        std::fs::create_dir_all(folder)?;
        let child = Command::new(Binaries::beside_me()?.transcoder())
            .arg("gateway")
            .env_clear()
            .envs([
                ("RTMP_LISTEN", rtmp.to_string()),
                ("SOURCE_LISTEN", source.to_string()),
                ("SOURCE_URL", format!("http://{source}")),
                ("SPOOL_DIR", folder.join("spool").to_string_lossy().into_owned()),
                ("API_URL", format!("http://{control}")),
            ])
            .envs([
                ("SIGNING_KEY", SIGNING_KEY),
                ("AWS_REGION", "eu-west-1"),
                ("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE"),
                ("AWS_SECRET_ACCESS_KEY", "secret"),
                ("AWS_EC2_METADATA_DISABLED", "true"),
                ("NO_PROXY", "*"),
            ])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(folder.join("gateway.log"))?)
            .kill_on_drop(true)
            .spawn()?;
        let mut gateway = Self { child, rtmp, source, sessions };
        while TcpStream::connect(gateway.source).await.is_err() {
            anyhow::ensure!(gateway.child.try_wait()?.is_none(), "the gateway ended");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(gateway)
    }

    pub(crate) fn pid(&self) -> anyhow::Result<u32> {
        self.child.id().context("the gateway runs")
    }

    /// Where so many streams are published.
    pub(crate) fn target(&self, streams: usize) -> Target {
        let key = |n| {
            let (stream, key) = (StreamId::from_random(n), KeyId::from_random(n));
            StreamKey::from_random(stream, key, n + 1).reveal().expose().to_owned()
        };
        Target { address: self.rtmp, keys: (0..streams as u128).map(key).collect() }
    }

    /// The source link of the session that publishes with `key`.
    pub(crate) fn link(&self, key: &str) -> anyhow::Result<Link> {
        let sessions = self.sessions.lock();
        let session = sessions.get(key).context("the session was allowed")?.clone();
        Ok(Link { address: self.source, key: SigningKey::new(Secret::new(SIGNING_KEY)), session })
    }
}

async fn control(sessions: Sessions) -> anyhow::Result<SocketAddr> {
    let publish = |State(sessions): State<Sessions>, Json(asked): Json<PublishRequest>| async move {
        let key = asked.key.expose().to_owned();
        let stream = key.parse::<StreamKey>().map(|key| key.stream().clone()).ok();
        let broadcast = stream.as_ref().map(|stream| BroadcastId::new(stream, 1_000, 7));
        sessions.lock().insert(key, asked.session);
        Json(json!({ "decision": "allow", "stream": stream, "broadcast": broadcast, "order": 1 }))
    };
    let nothing = |answer: Value| post(move || async move { Json(answer) });
    let router = Router::new()
        .route(HookPath::Publish.as_str(), post(publish))
        .route(HookPath::Unpublish.as_str(), nothing(json!({})))
        .route(HookPath::Heartbeat.as_str(), nothing(json!({ "sessions": {} })))
        .with_state(sessions);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async { axum::serve(listener, router).await });
    Ok(address)
}
