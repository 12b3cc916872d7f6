// SPDX-License-Identifier: MIT
//! What [`FileSystem`](super::FileSystem) methods take and return.

use rustix::time::{ClockId, clock_gettime};

/// An inode number.
pub type Ino = u64;

/// The root directory's inode number, in every file system: that of the FUSE protocol.
pub const ROOT: Ino = 1;

/// What a file system operation came to, if not to its result. Becomes an errno in `error.rs` only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No such inode or name.
    #[error("no such file or directory")]
    NotFound,
    /// The name is taken.
    #[error("file exists")]
    Exists,
    /// A directory was needed.
    #[error("not a directory")]
    NotDirectory,
    /// Something other than a directory was needed.
    #[error("is a directory")]
    IsDirectory,
    /// The directory still has entries.
    #[error("directory not empty")]
    NotEmpty,
    /// The medium, or the host file system beneath an image, is full.
    #[error("no space left")]
    NoSpace,
    /// An inode has as many links as it can have.
    #[error("too many links")]
    TooManyLinks,
    /// A file would become larger than it can be.
    #[error("file too large")]
    TooLarge,
    /// A name is too long.
    #[error("name too long")]
    NameTooLong,
    /// The arguments make no sense together.
    #[error("invalid argument")]
    Invalid,
    /// The inode number was used before, for another inode; or a handle is not known.
    #[error("stale or unknown handle")]
    Stale,
    /// The caller may not do this to an inode that is not its own.
    #[error("operation not permitted")]
    NotOwner,
    /// The mode bits forbid it.
    #[error("permission denied")]
    Denied,
    /// The file system is mounted read-only.
    #[error("read-only file system")]
    ReadOnly,
    /// No data or hole behind the offset.
    #[error("no such data or hole")]
    NoData,
    /// This file system has no such operation.
    #[error("not supported")]
    Unsupported,
    /// The medium contradicts itself or failed.
    #[error("input/output error")]
    Io,
}

/// The result of a file system operation.
pub type Result<T> = std::result::Result<T, Error>;

/// One component of a path: 1 to 255 bytes, without '/' and NUL, neither "." nor "..".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Name<'a>(&'a [u8]);

impl<'a> Name<'a> {
    /// The longest name, in bytes.
    pub const MAX: usize = 255;

    /// Checks `bytes` from outside.
    pub fn new(bytes: &'a [u8]) -> Result<Self> {
        match bytes {
            b"" | b"." | b".." => Err(Error::Invalid),
            _ if bytes.len() > Self::MAX => Err(Error::NameTooLong),
            _ if bytes.iter().any(|b| matches!(b, 0 | b'/')) => Err(Error::Invalid),
            _ => Ok(Self(bytes)),
        }
    }

    /// Its bytes.
    pub fn as_bytes(&self) -> &'a [u8] {
        self.0
    }
}

/// A point in time: nanoseconds since 1970, as far as an `i64` of seconds reaches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp {
    /// Seconds since 1970, negative before.
    pub sec: i64,
    /// Nanoseconds in that second, below 10^9.
    pub nsec: u32,
}

impl Timestamp {
    /// The present, as of the last tick of the kernel's clock: what Linux's own file systems stamp files with.
    /// Reading the fine clock would be a fifth of a small write.
    pub fn now() -> Self {
        let now = clock_gettime(ClockId::RealtimeCoarse);
        Self {
            sec: now.tv_sec,
            nsec: now.tv_nsec as u32,
        }
    }
}

/// What an inode is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Symlink,
    /// A named pipe.
    Fifo,
    /// A socket.
    Socket,
    /// A character device.
    CharDevice,
    /// A block device.
    BlockDevice,
}

/// The attributes of an inode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attr {
    /// Its number.
    pub ino: Ino,
    /// Distinguishes it from earlier inodes of that number.
    pub generation: u64,
    /// What it is.
    pub kind: Kind,
    /// Permission bits, 0o7777 at most.
    pub perm: u32,
    /// Number of names.
    pub nlink: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Device number, as the kernel encodes it for user space; of devices only.
    pub rdev: u32,
    /// Size in bytes.
    pub size: u64,
    /// Space taken, in units of 512 bytes.
    pub blocks: u64,
    /// Last read.
    pub atime: Timestamp,
    /// Last change of the contents.
    pub mtime: Timestamp,
    /// Last change of the inode.
    pub ctime: Timestamp,
    /// Birth.
    pub btime: Timestamp,
}

/// A named inode, with one reference taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The inode's attributes.
    pub attr: Attr,
}

/// A time to set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetTime {
    /// The server's present.
    Now,
    /// This time.
    At(Timestamp),
}

/// Changes of attributes; `None` leaves one as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SetAttr {
    /// New permission bits.
    pub perm: Option<u32>,
    /// New owner.
    pub uid: Option<u32>,
    /// New group.
    pub gid: Option<u32>,
    /// New size: truncates or extends with a hole.
    pub size: Option<u64>,
    /// New time of last read.
    pub atime: Option<SetTime>,
    /// New time of last change of the contents.
    pub mtime: Option<SetTime>,
    /// New time of last change of the inode; the present unless given.
    pub ctime: Option<Timestamp>,
}

/// An inode to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewInode<'a> {
    /// What it is.
    pub kind: Kind,
    /// Permission bits, the creator's umask applied.
    pub perm: u32,
    /// Owner.
    pub uid: u32,
    /// Group; a directory with the setgid bit overrides it.
    pub gid: u32,
    /// Device number, of devices only.
    pub rdev: u32,
    /// What a symbolic link holds, 1 to 4095 bytes; empty for all others.
    pub target: &'a [u8],
}

/// What a rename does with a name that is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RenameMode {
    /// Replaces it.
    Replace,
    /// Fails with [`Error::Exists`].
    NoReplace,
    /// Swaps the two; both must be there.
    Exchange,
}

/// An entry of a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DirEntry<'a> {
    /// The inode that it names.
    pub ino: Ino,
    /// What that is.
    pub kind: Kind,
    /// Its name; "." and ".." too.
    pub name: &'a [u8],
    /// Where to go on behind it. Never 0.
    pub cookie: u64,
}

/// Space and inodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StatFs {
    /// Bytes in a block: the unit of the next three.
    pub block_size: u32,
    /// All blocks.
    pub blocks: u64,
    /// Free blocks.
    pub blocks_free: u64,
    /// Free blocks for everybody.
    pub blocks_available: u64,
    /// All inodes that there can be.
    pub files: u64,
    /// Of which free.
    pub files_free: u64,
    /// The longest name, in bytes.
    pub name_max: u32,
}

/// What [`seek`](super::FileSystem::seek) looks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seek {
    /// The next byte that is stored.
    Data,
    /// The next byte that is not; the end of the file counts.
    Hole,
}

/// What [`fallocate`](super::FileSystem::fallocate) does with the range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FallocateMode {
    /// Reserves space; the file grows unless `keep_size`.
    Reserve {
        /// Whether the size stays.
        keep_size: bool,
    },
    /// Frees it; reads as zeroes. The size stays.
    PunchHole,
    /// Makes it read as zeroes; the file grows unless `keep_size`.
    Zero {
        /// Whether the size stays.
        keep_size: bool,
    },
}
