// SPDX-License-Identifier: MIT
//! pjdfstest: some four hundred cases of what POSIX promises.

use super::expected::{self, Cases, Fate};
use super::step::Bench;
use crate::job::Job;
use crate::mount::Image;
use anyhow::{Context, Result, ensure};
use std::path::Path;

const LIST: &str = include_str!("../../lists/pjdfstest.txt");

/// `nobody` and `daemon` are on every Debian; cases that need another user take these. The nap must be
/// longer than the granularity of time stamps: one tick of the kernel's coarse clock.
const CONFIG: &str = r#"
[features]
posix_fallocate = {}
rename_ctime = {}
utime_now = {}
utimensat = {}
[dummy_auth]
entries = [["nobody", "nogroup"], ["daemon", "daemon"]]
[settings]
naptime = 0.02
"#;

/// The cases that make the mount read-only. They run by themselves: other cases leave files open in the
/// same process, and then the kernel refuses.
const READ_ONLY: &str = "::erofs_";

/// Runs every case on a fresh pmemfs and compares with the list.
pub fn run(bench: &Bench) -> Result<String> {
    let mut image = Image::make(bench.place, bench.scratch, "256M", &bench.log)?;
    image.mount("")?;
    let read_only = cases(bench, image.point(), &[READ_ONLY])?;
    let rest = cases(bench, image.point(), &[])?;
    image.unmount()?;
    image.check()?;
    let mut seen = read(&rest)?;
    seen.extend(read(&read_only)?);
    expected::compare(&expected::parse(LIST)?, &seen)
}

/// What the suite says of the cases whose names contain one of `patterns` (of all without any), run in the
/// mount at `point`.
pub fn cases(bench: &Bench, point: &Path, patterns: &[&str]) -> Result<String> {
    let config = bench.dir().join("pjdfstest.toml");
    let remount = patterns == [READ_ONLY];
    std::fs::write(&config, format!("{CONFIG}allow_remount = {remount}\n"))?;
    // Another file system, for what must not cross from one to the other.
    let other = bench.dir().join("other");
    std::fs::create_dir_all(&other)?;
    let job = Job::new(bench.place.tool("pjdfstest"))
        .env("NO_COLOR", "1")
        .arg("-c")
        .arg(&config)
        .arg("-p")
        .arg(point);
    // Its exit status says what the list says better.
    Ok(job
        .arg("-s")
        .arg(&other)
        .args(patterns)
        .limit(300)
        .capture(&bench.log)?
        .1)
}

/// The fate of each case in the suite's output.
pub fn read(text: &str) -> Result<Cases<'_>> {
    let mut cases = Cases::new();
    for line in text.lines() {
        let mut words = line.split_whitespace();
        let fate = match (words.next(), words.next(), words.next()) {
            (Some(name), Some("ok"), None) => (name, Fate::Pass),
            (Some(name), Some("FAILED"), None) => (name, Fate::Fail),
            (Some(name), Some("skipped"), None) => (name, Fate::Skip),
            _ => continue,
        };
        cases.insert(fate.0, fate.1);
    }
    // The closing line proves that it came to its end.
    let summary = text
        .lines()
        .find(|line| line.starts_with("Summary: "))
        .context("the suite did not finish")?;
    let total = summary
        .split(", ")
        .last()
        .and_then(|last| last.split(' ').next()?.parse::<usize>().ok());
    ensure!(
        total == Some(cases.len()),
        "`{summary}`, but {} cases were understood",
        cases.len()
    );
    Ok(cases)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_well_formed() {
        assert!(expected::parse(LIST).unwrap().len() > 300);
    }

    #[test]
    fn output_that_stops_early_is_an_error() {
        let text = "chmod::a    ok\nchmod::b   skipped\n\treason\n";
        assert!(read(text).is_err());
        let whole = format!("{text}\nSummary: 0 failed, 1 skipped, 1 passed, 0 expected failures, 2 total\n");
        assert_eq!(read(&whole).unwrap().len(), 2);
    }
}
