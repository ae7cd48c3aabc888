//! An extra that is no rule: another decoder's opinion. Each rendition's segments go through ffmpeg, if it is installed.

use std::process::Stdio;

use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use crate::playlist::Resource;
use crate::presentation::Presentation;
use crate::recording::{Ask, Recording};

/// Decodes everything that was recorded; what the decoder complains of, by rendition.
pub async fn decode(recording: &Recording) -> std::io::Result<Vec<(String, String)>> {
    let mut complaints = Vec::new();
    for (name, bytes) in joined(recording) {
        let mut ffmpeg = Command::new("ffmpeg")
            .args(["-v", "error", "-xerror", "-i", "pipe:0", "-f", "null", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let mut input = ffmpeg.stdin.take();
        let feed = async move {
            if let Some(input) = &mut input {
                // It closes its input when it gives up, and then says why.
                let _ = input.write_all(&bytes).await;
            }
        };
        let ((), output) = futures::future::join(feed, ffmpeg.wait_with_output()).await;
        let output = output?;
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        if !output.status.success() || !said.is_empty() {
            complaints.push((name, said));
        }
    }
    Ok(complaints)
}

/// Each run of segments behind its initialization section.
fn joined(recording: &Recording) -> Vec<(String, Vec<u8>)> {
    let presentation = Presentation::of(recording);
    let body = |resource: &Resource| {
        let mut objects = recording.exchanges.iter().filter(|one| one.ask == Ask::Object && one.is_ok());
        objects.find(|one| one.url == resource.url && one.range == resource.range).map(|one| &one.body[..])
    };
    let mut all = Vec::new();
    for rendition in &presentation.renditions {
        for run in rendition.runs() {
            let mut bytes = Vec::new();
            for (segment, _) in run {
                if bytes.is_empty() {
                    bytes.extend_from_slice(segment.map.as_ref().and_then(body).unwrap_or_default());
                }
                bytes.extend_from_slice(segment.resource.as_ref().and_then(body).unwrap_or_default());
            }
            all.push((rendition.name.clone(), bytes));
        }
    }
    all
}
