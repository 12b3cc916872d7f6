// SPDX-License-Identifier: MIT
//! The one trait that a file system implements, and what it speaks in.
//!
//! Methods are synchronous, take `&self`, and return results; a file system contains no unsafe code
//! and knows neither errno nor the wire. It may be called from any number of threads at once.

pub mod nullfs;
pub mod pmemfs;
mod types;

use relay::memory::Window;

pub use types::{
    Attr, DirEntry, Entry, Error, FallocateMode, Ino, Kind, Name, NewInode, ROOT, RenameMode, Result, Seek,
    SetAttr, SetTime, StatFs, Timestamp,
};

/// A file system.
///
/// **References.** Each [`Entry`] that [`lookup`](Self::lookup), [`create`](Self::create) and
/// [`link`](Self::link) return takes one reference to its inode; [`forget`](Self::forget) gives some
/// back. An inode without links lives until its last reference is gone. The root needs none.
///
/// **Trust.** Arguments are of the right form (a [`Name`] is one, a [`Window`] is mapped) and the caller's
/// permissions have been checked; inode numbers and offsets come from outside and may be anything.
///
/// **Atomicity.** Each method that changes something happens whole or not at all, also when the server
/// is killed inside it, and is seen by other threads in one piece.
pub trait FileSystem: Send + Sync {
    /// Its type, as in `/proc/mounts`: "pmemfs", "nullfs".
    fn kind(&self) -> &'static str;

    /// The inode called `name` in the directory `parent`.
    fn lookup(&self, parent: Ino, name: Name<'_>) -> Result<Entry>;

    /// The inode numbered `ino`, with one reference taken, as [`lookup`](Self::lookup) would return it: for
    /// file handles that outlive everybody's memory of their names. [`Error::Stale`] if there is none.
    fn by_number(&self, ino: Ino) -> Result<Entry> {
        let _ = ino;
        Err(Error::Unsupported)
    }

    /// Gives `count` references to `ino` back. Unknown inodes and too many references are ignored.
    fn forget(&self, ino: Ino, count: u64);

    /// The attributes of `ino`.
    fn getattr(&self, ino: Ino) -> Result<Attr>;

    /// Changes those attributes of `ino` that `changes` names, and `ctime`, in one step.
    fn setattr(&self, ino: Ino, changes: &SetAttr) -> Result<Attr>;

    /// What the symbolic link `ino` holds.
    fn readlink(&self, ino: Ino) -> Result<Vec<u8>>;

    /// Makes a new inode of any kind and names it `name` in `parent`.
    fn create(&self, parent: Ino, name: Name<'_>, new: &NewInode<'_>) -> Result<Entry>;

    /// Gives `ino`, which is no directory, a further name.
    fn link(&self, ino: Ino, parent: Ino, name: Name<'_>) -> Result<Entry>;

    /// Removes the name of something that is no directory.
    fn unlink(&self, parent: Ino, name: Name<'_>) -> Result<()>;

    /// Removes an empty directory.
    fn rmdir(&self, parent: Ino, name: Name<'_>) -> Result<()>;

    /// Moves `name` in `parent` to `new_name` in `new_parent`.
    fn rename(
        &self,
        parent: Ino,
        name: Name<'_>,
        new_parent: Ino,
        new_name: Name<'_>,
        mode: RenameMode,
    ) -> Result<()>;

    /// Copies what is at `offset` of the file into `to`, as much as there is up to the end of the file.
    /// Returns the number of bytes.
    fn read(&self, ino: Ino, offset: u64, to: Window<'_>) -> Result<usize>;

    /// Copies all of `from` to `offset` of the file, which grows if need be. With `sync`, it is durable on
    /// return. Returns the number of bytes, fewer than `from` has only when space ran out after some.
    fn write(&self, ino: Ino, offset: u64, from: Window<'_>, sync: bool) -> Result<usize>;

    /// Makes what was written to `ino`, and unless `data_only` all of its attributes, durable.
    fn fsync(&self, ino: Ino, data_only: bool) -> Result<()>;

    /// Makes everything durable.
    fn sync(&self) -> Result<()>;

    /// Calls `each` with the entries of a directory behind `cookie` (0: from the start; else the cookie of
    /// the last entry seen) until it returns false. "." and ".." are among them. Entries that neither come
    /// nor go while it is read in parts are seen once.
    fn readdir(&self, ino: Ino, cookie: u64, each: &mut dyn FnMut(&DirEntry<'_>) -> bool) -> Result<()>;

    /// Space and inodes, used and free.
    fn statfs(&self) -> Result<StatFs>;

    /// The next data or hole at or behind `offset`.
    fn seek(&self, ino: Ino, offset: u64, what: Seek) -> Result<u64> {
        let _ = (ino, offset, what);
        Err(Error::Unsupported)
    }

    /// Reserves, frees or zeroes a range of a file.
    fn fallocate(&self, ino: Ino, offset: u64, len: u64, mode: FallocateMode) -> Result<()> {
        let _ = (ino, offset, len, mode);
        Err(Error::Unsupported)
    }
}
