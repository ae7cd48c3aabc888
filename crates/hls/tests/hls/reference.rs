//! Relative references, resolved by an independent implementation of RFC 3986.

use headwater_hls::Uri;
use proptest::prelude::*;
use url::Url;

fn uri(text: &str) -> Uri {
    text.parse().unwrap()
}

/// Where `reference` leads from a playlist that a proxy serves under `prefix`.
fn resolved(prefix: &str, playlist: &str, reference: &Uri) -> String {
    let base = Url::parse(&format!("https://watch.example.com{prefix}{playlist}")).unwrap();
    let found = base.join(reference.as_str()).unwrap();
    found.as_str().strip_prefix("https://watch.example.com").unwrap().to_owned()
}

#[test]
fn a_playlist_names_its_neighbours_by_the_shortest_way() {
    for (playlist, target, way) in [
        ("/live/s/index.m3u8", "/r/playlists/b/720p.m3u8", "../../r/playlists/b/720p.m3u8"),
        ("/r/playlists/b/720p.m3u8", "/r/media/b/1.m4s", "../../media/b/1.m4s"),
        ("/r/playlists/b/720p.m3u8", "/r2/media/b/1.m4s", "../../../r2/media/b/1.m4s"),
        ("/r/low-latency/b/720p.m3u8", "/r/low-latency/b/audio.m3u8", "audio.m3u8"),
        ("/r/low-latency/b/720p.m3u8", "/r/low-latency/b/720p.m3u8", "720p.m3u8"),
        ("/r/playlists/b/vod/720p.m3u8", "/r/playlists/b/720p.m3u8", "../720p.m3u8"),
        ("/index.m3u8", "/a", "a"),
        ("/a/index.m3u8", "/", "../"),
        ("/a/index.m3u8", "/a/", "./"),
        ("/a/index.m3u8", "/a/?x=/b", "./?x=/b"),
        ("/a/index.m3u8", "/a/b:c/d", "./b:c/d"),
        ("/a/index.m3u8", "/a//b", ".//b"),
        ("/a/index.m3u8?token=/a/b/c", "/a/b", "b"),
    ] {
        let relative = uri(target).relative_to(&uri(playlist));
        assert_eq!(relative.as_str(), way, "from {playlist} to {target}");
        assert_eq!(
            resolved("/prefix/of/a/proxy", playlist, &relative),
            format!("/prefix/of/a/proxy{target}")
        );
    }
}

#[test]
fn what_is_no_path_of_this_site_stays_as_it_is() {
    let playlist = uri("/a/b/index.m3u8");
    for other in ["https://other.example.com/x", "//other.example.com/x", "x/y", "../x"] {
        assert_eq!(uri(other).relative_to(&playlist).as_str(), other);
    }
    assert_eq!(uri("/a/c").relative_to(&uri("index.m3u8")).as_str(), "/a/c");
}

fn path() -> impl Strategy<Value = String> {
    // Few letters, so that paths share beginnings; no dot segments, which nobody may ask for.
    // Nor drive letters, which the resolver takes for more than they are.
    let segment = prop_oneof![Just(String::new()), "[ab]{2}:[ab]?", "[ab]{1,2}"];
    let rest = prop::collection::vec(segment, 0..6);
    ("[ab]{1,2}", rest).prop_map(|(first, rest)| format!("/{first}/{}", rest.join("/")))
}

proptest! {
    #[test]
    fn every_reference_leads_where_it_did(
        prefix in "(/[a-c]{1,3}){0,2}",
        playlist in path(),
        target in path(),
        query in "(\\?[a-c=/:]{0,6})?",
    ) {
        let target = format!("{target}{query}");
        let relative = uri(&target).relative_to(&uri(&playlist));
        prop_assert!(!relative.as_str().is_empty(), "{target}");
        prop_assert!(!relative.as_str().starts_with('/'));
        prop_assert_eq!(resolved(&prefix, &playlist, &relative), format!("{prefix}{target}"), "by {}", relative);
        prop_assert!(relative.as_str().parse::<Uri>().is_ok());
    }
}
