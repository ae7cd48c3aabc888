//! What a stream and a viewer cost in an hour, computed from what the other parts measured and the price table.

use super::Bench;
use super::cold::memory_of;
use super::prices::Prices;
use super::report::{Report, Row, Section};

/// Fargate sizes that the template offers, vCPUs; memory is the least that it allows, 2 GB each.
const SIZES: [f64; 4] = [1.0, 2.0, 4.0, 8.0];
/// Of a task's CPU a stream may need at most this share: hard pictures, and catching up.
const FULL: f64 = 0.7;
/// Write units of an entry of the timeline with five renditions, below a kilobyte (docs/adr/0010).
const WRITE_UNITS: f64 = 1.0;
/// Read units of a playlist of a minute, and of a blocking one with its looks (docs/adr/0010).
const READ_UNITS: [f64; 2] = [9.0, 14.0];
/// Four renditions of pictures, one of sound: all are watched.
const RENDITIONS: f64 = 5.0;
/// How long an answer takes that need not wait, seconds; generous.
const ANSWER: f64 = 0.02;
const BUDGETS: [f64; 2] = [0.25, 0.50];

/// Memory of a function, GB.
fn memory_gb(function: &str) -> anyhow::Result<f64> {
    Ok(f64::from(memory_of(function)?) / 1_024.0)
}

/// One kind of stream.
struct Kind<'a> {
    height: u32,
    /// Which case of the transcode part.
    case: &'a str,
    what: &'a str,
    low: bool,
    /// Whether the media are written to both regions' buckets.
    mirror: bool,
}

struct Sums<'a> {
    prices: Prices,
    report: &'a Report,
}

pub(crate) fn measure(bench: &mut Bench) -> anyhow::Result<Section> {
    let sums = Sums { prices: Prices::read()?, report: &bench.report };
    let (region, as_of) = (&sums.prices.region, &sums.prices.as_of);
    let title = format!("Cost in dollars, {region}, prices as of {as_of}");
    let mut section = Section::new("cost", title);
    let copied = "1080p30, top rung copied";
    let kind = |height, case, what, low, mirror| Kind { height, case, what, low, mirror };
    let kinds = [
        kind(1_080, "copy", copied, false, true),
        kind(1_080, "copy", copied, false, false),
        kind(1_080, "copy", copied, true, true),
        kind(1_080, "copy", copied, true, false),
        kind(1_080, "encode-4", "1080p30, four rungs encoded", false, true),
        kind(720, "copy", "720p30, top rung copied", false, true),
        kind(720, "copy", "720p30, top rung copied", false, false),
    ];
    for kind in kinds {
        sums.stream_hour(&kind, &mut section.rows)?;
    }
    for (rung, ivs, medialive_kbps) in
        [("720p", "ivs_output_hd_hour", 2_828.0), ("1080p", "ivs_output_full_hd_hour", 4_228.0)]
    {
        sums.viewer_hour(rung, ivs, medialive_kbps, &mut section.rows)?;
    }
    Ok(section)
}

