// SPDX-License-Identifier: MIT
//! `zus umount`: takes a mount down in order, and dead ones away.

use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::mount::{UnmountFlags, unmount};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use zus::mountinfo::{self, Mounted};
use zus_protocol::registry::{self, Entry};

use super::point;
use crate::control::{self, Reply, Request};

/// How long a server may take to unmount and to close its image, before the command gives up waiting (the
/// server does not).
const PATIENCE: Duration = Duration::from_secs(600);

/// Unmount, and wait until the server has closed the image and ended.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  zus umount /mnt/data
  zus umount --lazy /mnt/data     also while files are open there; the server ends with the last of them

A mount point whose server was killed (\"Transport endpoint is not connected\") is cleaned up.")]
pub struct Umount {
    /// The mount point.
    dir: PathBuf,
    /// Take the directory away also while it is in use, and do not wait for its last users.
    #[arg(short, long)]
    lazy: bool,
}

impl Umount {
    pub fn run(&self) -> Result<()> {
        let shown = self.dir.display();
        let dir = point::find(&self.dir)?;
        let mounted = mountinfo::at(&dir).context("/proc/self/mountinfo")?;
        if let Some(other) = mounted.as_ref().filter(|mounted| !mounted.is_zufs()) {
            bail!("{shown}: what is mounted there is {}, not zufs", other.kind);
        }
        match registry::find(&dir) {
            Some(entry) if entry.alive() => self.stop(&entry, mounted.is_some()),
            dead => self.clean(&dir, mounted, dead),
        }
    }

    /// Has a living server end.
    fn stop(&self, entry: &Entry, mounted: bool) -> Result<()> {
        let shown = self.dir.display();
        let process = Process::open(entry);
        match control::ask(&entry.control, &Request::Stop { lazy: self.lazy }, PATIENCE) {
            Ok(Reply::Done) => {}
            Ok(Reply::Error(error)) => bail!("{shown}: {error}"),
            Ok(Reply::Status(_)) => bail!("{shown}: the server (pid {}) answers something else", entry.pid),
            Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                bail!(
                    "{shown}: the server (pid {}) has not unmounted within {PATIENCE:?}",
                    entry.pid
                )
            }
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                bail!("{shown}: only the server's user and root can unmount it")
            }
            // It may just have ended by itself. If not, the kernel unmounts without its help.
            Err(_) if mounted => detach(&self.dir, &entry.dir, self.lazy)?,
            Err(_) if process.is_none() => {}
            Err(error) => {
                return Err(error).with_context(|| format!("{shown}: the server (pid {})", entry.pid));
            }
        }
        match process {
            Some(process) if !self.lazy => process.wait(),
            _ => Ok(()),
        }
    }

    /// Takes away what a dead server left.
    fn clean(&self, dir: &Path, mounted: Option<Mounted>, dead: Option<Entry>) -> Result<()> {
        let shown = self.dir.display();
        if mounted.is_none() && dead.is_none() {
            bail!("{shown}: not mounted");
        }
        let is_dead = dead.is_some() || point::is_dead(dir);
        if mounted.is_some() {
            // Where nobody answers any more, nothing is lost by taking it away while in use.
            detach(&self.dir, dir, self.lazy || is_dead)?;
        }
        control::prune(&registry::runtime_dir(), point::is_mounted);
        if is_dead {
            let pid = dead
                .map(|entry| format!(" (pid {})", entry.pid))
                .unwrap_or_default();
            eprintln!("zus: {shown}: its server{pid} had died; the mount point is cleaned up");
        }
        Ok(())
    }
}

/// Unmounts `dir`, which the user called `shown`.
fn detach(shown: &Path, dir: &Path, lazy: bool) -> Result<()> {
    let flags = if lazy {
        UnmountFlags::DETACH
    } else {
        UnmountFlags::empty()
    };
    match unmount(dir, flags | UnmountFlags::NOFOLLOW) {
        Ok(()) => Ok(()),
        // Somebody else was faster.
        Err(Errno::INVAL) => Ok(()),
        Err(Errno::BUSY) => bail!("{}: busy", shown.display()),
        Err(Errno::PERM) => bail!("{}: only root can unmount it", shown.display()),
        Err(error) => Err(error).with_context(|| shown.display().to_string()),
    }
}

/// A server's process, safe from the reuse of its id.
struct Process(OwnedFd);

impl Process {
    /// `None` if it has ended.
    fn open(entry: &Entry) -> Option<Self> {
        let pid = Pid::from_raw(i32::try_from(entry.pid).ok()?)?;
        let process = pidfd_open(pid, PidfdFlags::empty()).ok()?;
        entry.alive().then_some(Self(process))
    }

    /// Waits until it has ended and all that it held is free.
    fn wait(self) -> Result<()> {
        loop {
            match poll(&mut [PollFd::new(&self.0, PollFlags::IN)], None) {
                Err(Errno::INTR) => {}
                result => return result.map(|_| ()).context("waiting for the server's end"),
            }
        }
    }
}
