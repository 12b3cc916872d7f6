// SPDX-License-Identifier: MIT
//! A real tree goes into the mount and is compared, file by file, with what was read outside.

use super::Demo;
use crate::job::Job;
use crate::mount::Image;
use crate::tree;
use anyhow::{Context, Result, bail};
use std::path::PathBuf;

/// Enough to be a real tree, few enough for a minute on a slow machine.
const FILES: u64 = 4000;
/// Share of the image that is filled, in percent.
const FULL: u64 = 45;

/// Copies, and returns the list of what was read.
pub fn copy(demo: &Demo, image: &Image) -> Result<(String, String)> {
    let source = source(demo)?;
    let manifest = image.path().with_extension("list");
    let bytes = image.path().metadata()?.len() * FULL / 100;
    let log = demo.log;
    let job = tree::job("copy", [&source, &image.point().join("tree"), &manifest])?
        .args([
            "--files".to_owned(),
            FILES.to_string(),
            "--bytes".to_owned(),
            bytes.to_string(),
        ])
        .limit(300);
    job.start(log)?.success(|| {
        if let Some((files, bytes)) = copied(&log.tail(1)) {
            demo.show.update(format!(
                "copying {}: {files} files, {} MiB",
                source.display(),
                bytes >> 20
            ));
        }
    })?;
    let list = std::fs::read_to_string(&manifest)?;
    let (files, bytes) = copied(&log.tail(1)).context("the copy does not say how much it was")?;
    Ok((
        list,
        format!("{files} files, {} MiB of {}", bytes >> 20, source.display()),
    ))
}

/// Compares the tree in the mount with the list.
pub fn verify(demo: &Demo, image: &Image, expected: &str) -> Result<((), String)> {
    let manifest = image.path().with_extension("found");
    tree::job("list", [&image.point().join("tree"), &manifest])?
        .limit(300)
        .run(demo.log)?;
    let found = std::fs::read_to_string(&manifest)?;
    match tree::difference(expected, &found) {
        None => Ok((
            (),
            format!(
                "{} entries: contents, owners, modes, times as copied",
                found.lines().count()
            ),
        )),
        Some(told) => bail!("the tree differs from what was copied\n{told}"),
    }
}

/// The Rust toolchain's own files, or what else there is.
fn source(demo: &Demo) -> Result<PathBuf> {
    let sysroot = Job::new("rustc")
        .dir(&demo.place.root)
        .args(["--print", "sysroot"])
        .text(demo.log);
    let sysroot = sysroot.map(|text| PathBuf::from(text.trim())).unwrap_or_default();
    let candidates = [
        sysroot.join("share/doc"),
        sysroot.join("lib/rustlib/src"),
        "/usr/share".into(),
        "/usr/include".into(),
        sysroot.join("lib"),
    ];
    let many = |dir: &&PathBuf| tree::holds(dir, 1000);
    candidates
        .iter()
        .find(many)
        .cloned()
        .context("no tree of a thousand files to copy")
}

/// What the copying child says: `FILES BYTES`.
fn copied(line: &str) -> Option<(u64, u64)> {
    let (files, bytes) = line.split_once(' ')?;
    Some((files.parse().ok()?, bytes.parse().ok()?))
}
