// SPDX-License-Identifier: MIT
//! No room: in the image, and on the disk that the image is on. ENOSPC, never a dead server.

use super::step::Bench;
use crate::job::Job;
use crate::mount::Image;
use anyhow::{Context, Result, bail, ensure};
use nix::libc::ENOSPC;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

/// Fills the one and the other.
pub fn run(bench: &Bench) -> Result<String> {
    full_image(bench)?;
    let how = full_host(bench)?;
    Ok(format!("an image, and a host ({how})"))
}

/// It says so, keeps what it has and goes on when there is room again.
fn full_image(bench: &Bench) -> Result<()> {
    const SIZE: usize = 64 << 20;
    let mut image = Image::make(bench.place, bench.scratch, "64M", &bench.log)?;
    image.mount("")?;
    let kept = image.point().join("kept");
    fs::write(&kept, "still here")?;
    let hog = image.point().join("hog");
    let error = fill(&hog, SIZE)
        .err()
        .context("as much went into the image as it is large")?;
    ensure!(error.raw_os_error() == Some(ENOSPC), "a full image says: {error}");
    fs::remove_file(&hog).context("remove a file from a full image")?;
    fill(&hog, SIZE / 4).context("write again after there is room")?;
    ensure!(
        fs::read_to_string(&kept)? == "still here",
        "a file changed when the image was full"
    );
    image.unmount()?;
    image.check()
}

/// Either mkfs reserves its space and is refused, or the writes are; whoever is, is told.
fn full_host(bench: &Bench) -> Result<&'static str> {
    let host = bench.dir().join("host");
    fs::create_dir(&host)?;
    Job::new("mount")
        .args(["-t", "tmpfs", "-o", "size=24M", "none"])
        .arg(&host)
        .run(&bench.log)?;
    let zus =
        || Job::new(bench.place.program("zus")).env("ZUS_RUNTIME_DIR", bench.dir().join("host-servers"));
    let path = host.join("large.pmemfs");
    let (status, told) = zus()
        .arg("mkfs")
        .arg(&path)
        .args(["--size", "64M"])
        .told(&bench.log)?;
    if !status.success() {
        ensure!(
            status.code() == Some(1) && told.lines().count() == 1,
            "mkfs on a full host: {status}, {told}"
        );
        ensure!(!path.exists(), "mkfs was refused and left a file");
        return Ok("refused by mkfs");
    }
    let point = host.join("mnt");
    fs::create_dir(&point)?;
    zus().arg("mount").args([&path, &point]).run(&bench.log)?;
    let hog = point.join("hog");
    match fill(&hog, 40 << 20) {
        Err(error) if error.raw_os_error() == Some(ENOSPC) => {}
        other => bail!("40 MiB on a host that has 24 gave {other:?}, not ENOSPC"),
    }
    fs::remove_file(&hog).context("remove a file after the host was full")?;
    zus().arg("umount").arg(&point).run(&bench.log)?;
    Ok("ENOSPC to the writer")
}

/// Writes `size` bytes and syncs them.
fn fill(path: &Path, size: usize) -> io::Result<()> {
    let chunk = vec![7; 1 << 20];
    let mut file = File::create(path)?;
    for _ in 0..size / chunk.len() {
        file.write_all(&chunk)?;
        file.sync_data()?;
    }
    Ok(())
}
