// SPDX-License-Identifier: MIT
//! The whole distribution of a time, kept to three digits from 1 ns to a minute.
//!
//! The HdrHistogram tools read both forms that leave here: the interval log ([`write_log`]) and the
//! encoded line in a result ([`Histogram::encode`], the V2 deflate form in base64).

use std::fmt;
use std::io::{self, Write};
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::serialization::interval_log::{IntervalLogWriterBuilder, Tag};
use hdrhistogram::serialization::{Deserializer, Serializer, V2DeflateSerializer};
use serde::{Deserialize, Serialize};

/// The longest time that is told apart; longer ones count as this.
const LONGEST_NS: u64 = 60_000_000_000;

/// Times of one kind of operation.
#[derive(Clone)]
pub struct Histogram(hdrhistogram::Histogram<u64>);

/// What a table says of a distribution, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// How many times were recorded.
    pub n: u64,
    /// The shortest.
    pub min_ns: u64,
    /// The median.
    pub p50_ns: u64,
    /// One in ten is longer.
    pub p90_ns: u64,
    /// One in a hundred is longer.
    pub p99_ns: u64,
    /// One in a thousand is longer.
    pub p999_ns: u64,
    /// One in ten thousand is longer.
    pub p9999_ns: u64,
    /// The longest.
    pub max_ns: u64,
    /// The mean: it moves more between runs than the median does, so nothing is gated on it.
    pub mean_ns: f64,
}

impl Histogram {
    /// An empty one.
    pub fn new() -> Self {
        Self(hdrhistogram::Histogram::new_with_bounds(1, LONGEST_NS, 3).expect("bounds that fit"))
    }

    /// Counts one time.
    #[inline]
    pub fn record(&mut self, ns: u64) {
        self.0.saturating_record(ns);
    }

    /// Counts all of `other`'s times too.
    pub fn merge(&mut self, other: &Histogram) {
        self.0.add(&other.0).expect("one pair of bounds for all");
    }

    /// How many times were recorded.
    pub fn count(&self) -> u64 {
        self.0.len()
    }

    /// The time that `share` of all (0 to 1) do not exceed, in nanoseconds; 0 if there are none.
    pub fn quantile(&self, share: f64) -> u64 {
        self.0.value_at_quantile(share)
    }

    /// Its figures, or `None` if nothing was recorded: an empty distribution has no median.
    ///
    /// A high percentile of few times is the maximum; `n` says so.
    pub fn summary(&self) -> Option<Summary> {
        (self.count() > 0).then(|| Summary {
            n: self.count(),
            min_ns: self.0.min(),
            p50_ns: self.quantile(0.5),
            p90_ns: self.quantile(0.9),
            p99_ns: self.quantile(0.99),
            p999_ns: self.quantile(0.999),
            p9999_ns: self.quantile(0.9999),
            max_ns: self.0.max(),
            mean_ns: self.0.mean(),
        })
    }

    /// The curve of a percentile plot: (share of all, nanoseconds), finer towards 1, ending before it.
    pub fn curve(&self) -> Vec<(f64, u64)> {
        let all = self.count() as f64;
        self.0
            .iter_quantiles(5)
            .map(|step| (step.quantile_iterated_to(), step.value_iterated_to()))
            // Beyond 1 - 1/n lies a single time: no percentile can be told there.
            .filter(|(share, _)| 1.0 - share >= 1.0 / all)
            .collect()
    }

    /// As text: the HdrHistogram V2 deflate form, in base64.
    pub fn encode(&self) -> String {
        let mut bytes = Vec::new();
        V2DeflateSerializer::new()
            .serialize(&self.0, &mut bytes)
            .expect("a vector takes any histogram");
        STANDARD.encode(&bytes)
    }

    /// Reads [`Histogram::encode`]'s text back, or `None` if it is none.
    pub fn decode(text: &str) -> Option<Self> {
        let bytes = STANDARD.decode(text).ok()?;
        let read: hdrhistogram::Histogram<u64> = Deserializer::new().deserialize(&mut &bytes[..]).ok()?;
        let mut own = Self::new();
        own.0.add(read).ok()?;
        Some(own)
    }
}

impl fmt::Debug for Histogram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Histogram").field(&self.summary()).finish()
    }
}

impl Default for Histogram {
    fn default() -> Self {
        Self::new()
    }
}

