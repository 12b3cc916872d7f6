// SPDX-License-Identifier: MIT
//! A pmemfs image and the mount point beside it, both in a [`Scratch`] that takes them down whatever
//! happens.

use crate::job::{Job, Log};
use crate::place::Place;
use crate::scratch::{Scratch, cut_off, is_mounted};
use crate::stop;
use anyhow::{Context, Result, ensure};
use nix::unistd::Pid;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long one mount may last.
const LONGEST: Duration = Duration::from_secs(3600);

/// The image and its mount point.
pub struct Image {
    zus: PathBuf,
    image: PathBuf,
    point: PathBuf,
    /// Where servers leave word of themselves, so that the machine's own place stays as it is.
    servers: PathBuf,
    log: Log,
    watchdog: Option<Watchdog>,
}

impl Image {
    /// What the image file is called.
    pub const NAME: &str = "image.pmemfs";

    /// Makes an image of `size` (as `zus mkfs --size` takes it) and an empty mount point in `scratch`.
    pub fn make(place: &Place, scratch: &Scratch, size: &str, log: &Log) -> Result<Image> {
        let dir = scratch.path();
        let image = Image {
            zus: place.program("zus"),
            image: dir.join(Image::NAME),
            point: dir.join("mnt"),
            servers: dir.join("servers"),
            log: log.clone(),
            watchdog: None,
        };
        fs::create_dir(&image.point).with_context(|| format!("create {}", image.point.display()))?;
        image
            .zus()
            .arg("mkfs")
            .arg(&image.image)
            .args(["--size", size])
            .run(log)?;
        Ok(image)
    }

    /// The image file.
    pub fn path(&self) -> &Path {
        &self.image
    }

    /// Where it is mounted.
    pub fn point(&self) -> &Path {
        &self.point
    }

    /// The `zus` command, which knows the servers of this scratch folder only.
    pub fn zus(&self) -> Job {
        Job::new(&self.zus).env("ZUS_RUNTIME_DIR", &self.servers)
    }

    /// Mounts it with `options` as after `-o`.
    pub fn mount(&mut self, options: &str) -> Result<()> {
        // The server writes where we write.
        let log = self.log.path();
        let mut job = self.zus().args(["mount", "--log"]).arg(log);
        if !options.is_empty() {
            job = job.args(["-o", options]);
        }
        job.args([&self.image, &self.point]).limit(30).run(&self.log)?;
        self.watchdog = Some(Watchdog::over(&self.point)?);
        Ok(())
    }

    /// Gives the living mount other options.
    pub fn remount(&self, options: &str) -> Result<()> {
        let options = format!("remount,{options}");
        self.zus()
            .args(["mount", "-o", &options])
            .arg(&self.point)
            .run(&self.log)
    }

    /// The process that serves it.
    pub fn server(&self) -> Result<Pid> {
        Ok(Pid::from_raw(self.status("pid")?.parse()?))
    }

    /// One field of what `zus status` says of the mount.
    pub fn status(&self, field: &str) -> Result<String> {
        let told = self
            .zus()
            .args(["status", "--json"])
            .arg(&self.point)
            .text(&self.log)?;
        let all: serde_json::Value = serde_json::from_str(&told).context("`zus status --json`")?;
        let value = all.get(0).and_then(|server| server.get(field));
        let value = value.with_context(|| format!("`zus status --json` has no `{field}`"))?;
        Ok(value.as_str().map_or_else(|| value.to_string(), str::to_owned))
    }

    /// Unmounts it in order.
    pub fn unmount(&mut self) -> Result<()> {
        self.zus()
            .arg("umount")
            .arg(&self.point)
            .limit(60)
            .run(&self.log)?;
        let point = self.point.display();
        ensure!(
            !is_mounted(&self.point),
            "`zus umount` succeeded and {point} is still mounted"
        );
        self.watchdog = None;
        Ok(())
    }

    /// Takes note that the mount has gone without us.
    pub fn gone(&mut self) {
        self.watchdog = None;
    }

    /// Checks the unmounted image.
    pub fn check(&self) -> Result<()> {
        self.zus().arg("check").arg(&self.image).run(&self.log)
    }
}

/// Aborts a mount that lasts too long, or when the end is asked for: this process itself may be inside a
/// system call on it, where no signal of ours reaches.
struct Watchdog {
    mounted: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Watchdog {
    fn over(point: &Path) -> Result<Watchdog> {
        ensure!(
            is_mounted(point),
            "`zus mount` succeeded and {} is not mounted",
            point.display()
        );
        let point = point.to_owned();
        let (sender, receiver) = channel();
        let deadline = Instant::now() + LONGEST;
        let thread = std::thread::spawn(move || {
            while receiver.recv_timeout(Duration::from_millis(100)) == Err(RecvTimeoutError::Timeout) {
                if stop::requested() || Instant::now() >= deadline {
                    return cut_off(&point);
                }
            }
        });
        Ok(Watchdog {
            mounted: Some(sender),
            thread: Some(thread),
        })
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        drop(self.mounted.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
