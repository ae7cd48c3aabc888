//! Relative references (RFC 3986 section 4.2): a playlist names its neighbours by the way from itself, so that whatever
//! stands before its path is theirs as well: a site's prefix, a token in the path.

use crate::{Ladder, OpenSegment, Part, Segment, Uri, Window};

impl Uri {
    /// The shortest way from the playlist at `base` to this resource of the same site. Both begin with `/`; a reference
    /// that does not is answered as it is.
    ///
    /// ```
    /// use headwater_hls::Uri;
    ///
    /// let playlist: Uri = "/eu-west-1/playlists/b/720p.m3u8".parse()?;
    /// let segment: Uri = "/eu-west-1/media/b/720p/7.m4s".parse()?;
    /// assert_eq!(segment.relative_to(&playlist).as_str(), "../../media/b/720p/7.m4s");
    /// # Ok::<(), headwater_hls::TextError>(())
    /// ```
    #[must_use]
    pub fn relative_to(&self, base: &Uri) -> Uri {
        let (own, base) = (self.as_str(), path_of(base.as_str()));
        if !is_path(own) || !is_path(base) {
            return self.clone();
        }
        let folder = &base[..=base.rfind('/').unwrap_or(0)];
        let same = folder
            .bytes()
            .zip(path_of(own).bytes())
            .take_while(|(a, b)| a == b)
            .enumerate()
            .filter(|(_, (byte, _))| *byte == b'/')
            .last()
            .map_or(0, |(at, _)| at + 1);
        let up = folder[same..].bytes().filter(|byte| *byte == b'/').count();
        let down = &own[same..];
        // What would be read as a scheme, as a path from the root, or as the playlist itself.
        let first = down.split(['/', '?']).next().unwrap_or_default();
        let here = if up == 0 && (first.is_empty() || first.contains(':')) || down.starts_with('/') {
            "./"
        } else {
            ""
        };
        Uri::trusted(&format!("{}{here}{down}", "../".repeat(up)))
    }
}

/// Whether a reference is a path from the root, and not one that names a host.
fn is_path(reference: &str) -> bool {
    reference.starts_with('/') && !reference.starts_with("//")
}

fn path_of(reference: &str) -> &str {
    reference.split(['?', '#']).next().unwrap_or_default()
}

/// Makes references relative; neighbours mostly share their init.
struct Relative<'a> {
    base: &'a Uri,
    last_map: Option<(Uri, Uri)>,
}

impl Relative<'_> {
    fn change(&self, uri: &mut Uri) {
        *uri = uri.relative_to(self.base);
    }

    fn change_map(&mut self, map: &mut Option<Uri>) {
        let Some(uri) = map else { return };
        if let Some((_, relative)) = self.last_map.as_ref().filter(|(own, _)| own == uri) {
            *uri = relative.clone();
            return;
        }
        let relative = uri.relative_to(self.base);
        self.last_map = Some((std::mem::replace(uri, relative.clone()), relative));
    }

    fn change_parts(&self, parts: &mut [Part]) {
        parts.iter_mut().for_each(|part| self.change(&mut part.uri));
    }

    fn change_segment(&mut self, segment: &mut Segment) {
        self.change(&mut segment.uri);
        self.change_map(&mut segment.map);
        self.change_parts(&mut segment.parts);
    }

    fn change_open(&mut self, open: &mut OpenSegment) {
        self.change_map(&mut open.map);
        self.change_parts(&mut open.parts);
    }
}

impl Window {
    /// The same, each reference as the way from the playlist's own address `base`.
    #[must_use]
    pub fn relative_to(mut self, base: &Uri) -> Self {
        let mut relative = Relative { base, last_map: None };
        self.segments.iter_mut().for_each(|segment| relative.change_segment(segment));
        if let Some(low) = &mut self.low_latency {
            low.open.iter_mut().for_each(|open| relative.change_open(open));
            low.hint.iter_mut().for_each(|hint| relative.change(hint));
            low.reports.iter_mut().for_each(|report| relative.change(&mut report.uri));
        }
        self
    }
}

impl Ladder {
    /// The same, each reference as the way from the playlist's own address `base`.
    #[must_use]
    pub fn relative_to(mut self, base: &Uri) -> Self {
        let relative = Relative { base, last_map: None };
        self.video.iter_mut().for_each(|variant| relative.change(&mut variant.uri));
        self.audio.iter_mut().for_each(|audio| relative.change(&mut audio.uri));
        self
    }
}
