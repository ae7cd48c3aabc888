//! Tells it in plain words, and ends with a table or with JSON. Must not know how things are broken.

use std::time::Instant;

use headwater_local::REGIONS;
use serde::Serialize;

use crate::account::Account;

/// One scene that was played.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Act {
    /// What was broken.
    pub(crate) title: &'static str,
    /// What was seen.
    #[serde(flatten)]
    pub(crate) account: Account,
    /// Promises that did not hold.
    pub(crate) broken: Vec<String>,
}

/// Speaks to the person in front of the terminal.
#[derive(Debug)]
pub(crate) struct Narrator {
    json: bool,
    began: Instant,
}

impl Narrator {
    pub(crate) fn new(json: bool) -> Self {
        Self { json, began: Instant::now() }
    }

    pub(crate) fn say(&self, text: &str) {
        let line = format!("{:>5.1} s  {text}", self.began.elapsed().as_secs_f64());
        if self.json { eprintln!("{line}") } else { println!("{line}") }
    }

    pub(crate) fn tell(&self, act: &Act) {
        let account = &act.account;
        self.say(&format!("  encoder: {}", encoder(account)));
        self.say(&format!("  viewers: {}", viewers(account)));
        for broken in &act.broken {
            self.say(&format!("  NOT AS PROMISED: {broken}"));
        }
    }

    pub(crate) fn report(&self, acts: &[Act]) {
        if self.json {
            println!("{}", serde_json::json!({ "scenes": acts }));
            return;
        }
        println!(
            "\n{:<22} {:>8} {:>9} {:>9} {:>9} {:>5} {:>7} {:>7}  promises",
            "what broke", "off air", "no media", "stalled", "missing", "gaps", "breaks", "errors"
        );
        for Act { title, account, broken } in acts {
            let errors: usize = account
                .statuses
                .iter()
                .filter(|(status, _)| !(200..300).contains(*status))
                .map(|(_, n)| n)
                .sum();
            println!(
                "{title:<22} {:>6.1} s {:>7.1} s {:>7.1} s {:>7.1} s {:>5} {:>7} {errors:>7}  {}",
                account.off_air,
                account.waited,
                account.stalled,
                account.missing,
                account.gaps,
                account.discontinuities,
                if broken.is_empty() { "held" } else { "BROKEN" }
            );
        }
        println!(
            "\noff air: the encoder, until it was taken again. no media: longest wait for a new segment. stalled: the picture of a\n\
             player that was three segments behind. missing: source time in no segment. errors: answers at the edge that were not 2xx."
        );
    }
}

fn encoder(account: &Account) -> String {
    if account.cuts == 0 && account.refusals == 0 {
        return "noticed nothing".to_owned();
    }
    let region = account.region.map_or("nowhere", |region| REGIONS[region]);
    let refusals = match account.refusals {
        0 => String::new(),
        1 => ", not taken once".to_owned(),
        count => format!(", not taken {count} times"),
    };
    let times = if account.cuts == 1 { "once".to_owned() } else { format!("{} times", account.cuts) };
    let back =
        account.back_after.map_or_else(String::new, |back| format!("; new media {back:.1} s after that"));
    format!("cut off {times}{refusals}, {:.1} s off the air, now at {region}{back}", account.off_air)
}

fn viewers(account: &Account) -> String {
    let statuses: Vec<_> = account
        .statuses
        .iter()
        .map(|(status, count)| match status {
            0 => format!("{count} without any answer"),
            _ => format!("{count} × {status}"),
        })
        .collect();
    let repeated = match account.repeated {
        0 => String::new(),
        1 => ", 1 transfer broke off and was repeated".to_owned(),
        count => format!(", {count} transfers broke off and were repeated"),
    };
    let plural = |count: usize, what: &str| match count {
        0 => format!("no {what}"),
        1 => format!("1 {what}"),
        _ => format!("{count} {what}s"),
    };
    let picture = if account.stalled > 0.0 {
        format!("picture stood still for {:.1} s", account.stalled)
    } else {
        "picture never stood still".to_owned()
    };
    let breaks = match account.discontinuities {
        0 => "no discontinuity".to_owned(),
        1 => "1 discontinuity".to_owned(),
        count => format!("{count} discontinuities"),
    };
    let jumps = match account.jumps.len() {
        0 => String::new(),
        count => format!(", {count} × newest segments not yet known to the other region"),
    };
    let order =
        if account.offences.is_empty() { "sequence numbers only rose" } else { "WHAT NO VIEWER SHOULD SEE" };
    format!(
        "{}{repeated}; at most {:.1} s without new media, {picture}; {}, {breaks}, {:.1} s missing{jumps}; {order}",
        statuses.join(", "),
        account.waited,
        plural(account.gaps, "gap"),
        account.missing,
    )
}
