//! The product's own way from an encoder to segments, in one process: the real gateway takes RTMP and serves its source
//! link, the real task reads that with the real engine, and commits to a timeline and a bucket in memory.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use headwater_aws::clock::wall_clock;
use headwater_domain::KeyId;
use headwater_domain::key::StreamKey;
use headwater_domain::ports::{Bucket, ReadTimeline};
use headwater_domain::testing::fakes::{MemoryBuckets, MemoryTable};
use headwater_domain::testing::samples;
use headwater_domain::timeline::resolve;
use headwater_transcoder::gateway::{Codecs, Gateway, GatewayConfig, Limits};
use headwater_transcoder::media;
use headwater_transcoder::task::{Ports, Task, new_fencing_token};
use tokio::sync::oneshot;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::case::Case;
use super::control::Control;
use super::encoder;
use super::judge::{self, Seen};
use super::message::Message;

/// More than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// What came of one source.
#[derive(Debug, Default)]
pub struct Outcome {
    pub seen: Seen,
    /// What the encoder was told.
    pub told: String,
    /// What the API would show as `problem`, each once.
    pub problems: Vec<String>,
    /// Why the session ended, by the gateway.
    pub ended: String,
}

/// Sends a source through the product.
pub async fn run(case: &Case, messages: Vec<Message>) -> Outcome {
    if std::env::var_os("RUST_LOG").is_some() {
        let filter = tracing_subscriber::EnvFilter::from_default_env();
        // Another case may have done it.
        let _ = tracing_subscriber::fmt().with_env_filter(filter).try_init();
    }
    let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let control = Arc::new(Control::new(case.passthrough));
    let shutdown = CancellationToken::new();
    let config = GatewayConfig {
        rtmp: any,
        rtmps: None,
        source_listen: any,
        source_url: "http://127.0.0.1".to_owned(),
        region: samples::region_a(),
        spool_dir: folder.path().join("spool"),
        signing_key: control.key(),
        codecs: Codecs::new(media::decodable()),
        limits: Limits { drain_timeout: Duration::ZERO, move_timeout: Duration::ZERO, ..Limits::default() },
        revision: None,
        protection: None,
        metrics: None,
        clock: wall_clock,
    };
    let gateway = Gateway::start(config, control.clone(), shutdown.clone()).await.unwrap();
    control.source_is_at(format!("http://{}", gateway.source_addr()));
    let (timeline, buckets) = (Arc::new(MemoryTable::default()), Arc::new(MemoryBuckets::default()));
    let task = Task {
        broadcast: samples::broadcast(),
        lease: samples::lease(1),
        fencing_token: new_fencing_token(),
        claim: headwater_domain::hooks::Secret::new("claim"),
        ports: Ports { hooks: control.clone(), timeline: timeline.clone(), media: buckets.clone() },
        metrics: None,
        clock: wall_clock,
        leave: CancellationToken::new(),
        leave_within: Duration::ZERO,
        is_standby: false,
    };
    let key = StreamKey::from_random(samples::stream_id(), KeyId::from_random(5), 7).reveal();
    let (let_in, began) = oneshot::channel();
    let encoder = encoder::publish(gateway.rtmp_addr(), key.expose(), &messages, case.pace, let_in);
    let publishing = async { timeout(PATIENCE, encoder).await.expect("the encoder is done") };
    let working = async {
        began.await.unwrap();
        let task = tokio::spawn(task.run());
        let over = timeout(PATIENCE, control.until(|record| record.over && record.ended.is_some())).await;
        assert!(over.is_ok(), "{}: the source is not read to its end: {:?}", case.name, control.record());
        control.stop();
        timeout(PATIENCE, task).await.expect("the task leaves").unwrap().unwrap();
    };
    let (told, ()) = tokio::join!(publishing, working);
    shutdown.cancel();
    gateway.join().await.unwrap();
    let record = control.record();
    let entries = resolve(timeline.all(&samples::broadcast()).await.unwrap());
    let seen = {
        let object = move |path: &str| {
            buckets.get(Bucket::Own, path).unwrap_or_else(|| panic!("{path} is not stored")).to_vec()
        };
        tokio::task::spawn_blocking(move || judge::look(&entries, object)).await.unwrap()
    };
    let ended = record.ended.unwrap_or_default();
    Outcome { seen, told, problems: record.problems, ended }
}
