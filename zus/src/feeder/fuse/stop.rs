// SPDX-License-Identifier: MIT
//! Ending a mount.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags, open, syncfs};
use rustix::io::Errno;
use rustix::mount::{UnmountFlags, unmount};

use super::UnmountError;
use super::kernel::Identity;
use crate::mountinfo;

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
/// mounted in its place.
#[derive(Clone, Debug)]
pub struct Stopper(Arc<State>);

#[derive(Debug)]
struct State {
    identity: Identity,
    point: PathBuf,
    /// A descriptor of the connection, only to ask whether there still is one.
    connection: OwnedFd,
    /// Relaxed: read after the workers have ended, which the cut made them.
    was_cut: AtomicBool,
}

impl Stopper {
    pub(super) fn new(identity: Identity, point: PathBuf, connection: OwnedFd) -> Self {
        Self(Arc::new(State {
            identity,
            point,
            connection,
            was_cut: AtomicBool::new(false),
        }))
    }

    /// Where it was mounted.
    pub fn point(&self) -> &Path {
        &self.0.point
    }

    /// Unmounts. The server notices by itself when the mount has ended, which with [`How::Lazy`] is later.
    ///
    /// # Errors
    ///
    /// [`UnmountError::Busy`] with [`How::Clean`] if it is used; else what the kernel says.
    pub fn unmount(&self, how: How) -> Result<(), UnmountError> {
        // Numbers of mounts and of connections are used again, but not while there is the connection.
        if !self.is_connected() {
            return Ok(());
        }
        let failed = |error| UnmountError::Failed {
            point: self.point().into(),
            error,
        };
        // It may have been moved; and it is nowhere if it was unmounted and is still used.
        let all = mountinfo::all().map_err(failed)?;
        let mine = all
            .into_iter()
            .find(|mounted| Identity::from(mounted) == self.0.identity);
        let point = mine.map(|mounted| mounted.dir);
        if how == How::Force {
            self.cut(point.as_deref());
        }
        let Some(point) = point else { return Ok(()) };
        let flags = match how {
            How::Clean => UnmountFlags::NOFOLLOW,
            How::Lazy | How::Force => UnmountFlags::NOFOLLOW | UnmountFlags::DETACH,
        };
        match unmount(&point, flags) {
            Err(Errno::BUSY) => Err(UnmountError::Busy(point)),
            Err(Errno::PERM) => Err(UnmountError::NotPermitted(point)),
            // Cutting unmounts what nobody uses.
            Err(Errno::INVAL) if how == How::Force => Ok(()),
            Err(error) => Err(failed(error.into())),
            Ok(()) => Ok(()),
        }
    }

    /// Whether the connection was cut by [`How::Force`].
    pub(super) fn was_cut(&self) -> bool {
        self.0.was_cut.load(Ordering::Relaxed)
    }

    fn is_connected(&self) -> bool {
        let now = Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        let mut fds = [PollFd::new(&self.0.connection, PollFlags::IN)];
        match poll(&mut fds, Some(&now)) {
            Ok(_) => !fds[0].revents().contains(PollFlags::ERR),
            Err(_) => true,
        }
    }

    /// Cuts the connection: by its control file, if that is mounted, and by its mount.
    fn cut(&self, point: Option<&Path>) {
        if let Some(point) = point {
            write_back(point);
        }
        self.0.was_cut.store(true, Ordering::Relaxed);
        let control = format!("/sys/fs/fuse/connections/{}/abort", self.0.identity.minor);
        let by_control = std::fs::write(control, "1");
        let by_mount = point.map(|point| unmount(point, UnmountFlags::NOFOLLOW | UnmountFlags::FORCE));
        if by_control.is_err() && by_mount.is_none() {
            tracing::error!("unmounted but used, and without /sys/fs/fuse/connections it cannot be cut off");
        }
    }
}

/// Has changed pages written back, by another thread: a server that does not answer must not keep us.
fn write_back(point: &Path) {
    let point = point.to_owned();
    let (done, wait) = mpsc::channel();
    let sync = move || {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let synced = open(&point, flags, Mode::empty()).and_then(syncfs);
        let _ = done.send(synced);
    };
    let thread = std::thread::Builder::new().name("zus-fuse-sync".into());
    let synced = match thread.spawn(sync) {
        Ok(_) => wait.recv_timeout(PATIENCE).unwrap_or(Err(Errno::TIMEDOUT)),
        Err(_) => Err(Errno::AGAIN),
    };
    if let Err(error) = synced {
        tracing::warn!(%error, "changed pages may not have been written back");
    }
}
