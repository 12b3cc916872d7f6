// SPDX-License-Identifier: MIT
//! Ending a mount.

use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

use rustix::fs::{CWD, Mode, OFlags, open, syncfs};
use rustix::io::Errno;
use rustix::mount::{UnmountFlags, unmount};

use super::UnmountError;
use super::kernel::{Mounted, mounts, unique_id};

/// How to unmount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// Only if nobody uses it.
    Clean,
    /// Takes it out of sight at once; who uses it goes on, and it ends with the last of them.
    Lazy,
    /// Cuts off whoever uses it: they get ENOTCONN. What they have changed through mmap(2) is written back
    /// first, if that does not take too long.
    Force,
}

/// How long [`How::Force`] waits for changed pages to be written back.
const PATIENCE: Duration = Duration::from_secs(10);

/// Ends a mount from any thread. Does nothing if it has ended: it knows its own from another that was
/// mounted in its place, or elsewhere under its number, which the kernel gives to the next mount at once.
#[derive(Clone, Debug)]
pub struct Stopper {
    id: u64,
    /// A number that no other mount gets as long as this kernel runs. None before Linux 6.8.
    unique_id: Option<u64>,
    point: PathBuf,
}

impl Stopper {
    pub(super) fn new(id: u64, unique_id: Option<u64>, point: PathBuf) -> Self {
        Self { id, unique_id, point }
    }

    /// Whether `mount`, which has its number, is the one.
    fn is_mine(&self, mount: &Mounted) -> bool {
        match (self.unique_id, unique_id(CWD, &mount.point)) {
            (Some(mine), Some(its)) => mine == its,
            _ => mount.point == self.point,
        }
    }

    /// Where it was mounted.
    pub fn point(&self) -> &Path {
        &self.point
    }

    /// Unmounts. The server notices by itself when the mount has ended, which with [`How::Lazy`] is later.
    ///
    /// # Errors
    ///
    /// [`UnmountError::Busy`] with [`How::Clean`] if it is used; else what the kernel says.
    pub fn unmount(&self, how: How) -> Result<(), UnmountError> {
        let failed = |error| UnmountError::Failed {
            point: self.point.clone(),
            error,
        };
        let all = mounts().map_err(failed)?;
        // It may have been moved; if it is nowhere, somebody else has unmounted it.
        let mine = all.into_iter().find(|mount| mount.id == self.id);
        let Some(mine) = mine.filter(|mount| self.is_mine(mount)) else {
            return Ok(());
        };
        let flags = match how {
            How::Clean => UnmountFlags::NOFOLLOW,
            How::Lazy => UnmountFlags::NOFOLLOW | UnmountFlags::DETACH,
            How::Force => {
                write_back(&mine.point);
                self.abort(&mine.point, mine.minor);
                UnmountFlags::NOFOLLOW | UnmountFlags::DETACH
            }
        };
        unmount(&mine.point, flags).map_err(|error| match error {
            Errno::BUSY => UnmountError::Busy(mine.point),
            Errno::PERM => UnmountError::NotPermitted(mine.point),
            error => failed(error.into()),
        })
    }

    /// Cuts the connection: by the mount itself, which is busy then but cut off all the same, and in case
    /// this kernel does not do that, by its control file.
    fn abort(&self, point: &Path, minor: u32) {
        let _ = unmount(point, UnmountFlags::NOFOLLOW | UnmountFlags::FORCE);
        let _ = std::fs::write(format!("/sys/fs/fuse/connections/{minor}/abort"), "1");
    }
}

/// Has changed pages written back, by another thread: a server that does not answer must not keep us.
fn write_back(point: &Path) {
    let point = point.to_owned();
    let (done, wait) = mpsc::channel();
    let writer = std::thread::Builder::new()
        .name("zus-fuse-sync".into())
        .spawn(move || {
            let synced = open(
                &point,
                OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC,
                Mode::empty(),
            )
            .and_then(syncfs);
            let _ = done.send(synced);
        });
    let synced = writer
        .ok()
        .and_then(|_| wait.recv_timeout(PATIENCE).ok())
        .unwrap_or(Err(Errno::TIMEDOUT));
    if let Err(error) = synced {
        tracing::warn!(%error, "changed pages may not have been written back");
    }
}
