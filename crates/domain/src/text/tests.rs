use proptest::prelude::*;

use super::*;

const MOST: usize = 100;

fn wrong(text: &str) -> Option<Unreadable> {
    check(text, MOST).err()
}

#[test]
fn names_in_every_script_are_taken() {
    let good = [
        "x",
        "Ma chaîne ✨",
        "e\u{301}te\u{301}",
        "الأخبار",
        "ערוץ 12",
        "\u{200f}שלום\u{200f}",
        "\u{61c}أخبار",
        "हिन्दी समाचार",
        "क्\u{200d}ष",
        "नि",
        "ข่าว",
        "தமிழ்",
        "한국어 방송",
        "뉴스",
        "日本語",
        "葛\u{e0100}",
        "ᠮᠣᠩᠭᠣᠯ\u{180b}",
        "မြန်မာ",
        "ខ្មែរ",
        "བོད་སྐད",
        "ߒߞߏ",
        "⠓⠊",
        "\u{2800}⠓",
        "👩\u{200d}👩\u{200d}👧",
        "❤\u{fe0f}",
        "1\u{fe0f}\u{20e3}",
        "🏴\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}",
        "🇩🇪",
        "٣",
        "\u{600}٣",
        "—",
        "…",
        "  padded  ",
        "a\u{200b}b",
        "\u{f8ff}",
    ];
    for good in good {
        assert_eq!(wrong(good), None, "{good:?}");
    }
}

#[test]
fn what_nobody_can_see_is_none() {
    let blank = [
        "",
        " ",
        "\u{a0}",
        "\u{1680}",
        "\u{2000}\u{200a}\u{202f}\u{205f}\u{3000}",
        "\u{200b}",
        "\u{200c}\u{200d}",
        "\u{2060}\u{2064}",
        "\u{feff}",
        "\u{ad}",
        "\u{34f}",
        "\u{61c}",
        "\u{200e}\u{200f}",
        "\u{115f}",
        "\u{1160}",
        "\u{3164}",
        "\u{ffa0}",
        "\u{17b4}\u{17b5}",
        "\u{180b}\u{180e}\u{180f}",
        "\u{2800}",
        "\u{301}",
        "\u{20dd}",
        "\u{903}",
        "\u{93f}\u{94d}",
        "\u{fe00}\u{fe0f}",
        "\u{e0100}",
        "\u{e0001}\u{e0020}\u{e007f}",
        "\u{206a}\u{206f}",
        "\u{fff9}\u{fffa}\u{fffb}",
        "\u{fffc}",
        "\u{fff0}",
        "\u{ffff}\u{fdd0}\u{10ffff}",
        "\u{1d159}",
        "\u{1d173}\u{1d17a}",
        "\u{1bca0}",
        "\u{13430}\u{13441}",
        " \u{200b}\u{2800}\u{3164} ",
    ];
    for blank in blank {
        assert_eq!(wrong(blank), Some(Unreadable::Invisible), "{blank:?}");
        assert_eq!(wrong(&format!("{blank}a")), None, "{blank:?} beside what is seen");
    }
}

#[test]
fn nothing_turns_or_breaks_the_line() {
    for forced in ('\u{202a}'..='\u{202e}').chain('\u{2066}'..='\u{2069}') {
        assert_eq!(wrong(&forced.to_string()), Some(Unreadable::Direction), "{forced:?}");
        assert_eq!(wrong(&format!("live{forced}evil")), Some(Unreadable::Direction), "{forced:?}");
    }
    for control in ['\0', '\t', '\n', '\r', '\u{1b}', '\u{7f}', '\u{85}', '\u{9f}', '\u{2028}', '\u{2029}'] {
        assert_eq!(wrong(&format!("a{control}b")), Some(Unreadable::Control), "{control:?}");
    }
    assert_eq!(wrong(&"ü".repeat(MOST)), None);
    assert_eq!(wrong(&"ü".repeat(MOST + 1)), Some(Unreadable::TooLong));
}

#[test]
fn the_table_is_in_order_and_closed() {
    assert!(BLANK.is_sorted_by(|a, b| a < b));
    assert_eq!(BLANK.len() % 2, 0, "the last stretch ends");
    assert_eq!(BLANK.last(), Some(&0x11_0000), "the last code point is none");
}

proptest! {
    /// Whatever is beside it, one character that is seen makes a name, and without one nothing does.
    #[test]
    fn a_text_is_as_visible_as_its_characters(text in "[ \\pM\\p{Cf}\\p{Zs}\u{2800}\u{3164}a字]{0,20}") {
        let seen = text.contains(['a', '字']) || text.chars().any(is_visible);
        let expected = match () {
            () if !text.chars().all(is_allowed) => Some(Unreadable::Direction),
            () if seen => None,
            () => Some(Unreadable::Invisible),
        };
        prop_assert_eq!(wrong(&text), expected);
    }

    /// Letters, numbers, punctuation, symbols as Unicode has them are seen, but for the few that have no picture.
    #[test]
    fn letters_and_numbers_are_seen(character in "[\\pL\\pN\\pP]") {
        let character = character.chars().next().unwrap();
        let fillers = ['\u{115f}', '\u{1160}', '\u{3164}', '\u{ffa0}', '\u{13441}', '\u{13442}'];
        prop_assert_eq!(is_visible(character), !fillers.contains(&character), "{:?}", character);
    }

    /// Marks, spaces and controls are not.
    #[test]
    fn marks_and_spaces_are_not_seen(character in "[\\pM\\pZ\\p{Cc}]") {
        prop_assert!(!is_visible(character.chars().next().unwrap()), "{:?}", character);
    }
}
