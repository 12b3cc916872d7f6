// SPDX-License-Identifier: MIT
//! fsx: random operations on one file, every read compared with what must be there.

use super::step::Bench;
use crate::job::{Job, Running};
use crate::mount::Image;
use crate::stop;
use anyhow::{Context, Result};
use std::path::Path;

const CONFIG: &str = "
flen = 1048576
[opsize]
max = 131072
[weights]
close_open = 2
read = 10
write = 10
mapread = 10
mapwrite = 10
invalidate = 2
truncate = 5
fsync = 1
fdatasync = 1
posix_fallocate = 3
punch_hole = 3
sendfile = 3
posix_fadvise = 2
copy_file_range = 3
";

const SEEDS: [u64; 5] = [1, 2, 3, 5, 8];
const OPERATIONS: u64 = 5000;

/// Five seeds, then a mount that must show the file unchanged.
pub fn run(bench: &Bench) -> Result<String> {
    let mut image = Image::make(bench.place, bench.scratch, "256M", &bench.log)?;
    image.mount("")?;
    for seed in SEEDS {
        exercise(bench, image.point(), seed, OPERATIONS)?;
    }
    let file = image.point().join("fsx-1");
    let before = std::fs::read(&file).context("read what fsx left")?;
    image.unmount()?;
    image.check()?;
    image.mount("")?;
    anyhow::ensure!(
        std::fs::read(&file)? == before,
        "the file differs after the second mount"
    );
    image.unmount()?;
    Ok(format!("{} seeds, {OPERATIONS} operations each", SEEDS.len()))
}

/// The long form: a million operations in all.
pub fn soak(bench: &Bench) -> Result<String> {
    const EACH: u64 = 200_000;
    let mut image = Image::make(bench.place, bench.scratch, "256M", &bench.log)?;
    for (seed, strategy) in (1000..).zip(super::STRATEGIES) {
        stop::check()?;
        image.mount(&format!("relay={strategy}"))?;
        exercise(bench, image.point(), seed, EACH)?;
        image.unmount()?;
        image.check()?;
    }
    Ok(format!(
        "{} strategies, {EACH} operations each",
        super::STRATEGIES.len()
    ))
}

/// `operations` from `seed` on the file `fsx-SEED` in `point`; with memory maps.
pub fn exercise(bench: &Bench, point: &Path, seed: u64, operations: u64) -> Result<()> {
    start(bench, point, seed, operations)?.success(|| ())
}

/// The same, going on.
pub fn start(bench: &Bench, point: &Path, seed: u64, operations: u64) -> Result<Running> {
    let config = bench.dir().join("fsx.toml");
    std::fs::write(&config, CONFIG)?;
    Job::new(bench.place.tool("fsx"))
        .arg("-f")
        .arg(&config)
        .arg("-P")
        .arg(bench.dir())
        .args(["-S", &seed.to_string(), "-N", &operations.to_string()])
        .arg(point.join(format!("fsx-{seed}")))
        .limit(60 + operations / 100)
        .start(&bench.log)
}
