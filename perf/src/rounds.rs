// SPDX-License-Identifier: MIT
//! Comparison within one run. A machine's mood moves every time it takes by half, but two arms
//! measured within a second share the mood: so each round runs every arm once, a ratio is taken within
//! a round, and what is reported is the median of the rounds' ratios with its spread. An arm against
//! its own double (A against A) must give 1.00 before any other ratio is believed.

use serde::{Deserialize, Serialize};

/// Runs each of `arms` once a round: forwards in even rounds, backwards in odd ones, so that what
/// drifts slowly weighs on both arms of a pair alike. Gives the samples by arm, then by round.
///
/// # Errors
///
/// The first error of `run(arm, round)`.
pub fn interleave<T, E>(
    arms: usize,
    rounds: usize,
    mut run: impl FnMut(usize, usize) -> Result<T, E>,
) -> Result<Vec<Vec<T>>, E> {
    let mut samples: Vec<Vec<T>> = (0..arms).map(|_| Vec::with_capacity(rounds)).collect();
    for round in 0..rounds {
        for step in 0..arms {
            let arm = if round % 2 == 0 { step } else { arms - 1 - step };
            samples[arm].push(run(arm, round)?);
        }
    }
    Ok(samples)
}

/// The median of some rounds' figures, and the range that it is sure to lie in.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// The median.
    pub median: f64,
    /// The low end of a confidence interval of at least 95 % for the median that presumes no
    /// distribution (order statistics); of fewer than six figures, the least.
    pub low: f64,
    /// Its high end; of fewer than six figures, the greatest.
    pub high: f64,
    /// How many figures it rests on.
    pub rounds: usize,
}

impl Spread {
    /// Of these figures; `None` if there are none, or one is not a number.
    pub fn of(figures: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut sorted: Vec<f64> = figures.into_iter().collect();
        if sorted.is_empty() || sorted.iter().any(|figure| !figure.is_finite()) {
            return None;
        }
        sorted.sort_by(f64::total_cmp);
        let n = sorted.len();
        let median = (sorted[(n - 1) / 2] + sorted[n / 2]) / 2.0;
        let cut = trimmed(n);
        Some(Self {
            median,
            low: sorted[cut],
            high: sorted[n - 1 - cut],
            rounds: n,
        })
    }

    /// Of the ratios `of / to`, round by round.
    pub fn of_ratios(of: &[f64], to: &[f64]) -> Option<Self> {
        Self::of(of.iter().zip(to).map(|(of, to)| of / to))
    }
}

/// How many figures may be cut at each end of `n` so that the rest still holds the true median in at
/// least 95 of 100 cases: the sign test's interval, two tails of the binomial with a half.
fn trimmed(n: usize) -> usize {
    let mut tail = 0.5f64.powi(n as i32);
    let mut term = tail;
    let mut cut = 0;
    while 2.0 * tail <= 0.05 && 2 * (cut + 1) < n {
        cut += 1;
        term *= (n + 1 - cut) as f64 / cut as f64;
        tail += term;
    }
    // `tail` now counts one figure more than may be cut.
    cut.saturating_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::convert::Infallible;

    #[test]
    fn every_arm_runs_once_a_round_and_the_direction_alternates() {
        let mut order = Vec::new();
        let samples = interleave(3, 2, |arm, round| {
            order.push(arm);
            Ok::<_, Infallible>((arm, round))
        });
        assert_eq!(order, [0, 1, 2, 2, 1, 0]);
        assert_eq!(
            samples.unwrap(),
            [[(0, 0), (0, 1)], [(1, 0), (1, 1)], [(2, 0), (2, 1)]]
        );
    }

    #[test]
    fn an_error_ends_the_rounds() {
        let result = interleave(2, 9, |arm, round| if round == 1 { Err(arm) } else { Ok(()) });
        assert_eq!(result, Err(1));
    }

    #[test]
    fn the_median_of_ratios_not_the_ratio_of_medians() {
        // The machine slows down twofold in round 1: both arms do, and the ratio stays.
        let spread = Spread::of_ratios(&[10.0, 20.0, 10.0], &[5.0, 10.0, 5.0]).unwrap();
        assert_eq!(
            (spread.median, spread.low, spread.high, spread.rounds),
            (2.0, 2.0, 2.0, 3)
        );
    }

    #[test]
    fn the_interval_is_the_sign_tests() {
        // Known table of the 95 % interval's ranks, counted from 0.
        for (n, cut) in [
            (1, 0),
            (5, 0),
            (6, 0),
            (8, 0),
            (9, 1),
            (11, 1),
            (12, 2),
            (15, 3),
            (25, 7),
        ] {
            assert_eq!(trimmed(n), cut, "{n}");
        }
        let nine = Spread::of((1..=9).map(f64::from)).unwrap();
        assert_eq!((nine.median, nine.low, nine.high), (5.0, 2.0, 8.0));
    }

    #[test]
    fn figures_that_are_none_give_no_spread() {
        assert_eq!(Spread::of([]), None);
        assert_eq!(Spread::of_ratios(&[1.0], &[0.0]), None);
        assert_eq!(Spread::of([1.0, 2.0]).unwrap().median, 1.5);
    }
}