/// One stretch of a measurement, for the log.
#[derive(Clone, Debug)]
pub struct Interval {
    /// What was measured, such as `relay/park/same`. Commas and spaces become underscores.
    pub tag: String,
    /// When it began, from the start of the run.
    pub start: Duration,
    /// How long it took.
    pub duration: Duration,
    /// Its times.
    pub histogram: Histogram,
}

/// Writes an HdrHistogram interval log: `HistogramLogProcessor` and the like read it. Values are in
/// nanoseconds, the column of maxima in microseconds.
///
/// # Errors
///
/// What `to` returns.
pub fn write_log(to: &mut impl Write, began: SystemTime, intervals: &[Interval]) -> io::Result<()> {
    let mut serializer = V2DeflateSerializer::new();
    let mut log = IntervalLogWriterBuilder::new()
        .add_comment("times in nanoseconds; maxima in microseconds")
        .with_start_time(began)
        .with_base_time(began)
        .with_max_value_divisor(1_000.0)
        .begin_log_with(to, &mut serializer)?;
    for interval in intervals {
        let tag = interval.tag.replace([',', ' '], "_");
        log.write_histogram(
            &interval.histogram.0,
            interval.start,
            interval.duration,
            Tag::new(&tag),
        )
        .map_err(io::Error::other)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};

    fn ramp() -> Histogram {
        let mut histogram = Histogram::new();
        (1..=10_000).for_each(|ns| histogram.record(ns));
        histogram
    }

    /// Three digits are kept.
    fn close(got: u64, want: u64) -> bool {
        got.abs_diff(want) * 1_000 <= want
    }

    #[test]
    fn percentiles_of_a_ramp() {
        let summary = ramp().summary().unwrap();
        assert_eq!((summary.n, summary.min_ns), (10_000, 1));
        assert!(close(summary.p50_ns, 5_000), "{summary:?}");
        assert!(close(summary.p90_ns, 9_000), "{summary:?}");
        assert!(close(summary.p99_ns, 9_900), "{summary:?}");
        assert!(close(summary.p999_ns, 9_990), "{summary:?}");
        assert!(close(summary.p9999_ns, 9_999), "{summary:?}");
        assert!(close(summary.max_ns, 10_000), "{summary:?}");
        assert!((summary.mean_ns - 5_000.5).abs() < 5.0, "{summary:?}");
    }

    #[test]
    fn nothing_recorded_has_no_figures() {
        assert_eq!(Histogram::new().summary(), None);
        assert!(Histogram::new().curve().is_empty());
    }

    #[test]
    fn a_time_beyond_the_scale_still_counts() {
        let mut histogram = Histogram::new();
        histogram.record(u64::MAX);
        histogram.record(0);
        assert_eq!(histogram.count(), 2);
        assert!(histogram.summary().unwrap().max_ns >= LONGEST_NS / 2);
    }

    #[test]
    fn text_and_back() {
        let again = Histogram::decode(&ramp().encode()).unwrap();
        assert_eq!(again.summary(), ramp().summary());
        assert!(Histogram::decode("AAAA").is_none());
    }

    #[test]
    fn the_curve_rises_and_stops_where_single_times_begin() {
        let curve = ramp().curve();
        assert!(curve.len() > 20);
        assert!(curve.windows(2).all(|w| w[0].0 < w[1].0 && w[0].1 <= w[1].1));
        assert!(curve.last().unwrap().0 <= 1.0 - 1.0 / 10_000.0);
    }

    #[test]
    fn the_log_is_read_back_by_the_histogram_crate() {
        let mut log = Vec::new();
        let interval = Interval {
            tag: "relay, park".into(),
            start: Duration::from_millis(250),
            duration: Duration::from_millis(10),
            histogram: ramp(),
        };
        write_log(&mut log, SystemTime::UNIX_EPOCH, &[interval]).unwrap();
        let entries: Vec<_> = IntervalLogIterator::new(&log).map(Result::unwrap).collect();
        let found = entries.iter().find_map(|entry| match entry {
            LogEntry::Interval(interval) => Some(interval),
            _ => None,
        });
        let found = found.expect("an interval");
        assert_eq!(found.tag().unwrap().as_str(), "relay__park");
        let histogram = Histogram::decode(found.encoded_histogram()).unwrap();
        assert_eq!(histogram.summary(), ramp().summary());
    }
}