impl Sums<'_> {
    fn stream_hour(&self, kind: &Kind<'_>, rows: &mut Vec<Row>) -> anyhow::Result<()> {
        let Kind { height, case, what, low, mirror } = kind;
        let mode = if *low { "low" } else { "standard" };
        let measured = |name: &str| self.report.fact(name);
        let price = |name: &str| self.prices.of(name);
        let of_mode = |name: &str| measured(&format!("requests.{mode}.{name}"));
        let needs = measured(&format!("transcode.{height}.{case}.cpu"))?;
        let size = SIZES.into_iter().find(|size| needs <= size * FULL).unwrap_or(SIZES[3]);
        let task = size * price("fargate_arm_vcpu_hour")? + size * 2.0 * price("fargate_arm_gb_hour")?;
        let gigabytes = measured(&format!("transcode.{height}.{case}.bytes_per_second"))? * 3_600.0 / 1e9;
        // Segments are mirrored, parts never; half of a standard stream's objects are the mirror's.
        let copies = if *mirror { 0.0 } else { measured("requests.standard.objects")? / 2.0 };
        let objects = of_mode("objects")? - copies;
        let (buckets, crossing) = if *mirror { (2.0, gigabytes) } else { (1.0, 0.0) };
        let call = |memory: f64, seconds: f64| -> anyhow::Result<f64> {
            let lambda = price("lambda_request")? + memory * seconds * price("lambda_arm_gb_second")?;
            Ok(price("http_api_request")? + lambda)
        };
        // Standard playlists live a second in the cache; of blocking ones each is held until the next is asked for.
        let (asked, held) = if *low {
            let asked = measured("latency.low.playlists")? / 2.0 * RENDITIONS;
            (asked, 3_600.0 * RENDITIONS / asked)
        } else {
            (3_600.0 * RENDITIONS, ANSWER)
        };
        let units = READ_UNITS[usize::from(*low)];
        let playlists = asked * (call(memory_gb("playlist")?, held)? + units * price("dynamodb_read")?);
        let writes = of_mode("writes")? * WRITE_UNITS * 2.0 * price("dynamodb_replicated_write")?;
        let items = [
            (
                format!("task of {size} vCPU, {} GB (needs {needs:.2})", size * 2.0),
                task + price("public_ipv4_hour")?,
            ),
            (
                format!("{objects:.0} objects put, read once by the edge"),
                objects * (price("s3_put")? + price("s3_get")?),
            ),
            (format!("{crossing:.1} GB to the other region"), crossing * price("inter_region_gb")?),
            ("a day in the buckets".to_owned(), gigabytes * buckets * price("s3_gb_month")? / 30.0),
            ("table writes, both regions".to_owned(), writes),
            ("hooks".to_owned(), of_mode("hooks")? * call(memory_gb("hooks")?, ANSWER)?),
            (format!("{asked:.0} playlists, all renditions watched"), playlists),
        ];
        let total: f64 = items.iter().map(|(_, dollars)| dollars).sum();
        let where_to = if *mirror { "both buckets" } else { "one bucket" };
        let name = format!("stream-hour {what}, {mode} latency, {where_to}");
        for (item, dollars) in items.into_iter().filter(|_| *mirror) {
            rows.push(Row::new(format!("{name}: {item}"), dollars, "$"));
        }
        let total = Row::new(format!("**{name}**"), total, "$");
        let judged = total.clone().at_most(BUDGETS[usize::from(*low)]);
        rows.push(judged.against("Amazon IVS, standard channel", price("ivs_standard_input_hour")?));
        let (hd, sd) = if *height > 720 { (2.0, 2.0) } else { (1.0, 2.0) };
        let medialive = price("medialive_hd_input_hour")?
            + hd * price("medialive_hd_output_hour")?
            + sd * price("medialive_sd_output_hour")?;
        rows.push(total.against("MediaLive, one pipeline", medialive));
        Ok(())
    }

    fn viewer_hour(&self, rung: &str, ivs: &str, kbps: f64, rows: &mut Vec<Row>) -> anyhow::Result<()> {
        let second = |name: &str| self.report.fact(&format!("transcode.1080.copy.{name}.bytes_per_second"));
        let gigabytes = (second(rung)? + second("audio")?) * 3_600.0 / 1e9;
        let delivery = self.prices.of("cloudfront_gb")?;
        for mode in ["standard", "low"] {
            let requests = self.report.fact(&format!("latency.{mode}.requests"))?;
            let dollars = gigabytes * delivery + requests * self.prices.of("cloudfront_https_request")?;
            let what =
                format!("viewer-hour {rung}, {mode} latency ({gigabytes:.2} GB, {requests:.0} requests)");
            let row = Row::new(what, dollars, "$");
            rows.push(row.clone().against("Amazon IVS", self.prices.of(ivs)?));
            let peer = kbps * 3_600.0 / 8e6 * delivery;
            rows.push(row.against("MediaLive's example ladder by CloudFront, bytes only", peer));
        }
        Ok(())
    }
}
