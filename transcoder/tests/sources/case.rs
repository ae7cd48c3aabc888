//! A case: a source, what is right of it, and what was found; and the table of all.

use std::fmt::Write as _;
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::path::PathBuf;

use futures::{FutureExt, StreamExt, stream};
use headwater_domain::stream::Passthrough;

use super::encoder::Pace;
use super::message::Message;
use super::product::{self, Outcome};

/// Cases of a family under way at a time: they wait for heartbeats more than they compute.
const AT_A_TIME: usize = 3;
/// Sound may be so much shorter or longer than the source's: a frame of the slowest rate and the encoder's own delay.
const SOUND_SLACK: f64 = 0.2;
/// Sound that is earlier or later than this against its picture is out of step (ITU-R BT.1359 has −125 to +45 ms).
const MAX_OFFSET: f64 = 30.0;

/// One source.
pub struct Case {
    /// What it is, for people; unique.
    pub name: &'static str,
    /// Where it comes from: a clause of a specification, or a report.
    pub reference: &'static str,
    pub source: Box<dyn Fn() -> Vec<Message> + Send + Sync>,
    pub right: Right,
    pub pace: Pace,
    pub passthrough: Passthrough,
}

/// What is right.
#[derive(Clone)]
pub struct Right {
    /// Numbers of the pictures that must be shown, in every rendition, in order.
    pub pictures: Vec<u16>,
    /// How many of them may be missing, of what was damaged.
    pub may_miss: usize,
    /// Seconds of tone.
    pub sound: f64,
    /// Pictures a second, if beeps must be at their pictures.
    pub in_step: Option<f64>,
    /// Words that encoder or API must be told.
    pub words: Option<&'static str>,
    /// What may be told beside: by chance, for heartbeats are few and the sources short.
    pub may_say: Option<&'static str>,
    /// Milliseconds by which the sound's own times are off.
    pub own_offset: f64,
    /// It is refused: what is shown before that does not matter.
    pub refused: bool,
    /// Shown size of the top rendition.
    pub size: Option<(u32, u32)>,
    /// It is not right yet, and why: the test holds that it is still so.
    pub known_limit: Option<&'static str>,
}

/// A source whose pictures 0 to `pictures` are shown, in step with so many seconds of sound, without a word.
pub fn case(
    name: &'static str,
    reference: &'static str,
    pictures: u16,
    sound: f64,
    source: impl Fn() -> Vec<Message> + Send + Sync + 'static,
) -> Case {
    let right = Right {
        pictures: (0..pictures).collect(),
        may_miss: 0,
        sound,
        in_step: (pictures > 0 && sound > 0.0).then_some(25.0),
        words: None,
        may_say: None,
        own_offset: 0.0,
        refused: false,
        size: None,
        known_limit: None,
    };
    Case {
        name,
        reference,
        source: Box::new(source),
        right,
        pace: Pace::Fast,
        passthrough: Passthrough::Auto,
    }
}

impl Case {
    /// So many pictures a second.
    pub fn rate(mut self, rate: f64) -> Self {
        self.right.in_step = self.right.in_step.and(Some(rate));
        self
    }

    /// Nobody can tell whether pictures and sound are in step.
    pub fn without_step(mut self) -> Self {
        self.right.in_step = None;
        self
    }

    /// Only these.
    pub fn shows(mut self, pictures: impl IntoIterator<Item = u16>) -> Self {
        self.right.pictures = pictures.into_iter().collect();
        self
    }

    /// So many may be missing.
    pub fn may_miss(mut self, pictures: usize) -> Self {
        self.right.may_miss = pictures;
        self
    }

    /// Encoder or API must be told.
    pub fn says(mut self, words: &'static str) -> Self {
        self.right.words = Some(words);
        self
    }

    /// API may be told: it is true for a while only.
    pub fn may_say(mut self, words: &'static str) -> Self {
        self.right.may_say = Some(words);
        self
    }

    /// The sound's own times are off by so many milliseconds.
    pub fn own_offset(mut self, millis: f64) -> Self {
        self.right.own_offset = millis;
        self
    }

    /// The encoder is told, and closed.
    pub fn refused(mut self, words: &'static str) -> Self {
        self.right.refused = true;
        self.says(words)
    }

    /// The top rendition is of this size.
    pub fn sized(mut self, width: u32, height: u32) -> Self {
        self.right.size = Some((width, height));
        self
    }

    /// In real time.
    pub fn live(mut self) -> Self {
        self.pace = Pace::Live;
        self
    }

    /// Nothing is copied.
    pub fn encoded(mut self) -> Self {
        self.passthrough = Passthrough::AlwaysEncode;
        self
    }

    /// Not right yet.
    pub fn known_limit(mut self, why: &'static str) -> Self {
        self.right.known_limit = Some(why);
        self
    }
}

