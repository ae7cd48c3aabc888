//! No text can leave its line or its quotes.

#![allow(clippy::unwrap_used)] // helpers of tests are tests

use headwater_hls::{MAX_TEXT_BYTES, MAX_URI_BYTES, QuotedText, TextError, Uri};
use proptest::prelude::*;

#[test]
fn uris_that_could_inject_a_line_a_tag_or_an_attribute_are_refused() {
    for hostile in [
        "a\n#EXT-X-ENDLIST",
        "a\r",
        "a\",AUDIO=\"x",
        "#EXT-X-ENDLIST",
        "a b",
        "a\tb",
        "ü.m4s",
        "a\0",
        "a\u{2028}b",
        "<a>",
        "a\\b",
    ] {
        assert!(matches!(hostile.parse::<Uri>(), Err(TextError::Forbidden { .. })), "{hostile:?}");
    }
    assert_eq!("".parse::<Uri>(), Err(TextError::Empty));
    let long = "a".repeat(MAX_URI_BYTES + 1);
    assert_eq!(long.parse::<Uri>(), Err(TextError::TooLong { bytes: 2_049, limit: 2_048 }));
}

#[test]
fn uris_of_all_our_kinds_are_taken_as_they_are() {
    for fine in [
        "/us-east-1/media/abc/7.us-east-1.k3jf9q2m/720p/12.m4s",
        "https://d1.example/a.m3u8?token=a%20b&x=1",
        "../a.mp4#t=1",
        "a'b(c)[d];e,f@g!$*+~_-",
    ] {
        assert_eq!(fine.parse::<Uri>().unwrap().as_str(), fine);
    }
}

#[test]
fn quoted_texts_may_be_in_any_language_but_not_leave_their_quotes() {
    assert_eq!("Hauptton – 日本語".parse::<QuotedText>().unwrap().as_str(), "Hauptton – 日本語");
    for hostile in ["a\"b", "a\nb", "a\rb", "a\u{7f}", "a\u{85}b", "a\u{2029}b"] {
        assert_eq!(
            hostile.parse::<QuotedText>(),
            Err(TextError::Forbidden { character: hostile.chars().nth(1).unwrap(), at: 1 })
        );
    }
    assert!("é".repeat(MAX_TEXT_BYTES / 2).parse::<QuotedText>().is_ok());
    assert!("é".repeat(MAX_TEXT_BYTES / 2 + 1).parse::<QuotedText>().is_err());
}

proptest! {
    #[test]
    fn whatever_is_accepted_is_one_line_without_quotes(text in any::<String>()) {
        let accepted = [text.parse::<Uri>().map(|u| u.to_string()), text.parse::<QuotedText>().map(|q| q.to_string())];
        for accepted in accepted.into_iter().flatten() {
            prop_assert_eq!(&accepted, &text);
            prop_assert_eq!(accepted.lines().count(), 1);
            prop_assert!(!accepted.contains('"'));
        }
    }
}
