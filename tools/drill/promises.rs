//! What is promised, and whether it held. Pure.

use std::time::Duration;

use crate::account::Account;

/// What must hold while something is broken.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Promises {
    /// Times that the encoder may lose its connection.
    pub(crate) cuts: usize,
    /// Breaks in the timeline that viewers may be told of.
    pub(crate) discontinuities: usize,
    /// Whether segments may be missing.
    pub(crate) gaps: bool,
    /// Times that viewers are led to the other region: whoever crosses may jump once, in picture and in sound.
    pub(crate) crossings: usize,
    /// Without new media.
    pub(crate) longest_wait: Duration,
    /// New media after the encoder was taken again.
    pub(crate) back_within: Option<Duration>,
}

impl Promises {
    /// Neither encoders nor players notice more than a pause.
    pub(crate) fn unnoticed(longest_wait: Duration) -> Self {
        Self { cuts: 0, discontinuities: 0, gaps: false, crossings: 0, longest_wait, back_within: None }
    }

    /// What did not hold, in words.
    pub(crate) fn broken_by(&self, account: &Account) -> Vec<String> {
        let mut broken = account.offences.clone();
        let mut hold = |held: bool, what: String| {
            if !held {
                broken.push(what);
            }
        };
        let Account { cuts, discontinuities, gaps, waited, back_after, .. } = account;
        hold(*cuts <= self.cuts, format!("the encoder lost its connection {cuts} times"));
        hold(*discontinuities <= self.discontinuities, format!("{discontinuities} discontinuities"));
        hold(self.gaps || *gaps == 0, format!("{gaps} gaps"));
        if account.jumps.len() > 2 * self.crossings {
            account.jumps.iter().for_each(|jump| hold(false, jump.clone()));
        }
        let wait = self.longest_wait.as_secs_f64();
        hold(*waited <= wait, format!("no new media for {waited:.1} s, promised are {wait:.0}"));
        if let (Some(limit), Some(back)) = (self.back_within, back_after) {
            let limit = limit.as_secs_f64();
            hold(
                *back <= limit,
                format!("new media {back:.1} s after the reconnect, promised are {limit:.0}"),
            );
        }
        broken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_promise_can_be_broken() {
        let promises = Promises {
            back_within: Some(Duration::from_secs(10)),
            ..Promises::unnoticed(Duration::from_secs(5))
        };
        let fine = Account { waited: 5.0, back_after: Some(9.0), ..Account::default() };
        assert_eq!(promises.broken_by(&fine), Vec::<String>::new());
        let all = Account {
            cuts: 1,
            discontinuities: 1,
            gaps: 1,
            waited: 5.1,
            back_after: Some(10.1),
            jumps: vec!["the end went back".to_owned()],
            offences: vec!["media sequence went back".to_owned()],
            ..Account::default()
        };
        assert_eq!(promises.broken_by(&all).len(), 7);
    }
}
