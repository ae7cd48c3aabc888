//! Rows, and how they are shown.

use serde::Serialize;

/// One measured figure.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Row {
    pub(crate) id: String,
    pub(crate) what: String,
    pub(crate) value: f64,
    pub(crate) unit: &'static str,
    pub(crate) peer: Option<&'static str>,
    pub(crate) peer_value: Option<f64>,
    pub(crate) ratio: Option<f64>,
    pub(crate) budget: Option<String>,
    pub(crate) ok: Option<bool>,
}

impl Row {
    pub(crate) fn new(
        id: impl Into<String>,
        what: impl Into<String>,
        value: f64,
        unit: &'static str,
    ) -> Self {
        let (id, what) = (id.into(), what.into());
        Self { id, what, value, unit, peer: None, peer_value: None, ratio: None, budget: None, ok: None }
    }

    /// Measured in the same run.
    pub(crate) fn against(mut self, peer: &'static str, value: f64) -> Self {
        self.peer = Some(peer);
        self.peer_value = Some(value);
        self.ratio = (value > 0.0).then(|| self.value / value);
        self
    }

    /// At most so much.
    pub(crate) fn at_most(mut self, budget: f64) -> Self {
        self.ok = Some(self.value <= budget);
        self.budget = Some(format!("≤ {budget} {}", self.unit));
        self
    }

    /// At most so much of the peer.
    pub(crate) fn ratio_at_most(mut self, budget: f64) -> Self {
        self.ok = self.ratio.map(|ratio| ratio <= budget);
        self.budget = Some(format!("≤ {budget} × peer"));
        self
    }

    fn cells(&self) -> [String; 6] {
        let number = |value: f64| if value >= 100.0 { format!("{value:.0}") } else { format!("{value:.2}") };
        [
            self.what.clone(),
            format!("{} {}", number(self.value), self.unit),
            self.peer
                .zip(self.peer_value)
                .map_or_else(String::new, |(peer, value)| format!("{} ({peer})", number(value))),
            self.ratio.map_or_else(String::new, |ratio| format!("{ratio:.2}")),
            self.budget.clone().unwrap_or_default(),
            self.ok.map_or_else(String::new, |ok| if ok { "yes".into() } else { "**no**".into() }),
        ]
    }
}

const HEAD: [&str; 6] = ["what", "Headwater", "peer", "ratio", "budget", "met"];

/// For a terminal, and as it is for Markdown.
pub(crate) fn table(rows: &[Row]) -> String {
    let cells: Vec<_> = std::iter::once(HEAD.map(str::to_owned)).chain(rows.iter().map(Row::cells)).collect();
    let width = |column: usize| cells.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<_> = (0..HEAD.len()).map(width).collect();
    let line = |row: &[String; 6]| {
        let padded = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        format!("| {} |\n", padded.collect::<Vec<_>>().join(" | "))
    };
    let rule =
        format!("|{}|\n", widths.iter().map(|width| "-".repeat(width + 2)).collect::<Vec<_>>().join("|"));
    cells
        .iter()
        .enumerate()
        .fold(String::new(), |text, (at, row)| text + &line(row) + if at == 0 { rule.as_str() } else { "" })
}

/// `docs/BENCHMARKS.md`.
pub(crate) fn markdown(rows: &[Row]) -> String {
    let date = time::OffsetDateTime::now_utc().date();
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    format!(
        "# Benchmarks\n\nMade by `make bench` on {date}, on a Linux machine with {cores} cores, release build. Ours and the peer run in turns \
         in the same run; medians. Budgets are the design's; what misses one says so.\n\n{}\n\
         ## Method\n\n\
         - **Transcode**: a process that runs our engine over an FLV file of 20 s, against the usual `ffmpeg` command: three x264 veryfast \
         rungs, an AAC encode for each, keyframes every 2 s, HLS in fMP4. User + system seconds of the whole process; three rounds in turns.\n\
         - **First segment**: from the start of the encoder's process until the first media segment has been downloaded from the edge \
         (transcoder task start included: a local process), 640x360; against nginx-rtmp with the same ladder by an exec'ed ffmpeg.\n\
         - **Gateway**: 20 publishers of one 3 Mbit/s FLV file (ffmpeg, stream copy, real time) for 15 s; user + system seconds of the gateway's process \
         per Gbit that came in, buffered to disk; resident memory per stream above idle. Against nginx-rtmp's worker process, which keeps nothing.\n\
         - **Functions**: the real binaries in the local Lambda host; init is process start until the first call for work.\n",
        table(rows)
    )
}
