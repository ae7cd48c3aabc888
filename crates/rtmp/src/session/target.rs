//! Where a client wants to publish: application, stream key and parameters out of `app`, `tcUrl` and name.
//!
//! Encoders cut a URL at different slashes: FFmpeg makes application `live/ab` and name `cd` of `/live/ab/cd`, OBS
//! takes the whole server URL for the application. So the key is all of the path behind `live/`.

use super::error::Refusal;
use super::key::StreamKeyText;
use super::query;

/// The one application of this server.
const APPLICATION: &str = "live";

/// Whether `app` of a connect command is ours: `live`, or `live/` and a part of the key.
pub(super) fn check_application(app: &str) -> Result<(), Refusal> {
    key_part(path_of(app)).map(|_| ()).ok_or(Refusal::UnknownApplication)
}

/// Key and parameters of a publish command. Of parameters with one name, the publish name's wins over the
/// application's, and that over the URL's.
pub(super) fn parse(
    app: &str,
    tc_url: &str,
    name: &str,
) -> Result<(StreamKeyText, Vec<(String, String)>), Refusal> {
    let in_app = key_part(path_of(app)).ok_or(Refusal::UnknownApplication)?;
    let in_name = path_of(name).trim_matches('/');
    let key = match (in_app, in_name) {
        (in_app, "") => StreamKeyText::parse(in_app)?,
        ("", in_name) => StreamKeyText::parse(in_name)?,
        (in_app, in_name) => StreamKeyText::parse(&format!("{in_app}/{in_name}"))?,
    };
    Ok((key, query::merge(&[query_of(name), query_of(app), query_of(tc_url)])))
}

fn key_part(app_path: &str) -> Option<&str> {
    let path = app_path.trim_matches('/');
    match path.strip_prefix(APPLICATION)? {
        "" => Some(""),
        rest => rest.strip_prefix('/').map(|part| part.trim_matches('/')),
    }
}

fn path_of(text: &str) -> &str {
    text.split_once('?').map_or(text, |(path, _)| path)
}

fn query_of(text: &str) -> &str {
    text.split_once('?').map_or("", |(_, query)| query)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(app: &str, name: &str) -> String {
        parse(app, "", name).unwrap().0.reveal().to_owned()
    }

    #[test]
    fn the_key_is_the_path_behind_the_application() {
        assert_eq!(key("live", "k"), "k");
        assert_eq!(key("live/", "k"), "k");
        assert_eq!(key("/live", "/k"), "k");
        assert_eq!(key("live/ab", "cd"), "ab/cd");
        assert_eq!(key("live", "ab/cd"), "ab/cd");
        assert_eq!(key("live/k", ""), "k");
        assert_eq!(key("live/k/", ""), "k");
        assert_eq!(key("live?a=1", "k?b=2"), "k");
        assert_eq!(key("live", " k\n"), "k");
    }

    #[test]
    fn other_applications_are_unknown() {
        for app in ["", "app", "lives", "liv", "Live", "x/live", "?live"] {
            assert_eq!(check_application(app), Err(Refusal::UnknownApplication), "{app}");
        }
        for app in ["live", "/live/", "live/x", "live?x", "live/?x=y"] {
            assert_eq!(check_application(app), Ok(()), "{app}");
        }
    }

    #[test]
    fn names_that_cannot_be_keys_are_refused() {
        assert_eq!(parse("live", "", ""), Err(Refusal::NoStreamKey));
        assert_eq!(parse("live", "", "?a=b"), Err(Refusal::NoStreamKey));
        for name in ["a b", "a\nb", "a\u{fffd}", &"k".repeat(513)] {
            assert_eq!(parse("live", "", name), Err(Refusal::BadStreamKey(512)), "{name}");
        }
    }

    #[test]
    fn parameters_of_the_name_win_over_those_of_app_and_url() {
        let (_, query) = parse("live?b=app&c=app", "rtmp://h/live?c=url&d=url", "k?a=name&b=name").unwrap();
        let expected = [("a", "name"), ("b", "name"), ("c", "app"), ("d", "url")];
        assert_eq!(query, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }

    #[test]
    fn escapes_are_decoded_where_they_are_sound() {
        let (_, query) = parse("live", "", "k?a=%41%2f&b=%4&c=%zz&d=%ff&e=x+y&%66=1&g").unwrap();
        let expected =
            [("a", "A/"), ("b", "%4"), ("c", "%zz"), ("d", "%ff"), ("e", "x+y"), ("f", "1"), ("g", "")];
        assert_eq!(query, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }

    #[test]
    fn parameters_are_bounded() {
        let many: String = (0..100).map(|n| format!("p{n}=1&")).collect();
        assert_eq!(parse("live", "", &format!("k?{many}")).unwrap().1.len(), 32);
        let long = format!("k?a={}&b=1", "x".repeat(3_000));
        assert_eq!(parse("live", "", &long).unwrap().1, [("b".to_owned(), "1".to_owned())]);
    }
}
