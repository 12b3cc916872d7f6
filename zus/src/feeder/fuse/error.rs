// SPDX-License-Identifier: MIT
//! What can be in the way of mounting and unmounting: each names the thing and what to do.

use std::io;
use std::path::PathBuf;

/// Why something was not mounted.
#[derive(Debug, thiserror::Error)]
pub enum MountError {
    /// The kernel's FUSE is not there.
    #[error("/dev/fuse: no such device; load the kernel's FUSE with `modprobe fuse`")]
    NoDevice,
    /// The device cannot be opened.
    #[error("/dev/fuse: {0}; run as root, or make it accessible")]
    Device(#[source] io::Error),
    /// Not root.
    #[error("{}: mounting is not permitted; run as root", .0.display())]
    NotPermitted(PathBuf),
    /// The mount point is missing.
    #[error("{}: no such directory; make it with `mkdir -p`", .0.display())]
    NoPoint(PathBuf),
    /// The mount point is something else.
    #[error("{}: not a directory", .0.display())]
    NotDirectory(PathBuf),
    /// The mount point is in use.
    #[error("{}: something is mounted here already ({what}); unmount it first with `umount`", .point.display())]
    Busy {
        /// The mount point.
        point: PathBuf,
        /// Type and source of what is mounted there.
        what: String,
    },
    /// The mount point is in use by a mount whose server died.
    #[error("{}: a mount is in the way whose server died; remove it with `umount`", .0.display())]
    Dead(PathBuf),
    /// The mount point cannot be looked at.
    #[error("{}: {error}", .point.display())]
    Point {
        /// The mount point.
        point: PathBuf,
        /// What looking at it said.
        error: io::Error,
    },
    /// The kernel does not want it.
    #[error("{}: the kernel refused the mount ({step}): {error}{detail}", .point.display())]
    Refused {
        /// The mount point.
        point: PathBuf,
        /// At which step.
        step: &'static str,
        /// What it said.
        error: io::Error,
        /// What it said in words, if anything.
        detail: String,
    },
    /// INIT went wrong.
    #[error("the kernel's FUSE did not shake hands: {0}")]
    Handshake(String),
    /// The workers could not be started.
    #[error("worker threads could not be started: {0}")]
    Workers(#[source] io::Error),
    /// A CPU was named that is not there.
    #[error("CPU {cpu}: not one of those that this process may use ({allowed:?})")]
    NoCpu {
        /// The one that was named.
        cpu: u32,
        /// Those that are there.
        allowed: Vec<u32>,
    },
    /// No worker was asked for.
    #[error("a mount needs at least one worker on at least one CPU")]
    NoWorkers,
}

/// Why something was not unmounted.
#[derive(Debug, thiserror::Error)]
pub enum UnmountError {
    /// In use.
    #[error("{}: busy: a process has a file open, or its working directory, below it (`fuser -vm` shows which)", .0.display())]
    Busy(PathBuf),
    /// Not root.
    #[error("{}: unmounting is not permitted; run as root", .0.display())]
    NotPermitted(PathBuf),
    /// Anything else.
    #[error("{}: {error}", .point.display())]
    Failed {
        /// The mount point.
        point: PathBuf,
        /// What unmounting it said.
        error: io::Error,
    },
}
