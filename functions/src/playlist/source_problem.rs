//! What is wrong with a stream's source, in words, for those who watch or wait: beside the picture the player page says why
//! there is no sound, and beside "not live yet" why there is no picture.
//!
//! It goes where the page asks anyway, at the playback URL: as session data of the multivariant playlist, which other players
//! pass over, and as a member of the answer that the stream is not live. So it is as public as the stream's pictures, is
//! cached for the same second, and comes from whichever region answers (docs/adr/0045).

use headwater_hls::{MAX_TEXT_BYTES, MultivariantPlaylist};

use crate::reply::Problem;

/// What it is called in a playlist.
const DATA_ID: &str = "headwater.source-problem";
/// And in an answer.
const MEMBER: &str = "source_problem";
/// Stands for what was cut off.
const CUT: &str = "…";

/// `playlist`, and what is wrong with its source.
pub(super) fn in_playlist(playlist: MultivariantPlaylist, problem: Option<&str>) -> MultivariantPlaylist {
    let id = DATA_ID.parse().expect("a plain word");
    match problem.map(|problem| quotable(problem).parse()) {
        Some(Ok(value)) => playlist.with_session_data(id, value),
        // Nothing is left of it that could be said.
        Some(Err(_)) | None => playlist,
    }
}

/// `answer`, and what is wrong with the source.
pub(super) fn in_answer(answer: Problem, problem: Option<&str>) -> Problem {
    match problem.map(quotable) {
        Some(problem) if !problem.is_empty() => answer.with(MEMBER, problem),
        _ => answer,
    }
}

/// As a playlist can quote it: one line of bounded length. What encoders call themselves may be in it.
fn quotable(problem: &str) -> String {
    let quoted = |c: char| match c {
        '"' => '\'',
        '\u{2028}' | '\u{2029}' => ' ',
        c if c.is_control() => ' ',
        c => c,
    };
    let line: String = problem.chars().map(quoted).collect();
    let line = line.trim();
    if line.len() <= MAX_TEXT_BYTES {
        return line.to_owned();
    }
    let end = line.floor_char_boundary(MAX_TEXT_BYTES - CUT.len());
    format!("{}{CUT}", line[..end].trim_end())
}

#[cfg(test)]
mod tests {
    use headwater_hls::QuotedText;

    use super::*;

    #[test]
    fn whatever_a_reason_has_in_it_can_be_quoted() {
        for (reason, said) in [
            (
                "the sound is \"Opus\"\r\n#EXT-X-ENDLIST\u{2028}",
                "the sound is 'Opus'  #EXT-X-ENDLIST".to_owned(),
            ),
            (&"ä".repeat(128), "ä".repeat(128)),
            (&"ä".repeat(129), format!("{}…", "ä".repeat(126))),
        ] {
            assert_eq!(quotable(reason), said);
            assert_eq!(said.parse::<QuotedText>().unwrap().as_str(), said);
        }
        assert_eq!(quotable("\n\t "), "");
    }
}
