//! A reader of the source link, as a transcoder is one, that holds every message against what was sent.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use bytes::{Buf as _, Bytes, BytesMut};
use headwater_domain::tokens::{SigningKey, SourceRight};
use headwater_domain::{SessionId, Timestamp};
use headwater_rtmp::flv::{FILE_HEADER_LEN, TAG_HEADER_LEN, TagHead};
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::time::Instant;

use super::script::Script;

/// Between two commits: a transcoder commits each segment, and segments have two seconds.
const COMMIT_EVERY: u64 = 150;

/// What a reader found.
#[derive(Debug, Default)]
pub(crate) struct Followed {
    /// Messages that were as sent.
    pub(crate) equal: u64,
    /// Messages that were sent and did not come, or came as something else.
    pub(crate) lost: u64,
    /// How long after it was due each one came.
    pub(crate) delays: Vec<Duration>,
}

/// A session on a gateway, and the right to read it.
pub(crate) struct Link {
    pub(crate) address: SocketAddr,
    pub(crate) key: SigningKey,
    pub(crate) session: SessionId,
}

/// Reads a session from its start to its end; `begin` is when its first message was due. A reader that `commits` lets
/// the gateway forget, as transcoders do.
pub(crate) async fn follow(
    link: &Link,
    script: &Script,
    begin: Instant,
    commits: bool,
) -> anyhow::Result<Followed> {
    let http = Client::builder(TokioExecutor::new()).build_http();
    let request = link.request("GET", "?after=0", Bytes::new())?;
    let answer = http.request(request).await?;
    ensure!(answer.status() == StatusCode::OK, "the source link answered {}", answer.status());
    let header = |name: &str| {
        let value = answer.headers().get(name).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
        value.with_context(|| format!("no header {name}"))
    };
    let mut cursor = header("headwater-cursor")?;
    let mut followed = Followed { lost: header("headwater-lost")?, ..Followed::default() };
    let mut wanted = script.media();
    let mut body = answer.into_body();
    let mut unread = BytesMut::new();
    let mut skip = FILE_HEADER_LEN;
    while let Some(frame) = body.frame().await {
        let Ok(bytes) = frame.context("the source link broke")?.into_data() else { continue };
        unread.extend_from_slice(&bytes);
        let skipped = skip.min(unread.len());
        unread.advance(skipped);
        skip -= skipped;
        while let Some(head) = TagHead::read(&unread).filter(|head| unread.len() >= head.tag_len()) {
            let tag = unread.split_to(head.tag_len());
            // Sequence headers and metadata have no cursor.
            if head.stream_id == 0 {
                continue;
            }
            cursor += 1;
            let (due, (kind, time, body)) = wanted.next().context("more came than was sent")?;
            let same = (head.type_id, head.timestamp_ms) == (*kind, *time)
                && &tag[TAG_HEADER_LEN..TAG_HEADER_LEN + head.body_len] == body;
            followed.equal += u64::from(same);
            followed.lost += u64::from(!same);
            followed.delays.push(begin.elapsed().saturating_sub(due));
            if commits && cursor.is_multiple_of(COMMIT_EVERY) {
                link.commit(&http, cursor - 1).await?;
            }
        }
    }
    followed.lost += wanted.count() as u64;
    Ok(followed)
}

impl Link {
    fn request(&self, method: &str, rest: &str, body: Bytes) -> anyhow::Result<Request<Full<Bytes>>> {
        // Far in the future: it is not the token that is tried here.
        let lease = "1.us-east-1.00000001".parse()?;
        let right = SourceRight { lease, writes: true };
        let token = self.key.source_token(&self.session, &right, Timestamp(4_000_000_000_000));
        Ok(Request::builder()
            .method(method)
            .uri(format!("http://{}/sources/{}{rest}", self.address, self.session))
            .header("authorization", format!("Bearer {}", token.expose()))
            .header("content-type", "application/json")
            .body(Full::from(body))?)
    }

    async fn commit(&self, http: &Client<HttpConnector, Full<Bytes>>, cursor: u64) -> anyhow::Result<()> {
        let body = Bytes::from(format!("{{\"cursor\":{cursor}}}"));
        let answer = http.request(self.request("PUT", "/committed", body)?).await?;
        ensure!(answer.status() == StatusCode::NO_CONTENT, "the commit was answered {}", answer.status());
        Ok(())
    }
}
