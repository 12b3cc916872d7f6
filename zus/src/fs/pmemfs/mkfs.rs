// SPDX-License-Identifier: MIT
//! Making a file system.

use std::path::{Path, PathBuf};

use rustix::rand::{GetRandomFlags, getrandom};

use super::clock;
use super::format::{
    BLOCK, CLEAN, DESCRIPTOR, GROUP, GROUP_READY, Geometry, Inode, LANE, STATE_AT, Superblock, TABLE_INODE_AT,
};
use super::medium::Medium;
use super::medium::space::first_bitmap;
use super::medium::table;
use super::medium::tx::Tx;
use crate::fs::{Error, Kind, ROOT};
use crate::store::{Image, ImageError, Store};

/// The smallest file system, in bytes.
pub const MIN_LEN: u64 = 1 << 20;
/// The largest, in bytes.
const MAX_LEN: u64 = BLOCK << 32;

/// How a file system is made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MkfsOptions {
    /// Overwrite whatever is there.
    pub force: bool,
    /// Owner and group of the root directory.
    pub owner: (u32, u32),
}

/// Why no file system was made. One line that names the image.
#[derive(Debug, thiserror::Error)]
pub enum MkfsError {
    /// The image could not be opened or made.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// Too few bytes, or too many.
    #[error("{}: {len} bytes are {} for a file system, which has 1 MiB to 16 TiB", path.display(),
        if *len < MIN_LEN { "too few" } else { "too many" })]
    Size {
        /// The image.
        path: PathBuf,
        /// The bytes that it would have.
        len: u64,
    },
    /// Something went wrong while it was made.
    #[error("{}: {source}", path.display())]
    Failed {
        /// The image.
        path: PathBuf,
        /// What.
        source: Error,
    },
}

/// Makes a file system of `len` bytes in the file `path`, which is made too, or in all of the block device
/// `path`.
///
/// # Errors
///
/// See [`MkfsError`]. Unless it says [`MkfsError::Failed`] nothing has changed.
pub fn mkfs(path: &Path, len: u64, options: &MkfsOptions) -> Result<(), MkfsError> {
    let size = |len| {
        let sound = (MIN_LEN..=MAX_LEN).contains(&len);
        sound.then_some(()).ok_or(MkfsError::Size {
            path: path.into(),
            len,
        })
    };
    size(len)?;
    let image = Image::create(path, len, options.force)?;
    size(image.len())?;
    format(Box::new(image), options).map_err(|source| MkfsError::Failed {
        path: path.into(),
        source,
    })
}

/// Makes a file system on all of `store`, whatever was there.
///
/// # Errors
///
/// [`Error::Invalid`] if there are too few bytes, or too many; else what the medium says.
pub fn format(store: Box<dyn Store>, options: &MkfsOptions) -> Result<(), Error> {
    let geometry = Geometry::new(store.len() / BLOCK).ok_or(Error::Invalid)?;
    lay_out(&*store, &geometry)?;
    let mut uuid = [0; 16];
    getrandom(&mut uuid, GetRandomFlags::empty()).map_err(|_| Error::Io)?;
    let now = clock::now();

    // From here on it is a file system like any other, but for the superblock.
    let medium = Medium::open(store, geometry, false)?;
    let mut tx = Tx::new(&medium)?;
    let (ino, at) = medium.table.take(&mut tx)?;
    if ino != ROOT {
        return Err(Error::Io);
    }
    let mut root = Inode {
        kind: Some(Kind::Directory),
        perm: 0o755,
        nlink: 2,
        uid: options.owner.0,
        gid: options.owner.1,
        parent: ROOT,
        atime: now,
        mtime: now,
        ctime: now,
        btime: now,
        ..Inode::free(ROOT, 1)
    };
    tx.inode(at, &mut root)?;
    tx.commit()?;
    medium.close()?;
    medium.mark_clean()?;

    let superblock = Superblock::new(&geometry, uuid, now.sec as u64);
    let store = &*medium.store;
    for block in [geometry.blocks - 1, 0] {
        store.reserve(block * BLOCK, BLOCK)?;
        store.write(block * BLOCK, superblock.bytes());
        store.flush(block * BLOCK, BLOCK);
        store.fence();
        store.sync()?;
    }
    Ok(())
}

/// Writes what a file system without any inode has, but for the superblock.
fn lay_out(store: &dyn Store, geometry: &Geometry) -> Result<(), Error> {
    let zero = |at: u64, len: u64| -> Result<(), Error> {
        store.reserve(at, len)?;
        store.zero(at, len);
        store.flush(at, len);
        Ok(())
    };
    // Whatever was there is gone first, so that no half-made file system is taken for a whole one.
    zero(0, BLOCK)?;
    zero((geometry.blocks - 1) * BLOCK, BLOCK)?;
    store.fence();
    store.sync()?;
    zero(STATE_AT, BLOCK)?;
    zero(geometry.journal * BLOCK, u64::from(geometry.lanes) * LANE)?;
    zero(
        geometry.groups * BLOCK,
        (geometry.bitmap - geometry.groups) * BLOCK,
    )?;
    store.reserve(geometry.bitmap * BLOCK, BLOCK)?;
    store.write(geometry.bitmap * BLOCK, &first_bitmap(geometry, 0));
    store.flush(geometry.bitmap * BLOCK, BLOCK);
    store.store(geometry.descriptor_at(0), GROUP_READY);
    store.flush(geometry.descriptor_at(0), DESCRIPTOR);
    store.write(TABLE_INODE_AT, &table::first_inode().bytes());
    store.flush(TABLE_INODE_AT, BLOCK - TABLE_INODE_AT % BLOCK);
    store.fence();
    debug_assert!(store.load(STATE_AT) != CLEAN && geometry.blocks.div_ceil(GROUP) == geometry.group_count());
    Ok(())
}
