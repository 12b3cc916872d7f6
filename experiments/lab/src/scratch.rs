// SPDX-License-Identifier: MIT
//! A folder that is gone when it is dropped, with whatever was mounted below it and whoever still had
//! files open there: servers live in sessions of their own, so the folder is what they are known by.

use anyhow::{Context, Result};
use nix::mount::{MntFlags, umount2};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, getpid};
use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long a server whose mount is gone may take to end in order.
const PATIENCE: Duration = Duration::from_secs(5);

/// The folder.
pub struct Scratch {
    dir: Option<TempDir>,
    path: PathBuf,
}

impl Scratch {
    /// A new folder in `parent`, or where temporary files go.
    pub fn new(parent: Option<&Path>) -> Result<Scratch> {
        let parent = parent.map_or_else(std::env::temp_dir, Path::to_owned);
        let named = || format!("make a folder in {}", parent.display());
        let dir = tempfile::Builder::new()
            .prefix("zufs-")
            .tempdir_in(&parent)
            .with_context(named)?;
        // The kernel's lists know it by its real name.
        let path = dir.path().canonicalize().with_context(named)?;
        Ok(Scratch { dir: Some(dir), path })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Lets the folder stay; what is mounted below and runs there is ended all the same.
    pub fn keep(&mut self) {
        if let Some(dir) = self.dir.take() {
            let _ = dir.keep();
        }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // The newest first: it may stand on an older one.
        for point in mounts()
            .into_iter()
            .rev()
            .filter(|point| point.starts_with(&self.path))
        {
            if let Err(error) = umount2(&point, MntFlags::MNT_FORCE | MntFlags::MNT_DETACH) {
                eprintln!("lab: unmount {}: {error}", point.display());
            }
        }
        let deadline = Instant::now() + PATIENCE;
        signal(&self.path, Signal::SIGTERM);
        while !users(&self.path).is_empty() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(20));
        }
        signal(&self.path, Signal::SIGKILL);
    }
}

/// Tells whoever has something below `dir` open to end.
fn signal(dir: &Path, signal: Signal) {
    for pid in users(dir) {
        let _ = kill(pid, signal);
    }
}

/// Cuts a mount off from its server: everything in flight on it fails, and all that comes. It may stay
/// mounted, if somebody is in it.
pub fn cut_off(point: &Path) {
    let _ = umount2(point, MntFlags::MNT_FORCE);
}

/// All mount points that this process sees, the newest last. From the kernel's list: no server, dead or
/// alive, is asked.
pub fn mounts() -> Vec<PathBuf> {
    let list = fs::read("/proc/self/mountinfo").unwrap_or_default();
    list.split(|byte| *byte == b'\n')
        .filter_map(|line| line.split(|byte| *byte == b' ').nth(4))
        .map(|point| PathBuf::from(OsString::from_vec(unescape(point))))
        .collect()
}

/// Whether something is mounted at `point`.
pub fn is_mounted(point: &Path) -> bool {
    mounts().iter().any(|mounted| mounted == point)
}

/// Blanks and the like stand in the list as a backslash and three octal digits.
fn unescape(field: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(field.len());
    let mut rest = field;
    while let [first, tail @ ..] = rest {
        let digits = tail.get(..3).and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(byte) if *first == b'\\' => {
                plain.push(byte);
                rest = &tail[3..];
            }
            _ => {
                plain.push(*first);
                rest = tail;
            }
        }
    }
    plain
}

/// The other processes that have something below `dir` open. By name, for a `stat` could reach into a
/// mount that hangs.
pub fn users(dir: &Path) -> Vec<Pid> {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let numbers = processes.filter_map(|process| process.file_name().to_str()?.parse().ok());
    numbers
        .map(Pid::from_raw)
        .filter(|pid| *pid != getpid())
        .filter(|pid| {
            let open = fs::read_dir(format!("/proc/{pid}/fd"))
                .into_iter()
                .flatten()
                .flatten();
            open.filter_map(|fd| fs::read_link(fd.path()).ok())
                .any(|target| target.starts_with(dir))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_is_mounted_and_escapes_are_read() {
        assert!(is_mounted(Path::new("/")));
        assert!(!is_mounted(Path::new("/nowhere at all")));
        assert_eq!(unescape(b"/a\\040b\\134c\\"), b"/a b\\c\\");
    }

    #[test]
    fn whoever_works_in_the_folder_is_ended_with_it() {
        let scratch = Scratch::new(None).unwrap();
        let path = scratch.path().to_owned();
        let open = fs::File::create(path.join("held")).unwrap();
        let mut child = std::process::Command::new("sleep")
            .arg("600")
            .stdout(open)
            .spawn()
            .unwrap();
        assert_eq!(users(&path), [Pid::from_raw(child.id() as i32)]);
        drop(scratch);
        assert!(!child.wait().unwrap().success());
        assert!(!path.exists());
    }
}
