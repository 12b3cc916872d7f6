// SPDX-License-Identifier: MIT
//! Folders for the length of a run: mount points, the registry of our own servers, images.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use tempfile::{Builder, TempDir};

use crate::interrupt::Leftover;

/// A folder that is removed at the end.
#[derive(Debug)]
pub struct Scratch {
    path: PathBuf,
    _kept: Leftover,
}

impl Scratch {
    /// A new folder in `parent`.
    ///
    /// # Errors
    ///
    /// A parent that cannot be written.
    pub fn new(parent: &Path) -> anyhow::Result<Self> {
        let made = Builder::new().prefix("zus-fs4k-").tempdir_in(parent);
        let dir: TempDir = made.with_context(|| format!("cannot write to {}", parent.display()))?;
        let path = dir.path().canonicalize()?;
        fs::create_dir(path.join("run"))?;
        Ok(Self {
            path,
            _kept: Leftover::new(move || drop(dir)),
        })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The registry of this run's servers: nobody else's list shows them.
    pub fn runtime(&self) -> PathBuf {
        self.path.join("run")
    }

    /// A new folder in it.
    ///
    /// # Errors
    ///
    /// Those of the file system.
    pub fn dir(&self, name: &str) -> anyhow::Result<PathBuf> {
        let dir = self.path.join(name);
        fs::create_dir(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
        Ok(dir)
    }
}

/// Where images go unless told otherwise: memory, so that no disk is measured.
pub fn image_parent() -> PathBuf {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() {
        memory.to_owned()
    } else {
        std::env::temp_dir()
    }
}
