//! Where a playlist's references lead.

use url::Url;

/// Stands for the site that serves a path.
const SITE: &str = "http://site.invalid";

/// The address of what is served at `path`, for who knows no site: references of a playlist there have paths of its site.
/// `None` if it is no path.
pub fn at_path(path: &str) -> Option<Url> {
    Url::parse(SITE).ok()?.join(path).ok()
}

/// A playlist's text with each reference as the path that a player asks for, which has the playlist from `path`. References to
/// other sites stay as they are, and so does a text whose `path` is none.
///
/// ```
/// let text = "#EXTM3U\n#EXT-X-MAP:URI=\"../init.mp4\"\n#EXTINF:2,\n7.m4s\n";
/// let resolved = headwater_conformance::resolve_references("/media/720p/index.m3u8", text);
/// assert_eq!(resolved, "#EXTM3U\n#EXT-X-MAP:URI=\"/media/init.mp4\"\n#EXTINF:2,\n/media/720p/7.m4s\n");
/// ```
pub fn resolve_references(path: &str, text: &str) -> String {
    let Some(base) = at_path(path) else {
        return text.to_owned();
    };
    let resolve = |reference: &str| match base.join(reference) {
        Ok(url) => url.as_str().strip_prefix(SITE).unwrap_or(url.as_str()).to_owned(),
        Err(_) => reference.to_owned(),
    };
    text.split_inclusive('\n').map(|line| in_line(line, resolve)).collect()
}

fn in_line(line: &str, resolve: impl Fn(&str) -> String) -> String {
    let reference = line.trim_end();
    if !reference.starts_with('#') {
        let end = &line[reference.len()..];
        return if reference.is_empty() { line.to_owned() } else { resolve(reference) + end };
    }
    // Attributes of that name are always quoted, and quotes cannot stand in them (section 4.2).
    let quoted = line.split_once("URI=\"").and_then(|(before, rest)| {
        let (reference, after) = rest.split_once('"')?;
        Some(format!("{before}URI=\"{}\"{after}", resolve(reference)))
    });
    quoted.unwrap_or_else(|| line.to_owned())
}
