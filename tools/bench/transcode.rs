//! CPU of our engine against the ffmpeg command that it replaces.

use super::Bench;
use super::engine::{Job, Ladder};
use super::measure::{median, run};
use super::peer;
use super::report::{Row, Section};
use super::sources::{SECONDS, Source};

/// Rounds; ours and the peer take turns.
const ROUNDS: usize = 3;

/// One of ours.
struct Case {
    id: &'static str,
    what: &'static str,
    ladder: Ladder,
    encode_all: bool,
    /// Of the peer's CPU; none is for information.
    budget: Option<f64>,
}

fn cases(height: u32) -> Vec<Case> {
    let case = |id, what, ladder, encode_all, budget| Case { id, what, ladder, encode_all, budget };
    if height == 720 {
        vec![
            case("copy", "720p copied, 480p, 360p", Ladder::Source, false, Some(0.40)),
            case("encode", "720p, 480p, 360p, all encoded", Ladder::Three, true, Some(0.80)),
        ]
    } else {
        vec![
            case("copy", "1080p copied, 720p, 480p, 360p", Ladder::Source, false, Some(0.55)),
            case("encode", "720p, 480p, 360p, all encoded", Ladder::Three, true, Some(0.85)),
            case("encode-4", "1080p, 720p, 480p, 360p, all encoded", Ladder::Source, true, None),
        ]
    }
}

pub(crate) async fn measure(bench: &mut Bench) -> anyhow::Result<Section> {
    let mut section = Section::new(
        "transcode",
        format!("Transcoding: CPU seconds for {SECONDS} s of media ({})", bench.sources.name().await),
    );
    for height in [720, 1_080] {
        let source = bench.sources.obs(height).await?;
        compare(bench, &mut section, &source).await?;
    }
    Ok(section)
}

async fn compare(bench: &mut Bench, section: &mut Section, source: &Source) -> anyhow::Result<()> {
    let cases = cases(source.height);
    let (mut ours, mut theirs) = (vec![Vec::new(); cases.len()], Vec::new());
    for _ in 0..ROUNDS {
        for (case, seconds) in cases.iter().zip(&mut ours) {
            let out = tempfile::tempdir_in(bench.folder())?;
            let mut job = Job::new(&source.path, case.ladder);
            job.encode_all = case.encode_all;
            job.out = Some(out.path().to_owned());
            let (cpu, account) = job.measure(&bench.me).await?;
            seconds.push(cpu);
            anyhow::ensure!(
                case.encode_all || account.renditions.values().any(|made| made.copied),
                "the source was not copied"
            );
            let key = format!("transcode.{}.{}", source.height, case.id);
            let bytes: u64 = account.renditions.values().map(|made| made.bytes).sum();
            bench.report.note(format!("{key}.bytes_per_second"), bytes as f64 / account.media);
            for (name, made) in &account.renditions {
                bench
                    .report
                    .note(format!("{key}.{name}.bytes_per_second"), made.bytes as f64 / account.media);
            }
        }
        let out = tempfile::tempdir_in(bench.folder())?;
        theirs.push(run(&mut peer::ffmpeg(&source.path, out.path())).await?);
    }
    let theirs = median(theirs);
    for (case, seconds) in cases.into_iter().zip(ours) {
        let seconds = median(seconds);
        let key = format!("transcode.{}.{}", source.height, case.id);
        bench.report.note(format!("{key}.cpu"), seconds / f64::from(SECONDS));
        let what = format!("{}p30 source: {}", source.height, case.what);
        let row = Row::new(what, seconds, "s").against("ffmpeg, 3 rungs veryfast", theirs);
        section.rows.push(match case.budget {
            Some(budget) => row.ratio_at_most(budget),
            None => row,
        });
    }
    Ok(())
}
