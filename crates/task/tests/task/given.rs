//! What is handed in: orders, answers of gateways, ends of runs.

#[path = "sample_rendition.rs"]
mod sample_rendition;

use std::time::Duration;

use headwater_domain::SessionId;
use headwater_domain::hooks::{HandoverOrder, Secret, Source, TranscoderOrder};
use headwater_domain::objects::Retention;
use headwater_domain::stream::{Latency, Passthrough, TranscodeSettings};
use headwater_domain::testing::samples;
use headwater_task::Input;
use headwater_task::engine::{Ending, RenditionKind, RenditionSegment, RunEnded, RunFailed};
use headwater_task::source::{Opened, Unreadable};

pub(crate) use self::sample_rendition::pictures;
use crate::hand::BEGAN;

pub(crate) fn session(number: u128) -> SessionId {
    SessionId::from_random(number)
}

pub(crate) fn source(number: u128) -> Source {
    Source { session: session(number), url: format!("http://gateway/{number}"), token: Secret::new("token") }
}

/// The process is to be gone at once.
pub(crate) fn leave() -> Input {
    Input::Leave { within: Duration::ZERO }
}

fn settings() -> TranscodeSettings {
    TranscodeSettings {
        ladder: None,
        latency: Latency::Standard,
        passthrough: Passthrough::Auto,
        from_live_edge: false,
        segment_seconds: 2,
        audio_kbps: 128,
        mirror: false,
        retention: Retention::default(),
    }
}

/// An order to read session 1, with what is said of its standby.
pub(crate) fn told(handover: HandoverOrder) -> TranscoderOrder {
    let mut order = read(&[1]);
    if let TranscoderOrder::Transcode { handover: said, .. } = &mut order {
        *said = Some(handover);
    }
    order
}

/// An order to hand over to the lease `to`.
pub(crate) fn hand_over(to: u32) -> TranscoderOrder {
    told(HandoverOrder::HandOver { to: samples::lease(to) })
}

/// An order to go on if the standby was `withdrawn`, or one below.
pub(crate) fn go_on(withdrawn: u32) -> TranscoderOrder {
    told(HandoverOrder::GoOn { withdrawn: samples::lease(withdrawn) })
}

/// An order to a standby.
pub(crate) fn rehearse(session: u128) -> TranscoderOrder {
    let (source, settings) = (source(session), Box::new(settings()));
    TranscoderOrder::Rehearse { source, settings, started_at: BEGAN }
}

/// An order to read the last of these sessions, and those before it first.
pub(crate) fn read(sessions: &[u128]) -> TranscoderOrder {
    let mut sources: Vec<_> = sessions.iter().map(|number| source(*number)).collect();
    TranscoderOrder::Transcode {
        source: sources.pop().unwrap(),
        earlier: sources,
        settings: Box::new(settings()),
        resume: None,
        started_at: BEGAN,
        resume_after: None,
        handover: None,
    }
}

pub(crate) fn stop() -> TranscoderOrder {
    TranscoderOrder::Stop { reason: "the broadcast is over".into() }
}

/// The end of a run behind the cursor `cursor`.
pub(crate) fn ended(cursor: u64, ending: Ending) -> Input {
    Input::Ended(Ok(RunEnded { cursor, offset: None, ending, decode_errors: 0 }))
}

pub(crate) fn failed(is_source: bool) -> RunFailed {
    RunFailed { reason: "it failed".into(), is_source, is_lasting: false }
}

pub(crate) fn out_of_reach() -> Input {
    Input::Opened(Err(Unreadable { why: "out of reach".into(), is_final: false }))
}

pub(crate) fn unknown() -> Input {
    Input::Opened(Err(Unreadable { why: "not found".into(), is_final: true }))
}

pub(crate) fn gone() -> Input {
    Input::Opened(Ok(Opened::Gone))
}
