//! Many publishers at once on the real program: what each sent is what its readers get, to the last byte. Half of the
//! sessions are read while they come, the others when they are over. `make bench PART=gateway` does it with 200 publishers in
//! real time.

use std::net::SocketAddr;

use bytes::{Bytes, BytesMut};
use futures::future::join_all;
use headwater_domain::hooks::Secret;
use headwater_domain::testing::samples;
use headwater_domain::tokens::SigningKey;
use headwater_domain::{KeyId, SessionId, StreamId, Timestamp};
use headwater_rtmp::MediaKind::{self, Audio, Video};
use headwater_rtmp::amf::Properties;
use http::Request;
use http_body_util::{BodyExt, Empty};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::program::{Asked, listens, program, surroundings};
use crate::rtmp_client::{Publisher, picture, sound};
use crate::support::{Flv, PATIENCE};

const PUBLISHERS: u32 = 40;
/// Pictures of each: three seconds at 3 Mbit/s and 30 a second.
const PICTURES: u32 = 90;
const PICTURE_BYTES: u32 = 12_500;
/// Bytes in a chunk: what OBS sets.
const CHUNK: u32 = 4_096;

fn key(publisher: u32) -> String {
    let (stream, id) = (StreamId::from_random(publisher.into()), KeyId::from_random(publisher.into()));
    let key = headwater_domain::key::StreamKey::from_random(stream, id, u128::from(publisher) + 1);
    key.reveal().expose().to_owned()
}

/// Audio or video, time, body. No two are equal.
fn messages(publisher: u32) -> impl Iterator<Item = (MediaKind, u32, Bytes)> {
    let marked = move |n: u32, body: Bytes| {
        let mut body = BytesMut::from(&body[..]);
        let end = body.len() - 8;
        body[end..end + 4].copy_from_slice(&publisher.to_be_bytes());
        body[end + 4..].copy_from_slice(&n.to_be_bytes());
        body.freeze()
    };
    (0..PICTURES).flat_map(move |n| {
        // Sizes differ, so that what is mixed up cannot look whole.
        let picture = picture(n % 60 == 0, PICTURE_BYTES + 7 * publisher + n);
        [
            (Video, n * 33, marked(n, picture)),
            (Audio, n * 33 + 10, marked(n, [&sound()[..], &[0; 8]].concat().into())),
        ]
    })
}

async fn publish(mut publisher: Publisher, number: u32) {
    publisher.set_chunk_size(CHUNK).await;
    publisher.headers().await;
    for (kind, time, body) in messages(number) {
        publisher.send(kind, time, body).await;
    }
    publisher.finish().await;
}

fn session(asked: &Asked, publisher: u32) -> SessionId {
    let asked = asked.lock().unwrap();
    let found = asked.iter().find(|(_, body)| body["key"] == key(publisher)).expect("it was asked about");
    found.1["session"].as_str().unwrap().parse().unwrap()
}

async fn read(source: SocketAddr, session: &SessionId) -> Flv {
    let (key, until) = (SigningKey::new(Secret::new("signing")), Timestamp(4_000_000_000_000));
    let token = key.source_token(session, &samples::writer(1), until);
    let request = Request::get(format!("http://{source}/sources/{session}?after=0"))
        .header("authorization", format!("Bearer {}", token.expose()))
        .body(Empty::<Bytes>::new())
        .unwrap();
    let client = Client::builder(TokioExecutor::new()).build_http();
    let read = async {
        let (head, body) = client.request(request).await.unwrap().into_parts();
        Flv::parse(head.headers, body.collect().await.expect("a clean end").to_bytes())
    };
    timeout(PATIENCE, read).await.expect("an end")
}

fn is_as_sent(read: &Flv, publisher: u32) {
    let got: Vec<_> = read.media().into_iter().map(|tag| (tag.kind, tag.time, tag.body.clone())).collect();
    let sent: Vec<_> = messages(publisher).map(|(kind, time, body)| (kind.type_id(), time, body)).collect();
    assert_eq!(got.len(), sent.len(), "publisher {publisher}");
    let wrong = got.iter().zip(&sent).position(|(got, sent)| got != sent);
    assert_eq!(wrong, None, "publisher {publisher}: not as it was sent");
    assert_eq!(read.header("headwater-lost"), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forty_publishers_at_once_lose_nothing() {
    let (surroundings, asked) = surroundings().await;
    let dir = tempfile::tempdir().unwrap();
    let mut command = program(surroundings, dir.path());
    command.env("SOURCE_URL", "http://127.0.0.1:1").stderr(std::process::Stdio::piped());
    let mut gateway = command.spawn().unwrap();
    let (rtmp, source) = listens(&mut gateway).await;
    let connected = (0..PUBLISHERS).map(|number| async move {
        let socket = TcpStream::connect(rtmp).await.unwrap();
        let mut publisher = Publisher::ask_over(socket, Properties::new(), &key(number)).await.unwrap();
        publisher.hears("NetStream.Publish.Start").await;
        publisher
    });
    let connected = join_all(connected).await;
    let sessions: Vec<_> = (0..PUBLISHERS).map(|number| session(&asked, number)).collect();
    let sending: Vec<_> =
        (0..PUBLISHERS).zip(connected).map(|(n, one)| tokio::spawn(publish(one, n))).collect();
    let (early, late): (Vec<u32>, Vec<u32>) = (0..PUBLISHERS).partition(|number| number % 2 == 0);
    let reads = async |number: u32| is_as_sent(&read(source, &sessions[number as usize]).await, number);
    join_all(early.into_iter().map(reads)).await;
    join_all(sending).await.into_iter().for_each(|sent| sent.unwrap());
    join_all(late.into_iter().map(reads)).await;
}
