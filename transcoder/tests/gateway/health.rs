//! `transcoder health` as a container runtime calls it, against a gateway, nobody, strangers and silence.

use std::net::SocketAddr;
use std::process::Output;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::process::Command;

use crate::support::{output, rig};

async fn ask(listen: Option<SocketAddr>) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_transcoder"));
    command.arg("health").env_clear();
    if let Some(listen) = listen {
        command.env("SOURCE_LISTEN", listen.to_string());
    }
    output(&mut command).await
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[output.stdout.as_slice(), &output.stderr].concat()).into_owned()
}

/// Listens, and treats the first connection as `answer` says; the second value keeps it alive.
async fn stranger(answer: &'static [u8]) -> (SocketAddr, tokio::task::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        socket.write_all(answer).await.unwrap();
        std::future::pending::<()>().await;
    });
    (address, serving)
}

#[tokio::test]
async fn a_gateway_is_well_until_it_has_left() {
    let rig = rig().await;
    let source = rig.gateway.source_addr();
    let everywhere = SocketAddr::new("0.0.0.0".parse().unwrap(), source.port());
    for listen in [source, everywhere] {
        let answer = ask(Some(listen)).await;
        assert!(answer.status.success(), "{}", said(&answer));
        assert!(said(&answer).contains("the gateway is well: 0 sessions"), "{}", said(&answer));
    }
    rig.leave().await;
    let answer = ask(Some(source)).await;
    assert_eq!(answer.status.code(), Some(1));
    assert!(
        said(&answer).contains(&format!("no connection to the gateway at {source}")),
        "{}",
        said(&answer)
    );
}

#[tokio::test]
async fn another_program_is_not_taken_for_a_gateway() {
    for answer in [
        b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".as_slice(),
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n",
        b"\x03no http at all\r\n\r\n",
    ] {
        let (address, serving) = stranger(answer).await;
        let answer = ask(Some(address)).await;
        assert_eq!(answer.status.code(), Some(1), "{}", said(&answer));
        assert!(said(&answer).contains(&address.to_string()), "{}", said(&answer));
        serving.abort();
    }
}

#[tokio::test]
async fn a_gateway_that_does_not_answer_is_unhealthy() {
    let (address, serving) = stranger(b"").await;
    let answer = ask(Some(address)).await;
    assert_eq!(answer.status.code(), Some(1));
    assert!(said(&answer).contains("did not answer within"), "{}", said(&answer));
    serving.abort();
}

#[tokio::test]
async fn health_without_a_gateway_fails() {
    let answer = ask(None).await;
    assert!(answer.status.success());
    assert!(said(&answer).starts_with("SOURCE_LISTEN is not set"), "{}", said(&answer));
}

#[tokio::test]
async fn the_image_can_be_asked_what_it_has() {
    let transcoder = || Command::new(env!("CARGO_BIN_EXE_transcoder"));
    let version = output(transcoder().arg("--version")).await;
    assert!(said(&version).contains("libavcodec "), "{}", said(&version));
    let check = output(transcoder().arg("check")).await;
    assert!(check.status.success(), "{}", said(&check));
    assert!(said(&check).starts_with("H.264 and AAC are decoded"), "{}", said(&check));
}
