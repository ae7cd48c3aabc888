//! What is looked for in what comes out.

use headwater_domain::SessionId;
use headwater_domain::timeline::Entry;
use headwater_task::{Exit, Input, Output, Run};

/// The entries that are committed.
pub(crate) fn entries(outputs: &[Output]) -> Vec<Entry> {
    let entry = |output: &Output| match output {
        Output::Commit(entry) => Some(entry.clone()),
        _ => None,
    };
    outputs.iter().filter_map(entry).collect()
}

/// The initialization section that is named.
pub(crate) fn init(outputs: &[Output]) -> String {
    entries(outputs)[0].renditions[0].init.clone()
}

/// The answer to the last upload that there is in `outputs`.
pub(crate) fn stored(outputs: &[Output], is_lost: bool) -> Input {
    let upload = outputs.iter().rev().find_map(|output| match output {
        Output::Upload(upload) => Some(upload.id),
        _ => None,
    });
    Input::Stored { upload: upload.unwrap(), is_lost }
}

pub(crate) fn started(outputs: &[Output]) -> Option<Run> {
    outputs.iter().find_map(|output| match output {
        Output::Start(run) => Some((**run).clone()),
        _ => None,
    })
}

/// The session and cursor that the gateway is asked for.
pub(crate) fn opened(outputs: &[Output]) -> Option<(SessionId, u64)> {
    outputs.iter().find_map(|output| match output {
        Output::Open { source, after, .. } => Some((source.session.clone(), *after)),
        _ => None,
    })
}

pub(crate) fn exit(outputs: &[Output]) -> Option<Exit> {
    outputs.iter().find_map(|output| match output {
        Output::Exit(exit) => Some(exit.unwrap()),
        _ => None,
    })
}

pub(crate) fn has(outputs: &[Output], is_it: impl Fn(&Output) -> bool) -> bool {
    outputs.iter().any(is_it)
}
