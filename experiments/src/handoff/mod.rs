// SPDX-License-Identifier: MIT
//! `handoff`: what does a hand-off cost?
//!
//! One thread asks with a number, another answers with it: through the relay by each strategy, and
//! through what programs use without it. Both on one CPU, on two, and on one that a third task wants.

mod descriptors;
mod relay;
mod verdicts;

use std::time::Duration;

use ::relay::Strategy;
use perf::calibrate::Calibration;
use perf::clock::Clock;
use perf::cpu::{Placement, Seats, seats};
use perf::exchange::{self, Answerer, Caller, Plan};
use perf::hog::Hog;
use perf::pairs::{Futex, Spin, Yield, nothing, pair};
use perf::result::Row;
use perf::sample::Sample;

use crate::bench::{Arm, Effort, measure};
use crate::experiment::{Outcome, Setting};

/// What it asks.
pub const QUESTION: &str =
    "What does a hand-off cost, by strategy and placement, against pipe, eventfd and futex?";

/// A way to hand over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Relay(Strategy),
    Pipe,
    Eventfd,
    Futex,
    BareSpin,
    BareYield,
    Empty,
}

/// One arm.
#[derive(Clone, Copy, Debug)]
struct Spec {
    way: Way,
    placement: Placement,
    hog: bool,
    is_shown: bool,
}

/// Measures.
///
/// # Errors
///
/// A mechanism that fails, an interrupt.
pub fn run(setting: &Setting) -> anyhow::Result<Outcome> {
    let mut outcome = setting.begin("handoff");
    let results = &mut outcome.results;
    let clock = Clock::new();
    results.calibration = Some(Calibration::measure(&clock));
    let window = ::relay::calibrate::window();
    results.notes.push(format!(
        "relay window for hybrid: {:.1} µs",
        window.as_nanos() as f64 / 1e3
    ));
    if seats(Placement::Cross).is_none() {
        results
            .notes
            .push("placement cross skipped: this process may use only one CPU".to_owned());
    }

    let arms = specs()
        .into_iter()
        .filter_map(|spec| spec.arm(&clock, &setting.effort, window))
        .collect();
    let measured = measure(&clock, &setting.effort, &setting.progress, results, arms)?;
    verdicts::judge(results, &measured);
    outcome.finish(measured)
}

/// All arms; those that are compared stand close together, so that they are measured close together.
fn specs() -> Vec<Spec> {
    let spec = |way, placement| Spec {
        way,
        placement,
        hog: false,
        is_shown: true,
    };
    let mut specs = vec![spec(Way::Empty, Placement::Same)];
    for placement in Placement::ALL {
        for way in [Way::Pipe, Way::Eventfd, Way::Futex] {
            specs.push(spec(way, placement));
        }
        if placement == Placement::Same {
            specs.push(spec(Way::BareYield, placement));
        }
        let order = [
            Strategy::Waitqueue,
            Strategy::Yield,
            Strategy::Park,
            Strategy::Hybrid,
            Strategy::Spin,
        ];
        specs.extend(order.map(|strategy| spec(Way::Relay(strategy), placement)));
        specs.push(spec(Way::BareSpin, placement));
        // A against A: the double of one arm for each placement.
        let double = match placement {
            Placement::Same => Way::Futex,
            Placement::Cross => Way::BareSpin,
        };
        specs.push(Spec {
            is_shown: false,
            ..spec(double, placement)
        });
    }
    let with_hog = [Strategy::Park, Strategy::Hybrid, Strategy::Yield];
    specs.extend(with_hog.map(|strategy| Spec {
        hog: true,
        ..spec(Way::Relay(strategy), Placement::Same)
    }));
    specs
}

impl Spec {
    fn row(self) -> Row {
        let (mechanism, strategy) = match self.way {
            Way::Relay(strategy) => ("relay", Some(strategy.to_string())),
            Way::Pipe => ("pipe", None),
            Way::Eventfd => ("eventfd", None),
            Way::Futex => ("futex", None),
            Way::BareSpin => ("bare-spin", None),
            Way::BareYield => ("bare-yield", None),
            Way::Empty => ("empty", None),
        };
        let hog = if self.hog { "+hog" } else { "" };
        // Nothing is handed over where nothing is done, so that has no placement.
        let placement = (self.way != Way::Empty).then(|| format!("{}{hog}", self.placement));
        Row {
            mechanism: mechanism.to_owned(),
            strategy,
            placement,
            ..Row::default()
        }
    }

    /// The arm; `None` if this machine has no second CPU for it.
    fn arm<'a>(self, clock: &'a Clock, effort: &'a Effort, window: Duration) -> Option<Arm<'a>> {
        let seats = seats(self.placement)?;
        let run = move |count| {
            let _hog = self.hog.then(|| Hog::on(seats.caller)).transpose()?;
            self.take(clock, self.plan(effort, seats, count), window)
                .map_err(anyhow::Error::from)
        };
        Some(Arm {
            row: self.row(),
            is_shown: self.is_shown,
            run: Box::new(run),
        })
    }

    fn plan(self, effort: &Effort, seats: Seats, count: bool) -> Plan {
        let spins_in_place = matches!(self.way, Way::Relay(Strategy::Spin) | Way::BareSpin)
            && self.placement == Placement::Same;
        let mut plan = Plan {
            seats,
            warm_up: effort.warm_up,
            measured: effort.each,
            pace: effort.pace,
            count,
        };
        if spins_in_place || self.hog {
            // A hand-off takes time slices here, milliseconds: one is warm-up enough.
            plan.warm_up.ops = plan.warm_up.ops.min(1);
            plan.measured.time *= 2;
        }
        plan
    }

    fn take(self, clock: &Clock, plan: Plan, window: Duration) -> std::io::Result<Sample> {
        fn run(
            clock: &Clock,
            plan: &Plan,
            ends: (impl Caller, impl Answerer),
            calls: &dyn Fn() -> Option<u64>,
        ) -> std::io::Result<Sample> {
            exchange::run(clock, plan, ends.0, ends.1, calls)
        }
        let plan = &plan;
        match self.way {
            Way::Relay(strategy) => {
                let (asks, answers, counted) = relay::pair(strategy, window)?;
                run(clock, plan, (asks, answers), &|| Some(counted.calls()))
            }
            Way::Pipe => run(clock, plan, descriptors::pipes()?, &|| None),
            Way::Eventfd => run(clock, plan, descriptors::eventfds()?, &|| None),
            Way::Futex => {
                let ends = pair::<Futex>();
                let calls = ends.0.calls();
                run(clock, plan, ends, &|| Some(calls.count()))
            }
            Way::BareSpin => run(clock, plan, pair::<Spin>(), &|| Some(0)),
            Way::BareYield => run(clock, plan, pair::<Yield>(), &|| Some(0)),
            Way::Empty => run(clock, plan, nothing(), &|| Some(0)),
        }
    }
}

#[cfg(test)]
mod tests;
