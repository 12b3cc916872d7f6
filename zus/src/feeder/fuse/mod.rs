// SPDX-License-Identifier: MIT
//! /dev/fuse: the kernel's own FUSE brings the messages. Works on any machine, needs no module of ours.
//!
//! ```text
//! let fuse = Fuse::mount(mount, Path::new("/mnt"), &FuseOptions::default())?;
//! let stop = fuse.stopper();       // for a signal thread: stop.unmount(How::Clean)
//! let end = fuse.wait();           // returns when it is unmounted, by whomever
//! ```
//!
//! **Life.** [`Fuse::mount`] makes the mount, shakes hands with the kernel, starts the workers, and only
//! then attaches it to its mount point: nobody ever meets a mount that does not answer, and until then a
//! failure leaves nothing behind. The kernel ends it: when the last user of the file system is gone after
//! it was unmounted, or when the connection is aborted, each worker's next read says so. Dropping a
//! [`Fuse`] unmounts by force and waits for that.
//!
//! **Waiting.** One worker at a time waits at the device (`lead.rs`), so that at most one CPU is burnt, and
//! the kernel, which sees nobody else there, wakes nobody in vain. Except with `spin`, it is the one on the
//! CPU of the application (`follow.rs`). If there is more to do than one can, all sleep in the kernel. Each worker has two descriptors of its own (`FUSE_DEV_IOC_CLONE`):
//! one that blocks and one that does not. To poll is to read from the second, to sleep is to read from the
//! first: one system call brings the request either way.
//!
//! | strategy | the waiting worker |
//! |---|---|
//! | `park` | sleeps in read(2) |
//! | `waitqueue` | sleeps in poll(2), then reads |
//! | `yield` | reads once without blocking, gives way once, reads again, sleeps in read(2) |
//! | `spin` | reads without blocking for ever |
//! | `hybrid` | the same within the window, if that has paid lately; then sleeps in read(2) |

#[allow(unsafe_code)] // one ioctl that has no safe wrapper
mod clone;
mod device;
mod error;
mod follow;
mod kernel;
mod lead;
mod options;
mod stop;
mod worker;

use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;

pub use error::{MountError, UnmountError};
pub use options::FuseOptions;
pub use stop::{How, Stopper};

use self::device::Device;
use self::lead::Lead;
use self::worker::Worker;
use crate::engine::{Access, Mount, Session};

/// Why a mount ended.
#[derive(Debug)]
pub enum End {
    /// It was unmounted and nobody uses it any more.
    Unmounted,
    /// The connection was cut: by [`How::Force`], by `umount -f`, or by the administrator.
    Aborted,
    /// The device did what it should not.
    Failed(std::io::Error),
}

/// A file system mounted through /dev/fuse.
pub struct Fuse {
    mount: Arc<Mount>,
    workers: Vec<JoinHandle<End>>,
    stats: Vec<(u32, Arc<relay::Stats>)>,
    stopper: Stopper,
}

impl Fuse {
    /// Mounts the file system of `mount` on the directory `point` and starts serving it.
    ///
    /// # Errors
    ///
    /// [`MountError`] names what is in the way and what to do about it. Nothing is left behind.
    pub fn mount(mount: Arc<Mount>, point: &Path, options: &FuseOptions) -> Result<Self, MountError> {
        let point = kernel::check_point(point)?;
        let cpus = options.cpus()?;
        let (kernel, device) = kernel::create(mount.fs().kind(), options, &point)?;
        let session = Arc::new(mount.session(Access::Kernel));
        let mut first = Device::first(device, mount.policy().clone());
        worker::shake_hands(&session, &mut first)?;
        let detached = kernel.detached(options, &point)?;
        // The mount alone keeps the connection now: workers that have to be stopped before it is attached
        // see it end.
        drop(kernel);
        let identity = detached.identity(&point)?;
        let mut fuse = Self {
            mount,
            workers: Vec::new(),
            stats: Vec::new(),
            stopper: Stopper::new(identity, point, first.connection()?),
        };
        let started = fuse.start(&session, &first, cpus);
        started.and_then(|()| detached.attach(fuse.point()))?;
        tracing::info!(point = %fuse.point().display(), workers = fuse.workers.len(), "mounted");
        Ok(fuse)
    }

    fn start(&mut self, session: &Arc<Session>, first: &Device, cpus: Vec<u32>) -> Result<(), MountError> {
        let lead = Arc::new(Lead::default());
        for (index, cpu) in cpus.into_iter().enumerate() {
            let device = Device::clone_of(first, self.mount.policy().clone())?;
            self.stats.push((cpu, device.stats_handle()));
            let worker = Worker::new(session.clone(), lead.clone(), device, cpu);
            self.workers.push(worker.start(index)?);
        }
        Ok(())
    }

    /// Where it was mounted.
    pub fn point(&self) -> &Path {
        self.stopper.point()
    }

    /// What it mounts.
    pub fn served(&self) -> &Arc<Mount> {
        &self.mount
    }

    /// For unmounting it from another thread, which [`wait`](Self::wait) then notices.
    pub fn stopper(&self) -> Stopper {
        self.stopper.clone()
    }

    /// What each worker's waiting has cost so far.
    pub fn stats(&self) -> Vec<relay::Snapshot> {
        self.stats.iter().map(|(_, stats)| stats.snapshot()).collect()
    }

    /// Each worker's CPU and counters, for looking at them while another thread [waits](Self::wait).
    pub fn workers(&self) -> Vec<(u32, Arc<relay::Stats>)> {
        self.stats.clone()
    }

    /// Serves until the mount has ended, then makes everything durable.
    pub fn wait(mut self) -> End {
        self.finish()
    }

    /// Joins the workers. The kernel's session ends with the last of them, and gives back all references.
    fn finish(&mut self) -> End {
        let mut end = End::Unmounted;
        for worker in self.workers.drain(..) {
            let how = worker
                .join()
                .unwrap_or_else(|_| End::Failed(std::io::Error::other("a worker panicked")));
            if !matches!(how, End::Unmounted) {
                end = how;
            }
        }
        if self.stopper.was_cut() && matches!(end, End::Unmounted) {
            end = End::Aborted; // the kernel says so only if it was done by the control file
        }
        if let Err(error) = self.mount.fs().sync() {
            tracing::error!(%error, "the last sync failed");
        }
        end
    }
}

impl Drop for Fuse {
    fn drop(&mut self) {
        if !self.workers.is_empty() {
            if let Err(error) = self.stopper.unmount(How::Force) {
                tracing::error!(%error, "could not unmount");
            }
            self.finish();
        }
    }
}
