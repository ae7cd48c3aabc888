//! Gateways that hang.

use headwater_domain::hooks::Secret;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;

/// Longer than anything takes that is answered, on a busy machine, too.
const SOON: Duration = Duration::from_secs(2);
const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nheadwater-run: 1\r\n\
    headwater-run-started: 5\r\nheadwater-cursor: 1\r\n\r\n";

/// A gateway that says `says` in answer to each request, and no more: it hangs.
async fn hanging(says: &'static [u8]) -> Source {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/sources/x", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let mut open = Vec::new();
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 1024];
            assert_ne!(stream.read(&mut request).await.unwrap(), 0);
            stream.write_all(says).await.unwrap();
            open.push(stream);
        }
    });
    Source { session: headwater_domain::SessionId::from_random(1), url, token: Secret::new("t") }
}

#[tokio::test]
async fn a_gateway_that_answers_nothing_is_out_of_reach() {
    let source = hanging(b"").await;
    let client = SourceClient { silent_after: SOON, ..SourceClient::new() };
    let opened = client.open(&source, 0, false).await;
    assert!(matches!(opened, Err(SourceError::Silent)));
}

#[tokio::test]
async fn a_gateway_that_falls_silent_breaks_off_behind_what_it_said() {
    let source = hanging(&[HEAD, b"3\r\nFLV\r\n"].concat().leak()[..]).await;
    let Opened::Run(head, _, body) = SourceClient::new().open(&source, 0, false).await.unwrap() else {
        panic!("it answers")
    };
    let (sender, mut chunks) = mpsc::channel(MAX_CHUNKS);
    let replay = SharedReplay::new(head.first_cursor, 0);
    tokio::spawn(pump(body, Some(replay), Observations::default(), sender, SOON));
    assert_eq!(chunks.recv().await.unwrap().unwrap().unwrap(), "FLV");
    let broken = chunks.recv().await.unwrap().unwrap().unwrap_err();
    assert_eq!(broken.kind(), io::ErrorKind::TimedOut);
    assert!(chunks.recv().await.is_none());
}
