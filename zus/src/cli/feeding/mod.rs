// SPDX-License-Identifier: MIT
//! The feeder of a server, whichever it is: started, watched, changed, stopped.

mod fuse;
mod shm;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, bail};
use relay::Strategy;
use zus::engine::Mount;

use super::options::{Feeder, Flags};
use super::serve::Plan;
use crate::control::Worker;

/// How to take a mount away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// Only if nobody uses it.
    Clean,
    /// Out of sight at once; it ends with its last user.
    Lazy,
    /// From under its users.
    Force,
}

/// A feeder at work.
pub trait Feeding: Send + Sync {
    /// Takes the mount away.
    ///
    /// # Errors
    /// One line: above all, that it is busy.
    fn unmount(&self, how: How) -> Result<()>;

    /// What its workers have done.
    fn workers(&self) -> Vec<Worker>;

    /// Changes how workers and clients wait.
    fn set_waiting(&self, strategy: Strategy, window: Duration);

    /// Changes the kernel's options of the mount.
    ///
    /// # Errors
    /// One line: busy, or not possible.
    fn remount(&self, flags: Flags) -> Result<()>;
}

/// A feeder that was started: the handle on it, and what returns when it has ended.
pub type Started = (Box<dyn Feeding>, Box<dyn FnOnce() + Send>);

/// A feeder that this process can use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chosen {
    /// The kernel.
    Fuse,
    /// Shared memory.
    Shm,
}

impl Chosen {
    /// The feeder that was `wanted`; for `auto` the best that there is, with a word if that is not the kernel.
    /// Whoever says nothing wants a mount that every program sees.
    ///
    /// # Errors
    /// Why it cannot be used, and what to do.
    pub fn new(wanted: Option<Feeder>) -> Result<(Self, Option<String>)> {
        match (wanted, fuse::obstacle()) {
            (Some(Feeder::Shm), _) => Ok((Self::Shm, None)),
            (_, None) => Ok((Self::Fuse, None)),
            (Some(Feeder::Auto), Some(obstacle)) => Ok((
                Self::Shm,
                Some(format!(
                    "{obstacle}; took feeder=shm, which only clients of libzus see"
                )),
            )),
            (Some(Feeder::Fuse) | None, Some(obstacle)) => {
                bail!("{obstacle}, or use -o feeder=shm, which only clients of libzus see")
            }
        }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Fuse => "fuse",
            Self::Shm => "shm",
        }
    }

    /// Where clients connect, if it has such a place.
    pub fn data_socket(self, plan: &Plan) -> Option<PathBuf> {
        (self == Self::Shm).then(|| plan.runtime_dir.join(format!("{}.data", std::process::id())))
    }

    /// Refuses options that this feeder does not have.
    ///
    /// # Errors
    /// The first of them.
    pub fn check(self, plan: &Plan) -> Result<()> {
        let options = &plan.options;
        let foreign = [
            (Self::Fuse, "placement", options.placement.is_some()),
            (Self::Shm, "workers", options.workers.is_some()),
            (Self::Shm, "cpus", options.cpus.is_some()),
        ];
        match foreign
            .iter()
            .find(|(feeder, _, given)| *feeder == self && *given)
        {
            Some((_, name, _)) => bail!("option {name}: the feeder {} has none", self.name()),
            None => Ok(()),
        }
    }

    /// Starts it: from now on `mount` can be used.
    ///
    /// # Errors
    /// One line that names what is in the way.
    pub fn start(self, mount: Arc<Mount>, plan: &Plan) -> Result<Started> {
        match self {
            Self::Fuse => fuse::start(mount, plan),
            Self::Shm => shm::start(mount, plan, self.data_socket(plan).unwrap_or_default()),
        }
    }
}
