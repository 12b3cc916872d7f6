// SPDX-License-Identifier: MIT
//! An ordinary file, or a block device, as a medium: mapped, locked against a second user, and backed by
//! the host before it is stored to.

use std::fs::{File, OpenOptions};
use std::io::{self, Seek, SeekFrom};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering, compiler_fence};
use std::sync::{Mutex, PoisonError};

use relay::memory::Window;
use rustix::fs::{FallocateFlags, FlockOperation, fallocate, fdatasync, flock, fstatfs};
use rustix::io::Errno;

use super::mapping::Mapping;
use super::{Error, Store};

/// The host is asked for space in pieces of this many bytes.
const CHUNK: u64 = 2 << 20;

/// What `statfs` says of a tmpfs.
const TMPFS_MAGIC: u64 = 0x0102_1994;

/// How an image is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Stores go to the file. Nobody else has it open.
    Exclusive,
    /// The file stays as it is; what is stored lives in this process only. Others may do the same.
    Snapshot,
}

/// Why an image could not be opened or made. One line that names it.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// The file could not be opened, sized or mapped.
    #[error("{}: {source}", path.display())]
    File {
        /// The image.
        path: PathBuf,
        /// What the host said.
        source: io::Error,
    },
    /// Neither a file nor a block device.
    #[error("{}: not a regular file or block device", path.display())]
    Kind {
        /// The image.
        path: PathBuf,
    },
    /// Somebody has it open, in this process or another.
    #[error("{}: already mounted or otherwise in use", path.display())]
    InUse {
        /// The image.
        path: PathBuf,
    },
    /// A new image was asked for where something is.
    #[error("{}: already holds {len} bytes, force needed to overwrite it", path.display())]
    NotEmpty {
        /// The image.
        path: PathBuf,
        /// Its length in bytes.
        len: u64,
    },
}

/// An image file.
///
/// `flush` and `fence` only order: the page cache outlives the process, so what was stored survives the
/// death of the server. `sync` is `fdatasync`.
#[derive(Debug)]
pub struct Image {
    mapping: Mapping,
    file: File,
    access: Access,
    /// Of each chunk, whether the host has space for all of it. None where the host need not be asked.
    reserved: Option<Vec<AtomicU64>>,
    reserving: Mutex<()>,
    /// Whether anything was stored since the last sync. Set after the store: a sync that clears it too
    /// early is followed by another.
    dirty: AtomicBool,
    syncing: Mutex<Synced>,
}

/// What became of the last sync.
#[derive(Debug, PartialEq, Eq)]
enum Synced {
    Fine,
    /// The kernel reports a lost page once and then calls it clean: an error once is an error for ever.
    Failed,
    /// Nothing of a tmpfs survives a loss of power, so there is nothing to wait for.
    Needless,
}

impl Image {
    /// Opens `path` as it is.
    ///
    /// # Errors
    ///
    /// If it is in use, is no file or block device, or the host refuses.
    pub fn open(path: &Path, access: Access) -> Result<Self, ImageError> {
        let file = OpenOptions::new()
            .read(true)
            .write(access == Access::Exclusive)
            .open(path)
            .map_err(host(path))?;
        lock(&file, path, access)?;
        Self::map(file, path, access)
    }

    /// Makes `path` a file of `len` zero bytes that take no space yet. With `force`, whatever was in it is
    /// gone. A block device keeps its length.
    ///
    /// # Errors
    ///
    /// As [`Image::open`], and if there is something in it and no `force`.
    pub fn create(path: &Path, len: u64, force: bool) -> Result<Self, ImageError> {
        let fresh = !path.exists();
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(host(path))?;
        lock(&file, path, Access::Exclusive)?;
        let made = Self::create_in(file, path, len, force);
        if made.is_err() && fresh {
            let _ = std::fs::remove_file(path);
        }
        made
    }

    fn create_in(mut file: File, path: &Path, len: u64, force: bool) -> Result<Self, ImageError> {
        let (old, device) = measure(&mut file, path)?;
        if old > 0 && !force {
            return Err(ImageError::NotEmpty {
                path: path.into(),
                len: old,
            });
        }
        if !device {
            file.set_len(0).map_err(host(path))?;
            file.set_len(len).map_err(host(path))?;
        }
        Self::map(file, path, Access::Exclusive)
    }

