//! Rules about playlists as texts. A playlist that cannot be had at all is judged here too: nothing else could be.

use crate::playlist::{MediaPlaylist, Multivariant, Problems};
use crate::presentation::Presentation;
use crate::recording::{Ask, Exchange};
use crate::report::Findings;

pub(super) fn multivariant(presentation: &Presentation<'_>, findings: &mut Findings) {
    let mut asked =
        presentation.recording.exchanges.iter().filter(|one| one.ask == Ask::Multivariant).peekable();
    if asked.peek().is_none() {
        findings.wrong("recording", "no multivariant playlist", "one");
    }
    for exchange in asked {
        look(exchange, Multivariant::read(&exchange.url, &exchange.body).problems, findings);
    }
}

pub(super) fn media(presentation: &Presentation<'_>, findings: &mut Findings) {
    for exchange in &presentation.recording.exchanges {
        // What a directive was answered with is for the rules about directives, unless it is a playlist.
        let directive = matches!(exchange.ask, Ask::Blocking { .. } | Ask::Delta { .. }) && exchange.is_ok();
        if directive || matches!(exchange.ask, Ask::Media { .. }) {
            look(exchange, MediaPlaylist::read(&exchange.url, &exchange.body).problems, findings);
        }
    }
}

fn look(exchange: &Exchange, problems: Problems, findings: &mut Findings) {
    if !exchange.is_ok() {
        findings.wrong(exchange.url.path(), format!("status {}", exchange.status), "a playlist");
        return;
    }
    let mut none = true;
    for problem in problems.iter() {
        none = false;
        findings.wrong(
            format!("{} line {}", exchange.url.path(), problem.line),
            &problem.what,
            "no such fault",
        );
    }
    if none {
        findings.right();
    }
}
