// SPDX-License-Identifier: MIT
//! One run of a guest, from its start to a verdict. Bounded in every way.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::boot::Machine;
use super::console::{Console, Failure};
use super::image::Image;
use super::job;
use super::place::Place;
use super::tools::Tools;

/// A guest that says nothing for this long is taken for dead; its first program speaks every two seconds.
const SILENCE: Duration = Duration::from_secs(60);
/// What a guest that has failed or ended may still need to say the rest.
const GRACE: Duration = Duration::from_secs(5);
const STEP: Duration = Duration::from_millis(20);

/// How a guest's run went.
pub struct Verdict {
    /// The command's exit status, or why there is none.
    pub result: Result<u8, Failure>,
    /// Whether the guest's kernel named any fault.
    pub splat: bool,
    /// The kernel's last words.
    pub last_words: String,
    /// From the start of the emulator to the first program of the guest, if it came to that.
    pub boot: Option<Duration>,
}

/// A folder for one run, removed at its end.
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The emulator, ended with its owner.
struct Emulator(Child);

impl Drop for Emulator {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Boots `image` on `machine`, runs `argv` in it and passes on what it prints.
pub fn run(
    place: &Place,
    tools: &Tools,
    image: &Image,
    machine: &Machine,
    module: Option<&std::path::Path>,
    argv: &[String],
    limits: (Duration, bool),
) -> Result<Verdict> {
    let (limit, verbose) = limits;
    let dir = place.vm().join("run").join(std::process::id().to_string());
    fs::create_dir_all(&dir)?;
    let dir = Scratch(dir);
    let initrd = job::pack(place, &dir.0, image, module, argv)?;
    let child = machine
        .command(place, tools, image, &initrd, &dir.0)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(File::create(dir.0.join("emulator"))?)
        .spawn()
        .context("starting the emulator")?;
    let mut emulator = Emulator(child);
    let mut console = Console::new(&dir.0, verbose);
    let start = Instant::now();
    let mut boot = None;
    let result = loop {
        let ended = emulator.0.try_wait()?.is_some();
        console.pull();
        if boot.is_none() && console.is_up() {
            boot = Some(start.elapsed());
        }
        if console.is_dead() {
            linger(&mut emulator, &mut console);
            break Err(Failure::Kernel);
        }
        if let Some(exit) = console.exit() {
            linger(&mut emulator, &mut console);
            break if console.is_dead() {
                Err(Failure::Kernel)
            } else {
                Ok(exit)
            };
        }
        if ended {
            break Err(Failure::Ended);
        }
        if console.silence() > SILENCE {
            break Err(Failure::Silent(SILENCE));
        }
        if start.elapsed() > limit {
            break Err(Failure::Late(limit));
        }
        sleep(STEP);
    };
    Ok(Verdict {
        result,
        splat: console.has_splat(),
        last_words: console.last_words(),
        boot,
    })
}

/// Waits for the emulator's own end, a little.
fn linger(emulator: &mut Emulator, console: &mut Console) {
    let start = Instant::now();
    while start.elapsed() < GRACE && matches!(emulator.0.try_wait(), Ok(None)) {
        sleep(STEP);
        console.pull();
    }
    console.pull();
}
