//! What the document calls a valid body is accepted, and what it does not is refused: bodies made of values on both
//! sides of every limit, asked of both.

use futures::FutureExt;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::support::{Event, Harness, contract};

fn text() -> BoxedStrategy<Value> {
    let edges = [0, 1, 99, 100, 101].map(|length| "x".repeat(length));
    let wide = [100, 101].map(|length| "é".repeat(length));
    // Spaces that are seen by nobody, spaces that Unicode does not call so, controls on both sides of printable ASCII.
    let odd = [
        "  ",
        "\u{3000}",
        "\u{a0}\u{2028}",
        "\u{feff}",
        "\u{200b}",
        "\u{2800}\u{3164}",
        "\u{301}\u{93f}",
        "\u{e0100}",
        "e\u{301}",
        "👩\u{200d}👧",
        "evil\u{202e}live",
        "\u{2068}x\u{2069}",
        "\u{200f}שלום",
        "a\nb",
        "\u{7f}",
        "\u{85}",
        " x ",
        "ü🔑",
        "\0",
    ];
    let odd = odd.map(str::to_owned);
    let known = [&edges[..], &wide[..], &odd[..]].concat();
    prop_oneof![2 => prop::sample::select(known), 1 => "\\PC{0,12}", 1 => ".{0,8}"]
        .prop_map(Value::String)
        .boxed()
}

fn time() -> BoxedStrategy<Value> {
    let times = [
        "2030-01-31T12:00:00Z",
        "2030-01-31T12:00:00.123456+05:30",
        "9999-12-31T23:59:59Z",
        "2030-02-30T00:00:00Z",
        "2030-01-31",
        "2030-01-31T12:00:00",
        "2030-01-31T24:00:00Z",
        "tomorrow",
        "",
        "1900000000",
    ];
    prop::sample::select(times.to_vec()).prop_map(|text| json!(text)).boxed()
}

fn integer(edges: &'static [i64]) -> BoxedStrategy<Value> {
    prop_oneof![
        4 => prop::sample::select(edges).prop_map(|number| json!(number)),
        1 => any::<i64>().prop_map(|number| json!(number)),
        1 => prop::sample::select(vec![60.5, 60.0, 6e1, -0.0, 720.0, 1e300]).prop_map(|number| json!(number)),
    ]
    .boxed()
}

fn junk() -> BoxedStrategy<Value> {
    prop::sample::select(vec![
        json!(null),
        json!(true),
        json!(7),
        json!("x"),
        json!([]),
        json!({}),
        json!([[]]),
    ])
    .boxed()
}

/// Any subset of these members, now and then one of another type, now and then one more.
fn object(members: Vec<(&'static str, BoxedStrategy<Value>)>) -> BoxedStrategy<Value> {
    let member = |(name, value): (&'static str, BoxedStrategy<Value>)| {
        let value = prop_oneof![12 => value, 1 => junk()];
        prop::option::weighted(0.6, value).prop_map(move |value| value.map(|value| (name.to_owned(), value)))
    };
    let more = prop::option::weighted(0.05, Just(("colour".to_owned(), json!("red"))));
    let members = members.into_iter().map(member).collect::<Vec<_>>();
    let whole = (members, more).prop_map(|(members, more)| {
        Value::Object(members.into_iter().flatten().chain(more).collect::<Map<_, _>>())
    });
    prop_oneof![30 => whole, 1 => junk()].boxed()
}

fn rung() -> BoxedStrategy<Value> {
    let good =
        (45..=540_u32, 50..=12_000_u32).prop_map(|(half, kbps)| json!({ "height": half * 2, "kbps": kbps }));
    let edges = object(vec![
        ("height", integer(&[88, 89, 90, 91, 92, 720, 1078, 1079, 1080, 1081, 1082])),
        ("kbps", integer(&[-1, 0, 49, 50, 12_000, 12_001])),
    ]);
    prop_oneof![8 => good, 1 => edges].boxed()
}

fn one_of(words: &'static [&'static str]) -> BoxedStrategy<Value> {
    prop::sample::select(words).prop_map(|word| json!(word)).boxed()
}

