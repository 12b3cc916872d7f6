// SPDX-License-Identifier: MIT
//! The loop that every experiment shares: arms, run in interleaved rounds, with the platform's noise
//! sampled between them and one round more at the start whose times nobody sees, for what disturbs
//! them (perf-event) and for everything that happens only once.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use perf::clock::Clock;
use perf::histogram::Interval;
use perf::noise::{Noise, stolen_ms};
use perf::pace::{Bounds, Pace};
use perf::result::{Ratio, Results, Row};
use perf::rounds::interleave;
use perf::sample::Sample;

use crate::interrupt;
use crate::progress::Progress;

/// How much of everything.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// Rounds, beside the one that counts.
    pub rounds: usize,
    /// Of one arm in one round: operations and time, whichever ends first.
    pub each: Bounds,
    /// Before each of these.
    pub warm_up: Bounds,
    /// When operations start.
    pub pace: Pace,
    /// Whether this is for orientation only.
    pub quick: bool,
}

impl Effort {
    /// Enough for a verdict on a quiet machine.
    pub fn full() -> Self {
        Self {
            rounds: 9,
            each: Bounds {
                ops: 20_000,
                time: Duration::from_millis(200),
            },
            warm_up: Bounds {
                ops: 500,
                time: Duration::from_millis(20),
            },
            pace: Pace::Closed,
            quick: false,
        }
    }

    /// Enough to see the order of things.
    pub fn quick() -> Self {
        Self {
            rounds: 3,
            each: Bounds {
                ops: 3_000,
                time: Duration::from_millis(40),
            },
            warm_up: Bounds {
                ops: 100,
                time: Duration::from_millis(5),
            },
            quick: true,
            ..Self::full()
        }
    }
}

/// Something to be measured, again and again.
pub struct Arm<'a> {
    /// What names it; the figures are filled in later.
    pub row: Row,
    /// Whether its row belongs in the table: the second of an A/A pair does not.
    pub is_shown: bool,
    /// Runs it once.
    pub run: RunArm<'a>,
}

/// Runs an arm once: with perf-event counting along, or for its times.
pub type RunArm<'a> = Box<dyn FnMut(bool) -> anyhow::Result<Sample> + 'a>;

impl std::fmt::Debug for Arm<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Arm")
            .field("row", &self.row.name())
            .finish_non_exhaustive()
    }
}

/// All that was measured.
#[derive(Debug)]
pub struct Measured {
    names: Vec<String>,
    samples: Vec<Vec<Sample>>,
    harness_ns: Option<f64>,
    /// Each arm in each round, for the log.
    pub intervals: Vec<Interval>,
}

/// Runs all arms and fills `results` with their rows.
///
/// # Errors
///
/// The first arm that fails, by its name; an interrupt.
pub fn measure(
    clock: &Clock,
    effort: &Effort,
    progress: &Progress,
    results: &mut Results,
    mut arms: Vec<Arm<'_>>,
) -> anyhow::Result<Measured> {
    let names: Vec<String> = arms.iter().map(|arm| arm.row.name()).collect();
    let mut noise = Noise::default();
    let mut intervals = Vec::new();
    let (began, stolen) = (Instant::now(), stolen_ms());
    progress.steps(arms.len() * (effort.rounds + 1));

    let mut one = |arm: usize, count: bool| -> anyhow::Result<Sample> {
        interrupt::check()?;
        progress.step(&names[arm]);
        (arms[arm].run)(count).with_context(|| names[arm].clone())
    };
    let counted = (0..names.len())
        .map(|arm| one(arm, true))
        .collect::<Result<Vec<_>, _>>()?;
    let mut shown_round = None;
    let samples = interleave(
        names.len(),
        effort.rounds,
        |arm, round| -> anyhow::Result<Sample> {
            if shown_round.replace(round) != Some(round) {
                progress.round(round, effort.rounds);
            }
            noise.sample(clock, Duration::from_millis(1));
            let start = began.elapsed();
            let sample = one(arm, false)?;
            intervals.push(Interval {
                tag: names[arm].clone(),
                start,
                duration: sample.paced.elapsed,
                histogram: sample.paced.histogram.clone(),
            });
            Ok(sample)
        },
    )?;

    let rows = arms
        .into_iter()
        .zip(&samples)
        .zip(&counted)
        .filter(|((arm, _), _)| arm.is_shown);
    results.rows.extend(rows.map(|((arm, samples), counted)| {
        let figures = Row::of_samples(samples).counted(counted);
        let Row {
            fs,
            op,
            mechanism,
            strategy,
            placement,
            ..
        } = arm.row;
        Row {
            fs,
            op,
            mechanism,
            strategy,
            placement,
            ..figures
        }
    }));
    let stolen = stolen_ms()
        .zip(stolen)
        .map(|(now, then)| now.saturating_sub(then));
    results.noise = noise.summary(stolen);
    let harness_ns = results
        .rows
        .iter()
        .find(|row| row.mechanism == "empty")
        .and_then(|row| row.p50_ns);
    Ok(Measured {
        names,
        samples,
        harness_ns: harness_ns.map(|ns| ns as f64),
        intervals,
    })
}

impl Measured {
    /// Compares two arms by name; `None` if either was not measured.
    pub fn ratio(&self, of: &str, to: &str) -> Option<Ratio> {
        let of = self.arm(of)?;
        let to = self.arm(to)?;
        Some(self.between(of, to))
    }

    /// Compares an arm with its double, which has the same name: 1.00 unless the harness is unfair.
    pub fn against_itself(&self, name: &str) -> Option<Ratio> {
        let first = self.arm(name)?;
        let double = first + 1 + self.names[first + 1..].iter().position(|other| other == name)?;
        let mut ratio = self.between(double, first);
        ratio.of += " (again)";
        Some(ratio)
    }

    fn arm(&self, name: &str) -> Option<usize> {
        self.names.iter().position(|other| other == name)
    }

    fn between(&self, of: usize, to: usize) -> Ratio {
        let arm = |at: usize| (&*self.names[at], &*self.samples[at]);
        Ratio::between(arm(of), arm(to), self.harness_ns)
    }
}
