//! Guesses at stream keys: what they cost us, what they cost others, what the log gets of them.

use std::time::Duration;

use futures::stream::{self, StreamExt};
use headwater_domain::KeyId;
use headwater_domain::key::StreamKey;
use headwater_domain::key_attempts::{MAX_ATTEMPTS_PER_ADDRESS, MAX_ATTEMPTS_PER_KEY};

use super::bystander::Bystander;
use super::harness::GatewayHarness;
use super::strangers::{address, try_key};
use crate::hooks::stream;
use crate::support::stream_key_text;

const AT_ONCE: usize = 32;

/// A key of the bystander's stream with another secret; `id` 5 is that of the bystander's key.
fn guess(id: u128, secret: u128) -> String {
    StreamKey::from_random(stream(), KeyId::from_random(id), secret).reveal().expose().to_owned()
}

async fn key_attempts(
    harness: &GatewayHarness,
    from: impl Fn(usize) -> usize,
    ids: impl Fn(usize) -> u128,
    count: usize,
) -> Vec<String> {
    let to = harness.rtmp;
    let tries = (0..count).map(|n| {
        let (from, key) = (from(n), guess(ids(n), n as u128));
        async move { try_key(from, to, &key).await }
    });
    stream::iter(tries).buffered(AT_ONCE).collect().await
}

#[tokio::test]
async fn an_address_guesses_a_hundred_times_a_minute() {
    let harness = GatewayHarness::open().await;
    let mut bystander = Bystander::start(&harness).await;
    let before = harness.used();
    let heard = bystander.beside(key_attempts(&harness, |_| 0, |n| n as u128, 400)).await;
    let most = MAX_ATTEMPTS_PER_ADDRESS as usize * harness.windows();
    let from = address(0).to_string();
    let asked = harness
        .asked()
        .iter()
        .filter(|asked| asked.body["address"].as_str().unwrap().starts_with(&from))
        .count();
    assert!((100..=most).contains(&asked), "{asked} questions");
    let waits =
        heard.iter().filter(|heard| heard.contains("too many wrong stream keys from this address")).count();
    assert_eq!(waits, 400 - asked);
    assert!(heard.iter().all(|heard| heard.contains("NetStream.Publish.BadName")), "nobody got in");
    harness.cost("400 guesses", before, Duration::from_secs(10), 40);

    let log = harness.log();
    let lines = log.iter().filter(|line| line.contains("refused: ")).count();
    assert!((20..=20 * (2 + 6 * harness.windows())).contains(&lines), "{lines} lines for 400 guesses");
    assert!(log.iter().any(|line| line.contains("withheld=") && !line.contains("withheld=0")) || lines == 20);
    for secret in [guess(0, 0), guess(7, 7), guess(399, 399)] {
        let secret = secret.rsplit('-').next().unwrap();
        assert!(!log.iter().any(|line| line.contains(secret)), "a guess is in the log");
    }
    // An address that waits still gets in with a key that was right before.
    assert!(try_then_leave(&harness, 0).await);
    bystander.end().await;
    harness.close().await;
}

/// Whether the right key lets somebody in.
async fn try_then_leave(harness: &GatewayHarness, from: usize) -> bool {
    use headwater_rtmp::amf::Properties;
    let socket = super::strangers::stranger(from, harness.rtmp).await;
    let publisher =
        crate::rtmp_client::Publisher::ask_over(socket, Properties::new(), &stream_key_text()).await;
    let mut publisher = publisher.unwrap();
    publisher.hears("NetStream.").await;
    publisher.hears("NetStream.Publish.Start").await;
    publisher.finish().await;
    true
}

#[tokio::test]
async fn a_key_is_guessed_at_a_hundred_times_a_minute_and_its_owner_gets_in() {
    let harness = GatewayHarness::open().await;
    let mut bystander = Bystander::start(&harness).await;
    let right = stream_key_text();
    let before = harness.asked().len();
    let heard = bystander.beside(key_attempts(&harness, |n| n, |_| 5, 250)).await;
    let asked = harness.asked().len() - before;
    assert!((100..=MAX_ATTEMPTS_PER_KEY as usize * harness.windows()).contains(&asked), "{asked} questions");
    assert!(harness.asked().iter().skip(before).all(|asked| asked.body["key"] != right));
    let waits = heard.iter().filter(|heard| heard.contains("too many attempts with this stream key")).count();
    assert_eq!(waits, 250 - asked);
    // From anywhere.
    assert!(try_then_leave(&harness, 9_999).await);
    println!("250 guesses at one key from 250 addresses: {asked} questions");
    bystander.end().await;
    harness.close().await;
}