    fn map(mut file: File, path: &Path, access: Access) -> Result<Self, ImageError> {
        let (len, device) = measure(&mut file, path)?;
        let shared = access == Access::Exclusive;
        let mapping = usize::try_from(len)
            .map_err(|_| io::ErrorKind::FileTooLarge.into())
            .and_then(|len| Mapping::of_file(&file, len, shared))
            .map_err(host(path))?;
        let tmpfs = fstatfs(&file).is_ok_and(|s| s.f_type as u64 == TMPFS_MAGIC);
        let ask = shared && !device;
        let words = len.div_ceil(CHUNK).div_ceil(64) as usize;
        Ok(Self {
            mapping,
            file,
            access,
            reserved: ask.then(|| (0..words).map(|_| AtomicU64::new(0)).collect()),
            reserving: Mutex::new(()),
            dirty: AtomicBool::new(false),
            syncing: Mutex::new(if tmpfs || !shared {
                Synced::Needless
            } else {
                Synced::Fine
            }),
        })
    }

    /// How it was opened.
    pub fn access(&self) -> Access {
        self.access
    }

    /// Asks the host for space for `chunk`, or if it has not as much for the range alone.
    #[cold]
    fn reserve_chunk(&self, bits: &AtomicU64, chunk: u64, offset: u64, len: u64) -> Result<(), Error> {
        let _one = self.reserving.lock().unwrap_or_else(PoisonError::into_inner);
        let start = chunk * CHUNK;
        let end = (start + CHUNK).min(self.len());
        match allocate(&self.file, start, end - start) {
            Ok(()) => {
                bits.fetch_or(1 << (chunk % 64), Ordering::Relaxed);
                Ok(())
            }
            Err(Error::NoSpace) => {
                let start = start.max(offset & !4095);
                let end = end.min((offset + len).next_multiple_of(4096));
                allocate(&self.file, start, end - start)
            }
            Err(error) => Err(error),
        }
    }

    #[inline]
    fn stored(&self) {
        // The load keeps the line shared while it is set already. Release, paired with the swap in
        // `sync`: whoever takes the flag away sees what was stored.
        if !self.dirty.load(Ordering::Relaxed) {
            self.dirty.store(true, Ordering::Release);
        }
    }
}

impl Store for Image {
    fn len(&self) -> u64 {
        self.mapping.len() as u64
    }
    #[inline]
    fn load(&self, offset: u64) -> u64 {
        self.mapping.word(offset).load()
    }
    fn read(&self, offset: u64, to: &mut [u8]) {
        self.mapping.window(offset, to.len() as u64).read(0, to);
    }
    fn copy_to(&self, offset: u64, to: Window<'_>) {
        to.copy_from(self.mapping.window(offset, to.len() as u64));
    }
    fn store(&self, offset: u64, word: u64) {
        self.mapping.word(offset).store(word);
        self.stored();
    }
    fn change(&self, offset: u64, clear: u64, set: u64) {
        self.mapping.word(offset).change(clear, set);
        self.stored();
    }
    fn write(&self, offset: u64, bytes: &[u8]) {
        self.mapping.window(offset, bytes.len() as u64).write(0, bytes);
        self.stored();
    }
    fn copy_from(&self, offset: u64, from: Window<'_>) {
        self.mapping.window(offset, from.len() as u64).copy_from(from);
        self.stored();
    }
    fn zero(&self, offset: u64, len: u64) {
        self.mapping.window(offset, len).zero();
        self.stored();
    }
    fn flush(&self, _: u64, _: u64) {}
    fn fence(&self) {
        // A process dies between two instructions, and the page cache has the effect of all those before:
        // the order of the instructions is all that matters.
        compiler_fence(Ordering::SeqCst);
    }
    #[inline]
    fn reserve(&self, offset: u64, len: u64) -> Result<(), Error> {
        let Some(reserved) = &self.reserved else {
            return Ok(());
        };
        if len == 0 {
            return Ok(());
        }
        for chunk in offset / CHUNK..=(offset + len - 1) / CHUNK {
            let bits = &reserved[(chunk / 64) as usize];
            if bits.load(Ordering::Relaxed) & (1 << (chunk % 64)) == 0 {
                self.reserve_chunk(bits, chunk, offset, len)?;
            }
        }
        Ok(())
    }
    fn sync(&self) -> Result<(), Error> {
        let mut synced = self.syncing.lock().unwrap_or_else(PoisonError::into_inner);
        if *synced == Synced::Fine && self.dirty.swap(false, Ordering::Acquire) {
            while let Err(errno) = fdatasync(&self.file) {
                if errno != Errno::INTR {
                    *synced = Synced::Failed;
                    break;
                }
            }
        }
        if *synced == Synced::Failed {
            Err(Error::Io)
        } else {
            Ok(())
        }
    }
    fn release(&self) {
        // The end of a process lets go of it only when its last thread has ended, which is after others
        // see it gone.
        let _ = flock(&self.file, FlockOperation::Unlock);
    }
}

