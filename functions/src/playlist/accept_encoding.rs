//! `Accept-Encoding` (RFC 9110 §12.5.3) as far as playlists go: gzip, or as it is. Must not know what is sent.

/// A weight in thousandths (RFC 9110 §12.4.2).
type Weight = u16;

/// The weight of a coding that is named without one.
const FULL: Weight = 1000;

/// Which of our two codings a viewer takes, and how gladly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Accepted {
    gzip: Weight,
    /// Never below 1 unless it is refused: what is not named is acceptable, but less than what is.
    identity: Weight,
}

impl Accepted {
    /// Reads the header's value; what is not a coding with a weight is not a coding that is accepted.
    pub(super) fn of(header: &str) -> Self {
        let (mut gzip, mut identity, mut others) = (None, None, None);
        for member in header.split(',') {
            let (name, parameters) = member.split_once(';').unwrap_or((member, ""));
            let of = match name.trim().to_ascii_lowercase().as_str() {
                // §8.4.1.3: they are the same.
                "gzip" | "x-gzip" => &mut gzip,
                "identity" => &mut identity,
                "*" => &mut others,
                _ => continue,
            };
            // Named twice: the refusal counts, because what is sent as it is can be read by everybody.
            let weight = weight(parameters);
            *of = Some(of.map_or(weight, |before: Weight| before.min(weight)));
        }
        Self {
            gzip: gzip.or(others).unwrap_or(0),
            identity: identity.or(others.filter(|&w| w == 0)).unwrap_or(1),
        }
    }

    /// Whether gzip may be sent.
    pub(super) fn takes_gzip(self) -> bool {
        self.gzip > 0
    }

    /// Whether gzip is what is wanted. `gains` says whether packing is worth it, if both are as welcome.
    pub(super) fn wants_gzip(self, gains: bool) -> bool {
        self.takes_gzip() && self.gzip >= self.identity && (gains || self.identity == 0)
    }
}

/// What stands behind a coding's name: nothing, or `q=` and a number from 0 to 1 with at most three decimals.
fn weight(parameters: &str) -> Weight {
    let parameters = parameters.trim();
    if parameters.is_empty() {
        return FULL;
    }
    let value = parameters.strip_prefix("q=").or_else(|| parameters.strip_prefix("Q="));
    value.and_then(thousandths).unwrap_or(0)
}

fn thousandths(value: &str) -> Option<Weight> {
    let (whole, decimals) = value.split_once('.').unwrap_or((value, ""));
    if decimals.len() > 3 || !decimals.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let decimals: Weight = format!("{decimals:0<3}").parse().ok()?;
    match whole {
        "0" => Some(decimals),
        "1" if decimals == 0 => Some(FULL),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_is_taken_by_whom_rfc_9110_says() {
        for yes in [
            "gzip",
            "GZIP",
            "x-gzip",
            "br, gzip;q=0.5",
            "br,gzip ; q=0.001",
            "gzip;Q=1",
            "gzip;q=1.000",
            "*",
            "*;q=0.1",
            "identity;q=0, *",
            "*;q=0, gzip",
            ", ,gzip,",
            "gzip;q=0.9, *;q=0",
        ] {
            assert!(Accepted::of(yes).takes_gzip(), "{yes}");
        }
        for no in [
            "",
            "br",
            "identity",
            "xgzip",
            "gzipped",
            "gzip;q=0",
            "gzip;q=0.",
            "gzip;q=0.0",
            "gzip;q=0.000",
            "gzip; q=0",
            "gzip\t;\tQ=0",
            "br;q=1.0, gzip;q=0, *;q=0.5",
            "*;q=0",
            "gzip;q=0, gzip",
            "gzip, gzip;q=0",
            "gzip;q=-1",
            "gzip;q=2",
            "gzip;q=1.001",
            "gzip;q=0.0001",
            "gzip;q=",
            "gzip;q=yes",
            "gzip;level=9",
            "deflate;q=1, brgzip",
        ] {
            assert!(!Accepted::of(no).takes_gzip(), "{no}");
        }
    }

    #[test]
    fn the_dearer_coding_is_sent() {
        for (header, worth_it, not_worth_it) in [
            ("gzip", true, false),
            ("gzip;q=0.5, identity", false, false),
            ("gzip;q=0.5, identity;q=0.4", true, false),
            ("gzip;q=0.5, identity;q=0.5", true, false),
            ("gzip, identity;q=0", true, true),
            ("gzip;q=0.2, *;q=0", true, true),
            ("*;q=0", false, false),
            ("identity;q=0", false, false),
        ] {
            let accepted = Accepted::of(header);
            assert_eq!(
                (accepted.wants_gzip(true), accepted.wants_gzip(false)),
                (worth_it, not_worth_it),
                "{header}"
            );
        }
    }
}
