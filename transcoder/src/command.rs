//! The commands that answer and leave: `transcoder health`, `transcoder check`, and what `--version` adds.

use std::sync::LazyLock;

use headwater_aws::settings;
use headwater_transcoder::{health, media};

/// With the libraries it runs on: they come from the image, not from the build.
pub(crate) static VERSION: LazyLock<String> =
    LazyLock::new(|| format!("{}\n{}", env!("CARGO_PKG_VERSION"), media::libraries()));

/// A sentence for the container runtime's log of health checks.
pub(crate) async fn health() -> anyhow::Result<String> {
    let Some(listen) = settings::parsed_optional("SOURCE_LISTEN")? else {
        return Ok("SOURCE_LISTEN is not set, so no gateway runs here to be asked; \
                   the control plane judges `transcoder run` by its heartbeats"
            .to_owned());
    };
    let health = health::ask(listen).await?;
    Ok(format!("the gateway is well: {health}"))
}

/// What an operator wants to know of an image before its first stream.
pub(crate) fn check() -> anyhow::Result<String> {
    media::check()?;
    let sources: Vec<_> = media::decodable().iter().map(ToString::to_string).collect();
    Ok(format!(
        "H.264 and AAC are decoded, scaled, encoded and packaged\nvideo of sources: {}\n{}",
        sources.join(" "),
        media::libraries()
    ))
}
