//! Services that hang, are slow or drip, as our own adapters see them: every call ends.

use super::s3;
use super::support::{PATIENCE, REGION};
use bytes::Bytes;
use headwater_aws::media::Buckets;
use headwater_aws::secrets::Secrets;
use headwater_aws::settings::fixed_config;
use headwater_domain::SegmentNumber;
use headwater_domain::paths::{PartPath, part_path};
use headwater_domain::ports::{Bucket, FaultKind, PutMedia as _, ReadParts as _};
use headwater_domain::testing::samples;
use headwater_emulators::calls::CallLog;
use headwater_emulators::fault::Fault;
use headwater_emulators::secrets_manager::{SecretsManager, SecretsManagerConfig};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Faults that no answer ever tells of.
const UNANSWERED: [Fault; 4] = [
    Fault::Frozen,
    Fault::Mute,
    Fault::Slow(Duration::from_secs(120)),
    Fault::Dripping(Duration::from_millis(500)),
];

/// Tries all of them, side by side, for each is waited out.
async fn all<F: Future<Output = ()> + Send + 'static>(with: impl Fn(Fault) -> F) {
    for tried in UNANSWERED.map(|fault| tokio::spawn(with(fault))) {
        tried.await.unwrap();
    }
}

fn keys() -> aws_credential_types::Credentials {
    aws_credential_types::Credentials::new("AKIALOCAL", "local-secret", None, None, "tests")
}

fn buckets(addr: SocketAddr) -> Buckets {
    Buckets::only(&fixed_config(REGION, &format!("http://{addr}"), keys()), s3::BUCKET)
}

async fn put(buckets: &Buckets, path: &str) -> Result<(), FaultKind> {
    let storing = buckets.put_media(Bucket::Own, path, "video/mp4", Bytes::from_static(b"0123456789"));
    let stored = tokio::time::timeout(PATIENCE, storing).await.expect("every upload ends");
    stored.map_err(|error| error.kind)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_is_never_answered_ends() {
    all(|fault| async move {
        let folder = tempfile::tempdir().unwrap();
        let s3 = s3::start(folder.path(), 0).await;
        let buckets = buckets(s3.addr());
        assert_eq!(put(&buckets, "before").await, Ok(()));
        s3.faults().apply(fault).await;
        assert_eq!(put(&buckets, "meanwhile").await, Err(FaultKind::TimedOut), "{fault}");
        s3.faults().clear().unwrap();
        assert_eq!(put(&buckets, "after").await, Ok(()), "{fault}");
    })
    .await;
}

/// Whose head is there soon, and whose body would take half a minute.
const SLOW_BODY: Fault = Fault::Dripping(Duration::from_millis(1));

#[tokio::test(flavor = "multi_thread")]
async fn a_part_whose_bytes_do_not_come_is_given_up() {
    let folder = tempfile::tempdir().unwrap();
    let s3 = s3::start(folder.path(), 0).await;
    let buckets = buckets(s3.addr());
    let path = part_path(&samples::broadcast(), &samples::lease(1), "720p", SegmentNumber(1), 0);
    let body = Bytes::from(vec![7; 30_000]);
    buckets.put_media(Bucket::Own, &path, "video/mp4", body.clone()).await.unwrap();
    let part: PartPath = path.parse().unwrap();
    assert_eq!(buckets.part(&part).await.unwrap(), Some(body.clone()));
    for fault in UNANSWERED.into_iter().chain([SLOW_BODY]) {
        s3.faults().apply(fault).await;
        let read = tokio::time::timeout(PATIENCE, buckets.part(&part)).await.expect("every read ends");
        assert_eq!(read.unwrap_err().kind, FaultKind::TimedOut, "{fault}");
        s3.faults().clear().unwrap();
        assert_eq!(buckets.part(&part).await.unwrap(), Some(body.clone()), "{fault}");
    }
}

/// Leads to `to`. Connections that were there when it was last told to do so hang from then on.
async fn way(to: SocketAddr) -> (SocketAddr, watch::Sender<u64>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (addr, hang) = (listener.local_addr().unwrap(), watch::Sender::new(0));
    let orders = hang.clone();
    tokio::spawn(async move {
        loop {
            let (mut near, _) = listener.accept().await.unwrap();
            let mut order = orders.subscribe();
            tokio::spawn(async move {
                let mut far = TcpStream::connect(to).await.unwrap();
                let since = *order.borrow_and_update();
                // First the order: not a byte more crosses it.
                tokio::select! {
                    biased;
                    _ = order.wait_for(|now| *now > since) => {}
                    _ = copy_bidirectional(&mut near, &mut far) => return,
                }
                // It stays open, and nothing crosses it.
                std::future::pending::<()>().await;
            });
        }
    });
    (addr, hang)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_on_a_dead_connection_goes_on_on_a_new_one() {
    let folder = tempfile::tempdir().unwrap();
    let s3 = s3::start(folder.path(), 0).await;
    let (addr, hang) = way(s3.addr()).await;
    let buckets = buckets(addr);
    assert_eq!(put(&buckets, "one").await, Ok(()));
    let before = s3.faults().requests();
    hang.send_modify(|times| *times += 1);
    assert_eq!(put(&buckets, "two").await, Ok(()), "the connection that is open is dead; S3 is well");
    assert_eq!(s3.faults().requests(), before + 1, "it was stored once");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_that_cannot_have_its_secret_says_so_instead_of_waiting() {
    all(|fault| async move {
        let config = SecretsManagerConfig { region: REGION.to_owned(), port: 0, calls: CallLog::default() };
        let manager = SecretsManager::start(config).unwrap();
        let arn = manager.create("app/pepper", "AbC123", "value");
        let secrets = Secrets::new(&fixed_config(REGION, &format!("http://{}", manager.addr()), keys()));
        manager.faults().apply(fault).await;
        let reading = secrets.read_current("KEY_PEPPER_ARN", &arn);
        let read = tokio::time::timeout(PATIENCE, reading).await.expect("the start ends");
        let told = read.unwrap_err().to_string();
        assert!(told.contains("KEY_PEPPER_ARN") && told.contains(&arn), "{fault}: {told}");
        assert!(told.contains("time"), "{fault}: {told}");
        manager.faults().clear().unwrap();
        assert_eq!(secrets.read_current("KEY_PEPPER_ARN", &arn).await.unwrap().expose(), "value");
    })
    .await;
}
