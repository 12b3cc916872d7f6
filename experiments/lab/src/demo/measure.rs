// SPDX-License-Identifier: MIT
//! The 4 KiB experiment, run as a person would run it.

use super::Demo;
use crate::job::{Job, Log};
use crate::place::Place;
use crate::scratch::Scratch;
use anyhow::{Context, Result, ensure};
use perf::result::Results;
use std::fs;
use std::path::{Path, PathBuf};

/// Runs it into `report` and reads what it found.
pub fn run(demo: &Demo, scratch: &Scratch, report: &Path) -> Result<Results> {
    if report.exists() {
        fs::remove_dir_all(report).with_context(|| format!("remove {}", report.display()))?;
    }
    fs::create_dir_all(report).with_context(|| format!("create {}", report.display()))?;
    let json = report.join("fs4k.json");
    // What it makes on its way goes into our folder, and away with it.
    Job::new(demo.place.program("experiments"))
        .env("TMPDIR", scratch.path())
        .args(["run", "fs4k", "--quick", "--json"])
        .arg(&json)
        .limit(300)
        .run(demo.log)?;
    let results = Results::read(&json).with_context(|| format!("read {}", json.display()))?;
    ensure!(!results.rows.is_empty(), "the experiment measured nothing");
    Ok(results)
}

/// Has the report made and says where it is.
pub fn report(place: &Place, dir: &Path, log: &Log) -> Result<PathBuf> {
    let program = place.program("experiments");
    let said = Job::new(program).arg("report").arg(dir).text(log)?;
    // Its last line is the path.
    let path = said.lines().last().map(|line| PathBuf::from(line.trim()));
    path.filter(|path| path.exists())
        .with_context(|| format!("no report in {}", dir.display()))
}
