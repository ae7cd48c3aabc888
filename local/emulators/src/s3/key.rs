//! Which keys a folder of files can have. S3 takes any text of 1,024 bytes; a file store would read `a//b` and `a/../b` as
//! other keys, or fail. Nothing of ours has such a key, so nothing is there. Must not know who asks.

use std::path::Path;

/// Longest key, in bytes (user guide, "Creating object key names").
const MAX_KEY: usize = 1024;

/// Longest name of a file, in bytes; the store puts a few letters around it.
const MAX_NAME: usize = 200;

/// Whether an object can be at a path (`/bucket/key`, percent-encoded).
pub(super) fn can_be(path: &str) -> bool {
    let Some((_, key)) = path.strip_prefix('/').unwrap_or(path).split_once('/') else { return true };
    let Some(key) = decoded(key) else { return false };
    let name_is_fine = |name: &str| !matches!(name, "" | "." | "..") && name.len() <= MAX_NAME;
    key.is_empty() || key.len() <= MAX_KEY && !key.contains('\0') && key.split('/').all(name_is_fine)
}

/// Whether a path is a folder of the store: the beginning of keys, and none itself.
pub(super) fn is_folder(root: &Path, path: &str) -> bool {
    let key = path.trim_matches('/');
    key.contains('/') && decoded(key).is_some_and(|key| root.join(key).is_dir())
}

fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let mut digit = || char::from(rest.next()?).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        bytes.push(if byte == b'%' { digit()? * 16 + digit()? } else { byte });
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_those_that_name_one_file() {
        for yes in
            ["/bucket", "/bucket/", "/bucket/a", "/bucket/a/b.c", "/bucket/%C3%A4", "/bucket/a%20b/..c"]
        {
            assert!(can_be(yes), "{yes}");
        }
        let long = format!("/bucket/{}", "a".repeat(201));
        let deep = format!("/bucket/{}", "a/".repeat(600) + "a");
        for no in [
            "/bucket//a",
            "/bucket/a//b",
            "/bucket/a/",
            "/bucket/a/../b",
            "/bucket/%2e%2e/b",
            "/bucket/a%2f%2fb",
            "/bucket/./a",
            "/bucket/a%00",
            "/bucket/%ff",
            "/bucket/%zz",
            "/bucket/%4",
            &long,
            &deep,
        ] {
            assert!(!can_be(no), "{no}");
        }
    }
}
