// SPDX-License-Identifier: MIT
//! The server ends while it is being used: asked to, and killed. What was synced is there afterwards.

use super::step::Bench;
use crate::job::Running;
use crate::mount::Image;
use crate::scratch::{is_mounted, users};
use crate::tree;
use anyhow::{Context, Result, bail, ensure};
use nix::libc::ENOTCONN;
use nix::sys::signal::{Signal, kill};
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

/// One file of each round is synced before the server goes.
const ROUNDS: usize = 3;

/// Ends a server each way, a few times.
pub fn run(bench: &Bench) -> Result<String> {
    let source = bench.dir().join("source");
    tree::job("plant", [&source])?.run(&bench.log)?;
    let mut image = Image::make(bench.place, bench.scratch, "512M", &bench.log)?;
    for round in 0..ROUNDS {
        ended(bench, &mut image, &source, round, Signal::SIGTERM)?;
        ended(bench, &mut image, &source, round, Signal::SIGKILL)?;
    }
    image.mount("")?;
    for round in 0..ROUNDS {
        for signal in [Signal::SIGTERM, Signal::SIGKILL] {
            let name = synced(round, signal);
            let found =
                fs::read_to_string(image.point().join(&name)).with_context(|| format!("read {name}"))?;
            ensure!(found == name.repeat(1000), "{name} was synced, and now differs");
        }
    }
    image.unmount()?;
    image.check()?;
    Ok(format!("{ROUNDS} times each"))
}

fn ended(bench: &Bench, image: &mut Image, source: &Path, round: usize, signal: Signal) -> Result<()> {
    image.mount("")?;
    let point = image.point().to_owned();
    let server = image.server()?;
    let name = synced(round, signal);
    let mut file = File::create_new(point.join(&name))?;
    file.write_all(name.repeat(1000).as_bytes())?;
    file.sync_all()?;
    File::open(&point)?.sync_all()?;
    drop(file);

    let load = load(bench, source, &point, &name)?;
    kill(server, signal)?;
    let begun = Instant::now();
    while !users(image.path()).is_empty() {
        ensure!(
            begun.elapsed() < Duration::from_secs(20),
            "the server {server} still holds the image after {signal}"
        );
        std::thread::sleep(Duration::from_millis(10));
    }
    // Its user gets errors and is not held: that it ends is the promise, and how is its own business.
    load.wait(|| ())
        .context("the load hangs after its server has gone")?;

    match (signal, is_mounted(&point)) {
        (Signal::SIGKILL, false) => bail!("a killed server cannot have unmounted"),
        (Signal::SIGKILL, true) => dead(image)?,
        (_, true) => bail!("the server ended in order and left the mount point"),
        (_, false) => {}
    }
    image.gone();
    image.check()
}

/// The dead mount point says what it is, and can be taken away.
fn dead(image: &mut Image) -> Result<()> {
    let begun = Instant::now();
    // The kernel closes the descriptors of a killed process one after the other, and what it has cached it
    // goes on to show: each look is at a name that was never asked for.
    for look in 0.. {
        let looked = fs::metadata(image.point().join(format!("never asked for {look}")));
        let told = looked.err().and_then(|error| error.raw_os_error());
        if told == Some(ENOTCONN) {
            break;
        }
        let patient = begun.elapsed() < Duration::from_secs(5);
        ensure!(
            patient,
            "a look into the dead mount point gave {told:?}, not ENOTCONN ({ENOTCONN})"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
    image.unmount()
}

/// Copies into the mount; once something has arrived, it is under way.
fn load(bench: &Bench, source: &Path, point: &Path, name: &str) -> Result<Running> {
    let target = point.join(format!("load-{name}"));
    let list = bench.dir().join("load.list");
    let load = tree::job("copy", [source, &target, &list])?
        .limit(60)
        .start(&bench.log)?;
    let begun = Instant::now();
    while !target.join("many/00010").exists() {
        ensure!(begun.elapsed() < Duration::from_secs(20), "nothing was copied");
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(load)
}

fn synced(round: usize, signal: Signal) -> String {
    format!("synced-{round}-{signal}")
}
