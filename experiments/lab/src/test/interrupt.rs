// SPDX-License-Identifier: MIT
//! An interrupted demo leaves nothing behind: no mount, no process, no file.

use super::step::Bench;
use crate::job::{Job, Log};
use crate::scratch::{mounts, users};
use anyhow::{Context, Result, ensure};
use nix::sys::signal::Signal;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

/// What the demo has just said when it is interrupted: it is then copying, and measuring.
const MOMENTS: [(&str, Signal); 2] = [("mounting", Signal::SIGINT), ("unmounting", Signal::SIGTERM)];

/// Interrupts it in the middle, each time in another way.
pub fn run(bench: &Bench) -> Result<String> {
    for (moment, signal) in MOMENTS {
        let dir = bench.dir().join(format!("after-{moment}"));
        fs::create_dir(&dir)?;
        interrupted(bench, &dir, moment, signal).with_context(|| format!("{signal} after {moment}"))?;
    }
    Ok(format!("{} moments", MOMENTS.len()))
}

fn interrupted(bench: &Bench, dir: &Path, moment: &str, signal: Signal) -> Result<()> {
    let said = Log::create(&bench.dir().join(format!("said-{moment}")))?;
    let demo = Job::new(std::env::current_exe()?)
        .args(["demo", "--dir"])
        .arg(dir);
    let demo = demo.limit(300).start(&said)?;
    let begun = Instant::now();
    while !said.tail(20).contains(&format!(" {moment} ")) {
        let ended = demo.ended()?;
        if ended.is_some() || begun.elapsed() > Duration::from_secs(120) {
            bench.log.line(&said.tail(40))?;
        }
        ensure!(ended.is_none(), "it ended before it could be interrupted");
        ensure!(
            begun.elapsed() < Duration::from_secs(120),
            "it never came to {moment}"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
    // Into the middle of what it does then.
    std::thread::sleep(Duration::from_millis(300));
    demo.signal(signal)?;
    let status = demo.wait(|| ())?;
    bench.log.line(&said.tail(40))?;
    let why = said.tail(1);
    ensure!(
        why.ends_with("interrupted"),
        "it did not end because it was interrupted: {why}"
    );
    ensure!(!status.success(), "it was interrupted and calls that a success");
    let left: Vec<_> = mounts()
        .into_iter()
        .filter(|point| point.starts_with(dir))
        .collect();
    ensure!(left.is_empty(), "still mounted: {}", left[0].display());
    ensure!(users(dir).is_empty(), "still running: {:?}", users(dir));
    let files: Vec<_> = fs::read_dir(dir)?.flatten().map(|entry| entry.path()).collect();
    ensure!(files.is_empty(), "still there: {files:?}");
    Ok(())
}
