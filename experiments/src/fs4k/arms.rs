// SPDX-License-Identifier: MIT
//! The arms: each feeder by each strategy at each placement, and beside them what no hand-off costs.

use std::fs::File;
use std::io;

use perf::clock::Clock;
use perf::cpu::{Placement, pin, seats};
use perf::pace::{self, Pace};
use perf::result::Row;
use perf::sample::{self, Sample, Watch};
use perf::usage::Task;
use relay::Strategy;

use super::blocks::{Blocks, Op, Walk};
use super::mounted::{Mounted, Open};
use super::stage::{FILE_SYSTEMS, Stage};
use crate::bench::{Arm, Effort};

/// All of them; those that are compared stand close together.
pub fn all<'a>(stage: &'a Stage, clock: &'a Clock, effort: &'a Effort) -> Vec<Arm<'a>> {
    let how = How { clock, effort };
    let mut arms = vec![how.nothing()];
    for op in Op::ALL {
        if let Some(file) = stage.tmpfs.as_ref().filter(|_| op != Op::WriteOnly) {
            arms.push(how.in_kernel(file, op));
        }
        for fs in FILE_SYSTEMS {
            // What the transport alone does to a write is asked of one file system.
            if op == Op::WriteOnly && (fs != "nullfs" || effort.quick) {
                continue;
            }
            for placement in Placement::ALL {
                let of = |mounted: &&Mounted| mounted.fs == fs && mounted.placement == placement;
                for mounted in stage.mounted.iter().filter(of) {
                    arms.extend(Strategy::ALL.map(|strategy| how.through(mounted, strategy, op)));
                    if fs == "nullfs" && op == Op::Write {
                        // A against A.
                        let double = how.through(mounted, Strategy::Hybrid, op);
                        arms.push(Arm {
                            is_shown: false,
                            ..double
                        });
                    }
                }
            }
        }
    }
    arms
}

/// How arms are run.
#[derive(Clone, Copy)]
struct How<'a> {
    clock: &'a Clock,
    effort: &'a Effort,
}

impl<'a> How<'a> {
    /// The harness alone.
    fn nothing(self) -> Arm<'a> {
        let mechanism = "empty".to_owned();
        let run = move |count| self.alone(count, |_| Ok(()));
        Arm {
            row: Row {
                mechanism,
                ..Row::default()
            },
            is_shown: true,
            run: Box::new(run),
        }
    }

    /// A file system of the kernel's own, in memory.
    fn in_kernel(self, file: &'a File, op: Op) -> Arm<'a> {
        let mut walk = Walk::new();
        let mut is_filled = false;
        let run = move |count| {
            if !is_filled {
                walk.fill(file, true)?;
                is_filled = true;
            }
            self.alone(count, |_| walk.step(file, op))
        };
        Arm {
            row: row("tmpfs", op, "kernel"),
            is_shown: true,
            run: Box::new(run),
        }
    }

    /// Through a feeder to a server.
    fn through(self, mounted: &'a Mounted, strategy: Strategy, op: Op) -> Arm<'a> {
        let row = Row {
            strategy: Some(strategy.to_string()),
            placement: Some(mounted.placement.to_string()),
            ..row(mounted.fs, op, mounted.feeder.name())
        };
        let mut walk = Walk::new();
        let run = move |count| {
            let _set = mounted.set(strategy)?;
            // To ask a server for its counts costs it more than a hand-off: only in the round that counts.
            let calls = || if count { mounted.calls() } else { None };
            let server = Task::Process(mounted.server.pid());
            let watch = Watch {
                answerer: Some(server),
                calls: &calls,
                count,
            };
            match &mounted.open {
                Open::Kernel(files) => self.steps(&mut walk, files.of(op), op, watch),
                Open::Memory(_, files) => self.steps(&mut walk, files.of(op), op, watch),
            }
        };
        Arm {
            row,
            is_shown: true,
            run: Box::new(run),
        }
    }

    fn steps(self, walk: &mut Walk, file: &impl Blocks, op: Op, watch: Watch<'_>) -> anyhow::Result<Sample> {
        self.take(watch, |_| walk.step(file, op))
    }

    /// With nobody on the other side.
    fn alone(self, count: bool, op: impl FnMut(u64) -> io::Result<()>) -> anyhow::Result<Sample> {
        self.take(
            Watch {
                answerer: None,
                calls: &|| Some(0),
                count,
            },
            op,
        )
    }

    /// From the caller's seat, after a warm-up.
    fn take(self, watch: Watch<'_>, mut op: impl FnMut(u64) -> io::Result<()>) -> anyhow::Result<Sample> {
        let _pinned = seats(Placement::Same)
            .map(|seats| pin(seats.caller))
            .transpose()?;
        pace::run(self.clock, Pace::Closed, self.effort.warm_up, &mut op)?;
        Ok(sample::take(
            self.clock,
            self.effort.pace,
            self.effort.each,
            watch,
            op,
        )?)
    }
}

fn row(fs: &str, op: Op, mechanism: &str) -> Row {
    Row {
        fs: Some(fs.to_owned()),
        op: Some(op.name().to_owned()),
        mechanism: mechanism.to_owned(),
        ..Row::default()
    }
}
