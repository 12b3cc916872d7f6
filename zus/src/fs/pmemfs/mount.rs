// SPDX-License-Identifier: MIT
//! Mounting and unmounting.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use super::Pmemfs;
use super::cache::{self, Cache};
use super::edit::Edit;
use super::format::{BLOCK, Geometry, LAST_VERSION, MAGIC, Superblock, SuperblockError};
use super::medium::Medium;
use super::medium::journal::{self, Replayed};
use super::node::Node;
use crate::fs::{Error, Ino, ROOT, Result};
use crate::store::{Access, Image, ImageError, Store};

/// Why an image was not mounted. One line that names it; nothing was written to it.
#[derive(Debug, thiserror::Error)]
pub enum MountError {
    /// It could not be opened, or is in use.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// It is something else.
    #[error("{}: not a pmemfs image", path.display())]
    Foreign {
        /// The image.
        path: PathBuf,
    },
    /// It is shorter than its file system.
    #[error("{}: truncated: {len} of {wanted} bytes are left", path.display())]
    Truncated {
        /// The image.
        path: PathBuf,
        /// Its bytes.
        len: u64,
        /// Those that its file system has.
        wanted: u64,
    },
    /// Its format is another.
    #[error("{}: pmemfs format version {version}, supported is {LAST_VERSION}", path.display())]
    Version {
        /// The image.
        path: PathBuf,
        /// Its version.
        version: u32,
    },
    /// It uses what is unknown here.
    #[error("{}: unknown pmemfs features {features:#x}", path.display())]
    Features {
        /// The image.
        path: PathBuf,
        /// The bits of those.
        features: u64,
    },
    /// Its superblock is damaged.
    #[error("{}: damaged superblock{}", path.display(),
        if *copy { " (its copy at the end of the image is intact)" } else { "" })]
    Superblock {
        /// The image.
        path: PathBuf,
        /// Whether the copy is intact.
        copy: bool,
    },
    /// Something else on it is damaged, or the host failed.
    #[error("{}: cannot be mounted: {source}", path.display())]
    Failed {
        /// The image.
        path: PathBuf,
        /// What.
        source: Error,
    },
}

impl Pmemfs {
    /// Mounts the image `path`. Read-only, the file stays as it is.
    ///
    /// # Errors
    ///
    /// See [`MountError`].
    pub fn open(path: &Path, read_only: bool) -> std::result::Result<Self, MountError> {
        let access = if read_only {
            Access::Snapshot
        } else {
            Access::Exclusive
        };
        let image = Image::open(path, access)?;
        Self::mount(Box::new(image), path, read_only)
    }

    /// Mounts what is in `store`. What the last mount committed is replayed, also when it is `read_only`: then
    /// it should be a snapshot. Errors call it `path`.
    ///
    /// # Errors
    ///
    /// See [`MountError`].
    pub fn mount(
        store: Box<dyn Store>,
        path: &Path,
        read_only: bool,
    ) -> std::result::Result<Self, MountError> {
        let geometry = read_geometry(&*store, path, read_only)?;
        let failed = |source| MountError::Failed {
            path: path.into(),
            source,
        };
        let replayed = journal::replay(&*store, &geometry).map_err(failed)?;
        log(path, replayed);
        let medium = Medium::open(store, geometry, read_only).map_err(failed)?;
        let fs = Self {
            medium,
            cache: Cache::new(),
            moving: Mutex::new(()),
            unmounted: AtomicBool::new(false),
        };
        let root = fs.node(ROOT).map_err(|_| failed(Error::Io))?;
        root.read().directory().map_err(|_| failed(Error::Io))?;
        if !read_only {
            fs.medium.mark_mounted().map_err(failed)?;
            fs.finish_orphans();
        }
        Ok(fs)
    }

    /// Unmounts: frees what has no name, writes down what makes the next mount quick, and syncs. No operation
    /// succeeds in changing anything afterwards. Dropping does it too, but cannot say whether it worked.
    ///
    /// # Errors
    ///
    /// If the medium has failed. The next mount finds it as after the death of a server.
    pub fn unmount(&self) -> Result<()> {
        if self.medium.is_read_only() || self.unmounted.swap(true, Ordering::AcqRel) {
            return Ok(());
        }
        for node in self.cache.all() {
            let mut edit = match Edit::of(&node) {
                Ok(edit) if edit.state.inode.nlink == 0 => edit,
                _ => continue,
            };
            self.finish(&mut edit)?;
            self.cache.remove(&node);
        }
        self.medium.close()?;
        // Whatever still stores does so under the lock of a node; who gets one from here on finds it closed.
        for node in self.cache.all() {
            drop(node.write());
        }
        self.medium.mark_clean()?;
        self.medium.store.release();
        Ok(())
    }

    /// Does what the last mount could not. What fails is left to the next.
    fn finish_orphans(&self) {
        for chunk in self.medium.table.chunks() {
            for ino in chunk.orphans(&*self.medium.store) {
                if let Err(error) = self.finish_loaded(ino) {
                    tracing::warn!(ino, %error, "an orphaned inode could not be finished");
                }
            }
        }
    }

    fn finish_loaded(&self, ino: Ino) -> Result<()> {
        let (at, inode) = cache::load(&self.medium, ino)?;
        let node = Arc::new(Node::new(at, inode, 0));
        let mut edit = Edit::of(&node)?;
        self.finish_orphan(&mut edit)
    }
}

impl Drop for Pmemfs {
    fn drop(&mut self) {
        if let Err(error) = self.unmount() {
            tracing::warn!(%error, "not unmounted in order");
        }
    }
}

/// The geometry of the file system in `store`.
pub(super) fn read_geometry(
    store: &dyn Store,
    path: &Path,
    read_only: bool,
) -> std::result::Result<Geometry, MountError> {
    let path = || path.into();
    let mut bytes = [0; 256];
    if store.len() >= MAGIC.len() as u64 {
        let len = store.len().min(256) as usize;
        store.read(0, &mut bytes[..len]);
    }
    match Superblock::read(&bytes, read_only) {
        Ok((_, geometry)) if geometry.len() > store.len() => Err(MountError::Truncated {
            path: path(),
            len: store.len(),
            wanted: geometry.len(),
        }),
        Ok((_, geometry)) => Ok(geometry),
        Err(SuperblockError::Foreign) => Err(MountError::Foreign { path: path() }),
        Err(SuperblockError::Version(version)) => Err(MountError::Version {
            path: path(),
            version,
        }),
        Err(SuperblockError::Feature(features)) => Err(MountError::Features {
            path: path(),
            features,
        }),
        Err(SuperblockError::Damaged) => Err(MountError::Superblock {
            path: path(),
            copy: has_copy(store),
        }),
    }
}

/// Whether the last block holds a superblock.
fn has_copy(store: &dyn Store) -> bool {
    let Some(at) = (store.len() / BLOCK).checked_sub(1) else {
        return false;
    };
    let mut bytes = [0; 256];
    store.read(at * BLOCK, &mut bytes);
    Superblock::read(&bytes, true).is_ok()
}

fn log(path: &Path, replayed: Replayed) {
    let path = path.display();
    if replayed.committed > 0 {
        tracing::info!(%path, replayed.committed, "finished what the last server had begun");
    }
    if replayed.damaged > 0 {
        tracing::warn!(%path, replayed.damaged, "dropped operations that a loss of power had cut short");
    }
}
