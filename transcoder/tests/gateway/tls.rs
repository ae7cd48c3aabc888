//! `rtmps://`, with a certificate that `openssl` makes.

use headwater_transcoder::gateway::{Limits, RtmpsConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::process::Command;

use crate::hooks::Policy;
use crate::rtmp_client::Publisher;
use crate::support::*;

#[tokio::test]
async fn ffmpeg_publishes_over_tls_and_others_are_closed() {
    let dir = tempfile::tempdir().unwrap();
    let (certificate, private_key) = (dir.path().join("cert.pem"), dir.path().join("key.pem"));
    let made = output(
        Command::new("openssl")
            .args([
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:P-256",
                "-nodes",
                "-days",
                "2",
            ])
            .args(["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout"])
            .arg(&private_key)
            .arg("-out")
            .arg(&certificate),
    )
    .await;
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let rtmps = RtmpsConfig { listen: "127.0.0.1:0".parse().unwrap(), certificate, private_key };
    let limits = Limits { drain_timeout: std::time::Duration::ZERO, ..Limits::default() };
    let rig = rig_of(Policy::Allow, limits, Some(rtmps), dir).await;
    let address = rig.gateway.rtmps_addr().unwrap();

    let sent = sample(rig.dir.path(), 2).await;
    let ffmpeg = publish(&sent, &format!("rtmps://{address}/live/{}", stream_key_text())).await;
    assert!(ffmpeg.status.success(), "{}", String::from_utf8_lossy(&ffmpeg.stderr));
    let session = rig.hooks.unpublish(0).await.session.session;
    let got = rig.dir.path().join("got.flv");
    std::fs::write(&got, rig.read(&session, 0).await.bytes).unwrap();
    assert_eq!(packets(&got).await, packets(&sent).await);

    // Without TLS: in RTMP where to go, in anything else an alert at most.
    let heard = Publisher::ask(address, vec![]).await.closed().await;
    assert!(heard.contains("NetConnection.Connect.Rejected") && heard.contains("rtmps://"), "{heard}");
    assert_eq!(rig.hooks.record().published.len(), 1, "nobody was asked");
    let mut other = TcpStream::connect(address).await.unwrap();
    other.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    let mut heard = Vec::new();
    tokio::time::timeout(PATIENCE, other.read_to_end(&mut heard)).await.expect("closed").ok();
    assert!(heard.len() < 100, "a TLS alert at most");
    rig.leave().await;
}
