//! AMF0 and AMF3: examples of the specifications, round trips, and every limit.

use headwater_rtmp::amf::{
    AmfError, MAX_DEPTH, MAX_STRING_BYTES, MAX_VALUES, Value, decode, decode_amf3, encode,
};
use proptest::prelude::*;

fn one(bytes: &[u8]) -> Value {
    let mut values = decode(bytes).unwrap();
    assert_eq!(values.len(), 1);
    values.remove(0)
}

fn one3(bytes: &[u8]) -> Value {
    let mut values = decode_amf3(bytes).unwrap();
    assert_eq!(values.len(), 1);
    values.remove(0)
}

fn member(name: &str, value: Value) -> (String, Value) {
    (name.to_owned(), value)
}

#[test]
fn amf0_types_decode_as_specified() {
    assert_eq!(one(&[0, 0x3F, 0xF0, 0, 0, 0, 0, 0, 0]), Value::Number(1.0));
    assert_eq!(one(&[1, 1]), Value::Boolean(true));
    assert_eq!(one(b"\x02\x00\x03abc"), "abc".into());
    assert_eq!(one(b"\x03\x00\x01a\x05\x00\x00\x09"), Value::Object(vec![member("a", Value::Null)]));
    assert_eq!(one(&[5]), Value::Null);
    assert_eq!(one(&[6]), Value::Undefined);
    assert_eq!(one(&[7, 1, 2]), Value::Reference(0x102));
    assert_eq!(
        one(b"\x08\x00\x00\x00\x63\x00\x01a\x01\x00\x00\x00\x09"),
        Value::EcmaArray(vec![member("a", Value::Boolean(false))]),
        "a wrong count does not matter"
    );
    assert_eq!(one(&[10, 0, 0, 0, 2, 5, 6]), Value::StrictArray(vec![Value::Null, Value::Undefined]));
    assert_eq!(
        one(&[11, 0x3F, 0xF0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF]),
        Value::Date { unix_ms: 1.0, time_zone: -1 }
    );
    assert_eq!(one(b"\x0c\x00\x00\x00\x02hi"), "hi".into());
    assert_eq!(one(&[13]), Value::Unsupported);
    assert_eq!(one(b"\x0f\x00\x00\x00\x04<a/>"), Value::Xml("<a/>".to_owned()));
    assert_eq!(
        one(b"\x10\x00\x01C\x00\x01a\x05\x00\x00\x09"),
        Value::TypedObject { class: "C".to_owned(), properties: vec![member("a", Value::Null)] }
    );
    assert_eq!(one(b"\x11\x06\x05hi"), "hi".into(), "avmplus switches to AMF3 for one value");
}

#[test]
fn metadata_without_its_end_marker_is_read() {
    let cut = b"\x08\x00\x00\x00\x01\x00\x01a\x05";
    assert_eq!(one(cut), Value::EcmaArray(vec![member("a", Value::Null)]));
}

#[test]
fn text_that_is_not_utf8_is_replaced() {
    assert_eq!(one(b"\x02\x00\x02a\xff"), "a\u{fffd}".into());
}

#[test]
fn amf3_types_decode_as_specified() {
    assert_eq!(one3(&[0]), Value::Undefined);
    assert_eq!(one3(&[1]), Value::Null);
    assert_eq!(decode_amf3(&[2, 3]).unwrap(), [Value::Boolean(false), Value::Boolean(true)]);
    // U29 boundaries of AMF3 §1.3.1, and the sign of integers (§3.6).
    for (bytes, number) in [
        (&[4, 0x7F][..], 127.0),
        (&[4, 0x81, 0x00], 128.0),
        (&[4, 0xFF, 0x7F], 16_383.0),
        (&[4, 0x81, 0x80, 0x00], 16_384.0),
        (&[4, 0xFF, 0xFF, 0x7F], 2_097_151.0),
        (&[4, 0x80, 0xC0, 0x80, 0x00], 2_097_152.0),
        (&[4, 0xBF, 0xFF, 0xFF, 0xFF], 268_435_455.0),
        (&[4, 0xFF, 0xFF, 0xFF, 0xFF], -1.0),
    ] {
        assert_eq!(one3(bytes), Value::Number(number), "{bytes:x?}");
    }
    assert_eq!(one3(&[5, 0x3F, 0xF0, 0, 0, 0, 0, 0, 0]), Value::Number(1.0));
    assert_eq!(decode_amf3(b"\x06\x05hi\x06\x00").unwrap(), ["hi".into(), Value::from("hi")]);
    assert_eq!(one3(&[8, 1, 0x3F, 0xF0, 0, 0, 0, 0, 0, 0]), Value::Date { unix_ms: 1.0, time_zone: 0 });
    assert_eq!(one3(&[9, 5, 1, 1, 3]), Value::StrictArray(vec![Value::Null, Value::Boolean(true)]));
    assert_eq!(
        one3(b"\x09\x03\x03a\x01\x01\x03"),
        Value::EcmaArray(vec![member("a", Value::Null), member("0", Value::Boolean(true))])
    );
    assert_eq!(one3(&[12, 5, 1, 2]), Value::ByteArray(vec![1, 2]));
    // Anonymous dynamic object {a: null}, then the same traits by reference.
    assert_eq!(
        decode_amf3(b"\x0a\x0b\x01\x03a\x01\x01\x0a\x01\x00\x03\x01").unwrap(),
        [
            Value::Object(vec![member("a", Value::Null)]),
            Value::Object(vec![member("a", Value::Boolean(true))])
        ]
    );
    // Class C with one sealed member.
    assert_eq!(
        one3(b"\x0a\x13\x03C\x03a\x01"),
        Value::TypedObject { class: "C".to_owned(), properties: vec![member("a", Value::Null)] }
    );
    assert_eq!(one3(&[10, 4]), Value::Reference(2));
}

