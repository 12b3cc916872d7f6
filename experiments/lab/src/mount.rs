// SPDX-License-Identifier: MIT
//! A pmemfs image and the file system while it is mounted, taken down again whatever happens.

use crate::job::{Job, Log};
use crate::place::Place;
use anyhow::{Context, Result, ensure};
use nix::mount::{MntFlags, umount2};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long an unmount may take before it is forced.
const PATIENCE_S: u64 = 30;

/// How long one mount may last.
const LONGEST: Duration = Duration::from_secs(1800);

/// An image in a folder of its own, and a mount point beside it. Dropping it unmounts.
pub struct Image {
    zus: PathBuf,
    image: PathBuf,
    point: PathBuf,
    log: Log,
    mounted: bool,
    watchdog: Option<Watchdog>,
}

impl Image {
    /// Makes an image of `size` (as `zus mkfs --size` takes it) and a mount point in `dir`.
    pub fn make(place: &Place, dir: &Path, size: &str, log: &Log) -> Result<Image> {
        let image = dir.join("image.pmemfs");
        let point = dir.join("mnt");
        fs::create_dir(&point).with_context(|| format!("create {}", point.display()))?;
        let zus = place.program("zus");
        Job::new(&zus)
            .args([
                "mkfs".as_ref(),
                image.as_os_str(),
                "--size".as_ref(),
                size.as_ref(),
            ])
            .run(log)?;
        Ok(Image {
            zus,
            image,
            point,
            log: log.clone(),
            mounted: false,
            watchdog: None,
        })
    }

    /// Where it is mounted.
    pub fn point(&self) -> &Path {
        &self.point
    }

    /// Mounts it with `options` as after `-o`.
    pub fn mount(&mut self, options: &str) -> Result<()> {
        // Before the command runs: it may be interrupted with the mount already there.
        self.mounted = true;
        let mut job =
            Job::new(&self.zus).args(["mount".as_ref(), self.image.as_os_str(), self.point.as_os_str()]);
        if !options.is_empty() {
            job = job.args(["-o", options]);
        }
        job.limit(30).run(&self.log)?;
        ensure!(
            is_mounted(&self.point)?,
            "`zus mount` succeeded and {} is not mounted",
            self.point.display()
        );
        self.watchdog = Some(Watchdog::of(&self.point)?);
        Ok(())
    }

    /// Unmounts it in order.
    pub fn unmount(&mut self) -> Result<()> {
        Job::new(&self.zus)
            .args(["umount".as_ref(), self.point.as_os_str()])
            .limit(PATIENCE_S)
            .run(&self.log)?;
        ensure!(
            !is_mounted(&self.point)?,
            "`zus umount` succeeded and {} is still mounted",
            self.point.display()
        );
        self.mounted = false;
        self.watchdog = None;
        Ok(())
    }

    /// Checks the unmounted image.
    pub fn check(&self) -> Result<()> {
        Job::new(&self.zus)
            .args(["check".as_ref(), self.image.as_os_str()])
            .run(&self.log)
    }

    /// Takes the mount down by force: nobody needs to answer for this.
    fn force(&self) -> Result<()> {
        while is_mounted(&self.point)? {
            // Fails everything in flight, so that the unmount cannot wait for it.
            if let Ok(connection) = connection_of(&self.point) {
                let _ = fs::write(connection.join("abort"), "1");
            }
            umount2(&self.point, MntFlags::MNT_DETACH)?;
        }
        // The server notices that its mount is gone and ends; the image must be free for whoever removes it.
        let deadline = Instant::now() + Duration::from_secs(10);
        while Instant::now() < deadline && in_use(&self.image) {
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        if !self.mounted {
            return;
        }
        if let Err(error) = self.force() {
            eprintln!("lab: {} could not be unmounted: {error:#}", self.point.display());
        }
    }
}

/// Whether something is mounted at `point`; looks at the kernel's list, which no dead server can block.
pub fn is_mounted(point: &Path) -> Result<bool> {
    let point = point.to_string_lossy();
    let list = fs::read_to_string("/proc/self/mountinfo")?;
    Ok(list.lines().any(|line| line.split(' ').nth(4) == Some(&point)))
}

/// The kernel's control folder of the FUSE connection at `point`: named by the device's minor number.
fn connection_of(point: &Path) -> Result<PathBuf> {
    let point = point.to_string_lossy();
    let list = fs::read_to_string("/proc/self/mountinfo")?;
    let line = list
        .lines()
        .rfind(|line| line.split(' ').nth(4) == Some(&point))
        .context("not mounted")?;
    let device = line.split(' ').nth(2).context("no device")?;
    let minor = device.split(':').nth(1).context("no minor number")?;
    Ok(Path::new("/sys/fs/fuse/connections").join(minor))
}

/// Aborts the connection when a mount lasts too long or the end is asked for: this process itself may be
/// inside a system call on it, where no signal of ours reaches.
struct Watchdog {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Watchdog {
    fn of(point: &Path) -> Result<Watchdog> {
        let connection = connection_of(point)?;
        let (stop, stopped) = channel();
        let deadline = Instant::now() + LONGEST;
        let thread = std::thread::spawn(move || {
            while stopped.recv_timeout(Duration::from_millis(100)) == Err(RecvTimeoutError::Timeout) {
                if crate::stop::requested() || Instant::now() >= deadline {
                    let _ = fs::write(connection.join("abort"), "1");
                    break;
                }
            }
        });
        Ok(Watchdog {
            stop: Some(stop),
            thread: Some(thread),
        })
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Whether a process has this file open. By name, for a `stat` could reach into a mount that hangs.
fn in_use(file: &Path) -> bool {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    processes
        .filter_map(|process| fs::read_dir(process.path().join("fd")).ok())
        .flat_map(|open| open.flatten())
        .any(|fd| fs::read_link(fd.path()).is_ok_and(|target| target == file))
}
