//! Wires a run: one thread drives source and decoders, one a rendition encodes, the caller's thread puts segments
//! together and hands them to the sink. Every queue is bounded, every thread is joined on every path.

use std::ops::ControlFlow;
use std::sync::Once;
use std::sync::mpsc::sync_channel;
use std::thread::{self, Builder};

use super::assemble::Assembler;
use super::cancel::Cancel;
use super::driver::{Driven, Driver};
use super::error::MediaError;
use super::rungs::Rungs;
use super::segment::{EndReason, Position, RunEnd, Segment};
use super::settings::{EngineSettings, Placement, RunInput, StartPoint};
use super::source::Source;
use super::stats::{Counters, add};

/// Finished renditions that may wait for the sink: two segments of four. Full means that encoding waits.
const MAX_PIECES: usize = 8;

/// Transcodes one run. Blocks until it has ended; `sink` is called on this thread with segments in order and may
/// block, which slows reading down.
///
/// # Errors
/// When the source cannot be decoded or something on our side fails; segments already handed out stay valid.
pub fn run(
    input: RunInput,
    settings: &EngineSettings,
    start: StartPoint,
    mut sink: impl FnMut(Segment) -> ControlFlow<()>,
    cancel: &Cancel,
) -> Result<RunEnd, MediaError> {
    quiet();
    let counters = Counters::default();
    let first_cursor = input.first_cursor;
    let mut position = Position {
        video_end: start.video_from,
        audio_end: start.audio_from,
        next_segment: start.next_segment,
        offset: match start.placement {
            Placement::AlignFirst => None,
            Placement::Offset(offset) => Some(offset),
        },
        cursor: first_cursor,
    };
    let (out, pieces) = sync_channel(MAX_PIECES);
    let counters_ref = &counters;
    let ended = thread::scope(|scope| {
        let driver = Builder::new()
            .name("media-driver".to_owned())
            .spawn_scoped(scope, move || {
                let source = Source::open(input, cancel)?;
                let rungs = Rungs::new(scope, settings, counters_ref, out.clone());
                Driver::new(source, first_cursor, settings, start, rungs, out, counters_ref).drive()
            })
            .map_err(MediaError::Thread)?;
        let mut assembler = Assembler::default();
        'pieces: for piece in &pieces {
            assembler.push(piece);
            while let Some(segment) = assembler.pop() {
                if cancel.is_aborted() {
                    break 'pieces;
                }
                position.follow(&segment);
                add(&counters_ref.segments, 1);
                if sink(segment).is_break() {
                    cancel.abort();
                    break 'pieces;
                }
            }
        }
        // Senders that wait for room learn here that nobody listens.
        drop(pieces);
        driver.join().map_err(|_| MediaError::Panicked { thread: "driver" })?
    });
    let stats = counters.snapshot();
    if cancel.is_aborted() {
        return Ok(RunEnd { position, reason: EndReason::Aborted, stats });
    }
    let Driven { reason, offset, go_on_at } = ended?;
    position.offset = position.offset.or(offset);
    position.cursor = go_on_at.unwrap_or(position.cursor);
    Ok(RunEnd { position, reason, stats })
}

impl Position {
    fn follow(&mut self, segment: &Segment) {
        let audio_end = segment.audio.map(|a| a.to);
        self.video_end = match (segment.video, audio_end) {
            (Some(video), _) => video.end,
            (None, Some(audio)) => audio.time(),
            (None, None) => self.video_end,
        };
        self.audio_end = audio_end.unwrap_or(self.video_end.frame());
        self.next_segment = segment.number + 1;
        self.offset = Some(segment.offset);
        self.cursor = segment.cursor;
    }
}

/// libav's own log goes to stderr unasked, and a hostile source could write it full.
pub(super) fn quiet() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| ffmpeg_next::log::set_level(ffmpeg_next::log::Level::Fatal));
}
