// SPDX-License-Identifier: MIT
//! A `zus` server of our own: started in the foreground as our child, found through a registry that is
//! ours alone, and gone when this handle is, whatever way that goes.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};
use nix::mount::{MntFlags, umount2};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use relay::Strategy;
use serde_json::{Value, json};
use zus_protocol::registry::{self, Entry};

use super::scratch::Scratch;
use crate::interrupt::{self, Leftover};

/// How long a server may take to be there, to answer, and to end.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often it is looked whether it is.
const LOOK: Duration = Duration::from_millis(5);

/// What to serve.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// A name for its folder, its own among the run's servers.
    pub name: String,
    /// The file system.
    pub fs: &'static str,
    /// Its image, if it has one.
    pub image: Option<PathBuf>,
    /// Mount options.
    pub options: String,
}

/// A server that answers.
#[derive(Debug)]
pub struct Server {
    entry: Entry,
    _child: Leftover,
}

impl Server {
    /// Starts one and waits until it answers.
    ///
    /// # Errors
    ///
    /// What the server said when it gave up; an interrupt.
    pub fn start(zus: &Path, scratch: &Scratch, wanted: &Wanted) -> anyhow::Result<Self> {
        let dir = scratch.dir(&wanted.name)?;
        let log = scratch.path().join(format!("{}.log", wanted.name));
        let image = wanted.image.clone().unwrap_or_else(|| "none".into());
        let mut command = Command::new(zus);
        command
            .args([
                "mount",
                "--foreground",
                "--fs",
                wanted.fs,
                "-o",
                &wanted.options,
                "--",
            ])
            .args([&image, &dir])
            .env("ZUS_RUNTIME_DIR", scratch.runtime())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&log)?)
            // Ctrl-C is for us: we end the servers, after what we have open on them.
            .process_group(0);
        die_with_parent(&mut command);
        let child = command
            .spawn()
            .with_context(|| format!("cannot run {}", zus.display()))?;
        let pid = child.id();
        let child = Leftover::new(move || end(child, &dir));
        let began = Instant::now();
        while registry::start_time(pid).is_some() && began.elapsed() < PATIENCE {
            interrupt::check()?;
            let mut entries = registry::list_in(&scratch.runtime())
                .into_iter()
                .map(|(_, entry)| entry);
            if let Some(entry) = entries.find(|entry| entry.pid == pid)
                && ask(&entry, &json!({"request": "status"})).is_ok()
            {
                return Ok(Self { entry, _child: child });
            }
            sleep(LOOK);
        }
        drop(child);
        Err(last_words(&fs::read_to_string(&log).unwrap_or_default()))
    }

    /// Its process.
    pub fn pid(&self) -> i32 {
        self.entry.pid as i32
    }

    /// Where it is mounted.
    pub fn dir(&self) -> &Path {
        &self.entry.dir
    }

    /// Where clients in shared memory connect.
    pub fn data(&self) -> Option<&Path> {
        self.entry.data.as_deref()
    }

    /// Changes its strategy, which it tells its clients.
    ///
    /// # Errors
    ///
    /// Why it refuses, or that it does not answer.
    pub fn set_strategy(&self, strategy: Strategy) -> anyhow::Result<()> {
        ask(
            &self.entry,
            &json!({"request": "remount", "options": format!("relay={strategy}")}),
        )
        .map(drop)
    }

    /// Blocking and waking calls of its workers until now; `None` if it does not say.
    pub fn calls(&self) -> Option<u64> {
        let answer = ask(&self.entry, &json!({"request": "status"})).ok()?;
        let workers = answer["status"]["workers"].as_array()?.iter();
        workers
            .map(|worker| Some(worker["parks"].as_u64()? + worker["wakes"].as_u64()?))
            .sum()
    }
}

/// Asks a server over its control socket: one JSON object a line each way.
fn ask(entry: &Entry, request: &Value) -> anyhow::Result<Value> {
    let mut stream = UnixStream::connect(&entry.control)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(format!("{request}\n").as_bytes())?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line)?;
    let answer: Value = serde_json::from_str(&line).context("the server's answer")?;
    match answer.get("error") {
        Some(error) => Err(anyhow!("{}", error.as_str().unwrap_or("the server refused"))),
        None => Ok(answer),
    }
}

/// Ends a server in order; by force if it does not.
fn end(mut child: Child, dir: &Path) {
    let pid = Pid::from_raw(child.id() as i32);
    // The second signal is for a mount that somebody else holds (a copy of the mount table, such as other
    // programs' namespaces are): the first has taken it out of sight, this one cuts it off.
    for patience in [PATIENCE / 10, PATIENCE / 2] {
        // A signal can only miss a process that has gone already.
        let _ = kill(pid, Signal::SIGTERM);
        let began = Instant::now();
        while began.elapsed() < patience {
            match child.try_wait() {
                Ok(None) => sleep(LOOK),
                _ => return,
            }
        }
    }
    let _ = child.kill();
    let _ = child.wait();
    // A dead server's mount answers nobody: it is taken out of sight, and ends with its last user.
    let _ = umount2(dir, MntFlags::MNT_DETACH);
}

/// Why `zus` gave up, by what it said: its error, which logs may precede and hints follow.
fn last_words(said: &str) -> anyhow::Error {
    let error = |line| {
        let ours = str::strip_prefix(line, "zus: ");
        ours.or_else(|| line.strip_prefix("error: "))
    };
    let last = said.lines().rev().find(|line| !line.trim().is_empty());
    let words = said.lines().rev().find_map(error).or(last);
    anyhow!("{}", words.unwrap_or("zus ended without a word"))
}

/// Has the kernel end the child when this process is killed: also SIGKILL leaves no server behind.
#[allow(unsafe_code)] // the one call that has no safe wrapper
fn die_with_parent(command: &mut Command) {
    // SAFETY: between fork and exec only async-signal-safe calls are allowed; prctl(2) is one, and
    // nothing is allocated.
    unsafe {
        command.pre_exec(|| Ok(nix::sys::prctl::set_pdeathsig(Signal::SIGTERM)?));
    }
}

/// Makes an image.
///
/// # Errors
///
/// What the command said; an image that cannot be had.
pub fn make_image(zus: &Path, image: &Path, size: &str) -> anyhow::Result<()> {
    let output = Command::new(zus)
        .arg("mkfs")
        .arg(image)
        .args(["--size", size])
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot run {}", zus.display()))?;
    if !output.status.success() {
        return Err(last_words(&String::from_utf8_lossy(&output.stderr)));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_is_found_among_logs_and_hints() {
        let of = |said| last_words(said).to_string();
        assert_eq!(of("INFO mounted\nzus: /mnt: busy\n"), "/mnt: busy");
        assert_eq!(
            of("error: no such option\n\nFor more information, try '--help'.\n"),
            "no such option"
        );
        assert_eq!(of("panicked\n"), "panicked");
        assert_eq!(of(""), "zus ended without a word");
    }
}
