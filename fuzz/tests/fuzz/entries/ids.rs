//! Names and secrets in text.

use headwater_domain::hooks::Secret;
use headwater_domain::key::StreamKey;
use headwater_domain::paths::{ApiPath, EdgePath, HookPath, ObjectPath, PartPath};
use headwater_domain::tokens::SigningKey;
use headwater_domain::{BroadcastId, KeyId, Lease, Nonce, Region, SessionId, StreamId, Timestamp};

/// What is read is written the same, and holds nothing that a path or a header could be led astray with.
pub(crate) fn ids(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    macro_rules! round_trip {
        ($($name:ty),*) => {$(
            match text.parse::<$name>() {
                Ok(id) => {
                    let shown = id.to_string();
                    assert_eq!(shown.parse::<$name>().ok(), Some(id));
                    assert!(shown.bytes().all(|byte| byte.is_ascii_graphic() && !b"%?#\\".contains(&byte)), "{shown}");
                    assert!(!shown.split('/').any(|part| part.is_empty() || part == ".."), "{shown}");
                }
                Err(error) => assert!(!error.to_string().is_empty()),
            }
        )*};
    }
    round_trip!(StreamId, BroadcastId, SessionId, KeyId, Nonce, Region, Lease, PartPath, ObjectPath);
    macro_rules! one_spelling {
        ($($path:ty),*) => {$(
            if let Ok(path) = text.parse::<$path>() {
                assert_eq!(path.to_string(), text, "one way to write a path");
                assert!(!text.contains("..") && !text.contains("//"), "{text}");
            }
        )*};
    }
    one_spelling!(PartPath, ObjectPath, EdgePath, ApiPath, HookPath);
}

/// A stream key has one form, whatever was pasted with it, reads back as what it is, and shows nothing of its secret; a
/// source token that was not made opens nothing.
pub(crate) fn key(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match text.parse::<StreamKey>() {
        Ok(key) => {
            let revealed = key.reveal();
            let canonical = revealed.expose();
            assert!(
                canonical
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
            );
            assert_eq!(canonical.parse::<StreamKey>(), Ok(key.clone()), "{text:?} is read as {canonical}");
            let secret = canonical.rsplit('-').next().unwrap_or_default();
            assert!(!format!("{key:?}").contains(secret));
        }
        Err(error) => assert!(text.is_empty() || !error.to_string().contains(text) || text.len() < 12),
    }
    let session = SessionId::from_random(1);
    let signing = SigningKey::new(Secret::new("a key that no fuzzer knows"));
    assert_eq!(signing.opens_source(text, &session, Timestamp(0)), None);
}