fn settings() -> BoxedStrategy<Value> {
    let sorted = |mut rungs: Vec<Value>| {
        rungs.sort_by_key(|rung| std::cmp::Reverse(rung["height"].as_f64().map(|height| height as i64)));
        json!(rungs)
    };
    object(vec![
        (
            "ladder",
            prop_oneof![9 => prop::collection::vec(rung(), 0..7).prop_map(sorted), 1 => Just(json!(null))]
                .boxed(),
        ),
        ("latency", one_of(&["standard", "low", "lower"])),
        ("passthrough", one_of(&["auto", "always_encode", "never"])),
        ("record", any::<bool>().prop_map(|yes| json!(yes)).boxed()),
        ("cold_start", one_of(&["auto", "first_frame", "live_edge", "edge"])),
        ("publish_policy", one_of(&["takeover", "reject", "Reject", ""])),
        ("reconnect_window_seconds", integer(&[-1, 0, 60, 900, 901])),
        ("dvr_window_seconds", integer(&[11, 12, 7_200, 7_201])),
        ("listed", any::<bool>().prop_map(|yes| json!(yes)).boxed()),
        ("mirror", any::<bool>().prop_map(|yes| json!(yes)).boxed()),
    ])
}

/// The one rule of bodies that JSON Schema cannot say, but for "in the future", of which all times here are.
fn has_each_height_once(body: &Value) -> bool {
    let heights =
        body["settings"]["ladder"].as_array().into_iter().flatten().map(|rung| rung["height"].as_f64());
    let heights: Vec<_> = heights.collect();
    heights.windows(2).all(|pair| pair[0] != pair[1])
}

fn agree(id: &str, event: &str, body: &Value) -> Result<(), TestCaseError> {
    let (_, operation) = contract().operations().find(|(_, operation)| operation.id() == id).unwrap();
    let wrong = operation.wrong_with_json(body);
    let harness = Harness::seeded().now_or_never().unwrap();
    let event = Event::sample(event).without_header("idempotency-key").body(body);
    let answer = harness.ask(&event).now_or_never().unwrap();
    let is_valid = wrong.is_empty() && has_each_height_once(body);
    prop_assert_eq!(answer.status.is_success(), is_valid, "{}: {} {:?}", body, answer.text(), wrong);
    prop_assert!(is_valid || answer.status == 422, "{body}: {}", answer.text());
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn of_new_streams(body in object(vec![("name", text()), ("settings", settings())])) {
        agree("createStream", "api-create-stream", &body)?;
    }

    #[test]
    fn of_changes(body in object(vec![("name", text()), ("settings", settings())])) {
        agree("changeStream", "api-patch-stream", &body)?;
    }

    #[test]
    fn of_new_keys(body in object(vec![("label", text()), ("expires_at", time())])) {
        agree("createKey", "api-create-key", &body)?;
    }
}

/// On both sides of every limit that the document names, so that none can be off by one.
#[test]
fn documented_limits_are_those_of_the_code() {
    let schemas = &contract().document["components"]["schemas"];
    let around = |schema: &Value, least: &str, most: &str, step: i64| -> Vec<i64> {
        let (least, most) = (schema[least].as_i64().unwrap(), schema[most].as_i64().unwrap());
        vec![least - step, least, most, most + step]
    };
    let mut settings = Vec::new();
    for (member, schema) in
        [("reconnect_window_seconds", "ReconnectWindow"), ("dvr_window_seconds", "DvrWindow")]
    {
        let values = around(&schemas[schema], "minimum", "maximum", 1).into_iter();
        settings.extend(values.map(|value| json!({ (member): value })));
    }
    let rung = &schemas["Rung"]["properties"];
    let heights = around(&rung["height"], "minimum", "maximum", 2).into_iter().map(|height| (height, 800));
    let rates = around(&rung["kbps"], "minimum", "maximum", 1).into_iter().map(|kbps| (360, kbps));
    for (height, kbps) in heights.chain(rates).chain([(361, 800)]) {
        settings.push(json!({ "ladder": [{ "height": height, "kbps": kbps }] }));
    }
    for count in around(&schemas["Ladder"], "minItems", "maxItems", 1) {
        let rungs = (0..count).rev().map(|place| json!({ "height": 100 + 2 * place, "kbps": 100 }));
        settings.push(json!({ "ladder": rungs.collect::<Vec<_>>() }));
    }
    let policies = schemas["PublishPolicy"]["enum"].as_array().unwrap().iter();
    settings.extend(policies.map(|policy| json!({ "publish_policy": policy })));
    let settings = settings.into_iter().map(|settings| json!({ "name": "x", "settings": settings }));
    let text = |length: i64| "é".repeat(usize::try_from(length).unwrap());
    let names =
        around(&schemas["Name"], "minLength", "maxLength", 1).into_iter().map(|n| json!({ "name": text(n) }));
    for body in settings.chain(names) {
        agree("createStream", "api-create-stream", &body).unwrap();
        agree("changeStream", "api-patch-stream", &body).unwrap();
    }
    let longest = schemas["NewKey"]["properties"]["label"]["maxLength"].as_i64().unwrap();
    for length in [0, longest, longest + 1] {
        agree("createKey", "api-create-key", &json!({ "label": text(length) })).unwrap();
    }
}
