//! Commands and states, seen from a client and from the owner.

use crate::support::client::{Client, Said};
use bytes::{BufMut, BytesMut};
use headwater_rtmp::amf::{self, Value};
use headwater_rtmp::message::type_id;
use headwater_rtmp::{
    Event, Ignored, MediaKind, MediaMessage, Phase, PublishMode, ReconnectSignal, Refusal, RejectCode,
    SessionConfig, SessionError, UnpublishReason,
};

fn media(payload: &[u8], timestamp: u32) -> Event {
    let payload = payload.to_vec().into();
    Event::Media(MediaMessage { kind: MediaKind::Video, timestamp, payload })
}

fn find<'a>(said: &'a [Said], name: &str) -> &'a [Value] {
    match said.iter().find(|said| said.is_command(name)) {
        Some(Said::Command { values, .. }) => values,
        _ => panic!("no {name} in {said:?}"),
    }
}

#[test]
fn connect_is_answered_as_encoders_expect() {
    let mut client = Client::fresh();
    assert_eq!(client.session.phase(), Phase::Connecting);
    client.connect(vec![("objectEncoding", Value::Number(3.0))]).unwrap();
    assert_eq!(client.session.phase(), Phase::Idle);
    let said = client.hear();
    let types: Vec<u8> = said
        .iter()
        .filter_map(|said| if let Said::Control(id, _) = said { Some(*id) } else { None })
        .collect();
    let expected = [type_id::WINDOW_ACK_SIZE, type_id::SET_PEER_BANDWIDTH, type_id::SET_CHUNK_SIZE];
    assert_eq!(types, [&expected[..], &[type_id::USER_CONTROL]].concat());
    let [server, info] = find(&said, "_result") else { panic!("two values") };
    assert_eq!(server.get("fmsVer").unwrap().as_str(), Some("FMS/3,0,1,123"));
    assert_eq!(server.get("capabilities").unwrap().as_number(), Some(31.0));
    assert_eq!(info.get("code").unwrap().as_str(), Some("NetConnection.Connect.Success"));
    assert_eq!(info.get("objectEncoding").unwrap().as_number(), Some(3.0));
    assert_eq!(info.get("capsEx"), None, "nobody asked");
}

#[test]
fn enhanced_clients_are_told_what_this_server_does() {
    let mut client = Client::fresh();
    let list = Value::StrictArray(vec!["av01".into(), "hvc1".into(), "*".into()]);
    client.connect(vec![("fourCcList", list), ("capsEx", Value::Number(15.0))]).unwrap();
    let said = client.hear();
    let info = &find(&said, "_result")[1];
    assert_eq!(info.get("capsEx").unwrap().as_number(), Some(5.0), "reconnect and ModEx, not multitrack");
    let codecs = Value::StrictArray(["avc1", "hvc1", "av01", "mp4a"].map(Value::from).to_vec());
    assert_eq!(info.get("fourCcList"), Some(&codecs));
    assert_eq!(info.get("videoFourCcInfoMap").unwrap().get("hvc1").unwrap().as_number(), Some(1.0));
    assert_eq!(info.get("audioFourCcInfoMap").unwrap().get("mp4a").unwrap().as_number(), Some(1.0));
    let Some(Event::Connected(info)) = client.session.poll_event() else { panic!("not connected") };
    assert!(info.capabilities.enhanced && info.capabilities.reconnect && !info.capabilities.go_away);
    assert_eq!(info.capabilities.four_ccs.len(), 2);
}

#[test]
fn another_application_is_refused_with_a_reason() {
    let mut client = Client::fresh();
    let refused = client.connect(vec![("app", "vod".into())]);
    assert_eq!(refused, Err(SessionError::Refused(Refusal::UnknownApplication)));
    let said = client.hear();
    assert!(said[0].is_command("_error"));
    let reason = "unknown application, use rtmp://host/live";
    assert_eq!(said[0].status(), Some(("NetConnection.Connect.InvalidApp", reason)));
    assert_eq!(client.session.phase(), Phase::Closed);
    assert_eq!(client.events(), []);
}

#[test]
fn small_commands_get_the_answers_encoders_wait_for() {
    let mut client = Client::connected();
    let key = [Value::Null, "key".into()];
    client.command("releaseStream", 2.0, &key).unwrap();
    client.command("FCPublish", 3.0, &key).unwrap();
    client.command("createStream", 4.0, &[Value::Null]).unwrap();
    client.command("_checkbw", 5.0, &[Value::Null]).unwrap();
    client.command("getStreamLength", 6.0, &key).unwrap();
    let said = client.hear();
    let answers: Vec<(f64, Option<f64>)> = said
        .iter()
        .filter_map(|said| match said {
            Said::Command { name, transaction, values, .. } if name == "_result" => {
                Some((*transaction, values[1].as_number()))
            }
            _ => None,
        })
        .collect();
    assert_eq!(answers, [(2.0, None), (3.0, None), (4.0, Some(1.0)), (5.0, None), (6.0, Some(0.0))]);
    assert_eq!(find(&said, "onFCPublish")[1].get("description").unwrap().as_str(), Some("key"));
}

