//! What functions take that start cold, each with the share of a CPU that Lambda gives to its memory: from process start to
//! the answer, with the table, secrets and ECS as far away as on AWS, behind TLS that the share pays for.

mod record;
mod share;
mod tls;

use std::time::Duration;

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use headwater_domain::SessionId;
use headwater_domain::paths::{ApiPath, EdgePath};
use headwater_emulators::fault::Fault;
use headwater_emulators::lambda::FunctionConfig;
use headwater_local::{Region, Stack};
use serde_json::{Value, json};

pub(crate) use self::record::memory_of;
use self::record::{Cold, Record};
use self::share::{FULL_CPU_MIB, Share};
use self::tls::{Certificate, Terminator};
use super::Bench;
use super::first_segment::{Stream, create, create_with, encoder, get, small, stack, uri};
use super::measure::median;
use super::report::{Row, Section};

/// What is tried, in MiB. 1769 MiB are a whole CPU.
const MEMORIES: [u32; 4] = [256, 512, 1_024, FULL_CPU_MIB];
const ROUNDS: usize = 3;
/// An answer of table or secrets within the region.
const NEAR: Duration = Duration::from_millis(20);
/// RunTask's.
const RUN_TASK: Duration = Duration::from_secs(1);
/// No task's process starts while functions are measured.
const NO_TASKS: Duration = Duration::from_secs(600);
/// Services that functions call, as the environment names them.
const ENDPOINTS: [&str; 4] = [
    "AWS_ENDPOINT_URL_DYNAMODB",
    "AWS_ENDPOINT_URL_SECRETS_MANAGER",
    "AWS_ENDPOINT_URL_ECS",
    "AWS_ENDPOINT_URL_S3",
];

/// A question to a function, and by when it has to be answered.
struct Question {
    what: &'static str,
    function: &'static str,
    /// Seconds; for those that somebody waits for who gives up.
    within: Option<f64>,
}

const QUESTIONS: [Question; 6] = [
    Question { what: "publish", function: "hooks", within: Some(2.0) },
    Question { what: "multivariant playlist", function: "playlist", within: Some(1.0) },
    Question { what: "media playlist", function: "playlist", within: Some(1.0) },
    Question { what: "showing a stream", function: "api", within: None },
    Question { what: "checking the admin token", function: "authorizer", within: None },
    Question { what: "a sweep", function: "lifecycle", within: None },
];

pub(crate) async fn measure(bench: &mut Bench) -> anyhow::Result<Section> {
    let stack = stack(bench.folder(), Duration::ZERO).await?;
    let measured = measure_on(&stack, bench).await;
    stack.stop().await;
    share::clear();
    measured
}

async fn measure_on(stack: &Stack, bench: &Bench) -> anyhow::Result<Section> {
    let (stream, media) = broadcast(stack).await?;
    let region = &stack.regions[0];
    region.ecs.set_start_delay(NO_TASKS);
    region.dynamodb.faults().apply(Fault::Slow(NEAR)).await;
    region.secrets_manager.faults().apply(Fault::Slow(NEAR)).await;
    region.ecs.faults().apply(Fault::Slow(RUN_TASK)).await;
    let certificate = Certificate::make(bench.folder()).await?;
    let mut section = Section::new("cold", "Functions that start cold, by memory");
    let mut record = Record::default();
    for question in QUESTIONS {
        for memory in MEMORIES {
            let mut times = Vec::new();
            let mut cpu = Vec::new();
            for round in 0..ROUNDS {
                let event = match question.what {
                    "publish" => publish(region.name(), &create(stack).await?)?,
                    "multivariant playlist" => {
                        playlist(stack, &EdgePath::Live(stream.id.parse()?).to_string())?
                    }
                    "media playlist" => playlist(stack, &media)?,
                    "showing a stream" => {
                        with_path("api-get-stream", &ApiPath::Stream(stream.id.parse()?).to_string())?
                    }
                    "checking the admin token" => authorization(stack)?,
                    _ => sample("lifecycle-sweep")?,
                };
                let name = format!("{}-{memory}-{round}", question.what.replace(' ', "-"));
                let cold = cold_start(region, &certificate, bench, question.function, &name, memory, event);
                let cold = cold.await.with_context(|| format!("{} at {memory} MiB", question.what))?;
                times.push(cold.seconds);
                cpu.push(cold.cpu_seconds);
            }
            let (seconds, cpu_seconds) = (median(times), median(cpu));
            let row = Row::new(format!("{}, {memory} MiB", question.what), seconds, "s")
                .remark(format!("{:.0} ms of CPU", cpu_seconds * 1e3));
            let chosen = memory_of(question.function)? == memory;
            section.rows.push(match question.within.filter(|_| chosen) {
                Some(within) => row.at_most(within),
                None => row,
            });
            record.note(question.what, question.function, memory, Cold { seconds, cpu_seconds });
        }
    }
    record.write(&bench.functions)?;
    Ok(section)
}