/// The length of an image in whole bytes that can be mapped, and whether it is a device.
fn measure(file: &mut File, path: &Path) -> Result<(u64, bool), ImageError> {
    let metadata = file.metadata().map_err(host(path))?;
    let device = metadata.file_type().is_block_device();
    if !device && !metadata.is_file() {
        return Err(ImageError::Kind { path: path.into() });
    }
    let len = file.seek(SeekFrom::End(0)).map_err(host(path))?;
    Ok((len, device))
}

fn lock(file: &File, path: &Path, access: Access) -> Result<(), ImageError> {
    let operation = match access {
        Access::Exclusive => FlockOperation::NonBlockingLockExclusive,
        Access::Snapshot => FlockOperation::NonBlockingLockShared,
    };
    flock(file, operation).map_err(|errno| match errno {
        Errno::WOULDBLOCK => ImageError::InUse { path: path.into() },
        other => host(path)(other.into()),
    })
}

fn allocate(file: &File, start: u64, len: u64) -> Result<(), Error> {
    loop {
        match fallocate(file, FallocateFlags::empty(), start, len) {
            Ok(()) => return Ok(()),
            Err(Errno::INTR) => {}
            Err(Errno::NOSPC | Errno::DQUOT | Errno::FBIG) => return Err(Error::NoSpace),
            Err(_) => return Err(Error::Io),
        }
    }
}

fn host(path: &Path) -> impl Fn(io::Error) -> ImageError {
    move |source| ImageError::File {
        path: path.into(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn what_is_stored_is_in_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("image");
        let image = Image::create(&path, 8 << 30, false).unwrap();
        image.reserve(5 << 30, 4096).unwrap();
        image.write(5 << 30, b"beyond 4 GiB");
        image.sync().unwrap();
        drop(image);
        let taken = std::fs::metadata(&path).unwrap().blocks() * 512;
        assert!((CHUNK..=2 * CHUNK).contains(&taken), "takes {taken} bytes");
        let image = Image::open(&path, Access::Snapshot).unwrap();
        let mut bytes = [0; 12];
        image.read(5 << 30, &mut bytes);
        assert_eq!(&bytes, b"beyond 4 GiB");
    }

    #[test]
    fn a_snapshot_leaves_the_file_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("image");
        drop(Image::create(&path, 1 << 20, false).unwrap());
        let snapshot = Image::open(&path, Access::Snapshot).unwrap();
        snapshot.write(0, b"private");
        let other = Image::open(&path, Access::Snapshot).unwrap();
        assert_eq!(snapshot.load(0), u64::from_le_bytes(*b"private\0"));
        assert_eq!(other.load(0), 0);
    }

    #[test]
    fn a_second_user_is_refused_by_name() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("image");
        let first = Image::create(&path, 1 << 20, false).unwrap();
        for second in [
            Image::open(&path, Access::Exclusive),
            Image::create(&path, 1, true),
        ] {
            let message = second.unwrap_err().to_string();
            assert!(
                message.contains("image: already mounted"),
                "unclear message: {message}"
            );
        }
        drop(first);
        Image::open(&path, Access::Exclusive).unwrap();
    }

    #[test]
    fn something_is_not_overwritten_unless_forced() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("image");
        std::fs::write(&path, "letters").unwrap();
        let error = Image::create(&path, 1 << 20, false).unwrap_err();
        assert!(matches!(error, ImageError::NotEmpty { len: 7, .. }));
        assert_eq!(std::fs::read(&path).unwrap(), b"letters");
        let image = Image::create(&path, 1 << 20, true).unwrap();
        assert_eq!((image.len(), image.load(0)), (1 << 20, 0));
    }

    #[test]
    fn a_directory_is_no_image() {
        let dir = tempfile::tempdir().unwrap();
        assert!(Image::open(dir.path(), Access::Exclusive).is_err());
        let error = Image::open(dir.path(), Access::Snapshot).unwrap_err();
        assert!(matches!(error, ImageError::Kind { .. }));
    }
}