#[test]
fn transaction_zero_wants_no_answer() {
    let mut client = Client::connected();
    client.command("releaseStream", 0.0, &[Value::Null, "key".into()]).unwrap();
    client.command("whatever", 0.0, &[]).unwrap();
    assert_eq!(client.hear(), []);
}

#[test]
fn a_publish_says_how_and_live_is_what_nothing_means() {
    for (word, mode) in [
        ("live", PublishMode::Live),
        ("", PublishMode::Live),
        ("record", PublishMode::Record),
        ("append", PublishMode::Append),
        ("LIVE", PublishMode::Other),
    ] {
        let mut client = Client::connected();
        client.command_on(1, "publish", 0.0, &[Value::Null, "key".into(), word.into()]).unwrap();
        let Some(Event::PublishRequested(request)) = client.session.poll_event() else { panic!("{word:?}") };
        assert_eq!(request.mode, mode, "{word:?}");
    }
}

#[test]
fn unknown_commands_get_an_error_and_an_event() {
    let mut client = Client::connected();
    client.command("whatever", 7.0, &[]).unwrap();
    assert_eq!(client.hear()[0].status(), Some(("NetConnection.Call.Failed", "no such method")));
    assert_eq!(client.events(), [Event::Ignored(Ignored::Command { name: "whatever".to_owned() })]);
    client.command("_result", 7.0, &[]).unwrap();
    assert_eq!(client.hear(), []);
}

#[test]
fn publishing_waits_for_the_owner_and_keeps_what_comes_meanwhile() {
    let mut client = Client::connected();
    let publish = [Value::Null, "key?token=t".into(), "record".into()];
    client.command_on(1, "publish", 5.0, &publish).unwrap();
    assert_eq!(client.session.phase(), Phase::Pending);
    let Some(Event::PublishRequested(request)) = client.session.poll_event() else { panic!("no request") };
    assert_eq!((request.app, request.key.reveal(), request.mode), ("live", "key", PublishMode::Record));
    assert_eq!(request.query, [("token".to_owned(), "t".to_owned())]);
    client.send(type_id::VIDEO, 1, 40, b"\x17early").unwrap();
    assert_eq!(client.hear(), []);
    assert_eq!(client.session.poll_event(), None);

    assert!(client.session.accept_publish(request.id));
    assert!(!client.session.accept_publish(request.id), "once");
    assert_eq!(client.session.phase(), Phase::Publishing);
    client.send(type_id::VIDEO, 1, 80, b"\x27late").unwrap();
    assert_eq!(client.events(), [media(b"\x17early", 40), media(b"\x27late", 80)]);
    let said = client.hear();
    assert_eq!(said[0], Said::Control(type_id::USER_CONTROL, vec![0, 0, 0, 0, 0, 1].into()));
    assert_eq!(said[1].status().unwrap().0, "NetStream.Publish.Start");
    assert!(matches!(said[1], Said::Command { stream_id: 1, .. }));
}

#[test]
fn a_rejected_client_is_told_why_and_heard_no_more() {
    let (mut client, id) = Client::pending();
    client.send(type_id::VIDEO, 1, 0, b"\x17early").unwrap();
    assert!(client.session.reject_publish(id, RejectCode::Denied, "key expired yesterday"));
    assert!(!client.session.accept_publish(id));
    let said = client.hear();
    assert_eq!(said[0].status(), Some(("NetStream.Publish.Denied", "key expired yesterday")));
    assert_eq!(client.session.phase(), Phase::Closed);
    client.send(type_id::VIDEO, 1, 0, b"\x17late").unwrap();
    assert_eq!((client.events(), client.hear()), (vec![], vec![]));
}

#[test]
fn an_answer_to_a_request_taken_back_does_nothing() {
    let (mut client, id) = Client::pending();
    client.command("FCUnpublish", 0.0, &[Value::Null, "key".into()]).unwrap();
    assert_eq!(client.events(), [Event::Unpublished { id, reason: UnpublishReason::FcUnpublish }]);
    client.hear();
    assert!(!client.session.accept_publish(id));
    assert!(!client.session.reject_publish(id, RejectCode::Denied, "too late"));
    assert_eq!((client.session.phase(), client.hear()), (Phase::Idle, vec![]));
}

