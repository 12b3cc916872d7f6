// SPDX-License-Identifier: MIT
//! stress-ng: each stressor of its file system class that touches the file system, one second, verifying.

use super::expected::{self, Cases, Fate};
use super::step::Bench;
use crate::job::Job;
use crate::mount::Image;
use crate::stop;
use anyhow::Result;
use std::path::Path;

const LIST: &str = include_str!("../../lists/stress-ng.txt");

/// The stressors' default files are larger than the image.
const SMALLER: [(&str, &str); 5] = [
    ("hdd", "--hdd-bytes=32M"),
    ("fallocate", "--fallocate-bytes=32M"),
    ("iomix", "--iomix-bytes=32M"),
    ("sync-file", "--sync-file-bytes=16M"),
    ("copy-file", "--copy-file-bytes=128M"),
];

/// Runs each listed stressor and compares how it ended.
pub fn run(bench: &Bench) -> Result<String> {
    let mut image = Image::make(bench.place, bench.scratch, "512M", &bench.log)?;
    image.mount("")?;
    let expected = expected::parse(LIST)?;
    let mut seen = Cases::new();
    for name in expected.keys() {
        seen.insert(name, stressor(bench, image.point(), name)?);
    }
    image.unmount()?;
    image.check()?;
    image.mount("")?;
    image.unmount()?;
    expected::compare(&expected, &seen)
}

fn stressor(bench: &Bench, point: &Path, name: &str) -> Result<Fate> {
    let dir = point.join(format!("stress-{name}"));
    std::fs::create_dir(&dir)?;
    let ended = Job::new("stress-ng")
        .dir(&dir)
        .args([
            format!("--{name}"),
            "1".into(),
            "--timeout".into(),
            "1".into(),
            "--verify".into(),
        ])
        .arg("--temp-path")
        .arg(&dir)
        .args(
            SMALLER
                .iter()
                .filter(|(stressor, _)| *stressor == name)
                .map(|(_, option)| option),
        )
        .limit(30)
        .told(&bench.log);
    stop::check()?;
    let (status, told) = match ended {
        Ok(ended) => ended,
        Err(killed) => {
            bench.log.line(&format!("{killed:#}"))?;
            return Ok(Fate::Fail);
        }
    };
    // Its manual: 3 is no resources, 4 not implemented; both mean that it did not run. Some stressors say
    // so and call it a success.
    let skipped = [
        "skipping stress test",
        "stressor will be skipped",
        "aborted early",
    ];
    Ok(match status.code() {
        _ if skipped.iter().any(|text| told.contains(text)) => Fate::Skip,
        Some(0) => Fate::Pass,
        Some(3 | 4) => Fate::Skip,
        _ => Fate::Fail,
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_list_is_well_formed() {
        assert!(super::expected::parse(super::LIST).unwrap().len() > 20);
    }
}
