//! Times as our JSON has them: RFC 3339, UTC. Must not know what they are the times of.

use headwater_domain::Timestamp;
use time::OffsetDateTime;
use time::UtcOffset;
use time::format_description::well_known::Rfc3339;

/// Writes RFC 3339.
pub(crate) fn date(at: Timestamp) -> String {
    let nanos = i128::from(at.0) * 1_000_000;
    let date = OffsetDateTime::from_unix_timestamp_nanos(nanos).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    date.format(&Rfc3339).unwrap_or_default()
}

/// Reads RFC 3339: what [`date`] can write, in any offset.
pub(crate) fn parse_date(text: &str) -> Option<Timestamp> {
    // The last hours of the year 9999 can be in the year 10000 of UTC, which RFC 3339 cannot write.
    let date = OffsetDateTime::parse(text, &Rfc3339).ok()?.checked_to_offset(UtcOffset::UTC)?;
    u64::try_from(date.unix_timestamp_nanos() / 1_000_000).ok().map(Timestamp)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_can_be_written() {
        for (text, written) in [
            ("2030-01-31T12:00:00Z", Some("2030-01-31T12:00:00Z")),
            ("2030-01-31T12:00:00.5+02:00", Some("2030-01-31T10:00:00.5Z")),
            ("9999-12-31T23:59:59Z", Some("9999-12-31T23:59:59Z")),
            ("9999-12-31T23:59:59-01:00", None),
            ("1969-12-31T23:59:59Z", None),
            ("2030-01-31", None),
        ] {
            assert_eq!(parse_date(text).map(date).as_deref(), written, "{text}");
        }
    }
}