#[test]
fn a_stream_ends_once_and_the_connection_may_publish_again() {
    for (name, value, reason) in [
        ("FCUnpublish", Value::from("key"), UnpublishReason::FcUnpublish),
        ("deleteStream", Value::Number(1.0), UnpublishReason::DeleteStream),
        ("closeStream", Value::Null, UnpublishReason::CloseStream),
        ("publish", Value::Boolean(false), UnpublishReason::CloseStream),
    ] {
        let mut client = Client::publishing();
        client.command_on(1, name, 0.0, &[Value::Null, value]).unwrap();
        let events = client.events();
        assert!(
            matches!(&events[..], [Event::Unpublished { reason: seen, .. }] if *seen == reason),
            "{name}"
        );
        assert!(client.hear().iter().any(|said| said.status().unwrap().0 == "NetStream.Unpublish.Success"));
        client.send(type_id::VIDEO, 1, 0, b"\x17after").unwrap();
        client.command_on(1, "deleteStream", 0.0, &[Value::Null, Value::Number(1.0)]).unwrap();
        assert_eq!((client.events(), client.session.phase()), (vec![], Phase::Idle));
        client.command_on(1, "publish", 0.0, &[Value::Null, "key".into()]).unwrap();
        assert_eq!(client.session.phase(), Phase::Pending);
    }
}

#[test]
fn deleting_another_stream_ends_nothing() {
    let mut client = Client::publishing();
    client.command("deleteStream", 0.0, &[Value::Null, Value::Number(7.0)]).unwrap();
    assert_eq!(client.session.phase(), Phase::Publishing);
}

#[test]
fn a_second_publish_is_refused_and_the_first_goes_on() {
    let mut client = Client::publishing();
    client.command_on(2, "publish", 0.0, &[Value::Null, "other".into()]).unwrap();
    assert_eq!(client.hear()[0].status().unwrap().0, "NetStream.Publish.BadName");
    client.send(type_id::VIDEO, 1, 0, b"\x27on").unwrap();
    assert_eq!(client.events(), [media(b"\x27on", 0)]);
}

#[test]
fn playing_is_refused_with_a_reason() {
    let mut client = Client::connected();
    let refused = client.command_on(1, "play", 0.0, &[Value::Null, "key".into()]);
    assert_eq!(refused, Err(SessionError::Refused(Refusal::Play)));
    let said = client.hear();
    assert_eq!(said[0].status().unwrap().0, "NetStream.Play.Failed");
}

#[test]
fn a_publish_without_a_key_is_refused_with_a_reason() {
    let mut client = Client::connected();
    let refused = client.command_on(1, "publish", 0.0, &[Value::Null, "".into()]);
    assert_eq!(refused, Err(SessionError::Refused(Refusal::NoStreamKey)));
    assert!(client.hear()[0].status().unwrap().1.contains("stream key"));
}

#[test]
fn multitrack_is_refused_with_a_reason() {
    let mut client = Client::publishing();
    let refused = client.send(type_id::VIDEO, 1, 0, b"\x96\x01hvc1\x01");
    assert_eq!(refused, Err(SessionError::Refused(Refusal::Multitrack)));
    let said = client.hear();
    assert_eq!(said[0].status().unwrap().0, "NetStream.Publish.Rejected");
    assert!(said[0].status().unwrap().1.contains("multitrack"));
}

#[test]
fn the_default_track_alone_is_no_multitrack() {
    let mut client = Client::publishing();
    client.send(type_id::VIDEO, 1, 40, b"\x96\x01avc1\x00\0\0\0nal").unwrap();
    client.send(type_id::AUDIO, 1, 50, b"\x95\x01mp4a\x00frame").unwrap();
    let events = client.events();
    let bodies: Vec<&[u8]> = events
        .iter()
        .filter_map(|event| match event {
            Event::Media(media) => Some(&media.payload[..]),
            _ => None,
        })
        .collect();
    assert_eq!(bodies, [&b"\x91avc1\0\0\0nal"[..], b"\x91mp4aframe"]);
}

#[test]
fn a_kicked_publisher_is_told_why() {
    let mut client = Client::publishing();
    client.session.close_with(RejectCode::BadName, "another encoder took over");
    let said = client.hear();
    assert_eq!(said[0].status(), Some(("NetStream.Publish.BadName", "another encoder took over")));
    assert!(matches!(said[0], Said::Command { stream_id: 1, .. }));
    assert_eq!(client.session.phase(), Phase::Closed);
    let mut client = Client::publishing();
    client.session.close_with(RejectCode::Closed, "maintenance");
    assert!(matches!(client.hear()[0], Said::Command { stream_id: 0, .. }));
}

