//! Whatever the leases of a broadcast write, no poll of a playlist ever sees its sequence numbers go backwards.

use futures::FutureExt;
use headwater_domain::ports::WriteTimeline;
use headwater_domain::testing::parts::open_entry;
use headwater_domain::testing::samples;
use headwater_domain::timeline::{Entry, resolve};
use headwater_domain::{Lease, ports::ReadTimeline};
use proptest::prelude::*;

use crate::support::{Event, Harness};

/// What the writer of the timeline does next.
#[derive(Debug, Clone)]
enum Step {
    /// So many entries, the first one perhaps after a break.
    Write { entries: u64, discontinuity: bool },
    /// The next lease goes on; the old one had written so many entries that the new one did not see.
    Replace { unseen: u64 },
    /// A lease of the other region takes over and leaves so many numbers free.
    TakeOver { gap: u64 },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let write = (1..12_u64, any::<bool>())
        .prop_map(|(entries, discontinuity)| Step::Write { entries, discontinuity });
    let step = prop_oneof![
        4 => write,
        1 => (0..6_u64).prop_map(|unseen| Step::Replace { unseen }),
        1 => (2..15_u64).prop_map(|gap| Step::TakeOver { gap }),
    ];
    proptest::collection::vec(step, 1..14)
}

struct Writer {
    harness: Harness,
    lease: Lease,
    next: u64,
    breaks: u64,
    broken: bool,
    /// Whether segments are written in parts.
    low: bool,
    seen: Option<(u64, u64, u64)>,
    seen_low: (u64, u64),
}

impl Writer {
    fn write(&mut self) {
        self.breaks += u64::from(self.broken);
        let entry = Entry {
            lease: self.lease.clone(),
            discontinuity: self.broken,
            discontinuities: self.breaks,
            ..samples::entry(1, self.next)
        };
        if self.low {
            self.write_parts(&entry);
        }
        self.harness.table.commit(&entry).now_or_never().unwrap().unwrap();
        (self.next, self.broken) = (self.next + 1, false);
        self.poll();
    }

    fn write_parts(&mut self, closed: &Entry) {
        for parts in [1, 4] {
            let (discontinuity, discontinuities) = (closed.discontinuity, closed.discontinuities);
            let open =
                Entry { discontinuity, discontinuities, ..open_entry(&closed.lease, closed.number.0, parts) };
            self.harness.table.commit(&open).now_or_never().unwrap().unwrap();
            self.poll_low(closed.number.0);
        }
    }

    /// While a segment is open.
    fn poll_low(&mut self, open: u64) {
        let answer = self.harness.view(&Event::sample("playlist-low-latency")).now_or_never().unwrap();
        let text = answer.text();
        assert_eq!(answer.status.as_u16(), 200, "{text}");
        let list = m3u8_rs::parse_media_playlist(text.as_bytes()).unwrap().1;
        let (first, breaks) = (list.media_sequence, list.discontinuity_sequence);
        assert!(first >= self.seen_low.0 && breaks >= self.seen_low.1, "{:?}\n{text}", self.seen_low);
        assert!(self.seen.is_none_or(|(before, ..)| first >= before), "{:?}\n{text}", self.seen);
        assert_eq!(first + list.segments.len() as u64, open, "the open one comes right behind\n{text}");
        assert!(text.contains(&format!("/720p/{open}.0.m4s")), "{text}");
        let shown = text.matches("#EXT-X-DISCONTINUITY\n").count() as u64;
        assert_eq!(breaks + shown, self.breaks, "{text}");
        self.seen_low = (first, breaks);
    }

    fn poll(&mut self) {
        let answer = self.harness.view(&Event::sample("playlist-media")).now_or_never().unwrap();
        assert_eq!(answer.status.as_u16(), 200, "{}", answer.text());
        let text = answer.text();
        let list = m3u8_rs::parse_media_playlist(text.as_bytes()).unwrap().1;
        let (first, breaks) = (list.media_sequence, list.discontinuity_sequence);
        let shown = list.segments.iter().filter(|segment| segment.discontinuity).count() as u64;
        let total = breaks + shown;
        if let Some((before_first, before_breaks, _)) = self.seen {
            assert!(first >= before_first, "MEDIA-SEQUENCE {before_first} -> {first}\n{text}");
            assert!(breaks >= before_breaks, "DISCONTINUITY-SEQUENCE {before_breaks} -> {breaks}\n{text}");
        }
        // Numbers are places: the last segment's is what the timeline says.
        let all = self.harness.table.all(&samples::broadcast()).now_or_never().unwrap().unwrap();
        let newest = resolve(all).last().unwrap().number.0;
        assert_eq!(first + list.segments.len() as u64 - 1, newest, "{text}");
        assert_eq!(total, self.breaks, "every break is either shown or counted\n{text}");
        self.seen = Some((first, breaks, total));
    }

    fn next_lease(&mut self, other_region: bool) {
        let (a, b) = (samples::region_a(), samples::region_b());
        let region = match (self.lease.region == a, other_region) {
            (true, false) | (false, true) => a,
            _ => b,
        };
        self.lease = Lease { region, ..samples::lease(self.lease.number.0 + 1) };
    }
}

fn play(window_seconds: u32, low: bool, steps: Vec<Step>) {
    let harness =
        Harness::with(|stream| stream.settings.dvr_window_seconds = window_seconds).now_or_never().unwrap();
    let session = harness.allowed(1).now_or_never().unwrap();
    harness.heartbeat_live(&session).now_or_never().unwrap();
    let lease = harness.lease().now_or_never().unwrap();
    let mut writer =
        Writer { harness, lease, next: 0, breaks: 0, broken: false, low, seen: None, seen_low: (0, 0) };
    writer.write();
    for step in steps {
        match step {
            Step::Write { entries, discontinuity } => {
                writer.broken = discontinuity;
                (0..entries).for_each(|_| writer.write());
            }
            Step::Replace { unseen } => {
                let (next, breaks) = (writer.next, writer.breaks);
                (0..unseen).for_each(|_| writer.write());
                writer.next_lease(false);
                (writer.next, writer.breaks, writer.broken) = (next, breaks, true);
                writer.write();
            }
            Step::TakeOver { gap } => {
                writer.next_lease(true);
                (writer.next, writer.broken) = (writer.next + gap, true);
                writer.write();
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn sequence_numbers_never_go_backwards(window in prop_oneof![Just(12_u32), Just(20), Just(60)], low: bool, steps in steps()) {
        play(window, low, steps);
    }
}

#[test]
fn a_replaced_end_does_not_pull_the_window_back() {
    play(
        12,
        false,
        vec![
            Step::Write { entries: 20, discontinuity: false },
            Step::Replace { unseen: 5 },
            Step::Write { entries: 9, discontinuity: false },
        ],
    );
}

#[test]
fn many_replaced_ends_do_not_pull_the_window_back() {
    for low in [false, true] {
        let steps = vec![
            Step::Replace { unseen: 3 },
            Step::TakeOver { gap: 2 },
            Step::Write { entries: 7, discontinuity: false },
            Step::Replace { unseen: 5 },
            Step::Replace { unseen: 4 },
            Step::TakeOver { gap: 3 },
            Step::Write { entries: 11, discontinuity: false },
            Step::Replace { unseen: 4 },
        ];
        play(60, low, steps);
    }
}