/// A stream that has been live, and the path of a media playlist of its broadcast.
async fn broadcast(stack: &Stack) -> anyhow::Result<(Stream, String)> {
    let settings = json!({ "ladder": small(), "reconnect_window_seconds": 900 });
    let stream = create_with(stack, settings).await?;
    let mut publisher = encoder(&format!("{}/{}", stack.regions[0].rtmp_url(), stream.key))?;
    let edge = stack.edge_url();
    let wait = async {
        loop {
            if let Some(found) = get(&stream.playback).await {
                let path = stream.playback.strip_prefix(&edge).unwrap_or(&stream.playback);
                break uri(path, &found).context("a multivariant playlist without renditions");
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let media =
        tokio::time::timeout(Duration::from_secs(60), wait).await.context("nothing became live")??;
    // A window's worth of segments, as viewers find it.
    tokio::time::sleep(Duration::from_secs(20)).await;
    publisher.kill().await?;
    stack.regions[0].ecs.kill_all().await;
    Ok((stream, media))
}

/// One cold start and its first answer.
async fn cold_start(
    region: &Region,
    certificate: &Certificate,
    bench: &Bench,
    function: &str,
    name: &str,
    memory: u32,
    event: Value,
) -> anyhow::Result<Cold> {
    let share = Share::of(memory, name)?;
    let mut config = region.function(function).context("a registered function")?;
    let mut terminators = Vec::new();
    for variable in ENDPOINTS {
        let Some(url) = config.env.get_mut(variable) else { continue };
        let to = url.trim_start_matches("http://").parse().context("an endpoint")?;
        let terminator = Terminator::start(certificate, to).await?;
        *url = format!("https://{}", terminator.address());
        terminators.push(terminator);
    }
    config.env.insert("SSL_CERT_FILE".to_owned(), certificate.bundle().display().to_string());
    let binary = share.wrap(&bench.functions.join(function), &bench.folder().join(format!("{name}.sh")))?;
    let timeout = Duration::from_secs(25);
    region.lambda.register(FunctionConfig {
        name: name.to_owned(),
        binary,
        memory_mib: memory,
        timeout,
        reserved_concurrency: None,
        ..config
    });
    let payload = Bytes::from(serde_json::to_vec(&event)?);
    let answer = region.lambda.invoke(name, payload).await?;
    let cpu_seconds = share.cpu_seconds();
    let init = region.lambda.stats(name).context("a registered function")?.last_init;
    let body: Value = serde_json::from_slice(&answer.payload)?;
    let is_right = body["statusCode"] == 200 || body["isAuthorized"] == true || function == "lifecycle";
    ensure!(is_right, "answered {body}");
    region.lambda.unregister(name).await;
    Ok(Cold { seconds: (init + answer.duration).as_secs_f64(), cpu_seconds })
}

fn sample(file: &str) -> anyhow::Result<Value> {
    let text = std::fs::read(format!("events/{file}.json")).context("run it in the repository's root")?;
    Ok(serde_json::from_slice(&text)?)
}

fn publish(region: &str, stream: &Stream) -> anyhow::Result<Value> {
    let mut event = sample("hooks-publish")?;
    let body = json!({
        "gateway": { "region": region, "source": "http://127.0.0.1:9" },
        "session": SessionId::from_random(rand::random()),
        "app": "live",
        "key": stream.key,
        "address": "203.0.113.77:51234",
    });
    event["body"] = json!(body.to_string());
    Ok(event)
}

fn with_path(file: &str, path: &str) -> anyhow::Result<Value> {
    let mut event = sample(file)?;
    event["rawPath"] = json!(path);
    event["requestContext"]["http"]["path"] = json!(path);
    Ok(event)
}

fn authorization(stack: &Stack) -> anyhow::Result<Value> {
    let mut event = sample("authorizer-request")?;
    let token = format!("Bearer {}", stack.secrets.admin_token);
    event["headers"]["authorization"] = json!(token);
    event["identitySource"] = json!([token]);
    Ok(event)
}

fn playlist(stack: &Stack, path: &str) -> anyhow::Result<Value> {
    let mut event = with_path("playlist-multivariant", path)?;
    event["headers"]["x-headwater-origin"] = json!(stack.secrets.origin_secret);
    // The second try answers its best: nobody heartbeats for this broadcast any more.
    event["headers"]["x-headwater-try"] = json!("2");
    Ok(event)
}
