// SPDX-License-Identifier: MIT
//! fio: random writes that carry checksums, read back at once and again after a second mount.

use super::step::Bench;
use crate::job::Job;
use crate::mount::Image;
use anyhow::Result;
use std::path::Path;

/// Buffered and direct, each with its own file.
const KINDS: [(&str, &str); 2] = [("buffered", "--direct=0"), ("direct", "--direct=1")];

/// Writes, verifies, mounts again, verifies.
pub fn run(bench: &Bench) -> Result<String> {
    let mut image = Image::make(bench.place, bench.scratch, "512M", &bench.log)?;
    image.mount("")?;
    for kind in KINDS {
        job(bench, image.point(), kind, "--do_verify=1")?;
    }
    image.unmount()?;
    image.check()?;
    image.mount("")?;
    for kind in KINDS {
        job(bench, image.point(), kind, "--verify_only=1")?;
    }
    image.unmount()?;
    Ok("2 files of 128 MB, crc32c, verified twice".into())
}

fn job(bench: &Bench, point: &Path, (name, direct): (&str, &str), verify: &str) -> Result<()> {
    Job::new("fio")
        .dir(bench.dir())
        .args([
            format!("--name={name}"),
            format!("--filename={}", point.join(name).display()),
        ])
        .args([
            "--rw=randwrite",
            "--bsrange=4k-64k",
            "--blockalign=4k",
            "--size=128M",
            "--ioengine=psync",
        ])
        .args([
            "--verify=crc32c",
            "--verify_fatal=1",
            "--randseed=7",
            "--fsync_on_close=1",
            direct,
            verify,
        ])
        .limit(300)
        .run(&bench.log)
}
