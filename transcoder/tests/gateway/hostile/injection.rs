//! Text that is meant to be taken for something else: line ends, escape sequences, headers.

use futures::future::join_all;
use headwater_rtmp::amf::Value;

use super::bystander::Bystander;
use super::harness::GatewayHarness;
use super::strangers::stranger;
use crate::rtmp_client::Publisher;
use crate::support::stream_key_text;

const EVIL: [&str; 6] = [
    "x\r\nX-Injected: 1\r\n\r\nPOST /hooks/publish HTTP/1.1",
    "x\n2026-01-01T00:00:00Z  INFO publishing session=forged",
    "x\u{1b}[2J\u{1b}]0;owned\u{7}\u{1b}[31m",
    "x\0y\u{8}\u{7f}\u{85}",
    "x\u{202e}gpj.\u{2028}y\u{2029}",
    "${jndi:ldap://x}%0d%0aX-Injected:%201{{7*7}}",
];

#[tokio::test]
async fn nothing_that_an_encoder_says_becomes_a_header_or_a_line_of_the_log() {
    let harness = GatewayHarness::open().await;
    let mut bystander = Bystander::start(&harness).await;
    for (n, evil) in EVIL.into_iter().enumerate() {
        let text = |value: String| Value::from(value.as_str());
        let say = |(app, key): (String, String)| {
            let properties = vec![
                ("app".to_owned(), text(app)),
                ("flashVer".to_owned(), text(format!("OBS/{evil}"))),
                ("tcUrl".to_owned(), text(format!("rtmp://{evil}/live?{evil}={evil}"))),
                (evil.to_owned(), text(evil.to_owned())),
            ];
            let to = harness.rtmp;
            async move {
                let publisher = Publisher::ask_over(stranger(n, to).await, properties, &key).await;
                let mut publisher = publisher.unwrap();
                if key.starts_with(&stream_key_text()) {
                    publisher.hears("NetStream.Publish.Start").await;
                    publisher.finish().await;
                } else {
                    publisher.closed().await;
                }
            }
        };
        let attack = join_all(
            [
                ("live".to_owned(), format!("{}?token={evil}&{evil}=1", stream_key_text())),
                ("live".to_owned(), evil.to_owned()),
                (format!("live/{evil}"), "k".to_owned()),
                (evil.to_owned(), "k".to_owned()),
                (format!("live?{evil}"), "k".to_owned()),
            ]
            .map(say),
        );
        bystander.beside(attack).await;
    }
    harness.until_connections(1).await;
    let asked = harness.asked();
    let with_query = asked.iter().filter(|asked| asked.body["query"]["token"].is_string()).count();
    assert!(with_query >= EVIL.len(), "{with_query} of {asked:#?}: it is passed on as the text that it is");
    for one in &asked {
        let names: Vec<_> = one.headers.keys().map(|name| name.as_str()).collect();
        assert!(names.iter().all(|name| !name.contains("injected")), "{names:?}");
        let fields: Vec<_> = one.body.as_object().unwrap().keys().collect();
        assert_eq!(fields, ["address", "app", "asked_at", "gateway", "key", "query", "session"]);
        assert_eq!(one.body["app"], "live");
    }
    for line in harness.log() {
        let is_a_line = line.get(..3).is_some_and(|start| start == "202") && line.contains('Z');
        let has_controls = line.chars().any(|c| c.is_control() || ('\u{2028}'..='\u{202e}').contains(&c));
        assert!(is_a_line && !has_controls && !line.starts_with("2026-01-01"), "{line:?}");
    }
    bystander.end().await;
    harness.close().await;
}
