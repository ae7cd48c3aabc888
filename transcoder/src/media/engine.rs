//! Wires a run: one thread drives source and decoders, one a rendition encodes, the caller's thread puts segments
//! together and hands them to the sink. Every queue is bounded, every thread is joined on every path.

use std::ops::ControlFlow;
use std::sync::Once;
use std::sync::mpsc::sync_channel;
use std::thread::{self, Builder};

use super::cancel::Cancel;
use super::driver::{Driven, Driver, DriverParts};
use super::error::MediaError;
use super::package::assemble::Assembler;
use super::package::part::Joiner;
use super::segment::{EndReason, Position, RunEnd};
use super::settings::{EngineSettings, RunInput};
use super::source::Source;
use super::stages::Stages;
use super::stats::{Counters, add};
use super::video::rungs::Rungs;
use super::{Made, Placement, RenditionKind, RenditionSegment, Segment, StartPoint};

/// Finished renditions of parts that may wait for the sink: two of four. Full means that encoding waits.
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
    mut sink: impl FnMut(Made) -> ControlFlow<()>,
    cancel: &Cancel,
) -> Result<RunEnd, MediaError> {
    quiet();
    let (counters, stages) = (Counters::default(), Stages::default());
    let (first_cursor, in_parts) = (input.first_cursor, settings.part_duration.is_some());
    let mut position = Position {
        video_end: start.video_from,
        audio_end: start.audio_from,
        next_segment: start.next_segment,
        offset: match start.placement {
            Placement::AlignFirst => None,
            Placement::Offset(offset) => Some(offset),
        },
        cursor: first_cursor,
        copied: start.copied,
    };
    let (out, pieces) = sync_channel(MAX_PIECES);
    let (counters_ref, stages_ref) = (&counters, &stages);
    let mut is_cut = false;
    let ended = thread::scope(|scope| {
        let driver = Builder::new()
            .name("media-driver".to_owned())
            .spawn_scoped(scope, move || {
                let RunInput { reader, pace, .. } = input;
                let source = Source::open(reader, first_cursor, cancel)?;
                let rungs = Rungs::new(scope, settings, counters_ref, stages_ref, out.clone());
                let (counters, stages) = (counters_ref, stages_ref);
                let parts = DriverParts { source, first_cursor, pace, rungs, out, counters, stages };
                Driver::new(parts, settings, start).drive()
            })
            .map_err(MediaError::Thread)?;
        let (mut assembler, mut joiner) = (Assembler::default(), Joiner::default());
        'pieces: for piece in &pieces {
            assembler.push(piece);
            while let Some(part) = assembler.pop() {
                if cancel.is_aborted() {
                    break 'pieces;
                }
                let as_part = in_parts.then(|| Made::Part(part.clone()));
                let segment = joiner.push(part);
                if let Some(segment) = &segment {
                    position.follow(segment);
                    add(&counters_ref.segments, 1);
                }
                let is_boundary = segment.is_some();
                let mut made = as_part.into_iter().chain(segment.map(Made::Segment));
                if made.any(|made| sink(made).is_break()) {
                    cancel.abort();
                    break 'pieces;
                }
                if is_boundary && cancel.ends_segment() {
                    // What has been made beyond it is nobody's.
                    cancel.abort();
                    is_cut = true;
                    break 'pieces;
                }
            }
        }
        // Senders that wait for room learn here that nobody listens.
        drop(pieces);
        driver.join().map_err(|_| MediaError::Panicked { thread: "driver" })?
    });
    let (stats, stages) = (counters.snapshot(), stages.take());
    if cancel.is_aborted() {
        let reason = if is_cut { EndReason::Finished } else { EndReason::Aborted };
        return Ok(RunEnd { position, reason, stats, stages });
    }
    let Driven { reason, offset, is_moved, go_on_at } = ended?;
    // What is made anew from the run's beginning is placed anew.
    let placed = offset.filter(|_| !matches!(reason, EndReason::NotCopyable { .. }));
    position.offset = if is_moved { offset } else { position.offset.or(placed) };
    position.cursor = go_on_at.unwrap_or(position.cursor);
    Ok(RunEnd { position, reason, stats, stages })
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
        let pictures = |one: &RenditionSegment| matches!(one.kind, RenditionKind::Video { .. });
        self.copied = segment.renditions.iter().any(|one| one.copied && pictures(one));
    }
}

/// libav's own log goes to stderr unasked, and a hostile source could write it full.
pub(super) fn quiet() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| ffmpeg_next::log::set_level(ffmpeg_next::log::Level::Fatal));
}
