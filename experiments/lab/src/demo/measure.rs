// SPDX-License-Identifier: MIT
//! The 4 KiB experiment, run as a person would run it, and what follows from it.

use super::Demo;
use crate::job::Job;
use crate::scratch::Scratch;
use anyhow::{Context, Result, ensure};
use experiments::recommend::recommend;
use experiments::table;
use perf::result::Results;
use std::fs;
use std::path::Path;

/// Runs it, leaves results and report in `report`, and returns what it found.
pub fn run(demo: &Demo, scratch: &Scratch, report: &Path) -> Result<Results> {
    if report.exists() {
        fs::remove_dir_all(report).with_context(|| format!("remove {}", report.display()))?;
    }
    // What it makes on its way goes into our folder, and away with it.
    Job::new(demo.place.program("experiments"))
        .env("TMPDIR", scratch.path())
        .env("ZUS_RUNTIME_DIR", scratch.path().join("servers"))
        .args(["run", "fs4k", "--quick", "--out"])
        .arg(report)
        .arg("--zus")
        .arg(demo.place.program("zus"))
        .limit(300)
        .start(demo.log)?
        .success(|| progress(demo))?;
    let json = report.join("fs4k.json");
    let results = Results::read(&json).with_context(|| format!("read {}", json.display()))?;
    ensure!(!results.rows.is_empty(), "the experiment measured nothing");
    Ok(results)
}

/// Shows what the experiment says of its progress.
fn progress(demo: &Demo) {
    let line = demo.log.tail(1);
    if let Some(round) = line.strip_prefix("fs4k: ") {
        demo.show.update(format!("measuring 4 KiB operations: {round}"));
    }
}

/// The part of the results that a person asks for first, as one table: writes to a real file system.
pub fn summary(results: &Results) -> String {
    let mut few = results.clone();
    let of_interest =
        |row: &&perf::result::Row| row.fs.as_deref() == Some("pmemfs") && row.op.as_deref() == Some("write");
    few.rows = results.rows.iter().filter(of_interest).cloned().collect();
    few.ratios.clear();
    few.targets.clear();
    table::render(&few)
}

/// Which strategy to mount with, and why.
pub fn advice(results: &Results) -> String {
    // A mount is what every program can use; without one, what is left.
    let advised = ["fuse", "shm"]
        .into_iter()
        .find_map(|feeder| Some((feeder, recommend(results, Some(feeder))?)));
    match advised {
        Some((feeder, best)) => {
            format!(
                "I would mount with: -o relay={},feeder={feeder}\n{}",
                best.strategy, best.reason
            )
        }
        None => "too little could be measured to recommend a strategy".into(),
    }
}