/// What is wrong with an outcome; nothing, if all is right.
fn faults(right: &Right, outcome: &Outcome) -> Vec<String> {
    let (seen, mut faults) = (&outcome.seen, Vec::new());
    if let Some(words) = right.words.filter(|words| !said(outcome).contains(words)) {
        faults.push(format!("nobody is told {words:?}, but: {}", said(outcome)));
    }
    let expected = |told: &&String| right.may_say.is_some_and(|words| told.contains(words));
    if right.words.is_none() && !outcome.problems.iter().all(|told| expected(&told)) {
        faults.push(format!("a problem is told: {:?}", outcome.problems));
    }
    if right.refused {
        return faults;
    }
    let numbers = seen.numbers();
    let missing: Vec<u16> = right.pictures.iter().filter(|one| !numbers.contains(one)).copied().collect();
    if missing.len() > right.may_miss {
        faults.push(format!("{} pictures are missing: {}", missing.len(), short(&missing)));
    }
    let strange: Vec<u16> = numbers.iter().filter(|one| !right.pictures.contains(one)).copied().collect();
    let broken =
        seen.renditions.iter().flat_map(|(.., shown)| shown).filter(|one| one.number.is_none()).count();
    if !strange.is_empty() || broken > 0 {
        faults.push(format!("{broken} broken pictures, and strange ones: {}", short(&strange)));
    }
    for (name, _, shown) in &seen.renditions {
        let back =
            shown.windows(2).filter(|two| two[1].at <= two[0].at || two[1].number < two[0].number).count();
        if back > 0 {
            faults.push(format!("{name} goes back {back} times"));
        }
    }
    if (seen.heard - right.sound).abs() > SOUND_SLACK {
        faults.push(format!("{:.2} s of sound are heard, not {:.2}", seen.heard, right.sound));
    }
    match (right.in_step, right.in_step.and_then(|rate| seen.offset(rate))) {
        (Some(_), None) => faults.push("no beep is near its picture".to_owned()),
        (_, Some(late)) if (late - right.own_offset).abs() > MAX_OFFSET => {
            faults.push(format!("sound is {late:.0} ms late"))
        }
        _ => {}
    }
    if !seen.complaints.is_empty() {
        faults.push(format!("decoders complain: {:?}", &seen.complaints[..seen.complaints.len().min(3)]));
    }
    let size = seen.renditions.first().map(|(_, size, _)| *size);
    if right.size.is_some_and(|wanted| size != Some(wanted)) {
        faults.push(format!("the top rendition is {size:?}, not {:?}", right.size));
    }
    faults
}

/// Everything that a person at the encoder or at the API can read.
fn said(outcome: &Outcome) -> String {
    let told = outcome.told.rsplit("NetStream.Publish.Start").next().unwrap_or_default();
    let told: String = told.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    format!("{} | {} | {told}", outcome.problems.join("; "), outcome.ended)
}

fn short(numbers: &[u16]) -> String {
    let first: Vec<String> = numbers.iter().take(8).map(u16::to_string).collect();
    first.join(" ") + if numbers.len() > 8 { " …" } else { "" }
}

/// A row of the table.
fn row(case: &Case, outcome: &Outcome, verdict: &str) -> String {
    let (right, seen) = (&case.right, &outcome.seen);
    let numbers = seen.numbers();
    let shown = right.pictures.iter().filter(|one| numbers.contains(one)).count();
    let offset = right.in_step.and_then(|rate| seen.offset(rate));
    let offset = offset.map_or("–".to_owned(), |late| format!("{late:+.0} ms"));
    let words = right.words.map_or("–".to_owned(), |words| format!("“{words}”"));
    let found = match right.refused {
        true => "– | – | –".to_owned(),
        false => {
            format!("{shown}/{} | {:.1}/{:.1} s | {offset}", right.pictures.len(), seen.heard, right.sound)
        }
    };
    format!("{}{found} | {words} | {verdict} |", start_of_row(case))
}

/// What of a row does not depend on what was found.
pub fn start_of_row(case: &Case) -> String {
    format!("| {} | {} | ", case.name, case.reference)
}

/// Head of the table.
pub const HEAD: &str = "| case | specification or report | pictures shown/there | sound heard/there | sound late | told | verdict |\n\
                        |---|---|---|---|---|---|---|";

/// Runs all cases of a family side by side, prints their rows, and fails if one is not as it should be.
/// `HEADWATER_SOURCE=text` picks those with the text in their names.
pub async fn hold(family: &str, cases: Vec<Case>) {
    let wanted = std::env::var("HEADWATER_SOURCE").unwrap_or_default();
    let cases = cases.into_iter().filter(|case| case.name.contains(&wanted));
    let results: Vec<(String, Option<String>)> =
        stream::iter(cases.map(one)).buffered(AT_A_TIME).collect().await;
    let mut text = String::new();
    for (row, _) in &results {
        let _ = writeln!(text, "{row}");
    }
    println!("\n{family}\n\n{HEAD}\n{text}");
    if wanted.is_empty()
        && let Some(folder) = std::env::var_os("HEADWATER_ARTIFACTS").map(PathBuf::from)
    {
        let folder = folder.join("sources");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(format!("{family}.md")), format!("{HEAD}\n{text}")).unwrap();
    }
    let wrong: Vec<String> = results.into_iter().filter_map(|(_, wrong)| wrong).collect();
    assert!(wrong.is_empty(), "{} cases are wrong\n{}", wrong.len(), wrong.join("\n"));
}

/// The row of a case, and what is wrong with it.
async fn one(case: Case) -> (String, Option<String>) {
    let (case, messages) = tokio::task::spawn_blocking(move || {
        let messages = (case.source)();
        (case, messages)
    })
    .await
    .unwrap_or_else(|error| resume_unwind(error.into_panic()));
    let outcome = AssertUnwindSafe(Box::pin(product::run(&case, messages))).catch_unwind().await;
    let Ok(outcome) = outcome else {
        let text = format!("{}: the product or the test panicked", case.name);
        return (row(&case, &Outcome::default(), "**broken**"), Some(text));
    };
    let faults = faults(&case.right, &outcome);
    let told = format!("{}: {}", case.name, faults.join("; "));
    match (faults.is_empty(), case.right.known_limit) {
        (true, None) => (row(&case, &outcome, "right"), None),
        (false, None) => (row(&case, &outcome, "**wrong**"), Some(told)),
        (false, Some(why)) => (row(&case, &outcome, &format!("known limit: {why}")), None),
        (true, Some(why)) => {
            let text = format!("{}: is right now; it is no limit any more ({why})", case.name);
            (row(&case, &outcome, "**mended**"), Some(text))
        }
    }
}
