// SPDX-License-Identifier: MIT
//! The file system of a mount, opened and closed.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Error, Result, anyhow};
use zus::fs::FileSystem;
use zus::fs::nullfs::Nullfs;
use zus::fs::pmemfs::Pmemfs;
use zus_protocol::registry;

use super::serve::Plan;

/// A file system, and its image if it has one.
pub enum Opened {
    /// Keeps nothing.
    Null(Arc<Nullfs>),
    /// On an image.
    Pmem(Arc<Pmemfs>),
}

impl Opened {
    /// Opens what `plan` names.
    ///
    /// # Errors
    /// What is wrong with its image, which is named.
    pub fn open(plan: &Plan) -> Result<Self> {
        let Some(image) = &plan.image else {
            return Ok(Self::Null(Arc::default()));
        };
        match Pmemfs::open(image, plan.options.read_only()) {
            Ok(fs) => Ok(Self::Pmem(Arc::new(fs))),
            Err(error) => Err(explain(image, error.into())),
        }
    }

    /// As all file systems.
    pub fn fs(&self) -> Arc<dyn FileSystem> {
        match self {
            Self::Null(fs) => fs.clone(),
            Self::Pmem(fs) => fs.clone(),
        }
    }

    /// Closes it: everything is durable, the image in order, and nothing can change it any more.
    ///
    /// # Errors
    /// If the image has failed.
    pub fn close(&self) -> Result<()> {
        match self {
            Self::Null(_) => Ok(()),
            Self::Pmem(fs) => fs.unmount().context("the image could not be closed in order"),
        }
    }
}

/// What is to be said where `image` cannot be opened because of `error`: if it is mounted, where.
pub fn explain(image: &Path, error: Error) -> Error {
    let holds = |entry: &registry::Entry| entry.image.as_deref() == Some(image) && entry.alive();
    let Some(entry) = registry::list().into_iter().find(holds) else {
        return error;
    };
    let (image, dir, pid) = (image.display(), entry.dir.display(), entry.pid);
    let still = if entry.detached {
        " (detached, still in use)"
    } else {
        ""
    };
    anyhow!("{image}: already mounted on {dir}{still} (pid {pid})")
}
