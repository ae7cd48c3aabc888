//! What the document's patterns for names and labels allow is what `headwater_domain::text` allows, character by character.

use headwater_domain::text::{is_allowed, is_visible};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::contract;

/// A class of a regular expression without its brackets: the characters that `is` holds for.
fn class(is: impl Fn(char) -> bool) -> String {
    let mut stretches: Vec<(char, char)> = Vec::new();
    for character in ('\0'..=char::MAX).filter(|character| is(*character)) {
        match stretches.last_mut().filter(|last| u32::from(last.1) + 1 == u32::from(character)) {
            Some(last) => last.1 = character,
            None => stretches.push((character, character)),
        }
    }
    let spelled = |character: char| match u32::from(character) {
        code @ ..=0xffff => format!("\\u{code:04x}"),
        _ => character.to_string(),
    };
    let stretch = |(first, last): (char, char)| match first == last {
        true => spelled(first),
        false => format!("{}-{}", spelled(first), spelled(last)),
    };
    stretches.into_iter().map(stretch).collect()
}

/// As the document spells it: ASCII only.
fn as_json(text: &str) -> String {
    let units =
        |character: char| character.encode_utf16(&mut [0; 2]).iter().map(|u| format!("\\u{u:04x}")).collect();
    let ascii = |character: char| if character.is_ascii() { character.to_string() } else { units(character) };
    Value::from(text).to_string().chars().map(ascii).collect()
}

#[test]
fn names_and_labels_are_spelled_as_the_code_reads_them() {
    let allowed = class(|character| !is_allowed(character));
    let text = format!("[^{allowed}]*[^{}][^{allowed}]*", class(|character| !is_visible(character)));
    let schemas = &contract().document["components"]["schemas"];
    let label = &schemas["NewKey"]["properties"]["label"];
    for (schema, pattern) in [(&schemas["Name"], format!("^{text}$")), (label, format!("^({text})?$"))] {
        assert_eq!(schema["pattern"], pattern, "functions/openapi.json needs {}", as_json(&pattern));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    /// Texts of what is hard to see, a few letters among it.
    #[test]
    fn a_name_is_valid_where_it_is_taken(
        name in "[ \\pM\\p{Cf}\\pZ\\pL\u{2800}\u{fffc}\u{3164}\u{ffff}\u{10ffff}]{1,6}",
        hidden in "[\\pM\\p{Cf}\\p{Zs}\u{2800}]{1,6}",
    ) {
        let (_, operation) =
            contract().operations().find(|(_, operation)| operation.id() == "createStream").unwrap();
        for name in [name, hidden] {
            let is_valid = operation.wrong_with_json(&json!({ "name": name })).is_empty();
            prop_assert_eq!(is_valid, headwater_domain::stream::check_name(&name).is_ok(), "{:?}", name);
        }
    }
}