#[test]
fn clients_are_asked_to_reconnect_the_way_they_know() {
    let mut plain = Client::publishing();
    assert_eq!(plain.session.request_reconnect(None, "maintenance"), None);
    assert_eq!(plain.hear(), []);

    let mut go_away = Client::fresh();
    go_away.connect(vec![("supportsGoAway", Value::Boolean(true))]).unwrap();
    go_away.hear();
    let asked = go_away.session.request_reconnect(Some("rtmp://other/live"), "maintenance");
    assert_eq!(asked, Some(ReconnectSignal::GoAway));
    assert_eq!(go_away.hear(), [Said::Control(type_id::GO_AWAY, vec![].into())]);

    let mut enhanced = Client::fresh();
    let both = vec![("capsEx", Value::Number(1.0)), ("supportsGoAway", Value::Number(1.0))];
    enhanced.connect(both).unwrap();
    enhanced.hear();
    let asked = enhanced.session.request_reconnect(Some("rtmp://other/live"), "maintenance");
    assert_eq!(asked, Some(ReconnectSignal::ReconnectRequest));
    let said = enhanced.hear();
    assert_eq!(said[0].status(), Some(("NetConnection.Connect.ReconnectRequest", "maintenance")));
    assert_eq!(find(&said, "onStatus")[1].get("tcUrl").unwrap().as_str(), Some("rtmp://other/live"));
}

#[test]
fn amf3_commands_and_data_are_read() {
    let mut client = Client::fresh();
    let mut body = BytesMut::from(&[0][..]);
    body.put(amf::encode(&["connect".into(), Value::Number(1.0)]));
    // {app: "live"} behind the avmplus marker.
    body.put(&b"\x11\x0a\x0b\x01\x07app\x06\x09live\x01"[..]);
    client.send(type_id::COMMAND_AMF3, 0, 0, &body).unwrap();
    assert_eq!(client.session.phase(), Phase::Idle);

    let mut client = Client::publishing();
    let script = amf::encode(&["onMetaData".into(), Value::EcmaArray(vec![("a".to_owned(), Value::Null)])]);
    client.send(type_id::DATA_AMF3, 1, 0, &[&[0], &script[..]].concat()).unwrap();
    client.send(type_id::DATA_AMF3, 1, 0, b"\x06\x15onMetaData\x09\x01\x03a\x01\x01").unwrap();
    for event in client.events() {
        let Event::Metadata(metadata) = event else { panic!("{event:?}") };
        assert_eq!(metadata.values, [("a".to_owned(), Value::Null)]);
        assert_eq!(metadata.payload, script);
    }
}

#[test]
fn data_messages_are_told_apart() {
    let mut client = Client::publishing();
    let text = amf::encode(&["onTextData".into(), Value::Null]);
    client.send(type_id::DATA_AMF0, 1, 9, &text).unwrap();
    client
        .send(type_id::DATA_AMF0, 1, 9, &amf::encode(&["@clearDataFrame".into(), "onMetaData".into()]))
        .unwrap();
    client.send(type_id::DATA_AMF0, 1, 9, b"\x02\x00\x0aonMetaData\x99").unwrap();
    client.send(99, 1, 9, b"?").unwrap();
    let events = client.events();
    assert!(matches!(&events[0], Event::Data(data) if data.name == "onTextData" && data.payload == text));
    assert!(matches!(&events[1], Event::Ignored(Ignored::Data(amf::AmfError::Marker(0x99)))));
    assert_eq!(events[2..], [Event::Ignored(Ignored::MessageType(99))]);
}

#[test]
fn aggregates_are_split_at_their_distances() {
    let mut body = BytesMut::new();
    for (id, time, data) in
        [(9u8, 0x0100_0000u32, &b"\x17a"[..]), (8, 0x0100_0017, b"\xafb"), (9, 0x0100_0021, b"\x27c")]
    {
        let [t3, t2, t1, t0] = time.to_be_bytes();
        body.put_slice(&[id, 0, 0, data.len() as u8, t2, t1, t0, t3, 0, 0, 0]);
        body.put_slice(data);
        body.put_u32(11 + data.len() as u32);
    }
    for end in [body.len(), body.len() - 4] {
        let mut client = Client::publishing();
        client.send(type_id::AGGREGATE, 1, u32::MAX - 10, &body[..end]).unwrap();
        let times: Vec<u32> = client
            .events()
            .iter()
            .map(|event| if let Event::Media(media) = event { media.timestamp } else { panic!("{event:?}") })
            .collect();
        assert_eq!(times, [u32::MAX - 10, 12, 22], "times wrap");
    }
    let mut client = Client::publishing();
    client.send(type_id::AGGREGATE, 1, 0, &body[..body.len() - 5]).unwrap();
    let events = client.events();
    assert!(
        matches!(events[..], [Event::Media(_), Event::Media(_), Event::Ignored(Ignored::Aggregate(_))]),
        "what came whole counts: {events:?}"
    );
    let (mut client, _) = Client::pending();
    let cut = client.send(type_id::AGGREGATE, 1, 0, &body[..body.len() - 5]);
    assert!(matches!(cut, Err(SessionError::Aggregate(_))));
}