#[test]
fn what_is_not_supported_is_named() {
    assert_eq!(decode(&[4]), Err(AmfError::Marker(4)));
    assert_eq!(decode(&[0x12]), Err(AmfError::Marker(0x12)));
    assert_eq!(decode_amf3(&[10, 7, 1]), Err(AmfError::Amf3("externalizable object")));
    assert_eq!(decode_amf3(&[13, 1]), Err(AmfError::Amf3("vector")));
    assert_eq!(decode_amf3(&[17, 1]), Err(AmfError::Amf3("dictionary")));
    assert_eq!(decode_amf3(&[6, 4]), Err(AmfError::Reference(2)));
}

#[test]
fn nesting_is_bounded() {
    let nested = |levels: usize| {
        let open = b"\x0a\x00\x00\x00\x01".repeat(levels);
        decode(&[&open[..], &[5]].concat())
    };
    assert!(nested(MAX_DEPTH).is_ok());
    assert_eq!(nested(MAX_DEPTH + 1), Err(AmfError::Depth));
    assert_eq!(nested(100_000), Err(AmfError::Depth));
    assert_eq!(decode_amf3(&b"\x09\x03\x01".repeat(100_000)), Err(AmfError::Depth));
}

#[test]
fn the_number_of_values_is_bounded() {
    assert_eq!(decode(&[5; MAX_VALUES]).unwrap().len(), MAX_VALUES);
    assert_eq!(decode(&[5; MAX_VALUES + 1]), Err(AmfError::Values));
    let array = [&[10, 0xFF, 0xFF, 0xFF, 0xFF][..], &[5; MAX_VALUES]].concat();
    assert_eq!(decode(&array), Err(AmfError::Values));
}

#[test]
fn an_announced_length_claims_no_memory() {
    for bytes in [&[12, 0xFF, 0xFF, 0xFF, 0xFF, 1][..], &[10, 0xFF, 0xFF, 0xFF, 0xFF], &[2, 0xFF, 0xFF]] {
        assert_eq!(decode(bytes), Err(AmfError::Truncated));
    }
    assert_eq!(decode_amf3(&[12, 0xFF, 0xFF, 0xFF, 0xFF]), Err(AmfError::Truncated));
    assert_eq!(decode_amf3(&[10, 0xFF, 0xFF, 0xFF, 0xF3, 1]), Err(AmfError::Truncated));
}

#[test]
fn references_cannot_unfold_text_without_bound() {
    // One string of 60,000 bytes, named again by two bytes each.
    let long = [&[6, 0x87, 0xA9, 0x41][..], &[b'x'; 60_000]].concat();
    assert_eq!(decode_amf3(&long).unwrap().len(), 1);
    let bomb = [long, [6, 0].repeat(MAX_STRING_BYTES / 60_000 + 1)].concat();
    assert_eq!(decode_amf3(&bomb), Err(AmfError::StringBytes));
}

#[test]
fn long_text_is_encoded_as_a_long_string_and_long_names_are_cut() {
    let long = "ä".repeat(40_000);
    let values = [Value::String(long.clone()), Value::Object(vec![(long, Value::Null)])];
    let decoded = decode(&encode(&values)).unwrap();
    assert_eq!(decoded[0], values[0]);
    assert_eq!(decoded[1].properties().unwrap()[0].0.len(), 65_534, "at a character boundary");
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<f64>().prop_filter("comparable", |number| !number.is_nan()).prop_map(Value::Number),
        any::<bool>().prop_map(Value::Boolean),
        ".{0,20}".prop_map(Value::String),
        (-1e15f64..1e15, any::<i16>()).prop_map(|(unix_ms, time_zone)| Value::Date { unix_ms, time_zone }),
        ".{0,20}".prop_map(Value::Xml),
        (0u32..0x1_0000).prop_map(Value::Reference),
        Just(Value::Null),
        Just(Value::Undefined),
        Just(Value::Unsupported),
    ];
    leaf.prop_recursive(5, 60, 6, |inner| {
        let members = prop::collection::vec((".{1,8}", inner.clone()), 0..6);
        prop_oneof![
            members.clone().prop_map(Value::Object),
            members.clone().prop_map(Value::EcmaArray),
            (".{0,8}", members).prop_map(|(class, properties)| Value::TypedObject { class, properties }),
            prop::collection::vec(inner, 0..6).prop_map(Value::StrictArray),
        ]
    })
}

proptest! {
    #[test]
    fn amf0_round_trips(values in prop::collection::vec(value(), 0..5)) {
        prop_assert_eq!(decode(&encode(&values)).unwrap(), values);
    }

    #[test]
    fn amf0_cut_short_is_an_error_or_a_prefix(values in prop::collection::vec(value(), 1..4), cut in any::<prop::sample::Index>()) {
        let bytes = encode(&values);
        let _ = decode(&bytes[..cut.index(bytes.len())]);
    }

    #[test]
    fn garbage_is_survived(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        let _ = decode(&bytes);
        let _ = decode_amf3(&bytes);
    }

    /// Garbage made of true markers gets further than random bytes.
    #[test]
    fn likely_garbage_is_survived(bytes in prop::collection::vec(0u8..0x14, 0..600)) {
        let _ = decode(&bytes);
        let _ = decode_amf3(&bytes);
    }
}
