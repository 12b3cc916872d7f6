// SPDX-License-Identifier: MIT
//! The kernel, through /dev/fuse.

use std::fs::OpenOptions;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use relay::{Policy, Stats, Strategy};
use rustix::io::Errno;
use rustix::mount::{MountFlags, mount_remount};
use rustix::thread::{CapabilitySet, capabilities};
use zus::engine::Mount;
use zus::feeder::fuse::{End, Fuse, FuseOptions, Stopper, UnmountError};
use zus::mountinfo;

use super::{Feeding, How, Started};
use crate::cli::options::Flags;
use crate::cli::serve::Plan;
use crate::control::Worker;

/// What keeps this process from mounting through /dev/fuse, and what to do about it; `None` if nothing does.
pub fn obstacle() -> Option<String> {
    match OpenOptions::new().read(true).write(true).open("/dev/fuse") {
        Err(error) => match error.raw_os_error().map(Errno::from_raw_os_error) {
            Some(Errno::NOENT | Errno::NODEV | Errno::NXIO) => {
                Some("no /dev/fuse: load the kernel's FUSE (modprobe fuse)".into())
            }
            Some(Errno::ACCESS | Errno::PERM) => {
                Some("/dev/fuse: permission denied: mount as root (sudo)".into())
            }
            _ => Some(format!("/dev/fuse: {error}")),
        },
        Ok(_) => {
            let can = capabilities(None).is_ok_and(|sets| sets.effective.contains(CapabilitySet::SYS_ADMIN));
            (!can).then(|| "permission denied: mount as root (sudo)".into())
        }
    }
}

pub fn start(mount: Arc<Mount>, plan: &Plan) -> Result<Started> {
    let flags = plan.options.flags.apply(MountFlags::empty());
    let has = |flag| flags.contains(flag);
    let options = FuseOptions {
        source: plan
            .image
            .as_ref()
            .map_or(plan.fs.clone(), |image| image.to_string_lossy().into_owned()),
        read_only: has(MountFlags::RDONLY),
        no_suid: has(MountFlags::NOSUID),
        no_dev: has(MountFlags::NODEV),
        no_exec: has(MountFlags::NOEXEC),
        no_atime: has(MountFlags::NOATIME),
        synchronous: has(MountFlags::SYNCHRONOUS),
        cpus: plan.options.cpus.clone(),
        workers_per_cpu: plan
            .options
            .workers
            .unwrap_or(FuseOptions::default().workers_per_cpu),
        ..FuseOptions::default()
    };
    let policy = mount.policy().clone();
    let fuse = Fuse::mount(mount, &plan.dir, &options)?;
    let feeding = Kernel {
        stopper: fuse.stopper(),
        workers: fuse.workers(),
        policy,
        dir: plan.dir.clone(),
    };
    let wait = move || match fuse.wait() {
        End::Unmounted => {}
        End::Aborted => tracing::warn!("the connection to the kernel was cut"),
        End::Failed(error) => tracing::error!("/dev/fuse: {error}"),
    };
    Ok((Box::new(feeding), Box::new(wait)))
}

struct Kernel {
    stopper: Stopper,
    workers: Vec<(u32, Arc<Stats>)>,
    policy: Arc<Policy>,
    dir: PathBuf,
}

impl Feeding for Kernel {
    fn unmount(&self, how: How) -> Result<()> {
        use zus::feeder::fuse::How as Its;
        let how = match how {
            How::Clean => Its::Clean,
            How::Lazy => Its::Lazy,
            How::Force => Its::Force,
        };
        self.stopper.unmount(how).map_err(|error| match error {
            UnmountError::Busy(_) => {
                anyhow!("busy: a file or directory there is in use (fuser -vm shows by whom)")
            }
            UnmountError::NotPermitted(_) => anyhow!("only root can unmount it"),
            UnmountError::Failed { error, .. } => error.into(),
        })
    }

    fn workers(&self) -> Vec<Worker> {
        self.workers
            .iter()
            .map(|(cpu, stats)| Worker::new(*cpu, stats.snapshot()))
            .collect()
    }

    fn set_waiting(&self, strategy: Strategy, window: Duration) {
        self.policy.set_strategy(strategy);
        self.policy.set_window(window);
    }

    fn remount(&self, flags: Flags) -> Result<()> {
        let mounted = mountinfo::at(&self.dir)?
            .filter(mountinfo::Mounted::is_zufs)
            .context("not mounted any more")?;
        match mount_remount(&self.dir, flags.apply(mounted.flags()), c"") {
            Ok(()) => Ok(()),
            Err(Errno::BUSY) => bail!("busy: a file there is open for writing"),
            Err(Errno::PERM) => bail!("only root can change it"),
            Err(error) => Err(io::Error::from(error).into()),
        }
    }
}