#[test]
fn pings_are_answered() {
    let mut client = Client::connected();
    client.send(type_id::USER_CONTROL, 0, 0, &[0, 6, 1, 2, 3, 4]).unwrap();
    client.send(type_id::USER_CONTROL, 0, 0, &[0, 3, 0, 0, 0, 1, 0, 0, 0, 9]).unwrap();
    assert_eq!(client.hear(), [Said::Control(type_id::USER_CONTROL, vec![0, 7, 1, 2, 3, 4].into())]);
}

#[test]
fn received_bytes_are_acknowledged_in_the_clients_window() {
    let mut client = Client::publishing();
    client.send(type_id::WINDOW_ACK_SIZE, 0, 0, &10_000u32.to_be_bytes()).unwrap();
    let before = client.session.stats().bytes_received;
    client.hear();
    let mut sequences = Vec::new();
    for _ in 0..100 {
        client.send(type_id::VIDEO, 1, 0, &[0x27; 1_000]).unwrap();
        for said in client.hear() {
            let Said::Control(type_id::ACKNOWLEDGEMENT, body) = said else { panic!("{said:?}") };
            sequences.push(u32::from_be_bytes(body[..].try_into().unwrap()));
        }
    }
    assert!(sequences.len() >= 100_000 / 10_000, "{} acknowledgements", sequences.len());
    let mut last = u32::try_from(before).unwrap();
    for sequence in sequences {
        assert!(sequence - last <= 10_000, "a client may stop after a window without one");
        last = sequence;
    }
}

#[test]
fn peer_bandwidth_is_answered_when_it_changes_something() {
    let mut client = Client::connected();
    for size in [0u32, 5_000_000, 1_000, 1_000] {
        client.send(type_id::SET_PEER_BANDWIDTH, 0, 0, &[&size.to_be_bytes()[..], &[2]].concat()).unwrap();
    }
    assert_eq!(client.hear(), [Said::Control(type_id::WINDOW_ACK_SIZE, vec![0, 0, 3, 232].into())]);
}

#[test]
fn a_chunk_size_from_the_client_counts_from_the_next_chunk() {
    let mut client = Client::publishing();
    client.send(type_id::SET_CHUNK_SIZE, 0, 0, &4_096u32.to_be_bytes()).unwrap();
    client.writer.chunk_size = 4_096;
    client.send(type_id::VIDEO, 1, 0, &[0x27; 5_000]).unwrap();
    assert_eq!(client.events(), [media(&[0x27; 5_000], 0)]);
}

#[test]
fn secrets_do_not_reach_debug_output() {
    let mut client = Client::fresh();
    let url = "rtmp://host/live/secret1?token=secret2";
    client.connect(vec![("app", "live/secret1?token=secret2".into()), ("tcUrl", url.into())]).unwrap();
    client.command_on(1, "publish", 0.0, &[Value::Null, "secret3?token=secret4".into()]).unwrap();
    let events = client.events();
    assert_eq!(events.len(), 2);
    let Event::PublishRequested(request) = &events[1] else { panic!("no request") };
    assert_eq!(request.key.reveal(), "secret1/secret3");
    let shown = format!("{events:?}");
    assert!(!shown.contains("secret"), "{shown}");
    let refused = Client::fresh().connect(vec![("app", "secret".into())]).unwrap_err();
    assert!(!format!("{refused:?} {refused}").contains("secret"));
}

#[test]
fn the_session_itself_shows_no_secret() {
    let mut client = Client::new(SessionConfig::new([0; 1528]));
    client.connect(vec![("app", "live/secret1".into())]).unwrap();
    client.command_on(1, "publish", 0.0, &[Value::Null, "secret2".into()]).unwrap();
    client.command("FCPublish", 2.0, &[Value::Null, "secret2".into()]).unwrap();
    let shown = format!("{:?}", client.session);
    assert!(!shown.contains("secret"), "{shown}");
}
