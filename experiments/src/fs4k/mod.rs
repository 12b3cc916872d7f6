// SPDX-License-Identifier: MIT
//! `fs4k`: what does a 4 KiB operation cost through each feeder?
//!
//! The server is a process of its own. A thread writes and reads 4 KiB at random places of a file on it,
//! with O_DIRECT and O_SYNC: through the kernel's FUSE, or through shared memory; the server's one worker
//! sits on the same CPU or on another. Of a write with O_SYNC the kernel's FUSE makes two requests, so
//! a full run also asks what a write costs that is one request everywhere.

mod arms;
mod blocks;
mod mounted;
mod scratch;
mod server;
mod stage;
mod verdicts;

use perf::calibrate::Calibration;
use perf::clock::Clock;
use perf::cpu::{Placement, seats};

use self::stage::Stage;
use crate::bench::measure;
use crate::experiment::{Outcome, Setting};

/// What it asks.
pub const QUESTION: &str =
    "What does a 4 KiB write or read cost through each feeder, by strategy and placement?";

/// Measures.
///
/// # Errors
///
/// No `zus` command, nothing that can be mounted, an operation that fails, an interrupt. Nothing stays
/// mounted.
pub fn run(setting: &Setting) -> anyhow::Result<Outcome> {
    let mut outcome = setting.begin("fs4k");
    let results = &mut outcome.results;
    let clock = Clock::new();
    results.calibration = Some(Calibration::measure(&clock));
    let spin_us = relay::calibrate::window().as_micros();
    results
        .notes
        .push(format!("relay window for hybrid: {spin_us} µs"));
    if seats(Placement::Cross).is_none() {
        let note = "placement cross skipped: this process may use only one CPU";
        results.notes.push(note.to_owned());
    }
    let stage = Stage::build(setting, spin_us)?;
    results.notes.extend(stage.notes.iter().cloned());

    let arms = arms::all(&stage, &clock, &setting.effort);
    let measured = measure(&clock, &setting.effort, &setting.progress, results, arms)?;
    verdicts::judge(results, &measured);
    outcome.finish(measured)
}
